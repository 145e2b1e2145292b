"""`gateway.roles` and `gateway.api.rate` of the configuration: who has which role, how often may be asked.
A role must never be read wider than it is written: what can't be understood stops the start."""

import re
from typing import Annotated, Final

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic import model_validator as whole

from wicketgate.admin.rate import Rate
from wicketgate.admin.roles import Role, Seat
from wicketgate.model.token import check_group

_NAME: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")


def _resource(value: str) -> str:
    if not _NAME.fullmatch(value):
        raise ValueError("must name a resource: up to 63 letters, digits, and ._- between them")
    return value


def _labels(value: object) -> object:
    """As in a policy: numbers and true/false stand for how they are written."""
    if not isinstance(value, dict):
        return value
    return {
        key: str(each).lower() if isinstance(each, bool) else str(each) if isinstance(each, int) else each
        for key, each in value.items()
    }


def _selected(value: object) -> object:
    """A list of names, as in a policy's rules."""
    return {"names": value} if isinstance(value, list) else value


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class SelectedSettings(_Strict):
    """Resources, by name or by label: those that have all of these."""

    names: Annotated[list[Annotated[str, AfterValidator(_resource)]], Field(min_length=1)] | None = None
    labels: Annotated[dict[str, str], Field(min_length=1), BeforeValidator(_labels)] | None = None

    @whole(mode="after")
    def _one(self) -> "SelectedSettings":
        if (self.names is None) == (self.labels is None):
            raise ValueError("takes one of names and labels")
        return self


class SeatSettings(_Strict):
    """groups: whose members have the role. resources: over these alone; not said: over everything."""

    groups: Annotated[list[Annotated[str, AfterValidator(check_group)]], Field(min_length=1)]
    resources: Annotated[SelectedSettings | None, BeforeValidator(_selected)] = None


Seats = Annotated[list[SeatSettings], Field(min_length=1)]


class RoleSettings(_Strict):
    """Role -> who has it."""

    admin: Seats | None = None
    auditor: Seats | None = None
    reviewer: Seats | None = None
    viewer: Seats | None = None

    @whole(mode="after")
    def _everything(self) -> "RoleSettings":
        if any(each.resources is not None for each in self.admin or ()):
            raise ValueError("an admin is one over everything: leave resources out")
        return self

    @property
    def seats(self) -> tuple[Seat, ...]:
        return tuple(_seat(role, each) for role in Role for each in getattr(self, role.value) or ())


def _seat(role: Role, settings: SeatSettings) -> Seat:
    chosen = settings.resources or SelectedSettings.model_construct()
    return Seat(role, frozenset(settings.groups), frozenset(chosen.names or ()), dict(chosen.labels or {}))


class RateSettings(_Strict):
    """Requests a minute of one actor, and from one source address; as many may come at once."""

    actor: int = Field(default=1200, ge=10, le=1_000_000)
    source: int = Field(default=3000, ge=10, le=1_000_000)

    @property
    def rate(self) -> Rate:
        return Rate(self.actor, self.source)
