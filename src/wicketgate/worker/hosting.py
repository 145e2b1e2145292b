"""The worker as one session's conversation sees it (compiled).
It only passes on: nothing here decides anything.
"""

from collections.abc import Callable
from typing import Any

from wicketgate.protocols.conversing import Host
from wicketgate.worker.session import Session, Surroundings


class SessionHost(Host):
    """See protocols.conversing.Host."""

    __slots__ = ("_around", "_catalog", "_catalogs", "_epoch", "_session")

    def __init__(self, around: Surroundings, session: Session) -> None:
        self._around = around
        self._catalogs = around.catalogs
        self._session = session
        self._catalog: Any = None
        self._epoch = 0

    def wake(self) -> None:
        self._session.wake()

    def cancel_upstream(self) -> None:
        self._around.ask_cancel(self._session)

    def stale(self) -> None:
        self._around.stale(self._session)

    def catalog(self) -> Any:
        epoch = self._catalogs.epoch
        if epoch != self._epoch:
            self._epoch = epoch
            self._catalog = self._around.catalog(self._session)
        return self._catalog

    def on_catalog(self, resume: Callable[[], None]) -> None:
        self._around.on_catalog(self._session, resume)

    def monotonic(self) -> int:
        return self._around.monotonic()

    def count(self, name: str, amount: int = 1) -> None:
        self._around.count(name, amount)

    def remark(self, text: str) -> None:
        self._around.remark(self._session, text)
