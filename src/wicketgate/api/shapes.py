"""What the API takes and gives, as JSON. Times are wall clock, ns since the epoch, as in the journal."""

import re
from dataclasses import asdict
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from wicketgate.admin import access
from wicketgate.admin.authorize import Actor
from wicketgate.admin.ports import Office
from wicketgate.admin.replay import Replay
from wicketgate.model.identity import IdentityKind
from wicketgate.model.resource import Resource
from wicketgate.model.statement import Effect
from wicketgate.model.task import Task
from wicketgate.model.token import ServiceAccount, TokenRecord

SECOND = 1_000_000_000
NAME = r"^[A-Za-z0-9](?:[A-Za-z0-9._@-]{0,61}[A-Za-z0-9])?$"
"""What may name an identity."""
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")


class Strict(BaseModel):
    """A request: an unknown key is an error, nothing is coerced."""

    model_config = ConfigDict(extra="forbid", strict=True, hide_input_in_errors=True)

    @model_validator(mode="before")
    @classmethod
    def _text(cls, sent: Any) -> Any:
        """No text may hold what no store takes: a null, or half of a surrogate pair."""
        left = [sent]
        while left:
            each = left.pop()
            if isinstance(each, dict):
                left += [*each.keys(), *each.values()]
            elif isinstance(each, list):
                left += each
            elif isinstance(each, str) and _UNSTORABLE.search(each):
                raise ValueError("a text holds a character that can't be kept")
        return sent


class TaskWanted(Strict):
    """What a token is for. behalf: a local account of a human. name: of the task; null: made up. agent: null:
    the identity. effects, relations (full names), rows: what it declares; what is empty or null is bound by
    policy alone."""

    purpose: str = Field(min_length=1, max_length=200)
    behalf: str = Field(min_length=1, max_length=63)
    name: str | None = Field(None, max_length=63)
    agent: str | None = Field(None, max_length=63)
    crew: str | None = Field(None, max_length=63)
    effects: list[str] = Field(default_factory=list, max_length=8)
    relations: list[str] = Field(default_factory=list, max_length=256)
    rows: int | None = Field(None, ge=1, le=(1 << 53) - 1)


class TaskShown(BaseModel):
    """What a token is for."""

    name: str
    purpose: str
    behalf: str
    agent: str
    crew: str | None
    effects: list[str]
    relations: list[str]
    rows: int | None

    @classmethod
    def of(cls, record: TokenRecord | None) -> "TaskShown | None":
        task = None if record is None else record.task
        return None if task is None else cls.model_validate(task.replicated())


class PartyShown(BaseModel):
    """Who stands behind an exchanged token. issuer: its name in the policy; null: an account here."""

    credential: str
    issuer: str | None


class ExchangeShown(BaseModel):
    """What an exchanged token was made of, and holds no longer than."""

    human: PartyShown
    agent: PartyShown

    @classmethod
    def of(cls, record: TokenRecord | None) -> "ExchangeShown | None":
        exchange = None if record is None else record.exchange
        if exchange is None:
            return None
        human, agent = (
            PartyShown(credential=each.credential, issuer=None if each.proof is None else each.proof.issuer)
            for each in (exchange.human, exchange.agent)
        )
        return cls(human=human, agent=agent)


class TokenWanted(Strict):
    """A new token. create: make the identity if there is none. lifetime: seconds; null: it does not end.
    resources, rules, networks (CIDR): what it is scoped to; empty: not by these. Rules are those that may
    permit: the others bind it all the same."""

    identity: str = Field(pattern=NAME)
    kind: str = Field("service", pattern="^(human|service|agent)$")
    groups: list[str] = Field(default_factory=list, max_length=64)
    resources: list[str] = Field(default_factory=list, max_length=256)
    lifetime: int | None = Field(None, ge=1, le=10 * 366 * 86400)
    rules: list[str] = Field(default_factory=list, max_length=256)
    networks: list[str] = Field(default_factory=list, max_length=64)
    task: TaskWanted | None = None
    note: str = Field("", max_length=500)
    create: bool = False


class TokenShown(BaseModel):
    """A token, without its text."""

    id: str
    identity: str
    created: int
    expires: int | None
    resources: list[str]
    rules: list[str]
    networks: list[str]
    task: TaskShown | None
    exchange: ExchangeShown | None
    note: str
    last_used: int | None
    revoked: int | None
    holds: bool

    @classmethod
    def of(cls, record: TokenRecord, now: int) -> "TokenShown":
        return cls(
            id=record.id,
            identity=record.identity,
            created=record.created,
            expires=record.expires,
            resources=sorted(record.resources),
            rules=sorted(record.rules),
            networks=sorted(record.networks),
            task=TaskShown.of(record),
            exchange=ExchangeShown.of(record),
            note=record.note,
            last_used=record.last_used,
            revoked=record.revoked,
            holds=record.holds(now),
        )


class TokenIssued(TokenShown):
    """A new token. token: its text, shown this once."""

    token: str
    created_identity: bool


class SelfShown(BaseModel):
    """roles: what else than an admin it is, each with the resources that it reaches (null: all).
    resources, rules, networks: that the token is scoped to; empty: all."""

    name: str
    how: str
    groups: list[str]
    administrator: bool
    roles: dict[str, list[str] | None] = Field(default_factory=dict)
    credential_id: str | None
    resources: list[str]
    rules: list[str] = Field(default_factory=list)
    networks: list[str] = Field(default_factory=list)
    task: TaskShown | None = None
    exchange: ExchangeShown | None = None

    @classmethod
    def of(cls, actor: Actor) -> "SelfShown":
        token = actor.token
        return cls(
            name=actor.name,
            how=actor.how,
            groups=sorted(actor.groups),
            administrator=actor.administrator,
            roles={
                role.value: None if reach is None else sorted(reach) for role, reach in actor.duties.items()
            },
            credential_id=actor.credential_id,
            resources=sorted(actor.scope),
            rules=[] if token is None else sorted(token.rules),
            networks=[] if token is None else sorted(token.networks),
            task=TaskShown.of(token),
            exchange=ExchangeShown.of(token),
        )


class ResourceShown(BaseModel):
    """A resource; of its accounts only the names, of its sensitive columns only the number."""

    name: str
    protocol: str
    address: str
    databases: list[str]
    tls: str
    labels: dict[str, str]
    accounts: list[str]
    sensitive_columns: int

    @classmethod
    def of(cls, resource: Resource) -> "ResourceShown":
        return cls(
            name=resource.name,
            protocol=resource.protocol,
            address=f"{resource.host}:{resource.port}",
            databases=list(resource.databases),
            tls=resource.tls.value,
            labels=dict(resource.labels),
            accounts=sorted(resource.accounts),
            sensitive_columns=sum(len(columns) for columns in resource.sensitive.values()),
        )


class SessionShown(BaseModel):
    session: str
    state: str
    identity: str
    resource: str
    opened: int
    closed: int | None
    reason: str | None
    statements: int | None
    database: str | None
    account: str | None
    source: str | None
    node: str | None


class TableShown(BaseModel):
    columns: list[str]
    rows: list[list[str | None]]
    tag: str | None


class EventShown(BaseModel):
    """One event of a replay; a statement (`ask`) carries its answer."""

    q: int
    at: int
    kind: str
    text: str | None
    parameters: list[str | None] | None
    decision: str | None
    rules: list[str]
    effects: list[str]
    relations: list[str]
    message: str | None
    cause: str | None
    rows: int | None
    masked: dict[str, int]
    code: str | None
    tag: str | None
    duration: int | None
    tables: list[TableShown]
    notes: list[str]
    answered: bool
    truncated: bool
    length: int | None
    erased: bool


class ReplayShown(BaseModel):
    session: str
    identity: str
    groups: list[str]
    resource: str
    database: str
    account: str
    source: str
    acting: dict[str, str]
    opened: int
    closed: int | None
    reason: str | None
    whole: bool
    events: list[EventShown]

    @classmethod
    def of(cls, replay: Replay) -> "ReplayShown":
        return cls.model_validate(asdict(replay))


class StandingShown(BaseModel):
    """How the node stands."""

    ready: bool
    workers: int
    workers_wanted: int
    pids: dict[int, int]
    policy: str
    policy_error: str | None
    policy_revision: int | None
    store_away: bool
    draining: bool
    catalogs: dict[str, str | None]
    sessions: int


class Verified(BaseModel):
    """ok: every file, block and checkpoint agrees. findings: what does not, and how long the tail is."""

    ok: bool
    findings: list[str]
    facts: dict[str, Any]


class Health(BaseModel):
    status: str


async def issue(office: Office, by: Actor, wanted: TokenWanted) -> TokenIssued:
    """The verb, from JSON to JSON. Raises what admin/access.issue_token raises."""
    now = office.clock()
    try:
        account = ServiceAccount(wanted.identity, IdentityKind(wanted.kind), frozenset(wanted.groups))
        task = None if wanted.task is None else _task(office, wanted.identity, wanted.task)
    except ValueError as error:
        raise access.Refused(str(error)) from None
    issued = await access.issue_token(
        office,
        by,
        account,
        expires=None if wanted.lifetime is None else now + wanted.lifetime * SECOND,
        resources=frozenset(wanted.resources),
        note=wanted.note,
        create=wanted.create,
        rules=frozenset(wanted.rules),
        networks=frozenset(wanted.networks),
        task=task,
    )
    return TokenIssued(
        **TokenShown.of(issued.record, now).model_dump(),
        token=issued.secret.reveal().decode("ascii"),
        created_identity=issued.created_identity,
    )


def _task(office: Office, identity: str, wanted: TaskWanted) -> Task:
    """Raises ValueError."""
    return Task(
        name=f"t-{office.random(8).hex()}" if wanted.name is None else wanted.name,
        purpose=wanted.purpose,
        behalf=wanted.behalf,
        agent=identity if wanted.agent is None else wanted.agent,
        crew=wanted.crew,
        effects=frozenset(Effect(effect) for effect in wanted.effects),
        relations=frozenset(wanted.relations),
        rows=wanted.rows,
    )
