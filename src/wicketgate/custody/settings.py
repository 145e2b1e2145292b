"""`gateway.vaults` of the configuration: servers that keep secrets, and how the gateway signs in to them.
It must never take a secret that is written out, nor an address over which one would go in clear.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic import model_validator as whole

_LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})


def _path(value: object) -> Path:
    if isinstance(value, Path):
        return value
    if not isinstance(value, str) or not value.strip() or "\0" in value:
        raise ValueError("must be a path")
    return Path(value).expanduser()


def _address(value: str) -> str:
    """`https://host:port`, without a path. Plain HTTP is for a server on this machine alone."""
    parts = urlsplit(value)
    try:
        port = parts.port
    except ValueError:
        port = 0
    if (
        parts.scheme not in ("https", "http")
        or not parts.hostname
        or port == 0
        or parts.path not in ("", "/")
        or parts.username is not None
        or parts.query
        or parts.fragment
    ):
        raise ValueError("must be https://host:port")
    if parts.scheme == "http" and parts.hostname not in _LOOPBACK:
        raise ValueError("must be https: only a server on this machine (127.0.0.1) may go without TLS")
    return value.rstrip("/")


def _route(value: str) -> str:
    """Steps of a path in the server's API: nothing in it may need quoting, or lead up."""
    if not re.fullmatch(r"[A-Za-z0-9_.-]+(?:/[A-Za-z0-9_.-]+)*", value) or ".." in value.split("/"):
        raise ValueError("must be letters, digits, and ._- with / between steps")
    return value


def _name(value: str) -> str:
    if not re.fullmatch(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?", value):
        raise ValueError("must be up to 63 lower-case letters, digits, and - between them")
    return value


AnyPath = Annotated[Path, BeforeValidator(_path)]
Route = Annotated[str, Field(max_length=200), AfterValidator(_route)]
Name = Annotated[str, AfterValidator(_name)]
Text = Annotated[str, Field(min_length=1, max_length=1000)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, arbitrary_types_allowed=True)


class Lies(_Strict):
    """Where a secret of our own lies: the name of an environment variable, or a file."""

    env: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")] | None = None
    file: AnyPath | None = None

    @whole(mode="after")
    def _one(self) -> "Lies":
        if (self.env is None) == (self.file is None):
            raise ValueError("takes one of env and file")
        return self

    def located(self, folder: Path) -> "Lies":
        """With its path from the configuration's folder."""
        return self if self.file is None else self.model_copy(update={"file": folder / self.file})


class AppRole(_Strict):
    """Sign-in by role id and secret id. mount: where the method is mounted."""

    role_id: Text
    secret_id: Lies
    mount: Route = "approle"


class Kubernetes(_Strict):
    """Sign-in by this pod's service account. jwt_file is read anew at each sign-in: it is rotated."""

    role: Text
    jwt_file: AnyPath = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")
    mount: Route = "kubernetes"


class VaultSettings(_Strict):
    """One HashiCorp Vault or OpenBao server, and one KV version 2 mount of it.

    ca_file: PEM to trust in place of the system's. timeout_seconds: for a secret, sign-in and all.
    cache_seconds: how long a secret is used before it is asked for again.
    """

    address: Annotated[str, AfterValidator(_address)]
    mount: Route = "secret"
    namespace: Route | None = None
    ca_file: AnyPath | None = None
    token: Lies | None = None
    approle: AppRole | None = None
    kubernetes: Kubernetes | None = None
    timeout_seconds: Annotated[float, Field(gt=0, le=20)] = 5.0
    cache_seconds: Annotated[float, Field(ge=0, le=3600)] = 30.0

    @whole(mode="after")
    def _one(self) -> "VaultSettings":
        if sum(each is not None for each in (self.token, self.approle, self.kubernetes)) != 1:
            raise ValueError("takes one of token, approle and kubernetes")
        return self

    def located(self, folder: Path) -> "VaultSettings":
        """With paths from the configuration's folder."""
        changed: dict[str, Any] = {}
        if self.ca_file is not None:
            changed["ca_file"] = folder / self.ca_file
        if self.token is not None:
            changed["token"] = self.token.located(folder)
        if self.approle is not None:
            secret_id = self.approle.secret_id.located(folder)
            changed["approle"] = self.approle.model_copy(update={"secret_id": secret_id})
        if self.kubernetes is not None:
            jwt_file = folder / self.kubernetes.jwt_file
            changed["kubernetes"] = self.kubernetes.model_copy(update={"jwt_file": jwt_file})
        return self.model_copy(update=changed)


class AwsSettings(_Strict):
    """AWS, with credentials that botocore finds (environment, profile, role of the machine or pod).

    secretsmanager_url, kms_url: endpoints of one's own. timeout_seconds, cache_seconds: as of a vault.
    """

    region: Annotated[str, Field(pattern=r"^[a-z0-9-]{1,40}$")]
    profile: Text | None = None
    secretsmanager_url: Annotated[str, AfterValidator(_address)] | None = None
    kms_url: Annotated[str, AfterValidator(_address)] | None = None
    ca_file: AnyPath | None = None
    timeout_seconds: Annotated[float, Field(gt=0, le=20)] = 5.0
    cache_seconds: Annotated[float, Field(ge=0, le=3600)] = 60.0

    def located(self, folder: Path) -> "AwsSettings":
        """With its path from the configuration's folder."""
        return self if self.ca_file is None else self.model_copy(update={"ca_file": folder / self.ca_file})


class Kms(_Strict):
    """A symmetric key of AWS KMS: its id, ARN or alias."""

    key: Annotated[str, Field(pattern=r"^[A-Za-z0-9:/_-]{1,500}$")]


class Transit(_Strict):
    """A key of a transit engine. vault: the name of one of `gateway.vaults`, for its address and sign-in."""

    vault: Name
    key: Route
    mount: Route = "transit"


class KeySettings(_Strict):
    """What wraps the data keys of our own vault."""

    env: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")] | None = None
    file: AnyPath | None = None
    transit: Transit | None = None
    kms: Kms | None = None

    @whole(mode="after")
    def _one(self) -> "KeySettings":
        if sum(each is not None for each in (self.env, self.file, self.transit, self.kms)) != 1:
            raise ValueError("takes one of env, file, transit and kms")
        return self


class CustodySettings(_Strict):
    """The vault of our own. key: None: the file custody.keys in the state folder."""

    key: KeySettings | None = None

    def located(self, folder: Path, state: Path) -> "CustodySettings":
        """With paths from the configuration's folder."""
        key = self.key or KeySettings(file=state / "custody.keys")
        if key.file is not None:
            key = key.model_copy(update={"file": folder / key.file})
        return self.model_copy(update={"key": key})


Vaults = Mapping[Name, VaultSettings]


@dataclass(frozen=True, slots=True)
class Keepers:
    """All that the settings say of custody, with paths located."""

    vaults: Mapping[str, VaultSettings]
    custody: CustodySettings
    aws: AwsSettings | None = None
