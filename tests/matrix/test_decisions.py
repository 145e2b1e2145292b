"""The example policy as a picture: who may do what, and what they see. Where the policy changes, it does.

`WICKET_WRITE_MATRIX=1 pytest tests/matrix` writes the picture anew; look at the difference before it goes in.
"""

import os
from collections.abc import Iterator
from pathlib import Path

from policy.samples import NOW, PROTOCOLS, context, facts, identity
from wicketgate.model.decision import Decision, Verdict
from wicketgate.model.identity import Identity, IdentityKind
from wicketgate.model.statement import UNKNOWN_FACTS, Facts
from wicketgate.policy.engine import Engine
from wicketgate.policy.load import load_sources, read_sources

PICTURE = Path(__file__).with_name("decisions.txt")
EXAMPLE = Path(__file__).parents[2] / "examples" / "wicket.yaml"
SENSITIVE = "email payment-card national-id free-text"
CUSTOMERS = "public.customers"

PEOPLE: tuple[tuple[Identity, str], ...] = (
    (identity("crew-bot", "crew-agents"), "reader"),
    (identity("crew-bot", "crew-agents"), "writer"),
    (identity("support-bot", "crew-agents", "support"), "reader"),
    (identity("support-bot", "crew-agents", "support"), "writer"),
    (identity("somebody", "dba", kind=IdentityKind.HUMAN), "reader"),
)

STATEMENTS: tuple[tuple[str, Facts], ...] = (
    ("BEGIN", facts("session", commands="begin", returns_rows=False)),
    ("SELECT 1", facts("read")),
    ("SELECT * FROM orders", facts("read", reads="public.orders", whole="public.orders")),
    ("SELECT email FROM customers WHERE id = 1", facts("read", reads=CUSTOMERS, classes=SENSITIVE)),
    ("SELECT * FROM customers", facts("read", reads=CUSTOMERS, whole=CUSTOMERS, classes=SENSITIVE)),
    (
        "SELECT id FROM customers WHERE email LIKE 'a%' LIMIT 5",
        facts("read", reads=CUSTOMERS, classes=SENSITIVE, steered="email"),
    ),
    (
        "SELECT id FROM customers WHERE ssn < '5' LIMIT 5",
        facts("read", reads=CUSTOMERS, classes=SENSITIVE, steered="national-id"),
    ),
    ("SELECT f(1)", facts("read", "unknown", functions="public.f", complete=False, opaque=True)),
    ("SELECT * FROM gone", facts("read", complete=False)),
    (
        "COPY orders TO STDOUT",
        facts("read", commands="copy_out", reads="public.orders", whole="public.orders"),
    ),
    ("INSERT INTO tickets …", facts("write", commands="insert", writes="public.tickets")),
    ("UPDATE customers …", facts("read", "write", commands="update", reads=CUSTOMERS, writes=CUSTOMERS)),
    ("DELETE FROM tickets …", facts("delete", commands="delete", writes="public.tickets")),
    ("DROP TABLE tickets", facts("define", commands="drop", writes="public.tickets")),
    ("GRANT …", facts("grant", commands="grant")),
    ("DO …", UNKNOWN_FACTS),
    ("(too large)", facts("unknown", complete=False, refusal="This statement is too large.")),
)


def picture() -> Iterator[str]:
    """The lines of the picture."""
    found = load_sources(read_sources(EXAMPLE), PROTOCOLS)
    engine, resource = Engine(found), found.resources["sales"]
    yield "examples/wicket.yaml: ✔ permitted, … reviewed first, ✘ denied; then what goes with it, or why"
    for who, account in PEOPLE:
        yield ""
        yield f"{who.name} ({who.kind.value}; {', '.join(sorted(who.groups))}) as {account} on sales"
        ruleset = engine.ruleset(who, resource, account, NOW)
        if ruleset is None:
            yield "  ✘ no session"
            continue
        denial = ruleset.admission(context())
        yield f"  {'✘' if denial else '✔'} a session{', read-only' if ruleset.read_only else ''}"
        for text, asked in STATEMENTS:
            yield from told(text, ruleset.decide(asked, context()))


def told(text: str, decision: Decision) -> Iterator[str]:
    observed = "".join(f"  (observed: {each.rule} would {each.would})" for each in decision.observed)
    if decision.verdict is Verdict.PERMIT:
        masks = " ".join(f"{name}={transform}" for name, transform in sorted(decision.mask.items()))
        limits = " ".join(f"{each.amount}-{each.what}-per-{each.per}" for each in decision.limits)
        yield f"  ✔ {text:<56}{masks}  {limits}{observed}".rstrip()
        return
    if decision.review is not None:
        yield f"  … {text:<56}review by {decision.review.seats()}{observed}"
        return
    assert decision.denial is not None
    yield f"  ✘ {text:<56}{decision.denial.kind}: {decision.denial.message}{observed}"


def test_the_picture_is_the_one_that_was_agreed() -> None:
    drawn = "\n".join(picture()) + "\n"
    if os.environ.get("WICKET_WRITE_MATRIX"):
        PICTURE.write_text(drawn, encoding="utf-8")
    assert drawn == PICTURE.read_text(encoding="utf-8")
