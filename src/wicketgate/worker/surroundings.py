"""What a session asks of its worker (session.Surroundings), answered from the parts of the worker.
It must never forget a session before its close stands recorded.
"""

import asyncio
from collections.abc import Callable
from typing import Any

from wicketgate.control.messages import Closed, Message, Stale
from wicketgate.model.session import Admission
from wicketgate.worker.cancels import Cancels
from wicketgate.worker.catalogs import Catalogs
from wicketgate.worker.dial import Dialer
from wicketgate.worker.session import Session
from wicketgate.worker.sessions import Sessions
from wicketgate.worker.tally import Tally
from wicketgate.worker.turn import Turn

MOST_REMARKS = 1000
"""Different remarks that a worker logs in its life: a memory limit."""


class Around:
    """send: to the control process. closing: records a session's close. monotonic: ns of the boot clock.
    overdue: admits all sessions again."""

    def __init__(
        self,
        turn: Turn,
        sessions: Sessions,
        dialer: Dialer,
        catalogs: Catalogs,
        cancels: Cancels,
        tally: Tally,
        send: Callable[[Message], None],
        closing: Callable[[Admission, str], None],
        monotonic: Callable[[], int],
        log: Callable[[str], None],
        overdue: Callable[[], None],
    ) -> None:
        self.turn = turn
        self._sessions = sessions
        self._dialer = dialer
        self.catalogs = catalogs
        self._cancels = cancels
        self._tally = tally
        self._send = send
        self._closing = closing
        self.monotonic = monotonic
        self._log = log
        self.overdue = overdue
        self._loop = asyncio.get_running_loop()
        self._remarked: set[str] = set()

    def finished(self, session: Session, reason: str) -> None:
        """The session is over: record its close and forget it. Again: nothing."""
        if not self._sessions.remove(session):
            return
        admission = session.admission
        self._closing(admission, reason)
        self._dialer.release(admission.resource, admission.account)
        self.count("sessions_closed")
        self._send(Closed(admission.session, reason))

    def linger(self, transport: asyncio.Transport, seconds: float) -> None:
        """Cut a closing transport whose peer does not take the last bytes."""
        # TLS waits for its peer's farewell even when nothing is left to write.
        self._loop.call_later(seconds, transport.abort)

    def ask_cancel(self, session: Session) -> None:
        """Ask the target to cancel what this session runs."""
        self._cancels.ask(session)

    def stale(self, session: Session) -> None:
        """The session changed its target's catalog: it is to be read again."""
        self._send(Stale(session.admission.resource.name, session.admission.database))

    def catalog(self, session: Session) -> Any:
        """The newest catalog of the session's database, or None."""
        return self.catalogs.get(session.admission.resource.name, session.admission.database)

    def on_catalog(self, session: Session, resume: Callable[[], None]) -> None:
        """Call `resume` once a reading that began after now is over."""

        def wake() -> None:
            if not session.closed:
                session.guard(resume)
                self.turn.touch(session)

        self.catalogs.newer(session.admission.resource.name, session.admission.database, wake)

    def count(self, name: str, amount: int = 1) -> None:
        """For the metrics."""
        self._tally.count(name, amount)

    def remark(self, session: Session, text: str) -> None:
        """A line for the operator, once for each resource and text."""
        line = f"{session.admission.resource.name}/{session.admission.database}: {text}"
        if line not in self._remarked and len(self._remarked) < MOST_REMARKS:
            self._remarked.add(line)
            self._log(line)

    def fault(self, session: Session, error: Exception) -> None:
        """A conversation raised: log it."""
        self.count("faults")
        self._log(f"session {session.admission.session}: {type(error).__name__}: {error}")
