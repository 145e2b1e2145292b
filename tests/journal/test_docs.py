"""docs/journal.md tells the format as it is written: its example, its members, its kinds."""

import json
import re
from hashlib import sha256
from pathlib import Path

import pytest

from wicketgate.admin.access import admin_line
from wicketgate.admin.authorize import Action, Actor, Thing
from wicketgate.gate import render
from wicketgate.journal.checkpoint import FIRST, Position, SigningKey
from wicketgate.journal.decrypt import open_line
from wicketgate.journal.encrypt import SegmentCipher, SessionCipher
from wicketgate.journal.parse import parse
from wicketgate.journal.witness import Gone, Orphan
from wicketgate.model.clearance import Outcome
from wicketgate.model.decision import Denial
from wicketgate.model.event import KINDS
from wicketgate.model.identity import Identity, IdentityKind

TEXT = (Path(__file__).parents[2] / "docs" / "journal.md").read_text()
SAID = set(re.findall(r"`([a-z_0-9]+)`", TEXT))


def members(rendered: bytes) -> set[str]:
    """Names of members as rendered, one level down too."""
    found = json.loads(b"{" + rendered.removeprefix(b",") + b"}")
    inner = [name for each in found.values() if isinstance(each, dict) for name in each]
    return {*found, *inner}


def test_the_example_is_a_line_whose_digest_holds() -> None:
    (block,) = re.findall(r"^```\n(\{.*?)\n```", TEXT, re.MULTILINE | re.DOTALL)
    line = parse(block.encode())
    assert line.body is not None
    assert sha256(line.body).hexdigest() == line.digest
    assert set(line.all_members()) <= SAID
    assert set(line.content() or {}) | {"salt"} <= SAID


def test_every_kind_is_told() -> None:
    assert KINDS <= SAID


@pytest.mark.parametrize(
    "rendered",
    [
        render.opened(
            Identity(
                "bot", "bot", "local", IdentityKind.AGENT, "token", frozenset({"crew"}), credential_id="1",
                behalf="ann", agent="a", task="t", claimed={},
            ),
            "reader", "sales", "sales", "9f", "10.0.0.9",
        ),
        render.basis("9f", "51"),
        render.observed(2, "rule", "deny"),
        render.closed("client"),
        render.answered(2, Outcome(1, 9, None, "22012", "SELECT 1", b"x", 9, "ab"), 5),
        render.answered(2, Outcome(1, 9, {}, None, "SELECT 1", b"x", 9), 5),
        render.answer_body(b"x"),
        render.text_member(b"SELECT 1", False, b"k"),
        render.text_member(b"\xff", False, b"k"),
        render.text_member(b"ALTER ROLE", True, b"k"),
        render.parameters_member(("7", None)),
        render.denied(Denial("policy", "No.", "why", hint="Ask.")),
        admin_line(Actor("local", "local", administrator=True), Action.ISSUE_TOKEN, Thing("identity", "bot")),
        Orphan("w", 1, 0, 1, 0, "ab", 0, "").head(),
        Gone("w", 1, 2, "ann", "retention", "s").head(),
        SigningKey.generate().sign(1, FIRST, "n", [Position("w", 1, 1, "ab")], None, b"k" * 32).head(),
    ],
    ids=lambda rendered: ",".join(sorted(members(rendered)))[:40],
)  # fmt: skip
def test_every_member_is_told(rendered: bytes) -> None:
    assert members(rendered) <= SAID


def test_the_encrypted_example_opens_to_the_other_one() -> None:
    (block,) = re.findall(r"^```text\n(\{.*?)\n```", TEXT, re.MULTILINE | re.DOTALL)
    (clear,) = re.findall(r"^```\n(\{.*?)\n```", TEXT, re.MULTILINE | re.DOTALL)
    line, wanted = parse(block.encode()), parse(clear.encode())
    assert line.body is not None
    assert sha256(line.body).hexdigest() == line.digest
    segment = SegmentCipher(bytes(range(32)), "7c2e5a90b1d34f68a2c3d4e5f6071829", line.writer, 1)
    assert f"`{segment.id}`" in TEXT
    found = open_line(line, SessionCipher(segment.session_key(line.session.encode())))
    assert found.content() == wanted.content()
    for name in ("d", "u", "e", "l"):
        assert found.members[name] == wanted.members[name]
