"""A sign-in through a browser that is under way, as the store keeps it.
It must never hold what opens it: ticket, browser and code stand in it as SHA-256."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from wicketgate.model.errors import GatewayError
from wicketgate.model.secret import Secret


@dataclass(frozen=True, slots=True)
class SignIn:
    """ticket: of whom began it. issuer: its name in the policy. source: where it was begun. challenge:
    SHA-256 (base64url) of what only that one knows. port, state: where the browser goes back to, on its own
    machine, and what it says there. created, expires: wall ns. request: the ID that was sent, None before a
    browser took it. proven: what came of it, once something did (JSON).
    """

    ticket: str
    issuer: str
    source: str
    challenge: str
    port: int
    state: str
    created: int
    expires: int
    request: str | None = None
    browser: str | None = None
    proven: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Asserted:
    """What an identity provider's response proves. name, groups: as they are here. subject: as it is there.
    until: wall ns that the sign-in ends at latest. assertion: a digest of which one it was. forget: wall ns
    from which on it would be refused for its age."""

    name: str
    subject: str
    groups: frozenset[str]
    until: int
    assertion: str
    forget: int


@dataclass(frozen=True, slots=True)
class Redeemed:
    """What an issuer gave for a code: an access token, and an ID token."""

    access: Secret
    identity: Secret


class SignInRefused(GatewayError):
    """A sign-in that proves nobody. public is the same whatever the reason, which is the detail."""

    def __init__(self, detail: str) -> None:
        super().__init__("sign-in refused", detail)
