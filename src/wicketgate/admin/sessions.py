"""The verbs on sessions, open and recorded. Each starts with authorize(); files are read on a thread."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from wicketgate.admin.access import NotFound, admin_line
from wicketgate.admin.authorize import Action, Actor, Thing, authorize
from wicketgate.admin.ports import Office
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


async def list_sessions(
    office: Office, actor: Actor, *, identity: str | None = None, only_open: bool = False, most: int = 100
) -> list[SessionSummary]:
    """The newest `most` sessions, newest first; one identity's, or all; of its scope's resources."""
    authorize(actor, Action.LIST_SESSIONS, Thing("sessions", identity or "", identity))
    found = [
        each
        for each in (await _summaries(office)).values()
        if (identity is None or each.identity == identity)
        and (not only_open or each.state == "open")
        and actor.covers(each.resource)
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
    """One session's events as people read them. Seeing a recording is itself recorded."""
    _recorded_here(await _session(office, actor, Action.REPLAY_SESSION, session))
    await _record(office, actor, Action.REPLAY_SESSION, session)
    lines = await asyncio.to_thread(office.recordings.lines, session)
    policy = office.control.policy()
    protocols = {} if policy is None else {name: each.protocol for name, each in policy.resources.items()}
    told = await asyncio.to_thread(replay, session, lines, office.show, protocols)
    if not actor.administrator:
        # why a statement was denied is for those who run the gateway; its client was told the message
        for event in told.events:
            event.cause = None
    return told


async def export_session(office: Office, actor: Actor, session: str) -> bytes:
    """One session with its proof, as a file's bytes. Taking it out is itself recorded."""
    _recorded_here(await _session(office, actor, Action.EXPORT_SESSION, session))
    await _record(office, actor, Action.EXPORT_SESSION, session)
    content = await asyncio.to_thread(office.recordings.export, session)
    if content is None:
        raise NotFound(f"no recording has the id {session}")
    return content


async def terminate_session(office: Office, actor: Actor, session: str) -> None:
    """End an open session. Raises NotFound if it is not open (any more)."""
    await _session(office, actor, Action.TERMINATE_SESSION, session)
    if not await asyncio.wrap_future(office.control.end_session(session, "terminated")):
        raise NotFound(f"the session {session} is not open")
    await _record(office, actor, Action.TERMINATE_SESSION, session)


async def verify_journal(office: Office, actor: Actor) -> Mapping[str, Any]:
    """The whole journal, verified from its files: {"ok": bool, "findings": [text], "facts"}. Raises Refused
    while another verification is under way."""
    authorize(actor, Action.VERIFY_JOURNAL, Thing("journal"))
    return await office.audit()


async def _record(office: Office, actor: Actor, action: Action, session: str) -> None:
    line = admin_line(actor, action, Thing("session", session))
    await asyncio.wrap_future(office.control.record(b"", line))
