"""`wicket init`: a working address becomes a configuration, a hidden credential, an account with a token.
It must never overwrite a configuration, nor write the credential where others can read it."""

import asyncio
import contextlib
import os
import re
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from wicketgate.model.errors import GatewayError
from wicketgate.model.identity import IdentityKind
from wicketgate.model.resource import Account, CredentialReference, Resource, TlsMode
from wicketgate.model.token import ServiceAccount, check_group, check_name, is_any
from wicketgate.protocols.base import Address, CatalogAccess, Discovery, Introduction, ProtocolSpec

if TYPE_CHECKING:
    from wicketgate.office import Site

ACCOUNT: Final = "main"
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})


class Unusable(GatewayError):
    """What was asked can't be used as it stands; nothing was written."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """lifetime: of the token, seconds; None: it does not end. host: as clients will name the gateway."""

    name: str | None
    identity: str
    group: str
    host: str
    lifetime: int | None
    config: Path


@dataclass(frozen=True, slots=True)
class Made:
    """What init made. address: what the client is to use; it holds the token."""

    address: str
    config: Path
    resource: str
    identity: str
    token_id: str
    credential: Path | None
    ca: Path
    sensitive: dict[str, str]
    relations: int
    columns: int
    warnings: tuple[str, ...]

    def facts(self) -> dict[str, Any]:
        """For --json."""
        return {
            "address": self.address,
            "config": str(self.config),
            "resource": self.resource,
            "identity": self.identity,
            "token": self.token_id,
            "credential": None if self.credential is None else str(self.credential),
            "ca": str(self.ca),
            "sensitive": self.sensitive,
            "relations": self.relations,
            "columns": self.columns,
            "warnings": list(self.warnings),
        }


def _protocol(text: str) -> tuple[ProtocolSpec, Introduction]:
    from wicketgate.protocols.registry import protocols

    scheme = text.partition("://")[0]
    known: list[str] = []
    for spec in protocols().values():
        if spec.introduction is not None:
            if scheme in spec.introduction.schemes:
                return spec, spec.introduction
            known += spec.introduction.schemes
    raise Unusable(f"the address must begin with {' or '.join(f'{each}://' for each in known)}")


def _resource_name(text: str) -> str:
    name = re.sub(r"[^a-z0-9_-]+", "-", text.lower()).strip("-_")
    return name if re.fullmatch(r"[a-z][a-z0-9_-]{0,62}", name) else f"db-{name}"[:63].rstrip("-_")


def _write_secret(path: Path, content: bytes, undo: contextlib.ExitStack) -> None:
    number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    undo.callback(path.unlink, missing_ok=True)
    with os.fdopen(number, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def quoted(text: str) -> str:
    """A YAML scalar that means exactly this text: JSON strings are YAML 1.2."""
    import json

    if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_./-]*", text) and text.lower() not in (
        "true", "false", "null", "yes", "no", "on", "off", "y", "n",
    ):  # fmt: skip
        return text
    return json.dumps(text, ensure_ascii=False)


def render(
    resource: str,
    protocol: str,
    address: Address,
    credential: Path | None,
    wanted: Wanted,
    port: int,
    found: Discovery,
) -> str:
    """The configuration's text, with comments for whoever reads it first. port: the gateway's own."""
    group = wanted.group
    host = f"[{address.host}]" if ":" in address.host else address.host
    password = "" if credential is None else f", password: {{file: {quoted(str(credential))}}}"
    lines = [
        "# Made by `wicket init`. Look over `sensitive` and the rules; docs/policy.md tells what there is.",
        *_gateway(protocol, wanted.host, port),
        "resources:",
        f"  {resource}:",
        f"    protocol: {protocol}",
        f"    address: {quoted(f'{host}:{address.port}')}",
        f"    databases: [{quoted(address.database)}]",
        f"    tls: {address.tls.value}",
        *(
            [f"    ca_file: {quoted(str(Path(address.ca_file).expanduser().absolute()))}"]
            if address.ca_file is not None
            else []
        ),
        "    accounts:",
        f"      {ACCOUNT}: {{username: {quoted(address.username)}{password}}}",
        "    # proposed from column names alone: what is missing here is shown as it is",
        "    sensitive:" + ("" if found.sensitive else " {}"),
        *(f"      {quoted(column)}: {name}" for column, name in sorted(found.sensitive.items())),
        "",
        "rules:",
        f"  - name: {quoted(f'{group} read {resource}')}",
        f"    identities: {{groups: [{quoted(group)}]}}",
        f"    resources: [{resource}]",
        f"    account: {ACCOUNT}",
        "    permit: [read]",
        '    mask: {"*": redact}',
        "    limits: {rows: 10000 per hour}",
        "",
    ]
    return "\n".join(lines)


def _gateway(protocol: str, host: str, port: int) -> list[str]:
    """What it takes to be reached from elsewhere; on loopback nothing."""
    if host in _LOOPBACK:
        return []
    everywhere = "[::]" if ":" in host else "0.0.0.0"  # noqa: S104 - asked for by --host
    return [
        "gateway:",
        f"  listen: {{{protocol}: {quoted(f'{everywhere}:{port}')}}}",
        f"  tls: {{names: [{quoted(host)}, localhost, {quoted('127.0.0.1')}, {quoted('::1')}]}}",
        "",
    ]


def _warnings(address: Address, found: Discovery, credential: Path | None) -> tuple[str, ...]:
    warnings = []
    if address.tls is TlsMode.DISABLE and address.host not in _LOOPBACK:
        warnings.append(
            f"{address.host} is reached without TLS: anybody between can read and change everything"
        )
    if address.tls is TlsMode.REQUIRE:
        warnings.append(
            f"{address.host} is not verified (tls: require): better verify-full, with its CA's file"
        )
    if credential is None:
        warnings.append("the address holds no password: the target must trust this machine")
    if found.truncated:
        warnings.append("there are more columns than were looked at")
    if not found.relations:
        warnings.append("the account sees no table: is it the right database?")
    return tuple(warnings)


def introduce(text: str, wanted: Wanted) -> Made:
    """Do it all. Writes nothing before the target was reached and looked at.

    Raises Unusable for an address, a name or a configuration file that can't be used, UpstreamFailed where
    the target is not reached.
    """
    from wicketgate import office, offline

    config = wanted.config.absolute()
    if os.path.lexists(config):
        raise Unusable(f"{wanted.config} exists; it is left alone: name another with -c")
    if not config.parent.is_dir():
        raise Unusable(f"{wanted.config.parent} is no folder")
    spec, introduction = _protocol(text)
    try:
        address = introduction.read(text)
        check_name(wanted.identity)
        check_group(wanted.group)
    except ValueError as error:
        raise Unusable(str(error)) from None
    if is_any(wanted.identity) or is_any(wanted.name or ""):
        raise Unusable("any can't be a name: in a policy it is all there are")
    if not re.fullmatch(r"[A-Za-z0-9.:_-]{1,255}", wanted.host):
        raise Unusable("--host is a host's name or address")
    if wanted.name is not None and wanted.name != _resource_name(wanted.name):
        raise Unusable("a resource's name begins with a lower-case letter; letters, digits, _ and - follow")
    name = wanted.name or _resource_name(address.database)
    found = asyncio.run(_discover(introduction, _access(spec, address, name)))
    site = office.default_site(config)
    with contextlib.ExitStack() as undo:
        # nothing half made stays behind, the credential least of all; and nothing that was there goes
        credential = _write_credential(undo, site, address, name)
        text = render(name, spec.name, address, credential, wanted, site.ports[spec.name], found)
        _write_config(config, text, undo)
        site = office.site(config)
        account = ServiceAccount(wanted.identity, IdentityKind.AGENT, frozenset({wanted.group}))
        secret, record = asyncio.run(offline.new_account(site, account, wanted.lifetime, time.time_ns()))
        ca, _ = office.authority(config)
        undo.pop_all()
    return Made(
        address=introduction.write(
            wanted.identity,
            secret.reveal().decode("ascii"),
            wanted.host,
            site.ports[spec.name],
            name,
            str(ca),
        ),
        config=wanted.config,
        resource=name,
        identity=wanted.identity,
        token_id=record.id,
        credential=credential,
        ca=ca,
        sensitive=dict(found.sensitive),
        relations=found.relations,
        columns=found.columns,
        warnings=_warnings(address, found, credential),
    )


async def _discover(introduction: Introduction, access: CatalogAccess) -> Discovery:
    return await introduction.discover(access)


def _write_credential(undo: contextlib.ExitStack, site: "Site", address: Address, name: str) -> Path | None:
    """The folders, and in them the target's password, if there is one. Raises Unusable."""
    for folder in (site.state, site.state / "credentials"):
        if not folder.exists():
            undo.callback(shutil.rmtree, folder, ignore_errors=True)
    site.prepare()
    if address.secret is None:
        return None
    path = site.state / "credentials" / f"{name}-{ACCOUNT}"
    path.parent.mkdir(mode=0o700, exist_ok=True)
    try:
        _write_secret(path, address.secret.reveal(), undo)
    except FileExistsError:
        raise Unusable(f"{path} exists; it is left alone") from None
    return path


def _write_config(path: Path, text: str, undo: contextlib.ExitStack) -> None:
    try:
        number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o640)
    except OSError as error:
        raise Unusable(f"{path} can't be written: {error.strerror}") from None
    undo.callback(path.unlink, missing_ok=True)
    with os.fdopen(number, "w", encoding="utf-8") as file:
        file.write(text)


def _access(spec: ProtocolSpec, address: Address, name: str) -> CatalogAccess:
    account = Account(ACCOUNT, address.username, CredentialReference("none", ""), "0")
    resource = Resource(
        name,
        spec.name,
        address.host,
        address.port,
        (address.database,),
        address.tls,
        {ACCOUNT: account},
        ca_file=address.ca_file,
    )
    return CatalogAccess(resource, account, address.database, address.secret)
