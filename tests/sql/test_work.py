"""A statement costs steps in proportion to its size, or it is refused: no text stalls a worker."""

import pytest

from sql.picture import Row
from wicketgate.sql import walk as walking
from wicketgate.sql.catalog import Catalog
from wicketgate.sql.parse import LARGEST, parse
from wicketgate.sql.resolve import Analysis, resolve
from wicketgate.sql.walk import MOST_NODES, MOST_STEPS, Walk

MANY = (
    "SELECT " + ", ".join(["name"] * 3000) + " FROM " + ", ".join(f"customers c{n}" for n in range(300)),
    "SELECT " + ", ".join(["c299.name"] * 3000) + " FROM " + ", ".join(f"customers c{n}" for n in range(300)),
    "SELECT 1 FROM customers WHERE " + " AND ".join(["nothing = 1"] * 6000),
    "SELECT 1 FROM customers c0 " + " ".join(f"JOIN customers c{n} USING (id)" for n in range(1, 230)),
    "SELECT 1 FROM customers c0 " + " ".join(f"JOIN orders c{n} ON true" for n in range(1, 230)),
    "SELECT 1 FROM a" + ", a" * 40000,
    "WITH q0 AS (SELECT * FROM customers)"
    + "".join(f", q{n} AS (SELECT * FROM q{n - 1}, q{n - 1} AS b)" for n in range(1, 60))
    + " SELECT * FROM q59",
    "SELECT * FROM (SELECT " + "*, " * 4000 + "1 FROM customers, orders) q",
    "SELECT " + ", ".join(["c"] * 3000) + " FROM " + ", ".join(f"customers c{n}" for n in range(300)),
    "SELECT 1 FROM "
    + ", ".join(f"customers c{n}" for n in range(300))
    + " WHERE "
    + " AND ".join(["id = 1"] * 3000),
    "SELECT id FROM customers" + " UNION SELECT id FROM customers" * 500,
    "SELECT 1 FROM "
    + ", ".join(f"customers c{n}" for n in range(300))
    + " ORDER BY "
    + ", ".join(["name"] * 3000),
    "SELECT " + "".join(f"(SELECT x{n} FROM a WHERE " for n in range(40)) + "b = 1" + ")" * 40,
)

LARGE = (
    "WITH RECURSIVE "
    + ", ".join(f"q{n} AS (SELECT {n} AS id)" for n in range(3000))
    + " SELECT id FROM q2999",
    "SELECT " + ", ".join(["c.name"] * 1600) + " FROM customers c",
    "SELECT c0.name FROM customers c0 "
    + " ".join(f"JOIN orders o{n} ON o{n}.customer_id = c0.id" for n in range(60)),
    "SELECT id FROM orders WHERE id IN (" + ", ".join(map(str, range(10_000))) + ")",
    "INSERT INTO notes (id, body) VALUES " + ", ".join(f"({n}, 'x')" for n in range(5000)),
    "SELECT id FROM customers" + " UNION ALL SELECT id FROM customers" * 500,
)


def analyse(catalog: Catalog, text: str) -> Analysis:
    (member,) = parse(text.encode(), max(LARGEST, len(text))).members
    return resolve(member, Row("", {}).environment(catalog))


@pytest.fixture
def walks(monkeypatch: pytest.MonkeyPatch) -> list[Walk]:
    """Every walk that is begun."""
    found: list[Walk] = []
    begin = Walk.__init__

    def kept(self: Walk, *arguments: object) -> None:
        found.append(self)
        begin(self, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(walking.Walk, "__init__", kept)
    return found


@pytest.mark.parametrize("text", MANY, ids=range(len(MANY)))
def test_no_statement_takes_more_than_its_steps(catalog: Catalog, walks: list[Walk], text: str) -> None:
    analysis = analyse(catalog, text)
    for walk in walks:
        assert walk.nodes <= MOST_NODES + 1
        assert walk.steps <= MOST_STEPS + 100_000, "one step may take a row at once"
    refused = any(walk.steps > MOST_STEPS or walk.nodes > MOST_NODES for walk in walks)
    if refused:
        assert "too large" in (analysis.facts.refusal or "")


def test_the_worst_is_refused(catalog: Catalog) -> None:
    for text in MANY[:2]:
        assert "too large" in (analyse(catalog, text).facts.refusal or ""), text[:200]


@pytest.mark.parametrize("text", LARGE, ids=range(len(LARGE)))
def test_what_is_merely_large_passes(catalog: Catalog, text: str) -> None:
    assert analyse(catalog, text).facts.refusal is None


def test_steps_grow_with_the_text(catalog: Catalog, walks: list[Walk]) -> None:
    steps = []
    for many in (300, 600, 1200):
        walks.clear()
        queries = ", ".join(f"q{n} AS (SELECT {n} AS id)" for n in range(many))
        analyse(catalog, f"WITH RECURSIVE {queries} SELECT id FROM q1")
        steps.append(sum(walk.steps for walk in walks))
    assert steps[2] < 5 * steps[0]
