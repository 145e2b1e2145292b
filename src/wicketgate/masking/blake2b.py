"""BLAKE2b (RFC 7693) of short texts under one key, without an object for each (compiled).
It must never be used where it does not give what hashlib gives: `keyed` tries that.

hashlib takes in the key's block anew with each text, and makes two objects. Here the state behind that block
is kept, and a text that fits into one block costs one compression. Numbers of 64 bits wrap when compiled; in
plain Python they don't: there hashlib does the work.
"""

import hashlib
from typing import Final

from librt.strings import BytesWriter, read_i64_le, write_i64_le
from mypy_extensions import i64

BLOCK: Final = 128
"""Bytes of the longest text."""

SIZE: Final = 16
"""Bytes of a digest."""

_KEY: Final = 32
_LOW_32: Final = 0xFFFFFFFF
_LOW_40: Final = 0xFFFFFFFFFF
_LOW_48: Final = 0xFFFFFFFFFFFF


class Keyed:
    """first, second: the last digest, as two numbers, low byte first."""

    def __init__(self, key: bytes) -> None:
        """key: of 32 bytes."""
        self.first: i64 = 0
        self.second: i64 = 0
        self.x0: i64 = 0
        self.x1: i64 = 0
        self.x2: i64 = 0
        self.x3: i64 = 0
        self.x4: i64 = 0
        self.x5: i64 = 0
        self.x6: i64 = 0
        self.x7: i64 = 0
        self.start0: i64 = 0x6A09E667F3BCC908
        self.start1: i64 = -0x4498517A7B3558C5
        self.start2: i64 = 0x3C6EF372FE94F82B
        self.start3: i64 = -0x5AB00AC5A0E2C90F
        self.start4: i64 = 0x510E527FADE682D1
        self.start5: i64 = -0x64FA9773D4C193E1
        self.start6: i64 = 0x1F83D9ABFB41BD6B
        self.start7: i64 = 0x5BE0CD19137E2179
        # kept, as numbers above 2^62 are objects where they stand in code
        self.h0: i64 = self.start0
        self.h1: i64 = self.start1
        self.h2: i64 = self.start2
        self.h3: i64 = self.start3
        self.h4: i64 = self.start4
        self.h5: i64 = self.start5
        self.h6: i64 = self.start6
        self.h7: i64 = self.start7
        self.h0 ^= 0x01010000 ^ (_KEY << 8) ^ SIZE
        self.compress(key + bytes(BLOCK - len(key)), 0, BLOCK, 0)
        self.h0 ^= self.x0
        self.h1 ^= self.x1
        self.h2 ^= self.x2
        self.h3 ^= self.x3
        self.h4 ^= self.x4
        self.h5 ^= self.x5
        self.h6 ^= self.x6
        self.h7 ^= self.x7

    def digest(self, data: bytes, at: i64, size: i64) -> None:
        """Of `size` bytes at `at`, one at least; BLOCK bytes must stand there, NUL behind the text."""
        self.compress(data, at, BLOCK + size, -1)
        self.first = self.h0 ^ self.x0
        self.second = self.h1 ^ self.x1

    def compress(self, data: bytes, at: i64, count: i64, last: i64) -> None:
        """count: bytes so far; last: -1 for the last block, else 0. Leaves in x0 to x7 what the state's two
        halves make."""
        v0 = self.h0
        v1 = self.h1
        v2 = self.h2
        v3 = self.h3
        v4 = self.h4
        v5 = self.h5
        v6 = self.h6
        v7 = self.h7
        v8 = self.start0
        v9 = self.start1
        v10 = self.start2
        v11 = self.start3
        v12 = self.start4 ^ count
        v13 = self.start5
        v14 = self.start6 ^ last
        v15 = self.start7
        m0: i64 = read_i64_le(data, at + 0)
        m1: i64 = read_i64_le(data, at + 8)
        m2: i64 = read_i64_le(data, at + 16)
        m3: i64 = read_i64_le(data, at + 24)
        m4: i64 = read_i64_le(data, at + 32)
        m5: i64 = read_i64_le(data, at + 40)
        m6: i64 = read_i64_le(data, at + 48)
        m7: i64 = read_i64_le(data, at + 56)
        m8: i64 = read_i64_le(data, at + 64)
        m9: i64 = read_i64_le(data, at + 72)
        m10: i64 = read_i64_le(data, at + 80)
        m11: i64 = read_i64_le(data, at + 88)
        m12: i64 = read_i64_le(data, at + 96)
        m13: i64 = read_i64_le(data, at + 104)
        m14: i64 = read_i64_le(data, at + 112)
        m15: i64 = read_i64_le(data, at + 120)
        # twelve rounds written out, four columns and four diagonals each: the C compiler puts `mix` in each
        # place, and the state stays in registers, where a function a round would have to store it
        v0, v4, v8, v12 = mix(v0, v4, v8, v12, m0, m1)
        v1, v5, v9, v13 = mix(v1, v5, v9, v13, m2, m3)
        v2, v6, v10, v14 = mix(v2, v6, v10, v14, m4, m5)
        v3, v7, v11, v15 = mix(v3, v7, v11, v15, m6, m7)
        v0, v5, v10, v15 = mix(v0, v5, v10, v15, m8, m9)
        v1, v6, v11, v12 = mix(v1, v6, v11, v12, m10, m11)
        v2, v7, v8, v13 = mix(v2, v7, v8, v13, m12, m13)
        v3, v4, v9, v14 = mix(v3, v4, v9, v14, m14, m15)
        v0, v4, v8, v12 = mix(v0, v4, v8, v12, m14, m10)
        v1, v5, v9, v13 = mix(v1, v5, v9, v13, m4, m8)
        v2, v6, v10, v14 = mix(v2, v6, v10, v14, m9, m15)
        v3, v7, v11, v15 = mix(v3, v7, v11, v15, m13, m6)
        v0, v5, v10, v15 = mix(v0, v5, v10, v15, m1, m12)
        v1, v6, v11, v12 = mix(v1, v6, v11, v12, m0, m2)
        v2, v7, v8, v13 = mix(v2, v7, v8, v13, m11, m7)
        v3, v4, v9, v14 = mix(v3, v4, v9, v14, m5, m3)
        v0, v4, v8, v12 = mix(v0, v4, v8, v12, m11, m8)
        v1, v5, v9, v13 = mix(v1, v5, v9, v13, m12, m0)
        v2, v6, v10, v14 = mix(v2, v6, v10, v14, m5, m2)
        v3, v7, v11, v15 = mix(v3, v7, v11, v15, m15, m13)
        v0, v5, v10, v15 = mix(v0, v5, v10, v15, m10, m14)
        v1, v6, v11, v12 = mix(v1, v6, v11, v12, m3, m6)
        v2, v7, v8, v13 = mix(v2, v7, v8, v13, m7, m1)
        v3, v4, v9, v14 = mix(v3, v4, v9, v14, m9, m4)
        v0, v4, v8, v12 = mix(v0, v4, v8, v12, m7, m9)
        v1, v5, v9, v13 = mix(v1, v5, v9, v13, m3, m1)
        v2, v6, v10, v14 = mix(v2, v6, v10, v14, m13, m12)
        v3, v7, v11, v15 = mix(v3, v7, v11, v15, m11, m14)
        v0, v5, v10, v15 = mix(v0, v5, v10, v15, m2, m6)
        v1, v6, v11, v12 = mix(v1, v6, v11, v12, m5, m10)
        v2, v7, v8, v13 = mix(v2, v7, v8, v13, m4, m0)
        v3, v4, v9, v14 = mix(v3, v4, v9, v14, m15, m8)
        v0, v4, v8, v12 = mix(v0, v4, v8, v12, m9, m0)
        v1, v5, v9, v13 = mix(v1, v5, v9, v13, m5, m7)
        v2, v6, v10, v14 = mix(v2, v6, v10, v14, m2, m4)
        v3, v7, v11, v15 = mix(v3, v7, v11, v15, m10, m15)
        v0, v5, v10, v15 = mix(v0, v5, v10, v15, m14, m1)
        v1, v6, v11, v12 = mix(v1, v6, v11, v12, m11, m12)
        v2, v7, v8, v13 = mix(v2, v7, v8, v13, m6, m8)
        v3, v4, v9, v14 = mix(v3, v4, v9, v14, m3, m13)
        v0, v4, v8, v12 = mix(v0, v4, v8, v12, m2, m12)
        v1, v5, v9, v13 = mix(v1, v5, v9, v13, m6, m10)
        v2, v6, v10, v14 = mix(v2, v6, v10, v14, m0, m11)
        v3, v7, v11, v15 = mix(v3, v7, v11, v15, m8, m3)
        v0, v5, v10, v15 = mix(v0, v5, v10, v15, m4, m13)
        v1, v6, v11, v12 = mix(v1, v6, v11, v12, m7, m5)
        v2, v7, v8, v13 = mix(v2, v7, v8, v13, m15, m14)
        v3, v4, v9, v14 = mix(v3, v4, v9, v14, m1, m9)
        v0, v4, v8, v12 = mix(v0, v4, v8, v12, m12, m5)
        v1, v5, v9, v13 = mix(v1, v5, v9, v13, m1, m15)
        v2, v6, v10, v14 = mix(v2, v6, v10, v14, m14, m13)
        v3, v7, v11, v15 = mix(v3, v7, v11, v15, m4, m10)
        v0, v5, v10, v15 = mix(v0, v5, v10, v15, m0, m7)
        v1, v6, v11, v12 = mix(v1, v6, v11, v12, m6, m3)
        v2, v7, v8, v13 = mix(v2, v7, v8, v13, m9, m2)
        v3, v4, v9, v14 = mix(v3, v4, v9, v14, m8, m11)
        v0, v4, v8, v12 = mix(v0, v4, v8, v12, m13, m11)
        v1, v5, v9, v13 = mix(v1, v5, v9, v13, m7, m14)
        v2, v6, v10, v14 = mix(v2, v6, v10, v14, m12, m1)
        v3, v7, v11, v15 = mix(v3, v7, v11, v15, m3, m9)
        v0, v5, v10, v15 = mix(v0, v5, v10, v15, m5, m0)
        v1, v6, v11, v12 = mix(v1, v6, v11, v12, m15, m4)
        v2, v7, v8, v13 = mix(v2, v7, v8, v13, m8, m6)
        v3, v4, v9, v14 = mix(v3, v4, v9, v14, m2, m10)
        v0, v4, v8, v12 = mix(v0, v4, v8, v12, m6, m15)
        v1, v5, v9, v13 = mix(v1, v5, v9, v13, m14, m9)
        v2, v6, v10, v14 = mix(v2, v6, v10, v14, m11, m3)
        v3, v7, v11, v15 = mix(v3, v7, v11, v15, m0, m8)
        v0, v5, v10, v15 = mix(v0, v5, v10, v15, m12, m2)
        v1, v6, v11, v12 = mix(v1, v6, v11, v12, m13, m7)
        v2, v7, v8, v13 = mix(v2, v7, v8, v13, m1, m4)
        v3, v4, v9, v14 = mix(v3, v4, v9, v14, m10, m5)
        v0, v4, v8, v12 = mix(v0, v4, v8, v12, m10, m2)
        v1, v5, v9, v13 = mix(v1, v5, v9, v13, m8, m4)
        v2, v6, v10, v14 = mix(v2, v6, v10, v14, m7, m6)
        v3, v7, v11, v15 = mix(v3, v7, v11, v15, m1, m5)
        v0, v5, v10, v15 = mix(v0, v5, v10, v15, m15, m11)
        v1, v6, v11, v12 = mix(v1, v6, v11, v12, m9, m14)
        v2, v7, v8, v13 = mix(v2, v7, v8, v13, m3, m12)
        v3, v4, v9, v14 = mix(v3, v4, v9, v14, m13, m0)
        v0, v4, v8, v12 = mix(v0, v4, v8, v12, m0, m1)
        v1, v5, v9, v13 = mix(v1, v5, v9, v13, m2, m3)
        v2, v6, v10, v14 = mix(v2, v6, v10, v14, m4, m5)
        v3, v7, v11, v15 = mix(v3, v7, v11, v15, m6, m7)
        v0, v5, v10, v15 = mix(v0, v5, v10, v15, m8, m9)
        v1, v6, v11, v12 = mix(v1, v6, v11, v12, m10, m11)
        v2, v7, v8, v13 = mix(v2, v7, v8, v13, m12, m13)
        v3, v4, v9, v14 = mix(v3, v4, v9, v14, m14, m15)
        v0, v4, v8, v12 = mix(v0, v4, v8, v12, m14, m10)
        v1, v5, v9, v13 = mix(v1, v5, v9, v13, m4, m8)
        v2, v6, v10, v14 = mix(v2, v6, v10, v14, m9, m15)
        v3, v7, v11, v15 = mix(v3, v7, v11, v15, m13, m6)
        v0, v5, v10, v15 = mix(v0, v5, v10, v15, m1, m12)
        v1, v6, v11, v12 = mix(v1, v6, v11, v12, m0, m2)
        v2, v7, v8, v13 = mix(v2, v7, v8, v13, m11, m7)
        v3, v4, v9, v14 = mix(v3, v4, v9, v14, m5, m3)
        self.x0 = v0 ^ v8
        self.x1 = v1 ^ v9
        self.x2 = v2 ^ v10
        self.x3 = v3 ^ v11
        self.x4 = v4 ^ v12
        self.x5 = v5 ^ v13
        self.x6 = v6 ^ v14
        self.x7 = v7 ^ v15


def mix(a: i64, b: i64, c: i64, d: i64, one: i64, two: i64) -> tuple[i64, i64, i64, i64]:
    """The function G of RFC 7693, section 3.1."""
    a += b + one
    d ^= a
    d = ((d >> 32) & _LOW_32) | (d << 32)
    c += d
    b ^= c
    b = ((b >> 24) & _LOW_40) | (b << 40)
    a += b + two
    d ^= a
    d = ((d >> 16) & _LOW_48) | (d << 48)
    c += d
    b ^= c
    b = ((b >> 63) & 1) | (b << 1)
    return a, b, c, d


def keyed(key: bytes) -> Keyed | None:
    """None where numbers do not wrap, or where anything else makes a digest differ from hashlib's."""
    if not wraps() or len(key) != _KEY:
        return None
    made = Keyed(key)
    for size in (1, 21, 127, BLOCK):
        text = bytes(range(size))
        made.digest(text + bytes(BLOCK - size), 0, size)
        out = BytesWriter()
        write_i64_le(out, made.first)
        write_i64_le(out, made.second)
        if out.getvalue() != hashlib.blake2b(text, key=key, digest_size=SIZE).digest():
            return None
    return made


def wraps() -> bool:
    """Whether numbers have 64 bits here."""
    most: i64 = read_i64_le(b"\xff\xff\xff\xff\xff\xff\xff\x7f", 0)
    return most + most == -2
