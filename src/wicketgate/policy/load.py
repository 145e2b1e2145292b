"""A policy: text in, checked whole or not at all.
It must never give a policy of which a part was not understood.
"""

import hashlib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import orjson

from wicketgate.model.detector import Custom
from wicketgate.model.errors import PolicyError
from wicketgate.model.issuer import Issuer
from wicketgate.model.resource import Resource
from wicketgate.model.saml import SamlIssuer
from wicketgate.model.token import ServiceAccount
from wicketgate.model.workload import Mesh
from wicketgate.policy.detectors import read_detectors
from wicketgate.policy.document import Node, Problems, Source, parse, read_sources, restore
from wicketgate.policy.issuers import Proving, read_identity
from wicketgate.policy.joining import SECTIONS, merge
from wicketgate.policy.reading import Invalid, Reading
from wicketgate.policy.resources import ProtocolRules, read_identities, read_resources
from wicketgate.policy.rule import Identities, Rule
from wicketgate.policy.rules import read_rules
from wicketgate.policy.selectors import Ground

__all__ = [
    "Keepers",
    "Policy",
    "ProtocolRules",
    "Source",
    "load",
    "load_shipped",
    "load_sources",
    "read_sources",
]


@dataclass(frozen=True, slots=True)
class Keepers:
    """What a policy asks of a node's settings: names of `vaults`, whether there is `aws`, and a CA of
    clients' certificates."""

    vaults: frozenset[str] = frozenset()
    aws: bool = False
    client_ca: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Policy:
    """A policy that was checked whole.

    digest: SHA-256 (hex) of what it says; neither the order of rules, nor comments, nor settings change it.
    resources, identities: by name; identities are those that the file itself declares.
    closed: resource -> why nothing on it is permitted. warnings: `file:line:column: message`.
    shipped: what `load_shipped` makes the same policy from, without YAML.
    detectors: data classes that the file itself describes. issuers: whose tokens are taken, by name. saml:
    SAML identity providers, by name.
    exchanging: the agents that may exchange tokens; None: nobody. mesh: who signs in by certificate.
    """

    digest: str
    resources: Mapping[str, Resource]
    rules: tuple[Rule, ...]
    identities: Mapping[str, ServiceAccount] = field(default_factory=dict)
    closed: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    sources: tuple[Source, ...] = ()
    shipped: str = ""
    detectors: Mapping[str, Custom] = field(default_factory=dict)
    issuers: Mapping[str, Issuer] = field(default_factory=dict)
    saml: Mapping[str, SamlIssuer] = field(default_factory=dict)
    exchanging: Identities | None = None
    mesh: Mesh | None = None

    @property
    def permits(self) -> frozenset[str]:
        """Names of the rules that permit or reveal: what a token may be scoped to."""
        return frozenset(rule.name for rule in self.rules if rule.permit or rule.reveal)

    @property
    def service_accounts(self) -> tuple[ServiceAccount, ...]:
        """The identities that the file declares, people among them."""
        return tuple(self.identities.values())

    @property
    def observing(self) -> dict[str, tuple[str, ...]]:
        """resource -> its rules that only observe."""
        found: dict[str, list[str]] = {}
        for rule in self.rules:
            if rule.observe:
                for resource in rule.accounts:
                    found.setdefault(resource, []).append(rule.name)
        return {resource: tuple(sorted(names)) for resource, names in sorted(found.items())}


def load(text: str, file: str, protocols: Mapping[str, ProtocolRules]) -> Policy:
    """The policy of one text. Raises PolicyError: a line `file:line:column: message` for each fault."""
    return load_sources((Source(file, text),), protocols)


def load_sources(
    sources: Sequence[Source], protocols: Mapping[str, ProtocolRules], keepers: Keepers | None = None
) -> Policy:
    """The policy of several files, which together are as one. Raises PolicyError; where one of them says
    nothing, too: a file that was cut short while it was saved must not take its rules away.

    keepers: of the node's settings, where these stand elsewhere; None: in the files themselves."""
    trees = [parse(source) for source in sources]
    for tree in trees:
        if tree.value == {}:
            raise PolicyError(f"{tree.place}: the file is empty: was it cut short while it was saved?")
    return _build(trees, tuple(sources), protocols, keepers)


def load_shipped(shipped: str, protocols: Mapping[str, ProtocolRules]) -> Policy:
    """The policy that `Policy.shipped` came from: for workers. Raises PolicyError."""
    try:
        trees = [restore(file, content) for file, content in orjson.loads(shipped)]
    except (ValueError, TypeError):
        raise PolicyError("what was shipped is no policy") from None
    return _build(trees, (), protocols)


def _build(
    trees: Sequence[Node],
    sources: tuple[Source, ...],
    protocols: Mapping[str, ProtocolRules],
    keepers: Keepers | None = None,
) -> Policy:
    root = merge(trees)
    problems = Problems()
    # what was shipped was checked, and holds no settings
    kept = keepers or keepers_of(root)
    reading = Reading(
        problems,
        kept.vaults if sources else None,
        aws=not sources or kept.aws,
        client_ca=not sources or kept.client_ca,
    )
    ground = Ground({}, protocols)
    rules: list[Rule] = []
    identities: dict[str, ServiceAccount] = {}
    detectors: dict[str, Custom] = {}
    proving = Proving()
    with suppress(Invalid):
        sections = reading.keys(root, "the file", SECTIONS)
        for key in ("identities", "service_accounts"):
            declared = read_identities(reading, sections[key], key) if key in sections else {}
            for name in sorted(declared.keys() & identities.keys()):
                reading.problems.add(sections[key], f"the identity {name!r} is given twice")
            identities |= declared
        if "identity" in sections:
            proving = read_identity(reading, sections["identity"])
        if "enforce" in sections:
            with suppress(Invalid):
                enforce = reading.choice(sections["enforce"], "enforce", ("enforce", "observe"))
                ground.observe = enforce == "observe"
        if "detectors" in sections:
            detectors = ground.detectors = read_detectors(reading, sections["detectors"])
        if "resources" in sections:
            ground.resources = read_resources(reading, sections["resources"], protocols, detectors)
        problems.raise_any()  # rules speak of resources: half of them would make false errors
        if "rules" in sections:
            rules = read_rules(reading, sections["rules"], ground)
            # a name that an issuer proves is declared nowhere
            _warn_unknown(
                ground, rules, {} if proving.issuers or proving.saml or proving.mesh else identities
            )
    problems.raise_any()
    return Policy(
        _digest(root),
        ground.resources,
        tuple(rules),
        identities,
        ground.closed,
        tuple(ground.warnings),
        sources,
        orjson.dumps([[tree.place.file, _policy_part(tree)] for tree in trees]).decode(),
        detectors,
        proving.issuers,
        proving.saml,
        proving.exchanging,
        proving.mesh,
    )


def keepers_of(root: Node) -> Keepers:
    """What the settings in a tree name, whatever they say of it."""
    found = root.get("gateway", "vaults")
    vaults = frozenset(found.value) if found is not None and isinstance(found.value, dict) else frozenset()
    return Keepers(
        vaults,
        root.get("gateway", "aws") is not None,
        root.get("gateway", "tls", "client_ca") is not None,
    )


def _warn_unknown(ground: Ground, rules: Sequence[Rule], identities: Mapping[str, ServiceAccount]) -> None:
    """A name that the file does not declare may live in the store; it may also be a slip."""
    for rule in rules if identities else ():
        for name in sorted(rule.identities.names - identities.keys()):
            ground.warn(
                rule.place, f"the rule {rule.name!r} names {name!r}, which this file does not declare"
            )


def _policy_part(tree: Node) -> dict[str, Any]:
    content = tree.content()
    return {key: value for key, value in content.items() if key != "gateway"}


def _digest(root: Node) -> str:
    content = _policy_part(root)
    if isinstance(content.get("rules"), list):
        content["rules"] = sorted(content["rules"], key=lambda rule: str(rule["name"]))
    canonical = orjson.dumps(content, option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(canonical).hexdigest()
