"""`wicket sessions …`: against an API, and on real journal files alone."""

import base64
import json
import os
import shutil
import struct
import time
from pathlib import Path

import pytest

from api.stage import ROW, Stage
from cli.conftest import Run
from wicketgate.admin.ports import JournalLine
from wicketgate.cli.output import clean
from wicketgate.journal.checkpoint import FIRST, Position, SigningKey
from wicketgate.journal.writer import Writer

SESSION = "3f9c2a71" + "0" * 24


def message(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack(">I", len(body) + 4) + body


ANSWER = (
    message(b"T", struct.pack(">H", 1) + b"email\0" + struct.pack(">IhIhih", 16384, 2, 25, -1, -1, 0))
    + b"".join(message(b"D", struct.pack(">Hi", 1, 8) + b"********") for _ in range(3))
    + message(b"C", b"SELECT 3\0")
)


def recorded(text: str = "SELECT email FROM customers") -> list[JournalLine]:
    who = {"name": "bot", "groups": ["crew"], "resource": "sales", "database": "sales", "source": "10.0.0.9"}
    kept = {"len": len(ANSWER), "kept": len(ANSWER), "enc": "base64"}
    outcome = {"rows": 3, "bytes": 24, "ns": 5_000_000, "tag": "SELECT 3", "masked": {"email": 3}}
    denial = {"kind": "policy", "message": "Not through the gateway.", "cause": "rule never drop"}
    ask = {"k": "ask", "q": 2, "t": 11, "d": "permit", "u": ["crews read"], "e": ["read"]}
    answer = {"k": "answer", "q": 3, "t": 12, "r": 2, "o": outcome, "b": kept}
    deny = {"k": "deny", "q": 4, "t": 13, "d": "deny", "u": ["never drop"]}
    return [
        JournalLine({"k": "open", "q": 1, "t": 10, "i": who, "a": "reader"}, None),
        JournalLine(ask, {"text": text}),
        JournalLine(answer, {"bytes": base64.b64encode(ANSWER).decode()}),
        JournalLine(deny, {"text": "DROP TABLE x", "denial": denial}),
        JournalLine({"k": "close", "q": 5, "t": 14, "o": {"tag": "client"}}, None),
    ]


def test_list_and_show(wicket: Run, gateway: Stage) -> None:
    gateway.recordings.known[SESSION] = recorded()
    assert {each["session"] for each in wicket("sessions", "list", "--json").json} == {SESSION, ROW.session}
    shown = wicket("sessions", "list", "--open").out
    assert ROW.session in shown
    assert SESSION not in shown
    assert "resource    sales" in wicket("sessions", "show", SESSION[:8]).out
    assert wicket("sessions", "show", "ffff").code == 1
    assert wicket("sessions", "show", "f" * 32).code == 1


def test_a_replay_is_readable(wicket: Run, gateway: Stage) -> None:
    gateway.recordings.known[SESSION] = recorded()
    ran = wicket("sessions", "replay", SESSION[:8], "--rows", "2")
    assert ran.code == 0
    for part in (
        "bot on sales/sales as reader from 10.0.0.9",
        "PERMIT by crews read",
        "SELECT email FROM customers",
        "********",
        "… 1 more rows are recorded",
        "SELECT 3, 3 rows, masked email × 3",
        "DENY by never drop",
        "-> Not through the gateway.",
        "cause: rule never drop",
        "by client",
    ):
        assert part in ran.out, part
    assert "\x1b" not in ran.out
    assert wicket("sessions", "replay", SESSION, "--json").json["whole"] is True


def test_a_recording_cannot_speak_to_the_terminal(wicket: Run, gateway: Stage) -> None:
    gateway.recordings.known[SESSION] = recorded("SELECT 1 -- \x1b]0;owned\x07 \x9b2J \u202e\nFROM x")
    for arguments in (("replay", SESSION), ("replay", SESSION, "--json")):
        out = wicket("sessions", *arguments).out
        for character in "\x1b\x07\x9b\u202e":
            assert character not in out
    assert "\\x1b]0;owned\\x07" in wicket("sessions", "replay", SESSION).out


def test_export_never_overwrites(wicket: Run, gateway: Stage, tmp_path: Path) -> None:
    gateway.recordings.known[SESSION] = recorded()
    ran = wicket("sessions", "export", SESSION[:8])
    assert ran.out.strip() == f"{SESSION}.wicket"
    path = tmp_path / f"{SESSION}.wicket"
    assert path.read_bytes() == b"proof of " + SESSION.encode()
    assert path.stat().st_mode & 0o777 == 0o600
    assert wicket("sessions", "export", SESSION).code == 2
    assert (
        wicket("sessions", "export", SESSION, "-o", "evidence.wicket", "--json").json["file"]
        == "evidence.wicket"
    )


def test_terminate(wicket: Run, gateway: Stage) -> None:
    assert wicket("sessions", "terminate", ROW.session[:6]).code == 0
    assert gateway.control.ended == [(ROW.session, "terminated")]
    assert wicket("sessions", "terminate", "0" * 32).code == 1


def test_without_a_gateway_it_is_three(wicket: Run, config: Path) -> None:
    for verb in (
        ["list"],
        ["show", SESSION],
        ["replay", SESSION],
        ["export", SESSION],
        ["terminate", SESSION],
    ):
        assert wicket("sessions", *verb).code == 3


# -- files alone ---------------------------------------------------------------------------------------------
@pytest.fixture
def journal(tmp_path: Path) -> Path:
    """A journal with one session, as a worker writes it; the public key beside it."""
    folder = tmp_path / "kept" / "journal"
    folder.mkdir(parents=True)
    signing = SigningKey.generate()
    (tmp_path / "kept" / "checkpoint.pub").write_bytes(signing.public_pem())
    writer = Writer(folder, "a" * 32, "b" * 32, time.time_ns, time.monotonic_ns, os.urandom, False)
    lines = writer.session(SESSION)
    for line in recorded():
        members = {name: value for name, value in line.head.items() if name not in ("k", "q", "t")}
        head = b"," + json.dumps(members).encode()[1:-1] if members else b""
        lines.line(line.head["k"], head, None if line.body is None else json.dumps(line.body).encode()[1:-1])
    writer.flush()
    writer.close()
    seal = writer.last_seal
    assert seal is not None
    position = Position("b" * 32, seal.segment, seal.last, seal.root)
    control = Writer(folder, "a" * 32, "c" * 32, time.time_ns, time.monotonic_ns, os.urandom, False)
    control.line("checkpoint", None, signing.sign(1, FIRST, "a" * 32, [position]).head())
    control.close()
    return folder


def test_files_are_told_without_a_gateway(wicket: Run, journal: Path, tmp_path: Path) -> None:
    [listed] = wicket("sessions", "list", "--journal", journal, "--json").json
    assert (listed["session"], listed["state"], listed["statements"]) == (SESSION, "closed", 1)
    assert "client" in wicket("sessions", "show", SESSION[:8], "--journal", journal).out
    out = wicket("sessions", "replay", SESSION[:8], "--journal", journal).out
    assert "********" in out
    assert "DENY by never drop" in out
    assert wicket("sessions", "replay", "ffff", "--journal", journal).code == 1
    ran = wicket("sessions", "export", SESSION[:8], "--journal", journal, "-o", "one.wicket")
    assert ran.code == 0
    assert (tmp_path / "one.wicket").stat().st_size > 0


def test_verify_needs_files_and_a_key_alone(wicket: Run, journal: Path, tmp_path: Path) -> None:
    sound = wicket("sessions", "verify", "--journal", journal, "--json")
    assert sound.json["ok"] is True, sound.out
    assert sound.code == 0
    assert sound.json["facts"]["sessions_closed"] == 1
    segment = journal / ("a" * 32) / ("b" * 32) / "000001.log"
    content = segment.read_bytes()
    segment.write_bytes(content.replace(b"SELECT email FROM customers", b"SELECT harm1 FROM customers"))
    changed = wicket("sessions", "verify", "--journal", journal)
    assert changed.code == 1
    assert "body-changed" in changed.out
    assert "NOT SOUND" in changed.out


def test_verify_has_an_exit_code_for_what_nothing_vouches_for(
    wicket: Run, journal: Path, tmp_path: Path
) -> None:
    key = tmp_path / "kept" / "checkpoint.pub"
    assert wicket("sessions", "export", SESSION, "--journal", journal, "-o", "one.wicket").code == 0
    assert wicket("sessions", "verify", "one.wicket", "--key", key).code == 0
    whole = (tmp_path / "one.wicket").read_bytes().splitlines(keepends=True)
    (tmp_path / "bare.wicket").write_bytes(b"".join(each for each in whole if not each.startswith(b"C ")))
    bare = wicket("sessions", "verify", "bare.wicket", "--key", key)
    assert (bare.code, bare.out.splitlines()[-1]) == (5, "UNWITNESSED")
    shutil.rmtree(journal / ("a" * 32) / ("c" * 32))
    gone = wicket("sessions", "verify", "--journal", journal, "--json")
    assert (gone.code, gone.json["ok"], gone.json["verdict"]) == (5, False, "unwitnessed")


def test_verify_without_what_it_needs_says_so(wicket: Run, journal: Path, tmp_path: Path) -> None:
    (tmp_path / "kept" / "checkpoint.pub").unlink()
    missing = wicket("sessions", "verify", "--journal", journal)
    assert (missing.code, missing.out) == (1, "")
    assert "public key" in missing.err
    (tmp_path / "odd.pub").write_text("no key")
    assert wicket("sessions", "verify", "--journal", journal, "--key", "odd.pub").code == 1
    assert wicket("sessions", "verify", "absent.wicket", "--key", "odd.pub").code == 1


def test_clean() -> None:
    assert clean("a\x1bb\n\tc") == "a\\x1bb\\x0a\\x09c"
    assert clean("or\u00adde\u3164rs\u200b\U000e0041\u00a0x\n", lines=True) == (
        "or\\xadde\\u3164rs\\u200b\\U000e0041\\xa0x\n"
    )
    assert clean("a\n\tc", lines=True) == "a\n\tc"
    assert clean("\udcff\u2066é") == "\\udcff\\u2066é"


async def _keep(state: Path, line: str) -> None:
    from wicketgate.store.db import Store, store_url

    store = await Store.open(store_url(None, state))
    try:
        await store.add_checkpoint("a" * 32, 1, line, 1)
    finally:
        await store.close()


def test_a_stored_checkpoint_that_is_none_is_a_fault(wicket: Run, config: Path, journal: Path) -> None:
    import asyncio

    state = config.parent / "state"
    journal.parent.rename(state)
    assert wicket("sessions", "verify").code == 0
    asyncio.run(_keep(state, '{"number":1}'))
    ran = wicket("sessions", "verify", "--json")
    assert ran.code == 1
    assert "checkpoint-forged" in ran.json["findings"][0]
