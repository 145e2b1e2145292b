"""search_path as text, read as the server reads it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servers.postgres import Postgres
from sql.picture import DATABASE
from wicketgate.sql.path import read_path


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("", ()),
        ("  ", ()),
        ('"$user", public', ("$user", "public")),
        ("A , b", ("a", "b")),
        ('"A b","c""d"', ("A b", 'c"d')),
        ('""', ("",)),
        ("a,", None),
        (",a", None),
        ("a b", None),
        ('"a', None),
        ('"a"b', None),
        ("x" * 70, ("x" * 63,)),
        ("é" * 40, ("é" * 31,)),
    ],
)
def test_read_path(text: str, path: tuple[str, ...] | None) -> None:
    assert read_path(text) == path


@given(st.text(alphabet='aB", \t$é', max_size=12))
def test_any_text_is_read_or_refused(text: str) -> None:
    path = read_path(text)
    assert path is None or all(isinstance(name, str) for name in path)


@pytest.mark.parametrize("text", ['"$user", public', 'PUBLIC, "A b"', '"c""d"', "pg_temp, pg_catalog", ""])
def test_the_server_agrees(classify: Postgres, text: str) -> None:
    with classify.connect(database=DATABASE) as connection:
        for schema in ("A b", 'c"d'):
            quoted = schema.replace('"', '""')
            connection.execute(f'CREATE SCHEMA IF NOT EXISTS "{quoted}"')
        connection.execute("SELECT set_config('search_path', %s, false)", (text,))
        row = connection.execute("SELECT current_schemas(false)").fetchone()
    assert row is not None
    path = read_path(text)
    assert path is not None
    assert [name for name in path if name in row[0]] == [name for name in row[0] if name in path]
    assert {name for name in row[0] if not name.startswith("pg_temp")} <= set(path)
