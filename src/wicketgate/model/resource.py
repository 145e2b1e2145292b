"""What is protected: resources, their accounts, and how a connection to them is secured."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from wicketgate.model.detector import USUAL
from wicketgate.model.terms import Terms

PREDICATES = ("equality-only", "allow", "review", "deny")
"""How a sensitive value may decide which rows come back: by `=`, IN, joins and grouping; in any way; in any
way once somebody has looked; not at all. The first where nothing is said."""


class TlsMode(Enum):
    """How the upstream link is secured; names as in libpq's sslmode, without its opportunistic ones."""

    DISABLE = "disable"
    REQUIRE = "require"
    VERIFY_CA = "verify-ca"
    VERIFY_FULL = "verify-full"


@dataclass(frozen=True, slots=True)
class CredentialReference:
    """Where an account's credential lies, never the credential itself.

    source: `env`, `file`, `secret` (of the vault of our own), `vault` (a server's key-value store), `aws`
    (Secrets Manager), `inline` (encrypted under the local key file) or `none` (the target trusts us).
    locator: the variable's name, the path, the secret's, `server:path#field`, `name#field`, or the ciphertext
    (base64url).
    """

    source: str
    locator: str


@dataclass(frozen=True, slots=True)
class Account:
    """The login on a resource that the gateway uses. version changes whenever anything in it does."""

    name: str
    username: str
    credential: CredentialReference
    version: str


@dataclass(frozen=True, slots=True)
class Resource:
    """A thing protected.

    sensitive: database -> qualified column (`schema.table.column`) -> data class.
    predicates: data class (`*`: all others) -> what a statement may ask of its values: one of PREDICATES.
    reviewers: who looks where predicates say `review`.
    clean: qualified columns that hold nothing sensitive, whatever was copied into them.
    detect: data classes that are looked for in values; None: the usual ones, if anything is sensitive here.
    settings: the protocol's own options, already validated by the protocol's schema.
    ca_file: PEM bundle for verify-ca and verify-full; None means the system's.
    """

    name: str
    protocol: str
    host: str
    port: int
    databases: tuple[str, ...]
    tls: TlsMode
    accounts: Mapping[str, Account]
    labels: Mapping[str, str] = field(default_factory=dict)
    sensitive: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    ca_file: str | None = None
    predicates: Mapping[str, str] = field(default_factory=dict)
    detect: tuple[str, ...] | None = None
    clean: frozenset[str] = frozenset()
    reviewers: Terms | None = None

    def detected(self, own: Iterable[str]) -> tuple[str, ...]:
        """Data classes that are looked for in values. own: those that the operator describes. Where nothing
        is said: the usual ones and these, if anything is sensitive here."""
        if self.detect is not None:
            return self.detect
        return tuple(dict.fromkeys((*USUAL, *own))) if any(self.sensitive.values()) else ()

    def predicate(self, data_class: str) -> str:
        """What a statement may ask of values of this class."""
        return self.predicates.get(data_class) or self.predicates.get("*", PREDICATES[0])
