"""What is kept of identities that sign in with tokens, and of the tokens themselves.
A token's text must never stand in here: what is kept is its SHA-256."""

import re
from dataclasses import dataclass, field
from typing import Any, Final

from wicketgate.model.identity import IdentityKind
from wicketgate.model.network import check_network
from wicketgate.model.saml import SignedInBy
from wicketgate.model.task import Task

_NAME: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._@-]{0,61}[A-Za-z0-9])?")

_GROUP: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")


def check_name(name: str) -> str:
    """The name, if it may name an identity: up to 63 letters, digits and `._@-`, no separator of a URL.

    Raises ValueError."""
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} can't name an identity: up to 63 letters, digits and ._@- only")
    return name


def check_group(name: str) -> str:
    """The name, if it may name a group: up to 63 letters, digits and `._-`. `any` is everybody, so no group.

    Raises ValueError."""
    if not _GROUP.fullmatch(name) or is_any(name):
        raise ValueError(f"{name!r} can't name a group: up to 63 letters, digits, and ._- between them")
    return name


def is_any(name: str) -> bool:
    """Whether a policy would take the name for everybody, or its reader would: it may name nothing new."""
    return name.lower() == "any"


@dataclass(frozen=True, slots=True)
class TokenRecord:
    """What is kept of a token. All times are wall clock, ns since the epoch.

    hash: SHA-256 of the token's text, 64 hex digits. id: 16 hex digits, may be shown and logged.
    expires: None if it does not end by itself. resources: it is good for these only; empty means all.
    rules: only these of the policy's rules may permit and reveal; empty means all. Others still bind.
    networks: it is good from these (CIDR) only; empty means from anywhere.
    task: what it is for; None: its identity acts for itself.
    proven: the sign-in at an identity provider that it was given for, with that person's groups; None: it is
    an account's of ours.
    last_used: None until first used; exact to the minute. revoked: when it was, None while it holds.
    """

    hash: str = field(repr=False)
    id: str
    identity: str
    created: int
    expires: int | None = None
    resources: frozenset[str] = frozenset()
    note: str = ""
    last_used: int | None = None
    revoked: int | None = None
    rules: frozenset[str] = frozenset()
    networks: frozenset[str] = frozenset()
    task: Task | None = None
    proven: SignedInBy | None = None

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[0-9a-f]{64}", self.hash):
            raise ValueError("a token's hash is 64 hex digits")
        if not re.fullmatch(r"[0-9a-f]{16}", self.id):
            raise ValueError("a token's id is 16 hex digits")
        check_name(self.identity)
        if self.expires is not None and self.expires <= self.created:
            raise ValueError("a token can't expire before it is made")
        for network in self.networks:
            if check_network(network) != network:
                raise ValueError(f"the network {network!r} is written {check_network(network)}")
        if self.task is not None and (not self.resources or self.expires is None):
            raise ValueError("a task's token names its resources, and ends")
        if self.proven is not None and (self.task is not None or self.expires is None):
            raise ValueError("a token for a sign-in ends, and is for no task")

    def holds(self, now: int) -> bool:
        """Whether it is neither revoked nor expired at `now` (ns)."""
        return self.revoked is None and (self.expires is None or now < self.expires)

    @property
    def narrow(self) -> bool:
        """Whether it may do less on its resources than its identity: then it may see nothing else either."""
        return bool(self.rules) or self.task is not None

    def replicated(self) -> dict[str, Any]:
        """What workers get of it, as JSON values: enough to authenticate, nothing else."""
        return {
            "id": self.id,
            "identity": self.identity,
            "created": self.created,
            "expires": self.expires,
            "resources": sorted(self.resources),
            "revoked": self.revoked,
            "rules": sorted(self.rules),
            "networks": sorted(self.networks),
            "task": None if self.task is None else self.task.replicated(),
            "proven": None if self.proven is None else self.proven.replicated(),
        }


@dataclass(frozen=True, slots=True)
class ServiceAccount:
    """An identity that signs in with tokens.

    origin: `file` (the configuration names it) or `store` (made by a command or through the API).
    disabled: wall clock ns since when it may not sign in; None while it may.
    """

    name: str
    kind: IdentityKind = IdentityKind.SERVICE
    groups: frozenset[str] = frozenset()
    origin: str = "store"
    disabled: int | None = None

    def __post_init__(self) -> None:
        check_name(self.name)
        if self.origin not in ("file", "store"):
            raise ValueError("an account comes from the file or the store")

    def replicated(self) -> dict[str, Any]:
        """What workers get of it, as JSON values."""
        return {
            "kind": self.kind.value,
            "groups": sorted(self.groups),
            "subject": self.name,
            "issuer": "local",
            "disabled": self.disabled,
        }
