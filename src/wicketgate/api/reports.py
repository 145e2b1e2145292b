"""The API's routes on who may reach what, and what of it is used. No rule lives here."""

from typing import Annotated

from fastapi import Query
from pydantic import BaseModel

from wicketgate.admin import reports
from wicketgate.api.given import By, Desk, routes
from wicketgate.model.grant import Grant
from wicketgate.model.usage import Use
from wicketgate.policy.granted import Line

access = routes("access")
Days = Annotated[int, Query(ge=1, le=3660)]
Name = Annotated[str | None, Query(max_length=63)]


class LineShown(BaseModel):
    """One rule's permit for one identity on one account, and what of it was used. standing: it needs no
    request. conditional: only where the rule's condition holds. others: more relations than are told."""

    identity: str
    issuer: str
    resource: str
    account: str
    rule: str
    effects: list[str]
    conditional: bool
    databases: list[str]
    standing: bool
    status: str
    used: list[str]
    unused: list[str]
    count: int
    first: int | None
    last: int | None
    relations: list[str]
    others: bool

    @classmethod
    def of(cls, line: Line) -> "LineShown":
        return cls(
            **line.granted.told(),
            status=line.status,
            used=sorted(line.used),
            unused=sorted(line.unused),
            count=line.count,
            first=line.first,
            last=line.last,
            relations=sorted(line.relations),
            others=line.others,
        )


class FormerShown(BaseModel):
    """What was used and is not granted now."""

    identity: str
    issuer: str
    resource: str
    account: str
    rules: list[str]
    effects: list[str]
    relations: list[str]
    count: int
    last: int

    @classmethod
    def of(cls, use: Use) -> "FormerShown":
        shape = use.shape
        return cls(
            identity=shape.who.name,
            issuer=shape.who.issuer,
            resource=shape.resource,
            account=shape.account,
            rules=list(shape.rules),
            effects=sorted(shape.effects),
            relations=sorted(shape.relations),
            count=use.count,
            last=use.last,
        )


class GroupsChanged(BaseModel):
    at: int
    identity: str
    issuer: str
    added: list[str]
    removed: list[str]
    gone: bool


class GrantChanged(BaseModel):
    identity: str
    issuer: str
    resource: str
    account: str
    rule: str
    effect: str

    @classmethod
    def of(cls, key: tuple[str, ...]) -> "GrantChanged":
        return cls(**dict(zip(cls.model_fields, key, strict=True)))


class ChangedShown(BaseModel):
    """Since the last report that was kept."""

    at: int
    author: str
    policy_changed: bool
    added: list[GrantChanged]
    removed: list[GrantChanged]


class GivenShown(BaseModel):
    """Access that was given for a while, in the report's time. used: some session was opened by it."""

    id: str
    identity: str
    issuer: str
    resource: str
    account: str
    rule: str
    starts: int
    ends: int
    break_glass: bool
    extended: int
    ended_by: str | None
    approved_by: list[str]
    used: bool
    last_used: int | None

    @classmethod
    def of(cls, grant: Grant) -> "GivenShown":
        told = {
            name: getattr(grant, name) for name in cls.model_fields if name not in ("used", "approved_by")
        }
        return cls(**told, used=grant.first_used is not None, approved_by=list(grant.approved_by))


class ReportShown(BaseModel):
    """Times are wall clock ns. begins: of the history; null: nothing was recorded. covered: whether it
    reaches back to `since`, whole. lost: uses that nothing is known of. grants: access for a while, in that
    time."""

    at: int
    since: int
    begins: int | None
    covered: bool
    lost: int
    policy: str
    granted: list[LineShown]
    former: list[FormerShown]
    groups: list[GroupsChanged]
    changed: ChangedShown | None
    grants: list[GivenShown]

    @classmethod
    def of(cls, report: reports.Report) -> "ReportShown":
        last = report.last
        changed = None
        if last is not None:
            changed = ChangedShown(
                at=last.at,
                author=last.author,
                policy_changed=last.policy_changed,
                added=[GrantChanged.of(each) for each in last.added],
                removed=[GrantChanged.of(each) for each in last.removed],
            )
        return cls(
            at=report.at,
            since=report.since,
            begins=report.begins,
            covered=report.covered,
            lost=report.lost,
            policy=report.policy,
            granted=[LineShown.of(each) for each in report.lines],
            former=[FormerShown.of(each) for each in report.former],
            groups=[
                GroupsChanged(
                    at=each.at,
                    identity=each.identity,
                    issuer=each.issuer,
                    added=sorted(each.added),
                    removed=sorted(each.removed),
                    gone=each.gone,
                )
                for each in report.groups
            ],
            changed=changed,
            grants=[GivenShown.of(each) for each in report.grants],
        )


class SuggestionShown(BaseModel):
    """difference: unified, for the policy's files; empty: nothing can be left out."""

    difference: str
    left_out: list[str]
    since: int
    begins: int | None
    covered: bool
    uses: int


@access.get("/access/report", summary="Who may reach what, and what of it was used")
async def report(
    office: Desk, by: By, days: Days = 90, identity: Name = None, resource: Name = None
) -> ReportShown:
    return ReportShown.of(await reports.see_access(office, by, days, identity, resource))


@access.post("/access/report", summary="The same, kept: the next report tells what changed since")
async def keep(office: Desk, by: By, days: Days = 90) -> ReportShown:
    return ReportShown.of(await reports.keep_access(office, by, days))


@access.get("/access/suggestion", summary="A narrower policy, as a difference of its files")
async def suggestion(office: Desk, by: By, days: Days = 90) -> SuggestionShown:
    found = await reports.suggest_access(office, by, days)
    return SuggestionShown(
        difference=found.difference,
        left_out=found.told,
        since=found.since,
        begins=found.begins,
        covered=found.covered,
        uses=found.uses,
    )
