"""An issuer of tokens that the operator trusts to say who somebody is, as the policy describes it.
It must never hold a key or a token: keys are fetched, and stand elsewhere."""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from wicketgate.model.identity import IdentityKind
from wicketgate.model.resource import CredentialReference

ALGORITHMS: Final = (
    "RS256",
    "RS384",
    "RS512",
    "PS256",
    "PS384",
    "PS512",
    "ES256",
    "ES384",
    "EdDSA",
)
"""What may be allowed at all (RFC 7518, RFC 8037): those of public keys only."""

DEFAULT_ALGORITHMS: Final = frozenset({"RS256", "PS256", "ES256", "EdDSA"})

WELL_KNOWN: Final = "/.well-known/openid-configuration"


@dataclass(frozen=True, slots=True)
class Acceptance:
    """Tokens that are taken, and what they then prove.

    subject: pattern of `sub`, None: any. claims: path -> patterns of which one must fit. identity: the name
    that such a token proves, None: what the issuer's name claim says. groups: beside those of the token.
    In patterns a `*` stands for any characters but `:` and `/`.
    """

    subject: str | None = None
    claims: tuple[tuple[str, tuple[str, ...]], ...] = ()
    identity: str | None = None
    groups: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Reread:
    """How a session learns that its token's groups changed: the issuer is asked again, with that token.

    every, grace: seconds; what was read last counts for both together. userinfo: the address that is asked;
    None: where discovery says.
    """

    every: int = 300
    grace: int = 300
    userinfo: str | None = None


@dataclass(frozen=True, slots=True)
class BrowserSignIn:
    """How people sign in by an issuer on a page of ours (authorization code with PKCE).

    client: who we are there. secret: where what proves us lies; None: nothing does, a public client. scope:
    what is asked for. resource: the API that the access token is for (RFC 8707). identity: it is the ID token
    that proves somebody, and not the access token.
    """

    client: str
    secret: CredentialReference | None = None
    scope: str = "openid"
    resource: str | None = None
    identity: bool = False


@dataclass(frozen=True, slots=True)
class Issuer:
    """name: in the policy. url: exactly as `iss` has it. audiences: of which `aud` must hold one.

    parties: clients that may have asked for the token; None: any; empty: where it names one (`azp`), that is
    to be of the audiences. names: paths of the claims that make the identity's name, joined by dots. groups:
    the path of the groups claim; None: the issuer gives none. prefix, group_prefix: stand before what the
    token says. accept: empty: every token that is sound. skew: seconds that its beginning may lie ahead.
    longest: seconds that it may be good for. jwks: where the keys are; None: where discovery says. ca_file:
    None: the system's. reread: None: what a token says holds as long as the token. sign_in: None: not on
    pages of ours.
    A path is a member's name, or a JSON pointer (RFC 6901) where it begins with a slash.
    """

    name: str
    url: str
    audiences: frozenset[str]
    parties: frozenset[str] | None = frozenset()
    algorithms: frozenset[str] = DEFAULT_ALGORITHMS
    kind: IdentityKind = IdentityKind.HUMAN
    names: tuple[str, ...] = ("sub",)
    groups: str | None = "groups"
    prefix: str = ""
    group_prefix: str = ""
    accept: tuple[Acceptance, ...] = ()
    skew: int = 30
    longest: int = 86_400
    jwks: str | None = None
    ca_file: str | None = None
    reread: Reread | None = None
    sign_in: BrowserSignIn | None = None

    @property
    def source(self) -> str:
        """What its keys rest on: keys of another source are not its own."""
        return "\n".join((self.url, self.jwks or "", self.ca_file or ""))

    @property
    def discovery(self) -> str:
        """Where its configuration is published (OpenID Connect Discovery 1.0, section 4)."""
        return self.url.rstrip("/") + WELL_KNOWN


@dataclass(frozen=True, slots=True)
class Unread:
    """A token that proves somebody, as soon as its issuer says that it still does.

    credential: the token's id. identity: the name that it proves. until: wall ns when it ends."""

    issuer: Issuer
    subject: str
    credential: str
    identity: str
    until: int


def check_url(text: str, *, query: bool = False) -> str:
    """The address, if it may be asked for keys: https, or http on loopback. query: it may have one.

    Raises ValueError."""
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise ValueError("it is no address") from None
    if not text.isascii() or not text.isprintable() or " " in text or not host:
        raise ValueError("it is no address")
    if parts.username is not None or parts.password is not None:
        raise ValueError("it must hold no name and no password")
    if "#" in text or ("?" in text and not query):
        raise ValueError("it must end with its path")
    if parts.scheme != "https" and not (parts.scheme == "http" and on_loopback(host)):
        raise ValueError("it must begin with https:// (http:// on loopback alone)")
    return text


def on_loopback(host: str) -> bool:
    """Whether a host is this machine by its own name."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


Issuers = Mapping[str, Issuer]
"""name -> issuer."""
