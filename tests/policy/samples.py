"""What the policy's tests share: two protocols, a policy to start from, identities, facts."""

from collections.abc import Mapping
from typing import Any

from wicketgate.model.decision import Decision, Verdict
from wicketgate.model.errors import PolicyError
from wicketgate.model.identity import Identity, IdentityKind
from wicketgate.model.resource import TlsMode
from wicketgate.model.statement import Effect, Facts
from wicketgate.policy.engine import Context, Engine, Ruleset
from wicketgate.policy.load import Policy, ProtocolRules, load

NOW = 1_800_000_000_000_000_000
"""2027-01-15T08:00:00Z, ns."""


def validate(settings: Mapping[str, Any]) -> Mapping[str, Any]:
    for key in settings:
        if key != "functions":
            raise ValueError((key, f"unknown setting {key!r}"))
    return dict(settings)


def check_column(key: str) -> None:
    if len(key.split(".")) != 3 or not all(key.split(".")):
        raise ValueError("a sensitive column is written schema.table.column")


ALL = frozenset({"redact", "null", "last4", "partial", "truncate", "pseudonym"})
PROTOCOLS = {
    "postgres": ProtocolRules("postgres", 5432, validate, check_column, ALL),
    "plain": ProtocolRules(
        "plain",
        7000,
        validate,
        check_column,
        frozenset({"redact"}),
        frozenset({TlsMode.DISABLE, TlsMode.VERIFY_FULL}),
        databases=False,
    ),
}

RESOURCES = """\
resources:
  sales:
    protocol: postgres
    address: db.internal:5432
    databases: [sales, archive]
    labels: {env: prod}
    accounts:
      reader: {username: ro, password: {env: SALES_RO}}
      writer: {username: rw, password: {env: SALES_RW}}
    sensitive:
      sales:
        public.customers.email: email
        public.customers.card: payment-card
        public.customers.ssn: national-id
  notes:
    protocol: postgres
    address: db.internal
    databases: [notes]
    labels: {env: test}
    accounts: {reader: {username: ro}}
"""


def policy(rules: str, resources: str = RESOURCES) -> Policy:
    """The policy of the rules, as `rules:` has them, over the sample resources."""
    return load(f"{resources}{rules}", "wicket.yaml", PROTOCOLS)


def faults(text: str, protocols: Mapping[str, ProtocolRules] = PROTOCOLS) -> list[str]:
    """What is wrong with a text, a line each; none: nothing."""
    try:
        load(text, "wicket.yaml", protocols)
    except PolicyError as error:
        return error.public.splitlines()
    return []


def identity(name: str = "crew-bot", *groups: str, **other: Any) -> Identity:
    return Identity(
        name, name, "local", other.pop("kind", IdentityKind.AGENT), "token", frozenset(groups), **other
    )


def facts(*effects: str, commands: str = "select", **other: Any) -> Facts:
    """effects by name; lists as sets."""
    made = {
        key: frozenset(value.split()) if isinstance(value, str) and key != "refusal" else value
        for key, value in other.items()
    }
    return Facts(frozenset(Effect(each) for each in effects), frozenset(commands.split()), **made)


def session(found: Policy, who: Identity, resource: str = "sales", account: str = "reader") -> Ruleset | None:
    return Engine(found).ruleset(who, found.resources[resource], account, NOW)


def context(database: str | None = "sales", **other: Any) -> Context:
    return Context(other.pop("now", NOW), database, **other)


CREW = identity("crew-bot", "crew")
READ = facts("read", reads="public.customers", classes="email payment-card national-id")
BEGIN = facts("session", commands="begin", returns_rows=False)
READS = (
    "{name: crews read, identities: {groups: [crew]}, resources: [sales], account: reader, permit: [read]}"
)

REVEAL = "identities: any, resources: any, reveal: [email]"


def opened(rules: str, who: str = "", resources: str = RESOURCES, **where: str) -> Ruleset:
    found = session(policy(f"rules: [{rules}]", resources), identity(who) if who else CREW, **where)
    assert found is not None
    return found


def decide(rules: str, asked: Facts = READ, database: str | None = "sales", now: int = NOW) -> Decision:
    return opened(rules).decide(asked, context(database, now=now))


def told(decision: Decision) -> tuple[str, str, str | None]:
    assert decision.denial is not None
    assert decision.verdict is Verdict.DENY
    return decision.denial.kind, decision.denial.message, decision.denial.hint
