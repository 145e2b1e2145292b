"""Cancel keys: what a number holds, and that only the right proof finds a session."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wicketgate.model.decision import Denial
from wicketgate.model.identity import Identity, IdentityKind
from wicketgate.model.session import Admission
from wicketgate.worker.sessions import NODES, SLOTS, WORKERS, Opening, Sessions, key_number, key_owner


@given(st.integers(0, NODES - 1), st.integers(0, WORKERS - 1), st.integers(0, SLOTS - 1))
def test_a_number_is_31_bits_and_comes_back(node: int, worker: int, slot: int) -> None:
    number = key_number(node, worker, slot)
    assert 0 <= number < 1 << 31
    assert key_owner(number) == (node, worker, slot)


@pytest.mark.parametrize("parts", [(NODES, 0, 0), (0, WORKERS, 0), (0, 0, SLOTS), (-1, 0, 0)])
def test_what_does_not_fit_is_refused(parts: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match="no key"):
        key_number(*parts)


@pytest.mark.parametrize("number", [-1, 1 << 31, 1 << 40])
def test_what_was_never_given_out_has_no_owner(number: int) -> None:
    assert key_owner(number) is None


class Fake:
    """As much of a session as the registry looks at."""

    def __init__(self, admission: Admission, slot: int, proof: bytes) -> None:
        self.admission, self.slot, self.proof = admission, slot, proof
        self.ended: list[str] = []

    def end(self, denial: Denial, reason: str) -> None:
        self.ended.append(reason)


def admission(session: str, name: str = "bot") -> Admission:
    identity = Identity(name, name, "local", IdentityKind.AGENT, "token")
    resource: Any = None
    return Admission(session, identity, resource, "main", resource, False)


def test_only_the_right_proof_finds_a_session() -> None:
    letters = iter([b"a", b"b"])
    sessions = Sessions(1, 2, lambda size: next(letters) * size, 10, 10)
    made: list[Any] = []
    for name in ("one", "two"):
        opening = sessions.begin(admission(name))
        assert isinstance(opening, Opening)
        slot, number, proof = sessions.key(32 if name == "one" else 4)
        made.append((number, Fake(opening.admission, slot, proof)))
        sessions.add(opening, made[-1][1])
    (one, first), (two, second) = made
    assert sessions.by_key(one, b"a" * 32) is first
    assert sessions.by_key(two, b"b" * 4) is second
    for proof in (b"", b"a", b"a" * 4, b"a" * 31, b"a" * 33, b"b" * 32, b"b" * 4):
        assert sessions.by_key(one, proof) is None
    assert sessions.by_key(one + (1 << 18), b"a" * 32) is None
    assert sessions.remove(first)
    assert not sessions.remove(first)
    assert sessions.by_key(one, b"a" * 32) is None


def test_counts_by_identity_and_in_all() -> None:
    sessions = Sessions(0, 0, bytes, 2, 3)
    one = sessions.begin(admission("1"))
    assert isinstance(one, Opening)
    assert isinstance(sessions.begin(admission("2")), Opening)
    assert isinstance(sessions.begin(admission("3")), Denial)
    assert isinstance(sessions.begin(admission("4", "other")), Opening)
    assert isinstance(sessions.begin(admission("5", "third")), Denial)
    sessions.give_up(one)
    sessions.give_up(one)
    assert isinstance(sessions.begin(admission("6")), Opening)


def test_a_session_that_is_being_opened_can_be_doomed() -> None:
    sessions = Sessions(0, 0, bytes, 2, 3)
    opening = sessions.begin(admission("1"))
    assert isinstance(opening, Opening)
    denial = Denial("revoked", "", "")
    assert sessions.end("1", denial, "revoked")
    assert opening.doom == (denial, "revoked")
    assert not sessions.end("2", denial, "revoked")
