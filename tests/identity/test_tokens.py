"""Tokens: made, read, recorded; their text stands nowhere but in the Secret."""

import base64
import os
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wicketgate.identity import tokens
from wicketgate.model.secret import Secret

NOW = 1_800_000_000_000_000_000


def test_an_issued_token_parses_and_hashes_to_its_record() -> None:
    secret, record = tokens.issue(
        "crew-bot", NOW, os.urandom, expires=NOW + 5, resources=frozenset({"sales"})
    )
    assert tokens.parse(secret)
    assert tokens.hash_of(secret) == record.hash
    assert secret.reveal().startswith(b"wkt_")
    assert len(secret.reveal()) == tokens.LENGTH
    assert tokens.PATTERN.fullmatch(secret.reveal().decode())
    assert record.holds(NOW)
    assert not record.holds(NOW + 5)
    assert tokens.from_replicated(record.hash, record.replicated()) == record


@given(st.binary(min_size=32, max_size=32), st.integers(0, tokens.LENGTH - 1), st.integers(1, 255))
def test_a_changed_byte_is_noticed(chance: bytes, at: int, change: int) -> None:
    secret, _ = tokens.issue("a", NOW, lambda n: chance[:n])
    value = bytearray(secret.reveal())
    value[at] ^= change
    assert not tokens.parse(Secret(bytes(value)))


@given(st.binary(max_size=80))
def test_anything_may_be_presented(value: bytes) -> None:
    assert not tokens.parse(Secret(value))


def test_neither_record_nor_secret_shows_the_token() -> None:
    secret, record = tokens.issue("crew-bot", NOW, os.urandom, note="nightly")
    text = secret.reveal().decode()
    shown = f"{secret!r} {secret} {record!r} {record} {record.replicated()}"
    assert text not in shown
    assert text[4:20] not in shown
    assert record.hash not in repr(record)
    assert base64.b64encode(secret.reveal()).decode() not in shown
    with pytest.raises(TypeError):
        pickle.dumps(secret)


@pytest.mark.parametrize("name", ["", "a/b", "a b", "a~b", "-a", "a:", "é", "a" * 64, "a\n"])
def test_names_that_break_a_url_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="can't name an identity"):
        tokens.issue(name, NOW, os.urandom)


def test_a_token_that_never_held_is_refused() -> None:
    with pytest.raises(ValueError, match="expire"):
        tokens.issue("a", NOW, os.urandom, expires=NOW)
    with pytest.raises(ValueError, match="chance"):
        tokens.issue("a", NOW, lambda n: b"\0" * (n - 1))
