"""Replays: lines of a session, also odd ones, told for people."""

import base64
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from wicketgate.admin.ports import JournalLine
from wicketgate.admin.replay import Replay, replay
from wicketgate.protocols.shown import Shown, ShownTable


def show(protocol: str, answer: bytes) -> Shown:
    return Shown((ShownTable(("bytes",), ((answer.decode(),),), protocol),), ("a note",), True)


def tell(*lines: tuple[dict[str, Any], dict[str, Any] | None]) -> Replay:
    return replay("a" * 32, [JournalLine(*line) for line in lines], show, {"sales": "toy"})


OPEN: tuple[dict[str, Any], None] = (
    {
        "k": "open",
        "q": 1,
        "t": 5,
        "a": "reader",
        "i": {"name": "bot", "groups": ["crew"], "resource": "sales"},
    },
    None,
)


def test_a_statement_carries_its_answer() -> None:
    kept = {"len": 9, "kept": 6, "enc": "base64"}
    outcome = {"rows": 2, "ns": 7, "tag": "SELECT 2", "masked": {"email": 2}}
    found = tell(
        OPEN,
        (
            {"k": "ask", "q": 2, "t": 6, "d": "permit", "u": ["r"], "h": "x"},
            {"text": "SELECT 1", "parameters": [None, "a"]},
        ),
        (
            {"k": "answer", "q": 3, "t": 7, "r": 2, "o": outcome, "b": kept},
            {"bytes": base64.b64encode(b"******").decode()},
        ),
        ({"k": "ask", "q": 4, "t": 8, "d": "permit", "x": 2}, None),
        ({"k": "close", "q": 5, "t": 9, "o": {"tag": "client"}}, None),
    )
    assert (found.identity, found.resource, found.account, found.whole) == ("bot", "sales", "reader", True)
    assert (found.opened, found.closed, found.reason) == (5, 9, "client")
    first, second = found.events
    assert first.parameters == (None, "a")
    assert (first.rows, first.tag, first.masked, first.truncated, first.length) == (
        2,
        "SELECT 2",
        {"email": 2},
        True,
        9,
    )
    assert first.tables[0].rows == (("******",),)
    assert first.tables[0].tag == "toy"
    assert second.text == "SELECT 1"
    assert not second.answered


def test_a_denial_says_why() -> None:
    denial = {"kind": "policy", "message": "Not here.", "cause": "rule never drop", "hint": None}
    found = tell(
        OPEN,
        (
            {"k": "deny", "q": 2, "t": 6, "d": "deny", "u": ["never drop"]},
            {"text": "DROP TABLE x", "denial": denial},
        ),
    )
    [event] = found.events
    assert (event.decision, event.message, event.cause) == ("deny", "Not here.", "rule never drop")
    assert event.text == "DROP TABLE x"
    assert not found.whole


def test_what_is_erased_or_redacted_is_said_so() -> None:
    found = tell(
        OPEN,
        ({"k": "ask", "q": 2, "t": 6, "d": "permit", "h": "digest"}, None),
        ({"k": "ask", "q": 3, "t": 6, "d": "permit", "x": 2}, None),
        ({"k": "ask", "q": 4, "t": 6, "d": "permit", "h": "digest"}, {"redacted": "keyed"}),
        ({"k": "ask", "q": 5, "t": 6, "h": "y"}, {"text_base64": base64.b64encode(b"\xff SELECT").decode()}),
    )
    erased, referring, redacted, odd = found.events
    assert erased.erased
    assert erased.text is None
    assert referring.erased
    assert redacted.text is not None
    assert "secret" in redacted.text
    assert odd.text == "\\xff SELECT"


def test_a_line_that_its_key_does_not_open_is_said_so_and_the_others_are_shown() -> None:
    closed = {"k": "ask", "q": 2, "t": 6, "z": "AAAA", "h": "digest", "closed": True}
    found = tell(OPEN, (closed, None), ({"k": "ask", "q": 3, "t": 6, "d": "permit"}, {"text": "SELECT 1"}))
    odd, whole = found.events
    assert not odd.erased
    assert odd.message is not None
    assert "not what was encrypted" in odd.message
    assert whole.text == "SELECT 1"


def test_a_gap_is_seen() -> None:
    assert tell(OPEN, ({"k": "close", "q": 2, "t": 9}, None)).whole
    assert not tell(OPEN, ({"k": "close", "q": 3, "t": 9}, None)).whole
    assert not tell(({"k": "close", "q": 2, "t": 9}, None)).whole
    assert not tell().whole


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
KEYS = st.sampled_from(["k", "q", "t", "r", "x", "o", "b", "i", "a", "d", "u", "e", "l", "h"])
KINDS = st.sampled_from(["open", "ask", "answer", "deny", "close", "observed", "gone"])
BODIES = st.sampled_from(["text", "bytes", "parameters", "denial", "redacted", "text_base64"])


@given(
    st.lists(
        st.tuples(
            st.dictionaries(KEYS, JSON, max_size=8),
            KINDS,
            st.integers(0, 5),
            st.none() | st.dictionaries(BODIES, JSON, max_size=4),
        ),
        max_size=6,
    )
)
def test_no_line_is_too_odd(lines: list[tuple[dict[str, Any], str, int, dict[str, Any] | None]]) -> None:
    told = replay(
        "a" * 32,
        [JournalLine({"q": q, **head, "k": kind}, body) for head, kind, q, body in lines],
        lambda protocol, answer: Shown((), (), True),
        {},
    )
    assert len(told.events) <= len(lines)
