"""The verb that makes one token of two: an agent's and a human's, for one task (RFC 8693).
It must never give what one of the two tokens would not, nor hold longer than either; and chains are refused.
"""

import asyncio
import json
from dataclasses import dataclass
from typing import Any, Final

from wicketgate.admin.access import LONGEST_TASK, admin_line
from wicketgate.admin.authorize import Action, Actor, Thing, authorize
from wicketgate.admin.ports import LoadedPolicy, Office
from wicketgate.model.errors import GatewayError
from wicketgate.model.exchange import Exchange, party, shared
from wicketgate.model.identity import Identity, IdentityKind
from wicketgate.model.network import check_network
from wicketgate.model.secret import Secret
from wicketgate.model.statement import Effect
from wicketgate.model.task import Task
from wicketgate.model.token import TokenRecord

SECOND: Final = 1_000_000_000
MOST_HOLDING: Final = 1000
"""Exchanged tokens of one agent that hold at a time: a bound of what the store and workers keep."""


class ExchangeRefused(GatewayError):
    """What was asked for can't be given. code: as RFC 6749 section 5.2 and RFC 8693 section 2.2.2 name it."""

    def __init__(self, code: str, public: str) -> None:
        super().__init__(public)
        self.code = code


class TooManyHold(GatewayError):
    """The agent has as many exchanged tokens as it may have."""


@dataclass(frozen=True, slots=True)
class Proven:
    """Who was just proven by a token. token: what is kept of it; None: a trusted issuer's."""

    identity: Identity
    token: TokenRecord | None


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the new token is for. seconds: how long it is to hold. task: its name; None: made up. crew: one of
    the agent's groups. Of resources, rules and networks: no more than both tokens are good for."""

    purpose: str
    resources: frozenset[str]
    seconds: int
    task: str | None = None
    crew: str | None = None
    effects: frozenset[str] = frozenset()
    relations: frozenset[str] = frozenset()
    rows: int | None = None
    rules: frozenset[str] = frozenset()
    networks: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Exchanged:
    """The new token. secret is shown once and kept nowhere. seconds: whole ones that it holds from now on."""

    secret: Secret
    record: TokenRecord
    seconds: int


async def exchange_token(
    office: Office, actor: Actor, agent: Proven, human: Proven, wanted: Wanted
) -> Exchanged:
    """The agent's token to act for the human. actor: the agent. Recorded, stored, replicated; in that order.

    Raises ExchangeRefused, TooManyHold, NotAllowed.
    """
    thing = Thing("identity", agent.identity.name, agent.identity.name)
    authorize(actor, Action.EXCHANGE_TOKEN, thing)
    policy = office.control.policy()
    if policy is None or not policy.exchanges(agent.identity):
        raise ExchangeRefused("unauthorized_client", "this agent may not exchange tokens")
    _check_parties(agent, human)
    resources = _resources(policy, wanted, agent, human)
    rules = _rules(policy, wanted, agent)
    networks = _networks(wanted, agent, human)
    now = office.clock()
    ends = [now + wanted.seconds * SECOND]
    ends += [each for each in (agent.identity.valid_until, human.identity.valid_until) if each is not None]
    left = (min(ends) - now) // SECOND
    if not 0 < left <= LONGEST_TASK // SECOND:
        raise ExchangeRefused("invalid_request", "a task's token holds for a second to a day")
    if await office.holding(agent.identity.name, now) >= MOST_HOLDING:
        raise TooManyHold("this agent has too many exchanged tokens that hold: revoke some, or wait")
    try:
        secret, record = office.issue(
            agent.identity.name,
            now,
            office.random,
            expires=min(ends),
            resources=resources,
            note="exchanged",
            rules=rules,
            networks=networks,
            task=_task(office, wanted, agent, human),
            exchange=Exchange(party(human.identity), party(agent.identity)),
        )
    except ValueError as error:
        raise ExchangeRefused("invalid_request", str(error)) from None
    line = admin_line(
        actor,
        Action.EXCHANGE_TOKEN,
        thing,
        token=record.id,
        expires=record.expires,
        resources=sorted(resources),
        task=None if record.task is None else record.task.replicated(),
        human=_told(human.identity),
        agent=_told(agent.identity),
    )
    await asyncio.wrap_future(office.control.record(b"", line))
    await office.store.add_token(record)
    await asyncio.wrap_future(office.control.put("tokens", record.hash, record.replicated()))
    return Exchanged(secret, record, left)


def _told(identity: Identity) -> dict[str, Any]:
    """Who was proven, for the journal."""
    return {
        "name": identity.name,
        "subject": identity.subject,
        "issuer": identity.issuer,
        "how": identity.how,
        "groups": sorted(identity.groups),
        "credential": identity.credential_id,
    }


def _check_parties(agent: Proven, human: Proven) -> None:
    """An agent that acts for itself, and a human who is there himself. Raises ExchangeRefused."""
    for each in (agent, human):
        if (each.token is not None and each.token.task is not None) or "act" in _claims(each.identity):
            raise ExchangeRefused(
                "invalid_request", "a token that acts for somebody can't be exchanged again"
            )
    if agent.identity.kind is IdentityKind.HUMAN or agent.identity.name == human.identity.name:
        raise ExchangeRefused("unauthorized_client", "a human's token is no agent's")
    if human.identity.kind is not IdentityKind.HUMAN:
        raise ExchangeRefused("invalid_request", "the subject is no human")
    said = _claims(human.identity)
    if "may_act" in said and not _may_act(said["may_act"], agent.identity, human.identity):
        raise ExchangeRefused("invalid_request", "the subject's token names another who may act (may_act)")


def _claims(identity: Identity) -> dict[str, Any]:
    """What a trusted issuer's token said; of ours nothing."""
    found = {} if identity.proof is None else json.loads(identity.proof.claims)
    return found if isinstance(found, dict) else {}


def _may_act(allowed: Any, agent: Identity, human: Identity) -> bool:
    """Whether `may_act` (RFC 8693 section 4.4) speaks of the agent. What it says beyond `sub` and `iss` is
    known of no agent. Without `iss` it speaks of the human's issuer, or of an account of this gateway."""
    if not isinstance(allowed, dict) or not allowed.keys() <= {"sub", "iss"} or "sub" not in allowed:
        return False
    issuers = (allowed["iss"],) if "iss" in allowed else (human.issuer, "local")
    return bool(allowed["sub"] == agent.subject) and agent.issuer in issuers


def _resources(policy: LoadedPolicy, wanted: Wanted, agent: Proven, human: Proven) -> frozenset[str]:
    """Raises ExchangeRefused, alike for what is not there and for what a token is not for."""
    if not wanted.resources:
        raise ExchangeRefused("invalid_target", "name the resources that it is for (audience)")
    for scope in (agent.token, human.token):
        if scope is not None and scope.resources and not wanted.resources <= scope.resources:
            raise ExchangeRefused("invalid_target", "the tokens are not for this resource")
    if not wanted.resources <= policy.resources.keys():
        raise ExchangeRefused("invalid_target", "the tokens are not for this resource")
    return wanted.resources


def _rules(policy: LoadedPolicy, wanted: Wanted, agent: Proven) -> frozenset[str]:
    """Of the agent's half; the human's token binds his own for as long as it is used."""
    own: frozenset[str] = frozenset() if agent.token is None else agent.token.rules
    if wanted.rules - policy.permits or (own and not wanted.rules <= own):
        raise ExchangeRefused("invalid_request", "the agent's token is not for such a rule")
    return wanted.rules or own


def _networks(wanted: Wanted, agent: Proven, human: Proven) -> frozenset[str]:
    try:
        found: frozenset[str] | None = frozenset(check_network(each) for each in wanted.networks)
    except ValueError as error:
        raise ExchangeRefused("invalid_request", str(error)) from None
    for scope in (agent.token, human.token):
        if found is not None and scope is not None:
            found = shared(found, scope.networks)
    if found is None:
        raise ExchangeRefused("invalid_request", "from no network are both tokens good")
    return found


def _task(office: Office, wanted: Wanted, agent: Proven, human: Proven) -> Task:
    """Raises ExchangeRefused, and ValueError for what can't be declared."""
    if wanted.crew is not None and wanted.crew not in agent.identity.groups:
        raise ExchangeRefused("invalid_request", "the agent is in no group of the crew's name")
    try:
        effects = frozenset(Effect(each) for each in wanted.effects)
    except ValueError:
        raise ExchangeRefused("invalid_scope", "scope names effects: read, write, delete, …") from None
    return Task(
        name=f"t-{office.random(8).hex()}" if wanted.task is None else wanted.task,
        purpose=wanted.purpose,
        behalf=human.identity.name,
        agent=agent.identity.name,
        crew=wanted.crew,
        effects=effects,
        relations=wanted.relations,
        rows=wanted.rows,
    )
