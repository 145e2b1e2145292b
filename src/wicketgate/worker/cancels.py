"""Cancels: from a client's request to its session, wherever that is, and on to the target.
It must never cancel on a proof that does not match, nor tell a stranger whether one did.
"""

import asyncio
from collections.abc import Callable

from wicketgate.control.messages import Cancel
from wicketgate.model.errors import UpstreamFailed
from wicketgate.protocols.base import CancelAsked
from wicketgate.worker.dial import Dialer
from wicketgate.worker.opening import Opener
from wicketgate.worker.session import Session
from wicketgate.worker.sessions import Sessions
from wicketgate.worker.tasks import Tasks


class Cancels:
    """route: sends a cancel to the control process, for the worker that gave out its key."""

    def __init__(
        self,
        sessions: Sessions,
        dialer: Dialer,
        tasks: Tasks,
        route: Callable[[Cancel], None],
        log: Callable[[str], None],
    ) -> None:
        self._sessions = sessions
        self._dialer = dialer
        self._tasks = tasks
        self._route = route
        self._log = log
        self._under_way: set[Session] = set()
        self._asking: set[asyncio.Task[None]] = set()

    async def asked(self, asked: CancelAsked) -> None:
        """A client asks. Returns when the target was asked (drivers wait for their connection's end)."""
        if not self._sessions.owns(asked.number):
            self._route(Cancel(asked.number, asked.proof.hex()))
            return
        session = self._sessions.by_key(asked.number, asked.proof)
        if session is not None and session.cancel():
            await self._upstream(session)

    def routed(self, cancel: Cancel) -> None:
        """Another worker's client asked."""
        try:
            proof = bytes.fromhex(cancel.proof)
        except ValueError:
            return
        session = self._sessions.by_key(cancel.number, proof)
        if session is not None and session.cancel():
            self.ask(session)

    def ask(self, session: Session) -> None:
        """Ask the target to cancel what this session runs."""
        task = self._tasks.start(self._upstream(session), "cancel")
        self._asking.add(task)
        task.add_done_callback(self._asking.discard)

    async def finish(self, seconds: float) -> None:
        """Wait so long at most for targets that are being asked."""
        if self._asking:
            await asyncio.wait(self._asking, timeout=seconds)

    async def _upstream(self, session: Session) -> None:
        if session in self._under_way:
            return
        self._under_way.add(session)
        admission = session.admission
        resource, account = admission.resource, admission.account
        try:
            await self._dialer.send_cancel(
                session.spec,
                lambda keys: Opener.call(resource, account, admission, None, keys),
                resource,
                account,
                session.conversation.cancel_request(),
            )
        except UpstreamFailed as error:
            self._log(f"cancel {resource.name}: {error.detail}")
        finally:
            self._under_way.discard(session)
