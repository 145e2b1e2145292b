"""The command as a whole: codes, one-line errors, speed of its start, completion."""

import re
import sys
from pathlib import Path

import pytest

from api.stage import Stage
from cli.conftest import Run


def test_every_command_has_help_with_an_example(wicket: Run) -> None:
    verbs = ("list", "show", "replay", "export", "verify", "terminate")
    commands = ["init", "serve", "check", "ca", "discover", "whoami", "status", "version", "completion"]
    commands += [f"token {verb}" for verb in ("issue", "list", "revoke")]
    commands += [f"sessions {verb}" for verb in verbs] + ["keys list", "keys rotate"]
    for command in commands:
        shown = wicket(*command.split(), "--help")
        assert shown.code == 0, command
        assert f"wicket {command}" in re.sub(r"\s+", " ", shown.out.partition("Options")[0]), command
        assert "Example" in shown.out, command


def test_what_prints_facts_takes_json(wicket: Run) -> None:
    for command in ("init", "check", "ca", "whoami", "status", "version", "token issue", "token list",
                    "token revoke", "sessions list", "sessions show", "sessions replay", "sessions export",
                    "sessions verify", "keys list", "keys rotate"):  # fmt: skip
        assert "--json" in wicket(*command.split(), "--help").out, command


def test_version(wicket: Run) -> None:
    assert re.fullmatch(r"wicket \d+\.\d+\.\d+\n", wicket("version").out)
    assert wicket("--version").out == wicket("version").out
    assert wicket("version", "--json").json["version"] in wicket("version").out


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ((), 2),
        (("tokn",), 2),
        (("token",), 2),
        (("token", "issue"), 2),
        (("token", "issue", "bot", "--nope"), 2),
        (("completion", "tcsh"), 2),
        (("serve", "-c", "absent.yaml"), 2),
        (("check", "-c", "absent.yaml"), 2),
        (("whoami", "-c", "absent.yaml"), 2),
        (("whoami", "--url", "http://gateway:1"), 2),
        (("whoami", "--url", "https://127.0.0.1:1"), 2),
        (("token", "revoke", "not-an-id"), 2),
        (("token", "issue", "bot", "--expires", "soon"), 2),
        (("sessions", "show", "zz"), 2),
        (("sessions", "list", "--journal", "absent"), 2),
    ],
)
def test_wrong_usage_is_two_and_short(
    wicket: Run, config: Path, arguments: tuple[str, ...], code: int
) -> None:
    ran = wicket(*arguments)
    assert ran.code == code
    assert "Traceback" not in ran.err
    if arguments not in ((), ("token",)):
        assert ran.out == ""
        assert ran.err


def test_codes_of_a_process(process: Run, config: Path) -> None:
    """Real exit codes, one of each."""
    assert process("version").code == 0
    nobody = process("whoami")
    assert (nobody.code, nobody.out) == (3, "")
    assert nobody.err.startswith("wicket: no gateway answers at ")
    assert nobody.err.count("\n") == 1
    assert process("whoami", "--url", "https://127.0.0.1:1", WICKET_TOKEN="wkt_x").code == 3
    config.write_text("resources: 7\n")
    bad = process("check", "--offline")
    assert bad.code == 1
    assert re.search(r"wicket\.yaml:1:", bad.out)
    assert "Traceback" not in bad.err
    assert process("tokn").code == 2


def test_another_users_socket_is_four(wicket: Run, gateway: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    import socket

    def refuse(self: object, path: object) -> None:
        raise PermissionError(13, "Permission denied")

    class Refusing(socket.socket):
        connect = refuse  # type: ignore[assignment]

    monkeypatch.setattr(socket, "socket", Refusing)
    ran = wicket("whoami")
    assert ran.code == 4


def test_what_nobody_foresaw_is_one_line(wicket: Run, config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*args: object) -> None:
        raise RuntimeError("canary")

    monkeypatch.setattr("wicketgate.settings.load_settings", broken)
    ran = wicket("whoami")
    assert ran.code == 1
    assert ran.err == "wicket: this failed (RuntimeError); WICKET_DEBUG=1 shows where\n"


def test_starting_loads_little(process: Run) -> None:
    """`--help` must not load what only some verbs need."""
    import subprocess

    heavy = (
        "fastapi",
        "sqlalchemy",
        "pydantic",
        "asyncpg",
        "alembic",
        "cryptography",
        "postgast",
        "uvicorn",
        "rich",
    )
    code = f"import sys, wicketgate.cli.main; print([m for m in {heavy!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_printed(wicket: Run, shell: str) -> None:
    assert "_WICKET_COMPLETE" in wicket("completion", shell).out


def test_serve_hands_over_and_gives_its_code(
    wicket: Run, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import types

    asked: list[Path] = []
    played = types.ModuleType("wicketgate.app")
    played.serve = lambda path: asked.append(path) or 7  # type: ignore[attr-defined, func-returns-value]
    monkeypatch.setitem(sys.modules, "wicketgate.app", played)
    assert wicket("serve").code == 7
    assert asked == [Path("wicket.yaml")]
