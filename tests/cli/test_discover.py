"""`wicket discover` on a real PostgreSQL: what it proposes, what it never shows, what it survives."""

from pathlib import Path
from random import Random

import pytest

from cli.conftest import CONFIG, Run
from pii import issued
from pii.positives import email, international
from servers.planted import SENSITIVE
from servers.postgres import Postgres, password
from wicketgate.policy.load import Source, load_sources
from wicketgate.protocols.registry import protocols
from wicketgate.workshop import rules_of

SECRETS = ("521-44-9031", "alice.planted", "4929130000017738")


def configure(folder: Path, server: Postgres, user: str, *databases: str) -> None:
    text = CONFIG.replace("address: 127.0.0.1:1", f"address: 127.0.0.1:{server.port}")
    text = text.replace("username: ro,", f"username: {user},").replace(
        "databases: [sales]", f"databases: [{', '.join(databases)}]"
    )
    (folder / "wicket.yaml").write_text(text)


@pytest.fixture
def filled(postgres15: Postgres) -> str:
    """A database whose names say little and whose values say much."""
    name = postgres15.database()
    random = Random(7)
    with postgres15.connect(database=name) as connection:
        connection.execute("CREATE SCHEMA hidden; CREATE TABLE hidden.t (x text)")
        connection.execute(
            "CREATE TABLE things (id int, a text, b text, c bigint, d jsonb, e text, born date, f bytea,"
            ' g text[], h numeric, "odd.name" text, flag boolean)'
        )
        with connection.cursor() as cursor:
            cursor.executemany(
                "INSERT INTO things VALUES"
                " (%s, %s, %s, %s, %s::jsonb, %s, '1990-01-01', %s, %s, 1.5, %s, true)",
                [
                    (
                        at,
                        email(random),
                        f"call {international(random)} soon" if at % 10 == 0 else "nothing to see",
                        int(issued.card(random)),
                        f'{{"iban": "{issued.iban(random)}"}}',
                        None,
                        email(random).encode(),
                        [email(random)],
                        email(random),
                    )
                    for at in range(100)
                ],
            )
        connection.execute("ANALYZE")
        connection.execute("GRANT SELECT ON things TO readers")
    return name


def test_it_proposes_by_names_and_values(
    wicket: Run, postgres15: Postgres, filled: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WICKET_TEST_PASSWORD", password("app_ro"))
    configure(tmp_path, postgres15, "app_ro", filled)
    ran = wicket("discover", "sales")
    assert ran.code == 0, ran.err
    for line in (
        "public.customers.email: email  # email: 5 of 5 sampled values; its name says so too",
        "public.things.a: email  # email: 100 of 100 sampled values",
        "public.things.c: payment-card  # payment-card: 100 of 100 sampled values",
        "public.things.d: iban  # iban: 100 of 100 sampled values",
        "public.things.born: birth-date  # birth-date: 100 of 100 sampled values; its name says so too",
        "public.things.f: email  # email: 100 of 100 sampled values",
        "public.things.g: email  # email: 100 of 100 sampled values",
        "# a name with a dot can't be written: public.things.odd.name",
        "#   public.things.b  phone: 10 of 100 sampled values",
    ):
        assert line in ran.out, line
    for column in ("ssn", "card"):
        assert f"public.customers.{column}: {SENSITIVE[f'public.customers.{column}']}" in ran.out
    assert "things.h" not in ran.out
    assert not any(secret in ran.out + ran.err for secret in SECRETS)
    # what is printed can be pasted
    pasted = (
        (tmp_path / "wicket.yaml")
        .read_text()
        .replace("    sensitive: {}\n", "".join(f"    {line}\n" for line in ran.out.splitlines()))
    )
    policy = load_sources((Source("wicket.yaml", pasted),), rules_of(protocols()))
    assert policy.resources["sales"].sensitive[filled]["public.things.a"] == "email"

    facts = wicket("discover", "sales", "--json", "--rows", "10").json
    [database] = facts["databases"]
    [found] = [each for each in database["proposals"] if each["column"] == "public.things.a"]
    assert found == {
        "column": "public.things.a",
        "class": "email",
        "named": None,
        "sampled": 10,
        "found": {"email": 10},
        "known": None,
    }
    assert "hidden.t" not in str(facts["databases"][0]["proposals"])


def test_large_tables_are_sampled_and_locked_ones_left(
    wicket: Run, postgres15: Postgres, filled: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WICKET_TEST_PASSWORD", password("app_ro"))
    configure(tmp_path, postgres15, "app_ro", filled)
    with postgres15.connect(database=filled) as connection:
        connection.execute(
            "CREATE TABLE big AS SELECT i AS id, 'mail' || i || '@example.com' AS v"
            " FROM generate_series(1, 60000) i"
        )
        connection.execute("ANALYZE big")
        connection.execute("GRANT SELECT ON big TO readers")
        connection.execute("BEGIN")
        connection.execute("LOCK TABLE things IN ACCESS EXCLUSIVE MODE")
        ran = wicket("discover", "sales", "--json", "--timeout", "1")
        connection.execute("ROLLBACK")
    assert ran.code == 0, ran.err
    [database] = ran.json["databases"]
    assert database["unread"] == {"public.things": "it took too long"}
    [big] = [each for each in database["proposals"] if each["column"] == "public.big.v"]
    assert big["class"] == "email"
    assert big["sampled"] == big["found"]["email"] <= 200


def test_several_databases_are_told_apart(
    wicket: Run, postgres15: Postgres, filled: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WICKET_TEST_PASSWORD", password("app_ro"))
    configure(tmp_path, postgres15, "app_ro", "sales", filled)
    ran = wicket("discover", "sales", "--rows", "20")
    assert ran.code == 0, ran.err
    assert "\n  sales:\n    public." in ran.out
    assert f"\n  {filled}:\n" in ran.out
    assert f"#   {filled}: public.things.b  phone" in ran.out


def test_what_does_not_exist_is_told(wicket: Run, tmp_path: Path, config: Path) -> None:
    assert "there is: sales" in wicket("discover", "wiki").err
    assert wicket("discover", "wiki").code == 2
    assert "has no account 'x'" in wicket("discover", "sales", "--account", "x").err
    assert "has no database 'x'" in wicket("discover", "sales", "-d", "x").err


def test_a_target_that_is_away_is_no_traceback(
    wicket: Run, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WICKET_TEST_PASSWORD", "hunter2")
    ran = wicket("discover", "sales")
    assert ran.code == 1
    assert ran.err.count("\n") == 1
    assert "hunter2" not in ran.err
