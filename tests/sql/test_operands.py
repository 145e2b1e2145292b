"""How literals and parameters are used, each use of them."""

import pytest

from sql.picture import Row
from wicketgate.sql.catalog import Catalog
from wicketgate.sql.operands import OTHER, Operands, Use, operands
from wicketgate.sql.parse import parse


def asked(catalog: Catalog, text: str) -> Operands:
    (member,) = parse(text.encode()).members
    return operands(member, text.encode(), Row("", {}).environment(catalog))


CASES = (
    ("SELECT * FROM customers WHERE email = 'tok' AND name = 'n'", {"tok": "compared email", "n": "other"}),
    (
        "SELECT 1 FROM customers WHERE 'tok' = email OR ssn IN ('a', 'b')",
        {"tok": "compared email", "a": "compared national-id"},
    ),
    ("SELECT 'tok', email FROM customers WHERE email = 'x'", {"tok": "other", "x": "compared email"}),
    (
        "SELECT 1 FROM customers WHERE lower(email) = 'tok' OR email LIKE 'y' OR email <> 'z'",
        dict.fromkeys("yz", "other"),
    ),
    (
        "SELECT 1 FROM customers WHERE email = lower('tok') OR email = 'x'::text",
        {"tok": "other", "x": "compared email"},
    ),
    (
        "SELECT 1 FROM customers WHERE email = 'x'::varchar(2) OR email = 'y'::name",
        {"x": "other", "y": "other"},
    ),
    ("SELECT 1 FROM customers WHERE email = ANY ('{tok}')", {"{tok}": "other"}),
    ("SELECT c.x FROM (SELECT email AS x FROM customers) c WHERE c.x = 'tok'", {"tok": "compared email"}),
    ("SELECT 1 FROM contacts WHERE contact = 'tok'", {"tok": "compared email"}),
    ("SELECT 1 FROM emailed WHERE le = 'tok'", {"tok": "other"}),
    ("SELECT 1 FROM customers WHERE email_norm = 'tok'", {"tok": "other"}),
    (
        "INSERT INTO customers (id, email, note) VALUES (1, 'tok', 'n')",
        {"tok": "stored email", "n": "stored"},
    ),
    (
        "UPDATE customers SET email = 'tok', (ssn, note) = ('a', 'n')",
        {"tok": "stored email", "a": "stored national-id"},
    ),
    ("UPDATE customers SET email = lower('tok') WHERE email = 'x'", {"tok": "other", "x": "compared email"}),
    ("INSERT INTO contacts (contact) VALUES ('tok')", {"tok": "other"}),
    ("UPDATE contacts SET contact = 'tok'", {"tok": "other"}),
    ("UPDATE customers SET tags[1] = 'tok'", {"tok": "other"}),
    ("INSERT INTO notes (body) SELECT 'tok'", {"tok": "other"}),
    ("PREPARE p AS SELECT 1 FROM customers WHERE email = 'tok'", {"tok": "compared email"}),
    ("EXECUTE p('tok')", {"tok": "other"}),
    ("SELECT public.wipe() FROM customers WHERE email = 'tok'", {"tok": "other"}),
    (
        "SELECT 1 FROM customers WHERE email = $$tok$$ OR email = 'it''s'",
        {"tok": "compared email", "it's": "compared email"},
    ),
    ("SELECT 1 FROM customers WHERE email = E'tok' OR email = U&'x'", {"tok": "other", "x": "other"}),
    ("SELECT 1 FROM customers JOIN (VALUES ('tok')) v(e) ON v.e = email", {"tok": "other"}),
    (
        "MERGE INTO customers c USING orders o ON c.id = o.id WHEN MATCHED THEN UPDATE SET email = 'tok'"
        " WHEN NOT MATCHED THEN INSERT (id, ssn) VALUES (1, 'a')",
        {"tok": "stored email", "a": "stored national-id"},
    ),
)


@pytest.mark.parametrize(("text", "expected"), CASES, ids=[text[:60] for text, _ in CASES])
def test_literals(catalog: Catalog, text: str, expected: dict[str, str]) -> None:
    found = asked(catalog, text)
    told = {
        literal.value: " ".join([literal.operand.use.value, *sorted(literal.operand.classes)])
        for literal in found.literals
    }
    assert expected.items() <= told.items()
    for literal in found.literals:
        written = text.encode()[literal.offset : literal.offset + literal.length].decode()
        assert written in ("", f"'{literal.value.replace(chr(39), chr(39) * 2)}'", f"$${literal.value}$$")
        assert written or literal.operand == OTHER


def test_parameters_are_what_all_their_uses_are(catalog: Catalog) -> None:
    found = asked(
        catalog,
        "SELECT $4 FROM customers WHERE email = $1 AND (ssn = $2 OR email = $2::text)"
        " AND (email = $3 OR name = $3) AND email = $4 AND age = $5",
    ).parameters
    assert found[1].use is Use.COMPARED
    assert len(found[1].columns) == 1
    assert (found[2].use, found[2].classes) == (Use.COMPARED, {"email", "national-id"})
    assert [found[number] for number in (3, 4, 5)] == [OTHER] * 3


def test_a_shared_shape_has_places_of_its_own_text(catalog: Catalog) -> None:
    for value in ("a", "much longer"):
        text = f"SELECT id FROM customers WHERE name = '{value}' AND email = '{value}'"
        first, second = asked(catalog, text).literals
        assert text[second.offset : second.offset + second.length] == f"'{value}'"
        assert (first.operand.use, second.operand.use) == (Use.OTHER, Use.COMPARED)


@pytest.mark.parametrize("text", ["SELECT (", "", "SELECT 1; SELECT 'x'"])
def test_what_cannot_be_read_tells_nothing(catalog: Catalog, text: str) -> None:
    (member,) = parse(b"SELECT 1").members
    found = operands(member, text.encode(), Row("", {}).environment(catalog))
    assert not found.parameters
    assert all(literal.operand == OTHER for literal in found.literals)
