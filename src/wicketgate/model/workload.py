"""Workloads that sign in by a client's certificate with a SPIFFE ID, as the policy describes them.
It must never hold a certificate or a key: what vouches for a certificate is `gateway: tls: client_ca`."""

from dataclasses import dataclass

from wicketgate.model.identity import IdentityKind

CERTIFICATE = "spiffe"
"""Identity.how of who was proven by one."""


@dataclass(frozen=True, slots=True)
class Workload:
    """path: of the SPIFFE ID; a `*` stands for one whole segment. identity: the name that it proves; None:
    the prefix, and what the stars stand for, joined by dots."""

    path: tuple[str, ...]
    identity: str | None
    prefix: str = ""
    groups: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Mesh:
    """The one trust domain whose workloads may sign in, and which of them."""

    trust_domain: str
    accept: tuple[Workload, ...]
    kind: IdentityKind = IdentityKind.AGENT

    @property
    def fixed(self) -> frozenset[str]:
        """Names that are given to certain workloads."""
        return frozenset(each.identity for each in self.accept if each.identity is not None)

    @property
    def prefixes(self) -> frozenset[str]:
        """How names begin that others get."""
        return frozenset(each.prefix for each in self.accept if each.identity is None)
