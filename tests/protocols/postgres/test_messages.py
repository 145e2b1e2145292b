"""Denials as PostgreSQL's errors, and what may pass of a server's own: tried on real servers' messages."""

from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.postgres.live import answer, sign_in
from protocols.postgres.rehearsal import error_of
from servers.planted import leaks
from servers.postgres import Postgres
from wicketgate.model.decision import Denial
from wicketgate.model.resource import TlsMode
from wicketgate.protocols.postgres.messages import (
    WITHHELD_HINT,
    error_frame,
    fatal_frame,
    fields_of,
    report,
    rewrite_error,
    soften,
)


# -- denials ------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("kind", "code"),
    [
        ("policy", "42501"),
        ("mask", "42501"),
        ("review", "42501"),
        ("limit", "53400"),
        ("syntax", "42601"),
        ("unsupported", "0A000"),
        ("unavailable", "57P03"),
        ("shutdown", "57P01"),
        ("revoked", "28000"),
        ("cancelled", "57014"),
        ("too-large", "54000"),
        ("no-statement", "26000"),
        ("no-portal", "34000"),
        ("unheard-of", "42501"),
    ],
)
def test_error_frame(kind: str, code: str) -> None:
    denial = Denial(kind, "Not through here.", "the cause", "Ask less.", ("never drop",))
    assert error_of(error_frame(denial)) == {
        "S": "ERROR",
        "V": "ERROR",
        "C": code,
        "M": "Not through here.",
        "D": "Rule: never drop",
        "H": "Ask less.",
    }


def test_error_frame_of_a_sign_in_says_nothing_of_its_own() -> None:
    fields = error_of(error_frame(Denial("sign-in", "no such identity", "cause", "hint", ("rule",)), "FATAL"))
    assert fields["S"] == "FATAL"
    assert fields["C"] == "28P01"
    assert "no such" not in str(fields)
    assert "rule" not in str(fields)


def test_error_frame_holds_no_nul_and_has_a_bound() -> None:
    fields = error_of(error_frame(Denial("policy", "a\0b" + "x" * 100_000, "cause", None, ("a", "b"))))
    assert fields["M"].startswith("abxx")
    assert len(fields["M"]) == 4000 - 1
    assert fields["D"] == "Rules: a, b"
    assert "H" not in fields


def test_fatal_frame() -> None:
    assert error_of(fatal_frame("08P01", "no"))["S"] == "FATAL"


def test_rewrite_error() -> None:
    denial = Denial("policy", "No.", "cause")
    assert rewrite_error(denial, report("ERROR", "42601", "syntax error")) == error_frame(denial)
    assert rewrite_error(denial, b"") == error_frame(denial)
    fields = error_of(rewrite_error(denial, report("FATAL", "57P01", "terminating … 521-44-9031")))
    assert (fields["S"], fields["C"]) == ("FATAL", "57P01")
    assert leaks(str(fields).encode()) == []


@given(st.binary(max_size=200))
def test_any_bytes_have_fields(body: bytes) -> None:
    fields_of(body)
    assert soften(body, body, lambda _: False).endswith(b"\0\0")


# -- softening: by hand -------------------------------------------------------------------------------------
CATALOG = {"customers", "email", "ssn", "age", "customers_ssn_key", "public", "mood"}


def softened(code: str, message: str, statement: str | None = "", **fields: str) -> dict[str, str]:
    more = b"".join(key.encode() + value.encode() + b"\0" for key, value in fields.items())
    body = report("ERROR", code, message)[:-1] + more + b"\0"
    return fields_of(soften(body, None if statement is None else statement.encode(), CATALOG.__contains__))


@pytest.mark.parametrize(
    ("code", "message", "statement"),
    [
        ("42P01", 'relation "custmers" does not exist', "SELECT * FROM custmers"),
        ("42P01", 'relation "custmers" does not exist', "SELECT * FROM CustMers"),
        ("42P01", 'relation "CustMers" does not exist', 'SELECT * FROM "CustMers"'),
        ("42P01", 'relation "sales.custmers" does not exist', "SELECT * FROM sales . custmers"),
        ("42P01", 'relation "public.custmers" does not exist', "SELECT * FROM public.custmers"),
        ("42P01", 'relation "custmers" does not exist', "SELECT 'CUSTMERS'::regclass"),
        ("42703", "column c.emial does not exist", "SELECT c.emial FROM customers c"),
        ("42703", 'column "emial" does not exist', "SELECT emial FROM customers"),
        ("42702", 'column reference "email" is ambiguous', None),
        ("42601", 'syntax error at or near "form"', "SELECT 1 form customers"),
        ("42601", "syntax error at or near \"'abc'\"", "SELECT 1 2 'abc'"),
        ("42601", 'unterminated quoted string at or near "\'abc"', "SELECT 'abc"),
        ("23505", 'duplicate key value violates unique constraint "customers_ssn_key"', None),
        ("23502", 'null value in column "ssn" of relation "customers" violates not-null constraint', None),
        ("22P02", 'invalid input syntax for type integer: "abc"', "SELECT 'abc'::int FROM customers"),
        ("22P02", 'invalid input syntax for type timestamp with time zone: "it\'s"', "SELECT 'it''s'::int"),
        ("22P02", "invalid input syntax for type json", ""),
        ("22P02", 'invalid input value for enum mood: "sad"', "SELECT 'sad'::mood"),
        ("42883", "operator does not exist: text = integer", ""),
        ("42883", "operator does not exist: character varying[] <@ numeric(10,2)", ""),
        ("42883", "function lowr(text, unknown) does not exist", "SELECT lowr(email, 'x') FROM customers"),
        ("42883", "function now2() does not exist", "SELECT now2()"),
        (
            "42803",
            'column "c.email" must appear in the GROUP BY clause or be used in an aggregate function',
            "c",
        ),
        ("42501", "permission denied for table customers", ""),
        ("25006", "cannot execute INSERT in a read-only transaction", ""),
        ("25006", "cannot execute CREATE TABLE AS in a read-only transaction", ""),
        ("22012", "division by zero", ""),
        ("22001", "value too long for type character varying(255)", ""),
        ("42601", "each UNION query must have the same number of columns", ""),
        ("42P02", "there is no parameter $2", ""),
    ],
)
def test_known_messages_pass(code: str, message: str, statement: str | None) -> None:
    assert softened(code, message, statement) == {"S": "ERROR", "V": "ERROR", "C": code, "M": message}


@pytest.mark.parametrize(
    ("code", "message", "statement"),
    [
        ("42P01", 'relation "521-44-9031" does not exist', "SELECT ssn::regclass FROM customers"),
        ("42P01", 'relation "521-44-9031" does not exist', "SELECT 1 /* 521-44-9031 */ -- 521-44-9031"),
        ("42P01", 'relation "9031" does not exist', "SELECT '521-44-9031'"),
        ("42P01", 'relation "9031" does not exist', 'SELECT x9031, "a9031"'),
        ("42P01", 'relation "10.0.1" does not exist', "SELECT '10', '0', '1'"),
        ("42P01", 'relation "a.b.c" does not exist', "SELECT a, b, c"),
        ("22P02", 'invalid input syntax for type integer: "521-44-9031"', "SELECT ssn::int FROM customers"),
        ("22P02", 'invalid input syntax for type integer: "5"', "SELECT 5, ssn::int FROM customers"),
        ("22P02", 'invalid input syntax for type integer: "abc"', "SELECT E'a\\142c'::int"),
        ("22P02", 'invalid input syntax for type integer: "abc"', "SELECT $$abc$$ || $a$ abc $a$, 'abc"[:-4]),
        ("22P02", 'invalid input syntax for type integer: "email"', "SELECT email::int FROM customers"),
        ("22P02", 'invalid input syntax for type 521: "abc"', "SELECT 'abc'::int"),
        ("22003", 'value "521449031" is out of range for type integer', "SELECT '521449031'::int2"),
        ("P0001", "521-44-9031", "SELECT f()"),
        ("P0001", "division by zero", "SELECT f()"),
        ("52144", "division by zero", "SELECT f()"),
        ("22012", "division by zero 5", "SELECT f()"),
        ("42601", 'syntax error at or near "ab"', "SELECT abc"),
        ("42601", 'syntax error at or near "x" and 521', "SELECT x"),
        ("42501", "permission denied for table 521", ""),
        ("42501", "permission denied for secret customers", ""),
        ("25006", "cannot execute ALICE in a read-only transaction", ""),
        ("42883", "operator does not exist: text 5 integer", ""),
        ("42883", "function f(521) does not exist", "SELECT f(521)"),
        ("22001", "value too long for type character varying(521449031)", ""),
        ("42703", 'column "' + "x" * 500 + '" does not exist', "SELECT " + "x" * 500),
        ("42P01", 'relation "" does not exist', "SELECT ''"),
        ("42P01", 'relation "x" does not exist', "SELECT \xff x"),
    ],
)
def test_what_is_not_known_is_withheld(code: str, message: str, statement: str) -> None:
    if "\xff" in statement:
        body = report("ERROR", code, message)
        told = fields_of(soften(body, statement.encode("latin-1"), CATALOG.__contains__))
    else:
        told = softened(code, message, statement)
    if "$$abc$$" in statement:
        # a whole literal in dollar quotes is one of the client's own
        assert told["M"] == message
        return
    assert told["M"] != message
    assert told["H"] == WITHHELD_HINT
    assert told["C"] == ("XX000" if code == "52144" else code)


def test_fields_that_stay_and_fields_that_go() -> None:
    told = softened(
        "23514",
        'new row for relation "customers" violates check constraint "age_check"',
        "UPDATE customers SET age = 200",
        P="8",
        D="Failing row contains (1, 521-44-9031).",
        H="521-44-9031",
        W="521-44-9031",
        q="SELECT '521-44-9031'",
        p="8",
        F="521",
        L="521",
        R="521",
        s="public",
        t="customers",
        c="ssn",
        d="521-44-9031",
        n="521-44-9031",
        x="521-44-9031",
    )
    assert told == {
        "S": "ERROR",
        "V": "ERROR",
        "C": "23514",
        "M": "check violation",
        "H": WITHHELD_HINT,
        "P": "8",
        "s": "public",
        "t": "customers",
        "c": "ssn",
    }


@pytest.mark.parametrize("position", ["521449031", "31", "-1", "x", "٣", ""])
def test_positions_outside_the_statement(position: str) -> None:
    assert "P" not in softened("42601", "syntax error at end of input", "SELECT " * 4, P=position)
    assert "P" not in softened("42601", "syntax error at end of input", None, P="1")


def test_a_severity_that_is_none() -> None:
    told = fields_of(soften(b"S521-44-9031\0C22012\0Mdivision by zero\0\0", b"", lambda _: False))
    assert told == {"S": "ERROR", "V": "ERROR", "C": "22012", "M": "division by zero"}
    told = fields_of(soften(b"SFEHLER\0VERROR\0C22012\0MDivision durch Null\0\0", b"", lambda _: False))
    assert (told["S"], told["M"]) == ("ERROR", "division by zero")


# -- softening: real servers --------------------------------------------------------------------------------
Ask = Callable[[str], list[dict[str, str]]]


@pytest.fixture
def session(postgres: Postgres) -> Iterator[tuple[Ask, Ask]]:
    """(as the server says it, softened): the reports that a statement in a block brings about."""
    names = {
        name
        for (name,) in postgres.sql(
            "SELECT relname::text FROM pg_class UNION SELECT attname FROM pg_attribute UNION SELECT conname "
            "FROM pg_constraint UNION SELECT typname FROM pg_type UNION SELECT nspname FROM pg_namespace"
        )
    }
    _, link = sign_in(postgres, "app_rw", TlsMode.VERIFY_FULL, {})

    def bodies(text: str) -> list[bytes]:
        answer(link, "BEGIN")
        found = [body for kind, body in answer(link, text) if kind in "EN"]
        answer(link, "ROLLBACK")
        return found

    def raw(text: str) -> list[dict[str, str]]:
        return [fields_of(body) for body in bodies(text)]

    def soft(text: str) -> list[dict[str, str]]:
        return [fields_of(soften(body, text.encode(), names.__contains__)) for body in bodies(text)]

    with link:
        yield raw, soft


LEAKING = [
    "SELECT ssn::int FROM customers",
    "SELECT ssn::regclass FROM customers",
    "SELECT ('x.' || card)::regclass FROM customers",
    "SELECT email::uuid FROM customers",
    "SELECT email::date FROM customers",
    "SELECT email::json FROM customers",
    "SELECT card::int FROM customers",
    "SELECT card::inet FROM customers",
    "SELECT ssn::regtype FROM customers",
    "SELECT email::regrole FROM customers",
    "SELECT ssn::regproc FROM customers",
    "SELECT (ssn || '()')::regprocedure FROM customers",
    "SELECT ssn::bool FROM customers",
    "SELECT ('{' || email)::int[] FROM customers",
    "SELECT to_date(ssn, 'YYYY') , to_timestamp(email, 'YYYY') FROM customers",
    "SELECT set_config(email, 'x', true) FROM customers",
    "SELECT currval(email) FROM customers",
    "SELECT query_to_xml(email, true, true, '') FROM customers",
    "SELECT query_to_xml('SELECT 1 FROM \"' || ssn || '\"', true, true, '') FROM customers",
    "SELECT encode(decode(email, 'hex'), 'hex') FROM customers",
    "SELECT convert_from(convert_to(email, 'UTF8'), email) FROM customers",
    "SELECT '' ~ ('(' || email) FROM customers",
    "SELECT date_part(email, now()) FROM customers",
    "SELECT now() AT TIME ZONE email FROM customers",
    "SELECT to_tsquery(email::regconfig, 'x') FROM customers",
    "SELECT email::xml, ('<' || email)::xml FROM customers",
    "SELECT format('%' || email, 1) FROM customers",
    "UPDATE customers SET age = 200 WHERE id = 1",
    "UPDATE customers SET name = NULL WHERE id = 1",
    "INSERT INTO customers SELECT id + 100, email || 'x', ssn, card, age, name FROM customers",
    "UPDATE customers SET id = id + 1 WHERE id = 1",
    "DO $$ BEGIN RAISE NOTICE 'x %', (SELECT ssn FROM customers WHERE id = 1); END $$",
    "DO $$ BEGIN RAISE EXCEPTION '%', (SELECT ssn FROM customers LIMIT 1) USING ERRCODE = '42P01'; END $$",
    "DO $$ BEGIN RAISE EXCEPTION 'x' USING TABLE = (SELECT ssn FROM customers WHERE id = 1); END $$",
    "DO $$ BEGIN RAISE division_by_zero USING HINT = (SELECT ssn FROM customers WHERE id = 1); END $$",
    "DO $$ BEGIN EXECUTE 'SELECT 1 ' || (SELECT ssn FROM customers WHERE id = 1) || ' x'; END $$",
    "DO $$ DECLARE s text; BEGIN SELECT ssn INTO s FROM customers WHERE id = 1; "
    "EXECUTE format('SELECT %I', s); END $$",
]


@pytest.mark.parametrize("statement", LEAKING)
def test_nothing_leaks_from_real_messages(session: tuple[Ask, Ask], statement: str) -> None:
    raw, soft = session
    told, hidden = raw(statement), soft(statement)
    assert told
    assert len(hidden) == len(told)
    for before, after in zip(told, hidden, strict=True):
        assert (after["C"], after["V"]) == (before["C"], before["V"])
        assert after.get("P") == before.get("P")
        assert leaks(repr(after).encode()) == [], after


def test_most_of_those_would_have_leaked(session: tuple[Ask, Ask]) -> None:
    raw, _ = session
    real = [statement for statement in LEAKING if leaks(repr(raw(statement)).encode())]
    assert len(real) > len(LEAKING) * 3 // 4


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM custmers",
        "SELECT * FROM nowhere.custmers",
        "SELECT emial FROM customers",
        "SELECT c.emial FROM customers AS c",
        "SELECT id FROM customers, orders",
        "SELECT x.id FROM customers",
        "SELECT customers.id FROM customers c",
        "SELECT email, count(*) FROM customers",
        "SELECT count(*) FROM customers WHERE count(*) > 1",
        "SELECT id FORM customers WHERE",
        "SELECT email FROM customers WHERE",
        "SELECT email FROM customers WHERE email = 'x",
        "SELECT email FROM customers WHERE id = 'abc'",
        "SELECT email FROM customers WHERE id = 'it''s'",
        "SELECT email FROM customers WHERE email = 1",
        "SELECT email FROM customers WHERE email",
        "SELECT nofunction(email, 1, 'x') FROM customers",
        "SELECT email::nosuchtype FROM customers",
        "SELECT email FROM customers UNION SELECT id, age FROM customers",
        "SELECT email FROM customers UNION SELECT id FROM customers",
        "SELECT email, 1/0 FROM customers",
        "SELECT (SELECT email FROM customers)",
        "SELECT * FROM customers ORDER BY 99",
        "SELECT DISTINCT email FROM customers ORDER BY age",
        "INSERT INTO customers (id) VALUES (1, 2)",
        "INSERT INTO customers (id, nocolumn) VALUES (1, 2)",
        "INSERT INTO customers (id, id) VALUES (1, 2)",
        "INSERT INTO customers (id) VALUES (1000)",
        "INSERT INTO customers VALUES (1, 'a', 'b', 'c', 1, 'd')",
        "INSERT INTO customers VALUES (1000, 'a', 'b', 'c', 1000, 'd')",
        "INSERT INTO orders VALUES (1000, 77777, 1, '2024-01-01')",
        "DELETE FROM customers WHERE id = 1",
        "UPDATE customers SET email_norm = 'x'",
        "UPDATE customers SET nocolumn = 'x'",
        "DROP TABLE customers",
        "ALTER TABLE customers ADD COLUMN x int",
        "CREATE TABLE customers (id int)",
        "SET TRANSACTION READ ONLY; DELETE FROM customers",
        "SELECT email FROM customers; VACUUM",
        "FETCH ALL FROM nocursor",
        "ROLLBACK TO nosavepoint",
        "SELECT $1::text FROM customers",
        "SET statement_timeout = 1; SELECT pg_sleep(10) FROM customers",
        "SET nosuch_setting = 1",
        "BEGIN",
        "SELECT 'customers_x'::regclass",
        "SELECT lower(VARIADIC email) FROM customers",
        "GRANT SELECT ON customers TO norole",
        "DROP TABLE IF EXISTS custmers",
        "SELECT a_very_long_name_that_is_longer_than_sixty_three_bytes_so_postgresql_cuts_it FROM customers",
    ],
)
def test_real_messages_that_help_pass(session: tuple[Ask, Ask], statement: str) -> None:
    raw, soft = session
    for before, after in zip(raw(statement), soft(statement), strict=True):
        assert after["M"] == before["M"]
        assert after.get("P") == before.get("P")
        assert "H" not in after
