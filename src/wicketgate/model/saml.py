"""A SAML identity provider that the operator trusts, as the policy describes it, and what it has proven.
It must never hold a key: certificates and metadata are named here, and read where they are used."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

ALGORITHMS: Final = (
    "rsa-sha256",
    "rsa-sha384",
    "rsa-sha512",
    "ecdsa-sha256",
    "ecdsa-sha384",
    "ecdsa-sha512",
    "rsa-sha1",
)
"""What may be allowed at all (RFC 9231): no MAC, so that no key of ours is ever taken for one of theirs."""

DEFAULT_ALGORITHMS: Final = frozenset(ALGORITHMS) - {"rsa-sha1"}

SUBJECT: Final = "subject"
"""In the place of an attribute's name: the assertion's NameID."""


class Signed(Enum):
    """Which signatures a response must have. Whichever it has must hold."""

    EITHER = "either"
    ASSERTION = "assertion"
    RESPONSE = "response"
    BOTH = "both"


@dataclass(frozen=True, slots=True)
class SamlIssuer:
    """name: in the policy. entity_id: exactly as its assertions have it. gateway: our API's address, as
    browsers reach it. our_id: our entity id there. metadata: its file; None: sso and certificates are given.
    sso: where browsers are sent (HTTP-Redirect). certificates: PEM files of the keys that may sign.

    names: the attribute that names people, or SUBJECT. groups: the attribute of groups; None: it gives none.
    prefix, group_prefix: stand before what the assertion says. signed: what must be. encrypted: whether
    assertions must be. algorithms: of signatures. sign_requests: whether ours are signed. idp_initiated:
    whether answers to nothing are taken. skew: seconds that a beginning may lie ahead. longest: seconds that
    a sign-in is good for at most.
    """

    name: str
    entity_id: str
    gateway: str
    our_id: str
    metadata: str | None = None
    sso: str | None = None
    certificates: tuple[str, ...] = ()
    names: str = SUBJECT
    groups: str | None = "groups"
    prefix: str = ""
    group_prefix: str = ""
    signed: Signed = Signed.EITHER
    encrypted: bool = False
    algorithms: frozenset[str] = DEFAULT_ALGORITHMS
    sign_requests: bool = False
    idp_initiated: bool = False
    skew: int = 30
    longest: int = 8 * 3600

    @property
    def path(self) -> str:
        """Where our side of it stands at the API."""
        return f"/api/v1/saml/{self.name}"

    @property
    def acs(self) -> str:
        """Our assertion consumer service."""
        return f"{self.gateway}{self.path}/acs"

    @property
    def login(self) -> str:
        """Where a browser begins."""
        return f"{self.gateway}{self.path}/login"


@dataclass(frozen=True, slots=True)
class SignedInBy:
    """What a token of ours rests on that was given for a sign-in at an identity provider.

    issuer: its name in the policy. entity_id: its own. subject: the NameID. groups: those of the assertion.
    """

    issuer: str
    entity_id: str
    subject: str
    groups: frozenset[str]

    def replicated(self) -> dict[str, Any]:
        """As JSON values, for the store and for workers."""
        return {
            "issuer": self.issuer,
            "entity_id": self.entity_id,
            "subject": self.subject,
            "groups": sorted(self.groups),
        }


def signed_in_by(fields: Mapping[str, Any]) -> SignedInBy:
    """What `replicated` gave. Raises KeyError, TypeError."""
    return SignedInBy(
        str(fields["issuer"]),
        str(fields["entity_id"]),
        str(fields["subject"]),
        frozenset(str(each) for each in fields["groups"]),
    )
