"""Digests computed beside the loop are those of hashlib, whoever hashes which piece."""

import hashlib
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wicketgate.worker.digests import BEHIND, SMALL, Digests

DIGESTS = Digests()


@given(
    st.lists(
        st.tuples(st.binary(min_size=1, max_size=4), st.sampled_from([1, SMALL // 2, SMALL, 70_000, BEHIND])),
        max_size=12,
    )
)
def test_it_is_the_digest_of_all_pieces_in_their_order(given: list[tuple[bytes, int]]) -> None:
    digest, plain = DIGESTS.begin(), hashlib.sha256()
    for piece, size in given:
        whole = (piece * size)[:size]
        digest.update(whole)
        plain.update(whole)
    assert digest.hexdigest() == plain.hexdigest()
    assert digest.hexdigest() == plain.hexdigest()


def test_many_at_once() -> None:
    digests = [DIGESTS.begin() for _ in range(50)]
    plain = [hashlib.sha256() for _ in digests]
    for turn in range(20):
        for number, (digest, other) in enumerate(zip(digests, plain, strict=True)):
            piece = bytes([turn, number]) * (SMALL if number % 3 else 10)
            digest.update(piece)
            other.update(piece)
    assert [each.hexdigest() for each in digests] == [each.hexdigest() for each in plain]


def test_a_thread_that_is_stuck_delays_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """What waits is bounded, and the result does not need the thread."""
    stuck = threading.Event()
    digests = Digests()
    monkeypatch.setattr(digests, "_run", stuck.wait)
    digest, plain = digests.begin(), hashlib.sha256()
    for turn in range(100):
        piece = bytes([turn]) * 100_000
        digest.update(piece)
        plain.update(piece)
        assert sum(len(each) for each in digest._waiting) <= BEHIND
    assert digest.hexdigest() == plain.hexdigest()
    stuck.set()
