"""Startup settings, `options` as a server splits them, parameter reports."""

import pytest

from wicketgate.protocols.postgres.settings import (
    StartupRefused,
    check_settings,
    parameter_status_allowed,
    parse_options,
    shown,
    split_options,
)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", []),
        ("  \t\n", []),
        ("-c a=b", ["-c", "a=b"]),
        ("a\\ b", ["a b"]),
        ("a\\\\b", ["a\\b"]),
        ("a\\", ["a"]),
        ("\\  b", [" ", "b"]),
        (" a  b\fc\vd\re ", ["a", "b", "c", "d", "e"]),
        ("'a b'", ["'a", "b'"]),
        ("a\u00a0b", ["a\u00a0b"]),
    ],
)
def test_split_options(text: str, words: list[str]) -> None:
    assert split_options(text) == words


@pytest.mark.parametrize(
    ("text", "pairs"),
    [
        ("-c a=b -cc=d --e-f=g=h", [("a", "b"), ("c", "d"), ("e_f", "g=h")]),
        ("-c a=", [("a", "")]),
        ("--search_path=a,\\ b", [("search_path", "a, b")]),
    ],
)
def test_parse_options(text: str, pairs: list[tuple[str, str]]) -> None:
    assert parse_options(text) == pairs


@pytest.mark.parametrize(
    "text", ["-c", "-c a", "--a", "--", "-d 5", "-", "a=b", "-C data_directory", "-c =x", "\\"]
)
def test_options_that_are_no_settings(text: str) -> None:
    with pytest.raises(StartupRefused):
        parse_options(text)


@pytest.mark.parametrize(
    "name", ["Role", "session_authorization", "local_preload_libraries", "a.b", "ſearch_path"]
)
def test_settings_that_are_not_let_through(name: str) -> None:
    with pytest.raises(StartupRefused):
        check_settings([(name, "x")])


def test_the_last_of_equal_settings_counts() -> None:
    assert check_settings([("TimeZone", "A"), ("timezone", "B")]) == {"timezone": "B"}


@pytest.mark.parametrize(
    ("name", "plain", "sensitive"),
    [
        ("server_version", True, True),
        ("TimeZone", True, True),
        ("application_name", True, False),
        ("search_path", True, False),
        ("my.setting", False, False),
        ("", False, False),
    ],
)
def test_parameter_reports(name: str, plain: bool, sensitive: bool) -> None:
    assert parameter_status_allowed(name) is plain
    assert parameter_status_allowed(name, sensitive=True) is sensitive


def test_shown() -> None:
    assert shown("a\x1bb") == "a?b"
    assert shown("a" * 64) == "a" * 64
    assert shown("a" * 65) == "a" * 64 + "…"
