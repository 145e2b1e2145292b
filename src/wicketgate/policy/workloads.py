"""`identity: spiffe:` of a policy: the workloads that sign in by certificate, read and checked.
It must never accept a whole trust domain: each path is written out, with a star for one segment at a time."""

import re
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from wicketgate.model.identity import IdentityKind
from wicketgate.model.issuer import Issuer
from wicketgate.model.saml import SamlIssuer
from wicketgate.model.token import check_group, check_name, is_any
from wicketgate.model.workload import Mesh, Workload
from wicketgate.policy.document import Node
from wicketgate.policy.reading import Invalid, Reading

_DOMAIN: Final = re.compile(r"[a-z0-9._-]{1,255}")
_SEGMENT: Final = re.compile(r"[A-Za-z0-9._-]+|\*")
_PREFIX: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,30})")


def read_mesh(reading: Reading, node: Node, issuers: Sequence[Issuer | SamlIssuer]) -> Mesh:
    """Raises Invalid. issuers: of the same policy."""
    keys = reading.keys(node, "spiffe", ("trust_domain", "kind", "accept"), ("trust_domain", "accept"))
    before = len(reading.problems)
    domain = reading.text(keys["trust_domain"], "trust_domain")
    if not _DOMAIN.fullmatch(domain):
        raise reading.fail(
            keys["trust_domain"],
            "trust_domain is a name in lower case, without spiffe:// (letters, digits and ._-)",
        )
    kind = IdentityKind.AGENT
    if "kind" in keys:
        kind = IdentityKind(reading.choice(keys["kind"], "kind", ("agent", "service")))
    found: dict[tuple[str, ...], Workload] = {}
    prefixes = {each.prefix: f"the issuer {each.name!r}" for each in issuers}
    for each in reading.sequence(keys["accept"], "accept"):
        with suppress(Invalid):
            workload = _workload(reading, each)
            if workload.path in found:
                raise reading.fail(each, "the path is given twice")
            if workload.identity is None and workload.prefix in prefixes:
                raise reading.fail(
                    each, f"the prefix is that of {prefixes[workload.prefix]}: one could name the other's"
                )
            if workload.identity is None:
                prefixes[workload.prefix] = "another path"
            found[workload.path] = workload
    if len(reading.problems) > before:
        raise Invalid
    return Mesh(domain, tuple(found.values()), kind)


def _workload(reading: Reading, node: Node) -> Workload:
    keys = reading.keys(node, "each of accept", ("path", "identity", "prefix", "groups"), ("path",))
    text = reading.text(keys["path"], "path")
    path = tuple(text[1:].split("/"))
    if not text.startswith("/") or any(not _SEGMENT.fullmatch(each) or each in (".", "..") for each in path):
        raise reading.fail(keys["path"], "path is like /ns/agents/sa/*: a star stands for one whole segment")
    wanted, other = ("prefix", "identity") if "*" in path else ("identity", "prefix")
    if wanted not in keys or other in keys:
        raise reading.fail(node, "a path with stars needs a prefix, and one without them an identity")
    name = reading.text(keys[wanted], wanted)
    if wanted == "prefix" and not _PREFIX.fullmatch(name):
        raise reading.fail(keys[wanted], f"prefix {name!r} must be up to 31 letters, digits and ._-")
    if wanted == "identity":
        try:
            check_name(name)
        except ValueError as error:
            raise reading.fail(keys[wanted], str(error)) from None
        if is_any(name):
            raise reading.fail(keys[wanted], f"{name!r} can't name an identity: in a rule it is everybody")
    groups = set()
    for each, group in reading.texts(keys["groups"], "groups") if "groups" in keys else ():
        try:
            groups.add(check_group(group))
        except ValueError as error:
            raise reading.fail(each, str(error)) from None
    if wanted == "identity":
        return Workload(path, name, "", frozenset(groups))
    return Workload(path, None, name, frozenset(groups))
