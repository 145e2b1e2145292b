"""What the server runs beside a statement: every kind of object that carries code, and plain neighbours."""

import asyncio
from collections.abc import Iterator

import pytest

from servers.postgres import Postgres
from sql.conftest import access
from wicketgate.model.statement import Effect, Facts
from wicketgate.protocols.postgres.catalog import read_catalog
from wicketgate.sql.catalog import Catalog, load
from wicketgate.sql.parse import parse
from wicketgate.sql.resolve import Analysis, Environment, resolve

DATABASE = "beside"
SENSITIVE = {"public.people.ssn": "national-id"}

WORLD = r"""
CREATE TABLE people (id int PRIMARY KEY, login text, ssn text, digits text);
CREATE FUNCTION code(int) RETURNS bool LANGUAGE plpgsql IMMUTABLE SECURITY DEFINER
  AS $$ BEGIN RAISE NOTICE '%', (SELECT ssn FROM public.people LIMIT 1); RETURN true; END $$;
CREATE FUNCTION trusted(int) RETURNS bool LANGUAGE sql IMMUTABLE AS 'SELECT true';
CREATE FUNCTION off(float8, float8) RETURNS float8 LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RETURN 1; END $$;
CREATE FUNCTION compare(int, int) RETURNS int LANGUAGE plpgsql IMMUTABLE
  AS $$ BEGIN RETURN btint4cmp($1, $2); END $$;
CREATE FUNCTION same(int, int) RETURNS bool LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RETURN $1 = $2; END $$;
CREATE FUNCTION fires() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN new; END $$;
CREATE OPERATOR === (LEFTARG = int, RIGHTARG = int, FUNCTION = same, COMMUTATOR = ===);
CREATE OPERATOR CLASS own_ops FOR TYPE int USING btree AS OPERATOR 1 <, OPERATOR 2 <=, OPERATOR 3 =,
  OPERATOR 4 >=, OPERATOR 5 >, FUNCTION 1 compare(int, int);
CREATE TYPE span AS RANGE (subtype = float8, subtype_diff = off);
CREATE DOMAIN checked AS int CHECK (code(value));
CREATE DOMAIN telling AS text CHECK (pg_notify('c', value) IS NOT NULL);
CREATE DOMAIN plain AS int CHECK (value > 0);

CREATE TABLE none (id int, a int DEFAULT 1, b timestamptz DEFAULT now(), c serial, d text CHECK (d <> ''),
  e int GENERATED ALWAYS AS (id + 1) STORED);
CREATE INDEX ON none (lower(d)) WHERE id > 0;
CREATE TABLE policy (id int); CREATE POLICY p ON policy USING (code(id));
ALTER TABLE policy ENABLE ROW LEVEL SECURITY;
CREATE TABLE asleep (id int); CREATE POLICY p ON asleep USING (code(id));
CREATE TABLE policy_check (id int); CREATE POLICY p ON policy_check WITH CHECK (code(id));
ALTER TABLE policy_check ENABLE ROW LEVEL SECURITY;
CREATE TABLE policy_builtin (id int); CREATE POLICY p ON policy_builtin
  USING (query_to_xml('select ssn from public.people', true, true, '') IS NOT NULL);
ALTER TABLE policy_builtin ENABLE ROW LEVEL SECURITY;
CREATE TABLE policy_setting (id int); CREATE POLICY p ON policy_setting
  USING (set_config('search_path', 's2', false) IS NOT NULL);
ALTER TABLE policy_setting ENABLE ROW LEVEL SECURITY;
CREATE TABLE policy_operator (id int); CREATE POLICY p ON policy_operator USING (id === 1);
ALTER TABLE policy_operator ENABLE ROW LEVEL SECURITY;
CREATE VIEW acting AS SELECT code(id) AS id FROM people;
CREATE TABLE policy_view (id int); CREATE POLICY p ON policy_view USING (EXISTS (SELECT FROM acting));
ALTER TABLE policy_view ENABLE ROW LEVEL SECURITY;
CREATE TABLE policy_looks (id int, total int); CREATE POLICY p ON policy_looks
  USING (id IN (SELECT ssn::int FROM people));
ALTER TABLE policy_looks ENABLE ROW LEVEL SECURITY;
CREATE TABLE policy_plain (id int, owner int, total int); CREATE POLICY p ON policy_plain
  USING (owner IN (SELECT p.id FROM people p WHERE p.login = current_user));
ALTER TABLE policy_plain ENABLE ROW LEVEL SECURITY;
CREATE TABLE policy_setting_read (id int); CREATE POLICY p ON policy_setting_read
  USING (id = current_setting('app.tenant', true)::int);
ALTER TABLE policy_setting_read ENABLE ROW LEVEL SECURITY;
CREATE TABLE policy_trusted (id int); CREATE POLICY p ON policy_trusted USING (trusted(id));
ALTER TABLE policy_trusted ENABLE ROW LEVEL SECURITY;
CREATE VIEW over_policy AS SELECT * FROM policy;
CREATE TABLE opclass (id int); CREATE INDEX ON opclass (id own_ops);
CREATE TABLE opclass_key (id int) PARTITION BY RANGE (id own_ops);
CREATE TABLE ranged (span span);
CREATE TABLE ranged_array (span span[]);
CREATE TABLE ranged_many (span span_multirange);
CREATE TABLE defaulted (id int, ok bool DEFAULT code(1));
CREATE TABLE default_setting (id int, ok text DEFAULT set_config('search_path', 's2', false));
CREATE TABLE computed (id int, ok bool GENERATED ALWAYS AS (code(id)) STORED);
CREATE TABLE constrained (id int CHECK (code(id)));
CREATE TABLE constrained_operator (id int CHECK (id === 1));
CREATE TABLE excluded (id int, EXCLUDE USING btree (id WITH =));
CREATE TABLE indexed (id int); CREATE INDEX ON indexed (code(id));
CREATE TABLE indexed_partly (id int); CREATE INDEX ON indexed_partly (id) WHERE code(id);
CREATE TABLE partitioned (id int) PARTITION BY RANGE ((code(id)));
CREATE TABLE counted (id int, x int); CREATE STATISTICS counted_s ON (code(id)), (code(x)) FROM counted;
CREATE TABLE triggered (id int);
CREATE TRIGGER t BEFORE INSERT ON triggered FOR EACH ROW EXECUTE FUNCTION fires();
CREATE TABLE triggered_when (id int); CREATE TRIGGER t BEFORE INSERT ON triggered_when FOR EACH ROW
  WHEN (code(new.id)) EXECUTE FUNCTION suppress_redundant_updates_trigger();
CREATE TABLE ruled (id int); CREATE RULE r AS ON INSERT TO ruled DO ALSO SELECT code(1);
CREATE TABLE of_domain (id checked);
CREATE TABLE of_telling (id telling);
CREATE TABLE of_plain (id plain);
"""

READ = {  # a relation that acts when it is read, and the functions that are named
    "policy": {"public.code"},
    "policy_check": {"public.code"},
    "policy_builtin": {"query_to_xml"},
    "policy_setting": {"pg_catalog.set_config"},
    "policy_operator": {"public.==="},
    "policy_view": {"public.code"},
    "over_policy": {"public.code"},
    "opclass": {"public.compare"},
    "opclass_key": {"public.compare"},
    "ranged": {"public.off"},
    "ranged_array": {"public.off"},
    "ranged_many": {"public.off"},
}
STORED = {  # one whose rows are computed by a user's code as they are stored
    "defaulted": {"public.code"},
    "default_setting": {"pg_catalog.set_config"},
    "computed": {"public.code"},
    "ruled": {"rule on public.ruled"},
}
GUARDED = {  # one whose code runs with a write and gives no value
    "constrained": {"public.code"},
    "constrained_operator": {"public.===", "public.same"},
    "indexed": {"public.code"},
    "indexed_partly": {"public.code"},
    "partitioned": {"public.code"},
    "counted": {"public.code"},
    "triggered": {"public.fires"},
    "triggered_when": {"public.code"},
}
PLAIN = ("none asleep policy_plain policy_setting_read policy_trusted policy_looks excluded of_plain").split()


@pytest.fixture(scope="module")
def server(postgres15: Postgres) -> Iterator[Postgres]:
    postgres15.sql(f"CREATE DATABASE {DATABASE}", database="postgres")
    postgres15.sql(WORLD, database=DATABASE)
    yield postgres15
    postgres15.sql(f"DROP DATABASE {DATABASE}", database="postgres")


@pytest.fixture(scope="module")
def raw(server: Postgres) -> bytes:
    return asyncio.run(read_catalog(access(server, DATABASE)))


@pytest.fixture(scope="module")
def known(raw: bytes) -> Catalog:
    return load(raw, SENSITIVE, {"functions": ["public.trusted"]})


def analyse(catalog: Catalog, text: str) -> Analysis:
    environment = Environment(catalog, ("public",), frozenset(), "app", catalog.database, False)
    return resolve(parse(text.encode()).members[0], environment)


def facts(catalog: Catalog, text: str) -> Facts:
    return analyse(catalog, text).facts


WRITES = ("INSERT INTO {} VALUES (DEFAULT)", "UPDATE {} SET id = 1", "DELETE FROM {}", "COPY {} FROM STDIN")


@pytest.mark.parametrize("relation", READ)
def test_what_acts_at_a_reading_is_unknown_there(known: Catalog, relation: str) -> None:
    texts = [f"SELECT * FROM {relation}", f"SELECT count(*) FROM (SELECT 1 FROM public.{relation}) x"]
    if relation != "over_policy":
        texts += [text.format(relation) for text in WRITES] + [f"COPY {relation} TO STDOUT"]
    for text in texts:
        found = facts(known, text)
        assert Effect.UNKNOWN in found.effects, text
        assert found.opaque, text
        assert not found.complete, text
        assert found.functions >= READ[relation], text
        assert analyse(known, text).disturbs, text


def test_a_lock_looks_at_no_row(known: Catalog) -> None:
    found = facts(known, "LOCK TABLE policy IN ACCESS SHARE MODE")
    assert found.effects == {Effect.READ}
    assert not found.functions


@pytest.mark.parametrize("relation", STORED)
def test_what_is_computed_into_a_row_is_opaque(known: Catalog, relation: str) -> None:
    for text in (WRITES[0], WRITES[3]):
        found = facts(known, text.format(relation))
        assert found.opaque, text
        assert not found.complete, text
        assert found.functions >= STORED[relation], text
    reading = facts(known, f"SELECT * FROM {relation}")
    assert not reading.opaque
    assert reading.effects == {Effect.READ}


@pytest.mark.parametrize("relation", GUARDED)
def test_what_runs_with_a_write_is_named_and_its_messages_are_replaced(known: Catalog, relation: str) -> None:
    for text in WRITES[:3]:
        found = analyse(known, text.format(relation))
        assert found.facts.functions == GUARDED[relation], text
        assert not found.facts.complete, text
        assert not found.facts.opaque, "who may write a relation may set off its code"
        assert found.sensitive, text
        assert not found.facts.classes, text
    reading = facts(known, f"SELECT * FROM {relation}")
    assert not reading.opaque
    assert reading.complete
    assert not reading.functions


@pytest.mark.parametrize("relation", ["of_domain", "of_telling"])
def test_a_domain_whose_check_acts(known: Catalog, relation: str) -> None:
    assert analyse(known, f"INSERT INTO {relation} VALUES ('1')").sensitive
    domain = "checked" if relation == "of_domain" else "telling"
    assert Effect.UNKNOWN in facts(known, f"SELECT '1'::{domain}").effects


@pytest.mark.parametrize("relation", PLAIN)
def test_its_neighbours_stay_known(known: Catalog, relation: str) -> None:
    for text in ("SELECT * FROM {}", *WRITES):
        found = facts(known, text.format(relation))
        assert found.complete, text
        assert not found.opaque, text
        assert not found.functions, text
        assert Effect.UNKNOWN not in found.effects


def test_row_security_that_looks_at_a_sensitive_value_softens_messages(known: Catalog) -> None:
    found = analyse(known, "SELECT sum(total) FROM policy_looks")
    assert found.sensitive
    assert found.facts.classes == {"national-id"}
    assert found.facts.reads == {"public.policy_looks", "public.people"}
    assert found.facts.whole == {"public.policy_looks"}, "no row of what a policy reads comes out"


def test_row_security_that_looks_at_clean_columns_masks_nothing(known: Catalog) -> None:
    found = analyse(known, "SELECT sum(total) FROM policy_plain")
    assert not found.sensitive
    assert found.facts.reads == {"public.policy_plain", "public.people"}
    assert found.facts.classes == {"national-id"}, "touches() asks of every relation"


def test_ddl_sets_off_event_triggers_and_no_row_trigger(server: Postgres, known: Catalog) -> None:
    assert facts(known, "ALTER TABLE triggered ADD COLUMN x int").complete
    server.sql(
        "CREATE FUNCTION on_ddl() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN END $$;"
        " CREATE EVENT TRIGGER on_ddl ON ddl_command_end EXECUTE FUNCTION on_ddl()",
        database=DATABASE,
    )
    try:
        fired = load(asyncio.run(read_catalog(access(server, DATABASE))), SENSITIVE, {})
    finally:
        server.sql("DROP EVENT TRIGGER on_ddl; DROP FUNCTION on_ddl()", database=DATABASE)
    for text in (
        "CREATE TABLE x (id int)",
        "CREATE VIEW v AS SELECT 1 AS a",
        "GRANT SELECT ON none TO PUBLIC",
    ):
        found = analyse(fired, text)
        assert found.facts.functions == {"public.on_ddl"}
        assert not found.facts.complete
        assert found.sensitive
    assert facts(fired, "SELECT * FROM none").complete


def test_a_view_that_would_change_the_session_is_unknown(server: Postgres) -> None:
    server.sql("CREATE VIEW vpath AS SELECT set_config('search_path', 's2', false) AS p", database=DATABASE)
    try:
        catalog = load(asyncio.run(read_catalog(access(server, DATABASE))), SENSITIVE, {})
    finally:
        server.sql("DROP VIEW vpath", database=DATABASE)
    found = analyse(catalog, "SELECT * FROM vpath")
    assert Effect.UNKNOWN in found.facts.effects
    assert found.disturbs


FAMILY = """
CREATE TABLE measured (id int PRIMARY KEY, note text) PARTITION BY RANGE (id);
CREATE TABLE measured_1 PARTITION OF measured FOR VALUES FROM (0) TO (10) PARTITION BY RANGE (id);
CREATE TABLE measured_1a PARTITION OF measured_1 FOR VALUES FROM (0) TO (5);
CREATE TRIGGER t AFTER UPDATE ON measured_1a FOR EACH ROW EXECUTE FUNCTION fires();
CREATE VIEW over_measured AS SELECT id, note FROM measured;
CREATE TABLE elder (id int); CREATE TABLE younger () INHERITS (elder);
CREATE TABLE owner (id int PRIMARY KEY, code text UNIQUE, name text);
CREATE TABLE owned (id int PRIMARY KEY REFERENCES owner ON DELETE CASCADE, ssn text);
CREATE TABLE owned_twice (id int REFERENCES owned ON DELETE CASCADE);
CREATE TABLE coded (id int, code text REFERENCES owner (code) ON UPDATE CASCADE ON DELETE SET NULL);
CREATE TABLE apart (id int REFERENCES owner, n int);
CREATE TABLE looped (id int PRIMARY KEY, up int REFERENCES looped ON DELETE CASCADE ON UPDATE CASCADE);
CREATE VIEW owners AS SELECT id, code, name FROM owner;
"""


@pytest.fixture(scope="module")
def family(server: Postgres) -> Catalog:
    server.sql(FAMILY, database=DATABASE)
    return load(asyncio.run(read_catalog(access(server, DATABASE))), {"public.owned.ssn": "national-id"}, {})


MEASURED = {"measured", "measured_1", "measured_1a"}


@pytest.mark.parametrize(
    ("text", "reads", "writes"),
    [
        ("SELECT * FROM measured", MEASURED, set()),
        ("SELECT * FROM measured_1", MEASURED - {"measured"}, set()),
        ("SELECT * FROM measured_1a", {"measured_1a"}, set()),
        ("SELECT * FROM over_measured", MEASURED | {"over_measured"}, set()),
        ("SELECT * FROM elder", {"elder", "younger"}, set()),
        ("COPY elder TO STDOUT", {"elder", "younger"}, set()),
        ("UPDATE measured SET note = 'x'", set(), MEASURED),
        ("UPDATE over_measured SET note = 'x'", set(), MEASURED | {"over_measured"}),
        ("INSERT INTO measured VALUES (1)", set(), MEASURED),
        ("TRUNCATE measured", set(), MEASURED),
        ("DROP TABLE elder", set(), {"elder", "younger"}),
        ("DELETE FROM owner", set(), {"owner", "owned", "owned_twice", "coded"}),
        ("DELETE FROM owners", set(), {"owners", "owner", "owned", "owned_twice", "coded"}),
        ("WITH d AS (DELETE FROM owner) SELECT 1", set(), {"owner", "owned", "owned_twice", "coded"}),
        ("DELETE FROM owned", set(), {"owned", "owned_twice"}),
        ("UPDATE owner SET code = 'x'", set(), {"owner", "coded"}),
        ("UPDATE owner SET name = 'x'", set(), {"owner"}),
        ("UPDATE owner SET id = 1", set(), {"owner"}),
        ("INSERT INTO owner VALUES (1) ON CONFLICT (id) DO UPDATE SET code = 'x'", set(), {"owner", "coded"}),
        ("INSERT INTO owner VALUES (1)", set(), {"owner"}),
        ("UPDATE owners SET code = 'x'", set(), {"owners", "owner", "coded"}),
        (
            "MERGE INTO owner o USING apart a ON o.id = a.id WHEN MATCHED THEN DELETE",
            {"apart"},
            {"owner", "owned", "owned_twice", "coded"},
        ),
        ("DELETE FROM looped", set(), {"looped"}),
        ("UPDATE looped SET id = 2", set(), {"looped"}),
        ("DELETE FROM apart", set(), {"apart"}),
    ],
)
def test_children_and_what_foreign_keys_change_are_named(
    family: Catalog, text: str, reads: set[str], writes: set[str]
) -> None:
    found = facts(family, text)
    assert found.writes == {f"public.{name}" for name in writes}
    if not writes or reads:
        assert found.reads == {f"public.{name}" for name in reads}


def test_what_a_foreign_key_changes_brings_its_effects_and_classes(family: Catalog) -> None:
    gone = analyse(family, "DELETE FROM owner")
    assert gone.facts.effects >= {Effect.DELETE, Effect.WRITE}, "SET NULL writes"
    assert gone.facts.classes == {"national-id"}
    assert gone.sensitive
    plain = analyse(family, "DELETE FROM apart")
    assert plain.facts.effects == {Effect.DELETE}
    assert not plain.sensitive


def test_a_partition_s_trigger_is_the_parent_s(family: Catalog) -> None:
    for text in ("UPDATE measured SET note = 'x'", "UPDATE over_measured SET note = 'x'"):
        assert facts(family, text).functions == {"public.fires"}


def test_a_bound_of_the_parent_bounds_its_children(family: Catalog) -> None:
    assert not facts(family, "SELECT * FROM measured WHERE id = 1").whole
    assert not facts(family, "SELECT * FROM measured LIMIT 1").whole
    assert facts(family, "SELECT * FROM measured").whole == {f"public.{name}" for name in MEASURED}
    assert facts(family, "SELECT * FROM elder WHERE id = 1").whole == {"public.elder", "public.younger"}
