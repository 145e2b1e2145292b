"""One turn of the loop: what all touched sessions recorded is written first, then what they forward is sent
(compiled).
It must never send a byte of a turn whose journal lines could not be written.
"""

import asyncio
from collections.abc import Callable

from mypy_extensions import mypyc_attr

from wicketgate.model.errors import JournalFailed
from wicketgate.model.ports import Flushing


@mypyc_attr(allow_interpreted_subclasses=True)
class Touched:
    """A session as the turn sees it. `touched` is set while it stands in the turn's batch."""

    __slots__ = ("touched",)

    touched: bool

    def take(self) -> None:
        """Take from the conversation what is to be sent; record what ends with it."""
        raise NotImplementedError

    def send(self) -> None:
        """The journal has it: write."""
        raise NotImplementedError

    def drop(self) -> None:
        """The journal failed: forget what was taken."""
        raise NotImplementedError


class Turn:
    """Collects the sessions that something happened to and handles them once in the loop's turn.

    failed: called once, with the error, when the journal can't take it.
    draining: sessions end as soon as they are idle.
    """

    __slots__ = ("_batch", "_failed", "_journal", "_last", "_loop", "_scheduled", "broken", "draining")

    def __init__(
        self, loop: asyncio.AbstractEventLoop, journal: Flushing, failed: Callable[[JournalFailed], None]
    ) -> None:
        self._loop = loop
        self._journal = journal
        self._failed = failed
        self._batch: list[Touched] = []
        self._last: Touched | None = None
        self._scheduled = False
        self.broken = False
        self.draining = False

    def touch(self, session: Touched) -> None:
        """Handle this session at the end of this turn."""
        if not session.touched:
            session.touched = True
            self._batch.append(session)
            if not self._scheduled:
                self._scheduled = True
                self._loop.call_soon(self._run)

    def arrived(self, session: Touched) -> None:
        """Bytes came for this session, and it has taken them. Where it is the only one at work, its
        turn ends here: a loop's round is saved, and there is nothing to write together with."""
        if session is self._last and not self._scheduled:
            self._batch.append(session)
            self._run()
        else:
            self._last = session
            self.touch(session)

    def forget(self, session: Touched) -> None:
        """The session is over."""
        if self._last is session:
            self._last = None

    def soon(self) -> None:
        """Something was recorded outside any session's turn: flush at the end of this turn."""
        if not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._run)

    def record(self) -> None:
        """Write what stands recorded, now. Raises JournalFailed."""
        try:
            self._journal.flush()
        except JournalFailed as error:
            self.fail(error)
            raise

    def fail(self, error: JournalFailed) -> None:
        """The journal can't take it: what was not sent never is; turns from here on only tell so."""
        if not self.broken:
            self.broken = True
            for session in self._batch:
                session.take()
                session.drop()
            self._failed(error)

    def _run(self) -> None:
        self._scheduled = False
        batch = self._batch
        self._batch = []
        for session in batch:
            session.touched = False
            session.take()
        if not self.broken:
            try:
                self._journal.flush()
            except JournalFailed as error:
                for session in batch:
                    session.drop()
                self.fail(error)
                return
        for session in batch:
            session.send()
