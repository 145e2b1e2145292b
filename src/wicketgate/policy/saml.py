"""`identity: saml:` of a policy: SAML identity providers that are trusted, read and checked.
It must never take a weak algorithm that is not written out, nor an address that is not ours for our own."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Final

from wicketgate.model.issuer import check_url
from wicketgate.model.saml import ALGORITHMS, DEFAULT_ALGORITHMS, SUBJECT, SamlIssuer, Signed
from wicketgate.policy.document import Node
from wicketgate.policy.reading import Invalid, Reading
from wicketgate.policy.resources import path_of

SAML_KEYS: Final = frozenset(
    """entity_id gateway our_id metadata sso certificates name groups prefix group_prefix signed encrypted
    algorithms sign_requests idp_initiated skew longest""".split()
)
LONGEST_ID: Final = 1024
"""Characters of an entity id (SAML core 8.3.6)."""

Prefix = Callable[[Reading, Node, str], str]
Time = Callable[[Reading, Node, str, int], int]


def read_saml(reading: Reading, node: Node, prefix: Prefix, time: Time) -> dict[str, SamlIssuer]:
    """name -> identity provider. Those with something wrong are left out, and what is wrong is collected."""
    found: dict[str, SamlIssuer] = {}
    for name, entry in reading.keys(node, "saml").items():
        with suppress(Invalid):
            place = node.value[name][0] if isinstance(node.value, dict) else entry
            reading.check_name(place, name, "the identity provider")
            issuer = _issuer(reading, name, entry, prefix, time)
            for other in found.values():
                if other.entity_id == issuer.entity_id:
                    raise reading.fail(entry, f"{name!r} and {other.name!r} have one entity_id")
            found[name] = issuer
    return found


def _issuer(reading: Reading, name: str, node: Node, prefix: Prefix, time: Time) -> SamlIssuer:
    keys = reading.keys(
        node, f"the identity provider {name!r}", SAML_KEYS, ("entity_id", "gateway", "groups")
    )
    before = len(reading.problems)
    gateway = _gateway(reading, keys["gateway"])
    given = [each for each in ("sso", "certificates") if each in keys]
    if "metadata" in keys and given:
        raise reading.fail(keys[given[0]], f"metadata says the {given[0]}: give one of them")
    if "metadata" not in keys and len(given) < 2:
        raise reading.fail(node, "it needs metadata, or sso and certificates")
    certificates: tuple[str, ...] = ()
    if "certificates" in keys:
        certificates = tuple(
            path_of(each.place, text) for each, text in reading.texts(keys["certificates"], "certificates")
        )
    algorithms = DEFAULT_ALGORITHMS
    if "algorithms" in keys:
        algorithms = frozenset(
            reading.choice(each, "an algorithm", ALGORITHMS)
            for each, _ in reading.texts(keys["algorithms"], "algorithms")
        )
    groups: str | None = reading.text(keys["groups"], "groups")
    signed = Signed.EITHER
    if "signed" in keys:
        signed = Signed(reading.choice(keys["signed"], "signed", [each.value for each in Signed]))
    our_id = f"{gateway}/api/v1/saml/{name}/metadata"
    issuer = SamlIssuer(
        name=name,
        entity_id=_entity_id(reading, keys["entity_id"], "entity_id"),
        gateway=gateway,
        our_id=_entity_id(reading, keys["our_id"], "our_id") if "our_id" in keys else our_id,
        metadata=_path(reading, keys, "metadata"),
        sso=_sso(reading, keys["sso"]) if "sso" in keys else None,
        certificates=certificates,
        names=reading.text(keys["name"], "name") if "name" in keys else SUBJECT,
        groups=None if groups == "none" else groups,
        prefix=prefix(reading, keys["prefix"], "prefix") if "prefix" in keys else "",
        group_prefix=prefix(reading, keys["group_prefix"], "group_prefix") if "group_prefix" in keys else "",
        signed=signed,
        encrypted=_truth(reading, keys, "encrypted"),
        algorithms=algorithms,
        sign_requests=_truth(reading, keys, "sign_requests"),
        idp_initiated=_truth(reading, keys, "idp_initiated"),
        skew=time(reading, keys["skew"], "skew", 300) if "skew" in keys else 30,
        longest=time(reading, keys["longest"], "longest", 86_400) if "longest" in keys else 8 * 3600,
    )
    if len(reading.problems) > before:
        raise Invalid
    return issuer


def _path(reading: Reading, keys: Mapping[str, Node], what: str) -> str | None:
    return path_of(keys[what].place, reading.text(keys[what], what)) if what in keys else None


def _truth(reading: Reading, keys: Mapping[str, Node], what: str) -> bool:
    value = keys[what].value if what in keys else False
    if not isinstance(value, bool):
        raise reading.fail(keys[what], f"{what} must be true or false, not {keys[what].noun}")
    return value


def _entity_id(reading: Reading, node: Node, what: str) -> str:
    text = reading.text(node, what)
    if len(text) > LONGEST_ID or not text.isprintable() or text != text.strip():
        raise reading.fail(node, f"{what} must be up to {LONGEST_ID} printable characters")
    return text


def _gateway(reading: Reading, node: Node) -> str:
    """Our API as browsers reach it: https, whatever the host, since a cookie of ours is for https alone."""
    text = reading.text(node, "gateway")
    try:
        check_url(text)
    except ValueError as error:
        raise reading.fail(node, f"gateway: {error}") from None
    if not text.startswith("https://") or text.count("/") != 2:
        raise reading.fail(node, "gateway must be https://host:port, without a path")
    return text


def _sso(reading: Reading, node: Node) -> str:
    text = reading.text(node, "sso")
    try:
        return check_url(text, query=True)
    except ValueError as error:
        raise reading.fail(node, f"sso: {error}") from None
