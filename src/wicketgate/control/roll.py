"""The roll of open sessions over all workers of this node, and how many each identity has.
It must never keep a session that its worker closed, or whose worker is dead.
"""

from collections.abc import Callable

from wicketgate.control.messages import Opened
from wicketgate.control.ports import SessionRow


class Roll:
    """changed: told of each session that is opened or closed."""

    def __init__(self, changed: Callable[[str], None]) -> None:
        self._changed = changed
        self._identities: dict[str, int] = {}
        self.rows: dict[str, SessionRow] = {}

    def opened(self, worker: int, opened: Opened) -> int:
        """Enter it. How many sessions its identity has now."""
        self.rows[opened.session] = SessionRow(
            opened.session,
            opened.identity,
            opened.resource,
            opened.database,
            opened.account,
            opened.source,
            worker,
            opened.at,
        )
        self._changed(opened.session)
        count = self._identities[opened.identity] = self.count(opened.identity) + 1
        return count

    def count(self, identity: str) -> int:
        """How many sessions an identity has."""
        return self._identities.get(identity, 0)

    def closed(self, session: str) -> None:
        """Strike it off, if it is there."""
        row = self.rows.pop(session, None)
        if row is not None:
            self._changed(session)
            self._identities[row.identity] -= 1
            if not self._identities[row.identity]:
                del self._identities[row.identity]

    def worker_gone(self, worker: int) -> None:
        """Strike off all that it had."""
        for session in [row.session for row in self.rows.values() if row.worker == worker]:
            self.closed(session)
