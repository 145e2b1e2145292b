"""Settings at the edges of a session: what a startup packet may set, which parameter reports may pass.
It must never let a setting through that wicketgate.sql.settings does not list.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from wicketgate.sql import settings as listed

SPACE: Final = " \t\n\v\f\r"
"""What separates words in `options` (C's isspace)."""

REPORTED: Final = frozenset(
    {
        "server_version",
        "server_encoding",
        "client_encoding",
        "datestyle",
        "intervalstyle",
        "timezone",
        "integer_datetimes",
        "standard_conforming_strings",
        "in_hot_standby",
        "default_transaction_read_only",
        "is_superuser",
        "session_authorization",
        "scram_iterations",
    }
)
"""Parameter reports whose values come from closed sets, or from the server's own configuration."""

FREE_TEXT: Final = frozenset({"application_name", "search_path"})
"""Parameter reports that hold whatever a session wrote there."""


class StartupRefused(ValueError):
    """A startup packet that gets no session. code: SQLSTATE. message and hint are for the client."""

    def __init__(self, code: str, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint


def parameter_status_allowed(name: str, sensitive: bool = False) -> bool:
    """Whether a ParameterStatus of this name may reach the client.

    sensitive: a statement that may have read sensitive values is in flight; then what may hold free text
    does not pass (`SELECT set_config('application_name', ssn, false) FROM customers`).
    """
    key = name.lower()
    return key in REPORTED or (key in FREE_TEXT and not sensitive)


def report_is_sound(name: str, value: str, user: str, read_only: bool) -> bool:
    """Whether a session in which the server reports this setting is still the one that we judge by.

    False: something changed a setting that our reading of statements, or who the session acts as, rests on,
    past all that keeps statements from doing so. Nothing that follows can be judged.
    """
    key = name.lower()
    if key == "standard_conforming_strings" or (read_only and key == "default_transaction_read_only"):
        return listed.boolean(value) is True
    if key == "client_encoding":
        return listed.encoding_is_utf8(value)
    return key not in listed.IDENTITY or value == user


def split_options(text: str) -> list[str]:
    """The words of `options`: separated by white space, a backslash takes the next character as it is.

    Source: PostgreSQL's pg_split_opts (a backslash at the very end stands for nothing).
    """
    words: list[str] = []
    word: list[str] | None = None
    escaped = False
    for character in text:
        if escaped:
            word = [] if word is None else word
            word.append(character)
            escaped = False
        elif character == "\\":
            word = [] if word is None else word
            escaped = True
        elif character in SPACE:
            if word is not None:
                words.append("".join(word))
            word = None
        else:
            word = [] if word is None else word
            word.append(character)
    if word is not None:
        words.append("".join(word))
    return words


def parse_options(text: str) -> list[tuple[str, str]]:
    """The settings that `options` gives, in order: `-c name=value`, `-cname=value`, `--name=value`.

    Raises StartupRefused for any other switch: a server's switches do more than settings do.
    """
    found: list[tuple[str, str]] = []
    words = iter(split_options(text))
    for word in words:
        if word.startswith("--") and len(word) > 2:
            setting = word[2:]
        elif word == "-c":
            setting = next(words, "")
        elif word.startswith("-c"):
            setting = word[2:]
        else:
            raise StartupRefused(
                "42501",
                f'options may hold only settings, not "{shown(word)}"',
                "Write options as -c name=value or --name=value.",
            )
        name, equals, value = setting.partition("=")
        if not name or not equals:
            raise StartupRefused("22023", f'options: "{shown(setting)}" is no name=value')
        found.append((name.replace("-", "_"), value))
    return found


def check_settings(pairs: Iterable[tuple[str, str]]) -> Mapping[str, str]:
    """Settings of a startup packet, checked: lower-case name -> value; the last of two equal names counts.

    Raises StartupRefused that names the setting: 42501 if it is not listed, 22023 for a value.
    """
    accepted: dict[str, str] = {}
    for name, value in pairs:
        key = listed.canonical(name)
        if not name.isascii() or not listed.allowed(name):
            raise StartupRefused(
                "42501",
                f'startup parameter "{shown(name)}" is not let through this gateway',
                "Leave it out of the connection's settings.",
            )
        if key == "client_encoding" and "".join(filter(str.isalnum, value)).lower() == "sqlascii":
            # psql takes this from a C locale: it only means that the client converts nothing
            value = "UTF8"
        reason = listed.refusal(key, value, user=None, read_only=False)
        if reason is not None:
            raise StartupRefused("22023", f'startup parameter "{key}": {reason}')
        accepted[key] = "UTF8" if key == "client_encoding" else value
    return accepted


def shown(text: str, most: int = 64) -> str:
    """Something a client wrote, short and printable, to be quoted back to it."""
    printable = "".join(character if character.isprintable() else "?" for character in text[: most + 1])
    return printable if len(printable) <= most else printable[:most] + "…"
