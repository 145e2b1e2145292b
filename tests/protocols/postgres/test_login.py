"""The bytes before TLS, our welcome, cancel requests, version numbers."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.postgres.rehearsal import frames, startup
from wicketgate.protocols.base import Preamble
from wicketgate.protocols.postgres.login import (
    ServerSession,
    cancel_packet,
    preamble,
    version_number,
    welcome,
)

SSL = struct.pack(">II", 8, 80877103)
GSS = struct.pack(">II", 8, 80877104)
SESSION = ServerSession(
    {
        "server_version": "15.4",
        "TimeZone": "UTC",
        "application_name": "x",
        "search_path": "s",
        "odd.name": "y",
    },
    1,
    b"upstream's",
    150004,
    "sales",
    "ro",
)


@pytest.mark.parametrize(
    ("peeked", "told"),
    [
        (b"", Preamble("more")),
        (b"\x16", Preamble("direct-tls", alpn="postgresql")),
        (b"\x16\x03\x01\x02\x00", Preamble("direct-tls", alpn="postgresql")),
        (SSL, Preamble("tls", consume=8, reply=b"S")),
        (SSL + b"\x16\x03", Preamble("tls", consume=8, reply=b"S")),
        (GSS, Preamble("reply", consume=8, reply=b"N")),
        (GSS + SSL, Preamble("reply", consume=8, reply=b"N")),
        (startup(("user", "a")), Preamble("begin")),
        (struct.pack(">IIII", 16, 80877102, 1, 2), Preamble("begin")),
        (struct.pack(">II", 9, 80877103) + b"x", Preamble("refuse")),
        (struct.pack(">II", 9, 80877104) + b"x", Preamble("refuse")),
        (b"GET / HTTP/1.1\r\n", Preamble("refuse")),
        (b"G", Preamble("refuse")),
        (b"SSH-2.0-OpenSSH\r\n", Preamble("refuse")),
        (b"\0\0\0\7\0\3\0\0", Preamble("refuse")),
        (b"\0\0\x27\x11\0\3\0\0", Preamble("refuse")),
        (b"\0\0\x27\x10\0\3\0\0", Preamble("begin")),
        (b"\0\1\0\0", Preamble("refuse")),
        (b"\xff" * 8, Preamble("refuse")),
    ],
)
def test_preamble(peeked: bytes, told: Preamble) -> None:
    assert preamble(peeked) == told


@given(st.one_of(st.binary(max_size=12), st.just(SSL), st.just(GSS), st.just(startup(("user", "a")))))
def test_preamble_asks_for_more_only_while_it_may_change_its_mind(data: bytes) -> None:
    answers = [preamble(data[:length]) for length in range(len(data) + 1)]
    for step in answers[8:]:
        assert step.step != "more"
    decided = [answer for answer in answers if answer.step != "more"]
    assert all(answer == decided[0] for answer in decided)


@pytest.mark.parametrize(
    ("proof", "minor", "sent"),
    [(b"12345678", 0, b"1234"), (b"12345678", 2, b"12345678"), (b"1234", 0, b"1234")],
)
def test_welcome(proof: bytes, minor: int, sent: bytes) -> None:
    assert frames(welcome(SESSION, (0xFFFFFFFE, proof), minor)) == [
        ("R", b"\0\0\0\0"),
        ("S", b"server_version\x0015.4\0"),
        ("S", b"TimeZone\0UTC\0"),
        ("S", b"application_name\0x\0"),
        ("S", b"search_path\0s\0"),
        ("K", b"\xff\xff\xff\xfe" + sent),
        ("Z", b"I"),
    ]


@pytest.mark.parametrize("proof", [b"", b"123", b"x" * 257])
def test_welcome_with_a_key_that_cannot_travel(proof: bytes) -> None:
    with pytest.raises(ValueError, match="cancel key"):
        welcome(SESSION, (1, proof), 2)


def test_cancel_packet() -> None:
    assert cancel_packet(-2, b"KEY!") == bytes.fromhex("00000010 04d2162e fffffffe") + b"KEY!"
    assert cancel_packet(5, b"k" * 32)[:4] == b"\0\0\0\x2c"


def test_a_session_does_not_show_its_key() -> None:
    assert "upstream's" not in repr(SESSION)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("15.4", 150004),
        ("15.4 (Debian 15.4-1.pgdg120+1)", 150004),
        ("18beta1", 180000),
        ("18.0", 180000),
        ("13devel", 130000),
        ("16rc2", 160000),
        ("9.6.24", 90624),
        ("9.6", 90600),
        ("10", 100000),
        ("", None),
        ("x15", None),
        ("99999.1", None),
        ("15.x", 150000),
    ],
)
def test_version_number(text: str, number: int | None) -> None:
    assert version_number(text) == number
