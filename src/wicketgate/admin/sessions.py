"""The verbs on sessions, open and recorded. Each starts with authorize(); files are read on a thread."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from wicketgate.admin.access import NotFound
from wicketgate.admin.authorize import Action, Actor, Thing, authorize
from wicketgate.admin.ports import Key, Office
from wicketgate.admin.records import record, recorded_ending
from wicketgate.admin.replay import Replay, replay
from wicketgate.model.errors import StoreFailed


@dataclass(frozen=True, slots=True)
class SessionSummary:
    """An open or a recorded session. Times: wall clock ns.

    state: `open`, `closed`, or `lost` (it is not open, and nothing closed it: a worker died).
    node: another node that it is open on; None: this one. Only open ones are known of others."""

    session: str
    state: str
    identity: str
    resource: str
    opened: int
    closed: int | None = None
    reason: str | None = None
    statements: int | None = None
    database: str | None = None
    account: str | None = None
    source: str | None = None
    node: str | None = None


async def _summaries(office: Office) -> dict[str, SessionSummary]:
    # the journal first: what closes meanwhile then counts as open, never as lost
    recorded = await asyncio.to_thread(office.recordings.sessions)
    live = {row.session: row for row in office.control.sessions()}
    found: dict[str, SessionSummary] = {}
    for each in recorded:
        state = "closed" if each.closed is not None else "lost"
        found[each.session] = SessionSummary(
            each.session,
            state,
            each.identity,
            each.resource,
            each.opened,
            each.closed,
            each.reason,
            each.statements,
            each.database or None,
            each.account or None,
        )
    for session, row in live.items():
        before = found.get(session)
        found[session] = SessionSummary(
            session,
            "open",
            row.identity,
            row.resource,
            row.opened,
            statements=None if before is None else before.statements,
            database=row.database,
            account=row.account,
            source=row.source,
        )
    if office.others is not None:
        with suppress(StoreFailed):  # what is open here is known without the store
            for other in await office.others.elsewhere(office.node):
                found[other.session] = SessionSummary(
                    other.session,
                    "open",
                    other.identity,
                    other.resource,
                    other.opened,
                    database=other.database,
                    account=other.account,
                    source=other.source,
                    node=other.node_name or other.node[:8],
                )
    return found


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which sessions; None and empty: any. begins: digits that the id begins with. since, until: when it was
    opened (wall clock ns; until: before that). after: opened and id; what comes behind, newest first."""

    identity: str | None = None
    resource: str | None = None
    state: str | None = None
    begins: str = ""
    since: int = 0
    until: int | None = None
    after: Key | None = None

    def fits(self, each: SessionSummary) -> bool:
        return (
            self.identity in (None, each.identity)
            and self.resource in (None, each.resource)
            and self.state in (None, each.state)
            and each.session.startswith(self.begins)
            and each.opened >= self.since
            and (self.until is None or each.opened < self.until)
            and (self.after is None or (each.opened, each.session) < self.after)
        )


async def list_sessions(
    office: Office, actor: Actor, wanted: Wanted, most: int | None = 100
) -> list[SessionSummary]:
    """The newest `most` sessions, newest first: the actor's own, of its scope's resources, and those that
    its roles reach."""
    action = Action.LIST_SESSIONS
    authorize(actor, action, Thing("sessions", wanted.identity or "", wanted.identity))
    found = [
        each
        for each in (await _summaries(office)).values()
        if wanted.fits(each)
        and (
            actor.reaches(action, each.resource)
            or (each.identity == actor.name and actor.covers(each.resource) and not actor.narrow)
        )
    ]
    found.sort(key=lambda each: (each.opened, each.session), reverse=True)
    return found[:most]


async def _session(office: Office, actor: Actor, action: Action, session: str) -> SessionSummary:
    found = (await _summaries(office)).get(session)
    # whose it was is not known where it is encrypted and the key is not at hand: then it is nobody's
    owner, resource = (None, None) if found is None else (found.identity or None, found.resource or None)
    authorize(actor, action, Thing("session", session, owner, resource))
    if found is None:
        raise NotFound(f"no session has the id {session}")
    return found


def _recorded_here(found: SessionSummary) -> None:
    """Each node keeps its own journal. Raises NotFound."""
    if found.node is not None:
        raise NotFound(f"the recording of {found.session} is on node {found.node}: ask there")


async def show_session(office: Office, actor: Actor, session: str) -> SessionSummary:
    """One session. Raises NotFound; NotAllowed for whoever may not know whether it exists."""
    return await _session(office, actor, Action.SHOW_SESSION, session)


async def replay_session(office: Office, actor: Actor, session: str) -> Replay:
    """One session's events as people read them. Seeing a recording is itself recorded, before."""
    action = Action.REPLAY_SESSION
    found = await _session(office, actor, action, session)
    _recorded_here(found)
    await _record(office, actor, action, found)
    lines = await asyncio.to_thread(office.recordings.lines, session)
    policy = office.control.policy()
    protocols = {} if policy is None else {name: each.protocol for name, each in policy.resources.items()}
    told = await asyncio.to_thread(replay, session, lines, office.show, protocols)
    if not actor.reaches(action, found.resource):
        # why a statement was denied is for those who run the gateway; its client was told the message
        for event in told.events:
            event.cause = None
    return told


async def export_session(office: Office, actor: Actor, session: str) -> bytes:
    """One session with its proof, as a file's bytes. Taking it out is itself recorded, before."""
    found = await _session(office, actor, Action.EXPORT_SESSION, session)
    _recorded_here(found)
    await _record(office, actor, Action.EXPORT_SESSION, found)
    content = await asyncio.to_thread(office.recordings.export, session)
    if content is None:
        raise NotFound(f"no recording has the id {session}")
    return content


async def terminate_session(office: Office, actor: Actor, session: str) -> None:
    """End an open session. Raises NotFound if it is not open (any more)."""
    action = Action.TERMINATE_SESSION
    found = await _session(office, actor, action, session)
    if found.state != "open":
        raise NotFound(f"the session {session} is not open")
    thing, more = _told(found)
    async with recorded_ending(office, actor, action, thing, **more):
        if not await asyncio.wrap_future(office.control.end_session(session, "terminated")):
            raise NotFound(f"the session {session} is not open")


async def verify_journal(office: Office, actor: Actor) -> Mapping[str, Any]:
    """The whole journal, verified from its files: {"ok": bool, "findings": [text], "facts"}. Raises Refused
    while another verification is under way."""
    authorize(actor, Action.VERIFY_JOURNAL, Thing("journal"))
    return await office.audit()


def _told(found: SessionSummary) -> tuple[Thing, dict[str, str]]:
    """A session, and whose it is and where, for the journal."""
    return Thing("session", found.session), {"identity": found.identity, "resource": found.resource}


async def _record(office: Office, actor: Actor, action: Action, found: SessionSummary) -> None:
    thing, more = _told(found)
    await record(office, actor, action, thing, **more)
