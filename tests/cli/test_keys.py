"""`wicket keys`: versions are added, none is lost, and no key is ever shown."""

import stat
from pathlib import Path

from cli.conftest import Run
from wicketgate.model.keyring import Keyring


def test_a_key_is_added_and_the_old_ones_stay(wicket: Run, config: Path) -> None:
    assert wicket("keys", "list").out == "1  newest\n"
    (file,) = config.parent.rglob("pseudonym.keys")
    first = Keyring.parse(file.read_bytes())
    rotated = wicket("keys", "rotate", "--json")
    assert rotated.json == {"newest": 2, "versions": [1, 2]}
    ring = Keyring.parse(file.read_bytes())
    assert ring.keys[1] == first.keys[1]
    assert ring.keys[2] != first.keys[1]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    listed = wicket("keys", "list")
    assert listed.out == "1\n2  newest\n"
    for key in ring.keys.values():
        assert key.reveal().hex() not in listed.out + listed.err + rotated.out + rotated.err


def test_a_damaged_file_is_told_and_left(wicket: Run, config: Path) -> None:
    wicket("keys", "list")
    (file,) = config.parent.rglob("pseudonym.keys")
    file.write_bytes(file.read_bytes()[:40])
    before = file.read_bytes()
    failed = wicket("keys", "rotate")
    assert failed.code == 1
    assert "pseudonym.keys" in failed.err
    assert before[2:].decode().strip() not in failed.err
    assert file.read_bytes() == before
