"""`resources:`, `identities:` and `service_accounts:` of a policy, read and checked.
It must never repeat a credential in a message, and never take one that is written out in clear.
"""

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any, Final

import orjson

from wicketgate.model.detector import CLASSES
from wicketgate.model.identity import IdentityKind
from wicketgate.model.kept import check_secret_name
from wicketgate.model.resource import PREDICATES, Account, CredentialReference, Resource, TlsMode
from wicketgate.model.token import ServiceAccount, check_group, check_name, is_any
from wicketgate.policy.document import Node, Place
from wicketgate.policy.reading import Invalid, Reading, near
from wicketgate.policy.reviewing import read_terms

_CLASS: Final = re.compile(r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*")
_ENVIRONMENT: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_INLINE: Final = re.compile(r"[A-Za-z0-9_-]+={0,2}")
_AWS: Final = re.compile(r"[A-Za-z0-9/_+=.@:-]{1,512}(?:#[A-Za-z0-9_.-]{1,100})?")
_VAULT: Final = re.compile(
    r"([a-z0-9][a-z0-9-]{0,62}):((?:(?!\.\.?[/#])[A-Za-z0-9_.-]+/)*(?!\.\.?#)[A-Za-z0-9_.-]+)#[A-Za-z0-9_.-]{1,100}"
)
_HOST: Final = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,251}[A-Za-z0-9_.])?")
_RESERVED: Final = frozenset({"reveal", "redact", "null"})

_KEYS: Final = frozenset(
    """protocol address databases tls ca_file labels accounts sensitive predicates clean detect
    settings reviewers""".split()
)


@dataclass(frozen=True, slots=True)
class ProtocolRules:
    """What a policy must know of a protocol; handed in, because policy and protocols don't know each other.

    validate: the protocol's own settings of a resource -> checked ones; raises ValueError((key, message)).
    check_column: whether a key of `sensitive` is well-formed; raises ValueError(message).
    transforms: masks that it can honour. tls_modes: ways it can secure the link to the target.
    databases: whether a resource lists databases.
    """

    name: str
    default_port: int
    validate: Callable[[Mapping[str, Any]], Mapping[str, Any]]
    check_column: Callable[[str], None]
    transforms: frozenset[str]
    tls_modes: frozenset[TlsMode] = field(default_factory=lambda: frozenset(TlsMode))
    databases: bool = True


def read_resources(
    reading: Reading, node: Node, protocols: Mapping[str, ProtocolRules], own: Iterable[str] = ()
) -> dict[str, Resource]:
    """name -> resource. Those with something wrong are left out, and what is wrong is collected. own: data
    classes that the file describes."""
    found: dict[str, Resource] = {}
    with suppress(Invalid):
        for name, entry in reading.keys(node, "resources").items():
            with suppress(Invalid):
                place = node.value[name][0] if isinstance(node.value, dict) else node.place
                reading.check_name(place, name, "the resource's name")
                if is_any(name):
                    raise reading.fail(place, f"{name!r} can't name a resource: in a rule it is all of them")
                found[name] = _resource(reading, name, entry, protocols, frozenset((*CLASSES, *own)))
    return found


def _resource(
    reading: Reading,
    name: str,
    node: Node,
    protocols: Mapping[str, ProtocolRules],
    detectable: frozenset[str],
) -> Resource:
    what = f"the resource {name!r}"
    keys = reading.keys(node, what, _KEYS, ("protocol", "address", "accounts"))
    protocol = protocols[reading.choice(keys["protocol"], f"{what}: protocol", protocols)]
    before = len(reading.problems)
    host, port = _address(reading, keys["address"], protocol.default_port)
    databases: tuple[str, ...] = ()
    if "databases" in keys:
        databases = tuple(text for _, text in reading.texts(keys["databases"], "databases"))
    elif protocol.databases:
        raise reading.fail(node, f"{what} needs 'databases'")
    tls = TlsMode.VERIFY_FULL
    if "tls" in keys:
        tls = TlsMode(reading.choice(keys["tls"], "tls", [mode.value for mode in TlsMode]))
    if tls not in protocol.tls_modes:
        raise reading.fail(keys.get("tls", node), f"{protocol.name} can't do tls: {tls.value}")
    ca_file = None
    if "ca_file" in keys:
        ca_file = path_of(keys["ca_file"].place, reading.text(keys["ca_file"], "ca_file"))
        if tls not in (TlsMode.VERIFY_CA, TlsMode.VERIFY_FULL):
            reading.problems.add(keys["ca_file"], f"ca_file has no use with tls: {tls.value}")
    labels = reading.labels(keys["labels"], "labels") if "labels" in keys else {}
    accounts = _accounts(reading, keys["accounts"])
    sensitive: Mapping[str, Mapping[str, str]] = {}
    if "sensitive" in keys:
        sensitive = _sensitive(reading, keys["sensitive"], databases, protocol)
    predicates: Mapping[str, str] = {}
    if "predicates" in keys:
        predicates = _predicates(reading, keys["predicates"], sensitive)
    clean = _clean(reading, keys.get("clean"), sensitive, protocol)
    settings = _settings(reading, keys.get("settings"), node, protocol)
    reviewers = read_terms(reading, keys.get("reviewers"), "reviewers", f"predicates of {name}")
    if "review" in predicates.values() and "reviewers" not in keys:
        reading.problems.add(keys["predicates"], f"{what}: predicates say review, and no reviewers are named")
    if len(reading.problems) > before:
        raise Invalid
    return Resource(
        name,
        protocol.name,
        host,
        port,
        databases,
        tls,
        accounts,
        labels,
        sensitive,
        settings,
        ca_file,
        predicates,
        _detect(reading, keys.get("detect"), detectable),
        clean,
        reviewers,
    )


def _address(reading: Reading, node: Node, default: int) -> tuple[str, int]:
    text = reading.text(node, "address")
    host, _, port = text.rpartition(":") if re.search(r":[^:\]]*$", text) else (text, "", "")
    if text.startswith("[") and "]" in text:
        host, port = text[1 : text.index("]")], text[text.index("]") + 1 :].removeprefix(":")
        if not re.fullmatch(r"[0-9A-Fa-f:.]+", host) or text[text.index("]") + 1 :] not in ("", f":{port}"):
            raise reading.fail(node, f"address {text!r} must be host:port or [IPv6]:port")
    elif not _HOST.fullmatch(host):
        raise reading.fail(node, f"address {text!r} must be host:port or [IPv6]:port")
    if not port and not text.endswith(":"):
        return host, default
    if not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536:
        raise reading.fail(node, f"address {text!r} must end in a port from 1 to 65535")
    return host, int(port)


def path_of(place: Place, text: str) -> str:
    """Paths are relative to the file that names them."""
    return str(PurePath(place.file).parent / text)


def _accounts(reading: Reading, node: Node) -> dict[str, Account]:
    entries = reading.keys(node, "accounts")
    if not entries:
        raise reading.fail(node, "accounts is empty: nobody could open the resource")
    found: dict[str, Account] = {}
    for name, entry in entries.items():
        with suppress(Invalid):
            reading.check_name(entry, name, "the account's name")
            keys = reading.keys(entry, f"the account {name!r}", ("username", "password"), ("username",))
            username = reading.text(keys["username"], "username")
            credential = CredentialReference("none", "")
            if "password" in keys:
                credential = read_credential(reading, keys["password"], "password")
            content = orjson.dumps([name, username, credential.source, credential.locator])
            found[name] = Account(name, username, credential, hashlib.sha256(content).hexdigest()[:16])
    return found


def read_credential(reading: Reading, node: Node, what: str) -> CredentialReference:
    """Where a secret lies. what: its key."""
    if not isinstance(node.value, dict):
        raise reading.fail(
            node,
            f"a {what} is never written out here: "
            "{env: NAME}, {file: PATH}, {secret: NAME}, "
            "{vault: SERVER:PATH#FIELD}, {aws: NAME#FIELD} or {inline: CIPHERTEXT}",
        )
    keys = reading.keys(node, what, ("env", "file", "secret", "vault", "aws", "inline"))
    if len(keys) != 1:
        raise reading.fail(node, f"{what} takes one of env, file, secret, vault, aws and inline")
    source, value = next(iter(keys.items()))
    locator = reading.text(value, source)
    if source == "env" and not _ENVIRONMENT.fullmatch(locator):
        raise reading.fail(value, "env must be the name of an environment variable")
    if source == "inline" and not _INLINE.fullmatch(locator):
        raise reading.fail(value, "inline must be what `wicket init` encrypted (base64url)")
    if source == "vault":
        _check_vault(reading, value, locator)
    if source == "aws":
        if not _AWS.fullmatch(locator):
            raise reading.fail(
                value, "aws must be a secret's name or ARN, and #FIELD where it is a JSON object"
            )
        if not reading.aws:
            raise reading.fail(value, "gateway: aws says nothing of where that is")
    if source == "secret":
        try:
            check_secret_name(locator)
        except ValueError as error:
            raise reading.fail(value, str(error)) from None
    return CredentialReference(source, path_of(value.place, locator) if source == "file" else locator)


def _check_vault(reading: Reading, node: Node, locator: str) -> None:
    found = _VAULT.fullmatch(locator) if len(locator) <= 500 else None
    if found is None:
        raise reading.fail(node, "vault must be SERVER:PATH#FIELD, like corp:databases/sales#password")
    if reading.vaults is not None and found[1] not in reading.vaults:
        raise reading.fail(
            node, f"gateway: vaults has no server {found[1]!r}{near(found[1], reading.vaults)}"
        )


def _sensitive(
    reading: Reading, node: Node, databases: tuple[str, ...], protocol: ProtocolRules
) -> dict[str, dict[str, str]]:
    """Flat, `column: class`, for each listed database; or nested, `database: {column: class}`."""
    entries = reading.keys(node, "sensitive")
    nested = {name: each for name, each in entries.items() if isinstance(each.value, dict)}
    if not nested:
        columns = _columns(reading, node, protocol)
        if columns and not databases:
            raise reading.fail(node, "sensitive needs databases to be listed")
        return {database: dict(columns) for database in databases} if columns else {}
    found: dict[str, dict[str, str]] = {}
    for name, entry in entries.items():
        if name not in nested:
            reading.problems.add(entry, f"{name!r}: either every entry is a database, or every one a column")
        elif name not in databases:
            reading.problems.add(entry, f"{name!r} is not among databases{near(name, databases)}")
        elif columns := _columns(reading, entry, protocol):
            found[name] = columns
    return found


def _columns(reading: Reading, node: Node, protocol: ProtocolRules) -> dict[str, str]:
    found: dict[str, str] = {}
    for column, entry in reading.keys(node, "sensitive").items():
        with suppress(Invalid):
            data_class = reading.text(entry, f"the data class of {column}")
            if not _CLASS.fullmatch(data_class) or data_class in _RESERVED:
                raise reading.fail(entry, f"{data_class!r} can't name a data class (like payment-card)")
            try:
                protocol.check_column(column)
            except ValueError as error:
                place = node.value[column][0] if isinstance(node.value, dict) else node.place
                raise reading.fail(place, f"{column!r}: {error}") from None
            found[column] = data_class
    return found


def _predicates(
    reading: Reading, node: Node, sensitive: Mapping[str, Mapping[str, str]]
) -> Mapping[str, str]:
    """Data class, or `*` for all others, -> one of PREDICATES."""
    found: dict[str, str] = {}
    known = {data_class for columns in sensitive.values() for data_class in columns.values()}
    for data_class, entry in reading.keys(node, "predicates").items():
        with suppress(Invalid):
            if data_class != "*" and data_class not in known:
                raise reading.fail(entry, f"no column here is {data_class!r}{near(data_class, known)}")
            found[data_class] = reading.choice(entry, f"predicates: {data_class}", PREDICATES)
    return found


def _clean(
    reading: Reading, node: Node | None, sensitive: Mapping[str, Mapping[str, str]], protocol: ProtocolRules
) -> frozenset[str]:
    """Columns that take over no data class from what is copied into them."""
    found = set()
    for each, column in reading.texts(node, "clean") if node is not None else ():
        try:
            protocol.check_column(column)
        except ValueError as error:
            raise reading.fail(each, f"{column!r}: {error}") from None
        if any(column in columns for columns in sensitive.values()):
            raise reading.fail(each, f"{column!r} is sensitive as well")
        found.add(column)
    return frozenset(found)


def _detect(reading: Reading, node: Node | None, known: frozenset[str]) -> tuple[str, ...] | None:
    """Data classes that are looked for in values; an empty list for none."""
    if node is None:
        return None
    if node.value == []:
        return ()
    return tuple(reading.choice(each, "detect", known) for each, _ in reading.texts(node, "detect"))


def _settings(
    reading: Reading, node: Node | None, resource: Node, protocol: ProtocolRules
) -> Mapping[str, Any]:
    content = {}
    if node is not None:
        reading.keys(node, "settings")
        content = node.content()
    try:
        return protocol.validate(content)
    except ValueError as error:
        key, message = "", str(error)
        if error.args and isinstance(error.args[0], tuple) and len(error.args[0]) == 2:
            key, message = (str(part) for part in error.args[0])
        where = (node.get(key) if node is not None else None) or node or resource
        raise reading.fail(where, f"settings: {key}: {message}" if key else f"settings: {message}") from None


def _group(reading: Reading, node: Node, text: str) -> str:
    try:
        return check_group(text)
    except ValueError as error:
        raise reading.fail(node, str(error)) from None


def read_identities(reading: Reading, node: Node, key: str) -> dict[str, ServiceAccount]:
    """name -> account, of a map name: {kind, groups}. key: `identities` (people by default) or
    `service_accounts` (services by default)."""
    found: dict[str, ServiceAccount] = {}
    default = IdentityKind.HUMAN if key == "identities" else IdentityKind.SERVICE
    with suppress(Invalid):
        for name, entry in reading.keys(node, key).items():
            with suppress(Invalid):
                place = node.value[name][0] if isinstance(node.value, dict) else node.place
                try:
                    check_name(name)
                except ValueError as error:
                    raise reading.fail(place, str(error)) from None
                if is_any(name):
                    raise reading.fail(place, f"{name!r} can't name an identity: in a rule it is everybody")
                empty = Node(entry.place, {})
                keys = reading.keys(empty if entry.value is None else entry, name, ("kind", "groups"))
                kind = default
                if "kind" in keys:
                    kinds = [each.value for each in IdentityKind]
                    kind = IdentityKind(reading.choice(keys["kind"], "kind", kinds))
                groups: frozenset[str] = frozenset()
                if "groups" in keys:
                    texts = reading.texts(keys["groups"], "groups")
                    groups = frozenset(_group(reading, each, text) for each, text in texts)
                found[name] = ServiceAccount(name, kind, groups, "file")
    return found
