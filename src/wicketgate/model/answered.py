"""An answer that is kept by idempotency key.
It must never hold a secret: such an answer is kept without its body."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """request: digest of what was asked. status: None while it is under way. body: None where it was not
    kept. location: what was made. full: the actor has too many keys, and nothing is kept of this one."""

    request: str
    status: int | None = None
    body: bytes | None = None
    location: str | None = None
    full: bool = False
