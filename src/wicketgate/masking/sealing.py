"""Seals values: their SIVs and their ciphertexts, many at once (compiled). pseudonym.py tells the scheme.
It must never give a value another token than one that is sealed alone would have.
"""

from typing import Any, Final

from librt.base64 import urlsafe_b64encode
from librt.strings import (
    BytesWriter,
    read_i32_be,
    read_i64_be,
    write_i32_be,
    write_i64_be,
    write_i64_le,
)
from mypy_extensions import i64

from wicketgate.masking.blake2b import BLOCK, Keyed

STEP: Final = 12
"""A token's bytes are a multiple of this: whole base64 groups, and a value's length only roughly."""

_BLANKS: Final = [bytes(count) for count in range(BLOCK + 1)]


def sealed(
    values: list[bytes], begin: bytes, prefix: bytes, copy: Any, keyed: Keyed | None, encrypt: Any
) -> list[bytes]:
    """A token for each value.

    begin: class and NUL. copy: of BLAKE2b's state behind these; keyed: the same hash without hashlib, where
    it can be used. encrypt: enciphers blocks.
    """
    tags = BytesWriter()
    blocks = BytesWriter()
    plain = BytesWriter()
    stride = 0
    if keyed is not None and _short(values, BLOCK - len(begin)):
        _digest(values, begin, keyed, tags, blocks, plain)
        stride = BLOCK
    else:
        _hash(values, begin, copy, tags, blocks, plain)
    stream: bytes = encrypt(blocks.getvalue())
    first: i64 = len(begin)
    out = _enciphered(values, first, tags.getvalue(), stream, plain.getvalue(), stride)
    letters = urlsafe_b64encode(out)
    made: list[bytes] = []
    at: i64 = 0
    for value in values:
        end: i64 = at + (16 + filled(first + len(value))) // 3 * 4
        made.append(prefix + letters[at:end])
        at = end
    return made


def filled(size: i64) -> i64:
    """Bytes of a plaintext with its filling: with the SIV's 16 a multiple of STEP."""
    return (size + 16 + STEP - 1) // STEP * STEP - 16


def _short(values: list[bytes], most: i64) -> bool:
    fitting = True
    for value in values:
        fitting = fitting and len(value) <= most
    return fitting


def _digest(
    values: list[bytes],
    begin: bytes,
    keyed: Keyed,
    tags: BytesWriter,
    blocks: BytesWriter,
    plain: BytesWriter,
) -> None:
    """As `_hash`, for values that fit into one block of BLAKE2b: in `plain` each has a whole block."""
    first: i64 = len(begin)
    for value in values:
        plain.write(begin)
        plain.write(value)
        fill: i64 = BLOCK - first - len(value)
        plain.write(_BLANKS[fill])
    text = plain.getvalue()
    at: i64 = 0
    for value in values:
        taken: i64 = first + len(value)
        keyed.digest(text, at, taken)
        one = keyed.first
        two = keyed.second
        write_i64_le(tags, one)
        write_i64_le(tags, two)
        size: i64 = filled(taken)
        block: i64 = 0
        while block * 16 < size:
            write_i64_le(blocks, one)
            write_i64_le(blocks, two ^ (block << 56))
            block += 1
        at += BLOCK


def _hash(
    values: list[bytes], begin: bytes, copy: Any, tags: BytesWriter, blocks: BytesWriter, plain: BytesWriter
) -> None:
    """Adds each value's SIV, the blocks that its key stream is made of, and its plaintext."""
    first: i64 = len(begin)
    for value in values:
        state = copy()
        state.update(value)
        tag: bytes = state.digest()
        tags.write(tag)
        size: i64 = filled(first + len(value))
        high: i64 = read_i64_be(tag, 0)
        low: i64 = read_i64_be(tag, 8)
        block: i64 = 0
        while block * 16 < size:
            write_i64_be(blocks, high)
            write_i64_be(blocks, low ^ block)
            block += 1
        plain.write(begin)
        plain.write(value)
        fill: i64 = size - first - len(value)
        plain.write(_BLANKS[fill])


def _enciphered(
    values: list[bytes], first: i64, tags: bytes, stream: bytes, text: bytes, stride: i64
) -> bytes:
    """SIV and ciphertext of each value. stride: from one plaintext to the next; 0: each follows the last."""
    out = BytesWriter()
    at: i64 = 0
    key: i64 = 0
    row: i64 = 0
    for value in values:
        begin = at
        end: i64 = at + filled(first + len(value))
        write_i64_be(out, read_i64_be(tags, row))
        write_i64_be(out, read_i64_be(tags, row + 8))
        row += 16
        beside: i64 = key
        while at + 8 <= end:
            write_i64_be(out, read_i64_be(text, at) ^ read_i64_be(stream, beside))
            at += 8
            beside += 8
        if at < end:  # a plaintext is a multiple of 4, as a token's bytes are
            write_i32_be(out, read_i32_be(text, at) ^ read_i32_be(stream, beside))
            at = end
            beside += 4
        if stride > 0:
            at = begin + stride
        key += (beside - key + 15) // 16 * 16
    return out.getvalue()
