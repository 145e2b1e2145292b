"""The open sessions of a node, as its control process knows them.
It must never count one session twice, nor forget what a dead worker's sessions counted."""

from wicketgate.control.messages import Opened
from wicketgate.control.ports import SessionRow


class Rows(dict[str, SessionRow]):
    """session -> row. Main loop; other threads may copy its values."""

    def __init__(self) -> None:
        super().__init__()
        self._identities: dict[str, int] = {}

    def open(self, worker: int, opened: Opened) -> int:
        """A session is open. How many its identity has, with it."""
        self[opened.session] = SessionRow(
            opened.session,
            opened.identity,
            opened.resource,
            opened.database,
            opened.account,
            opened.source,
            worker,
            opened.at,
        )
        count = self._identities[opened.identity] = self.count(opened.identity) + 1
        return count

    def close(self, session: str) -> None:
        """It is over; one that is not there is none."""
        row = self.pop(session, None)
        if row is not None:
            self._identities[row.identity] -= 1
            if not self._identities[row.identity]:
                del self._identities[row.identity]

    def worker_gone(self, worker: int) -> None:
        """A worker's process has ended, and its sessions with it."""
        for session in [row.session for row in self.values() if row.worker == worker]:
            self.close(session)

    def count(self, identity: str) -> int:
        """How many sessions an identity has."""
        return self._identities.get(identity, 0)
