"""Who asks: what a client claims at sign-in, and the proven actor that a claim becomes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

from wicketgate.model.secret import Secret
from wicketgate.model.task import Task

if TYPE_CHECKING:
    from wicketgate.model.grant import Grant


class IdentityKind(Enum):
    HUMAN = "human"
    SERVICE = "service"
    AGENT = "agent"


@dataclass(frozen=True, slots=True)
class Proof:
    """What a trusted issuer's token said, kept so that an open session can be proven again.

    issuer: its name in the policy. key: the thumbprint of the key that signed. claims: JSON, as signed; the
    token itself is not kept.
    """

    issuer: str
    key: str
    claims: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Identity:
    """A proven actor.

    name: the local name (`crew-bot`); unique among identities.
    subject, issuer: who proved it and under which subject there (`local` for service accounts).
    how: the means of proof (`token`, `oidc`, `exchange`: a token made of two others,
    `spiffe`: a client's certificate).
    credential_id: the id (never the value) of the token that was used, so that revoking it ends sessions.
    valid_until: wall clock, ns since the epoch, after which the proof ends; None if it does not end.
    proof: for `oidc` and `spiffe` (whose claims are the certificate), what the session is proven again by.
    behalf, agent, crew, task, purpose: of the task that it acts in, as declared when its token was made.
    human: who stands behind it, as he is now; what may be done is what both may. declared: the whole task.
    rules: only these rules of the policy may permit and reveal; empty: all.
    claimed: what the client said of itself without proof (application_name …): recorded, never trusted.
    grants: access that it was given for a while, as far as that has not ended; whether one is in force is
    the policy's to say.
    """

    name: str
    subject: str
    issuer: str
    kind: IdentityKind
    how: str
    groups: frozenset[str] = frozenset()
    credential_id: str | None = None
    valid_until: int | None = None
    behalf: str | None = None
    agent: str | None = None
    task: str | None = None
    crew: str | None = None
    purpose: str | None = None
    claimed: Mapping[str, str] = field(default_factory=dict)
    proof: Proof | None = None
    rules: frozenset[str] = frozenset()
    declared: Task | None = None
    human: "Identity | None" = None
    grants: "tuple[Grant, ...]" = ()


@dataclass(frozen=True, slots=True)
class Claim:
    """What a client presents when it signs in: unproven, whole.

    account: the account it names (`name~account`), or None.
    resource, database: from the protocol's own address field; database None means the resource's first.
    secret: the credential as presented; empty: none was asked for.
    certificate: what TLS has verified of the client (DER), where that signs it in.
    source: the client's network address, without a port.
    """

    identity: str
    resource: str
    secret: Secret
    source: str
    account: str | None = None
    database: str | None = None
    claimed: Mapping[str, str] = field(default_factory=dict)
    certificate: bytes | None = field(default=None, repr=False)
