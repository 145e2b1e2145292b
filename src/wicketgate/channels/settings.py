"""`gateway.channels` of the configuration: where people are told of reviews, and what a channel may show.
It must never take a secret that is written out, nor an address over which one would go in clear.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final, Literal, get_args
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic import model_validator as whole

from wicketgate.model.resource import CredentialReference

Event = Literal[
    "asked",
    "voted",
    "approved",
    "denied",
    "expired",
    "withdrawn",
    "used",
    "closed",
    "break-glass",
    "granted",
    "extended",
    "grant-ended",
]
EVENTS: Final[tuple[str, ...]] = get_args(Event)
SLACK: Final = "https://slack.com/api"
_EMAIL: Final = re.compile(r"[A-Za-z0-9._%+'-]{1,64}@[A-Za-z0-9.-]{1,190}")
_IDENTITY: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._@-]{0,61}[A-Za-z0-9])?")
_NEEDS: Final[Mapping[str, tuple[frozenset[str], frozenset[str]]]] = {
    "webhook": (frozenset({"url", "secrets"}), frozenset({"private"})),
    "teams": (frozenset({"url"}), frozenset({"private"})),
    "slack": (
        frozenset({"token", "signing_secret", "team", "channel"}),
        frozenset({"api", "people", "domain", "proven_hours", "private"}),
    ),
}
"""Of each kind: keys that it must have, and keys that it may have beside those of all."""
_OF_ALL: Final = frozenset({"kind", "shows", "events", "resources", "ca_file", "timeout_seconds"})


def _path(value: object) -> Path:
    if isinstance(value, Path):
        return value
    if not isinstance(value, str) or not value.strip() or "\0" in value:
        raise ValueError("must be a path")
    return Path(value).expanduser()


def check_address(value: str, private: bool) -> str:
    """`https://…`, or plain HTTP to an address of this machine where private ones are allowed.

    Raises ValueError, without the address: its query may be a secret."""
    try:
        parts = urlsplit(value)
        port = parts.port
    except ValueError:
        raise ValueError("must be an address: https://host/path") from None
    plain = parts.scheme == "http" and private and parts.hostname in ("127.0.0.1", "::1", "localhost")
    if not (parts.scheme == "https" or plain) or not parts.hostname or port == 0:
        raise ValueError("must be https://host/path")
    if parts.username is not None or parts.password is not None or parts.fragment:
        raise ValueError("must have no user name, password or fragment in it")
    if not value.isascii() or not value.isprintable() or " " in value or "\\" in value or len(value) > 2000:
        raise ValueError("must be up to 2000 printable ASCII characters")
    return value


def _one_or_more(value: object) -> object:
    return [value] if isinstance(value, dict) else value


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, arbitrary_types_allowed=True)


class Lies(_Strict):
    """Where a secret lies: an environment variable, a file, or the gateway's own vault (`wicket secret`)."""

    env: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")] | None = None
    file: Annotated[Path, BeforeValidator(_path)] | None = None
    secret: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$")] | None = None

    @whole(mode="after")
    def _one(self) -> "Lies":
        if sum(each is not None for each in (self.env, self.file, self.secret)) != 1:
            raise ValueError("takes one of env, file and secret")
        return self

    @property
    def reference(self) -> CredentialReference:
        if self.env is not None:
            return CredentialReference("env", self.env)
        if self.file is not None:
            return CredentialReference("file", str(self.file))
        return CredentialReference("secret", str(self.secret))

    def located(self, folder: Path) -> "Lies":
        """With its path from the configuration's folder."""
        return self if self.file is None else self.model_copy(update={"file": folder / self.file})


class Selected(_Strict):
    """Resources, by name or by label: those that have all of these."""

    names: Annotated[list[str], Field(min_length=1, max_length=1000)] | None = None
    labels: Annotated[dict[str, str], Field(min_length=1)] | None = None

    @whole(mode="after")
    def _one(self) -> "Selected":
        if (self.names is None) == (self.labels is None):
            raise ValueError("takes one of names and labels")
        return self

    def match(self, resource: str, labels: Mapping[str, str]) -> bool:
        if self.names is not None:
            return resource in self.names
        return all(labels.get(key) == value for key, value in (self.labels or {}).items())


def _selected(value: object) -> object:
    """A list of names, as in a policy's rules; labels that are numbers or true/false as they are written."""
    if isinstance(value, list):
        return {"names": value}
    if isinstance(value, dict) and isinstance(value.get("labels"), dict):
        labels = {
            key: str(each).lower() if isinstance(each, bool) else str(each) if isinstance(each, int) else each
            for key, each in value["labels"].items()
        }
        return {**value, "labels": labels}
    return value


class ChannelSettings(_Strict):
    """One channel. docs/approvals.md says what each key means.

    url: written out, or where it lies: one that holds a key is a secret. secrets: the first is the newest;
    each signs. api: Slack's Web API. people: verified e-mail -> identity. domain: whose verified e-mails are
    identities' names. proven_hours: how long a sign-in at an identity provider proves somebody's groups here.
    private: addresses that are not public may be sent to. shows: see channels/notice.py.
    """

    kind: Literal["webhook", "slack", "teams"]
    url: str | Lies | None = None
    secrets: Annotated[list[Lies], Field(min_length=1, max_length=4)] | None = None
    token: Lies | None = None
    signing_secret: Annotated[
        Annotated[list[Lies], Field(min_length=1, max_length=2)] | None, BeforeValidator(_one_or_more)
    ] = None
    team: Annotated[str, Field(pattern=r"^[TE][A-Z0-9]{2,20}$")] | None = None
    channel: Annotated[str, Field(pattern=r"^[CGD][A-Z0-9]{2,20}$")] | None = None
    api: str | None = None
    people: Annotated[dict[str, str], Field(max_length=10_000)] = Field(default_factory=dict)
    domain: Annotated[str, Field(pattern=r"^[a-z0-9-]+(?:\.[a-z0-9-]+)+$")] | None = None
    proven_hours: float = Field(default=12.0, gt=0, le=168)
    private: bool = False
    ca_file: Annotated[Path, BeforeValidator(_path)] | None = None
    timeout_seconds: float = Field(default=10.0, ge=1, le=15)
    shows: Literal["none", "facts", "statement"] = "facts"
    events: Annotated[list[Event], Field(min_length=1)] = Field(
        default_factory=lambda: [each for each in get_args(Event) if each != "voted"]
    )
    resources: Annotated[Selected | None, BeforeValidator(_selected)] = None

    @whole(mode="after")
    def _of_its_kind(self) -> "ChannelSettings":
        needed, more = _NEEDS[self.kind]
        given = {name for name in self.model_fields_set if getattr(self, name) is not None}
        if lacking := sorted(needed - given):
            raise ValueError(f"a {self.kind} channel needs {' and '.join(lacking)}")
        if alien := sorted(given - needed - more - _OF_ALL):
            raise ValueError(f"a {self.kind} channel takes no {' and no '.join(alien)}")
        for where in (self.url, self.api):
            if isinstance(where, str):
                check_address(where, self.private)
        for email, identity in self.people.items():
            if not _EMAIL.fullmatch(email) or email != email.lower():
                raise ValueError("people: each key must be an e-mail address in lower-case letters")
            if not _IDENTITY.fullmatch(identity):
                raise ValueError("people: each value must be an identity's name")
        if self.people and self.domain is not None:
            raise ValueError("takes one of people and domain")
        return self

    def located(self, folder: Path) -> "ChannelSettings":
        """With paths from the configuration's folder."""
        changed: dict[str, object] = {}
        if self.ca_file is not None:
            changed["ca_file"] = folder / self.ca_file
        for name in ("url", "token"):
            if isinstance(found := getattr(self, name), Lies):
                changed[name] = found.located(folder)
        for name in ("secrets", "signing_secret"):
            if (several := getattr(self, name)) is not None:
                changed[name] = [each.located(folder) for each in several]
        return self.model_copy(update=changed)

    @property
    def references(self) -> frozenset[CredentialReference]:
        """Where all of its secrets lie."""
        several = [self.url, self.token, *(self.secrets or ()), *(self.signing_secret or ())]
        return frozenset(each.reference for each in several if isinstance(each, Lies))

    @property
    def place(self) -> str:
        """Where it leads, for people; never what may be secret in an address."""
        if self.kind == "slack":
            return f"{self.team} {self.channel}"
        if isinstance(self.url, str):
            return f"https://{urlsplit(self.url).hostname}"
        reference = self.url.reference if self.url is not None else None
        return "" if reference is None else f"({reference.source} {reference.locator})"

    def wants(self, event: str, resource: str, labels: Mapping[str, str]) -> bool:
        """Whether it is told of this. A message of Slack's is kept true whatever happens to its review."""
        told = self.kind == "slack" or event in self.events
        return told and (self.resources is None or self.resources.match(resource, labels))

    def identity_of(self, email: str) -> str | None:
        """The identity's name that a verified e-mail stands for."""
        found = email.strip().lower()
        if not _EMAIL.fullmatch(found):
            return None
        if self.domain is not None:
            return found if found.partition("@")[2] == self.domain else None
        return self.people.get(found)


Name = Annotated[str, AfterValidator(lambda value: _name(value))]
Channels = Annotated[Mapping[Name, ChannelSettings], Field(max_length=50)]


def _name(value: str) -> str:
    if not re.fullmatch(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?", value):
        raise ValueError("must be up to 63 lower-case letters, digits, and - between them")
    return value


@dataclass(frozen=True, slots=True)
class Channel:
    """One channel by its name."""

    name: str
    settings: ChannelSettings
