"""What a token rests on that was made of two others (RFC 8693): the human's proof, and the agent's.
It must never hold either token, nor a signature: what is kept can't be used to sign in.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any

from wicketgate.model.identity import Identity, Proof


@dataclass(frozen=True, slots=True)
class Party:
    """One of the two. credential: the id of the token that was shown. proof: what it said, where a trusted
    issuer made it; None: it is one of ours, and found by its id."""

    credential: str
    proof: Proof | None = None

    def replicated(self) -> dict[str, Any]:
        """As JSON values."""
        proof = self.proof
        said = None
        if proof is not None:
            said = {"issuer": proof.issuer, "key": proof.key, "claims": proof.claims.decode("utf-8")}
        return {"credential": self.credential, "proof": said}


@dataclass(frozen=True, slots=True)
class Exchange:
    """Whose tokens were exchanged: for whom it is done, and who does it."""

    human: Party
    agent: Party

    def replicated(self) -> dict[str, Any]:
        """As JSON values."""
        return {"human": self.human.replicated(), "agent": self.agent.replicated()}

    @property
    def tokens(self) -> tuple[str, ...]:
        """Ids of those of the two that are ours: it holds no longer than they do."""
        return tuple(each.credential for each in (self.human, self.agent) if each.proof is None)


def party(identity: Identity) -> Party:
    """What is kept of one who has just proven himself by a token. Raises ValueError where it was none."""
    if identity.credential_id is None or identity.how not in ("token", "oidc"):
        raise ValueError("nothing was shown that could be asked for again")
    return Party(identity.credential_id, identity.proof)


def exchange_of(fields: Mapping[str, Any]) -> Exchange:
    """What `replicated` gave. Raises KeyError, TypeError, ValueError, AttributeError: doubt proves nobody."""
    return Exchange(_party(fields["human"]), _party(fields["agent"]))


def _party(fields: Mapping[str, Any]) -> Party:
    proof = fields["proof"]
    if proof is None:
        return Party(str(fields["credential"]))
    said = Proof(str(proof["issuer"]), str(proof["key"]), str(proof["claims"]).encode("utf-8"))
    return Party(str(fields["credential"]), said)


def shared(one: frozenset[str], other: frozenset[str]) -> frozenset[str] | None:
    """What lies in both lists of networks (CIDR); empty: anywhere. None: nothing lies in both."""
    if not one or not other:
        return one | other
    found = set()
    for first in map(ip_network, one):
        for second in map(ip_network, other):
            if _inside(first, second):
                found.add(str(first))
            elif _inside(second, first):
                found.add(str(second))
    return frozenset(found) or None


def _inside(inner: IPv4Network | IPv6Network, outer: IPv4Network | IPv6Network) -> bool:
    if isinstance(inner, IPv4Network) and isinstance(outer, IPv4Network):
        return inner.subnet_of(outer)
    if isinstance(inner, IPv6Network) and isinstance(outer, IPv6Network):
        return inner.subnet_of(outer)
    return False
