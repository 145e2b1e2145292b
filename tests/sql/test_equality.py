"""What `=` may ask of a sensitive column: a look-up of what somebody wrote, never a search or an order."""

import pytest

from sql.picture import Row, analyse
from wicketgate.sql.catalog import Catalog
from wicketgate.sql.settings import ALLOWED, PLANNER

SEARCHES = (
    # computed from clean columns: each of the other side's rows is a guess
    "SELECT c.id, o.id FROM customers c JOIN orders o ON c.ssn = (o.id * 500)::text",
    "SELECT c.id FROM customers c, orders o WHERE c.ssn = concat('5', o.id)",
    "SELECT c.id FROM customers c, orders o WHERE c.ssn IN ('x', o.state || 'x')",
    "SELECT c.id FROM customers c WHERE c.ssn = ANY (ARRAY(SELECT o.state || 'x' FROM orders o))",
    "SELECT c.id FROM customers c WHERE c.ssn = ANY ((SELECT array_agg(o.state) FROM orders o)::text[])",
    "SELECT c.id FROM customers c WHERE c.ssn IN (SELECT o.state || 'x' FROM orders o)",
    "SELECT c.id FROM customers c WHERE c.ssn = (SELECT max(o.id)::text FROM orders o)",
    "SELECT c.id FROM customers c JOIN (SELECT (id * 2)::text AS ssn FROM orders) o USING (ssn)",
    "SELECT c.id FROM customers c NATURAL JOIN (SELECT (id * 2)::text AS ssn FROM orders) o",
    "SELECT c.id FROM customers c, orders o WHERE (c.ssn, 1) = (lower(o.state), 1)",
    "SELECT c.id FROM customers c, orders o WHERE (c.ssn, 1) IN (SELECT lower(o.state), 1)",
    "SELECT c.id FROM customers c, LATERAL (SELECT state || 'x' AS k FROM orders) o WHERE o.k = c.ssn",
    "WITH g AS (SELECT (id * 2)::text AS k FROM orders) SELECT c.id FROM customers c JOIN g ON g.k = c.ssn",
    "WITH RECURSIVE g(k) AS (SELECT 1 UNION ALL SELECT k + 1 FROM g WHERE k < 9)"
    " SELECT c.id FROM customers c JOIN g ON g.k = c.ssn::int",
    "WITH RECURSIVE g(k) AS (SELECT '1' UNION ALL SELECT k || '1' FROM g WHERE k < '9')"
    " SELECT c.id FROM customers c JOIN g ON g.k = c.ssn",
    # generated, without any column
    "SELECT c.id, g FROM customers c JOIN generate_series(1, 9) g ON c.id = g AND c.ssn = g",
    "SELECT id FROM customers WHERE ssn IN (SELECT generate_series(1, 9)::text)",
    "SELECT id FROM customers WHERE ssn = ANY (ARRAY(SELECT generate_series(1, 9)::text))",
    "SELECT id, ssn = generate_series(1, 9)::text FROM customers",
    "SELECT id, ssn = (generate_series(1, 9) || 'x') FROM customers",
    "SELECT id, ssn IN ('x', generate_series(1, 9)::text) FROM customers",
    "SELECT id, ssn = CASE WHEN true THEN generate_series(1, 9)::text END FROM customers",
    "SELECT id, ssn = regexp_split_to_table('1 2', ' ') FROM customers",
    "SELECT c.id FROM customers c, string_to_table('1 2', ' ') k WHERE c.ssn = k",
    "SELECT c.id FROM customers c, unnest(string_to_array('1 2', ' ')) k WHERE c.ssn = k",
    "SELECT c.id FROM customers c, json_array_elements_text('[1, 2]') k WHERE c.ssn = k",
    "SELECT c.id FROM customers c JOIN unnest(ARRAY(SELECT state FROM orders)) k ON k = c.ssn",
    # the other side hides among clean values, or in their order
    "SELECT DISTINCT ON (ssn) id FROM customers",
    "SELECT DISTINCT ON (2) id, ssn FROM customers",
    "SELECT DISTINCT ON (s) id, ssn AS s FROM customers",
    "SELECT DISTINCT ON (id, ssn) id FROM customers",
    "SELECT c.id FROM customers c FULL JOIN (VALUES ('5'), ('6')) k(x) ON c.ssn = k.x",
    "SELECT c.id FROM customers c FULL JOIN (VALUES ('5'), ('6')) k(ssn) USING (ssn)",
    "SELECT c.id FROM customers c NATURAL FULL JOIN (VALUES ('5'), ('6')) k(ssn)",
    "SELECT c.id, o.id FROM customers c FULL JOIN orders o ON c.ssn = o.state",
    "SELECT c.id FROM customers c FULL JOIN orders o ON o.id = 1 AND c.ssn = '5'",
    "SELECT ssn, id FROM customers UNION SELECT '5', 0",
    "SELECT ssn FROM customers UNION SELECT state FROM orders",
    "SELECT state FROM orders UNION ALL SELECT 'x' UNION SELECT ssn FROM customers",
    "SELECT ssn FROM customers INTERSECT SELECT state || 'x' FROM orders",
    "SELECT ssn FROM customers EXCEPT ALL SELECT state || 'x' FROM orders",
    "SELECT k FROM (SELECT ssn AS k FROM customers UNION ALL SELECT '5') q GROUP BY k",
    "SELECT DISTINCT k FROM (SELECT ssn AS k FROM customers UNION ALL SELECT state FROM orders) q",
    "SELECT count(DISTINCT k) FROM (SELECT ssn AS k FROM customers UNION ALL SELECT lower(state) FROM orders)"
    " q",
    "SELECT q.k FROM (SELECT ssn AS k FROM customers UNION ALL SELECT lower(state) FROM orders) q"
    " JOIN customers c ON c.ssn = q.k",
    "WITH RECURSIVE r(k) AS (SELECT ssn FROM customers UNION SELECT k || 'x' FROM r) SELECT k FROM r",
)

LOOKUPS = (
    "SELECT id FROM customers WHERE ssn = 'x'",
    "SELECT id FROM customers WHERE ssn = $1",
    "SELECT id FROM customers WHERE ssn = $1::text",
    "SELECT id FROM customers WHERE ssn = 'x'::varchar(20)::text",
    "SELECT id FROM customers WHERE ssn IN ('x', 'y', $1)",
    "SELECT id FROM customers WHERE ssn = ANY ($1)",
    "SELECT id FROM customers WHERE ssn = ANY ('{x,y}'::text[])",
    "SELECT id FROM customers WHERE ssn = ANY (ARRAY['x', $1]::text[])",
    "SELECT id FROM customers WHERE ssn = md5('x') OR ssn = lower($1) OR ssn = trim('x') || 'y'",
    "SELECT id FROM customers WHERE ssn = current_user OR ssn = coalesce($1, 'x')",
    "SELECT id FROM customers WHERE (ssn, id) = ('x', 1)",
    "SELECT id FROM customers WHERE (ssn, id) IN (('x', 1), ('y', 2))",
    "SELECT id FROM customers WHERE ssn = (SELECT 'x')",
    "SELECT id FROM customers WHERE ssn IN (VALUES ('x'), ('y'))",
    "SELECT c.id FROM customers c JOIN (VALUES ('x'), ($1)) k(x) ON c.ssn = k.x",
    "SELECT c.id FROM customers c JOIN (VALUES ('x'), ('y')) k(ssn) USING (ssn)",
    "SELECT c.id FROM customers c JOIN unnest($1::text[]) k ON c.ssn = k",
    "SELECT c.id FROM customers c JOIN unnest(ARRAY['x', 'y']) AS k(x) ON c.ssn = k.x",
    "SELECT id FROM customers WHERE ssn IN (SELECT unnest($1::text[]))",
    "WITH asked AS (SELECT $1::text AS k) SELECT c.id FROM customers c JOIN asked ON asked.k = c.ssn",
    "SELECT c.id FROM customers c JOIN orders o ON c.ssn = o.state",
    "SELECT c.id FROM customers c JOIN orders o ON c.ssn = o.id::text",
    "SELECT c.id FROM customers c JOIN customers d ON c.ssn = d.ssn",
    "SELECT c.id FROM customers c JOIN customers d USING (ssn)",
    "SELECT c.id FROM customers c LEFT JOIN orders o ON c.ssn = o.state AND c.id = o.id * 2",
    "SELECT c.id FROM customers c FULL JOIN customers d ON c.ssn = d.ssn",
    "SELECT c.id FROM customers c FULL JOIN orders o ON c.id = o.customer_id WHERE c.ssn = 'x'",
    "SELECT c.id FROM customers c WHERE c.ssn IN (SELECT state FROM orders)",
    "SELECT c.id FROM customers c WHERE EXISTS (SELECT 1 FROM orders o WHERE o.state = c.ssn)",
    "SELECT ssn, count(*) FROM customers GROUP BY ssn",
    "SELECT DISTINCT ssn FROM customers",
    "SELECT DISTINCT ON (id) id, ssn FROM customers ORDER BY id",
    "SELECT count(DISTINCT ssn) FROM customers",
    "SELECT ssn FROM customers UNION ALL SELECT 'x'",
    "SELECT id, ssn FROM customers UNION SELECT 1, ssn FROM customers",
    "SELECT ssn FROM customers INTERSECT SELECT state FROM orders",
    "SELECT ssn FROM customers EXCEPT SELECT 'x'",
    "SELECT id FROM customers UNION SELECT id * 2 FROM orders",
    "WITH RECURSIVE g(n) AS (SELECT 1 UNION SELECT n + 1 FROM g WHERE n < 9) SELECT c.ssn FROM customers c"
    " JOIN g ON g.n = c.id",
    "SELECT c.ssn FROM customers c JOIN generate_series(1, 9) g ON g = c.id",
    "UPDATE customers SET ssn = 'x' WHERE ssn = 'y'",
)


@pytest.mark.parametrize("text", SEARCHES)
def test_a_search_steers(catalog: Catalog, text: str) -> None:
    assert "national-id" in analyse(Row(text, {}), catalog).facts.steered


@pytest.mark.parametrize("text", LOOKUPS)
def test_a_look_up_does_not(catalog: Catalog, text: str) -> None:
    facts = analyse(Row(text, {}), catalog).facts
    assert facts.steered == frozenset()
    assert not facts.opaque


@pytest.mark.parametrize("name", sorted(PLANNER))
@pytest.mark.parametrize(
    "text", ["SET {} = 1", "SET LOCAL {} TO DEFAULT", "SELECT pg_catalog.set_config('{}', '1', true)"]
)
def test_plans_are_not_chosen_where_values_are_hidden(catalog: Catalog, name: str, text: str) -> None:
    assert name in ALLOWED
    facts = analyse(Row(text.format(name), {}), catalog).facts
    assert (facts.refusal is not None) is ("DEFAULT" not in text)


@pytest.mark.parametrize("name", ["jit", "statement_timeout", "datestyle", "application_name", "timezone"])
def test_other_settings_are(catalog: Catalog, name: str) -> None:
    assert analyse(Row(f"SET {name} = 'x'", {}), catalog).facts.refusal is None
