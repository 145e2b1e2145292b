"""A gateway whose journal is encrypted, before a real server: what clients said is in none of its files, is
shown to who may see it, proven without a key, and not to be had without one; nor is a session, then."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from api.stage import ask
from e2e.house import House
from e2e.scripts import Target
from e2e.watch import answer, eventually, worker_of, workers
from e2e.wire import Wire, WireClosed
from wicketgate import app, office, offline
from wicketgate.model.errors import JournalFailed, KeyMissing
from wicketgate.recordings import exported

Opens = Callable[..., House]
CANARY = "c4nary9Qz"


def _psql(target: Target, statement: str) -> str:
    environment = {**os.environ, "PGPASSWORD": target.password, "PGSSLROOTCERT": str(target.ca)}
    where = f"host={target.host} port={target.port} user={target.user} dbname={target.database}"
    command = ["psql", "-XAtc", statement, f"{where} sslmode=verify-full"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def _refused(house: House) -> str | None:
    """What a new client is told; None: it is let in."""
    try:
        Wire.open(house.through("reader")).close()
    except WireClosed as error:
        return str(error)
    return None


def _found(folder: Path, what: str) -> list[str]:
    return [
        str(path)
        for path in folder.rglob("*")
        if path.is_file() and not path.is_symlink() and what.encode() in path.read_bytes()
    ]


def _api(house: House, path: str, method: str = "GET") -> Any:
    return ask(house.state / "api.sock", method, f"/api/v1{path}")


def _offline(house: House, session: str) -> str:
    """A replay from files alone, by who has the configuration."""
    files = office.recordings(house.journal, config=house.gateway.configuration)
    try:
        return str(files.replayed(session, office.show, {}))
    finally:
        files.close()


def _lost(house: House, session: str) -> str | None:
    """What the API tells a reader who can't read; None while a key is still remembered."""
    said = _api(house, f"/sessions/{session}/recording")
    return str(said.json["detail"]) if said.status == 503 else None


def _verdict(house: House) -> str:
    return str(office.verify(house.gateway.configuration, None, None, None, [])["verdict"])


def _proven(house: House, session: str, evidence: Path) -> bool:
    """Export it, and verify that: some seconds go by before it is witnessed."""
    evidence.write_bytes(_api(house, f"/sessions/{session}/export").body)
    public = house.state / "checkpoint.pub"
    return bool(office.verify(house.gateway.configuration, None, public, None, [evidence])["ok"])


def test_the_life_of_an_encrypted_journal(
    open_house: Opens, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Turned on; said, looked at, proven, handed out, put under a new key; the key goes, and comes back."""
    house = open_house()
    configuration = house.gateway.configuration
    with Wire.open(house.through("reader")) as wire:
        assert answer(wire, "SELECT 'said-in-clear'") == "said-in-clear"
    house.gateway.stop()
    text = configuration.read_text()
    configuration.write_text(text.replace("  drain_sec", "  journal: {encrypt: true}\n  drain_sec"))
    house.gateway.start()

    keys, away = house.state / "custody.keys", tmp_path / "custody.away"
    assert keys.stat().st_mode & 0o777 == 0o600
    said = f"SELECT '{CANARY}-answered', count(*) FROM orders WHERE '{CANARY}-asked' <> 'x'"
    assert _psql(house.target("reader"), said) == f"{CANARY}-answered|500"
    with Wire.open(house.through("reader")) as live:
        assert answer(live, f"SELECT '{CANARY}-live'") == f"{CANARY}-live"
        rows = _api(house, "/sessions").json
        assert [each["identity"] for each in rows] == ["reader"] * 3
        session, oldest = rows[1]["session"], rows[2]["session"]

        # none of it lies in a file; all of it is shown, with what was recorded in clear
        assert _found(house.state, CANARY) == []
        assert len(_found(house.state, "said-in-clear")) == 1
        shown = _api(house, f"/sessions/{session}/recording").body.decode()
        assert f"{CANARY}-answered" in shown
        assert f"{CANARY}-asked" in shown
        assert f"{CANARY}-answered" in _offline(house, session)
        assert "said-in-clear" in _offline(house, oldest)

        # a new key, under which the old segments are; the segments are what they were
        before = {path: path.read_bytes() for path in house.journal.rglob("*.key")}
        assert len(before) == 2
        assert _api(house, "/secrets/rotate", "POST").json == {
            "secrets": 0, "new_key": True, "segments": 2,
        }  # fmt: skip
        assert all(path.read_bytes() != content for path, content in before.items())
        assert _api(house, "/journal/keys").json == [{"key": "local:2", "segments": 2}]
        keys.write_text(keys.read_text().splitlines()[1] + "\n")  # the first one is taken out of use
        assert f"{CANARY}-asked" in _offline(house, session)

        # an export, proven and read by itself, is not what a key is needed for
        evidence = tmp_path / "evidence.wicket"
        eventually(lambda: _proven(house, session, evidence), "an export that a checkpoint vouches for")
        keys.rename(away)
        assert CANARY.encode() not in evidence.read_bytes()
        assert f"{CANARY}-asked" in str(exported(evidence, office.show, {}))

        # without the key: what is open goes on, nobody is let in, readers are told, verify proves
        eventually(lambda: "can't be written" in (_refused(house) or ""), "a refusal")
        assert answer(live, "SELECT 1") == "1"
        told = eventually(lambda: _lost(house, session), "a reader who is told")
        assert told == "the recording is encrypted, and its key is not at hand"
        assert _api(house, f"/sessions/{session}/export").status == 503
        assert _api(house, "/sessions").status == 200
        with pytest.raises(KeyMissing) as caught:
            _offline(house, session)
        assert f"there is no {keys}" in caught.value.detail
        assert "said-in-clear" in _offline(house, oldest)
        eventually(lambda: _verdict(house) == "sound", "a sound journal")

        # a worker that dies is not replaced by one that writes in clear
        (pid,) = workers(house.gateway.pid)
        assert worker_of(live, house.gateway.pid) == pid
        os.kill(pid, 9)
        eventually(
            lambda: "journal: no key to encrypt with: " in house.gateway.log(), "a worker without a key"
        )
    assert _refused(house) is not None
    away.rename(keys)
    eventually(lambda: _refused(house) is None, "a door that is open again")
    house.gateway.stop()
    assert _verdict(house) == "sound"
    assert _found(house.state, CANARY) == []
    secret = bytes.fromhex(keys.read_text().split()[1])
    assert _found(house.state, secret.hex()) == [str(keys)]

    # without the key it does not start, and makes no new one in its place; nor does a command
    keys.rename(away)
    assert app.serve(configuration) == 1
    assert "the journal can't be encrypted" in capfd.readouterr().err
    for verb, argument in (("issue", {"identity": "reader"}), ("secret-set", ("other", "value"))):
        with pytest.raises(JournalFailed) as failed:
            asyncio.run(offline.on_store(configuration, verb, argument))
        assert f"there is no {keys}" in failed.value.detail
    assert not keys.exists()
    away.rename(keys)
    asyncio.run(offline.on_store(configuration, "issue", {"identity": "reader", "note": CANARY}))
    assert _verdict(house) == "sound"
