"""The test servers are what tests take them for: versions, sign-in methods, TLS, planted values, restarts."""

import psycopg
import pytest

from servers.planted import CUSTOMERS, leaks
from servers.postgres import Postgres


def test_planted_values_are_there_as_listed(postgres: Postgres) -> None:
    rows = postgres.sql("SELECT id, email, ssn, card FROM customers ORDER BY id")
    assert tuple(rows) == CUSTOMERS


@pytest.mark.parametrize(
    "user", ["app_ro", "app_rw", "app_owner", "app_md5", "app_password", "app_tls", "app_trust"]
)
def test_every_login_signs_in(postgres: Postgres, user: str) -> None:
    assert postgres.sql("SELECT current_user::text, (SELECT count(*) FROM customers)", user=user) == [
        (user, 5)
    ]


def test_the_reader_cannot_write(postgres: Postgres) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        postgres.sql("DELETE FROM orders", user="app_ro")


def test_tls_is_verified(postgres: Postgres) -> None:
    with postgres.connect("app_ro") as connection:
        assert connection.pgconn.ssl_in_use
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(postgres.dsn("app_tls", sslmode="disable"))


def test_copies_are_separate(postgres: Postgres) -> None:
    copy = postgres.database()
    postgres.sql("DELETE FROM notes", database=copy, user="app_rw")
    assert postgres.sql("SELECT count(*) FROM notes") == [(2,)]
    postgres.drop(copy)


def test_it_comes_back_after_stop_and_kill(authority: object, postgres15: Postgres) -> None:
    server = Postgres.create(postgres15.programs, postgres15.authority, planted=False)
    try:
        server.restart()
        assert server.sql("SELECT 1", database="postgres") == [(1,)]
        server.kill()
        assert not server.running
        server.start()
        assert server.sql("SELECT 1", database="postgres") == [(1,)]
    finally:
        server.destroy()


@pytest.mark.parametrize(
    "data",
    [
        b"x 521-44-9031",
        b"521449031",
        b"4e6f",
        (521449031).to_bytes(4, "big"),
        b"NTIxLTQ0LTkwMzE=",
        b"1309-44-125",
    ],
)
def test_leaks_finds_encodings(data: bytes) -> None:
    assert leaks(data) == ([] if data == b"4e6f" else ["521-44-9031"])
