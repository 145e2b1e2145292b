"""Addresses taken apart and written anew; what column names say."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wicketgate.model.resource import TlsMode
from wicketgate.protocols.postgres.discover import data_class, propose, read, words, write


def test_an_address_is_taken_apart() -> None:
    found = read(
        "postgresql://app:s%203cret%2F@db.internal:6432/sales?sslmode=verify-full&sslrootcert=/etc/ca.pem"
    )
    assert (found.host, found.port, found.username, found.database) == ("db.internal", 6432, "app", "sales")
    assert found.secret is not None
    assert found.secret.reveal() == b"s 3cret/"
    assert (found.tls, found.ca_file) == (TlsMode.VERIFY_FULL, "/etc/ca.pem")
    assert "3cret" not in repr(found)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("postgres://u@h", ("h", 5432, "u", "u", TlsMode.REQUIRE)),
        ("postgresql://u@localhost/d", ("localhost", 5432, "u", "d", TlsMode.DISABLE)),
        ("postgresql://u@h/d?sslmode=prefer", ("h", 5432, "u", "d", TlsMode.REQUIRE)),
        ("postgresql://u@127.0.0.1/d?sslmode=prefer", ("127.0.0.1", 5432, "u", "d", TlsMode.DISABLE)),
        ("postgresql://u@[::1]:5/d?sslmode=require", ("::1", 5, "u", "d", TlsMode.REQUIRE)),
        ("postgresql:///d?host=h&user=u&port=77&password=x", ("h", 77, "u", "d", TlsMode.REQUIRE)),
    ],
)
def test_addresses_as_libpq_reads_them(text: str, expected: tuple[object, ...]) -> None:
    found = read(text)
    assert (found.host, found.port, found.username, found.database, found.tls) == expected


@pytest.mark.parametrize(
    "text",
    [
        "mysql://u:hunter2@h/d",
        "postgresql://u:hunter2@h:port/d",
        "postgresql://u:hunter2@/d",
        "postgresql://:hunter2@h/d",
        "postgresql://u:hunter2@h1,h2/d",
        "postgresql://u:hunter2@h/d?sslmode=hunter2",
        "postgresql://u:hunter2@[h/d",
        "postgresql:///d?host=/run/hunter2&user=u",
        "hunter2",
    ],
)
def test_what_cannot_be_used_is_told_without_repeating_it(text: str) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        read(text)
    assert "hunter2" not in str(caught.value)


@given(st.text(max_size=60))
def test_any_text_is_taken(text: str) -> None:
    for address in (text, "postgresql://" + text):
        with contextlib.suppress(ValueError):
            read(address)


def test_the_new_address_reads_back() -> None:
    address = write("crew-bot", "wkt_abc", "gw.internal", 15432, "sales", "/var/lib/wicket gate/ca.pem")
    assert address == (
        "postgresql://crew-bot:wkt_abc@gw.internal:15432/sales"
        "?sslmode=verify-full&sslrootcert=/var/lib/wicket%20gate/ca.pem"
    )
    found = read(address)
    assert found.secret is not None
    assert (found.username, found.secret.reveal(), found.tls) == ("crew-bot", b"wkt_abc", TlsMode.VERIFY_FULL)
    assert found.ca_file == "/var/lib/wicket gate/ca.pem"
    assert read(write("b", "t", "::1", 1, "r", "/ca")).host == "::1"


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        ("email", "email"),
        ("contact_email", "email"),
        ("eMailAddress", "email"),
        ("E-Mail", "email"),
        ("card", "payment-card"),
        ("card_number", "payment-card"),
        ("creditCardNo", "payment-card"),
        ("ccnum", None),
        ("cc_num", "payment-card"),
        ("cvv", "secret"),
        ("ssn", "national-id"),
        ("national_id", "national-id"),
        ("tax_id", "national-id"),
        ("passport_no", "national-id"),
        ("iban", "bank-account"),
        ("phone", "phone"),
        ("mobile_phone_2", "phone"),
        ("password", "secret"),
        ("password_hash", "secret"),
        ("api_key", "secret"),
        ("refresh_token", "secret"),
        ("street", "address"),
        ("zip_code", "address"),
        ("date_of_birth", "birth-date"),
        ("dob", "birth-date"),
        ("first_name", "person-name"),
        ("ip_address", "ip-address"),
        # what is about a value is not the value
        ("email_verified", None),
        ("is_email", None),
        ("has_phone", None),
        ("email_sent_at", None),
        ("token_count", None),
        ("card_brand", None),
        ("num_tokens", None),
        ("discard", None),
        ("id", None),
        ("status", None),
        ("created_at", None),
        ("spinach", None),
        ("pinned", None),
        ("description", None),
    ],
)
def test_what_a_column_name_says(column: str, expected: str | None) -> None:
    assert data_class("t", column, "date" if expected == "birth-date" else "text") == expected


def test_types_speak_too() -> None:
    assert data_class("users", "email", "boolean") is None
    assert data_class("users", "phone", "bigint") == "phone"
    assert data_class("users", "birth_date", "boolean") is None
    assert data_class("log", "ip", "inet") == "ip-address"
    assert data_class("customers", "name", "text") == "person-name"
    assert data_class("products", "name", "text") is None
    assert data_class("users", "secret", "jsonb") == "secret"


def test_proposals_are_qualified_and_leave_out_what_cannot_be_written() -> None:
    columns = [
        ("public", "customers", "email", "text"),
        ("public", "odd.name", "email", "text"),
        ("public", "customers", "id", "integer"),
    ]
    assert propose(columns) == {"public.customers.email": "email"}


def test_words() -> None:
    assert words("homeEMail_2") == "home email 2"
    assert words("HTTPToken") == "http token"
