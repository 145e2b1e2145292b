"""The verbs on who may reach what, and what of it is used. Each starts with authorize().
They must never change the policy: a suggestion is a text, and somebody else's to apply."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

from wicketgate.admin.access import Refused, admin_line
from wicketgate.admin.authorize import Action, Actor, Thing, authorize
from wicketgate.admin.history import Texts
from wicketgate.admin.ports import Office
from wicketgate.model.grant import Grant
from wicketgate.model.usage import DAY, Member, Use
from wicketgate.policy.document import Source
from wicketgate.policy.granted import Granted, Line, granted, keys, lines, with_uses
from wicketgate.policy.load import Policy
from wicketgate.policy.narrowing import differences, settle
from wicketgate.policy.rewriting import difference, rewrite

MOST_USES: Final = 20_000
"""Kinds of use that a suggestion is checked by, each against two policies."""


@dataclass(frozen=True, slots=True)
class Changed:
    """One identity's groups changed. at: wall ns."""

    at: int
    identity: str
    issuer: str
    added: frozenset[str]
    removed: frozenset[str]
    gone: bool


@dataclass(frozen=True, slots=True)
class Since:
    """What changed since the last report that was kept. added, removed: what is granted, an effect each."""

    at: int
    author: str
    policy_changed: bool
    added: tuple[tuple[str, ...], ...]
    removed: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Report:
    """at, since: wall ns. begins: when the history does; None: nothing was recorded. lost: uses that nothing
    is known of. former: what was used and is not granted now. groups: changes in that time. last: None: no
    report was kept. grants: those that were in force in that time, used or not."""

    at: int
    since: int
    begins: int | None
    lost: int
    policy: str
    lines: list[Line]
    former: list[Use]
    groups: list[Changed]
    last: Since | None
    grants: Sequence[Grant] = ()

    @property
    def covered(self) -> bool:
        """Whether the history reaches back as far as the report."""
        return self.begins is not None and self.begins <= self.since and not self.lost


@dataclass(frozen=True, slots=True)
class Suggestion:
    """difference: for the policy's files, as `patch` takes it; empty: nothing can be left out. told: the same
    in words. covered: whether the history reaches back so far. uses: kinds of use that it was checked by."""

    difference: str
    told: list[str]
    since: int
    begins: int | None
    covered: bool
    uses: int


async def see_access(
    office: Office, actor: Actor, days: int, identity: str | None = None, resource: str | None = None
) -> Report:
    """Who may reach what by the policy that holds, and what of it was used in so many days."""
    authorize(actor, Action.SEE_ACCESS, Thing("access", identity or "", None, resource))
    return await _report(office, days, identity, resource)


async def keep_access(office: Office, actor: Actor, days: int) -> Report:
    """The whole report, kept: what the next one says has changed, it says by this one."""
    thing = Thing("access")
    authorize(actor, Action.KEEP_ACCESS, thing)
    report = await _report(office, days, None, None)
    line = admin_line(actor, Action.KEEP_ACCESS, thing, policy=report.policy)
    await asyncio.wrap_future(office.control.record(b"", line))
    told = [each.granted.told() for each in report.lines]
    await office.history.keep_report(report.at, actor.name[:200], report.policy, told)
    return report


async def suggest_access(office: Office, actor: Actor, days: int) -> Suggestion:
    """A narrower policy, by what was used in so many days. Raises Refused where that is not known."""
    authorize(actor, Action.SUGGEST_ACCESS, Thing("access"))
    texts = _texts(office)
    since = office.clock() - days * DAY
    uses, lost = await office.history.uses(since)
    begins = await office.history.begins()
    if lost:
        raise Refused(f"{lost} uses in these days are not known: what they needed can't be told")
    if not uses:
        raise Refused("nothing was used in these days: all of the policy could be left out")
    if len(uses) > MOST_USES:
        raise Refused(f"more than {MOST_USES} kinds of use: ask for fewer days")
    changed, told = await asyncio.to_thread(_suggested, texts, uses)
    covered = begins is not None and begins <= since
    return Suggestion(changed, told, since, begins, covered, len(uses))


def _suggested(texts: Texts, uses: Sequence[Use]) -> tuple[str, list[str]]:
    sources = texts.sources()
    policy = texts.compile(sources)
    found, _ = settle(policy, uses, partial(_written, sources), texts.compile)
    return difference(sources, found), differences(policy, texts.compile(found))


def _written(sources: Sequence[Source], wanted: Any) -> tuple[Source, ...]:
    return rewrite(sources, wanted)


# -- the report ---------------------------------------------------------------------------------------------
def _texts(office: Office) -> Texts:
    if office.texts is None or not office.texts.sources():
        raise Refused("there is no policy here that holds")
    return office.texts


async def _report(office: Office, days: int, identity: str | None, resource: str | None) -> Report:
    texts = _texts(office)
    now = office.clock()
    since = now - days * DAY
    history = office.history
    members = await _members(office)
    chosen = [each for each in members if identity is None or each.name == identity]
    uses, lost = await history.uses(since, identity, resource)
    changes = await history.changes(since)
    earlier = await history.before(since)
    kept = await history.last_report()
    policy, found = await asyncio.to_thread(_granted, texts, chosen, resource)
    told, former = await asyncio.to_thread(lines, found, uses)
    last = None
    if kept is not None:
        asked = [
            each
            for each in kept.granted
            if identity in (None, each["identity"]) and resource in (None, each["resource"])
        ]
        before, after = keys(asked), keys(each.told() for each in found)
        last = Since(
            kept.at,
            kept.author,
            kept.policy != policy.digest,
            tuple(sorted(after - before)),
            tuple(sorted(before - after)),
        )
    groups = [each for each in _changed(changes, earlier) if identity in (None, each.identity)]
    given = [
        each
        for each in await office.grants.since(since)
        if identity in (None, each.identity) and resource in (None, each.resource)
    ]
    if given:
        daily, _ = await history.uses(since, identity, resource, daily=True)
        given = await asyncio.to_thread(with_uses, given, daily)
    begins = await history.begins()
    return Report(now, since, begins, lost, policy.digest, told, former, groups, last, given)


def _granted(texts: Texts, members: Sequence[Member], resource: str | None) -> tuple[Policy, list[Granted]]:
    policy = texts.compile(texts.sources())
    return policy, granted(policy, members, resource)


async def _members(office: Office) -> list[Member]:
    """All who may come: the accounts as they are now, and whom issuers proved, as they were last."""
    accounts = office.unite(await office.store.identities())
    local = [
        Member(name, "local", each.kind.value, name, each.groups)
        for name, each in accounts.items()
        if each.disabled is None
    ]
    seen = [each for each in await office.history.members() if each.issuer != "local" and not each.gone]
    return local + [each for each in seen if each.name not in accounts]


def _changed(changes: Sequence[tuple[int, Member]], earlier: dict[str, Member]) -> list[Changed]:
    """Each change of groups, by what was before it."""
    known = dict(earlier)
    found = []
    for at, member in changes:
        before = known.get(member.name) or replace(member, groups=frozenset())
        if before.groups != member.groups or before.gone != member.gone:
            added, removed = member.groups - before.groups, before.groups - member.groups
            found.append(Changed(at, member.name, member.issuer, added, removed, member.gone))
        known[member.name] = member
    return found
