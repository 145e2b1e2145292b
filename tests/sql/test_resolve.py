"""Whatever parses is resolved: nothing is raised, and what is not understood comes out as unknown."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sql.picture import ROWS_TEXTS, Row
from wicketgate.model.statement import Effect
from wicketgate.sql import resolve as resolving
from wicketgate.sql.catalog import Catalog
from wicketgate.sql.parse import Member, SyntaxRefused, parse
from wicketgate.sql.queries import query
from wicketgate.sql.resolve import resolve
from wicketgate.sql.walk import TooComplex, Walk

WORDS = sorted({word for text in ROWS_TEXTS for word in text.split()})


@given(text=st.sampled_from(ROWS_TEXTS), data=st.data())
def test_nothing_unforeseen_in_the_tree(catalog: Catalog, text: str, data: st.DataObject) -> None:
    """Statements spliced from others; read without the net that turns surprises into denials."""
    words = text.split()
    for _ in range(data.draw(st.integers(0, 3))):
        at = data.draw(st.integers(0, len(words)))
        words[at : at + data.draw(st.integers(0, 1))] = [data.draw(st.sampled_from(WORDS))]
    try:
        members = parse(" ".join(words).encode()).members
    except SyntaxRefused:
        return
    for member in members:
        environment = Row("", {}).environment(catalog)
        walk = Walk(catalog, environment.path, frozenset(), "app", False)
        walk.query = query
        try:
            analysis = resolving._analyse(walk, member, environment, None)
        except TooComplex:
            continue
        assert analysis.facts.effects
        assert analysis.facts.commands or member.kind == "empty"


@given(inside=st.sampled_from(ROWS_TEXTS))
def test_what_stands_in_a_subquery_is_not_lost(catalog: Catalog, inside: str) -> None:
    """A query's relations, steering and effects are found wherever it stands."""
    try:
        (alone,) = parse(inside.encode()).members
        if alone.kind != "select" or " INTO " in inside:
            return
        wrapped = [
            parse(shape.format(inside).encode()).members[0]
            for shape in (
                "SELECT * FROM ({}) wrapped",
                "WITH w AS ({}) SELECT * FROM w",
                "SELECT EXISTS ({})",
                "SELECT 1 UNION ALL SELECT 2 WHERE EXISTS ({})",
                "SELECT 1 FROM regions JOIN LATERAL ({}) l ON true",
                "EXPLAIN ANALYZE {}",
                "DELETE FROM notes WHERE EXISTS ({})",
            )
        ]
    except (SyntaxRefused, ValueError, IndexError):
        return
    environment = Row("", {}).environment(catalog)
    facts = resolve(alone, environment).facts
    for member in wrapped:
        outer = resolve(member, environment).facts
        assert facts.reads <= outer.reads
        assert facts.steered <= outer.steered
        assert facts.effects - {Effect.SESSION} <= outer.effects
        assert facts.functions <= outer.functions
        assert facts.opaque <= outer.opaque
        assert outer.complete <= facts.complete


@pytest.mark.parametrize("shape", ["SELECT {}1{}", "SELECT * FROM {}t{}"])
def test_too_deep_is_refused(catalog: Catalog, shape: str) -> None:
    opening, closing = ("(SELECT ", ")") if "1" in shape else ("(SELECT * FROM ", ") a")
    text = shape.format(opening * 70, closing * 70)
    (member,) = parse(text.encode()).members
    analysis = resolve(member, Row("", {}).environment(catalog))
    assert analysis.facts.refusal == "this statement is too deep or too large to be analysed"
    assert analysis.facts.effects == {Effect.UNKNOWN}


@pytest.mark.parametrize(
    "text",
    [
        "SELECT 1" + " || 'x'" * 300,
        "SELECT 1" + " UNION ALL SELECT 1" * 300,
        "SELECT * FROM regions r" + " JOIN regions USING (id)" * 100,
        "SELECT " + " OR ".join(f"id = {n}" for n in range(900)) + " FROM regions",
        "INSERT INTO notes (body) VALUES " + ", ".join(f"('{n}')" for n in range(4000)),
        "SELECT id FROM regions WHERE id IN (" + ", ".join(map(str, range(9000))) + ")",
    ],
    ids=lambda text: text[:30],
)
def test_long_is_not_deep(catalog: Catalog, text: str) -> None:
    (member,) = parse(text.encode()).members
    facts = resolve(member, Row("", {}).environment(catalog)).facts
    assert facts.refusal is None
    assert facts.complete


def test_a_tree_of_another_shape_is_refused(catalog: Catalog) -> None:
    (member,) = parse(b"SELECT 1").members
    odd = Member("SelectStmt", {"targetList": ["?"]}, "select", None, None, member.changes)
    analysis = resolve(odd, Row("", {}).environment(catalog))
    assert analysis.facts.refusal == "this statement could not be analysed"


@pytest.mark.parametrize("node", ["NewStmt", "CreateSomethingStmt"])
def test_an_unknown_statement_is_unknown(catalog: Catalog, node: str) -> None:
    (member,) = parse(b"SELECT 1").members
    analysis = resolve(
        Member(node, {}, "utility", None, None, member.changes), Row("", {}).environment(catalog)
    )
    assert analysis.facts.effects == {Effect.UNKNOWN}
    assert (analysis.facts.complete, analysis.facts.opaque, analysis.sensitive) == (False, True, True)


def test_an_unknown_field_is_unknown(catalog: Catalog) -> None:
    (member,) = parse(
        b"SELECT lower(r.name) AS x FROM regions AS r (a, name) JOIN orders USING (id)"
        b" WHERE r.a = 1 AND EXISTS (SELECT 1) GROUP BY GROUPING SETS ((1), (2)) ORDER BY 1 LIMIT 3"
    ).members
    environment = Row("", {}).environment(catalog)
    assert resolve(member, environment).facts.complete
    looked_at = 0
    for body, place in _grown(member.body, ()):
        assert isinstance(body, dict)
        if place[-1] in ("String", "A_Const", "ival", "alias"):
            continue  # leaves, of which only the text is read
        looked_at += 1
        facts = resolve(Member("SelectStmt", body, "select", None, None, member.changes), environment).facts
        assert facts.opaque or facts.refusal, place
    assert looked_at >= 15


def _grown(thing: object, place: tuple[object, ...]) -> list[tuple[object, tuple[object, ...]]]:
    """Copies of a tree, each with one more field somewhere, and where."""
    if isinstance(thing, list):
        return [
            ([*thing[:at], other, *thing[at + 1 :]], where)
            for at in range(len(thing))
            for other, where in _grown(thing[at], (*place, at))
        ]
    if not isinstance(thing, dict):
        return []
    found: list[tuple[object, tuple[object, ...]]] = [
        ({**thing, key: other}, where)
        for key, inner in thing.items()
        for other, where in _grown(inner, (*place, key))
    ]
    named = len(thing) == 1 and str(next(iter(thing)))[:1].isupper()
    return found if named else [*found, ({**thing, "brandNew": True}, place or ("",))]
