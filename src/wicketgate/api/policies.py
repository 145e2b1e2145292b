"""The API's routes on the policy and its revisions. No rule lives here.
A change must always say which revision it was made against.
"""

import re
from typing import Annotated, Any

from fastapi import Path as InPath
from fastapi import Query, Request, Response
from pydantic import BaseModel, Field

from wicketgate.admin import policies
from wicketgate.api import paging
from wicketgate.api.etags import Conditional, Conditions
from wicketgate.api.given import By, Desk, routes
from wicketgate.api.problems import Changed, NotValid
from wicketgate.api.shapes import Strict
from wicketgate.model.revision import MESSAGE_MOST, Revision
from wicketgate.policy.texts import TEXT_MOST

NUMBER_MOST = (1 << 31) - 1

revised = routes("policy")
Number = Annotated[int, InPath(ge=1, le=NUMBER_MOST)]
Text = Annotated[str, Field(min_length=1, max_length=TEXT_MOST)]
_REFUSALS: dict[int | str, dict[str, Any]] = {
    number: {"description": text}
    for number, text in (
        (409, "Can't be done: the policy comes from a file, or nobody could administrate any more"),
        (412, "Another revision is the newest"),
        (422, "The policy does not load"),
        (428, "If-Match is missing, or names no revision"),
        (500, "It is kept, and does not hold here"),
    )
}


class RevisionShown(BaseModel):
    """A revision without its text. created: wall clock ns. restores: the revision whose text it is again.
    intact: whether it fits the seal that it was written with."""

    revision: int
    digest: str
    text_digest: str
    author: str
    how: str
    message: str
    created: int
    restores: int | None
    intact: bool

    @classmethod
    def of(cls, found: Revision) -> "RevisionShown":
        return cls(
            revision=found.number,
            digest=found.digest,
            text_digest=found.text_digest,
            author=found.author,
            how=found.how,
            message=found.message,
            created=found.created,
            restores=found.restores,
            intact=found.sealed,
        )


class RevisionWhole(RevisionShown):
    """A revision with its text as it was written."""

    text: str

    @classmethod
    def of(cls, found: Revision) -> "RevisionWhole":
        return cls(**RevisionShown.of(found).model_dump(), text=found.text or "")


class PolicyShown(BaseModel):
    """The policy that holds on this node. revision, newest: none where it comes from a file. text: none where
    the store has it no more as it was written. error: why what is newest does not hold."""

    source: str
    digest: str
    revision: int | None
    newest: int | None
    text: str | None
    error: str | None
    made: RevisionShown | None


class Finding(BaseModel):
    """line, column: counted from 1; none: the text as a whole."""

    line: int | None
    column: int | None
    message: str


class Validated(BaseModel):
    """ok: it could be applied. digest: of what it says."""

    ok: bool
    errors: list[Finding]
    warnings: list[Finding]
    digest: str | None
    resources: int
    rules: int


class Change(BaseModel):
    """section: resources, identities, issuers, saml, detectors, rules, enforce.
    change: added, removed, changed."""

    section: str
    name: str
    change: str
    keys: list[str]


class Compared(BaseModel):
    """diff: unified, empty where the texts are the same. changes: what differs in what they say."""

    diff: str
    changes: list[Change]


class Candidate(Strict):
    """A policy's text."""

    text: Text


class PolicyWanted(Strict):
    """force: also where nobody could administrate over the API any more."""

    text: Text
    message: str = Field(min_length=1, max_length=MESSAGE_MOST)
    force: bool = False


class Restored(Strict):
    """revision: the one whose text is to hold again."""

    revision: int = Field(ge=1, le=NUMBER_MOST)
    message: str = Field(min_length=1, max_length=MESSAGE_MOST)
    force: bool = False


class PolicyApplied(BaseModel):
    """changed: whether a revision was made; a text that is the newest already makes none."""

    changed: bool
    made: RevisionShown


@revised.get("/policy", summary="The policy that holds, with its text")
async def see(office: Desk, by: By, response: Response) -> PolicyShown:
    held = await policies.see_policy(office, by)
    number = None if held.revision is None else held.revision.number
    # the tag names what a change is made against; what is newer, and why it does not hold, changes under it
    response.headers["etag"] = f'"{number}"' if number is not None else f'"{held.digest[:16]}"'
    response.headers["cache-control"] = "no-store"
    return PolicyShown(
        source=held.source,
        digest=held.digest,
        revision=number,
        newest=held.newest,
        text=held.text,
        error=held.error,
        made=None if held.revision is None else RevisionShown.of(held.revision),
    )


@revised.get("/policy/revisions", summary="Revisions of the policy, newest first")
async def revisions(
    office: Desk,
    by: By,
    request: Request,
    response: Response,
    limit: paging.Limit = paging.USUAL,
    cursor: paging.Cursor = None,
) -> list[RevisionShown]:
    after = paging.read(cursor, "revisions")
    if after is not None and after[0] > NUMBER_MOST:
        raise NotValid("query.cursor: it is no cursor of this list")
    found = await policies.list_revisions(office, by, None if after is None else after[0], limit + 1)
    page = paging.cut(found, limit, "revisions", lambda each: (each.number, ""), request, response)
    return [RevisionShown.of(each) for each in page]


@revised.get("/policy/revisions/{number}", summary="One revision, with its text")
async def revision(office: Desk, by: By, number: Number, response: Response) -> RevisionWhole:
    found = await policies.see_revision(office, by, number)
    response.headers["etag"] = f'"{number}"'
    return RevisionWhole.of(found)


@revised.get("/policy/diff", summary="What differs between two revisions", responses=_REFUSALS)
async def diff(
    office: Desk,
    by: By,
    old: Annotated[int | None, Query(ge=1, le=NUMBER_MOST, description="Else what holds.")] = None,
    new: Annotated[int | None, Query(ge=1, le=NUMBER_MOST, description="Else the newest.")] = None,
) -> Compared:
    return Compared.model_validate(await policies.compare(office, by, old, new))


@revised.post("/policy/diff", summary="What a text would change", responses=_REFUSALS)
async def diff_text(
    office: Desk,
    by: By,
    wanted: Candidate,
    old: Annotated[int | None, Query(ge=1, le=NUMBER_MOST, description="Else what holds.")] = None,
) -> Compared:
    return Compared.model_validate(await policies.compare(office, by, old, text=wanted.text))


@revised.post(
    "/policy/validate",
    summary="What is wrong with a text, line by line; nothing is changed",
    responses=_REFUSALS,
)
async def validate(office: Desk, by: By, wanted: Candidate) -> Validated:
    return Validated.model_validate(await policies.validate(office, by, wanted.text))


@revised.put(
    "/policy", summary="Apply a policy: it holds on all workers when this answers", responses=_REFUSALS
)
async def apply(
    office: Desk, by: By, wanted: PolicyWanted, response: Response, when: Conditional
) -> PolicyApplied:
    made = await policies.apply(office, by, wanted.text, _base(when), wanted.message, wanted.force)
    return _applied(made, response)


@revised.post(
    "/policy/rollback",
    summary="Apply the text of an earlier revision again, as a new one",
    responses=_REFUSALS,
)
async def roll_back(
    office: Desk, by: By, wanted: Restored, response: Response, when: Conditional
) -> PolicyApplied:
    made = await policies.roll_back(office, by, wanted.revision, _base(when), wanted.message, wanted.force)
    return _applied(made, response)


def _base(when: Conditions) -> int | None:
    """The revision that a strong entity tag names; None where there is none: the verb says so. Raises
    Changed."""
    if when.none_match is not None:
        raise Changed
    found = re.fullmatch(r'"([1-9][0-9]{0,8})"', ",".join(when.match or ()).strip())
    return None if found is None else int(found[1])


def _applied(made: policies.Applied, response: Response) -> PolicyApplied:
    response.headers["etag"] = f'"{made.revision.number}"'
    return PolicyApplied(changed=made.changed, made=RevisionShown.of(made.revision))
