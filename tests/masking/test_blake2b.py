"""Our BLAKE2b gives what hashlib's gives, and is not used where it would not."""

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wicketgate.masking import blake2b
from wicketgate.masking.blake2b import BLOCK, Keyed, keyed
from wicketgate.masking.pseudonym import Pseudonyms

COMPILED = not blake2b.__file__.endswith(".py")


class Wrapping(int):
    """A number of 64 bits, as compiled code has them."""

    def __new__(cls, value: int) -> "Wrapping":
        value &= (1 << 64) - 1
        return super().__new__(cls, value - (1 << 64) if value >> 63 else value)

    def __add__(self, other: int) -> "Wrapping":
        return Wrapping(int(self) + int(other))

    def __xor__(self, other: int) -> "Wrapping":
        return Wrapping(int(self) ^ int(other))

    def __or__(self, other: int) -> "Wrapping":
        return Wrapping(int(self) | int(other))

    def __lshift__(self, other: int) -> "Wrapping":
        return Wrapping(int(self) << other)

    def __rshift__(self, other: int) -> "Wrapping":
        return Wrapping(int(self) >> other)

    def __and__(self, other: int) -> "Wrapping":
        return Wrapping(int(self) & other)

    __radd__ = __add__
    __rxor__ = __xor__
    __ror__ = __or__


def digest(key: bytes, text: bytes) -> bytes:
    made = Keyed(key)
    made.digest(b"before" + text + bytes(BLOCK - len(text)), 6, len(text))
    return b"".join((int(part) & (1 << 64) - 1).to_bytes(8, "little") for part in (made.first, made.second))


@pytest.fixture(scope="module", autouse=True)
def _wrapping() -> object:
    """Plain Python's numbers have no end: here they wrap as compiled ones do."""
    with pytest.MonkeyPatch.context() as patch:
        if not COMPILED:
            plain = blake2b.read_i64_le
            patch.setattr(blake2b, "read_i64_le", lambda data, at: Wrapping(plain(data, at)))
        yield


@given(key=st.binary(min_size=32, max_size=32), text=st.binary(min_size=1, max_size=BLOCK))
@settings(max_examples=60, deadline=None)
def test_digests_are_those_of_hashlib(key: bytes, text: bytes) -> None:
    assert digest(key, text) == hashlib.blake2b(text, key=key, digest_size=16).digest()


@pytest.mark.parametrize("size", [1, 2, 63, 64, 65, 111, 112, 127, 128])
def test_each_length_of_a_block(size: int) -> None:
    text = bytes(range(size))
    assert digest(b"k" * 32, text) == hashlib.blake2b(text, key=b"k" * 32, digest_size=16).digest()


def test_it_is_used_only_where_it_gives_what_hashlib_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    assert keyed(b"k" * 31) is None
    assert keyed(b"k" * 32) is not None
    if COMPILED:
        return
    monkeypatch.setattr(blake2b, "write_i64_le", lambda out, number: out.write(bytes(8)))
    assert keyed(b"k" * 32) is None  # one that is wrong


def test_tokens_are_the_same_with_and_without() -> None:
    """Texts of all lengths beside the block's, at once and alone: a token has one value and one way back."""
    values: list[bytes | None] = [bytes([97 + size % 26]) * size for size in range(0, 200, 3)]
    made = Pseudonyms({1: b"k" * 32}, 1)
    together = made.tokens(values, "email", b"scope")
    alone = [made.tokens([value], "email", b"scope")[0] for value in values]
    other = Pseudonyms({1: b"k" * 32}, 1)
    other.of("email", b"scope").keyed = None
    assert together == alone == other.tokens(values, "email", b"scope")
    short = [value for value in values if value is not None and len(value) < 90]
    assert Pseudonyms({1: b"k" * 32}, 1).tokens([*short], "email", b"scope") == together[: len(short)]
    for token, value in zip(together, values, strict=True):
        assert token is not None
        assert made.value_of(token, [b"scope"]) == ("email", value)
