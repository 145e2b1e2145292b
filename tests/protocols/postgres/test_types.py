"""Types × formats × transforms on real servers: a masked cell parses as its type, alike in both formats."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg.adapt import Transformer

from servers.postgres import Postgres
from wicketgate.masking.pseudonym import Pseudonyms
from wicketgate.protocols.postgres.maskers import Mark, Masker, Texts, Tokens
from wicketgate.protocols.postgres.types import Column, Names
from wicketgate.sql.compositions import Composition

NAMES = Names(Pseudonyms({1: bytes(32)}, 1), {"identity": b"identity:crew"})
MARK = "[redacted:email]"

TRANSFORMS = [
    *("redact", "null", "last4", "partial", "truncate", "truncate:month", "truncate:year", "truncate:100"),
    *("truncate:1", "truncate:9999999999", "pseudonym:identity", "pseudonym:task", "unheard-of"),
]

SETUP = """
CREATE SCHEMA m; SET search_path = m;
CREATE TYPE mood AS ENUM ('sad', 'happy');
CREATE DOMAIN mail AS text CHECK (value <> '');
CREATE DOMAIN mails AS mail[];
CREATE TYPE place AS (street text, number int, since date, tags text[], mood mood, mail mail);
CREATE TYPE nested AS (place place, places place[], doc jsonb);
CREATE TABLE people (id int, dropped int, name varchar(90));
ALTER TABLE people DROP COLUMN dropped;
CREATE EXTENSION IF NOT EXISTS citext
"""

VALUES: dict[str, list[str]] = {
    "text": [
        "'4111 1111 1111 1234'",
        "'alice@example.com'",
        "'1984-03-12'",
        "''",
        "'NULL'",
        "repeat('ü', 5000)",
    ],
    "varchar(30)": ["'4111 1111 1111 1234'", "'élodie@exämple.fr'"],
    "char(30)": ["'4111 1111 1111 1234'", "'alice@example.com'"],
    "name": ["'4111 1111 1111 1234'", "repeat('x', 50) || '@example.com'"],
    '"char"': ["'x'"],
    "citext": ["'Alice@example.com'"],
    "mail": ["'alice@example.com'"],
    "int2": ["-32768", "32767", "-5", "0", "1234"],
    "int4": ["-2147483648", "2147483647", "-1", "123456"],
    "int8": ["-9223372036854775808", "9223372036854775807", "-100", "12345678901"],
    "numeric": [
        "1234.56",
        "-0.5",
        "-100",
        "0",
        "123456789012345678901234567890.5",
        "0.00001",
        "'NaN'",
        "1e30 + 1",
    ],
    "numeric(10,2)": ["1234.56", "-1234.56", "99999999.99", "20000000"],
    "float4": ["1234.5", "-0.1", "'NaN'", "'-Infinity'", "1e38", "16777216", "123456789", "1e-30"],
    "float8": ["1234.5", "-0.1", "'NaN'", "1e300", "9007199254740991", "-12345678.9"],
    "bool": ["true"],
    "uuid": ["'123e4567-e89b-12d3-a456-426614174000'"],
    "date": [
        "'1984-03-12'",
        "'0044-03-15 BC'",
        "'infinity'",
        "'5874897-12-31'",
        "'4713-01-02 BC'",
        "'2000-02-29'",
    ],
    "time": ["'10:11:12'"],
    "timetz": ["'10:11:12+02'"],
    "timestamp": [
        "'1984-03-12 10:11:12.123456'",
        "'-infinity'",
        "'0044-03-15 00:00 BC'",
        "'294276-12-31 23:59'",
    ],
    "timestamptz": [
        "'1984-04-01 00:30:00+02'",
        "'2024-12-31 23:59:59.9-05'",
        "'infinity'",
        "'1883-01-01 00:01'",
    ],
    "interval": ["'3 days'"],
    "json": ["""'{"name": "alice", "alice@example.com": [1, true, null]}'""", "'\"x\"'", "'12'"],
    "jsonb": ["""'{"name": "alice", "alice@example.com": [1, true, null]}'""", "'[]'"],
    "bytea": ["'\\x00ff'", "''"],
    "inet": ["'10.0.0.1/8'"],
    "cidr": ["'10.0.0.0/8'"],
    "macaddr": ["'08:00:2b:01:02:03'"],
    "mood": ["'happy'"],
    "int4range": ["'[1,10)'"],
    "xml": ["'<a/>'"],
    "money": ["12"],
    "point": ["'(1,2)'"],
    "bit(3)": ["'101'"],
    "oid": ["4711"],
    "regclass": ["'pg_class'"],
    "text[]": [
        """'{"a,b",NULL,"","nu\\"l\\\\l","NULL",{}}'""".replace(",{}", ""),
        "'{}'",
        "'[0:1][2:2]={{a},{b c}}'",
    ],
    "int4[]": ["'{1,NULL,-150}'", "'{{1,2},{3,4}}'"],
    "date[]": ["'{1984-03-12,NULL}'"],
    "timestamptz[]": ["'{1984-03-12 10:11:12+00}'"],
    "numeric[]": ["'{1.5,-200}'"],
    "jsonb[]": ["""array['{"a": "b"}'::jsonb, '[1]']"""],
    "bytea[]": ["array['\\x00'::bytea]"],
    "uuid[]": ["array['123e4567-e89b-12d3-a456-426614174000'::uuid]"],
    "box[]": ["'{(1,1),(0,0);(2,2),(0,0)}'"],
    "mood[]": ["'{sad,NULL}'"],
    "mail[]": ["'{alice@example.com}'"],
    "mails": ["'{alice@example.com,NULL}'"],
    "citext[]": ["'{Alice@example.com}'"],
    "place": [
        """('a "b" \\c, (d)', 12, '1984-03-12', '{"x y",NULL}', 'sad', 'a@b.c')""",
        "(null,null,null,null,null,null)",
    ],
    "nested": [
        "(('s', 1, null, null, null, null), array[('t', 2, null, null, null, 'm')::place], '{\"k\": 1}')"
    ],
    "place[]": ["array[('s,(', 1, '1984-03-12', '{a,\"b c\"}', 'sad', 'x')::m.place, null]"],
    "people": ["(1, 'alice')"],
    "_people": ["array[(1, 'alice')::m.people]"],
}


def compositions(connection: psycopg.Connection[Any]) -> dict[int, Composition]:
    """What the catalog tells, as wicketgate.sql.compositions makes it."""
    found = {}
    for oid, kind, name, element, base, members in connection.execute(
        "SELECT t.oid::int8, typtype::text, typname::text, typelem::int8, typbasetype::int8,"
        " (SELECT coalesce(array_agg(atttypid::int8 ORDER BY attnum), '{}') FROM pg_attribute"
        "  WHERE attrelid = typrelid AND attnum > 0 AND NOT attisdropped) FROM pg_type t WHERE t.oid >= 16384"
    ):
        if kind == "d":
            found[oid] = Composition("domain", (base,))
        elif kind == "c":
            found[oid] = Composition("row", tuple(members))
        elif kind == "e":
            found[oid] = Composition("enum", ())
        elif element:
            found[oid] = Composition("array", (element,))
        else:
            found[oid] = Composition("text" if name == "citext" else "other", ())
    return found


@pytest.fixture(params=["postgres15", "postgres18"])
def made(request: pytest.FixtureRequest) -> Iterator[psycopg.Connection[Any]]:
    server: Postgres = request.getfixturevalue(request.param)
    with server.connect(database=server.database()) as connection:
        connection.execute(SETUP)
        yield connection


def fetched(connection: psycopg.Connection[Any], text: str, form: int) -> tuple[int, bytes | None]:
    answer = connection.pgconn.exec_params(text.encode(), [], result_format=form)
    assert answer.status == 2, (text, answer.error_message)
    return answer.ftype(0), answer.get_value(0, 0)


def read_back(connection: psycopg.Connection[Any], oid: int, form: int, cell: bytes) -> bytes | None:
    """What the server itself makes of a masked cell."""
    answer = connection.pgconn.exec_params(
        b"SELECT $1::text", [cell], param_types=[oid], param_formats=[form]
    )
    assert answer.status == 2, (oid, form, answer.error_message)
    return answer.get_value(0, 0)


def test_masked_cells_are_values_of_their_type_and_the_same_in_both_formats(
    made: psycopg.Connection[Any],
) -> None:
    known = compositions(made)
    transformer = Transformer(made)
    for name, values in VALUES.items():
        for value in values:
            oid, text = fetched(made, f"SELECT CAST(({value}) AS {name})", 0)
            again, raw = fetched(made, f"SELECT CAST(({value}) AS {name})", 1)
            assert oid == again
            assert text is not None
            assert raw is not None
            for transform in TRANSFORMS:
                column = Column(transform, "email", known, NAMES)
                [masked] = column.masker(oid, 0).mask([text])
                [other] = column.masker(oid, 1).mask([raw])
                where = (name, value, transform, masked, other)
                assert (masked is None) is (other is None), where
                if masked is None or other is None:
                    continue
                assert masked != text or text in UNCHANGED, where
                assert read_back(made, oid, 0, masked) == read_back(made, oid, 1, other), where
                if oid < 16384:
                    assert loaded(transformer, oid, 0, masked) == loaded(transformer, oid, 1, other), where


UNCHANGED = {
    *(b"{}", b"[]", b"(,,,,,)", b"infinity", b"-infinity"),
    *(b"0", b"0.0", b"-100", b"20000000.00", b"20000000"),  # multiples of the bucket already
}


def loaded(transformer: Transformer, oid: int, form: int, cell: bytes) -> Any:
    """What psycopg makes of it; its own error where Python has no such value."""
    try:
        return transformer.get_loader(oid, psycopg.pq.Format(form)).load(cell)
    except psycopg.DataError:
        return "beyond Python"


@pytest.mark.parametrize(
    ("name", "value", "transform", "masked"),
    [
        ("text", "'alice@example.com'", "partial", "a***@example.com"),
        ("char(30)", "'4111 1111 1111 1234'", "last4", "**** **** **** 1234"),
        ("text", "'1984-03-12'", "truncate:year", "1984…"),
        ("name", "repeat('x', 2) || '@' || repeat('y', 57) || '.de'", "partial", MARK),
        ("int4", "1234", "truncate:100", "1200"),
        ("int4", "-1", "truncate:100", "-100"),
        ("int2", "-32768", "truncate:100", None),
        ("int8", "5", "truncate:1", None),
        ("float8", "-0.1", "truncate:2", "-2"),
        ("numeric", "-1234.56", "truncate:100", "-1300"),
        ("numeric", "123456789012345678901234567890.5", "truncate:100", "123456789012345678901234567800"),
        ("numeric", "1e1300", "truncate:100", None),
        ("date", "'1984-03-12'", "truncate", "1984-03-01"),
        ("date", "'1984-03-12'", "truncate:year", "1984-01-01"),
        ("date", "'0044-03-15 BC'", "truncate:month", "0044-03-01 BC"),
        ("date", "'4714-12-31 BC'", "truncate:year", None),
        ("date", "'1984-03-12'", "truncate:100", None),
        ("date", "'1984-03-12'", "redact", None),
        ("timestamp", "'1984-03-12 10:11:12.5'", "truncate:month", "1984-03-01 00:00:00"),
        ("timestamp", "'0044-03-15 BC'", "truncate:year", "0044-01-01 00:00:00 BC"),
        ("timestamptz", "'1984-04-01 00:30:00+02'", "truncate:month", "1984-03-01 00:00:00+00"),
        ("timestamptz", "'2024-12-31 23:00:00-05'", "truncate:year", "2025-01-01 00:00:00+00"),
        ("jsonb", """'{"a": {"b": ["x", 1]}}'""", "last4", '{"a":{"b":["' + MARK + '",null]}}'),
        ("json", "'[1]'", "null", None),
        ("bytea", "'x'", "redact", "\\x" + MARK.encode().hex()),
        ("bytea", "'x'", "pseudonym:identity", None),
        ("text[]", "'[0:1][2:2]={{\"a,b\"},{NULL}}'", "redact", "[0:1][2:2]={{" + MARK + "},{NULL}}"),
        ("text[]", "'{alice@example.com,bob@example.com}'", "partial", "{a***@example.com,b***@example.com}"),
        ("int4[]", "'{150,NULL}'", "truncate:100", "{100,NULL}"),
        ("int4[]", "'{150,NULL}'", "redact", "{NULL,NULL}"),
        ("text[]", "'{a}'", "null", None),
        ("mood[]", "'{sad}'", "redact", "{NULL}"),
        ("box[]", "'{(1,1),(0,0);(2,2),(0,0)}'", "redact", None),
        ("place", "('a', 12, '1984-03-12', '{x}', 'sad', 'm')", "redact", f"({MARK},,,{{{MARK}}},,{MARK})"),
        ("place", "('a', 12, '1984-03-12', null, 'sad', 'm')", "truncate", f"({MARK},,1984-03-01,,,{MARK})"),
        ("people", "(1, 'alice')", "redact", f"(,{MARK})"),
        ("citext", "'Alice@example.com'", "partial", "A***@example.com"),
        ("uuid", "'123e4567-e89b-12d3-a456-426614174000'", "last4", None),
    ],
)
def test_what_each_type_shows(
    made: psycopg.Connection[Any], name: str, value: str, transform: str, masked: str | None
) -> None:
    oid, text = fetched(made, f"SELECT CAST(({value}) AS {name})", 0)
    [cell] = Column(transform, "email", compositions(made), NAMES).masker(oid, 0).mask([text])
    assert (None if cell is None else cell.decode()) == masked


def test_pseudonyms_of_text() -> None:
    of = Column("pseudonym:identity", "email", {}, NAMES)
    [token] = of.masker(25, 0).mask([b"alice@example.com"])
    assert token is not None
    assert of.masker(1043, 1).mask([b"alice@example.com"]) == [token]
    assert of.masker(1042, 1).mask([b"alice@example.com   "]) == [token]
    assert of.masker(1009, 0).mask([b"{alice@example.com}"]) == [b"{" + token + b"}"]
    assert of.masker(19, 0).mask([b"alice@example.com"]) == [MARK.encode()]
    assert of.masker(23, 0).mask([b"1"]) == [None]
    for unable in (
        Column("pseudonym:identity", "email", {}, None),
        Column("pseudonym:task", "email", {}, NAMES),
        Column("pseudonym:", "email", {}, NAMES),
        Column("pseudonym:identity", "x" * 65, {}, NAMES),
    ):
        [marked] = unable.masker(25, 0).mask([b"alice@example.com"])
        assert marked is not None
        assert marked.startswith(b"[redacted")


def test_what_is_constant_is_not_read() -> None:
    def kind(transform: str, oid: int, form: int) -> type[Masker]:
        return type(Column(transform, "email", {}, NAMES).masker(oid, form))

    assert kind("redact", 25, 0) is Mark
    assert kind("pseudonym:task", 25, 0) is Mark
    assert kind("unheard-of", 25, 1) is Mark
    assert kind("truncate:100", 25, 1) is Mark
    assert kind("last4", 25, 1) is Texts
    assert kind("pseudonym:identity", 25, 1) is Tokens
    for oid, form in (
        (25, 2),
        (25, -1),
        (23, 0),
        (2249, 1),
        (2287, 0),
        (18, 0),
        (99999, 1),
        (3904, 0),
        (22, 0),
    ):
        assert kind("redact", oid, form) is Masker
    assert kind("null", 3802, 1) is Masker
    for option in ("0", "1", "-5", "week", "1e3", "٣٣", "10000000000000001", "9" * 5000):
        assert kind(f"truncate:{option}", 23, 0) is Masker
        assert kind(f"truncate:{option}", 1082, 0) is Masker
        assert kind(f"truncate:{option}", 25, 0) is Mark


def test_types_that_hold_themselves_end() -> None:
    loop = {20000: Composition("domain", (20000,)), 20001: Composition("row", (20001,))}
    for oid in loop:
        assert Column("redact", "email", loop, None).masker(oid, 0).mask([b"(x)"]) in ([None], [b"()"])


def test_a_field_of_a_composite_that_changed_meanwhile() -> None:
    known = {20000: Composition("row", (25, 23))}
    masker = Column("redact", "email", known, None).masker(20000, 0)
    assert masker.mask([b"(a,1)", b"(a)", b"(a,1,b)", b"(a", b"", b"()", None]) == [
        *(b"([redacted:email],)", None, None, None, None, None, None),
    ]
