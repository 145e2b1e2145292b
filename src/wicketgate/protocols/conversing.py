"""A session's statements and answers: what the worker and a protocol are to each other (compiled).
Base classes, since compiled code calls those directly and a Protocol's methods by name. Nothing here may
name a protocol, and nothing here does I/O.
"""

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from mypy_extensions import mypyc_attr

from wicketgate.model.decision import Denial
from wicketgate.model.digest import Digest
from wicketgate.model.keyring import Keyring
from wicketgate.model.ports import Desk
from wicketgate.model.session import Admission


@mypyc_attr(allow_interpreted_subclasses=True)
class Host:
    """The worker, seen from one conversation."""

    def wake(self) -> None:
        """There is something to send that no receive() call brought about."""
        raise NotImplementedError

    def cancel_upstream(self) -> None:
        """Send the target a request to cancel what runs (over a connection of its own)."""
        raise NotImplementedError

    def stale(self) -> None:
        """The target's catalog changed through us: read it again."""
        raise NotImplementedError

    def catalog(self) -> Any:
        """The newest catalog of the session's database as `load_catalog` gave it, or None."""
        raise NotImplementedError

    def on_catalog(self, resume: Callable[[], None]) -> None:
        """Call `resume` once, when a catalog whose reading began after now has arrived."""
        raise NotImplementedError

    def monotonic(self) -> int:
        """Nanoseconds of a clock that never steps back."""
        raise NotImplementedError

    def count(self, name: str, amount: int = 1) -> None:
        """Add to a counter of the metrics."""
        raise NotImplementedError

    def remark(self, text: str) -> None:
        """A line for the operator, written once however often it is made. It holds no value and no secret."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Setting:
    """key: (number, proof) to hand to the client so that it can ask to cancel. kept: bytes of an answer that
    the journal keeps. buffer: bytes that may be held for the client or the target before reading pauses.
    pseudonyms: the keys of tokens; None: there are none, and what would be a token is redacted.
    digest: begins one, for an answer of which the journal does not keep all."""

    admission: Admission
    desk: Desk
    host: Host
    startup: Any
    session: Any
    key: tuple[int, bytes]
    kept: int = 65536
    buffer: int = 1 << 20
    pseudonyms: Keyring | None = None
    digest: Callable[[], Digest] = sha256


@mypyc_attr(allow_interpreted_subclasses=True)
class Conversation:
    """One session's statements and answers, sans I/O.

    After each receive (or wake) the worker takes `to_client` and `to_upstream`, writes the journal, sends.
    pause_client, pause_upstream: while True, the worker reads no more from that side.
    over: the reason (one of CLOSE_REASONS) once the conversation has ended; None before.
    """

    @property
    def pause_client(self) -> bool:
        raise NotImplementedError

    @property
    def pause_upstream(self) -> bool:
        raise NotImplementedError

    @property
    def over(self) -> str | None:
        raise NotImplementedError

    def receive_client(self, data: bytes) -> None:
        raise NotImplementedError

    def receive_upstream(self, data: bytes) -> None:
        raise NotImplementedError

    def to_client(self) -> bytes:
        raise NotImplementedError

    def to_upstream(self) -> bytes:
        raise NotImplementedError

    def client_gone(self) -> None:
        """The client vanished: settle what is open, say goodbye upstream."""
        raise NotImplementedError

    def upstream_gone(self, detail: str) -> None:
        """The target vanished: settle what is open, tell the client in its protocol."""
        raise NotImplementedError

    def end(self, denial: Denial, reason: str) -> None:
        """End from our side (revoked, shutdown …): the protocol's own error, then over = reason."""
        raise NotImplementedError

    def cancel(self) -> bool:
        """The client asked to cancel. True: ask the target; False: a wait was withdrawn, or nothing ran."""
        raise NotImplementedError

    def cancel_request(self) -> bytes:
        """What to send to the target, on a connection of its own, to cancel what runs."""
        raise NotImplementedError

    def idle(self) -> bool:
        """Nothing is in flight and no transaction is open: a drain may close now."""
        raise NotImplementedError
