"""A narrower policy: it loads, lets through all that was used, and never what was not let through before."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from functools import lru_cache, partial
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policy.samples import NOW, PROTOCOLS, RESOURCES, facts, identity
from wicketgate.model.decision import Decision
from wicketgate.model.identity import Identity
from wicketgate.model.statement import Facts
from wicketgate.model.usage import Use, shape
from wicketgate.policy.document import Source
from wicketgate.policy.engine import Context, Engine
from wicketgate.policy.load import Policy, load_sources
from wicketgate.policy.narrowing import check_narrower, differences, settle
from wicketgate.policy.rewriting import difference, rewrite

EXAMPLE = Path(__file__).parents[2] / "examples" / "wicket.yaml"


def compiled(sources: Sequence[Source]) -> Policy:
    return load_sources(sources, PROTOCOLS)


def narrowed(sources: Sequence[Source], uses: Sequence[Use]) -> tuple[Sequence[Source], Policy, Policy]:
    old = compiled(sources)
    found, _ = settle(old, uses, partial(rewrite, sources), compiled)
    return found, old, compiled(found)


@lru_cache(4)
def engine(policy: Policy) -> Engine:
    return Engine(policy)


def decide(policy: Policy, who: Identity, where: str, account: str, asked: Facts) -> Decision | None:
    rules = engine(policy).ruleset(who, policy.resources[where], account, NOW)
    return None if rules is None else rules.decide(asked, Context(NOW, policy.resources[where].databases[0]))


def used(policy: Policy, who: Identity, where: str, account: str, asked: Facts, count: int = 1) -> Use | None:
    """The use that a gateway would have counted; None: it was denied."""
    decided = decide(policy, who, where, account, asked)
    if decided is None or decided.denial is not None:
        return None
    database = policy.resources[where].databases[0]
    return Use(shape(who, where, database, account, asked, decided.rules), count, NOW, NOW)


TEXT = """\
# who may do what
gateway:
  database_url: postgresql://wicket:hunter2@state/wicket
rules:  # the order does not matter
  # crews
  - name: crews  # by day and by night
    identities:
      groups:
        - crew      # all of them
        - interns   # since May
      names: [ana]
    resources: [sales, notes]  # both
    account: reader
    permit: [read, execute, unknown]

  # jobs write
  - {name: jobs, identities: [nightly, weekly], resources: [sales], account: writer, permit: [read, write]}
  # nobody needs this
  - name: auditors
    identities: {groups: [audit]}
    resources: [sales]
    account: reader
    permit: [read]
    # reveals as well
    reveal: [email]
  - name: tickets
    identities: [clerk]
    resources: [sales]
    account: reader
    permit:
      - read
      - delete
    when: statement.reads("public.a") || statement.reads('public.b') || statement.reads("public.c")

  # never
  - name: never drop
    when: statement.does("drop")
    deny: Not here.
# the end
"""
CREW = identity("x", "crew")
NIGHTLY, CLERK = identity("nightly"), identity("clerk")


def test_what_was_not_used_is_left_out_and_nothing_else_changes(tmp_path: Path) -> None:
    sources = (Source("wicket.yaml", RESOURCES + TEXT),)
    policy = compiled(sources)
    uses = [
        used(policy, CREW, "sales", "reader", facts("read", reads="public.a")),
        used(policy, NIGHTLY, "sales", "writer", facts("write", writes="public.b")),
        used(policy, CLERK, "sales", "reader", facts("read", reads="public.b")),
    ]
    found, old, new = narrowed(sources, [use for use in uses if use is not None])
    told = difference(sources, found)
    assert told == (Path(__file__).parent / "narrower.diff").read_text()
    assert differences(old, new) == [
        "rule 'crews': without effects execute, unknown; identities ana; groups interns; resources notes",
        "rule 'jobs': without effects read; identities weekly",
        "rule 'auditors': left out",
        "rule 'tickets': without effects delete; reads public.a; reads public.c",
    ]
    assert "hunter2" not in told
    # it is a difference that others understand
    (tmp_path / "wicket.yaml").write_text(RESOURCES + TEXT)
    subprocess.run(["patch", "-p0", "--fuzz=0"], input=told, text=True, cwd=tmp_path, check=True)
    assert (tmp_path / "wicket.yaml").read_text() == found[0].text
    for comment in ("# who may do what", "# crews\n", "# jobs write", "# never\n", "# the end", "# both"):
        assert comment in found[0].text
    # there is nothing more to leave out
    again, _, _ = narrowed(found, [use for use in uses if use is not None])
    assert difference(found, again) == ""


def test_settings_are_never_shown() -> None:
    text = (
        "rules:\n  - {name: a, identities: [x], resources: [sales], account: reader, permit: [read, write]}\n"
        "gateway:\n  database_url: postgresql://wicket:hunter2@state/wicket\n"
    )
    sources = (Source("w.yaml", RESOURCES + text),)
    use = used(compiled(sources), identity("x"), "sales", "reader", facts("read"))
    assert use is not None
    found, _, _ = narrowed(sources, [use])
    told = difference(sources, found)
    assert "permit: [read]}" in told
    assert "hunter2" not in told
    assert "gateway" not in told


MASKS = """\
rules:
  - {name: a, identities: {groups: [g, h]}, resources: [sales], account: reader, permit: [read, write],
     mask: {email: last4}}
  - {name: b, identities: {names: [x]}, resources: [sales], account: reader, permit: [read], reveal: [email]}
"""


def test_what_restrains_others_stays() -> None:
    """Without rule a, rule b would show emails to who is in g."""
    sources = (Source("w.yaml", RESOURCES + MASKS),)
    use = used(compiled(sources), identity("x"), "sales", "reader", facts("read"))
    assert use is not None
    found, _, _ = narrowed(sources, [use])
    assert "mask: {email: last4}" in found[0].text
    assert "groups: [g, h]" in found[0].text
    assert "permit" not in found[0].text.splitlines()[-2]


@pytest.mark.parametrize(
    "wider",
    [
        ("permit: [read, write]", "permit: [read, write, delete]"),
        ("[g, h]", "[g, h, i]"),
        (
            "resources: [sales], account: reader, permit: [read], reveal",
            "resources: any, account: reader, permit: [read], reveal",
        ),
        ("reveal: [email]", "reveal: [email, payment-card]"),
        ("mask: {email: last4}", "mask: {email: null}"),
        ("names: [x]", "names: [y]"),
        ("env: prod", "env: other"),
        ("- {name: b", "- {name: c"),
    ],
)
def test_a_text_that_says_more_is_no_narrower_one(wider: tuple[str, str]) -> None:
    before, after = RESOURCES + MASKS, (RESOURCES + MASKS).replace(*wider)
    assert before != after
    with pytest.raises(Exception, match=r"another policy|more than rules"):
        check_narrower(compiled((Source("w", before),)), compiled((Source("w", after),)))


# -- for any policy and any history -------------------------------------------------------------------------
NAMES, GROUPS, EFFECTS = ["x", "y", "z"], ["g", "h"], ["read", "write", "delete", "execute"]
RELATIONS = ["public.a", "public.b"]
PLACES = [("sales", "reader"), ("sales", "writer"), ("notes", "reader")]
some = partial(st.lists, unique=True)


@st.composite
def rules(draw: st.DrawFn) -> str:
    written = []
    for at in range(draw(st.integers(1, 5))):
        who = draw(
            st.one_of(
                some(st.sampled_from(NAMES), min_size=1).map(lambda found: f"[{', '.join(found)}]"),
                st.just("any"),
                st.tuples(
                    some(st.sampled_from(NAMES), min_size=1), some(st.sampled_from(GROUPS), min_size=1)
                ).map(lambda found: f"{{names: [{', '.join(found[0])}], groups: [{', '.join(found[1])}]}}"),
                some(st.sampled_from(GROUPS), min_size=1).map(
                    lambda found: f"{{groups: [{', '.join(found)}]}}"
                ),
            )
        )
        account = draw(st.sampled_from(["reader", "writer"]))
        where = draw(
            some(st.sampled_from(["sales", "notes"] if account == "reader" else ["sales"]), min_size=1)
        )
        keys = [
            f"name: r{at}",
            f"identities: {who}",
            f"resources: [{', '.join(where)}]",
            f"account: {account}",
        ]
        keys.append(f"permit: [{', '.join(draw(some(st.sampled_from(EFFECTS), min_size=1)))}]")
        if draw(st.booleans()) and "sales" in where:
            keys.append(
                draw(st.sampled_from(["mask: {email: last4}", "mask: {'*': null}", "reveal: [email]"]))
            )
        if draw(st.integers(0, 3)) == 0:
            keys.append("limits: {rows: 10 per hour}")
        if draw(st.integers(0, 2)) == 0:
            asked = draw(some(st.sampled_from(RELATIONS), min_size=1))
            keys.append("when: " + " || ".join(f'statement.reads("{each}")' for each in asked))
        flow = draw(st.booleans()) and not any('"' in each for each in keys)
        block = f"  # of {at}\n  - " + "\n    ".join(keys)
        written.append(f"  - {{{', '.join(keys)}}}" if flow else block)
    if draw(st.booleans()):
        written.append("  - {name: no, when: statement.writes('public.b'), deny: Never.}")
    return "rules:\n" + "\n".join(written) + "\n"


people = st.builds(
    lambda name, groups: identity(name, *groups),
    st.sampled_from([*NAMES, "w"]),
    some(st.sampled_from(GROUPS)),
)
asked = st.builds(
    lambda effects, reads, writes, complete: facts(
        *effects,
        reads=frozenset(reads),
        writes=frozenset(writes),
        classes=frozenset({"email"} if reads else ()),
        complete=complete,
    ),
    some(st.sampled_from(EFFECTS), min_size=1, max_size=2),
    some(st.sampled_from([*RELATIONS, "public.c"])),
    some(st.sampled_from(RELATIONS)),
    st.integers(0, 4).map(bool),
)
questions = st.lists(st.tuples(people, st.sampled_from(PLACES), asked), max_size=6)


@settings(max_examples=20)
@given(rules(), questions, questions)
def test_all_that_was_used_passes_and_nothing_more(
    text: str,
    history: list[tuple[Identity, tuple[str, str], Facts]],
    others: list[tuple[Identity, tuple[str, str], Facts]],
) -> None:
    sources = (Source("w.yaml", RESOURCES + text),)
    policy = compiled(sources)
    uses = [used(policy, who, *where, about) for who, where, about in history]
    found, old, new = narrowed(sources, [use for use in uses if use is not None])
    for who, where, about in (*history, *others):
        before, after = decide(old, who, *where, about), decide(new, who, *where, about)
        was = before is not None and before.denial is None
        now = after is not None and after.denial is None
        if (who, where, about) in history:
            assert was == now
        if now:
            assert was
            assert before is not None
            assert after is not None
            shown = {name for name in ("email", "payment-card", "*") if after.transform(name) == "reveal"}
            assert all(before.transform(name) == "reveal" for name in shown)
            assert after.transform("email") in (before.transform("email"), "redact")
    comments = [line for line in text.splitlines() if line.strip().startswith("# of ")]
    assert all(line in found[0].text for line in comments) or not new.rules
