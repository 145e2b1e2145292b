"""`identity:` of a policy: issuers whose tokens are taken, and who may exchange tokens; read and checked.
It must never trust more than what is written out: no wildcard for an issuer or an audience."""

import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from wicketgate.model.identity import IdentityKind
from wicketgate.model.issuer import ALGORITHMS, DEFAULT_ALGORITHMS, Acceptance, Issuer, Reread, check_url
from wicketgate.model.saml import SamlIssuer
from wicketgate.model.token import check_group, check_name, is_any
from wicketgate.model.workload import Mesh
from wicketgate.policy.document import Node
from wicketgate.policy.reading import Invalid, Reading
from wicketgate.policy.resources import path_of
from wicketgate.policy.rule import Identities
from wicketgate.policy.saml import read_saml
from wicketgate.policy.sign_in import read_sign_in
from wicketgate.policy.whom import read_identities_of
from wicketgate.policy.workloads import read_mesh

ISSUER_KEYS: Final = frozenset(
    """url audiences parties algorithms kind name groups prefix group_prefix accept skew longest jwks
    ca_file reread sign_in""".split()
)
REREAD_KEYS: Final = frozenset({"userinfo", "every", "grace"})
ACCEPT_KEYS: Final = frozenset({"subject", "claims", "identity", "groups"})

EVERYBODYS: Final = frozenset(
    {
        "https://token.actions.githubusercontent.com",
        "https://accounts.google.com",
        "https://gitlab.com",
        "https://login.microsoftonline.com/9188040d-6c67-4c5b-b112-36a304b66dad/v2.0",
    }
)
"""Issuers that give tokens to anybody, for any audience: only what is accepted by name may be taken."""

_TIME: Final = re.compile(r"([1-9][0-9]{0,5})([smh])")
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600}
_PREFIX: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,30})")
STARS: Final = 4
"""Stars in one pattern at most: each makes matching longer."""


@dataclass(frozen=True, slots=True)
class Proving:
    """What `identity:` says. issuers: by name. saml: the same of SAML. exchanging: the agents that may
    exchange a human's token and their own for one that acts for him; None: nobody. mesh: workloads that sign
    in by certificate."""

    issuers: Mapping[str, Issuer] = field(default_factory=dict)
    saml: Mapping[str, SamlIssuer] = field(default_factory=dict)
    exchanging: Identities | None = None
    mesh: Mesh | None = None


def read_identity(reading: Reading, node: Node) -> Proving:
    """What is there; of what is wrong nothing is kept, and it is collected."""
    found: dict[str, Issuer] = {}
    saml: dict[str, SamlIssuer] = {}
    exchanging: Identities | None = None
    mesh: Mesh | None = None
    with suppress(Invalid):
        keys = reading.keys(node, "identity", ("issuers", "saml", "exchange", "spiffe"))
        if "exchange" in keys:
            with suppress(Invalid):
                said = reading.keys(keys["exchange"], "exchange", ("agents",), ("agents",))
                exchanging = read_identities_of(reading, said["agents"], "agents")
        entries = reading.keys(keys["issuers"], "issuers") if "issuers" in keys else {}
        for name, entry in entries.items():
            with suppress(Invalid):
                place = keys["issuers"].value[name][0] if isinstance(keys["issuers"].value, dict) else entry
                reading.check_name(place, name, "the issuer")
                issuer = _issuer(reading, name, entry)
                for other in found.values():
                    if other.url == issuer.url:
                        raise reading.fail(entry, f"{name!r} and {other.name!r} have one url")
                    if other.prefix == issuer.prefix:
                        raise reading.fail(
                            entry,
                            f"{name!r} and {other.name!r} have one prefix: one could name the other's people",
                        )
                found[name] = issuer
        if "saml" in keys:
            saml = read_saml(reading, keys["saml"], _prefix, _time)
            _apart(reading, keys["saml"], found, saml)
        if "spiffe" in keys:
            with suppress(Invalid):
                mesh = read_mesh(reading, keys["spiffe"], [*found.values(), *saml.values()])
                if not reading.client_ca:
                    reading.problems.add(
                        keys["spiffe"], "spiffe needs `gateway: tls: client_ca`: who signs for them"
                    )
    return Proving(found, saml, exchanging, mesh)


def _apart(
    reading: Reading, node: Node, issuers: Mapping[str, Issuer], saml: Mapping[str, SamlIssuer]
) -> None:
    """No two of all issuers have one name or one prefix."""
    everyone: list[Issuer | SamlIssuer] = list(issuers.values())
    for name, each in saml.items():
        for other in everyone:
            where = node.get(name) or node
            if other.name == name:
                reading.problems.add(where, f"{name!r} is among issuers too")
            if other.prefix == each.prefix:
                message = f"{name!r} and {other.name!r} have one prefix: one could name the other's people"
                reading.problems.add(where, message)
        everyone.append(each)


def _issuer(reading: Reading, name: str, node: Node) -> Issuer:
    keys = reading.keys(node, f"the issuer {name!r}", ISSUER_KEYS, ("url", "audiences"))
    before = len(reading.problems)
    url = _url(reading, keys["url"], "url")
    audiences = frozenset(text for _, text in reading.texts(keys["audiences"], "audiences"))
    parties: frozenset[str] | None = frozenset()
    if "parties" in keys:
        if keys["parties"].value == "any":
            parties = None
        else:
            parties = frozenset(text for _, text in reading.texts(keys["parties"], "parties"))
    algorithms = DEFAULT_ALGORITHMS
    if "algorithms" in keys:
        algorithms = frozenset(
            reading.choice(each, "an algorithm", ALGORITHMS)
            for each, _ in reading.texts(keys["algorithms"], "algorithms")
        )
    kind = IdentityKind.HUMAN
    if "kind" in keys:
        kind = IdentityKind(reading.choice(keys["kind"], "kind", [each.value for each in IdentityKind]))
    names: tuple[str, ...] = ("sub",)
    if "name" in keys:
        several = isinstance(keys["name"].value, list)
        listed = reading.sequence(keys["name"], "name") if several else [keys["name"]]
        names = tuple(_pointer(reading, each, "name") for each in listed)
    groups: str | None = "groups"
    if "groups" in keys:
        groups = _pointer(reading, keys["groups"], "groups")
        groups = None if groups == "none" else groups
    accept: tuple[Acceptance, ...] = ()
    if "accept" in keys:
        accept = tuple(_acceptance(reading, each) for each in reading.sequence(keys["accept"], "accept"))
    issuer = Issuer(
        name=name,
        url=url,
        audiences=audiences,
        parties=parties,
        algorithms=algorithms,
        kind=kind,
        names=names,
        groups=groups,
        prefix=_prefix(reading, keys["prefix"], "prefix") if "prefix" in keys else "",
        group_prefix=_prefix(reading, keys["group_prefix"], "group_prefix") if "group_prefix" in keys else "",
        accept=accept,
        skew=_time(reading, keys["skew"], "skew", 300) if "skew" in keys else 30,
        longest=_time(reading, keys["longest"], "longest", 31 * 86_400) if "longest" in keys else 86_400,
        jwks=_url(reading, keys["jwks"], "jwks", query=True) if "jwks" in keys else None,
        ca_file=path_of(keys["ca_file"].place, reading.text(keys["ca_file"], "ca_file"))
        if "ca_file" in keys
        else None,
        reread=_reread(reading, keys["reread"], "jwks" in keys) if "reread" in keys else None,
        sign_in=read_sign_in(reading, keys["sign_in"], kind, audiences, parties, "jwks" in keys)
        if "sign_in" in keys
        else None,
    )
    if issuer.url in EVERYBODYS and not issuer.accept:
        raise reading.fail(node, f"everybody can have a token of {issuer.url}: it needs accept")
    if len(reading.problems) > before:
        raise Invalid
    return issuer


def _reread(reading: Reading, node: Node, undiscovered: bool) -> Reread:
    keys = reading.keys(node, "reread", REREAD_KEYS, ("userinfo",))
    place = keys["userinfo"]
    if place.value is False:
        raise reading.fail(place, "userinfo is true, or an address; leave reread out where neither is meant")
    if place.value is True and undiscovered:
        raise reading.fail(place, "where jwks is given nothing is discovered: userinfo needs its address")
    return Reread(
        every=_time(reading, keys["every"], "every", 3600) if "every" in keys else 300,
        grace=_time(reading, keys["grace"], "grace", 86_400) if "grace" in keys else 300,
        userinfo=None if place.value is True else _url(reading, place, "userinfo", query=True),
    )


def _url(reading: Reading, node: Node, what: str, *, query: bool = False) -> str:
    text = reading.text(node, what)
    try:
        return check_url(text, query=query)
    except ValueError as error:
        raise reading.fail(node, f"{what}: {error}") from None


def _pointer(reading: Reading, node: Node, what: str) -> str:
    text = reading.text(node, what)
    if text.startswith("/") and re.search(r"~(?![01])", text):
        raise reading.fail(node, f"{what}: {text!r} is no JSON pointer")
    return text


def _prefix(reading: Reading, node: Node, what: str) -> str:
    text = reading.text(node, what)
    if not _PREFIX.fullmatch(text):
        raise reading.fail(node, f"{what} {text!r} must be up to 31 letters, digits and ._-")
    return text


def _time(reading: Reading, node: Node, what: str, most: int) -> int:
    written = _TIME.fullmatch(reading.text(node, what))
    seconds = int(written[1]) * _SECONDS[written[2]] if written else 0
    if not 0 < seconds <= most:
        raise reading.fail(node, f"{what} must be like 30s, 10m or 2h, and {most} seconds at most")
    return seconds


def _pattern(reading: Reading, node: Node, what: str) -> str:
    text = reading.text(node, what)
    if text.count("*") > STARS or "**" in text:
        raise reading.fail(node, f"{what}: a pattern has {STARS} stars at most, and none beside another")
    return text


def _acceptance(reading: Reading, node: Node) -> Acceptance:
    keys = reading.keys(node, "each of accept", ACCEPT_KEYS)
    claims = []
    if "claims" in keys:
        for path, value in reading.keys(keys["claims"], "claims").items():
            several = isinstance(value.value, list)
            patterns = reading.sequence(value, path) if several else [value]
            claims.append((path, tuple(_pattern(reading, each, path) for each in patterns)))
    if "subject" not in keys and not claims:
        raise reading.fail(node, "each of accept needs subject or claims")
    identity = _named(reading, keys["identity"], check_name) if "identity" in keys else None
    groups: frozenset[str] = frozenset()
    if "groups" in keys:
        listed = reading.texts(keys["groups"], "groups")
        groups = frozenset(_named(reading, each, check_group) for each, _ in listed)
    subject = _pattern(reading, keys["subject"], "subject") if "subject" in keys else None
    return Acceptance(subject, tuple(claims), identity, groups)


def _named(reading: Reading, node: Node, check: Callable[[str], str]) -> str:
    text = reading.text(node, "a name")
    try:
        check(text)
    except ValueError as error:
        raise reading.fail(node, str(error)) from None
    if is_any(text):
        raise reading.fail(node, f"{text!r} can't name an identity: in a rule it is everybody")
    return text
