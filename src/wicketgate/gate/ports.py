"""What the gate needs of others: app.py fills these in.
No adapter lives here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from wicketgate.model.identity import Claim, Identity
from wicketgate.model.ports import Lines
from wicketgate.model.secret import Secret
from wicketgate.policy.engine import Engine


class Journal(Protocol):
    """This worker's writer."""

    failed: bool

    def session(self, session: str) -> Lines: ...
    def line(self, kind: str, session: None, head: bytes, body: bytes | None) -> int: ...


class Reply(Protocol):
    """What the control process answered."""

    @property
    def body(self) -> Mapping[str, Any]: ...
    @property
    def denial(self) -> Sequence[str] | None: ...


class Asks(Protocol):
    """The control process's answers. `ask` raises GatewayError where the link is gone."""

    async def ask(self, what: str, body: Mapping[str, Any], secret: Secret | None = None) -> Reply: ...

    def spent(self, lease: int, used: int) -> None: ...


class Authenticates(Protocol):
    """Proves who a claim is."""

    def authenticate(self, claim: Claim, now: int) -> Identity | None: ...

    def reason(self, claim: Claim, now: int) -> str:
        """For the journal: why a claim that proves nobody does not, as far as that is known."""
        ...

    def unknown(self, secret: Secret) -> str | None:
        """The hash of what has the form of a token of ours, and is not known here; else None."""
        ...

    def missing(self, secret: Secret) -> str | None:
        """The trusted issuer that must be asked for its keys before this can be judged, or None."""
        ...

    def unread(self, secret: Secret, now: int) -> bool:
        """Whether a sound token's issuer is to be asked again before it proves anybody."""
        ...

    def still_holds(self, identity: Identity, resource: str, now: int, source: str | None) -> Identity | None:
        """The identity as it is now, or None. source: None where it is not known."""
        ...


@dataclass(slots=True)
class PolicyInForce:
    """The policy that holds now. Replaced whole, never changed in place."""

    engine: Engine
    digest: str
