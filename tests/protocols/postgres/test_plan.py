"""Plans: which columns of an answer are masked, and how."""

import pytest

from protocols.postgres import playbook as p
from wicketgate.model.decision import Decision, Verdict
from wicketgate.protocols.postgres.frames import FrameError
from wicketgate.protocols.postgres.maskers import Mark, Masker, Texts
from wicketgate.protocols.postgres.plan import copies_clean, masks, origins_differ, plan_for
from wicketgate.sql.analysis import UNKNOWN_ANALYSIS, Analysis, Environment, Output
from wicketgate.sql.parse import parse
from wicketgate.sql.resolve import resolve

ENVIRONMENT = Environment(p.CATALOG, ("public",), frozenset(), "app", "sales", False)
REVEAL = Decision(Verdict.PERMIT, "x", mask={"*": "redact", "email": "reveal"})
LAST4 = Decision(Verdict.PERMIT, "x", mask={"*": "redact", "email": "last4"})


def analysis(text: str) -> Analysis:
    return resolve(parse(text.encode()).members[0], ENVIRONMENT)


def planned(
    text: str, *columns: tuple[str, int, int, int], decision: Decision = p.PERMIT
) -> list[tuple[int, str]]:
    plan = plan_for(p.described(*columns)[5:], analysis(text), p.CATALOG, decision)
    return [] if plan is None else list(zip(plan.columns, map(told, plan.maskers), strict=True))


def told(masker: Masker) -> str:
    if isinstance(masker, Texts):
        return masker.transform
    return "redact" if isinstance(masker, Mark) else "null"


ID = ("id", p.CUSTOMERS, 1, p.INT4)
EMAIL = ("email", p.CUSTOMERS, 2, p.TEXT)


def test_bare_columns_go_by_the_servers_word() -> None:
    assert planned("SELECT id, email FROM customers", ID, EMAIL) == [(1, "redact")]
    assert planned("SELECT id, email FROM customers", ID, EMAIL, decision=LAST4) == [(1, "last4")]
    assert planned("SELECT id, email FROM customers", ID, EMAIL, decision=REVEAL) == []


def test_expressions_pass_only_if_lineage_proves_them_clean() -> None:
    text = "SELECT 1, count(*), id, coalesce(email, ''), CASE WHEN id = 1 THEN email END FROM customers"
    columns = [("?column?", 0, 0, 23), ("count", 0, 0, 20), *[("?column?", 0, 0, p.TEXT)] * 3]
    assert planned(text, *columns, decision=LAST4) == [(3, "redact"), (4, "redact")]


def test_what_shows_a_part_applies_to_a_column_itself_only() -> None:
    through = "SELECT x FROM (SELECT email AS x FROM customers) s"
    for text, transform in (
        (through, "last4"),
        (through.replace("email AS", "coalesce(email, '') AS"), "redact"),
    ):
        assert planned(text, ("x", 0, 0, p.TEXT), decision=LAST4) == [(0, transform)]
        assert planned(text, ("x", p.CUSTOMERS, 2, p.TEXT), decision=LAST4) == [(0, transform)]
    assert planned("SELECT c FROM customers c", ("c", p.CUSTOMERS, 0, p.TEXT), decision=LAST4) == [
        (0, "redact")
    ]


def test_more_or_fewer_columns_than_the_statement_has_are_masked() -> None:
    assert planned("SELECT 1 FROM customers", ("a", 0, 0, 23), ("b", 0, 0, 23)) == [(0, "null"), (1, "null")]


def test_stars_are_counted_from_both_ends() -> None:
    text = "SELECT 1, *, 2 FROM customers"
    columns = [("a", 0, 0, 23), ID, EMAIL, ("age", p.CUSTOMERS, 3, 23), ("b", 0, 0, 23)]
    assert [position for position, _ in planned(text, *columns)] == [2]
    assert planned(text, ("a", 0, 0, 23)) in ([(0, "null")], [])


def test_other_relations_than_those_resolved_are_masked() -> None:
    assert planned("SELECT id FROM customers", ("id", 4711, 1, p.INT4)) == [(0, "null")]
    assert planned("SELECT id FROM customers", ("id", p.ORDERS, 1, p.INT4)) == [(0, "null")]
    assert planned("SELECT id FROM customers", ("id", p.CUSTOMERS, 99, p.INT4)) == [(0, "null")]


def test_a_clean_statement_whose_origin_is_sensitive_is_masked_where_the_server_says_so() -> None:
    assert planned("SELECT note FROM orders", ("note", p.ORDERS, 2, p.TEXT)) == []
    assert planned("SELECT note FROM orders", EMAIL) == [(0, "redact")]


def test_what_is_unknown_is_masked() -> None:
    assert masks(UNKNOWN_ANALYSIS, REVEAL)
    plan = plan_for(p.described(ID)[5:], UNKNOWN_ANALYSIS, p.CATALOG, REVEAL)
    assert plan is not None


def test_types_that_bear_no_text_become_null() -> None:
    assert planned("SELECT email FROM customers", ("email", p.CUSTOMERS, 2, p.INT4)) == [(0, "null")]


def test_rows_of_another_width_are_no_rows() -> None:
    plan = plan_for(p.EMAIL[5:], analysis("SELECT email FROM customers"), p.CATALOG, p.PERMIT)
    assert plan is not None
    for row in (p.row("a", "b"), p.row(), b"D\0\0\0\x0a\0\1\0\0\0\x09"):
        with pytest.raises(FrameError):
            plan.mask(row, 0, len(row), {})


@pytest.mark.parametrize(
    "body", [b"", b"\0", b"\0\1", b"\0\1name", b"\0\1name\0", b"\0\2name\0" + b"\0" * 18]
)
def test_a_description_that_is_cut(body: bytes) -> None:
    with pytest.raises(FrameError):
        plan_for(body, UNKNOWN_ANALYSIS, p.CATALOG, p.PERMIT)


def test_copy_out_is_clean_only_if_every_column_is_told() -> None:
    assert not copies_clean(UNKNOWN_ANALYSIS, REVEAL)
    mail = frozenset({"email"})
    copied = Analysis(UNKNOWN_ANALYSIS.facts, True, copied=(Output(frozenset(), True), Output(mail, True)))
    assert not copies_clean(copied, p.PERMIT)
    assert copies_clean(copied, REVEAL)


def test_where_lineage_and_the_servers_word_differ_it_is_told() -> None:
    """The text says `age`, the server says that it came from `email`: masked, and told without a value."""
    swapped = ("age", p.CUSTOMERS, 2, p.TEXT)
    text = "SELECT id, age FROM customers WHERE email = 'a'"
    assert planned(text, ID, swapped) == [(1, "redact")]
    (line,) = origins_differ(p.described(ID, swapped)[5:], analysis(text), p.CATALOG)
    assert line == (
        "output 2 is column 2 of public.customers (email), but lineage tells no class (both hold)"
    )
    agreed = "SELECT id, email FROM customers"
    assert origins_differ(p.described(ID, EMAIL)[5:], analysis(agreed), p.CATALOG) == []
