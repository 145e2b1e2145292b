"""`gateway:` of the configuration: ports, folders, keys, bounds. Read once at start; it never hot-reloads.
An unknown key or a wrong type stops the start, with file, line and column.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Protocol

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic import model_validator as whole

from wicketgate.admin.settings import RateSettings, RoleSettings
from wicketgate.channels.settings import Channels
from wicketgate.custody.settings import AwsSettings, CustodySettings, Keepers, Vaults
from wicketgate.model.errors import PolicyError
from wicketgate.model.secret import Secret
from wicketgate.policy.document import Node, Place, Problems, parse, read_sources
from wicketgate.policy.joining import merge
from wicketgate.policy.reading import near
from wicketgate.store.address import StoreAddress

LOOPBACK: Final = ("127.0.0.1", "::1")
AWAY: Final = 10_000
"""A protocol's port here is its usual one plus this (15432), where the configuration does not say."""

_ADDRESS: Final = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9_.-]+)):([0-9]{1,5})")


class HasPort(Protocol):
    """What is needed of a protocol (protocols.base.ProtocolSpec has it)."""

    @property
    def default_port(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Listener:
    """Where one protocol is served. hosts: addresses to bind. plain: plain text is let in from loopback."""

    port: int
    hosts: tuple[str, ...] = LOOPBACK
    plain: bool = False


def address(text: object) -> tuple[str, int]:
    """`host:port` or `[IPv6]:port` as (host, port). Raises ValueError."""
    found = _ADDRESS.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        raise ValueError("must be host:port or [IPv6]:port")
    port = int(found[3])
    if not 0 < port < 65536:
        raise ValueError("the port must be from 1 to 65535")
    return found[1] or found[2], port


def _listener(value: object) -> Listener:
    """A port (on loopback), an address, or a list of addresses with one port."""
    if isinstance(value, int) and not isinstance(value, bool):
        if not 0 < value < 65536:
            raise ValueError("the port must be from 1 to 65535")
        return Listener(value)
    several = value if isinstance(value, list) else [value]
    addresses = [address(each) for each in several]
    ports = {port for _, port in addresses}
    if len(ports) != 1:
        raise ValueError("must be a port, an address, or several addresses with the same port")
    hosts = [each for host, _ in addresses for each in (LOOPBACK if host == "localhost" else (host,))]
    if len(set(hosts)) != len(hosts):
        raise ValueError("an address is given twice")
    return Listener(ports.pop(), tuple(hosts))


def _path(value: object) -> Path:
    if not isinstance(value, str) or not value.strip() or "\0" in value:
        raise ValueError("must be a path")
    return Path(value).expanduser()


def _store(value: object) -> StoreAddress:
    """An address, `{env: NAME}` or `{file: PATH}`; what is said of a wrong one never repeats it."""
    if isinstance(value, StoreAddress):
        return value
    if isinstance(value, str) and value.strip():
        return StoreAddress(url=Secret(value.strip().encode()))
    match value:
        case {"env": str(name), **rest} if not rest and re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
            return StoreAddress(env=name)
        case {"file": found, **rest} if not rest:
            return StoreAddress(file=_path(found))
    raise ValueError("must be an address, {env: NAME} or {file: PATH}")


def _group(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?", value):
        raise ValueError("must be up to 63 letters, digits, and ._- between them")
    return value


def _origin(value: str) -> str:
    if not re.fullmatch(r"https://(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?", value):
        raise ValueError("must be https://HOST or https://HOST:PORT, and nothing behind it")
    return value


AnyPath = Annotated[Path, BeforeValidator(_path)]
Address = Annotated[tuple[str, int], BeforeValidator(address)]
Listening = Annotated[Listener, BeforeValidator(_listener)]
Seconds = Annotated[float, Field(gt=0, le=86_400)]
Name = Annotated[str, Field(min_length=1, max_length=253)]
StoreLies = Annotated[StoreAddress, BeforeValidator(_store)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, arbitrary_types_allowed=True)


class JournalSettings(_Strict):
    """durability: `written` (to the kernel; lost with the machine's power) or `synced` (to the disk) before
    anything is forwarded. kept_bytes: of each answer, as the client saw it. encrypt: what lines say is
    encrypted, with keys that the key of `custody` wraps."""

    durability: Literal["written", "synced"] = "written"
    kept_bytes: int = Field(default=65_536, ge=0, le=16 << 20)
    encrypt: bool = False

    @property
    def synced(self) -> bool:
        return self.durability == "synced"


class TlsSettings(_Strict):
    """certificate, key: PEM files of the operator's own; without them the local CA makes them, for `names`.
    client_ca: PEM; clients may then show a certificate of it."""

    certificate: AnyPath | None = None
    key: AnyPath | None = None
    client_ca: AnyPath | None = None
    names: Annotated[list[Name], Field(min_length=1, max_length=100)] = Field(
        default_factory=lambda: ["localhost", "127.0.0.1", "::1"]
    )

    @whole(mode="after")
    def _both(self) -> "TlsSettings":
        if (self.certificate is None) != (self.key is None):
            raise ValueError("certificate and key go together")
        return self


class ApiSettings(_Strict):
    """socket: the local API's; in the state folder where not set. https: where it is served to others.
    url: where they reach it, as they write it. rate: of requests over HTTPS."""

    socket: AnyPath = Path("api.sock")
    https: Address | None = None
    url: Annotated[str, AfterValidator(_origin)] | None = None
    rate: RateSettings = Field(default_factory=RateSettings)

    @property
    def public_url(self) -> str | None:
        """Where people reach it with a browser; None: nowhere."""
        if self.https is None:
            return None
        return self.url or f"https://localhost:{self.https[1]}"


class LimitSettings(_Strict):
    """Bounds that keep one client from taking everything. What is not named here has fixed bounds."""

    handshake_seconds: Seconds = 10.0
    handshakes: int = Field(default=1024, ge=1, le=65_536)
    handshakes_per_source: int = Field(default=256, ge=1, le=65_536)
    dial_seconds: Seconds = 10.0
    sessions: int = Field(default=20_000, ge=1, le=1_000_000)
    sessions_per_identity: int = Field(default=1000, ge=1, le=1_000_000)
    buffer_bytes: int = Field(default=1 << 20, ge=16_384, le=64 << 20)


class PolicySettings(_Strict):
    """source: where the policy comes from. `store`: the file's is read once, where the store is empty.

    files: folders whose files a policy of the store may name as passwords."""

    source: Literal["file", "store"] = "file"
    files: list[AnyPath] = Field(default_factory=list, max_length=100)


class Settings(_Strict):
    """Paths are absolute, relative ones from the folder of the configuration.

    listen: protocol -> where it is served. plain_text: `loopback` lets clients on this machine do without
    TLS. state: the folder of everything that lasts. database_url: None: SQLite in the state folder.
    admin_groups: whose members may use the API's verbs on others. roles: who else may what.
    vaults: servers that keep secrets. aws: where AWS is. custody: the vault of our own.
    name: what people call this node; the machine's where not set. admin_groups: whose members may use the
    API's verbs on others. vaults: servers that keep secrets. aws: where AWS is. custody: our own vault.
    history_days: how long it is kept who used what. channels: where people are told of reviews.
    """

    listen: Mapping[str, Listening] = Field(default_factory=dict)
    plain_text: Literal["never", "loopback"] = "never"
    workers: int = Field(default=1, ge=1, le=256)
    state: AnyPath = Path("state")
    database_url: StoreLies | None = None
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$")] | None = None
    drain_seconds: Seconds = 30.0
    store_grace_seconds: Seconds = 60.0
    history_days: int = Field(default=400, ge=1, le=3660)
    journal: JournalSettings = Field(default_factory=JournalSettings)
    tls: TlsSettings = Field(default_factory=TlsSettings)
    api: ApiSettings = Field(default_factory=ApiSettings)
    limits: LimitSettings = Field(default_factory=LimitSettings)
    policy: PolicySettings = Field(default_factory=PolicySettings)
    admin_groups: list[Annotated[str, AfterValidator(_group)]] = Field(default_factory=lambda: ["admins"])
    vaults: Vaults = Field(default_factory=dict)
    roles: RoleSettings = Field(default_factory=RoleSettings)
    aws: AwsSettings | None = None
    custody: CustodySettings = Field(default_factory=CustodySettings)
    channels: Channels = Field(default_factory=dict)

    @whole(mode="after")
    def _known_vault(self) -> "Settings":
        transit = None if self.custody.key is None else self.custody.key.transit
        if transit is not None and transit.vault not in self.vaults:
            raise ValueError(
                f"custody: vaults has no server {transit.vault!r}{near(transit.vault, self.vaults)}"
            )
        if self.aws is None and self.custody.key is not None and self.custody.key.kms is not None:
            raise ValueError("custody: a key of kms needs `aws` beside it")
        return self

    @property
    def keepers(self) -> Keepers:
        """All that is said of custody."""
        return Keepers(self.vaults, self.custody, self.aws)

    def of_workers(self) -> dict[str, object]:
        """What workers are told, as JSON values (control.ports.ControlSettings.worker)."""
        return {
            "synced": self.journal.synced,
            "encrypt": self.journal.encrypt,
            "kept": self.journal.kept_bytes,
            "handshake_seconds": self.limits.handshake_seconds,
            "handshakes": self.limits.handshakes,
            "handshakes_per_source": self.limits.handshakes_per_source,
            "sessions": self.limits.sessions,
            "sessions_per_identity": self.limits.sessions_per_identity,
            "dial_seconds": self.limits.dial_seconds,
            "buffer": self.limits.buffer_bytes,
        }

    def listeners(self, protocols: Mapping[str, HasPort]) -> dict[str, Listener]:
        """Where each protocol is served: those of `listen`, or all on loopback where it names none.

        Raises PolicyError for a protocol that is not there, or two on one port."""
        for name in self.listen:
            if name not in protocols:
                raise PolicyError(f"gateway: listen: there is no protocol {name!r}{near(name, protocols)}")
        chosen = dict(self.listen) or {
            name: Listener(AWAY + each.default_port) for name, each in protocols.items()
        }
        taken: dict[tuple[str, int], str] = {}
        for name, listener in chosen.items():
            for host in listener.hosts:
                other = taken.setdefault((host, listener.port), name)
                if other != name:
                    raise PolicyError(f"gateway: listen: {name} and {other} on one port ({listener.port})")
        plain = self.plain_text == "loopback"
        return {name: Listener(each.port, each.hosts, plain) for name, each in chosen.items()}


def load_settings(config: Path) -> Settings:
    """The settings of a configuration: a file, or a folder of files. Raises PolicyError."""
    root = merge([parse(source) for source in read_sources(config)])
    found = root.get("gateway")
    return _settings(found or Node(root.place, {}), config)


def default_settings(config: Path) -> Settings:
    """What holds for a configuration that sets nothing; it need not be there yet."""
    return _settings(Node(Place(str(config)), {}), config)


def _settings(node: Node, config: Path) -> Settings:
    if not isinstance(node.value, dict):
        raise PolicyError(f"{node.place}: gateway must be a map, not {node.noun}")
    try:
        settings = Settings.model_validate(node.content())
    except ValidationError as error:
        raise _explain(node, error) from None
    folder = (config if config.is_dir() else config.parent).absolute()
    state = folder / settings.state
    tls, store = settings.tls, settings.database_url
    if store is not None:
        located = None if store.file is None else folder / store.file
        store = replace(store, folder=folder, file=located)
    return settings.model_copy(
        update={
            "state": state,
            "database_url": store,
            "api": settings.api.model_copy(
                update={
                    "socket": (folder if "socket" in settings.api.model_fields_set else state)
                    / settings.api.socket
                }
            ),
            "policy": settings.policy.model_copy(
                update={"files": [folder / each for each in settings.policy.files]}
            ),
            "tls": tls.model_copy(
                update={
                    name: None if path is None else folder / path
                    for name, path in (
                        ("certificate", tls.certificate),
                        ("key", tls.key),
                        ("client_ca", tls.client_ca),
                    )
                }
            ),
            "aws": None if settings.aws is None else settings.aws.located(folder),
            "custody": settings.custody.located(folder, state),
            "vaults": {name: each.located(folder) for name, each in settings.vaults.items()},
            "channels": {name: each.located(folder) for name, each in settings.channels.items()},
        }
    )


def _explain(node: Node, error: ValidationError) -> PolicyError:
    """pydantic's words with places; they never repeat a value (a database_url may hold a password)."""
    problems = Problems()
    for each in error.errors(include_url=False, include_input=False, include_context=False):
        path = each["loc"]
        where = _deepest(node, path)
        written = ".".join(str(step) for step in ("gateway", *path))
        message = each["msg"].removeprefix("Value error, ")
        if each["type"] == "extra_forbidden":
            known = _fields(path[:-1])
            message = f"there is no such key{near(str(path[-1]), known)}"
        problems.add(where, f"{written}: {message[:1].lower()}{message[1:]}")
    try:
        problems.raise_any()
    except PolicyError as told:
        return told
    return PolicyError(f"{node.place}: gateway can't be read")


def _deepest(node: Node, path: Sequence[Any]) -> Node | Place:
    """Where the path leads, as far as the file goes; a key's own place, where it is the last step."""
    for length in range(len(path), 0, -1):
        holder, found = node.get(*path[: length - 1]), node.get(*path[:length])
        if found is not None:
            if holder is not None and isinstance(holder.value, dict):
                return holder.value[str(path[length - 1])][0]
            return found
    return node


def _fields(path: Sequence[Any]) -> list[str]:
    model: type[BaseModel] = Settings
    for step in path:
        annotation = model.model_fields[str(step)].annotation if str(step) in model.model_fields else None
        if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
            return []
        model = annotation
    return list(model.model_fields)
