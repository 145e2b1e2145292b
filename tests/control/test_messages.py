"""The link's framing: every message comes back as it was, in any pieces; anything else breaks the link."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wicketgate.control.messages import (
    DOWN,
    FRAME,
    UP,
    Answer,
    Ask,
    Cancel,
    Closed,
    Commit,
    Counters,
    Drain,
    End,
    LinkBroken,
    Opened,
    Parser,
    Put,
    Ready,
    Sealed,
    Spent,
    Stale,
    Welcome,
    encode,
)
from wicketgate.model.secret import Secret

word = st.text(max_size=20)
number = st.integers(0, 2**53)
json = st.recursive(
    st.none() | st.booleans() | number | word,
    lambda inner: st.lists(inner) | st.dictionaries(word, inner),
    max_leaves=5,
)
fields = st.dictionaries(word, json, max_size=3)
secret = st.none() | st.binary(max_size=100).map(Secret)
blob = st.none() | st.binary(max_size=100)
down = st.one_of(
    st.builds(Welcome, word, number, number, word, word, st.lists(st.lists(json)), fields, fields),
    st.builds(Put, word, word, json, blob),
    st.builds(Commit, number),
    st.builds(Answer, number, fields, st.none() | st.lists(word, min_size=3, max_size=3), secret),
    st.builds(Cancel, number, word),
    st.builds(End, word, word, word),
    st.builds(Drain, st.floats(0, 100)),
)
up = st.one_of(
    st.builds(Ready, word),
    st.builds(Ask, number, word, fields),
    st.builds(Opened, word, word, word, word, word, word, number),
    st.builds(Closed, word, word),
    st.builds(Sealed, number, number, number, word, number),
    st.builds(Spent, number, number),
    st.builds(Stale, word, word),
    st.builds(Counters, st.dictionaries(word, number)),
)


@given(st.lists(down, max_size=5), st.integers(1, 50))
def test_down_comes_back(messages: list[object], size: int) -> None:
    assert replay(messages, DOWN, size) == messages


@given(st.lists(up, max_size=5), st.integers(1, 50))
def test_up_comes_back(messages: list[object], size: int) -> None:
    assert replay(messages, UP, size) == messages


def replay(messages: list[object], kinds: dict[int, type], size: int) -> list[object]:
    stream = b"".join(encode(message) for message in messages)
    parser = Parser(kinds)
    found: list[object] = []
    for at in range(0, len(stream), size):
        found += parser.receive(stream[at : at + size])
    return found


def test_a_large_put_travels_in_frames() -> None:
    put = Put("catalog", "sales/main", {}, bytes(range(256)) * 8192)
    stream = encode(put)
    assert len(stream) > 8 * FRAME
    assert replay([put], DOWN, 100_000) == [put]


@given(st.binary(max_size=200))
def test_any_bytes_are_messages_or_break_the_link(data: bytes) -> None:
    parser = Parser(DOWN)
    with contextlib.suppress(LinkBroken):
        parser.receive(data)


@given(up | down, st.data())
def test_a_changed_byte_is_a_message_or_breaks_the_link(message: object, data: st.DataObject) -> None:
    stream = bytearray(encode(message))
    stream[data.draw(st.integers(0, len(stream) - 1))] ^= data.draw(st.integers(1, 255))
    parser = Parser(UP | DOWN)
    with contextlib.suppress(LinkBroken):
        parser.receive(bytes(stream))


@pytest.mark.parametrize("message", [Ready("w"), Spent(1, 1), Counters({})])
def test_what_goes_up_may_not_come_down(message: object) -> None:
    with pytest.raises(LinkBroken):
        Parser(DOWN).receive(encode(message))


def test_a_secret_is_only_in_the_tail() -> None:
    answer = Answer(1, {}, None, Secret(b"s3cret"))
    assert encode(answer).endswith(b"s3cret")
    assert encode(answer).count(b"s3cret") == 1
    assert "s3cret" not in repr(answer)


def test_a_wrong_type_breaks_the_link() -> None:
    with pytest.raises(LinkBroken, match=r"Commit.number"):
        Parser(DOWN).receive(encode(Commit("1")))  # type: ignore[arg-type]
    with pytest.raises(LinkBroken, match=r"Commit.number"):
        Parser(DOWN).receive(encode(Commit(True)))
