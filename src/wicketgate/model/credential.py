"""What a source of credentials gives: a secret, for how long it may be used, and how it is given back.
It must never be shown: its secret has no text, and no error here holds one.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Protocol

from wicketgate.model.errors import GatewayError
from wicketgate.model.secret import Secret

LONGEST = 65536
"""Bytes of a credential at most."""


class CredentialMissing(GatewayError):
    """The credential is not where it should lie, or can't be read. detail says why, without what was read."""

    def __init__(self, detail: str) -> None:
        super().__init__("The target can't be reached.", detail)


@dataclass(frozen=True, slots=True)
class Credential:
    """secret: None where the target trusts us. keep: seconds it may be used before the source is asked again.

    expires: when it ends by itself (monotonic ns), None: it does not. release: gives it back to its source;
    called once, when it is no longer used.
    """

    secret: Secret | None
    keep: float = 0.0
    expires: int | None = None
    release: Callable[[], Awaitable[None]] | None = field(default=None, repr=False)


class Source(Protocol):
    """Where credentials lie, outside of this process. Asked by the control process alone, on its loop."""

    async def fetch(self, locator: str) -> Credential:
        """Answers in a bounded time. Raises CredentialMissing."""
        ...

    async def close(self) -> None:
        """Let go of connections; nothing is asked after."""
        ...
