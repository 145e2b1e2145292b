"""The API on local accounts: identities that sign in with tokens of ours."""

from typing import Annotated, Literal

from fastapi import Path, Query, Request, Response
from pydantic import BaseModel, Field

from wicketgate.admin import identities as verbs
from wicketgate.admin.access import Refused
from wicketgate.api import paging
from wicketgate.api.etags import Conditional, tag_of
from wicketgate.api.given import By, Desk, routes
from wicketgate.api.shapes import NAME, Strict
from wicketgate.model.identity import IdentityKind
from wicketgate.model.token import ServiceAccount

GROUP = r"^[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$"
Name = Annotated[str, Path(pattern=NAME)]
Kind = Literal["human", "service", "agent"]
Groups = Annotated[list[Annotated[str, Field(pattern=GROUP)]], Field(max_length=64)]
accounts = routes("identities")


class IdentityWanted(Strict):
    """A new account."""

    name: str = Field(pattern=NAME)
    kind: Kind = "service"
    groups: Groups = Field(default_factory=list)

    @property
    def account(self) -> ServiceAccount:
        """Raises Refused."""
        try:
            return ServiceAccount(self.name, IdentityKind(self.kind), frozenset(self.groups))
        except ValueError as error:
            raise Refused(str(error)) from None


class IdentityChange(Strict):
    """What becomes of an account; what is left out stays. groups: all that it is in then."""

    kind: Kind | None = None
    groups: Groups | None = None
    disabled: bool | None = None

    @property
    def change(self) -> verbs.Change:
        return verbs.Change(
            None if self.kind is None else IdentityKind(self.kind),
            None if self.groups is None else frozenset(self.groups),
            self.disabled,
        )


class IdentityShown(BaseModel):
    """A local account. origin: `file` (the configuration names it) or `store`. disabled: since when (ns)."""

    name: str
    kind: Kind
    groups: list[str]
    origin: Literal["file", "store"]
    disabled: int | None

    @classmethod
    def of(cls, account: ServiceAccount) -> "IdentityShown":
        return cls.model_validate(
            {
                "name": account.name,
                "kind": account.kind.value,
                "groups": sorted(account.groups),
                "origin": account.origin,
                "disabled": account.disabled,
            }
        )

    @property
    def tag(self) -> str:
        return tag_of(self.model_dump_json())


def _shown(account: ServiceAccount, response: Response) -> IdentityShown:
    shown = IdentityShown.of(account)
    response.headers["etag"] = shown.tag
    return shown


@accounts.get("/identities", summary="Local accounts, by name")
async def list_identities(
    office: Desk,
    by: By,
    request: Request,
    response: Response,
    kind: Kind | None = None,
    group: Annotated[str | None, Query(pattern=GROUP)] = None,
    origin: Literal["file", "store"] | None = None,
    disabled: bool | None = None,
    limit: paging.Limit = paging.USUAL,
    cursor: paging.Cursor = None,
) -> list[IdentityShown]:
    after = paging.read(cursor, "identities")
    found = await verbs.list_identities(
        office,
        by,
        kind=None if kind is None else IdentityKind(kind),
        group=group,
        origin=origin,
        disabled=disabled,
        after="" if after is None else after[1],
        most=limit + 1,
    )
    page = paging.cut(found, limit, "identities", lambda each: (0, each.name), request, response)
    return [IdentityShown.of(each) for each in page]


@accounts.post("/identities", summary="Make an account", status_code=201)
async def make_identity(office: Desk, by: By, wanted: IdentityWanted, response: Response) -> IdentityShown:
    made = await verbs.make_identity(office, by, wanted.account)
    response.headers["location"] = f"/api/v1/identities/{made.name}"
    return _shown(made, response)


@accounts.get("/identities/{name}", summary="One account")
async def show_identity(office: Desk, by: By, name: Name, response: Response) -> IdentityShown:
    return _shown(await verbs.show_identity(office, by, name), response)


@accounts.patch("/identities/{name}", summary="Change kind or groups, disable or enable")
async def change_identity(
    office: Desk, by: By, name: Name, wanted: IdentityChange, when: Conditional, response: Response
) -> IdentityShown:
    made = await verbs.change_identity(
        office, by, name, wanted.change, lambda found: when.hold(IdentityShown.of(found).tag)
    )
    return _shown(made, response)


@accounts.delete("/identities/{name}", summary="Remove an account, and revoke its tokens", status_code=204)
async def remove_identity(office: Desk, by: By, name: Name, when: Conditional) -> None:
    await verbs.remove_identity(office, by, name, lambda found: when.hold(IdentityShown.of(found).tag))
