"""Which settings a session may change, and to which values."""

import pytest

from servers.postgres import Postgres
from wicketgate.sql.settings import ALLOWED, allowed, boolean, canonical, encoding_is_utf8, refusal

HARD = "cannot be changed through this gateway"


@pytest.mark.parametrize(
    "name", ["work_mem", "WORK_MEM", "TimeZone", "TIME ZONE", "DateStyle", "search_path"]
)
def test_allowed(name: str) -> None:
    assert allowed(name)


@pytest.mark.parametrize(
    "name",
    [
        *(
            "my.setting",
            "session_replication_role",
            "log_statement",
            "debug_print_plan",
            "local_preload_libraries",
        ),
        *("dynamic_library_path", "lo_compat_privileges", "allow_system_table_mods", "backslash_quote", ""),
        *("zero_damaged_pages", "session_preload_libraries", "plpgsql.extra_errors", "event_triggers"),
    ],
)
def test_not_allowed(name: str) -> None:
    assert not allowed(name)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *((text, True) for text in ("on", "TRUE", "t", "y", "1", "tr", "yes", "ON")),
        *((text, False) for text in ("off", "of", "FALSE", "f", "n", "0", "no")),
        *((text, None) for text in ("o", "", "2", "maybe", "truest", "10")),
    ],
)
def test_boolean_reads_as_postgresql_does(text: str, value: bool | None) -> None:
    assert boolean(text) is value


def test_encodings() -> None:
    assert all(map(encoding_is_utf8, ("UTF8", "utf-8", "Unicode", "U T F_8")))
    assert not any(map(encoding_is_utf8, ("LATIN1", "", "sql_ascii", "mule_internal")))


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("client_encoding", "UTF8", None),
        ("client_encoding", "latin1", "client_encoding can only be UTF8 through this gateway"),
        ("client_encoding", None, "client_encoding can only be UTF8 through this gateway"),
        ("standard_conforming_strings", "on", None),
        (
            "standard_conforming_strings",
            "off",
            "standard_conforming_strings can only be on through this gateway",
        ),
        ("ROLE", "app", None),
        ("role", "App", f"role {HARD}"),
        ("role", "none", f"role {HARD}"),
        ("session_authorization", None, f"session_authorization {HARD}"),
        ("work_mem", None, None),
    ],
)
def test_refusal(name: str, value: str | None, said: str | None) -> None:
    assert refusal(name, value, "app", False) == said


def test_identity_is_refused_where_it_is_not_known() -> None:
    assert refusal("role", "app", None, False) == f"role {HARD}"


@pytest.mark.parametrize("name", ["transaction_read_only", "default_transaction_read_only"])
def test_read_only_sessions_stay_so(name: str) -> None:
    assert (
        refusal(name, "off", "app", True) == refusal(name, None, "app", True) == "this session is read-only"
    )
    assert refusal(name, "on", "app", True) is None
    assert refusal(name, "off", "app", False) is None


def test_every_setting_is_one_that_any_session_may_set(postgres: Postgres) -> None:
    known = dict(postgres.sql("SELECT lower(name), context FROM pg_settings"))
    hidden = {"role", "session_authorization", "seed"}
    assert all(canonical(name) == name for name in ALLOWED)
    found = {name: known[name] for name in ALLOWED - hidden if name in known}
    assert set(found.values()) <= {"user", "superuser"}
    assert {name for name, context in found.items() if context == "superuser"} <= {"lc_messages"}
    assert len(found) > 90
