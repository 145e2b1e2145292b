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
        self.v0: i64 = 0
        self.v1: i64 = 0
        self.v2: i64 = 0
        self.v3: i64 = 0
        self.v4: i64 = 0
        self.v5: i64 = 0
        self.v6: i64 = 0
        self.v7: i64 = 0
        self.v8: i64 = 0
        self.v9: i64 = 0
        self.v10: i64 = 0
        self.v11: i64 = 0
        self.v12: i64 = 0
        self.v13: i64 = 0
        self.v14: i64 = 0
        self.v15: i64 = 0
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
        self.h0 ^= self.v0 ^ self.v8
        self.h1 ^= self.v1 ^ self.v9
        self.h2 ^= self.v2 ^ self.v10
        self.h3 ^= self.v3 ^ self.v11
        self.h4 ^= self.v4 ^ self.v12
        self.h5 ^= self.v5 ^ self.v13
        self.h6 ^= self.v6 ^ self.v14
        self.h7 ^= self.v7 ^ self.v15

    def digest(self, data: bytes, at: i64, size: i64) -> None:
        """Of `size` bytes at `at`, one at least; BLOCK bytes must stand there, NUL behind the text."""
        self.compress(data, at, BLOCK + size, -1)
        self.first = self.h0 ^ self.v0 ^ self.v8
        self.second = self.h1 ^ self.v1 ^ self.v9

    def compress(self, data: bytes, at: i64, count: i64, last: i64) -> None:
        """count: bytes so far; last: -1 for the last block, else 0. Leaves its result in v0 to v15."""
        self.v0 = self.h0
        self.v1 = self.h1
        self.v2 = self.h2
        self.v3 = self.h3
        self.v4 = self.h4
        self.v5 = self.h5
        self.v6 = self.h6
        self.v7 = self.h7
        self.v8 = self.start0
        self.v9 = self.start1
        self.v10 = self.start2
        self.v11 = self.start3
        self.v12 = self.start4 ^ count
        self.v13 = self.start5
        self.v14 = self.start6 ^ last
        self.v15 = self.start7
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
        self.round(m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13, m14, m15)
        self.round(m14, m10, m4, m8, m9, m15, m13, m6, m1, m12, m0, m2, m11, m7, m5, m3)
        self.round(m11, m8, m12, m0, m5, m2, m15, m13, m10, m14, m3, m6, m7, m1, m9, m4)
        self.round(m7, m9, m3, m1, m13, m12, m11, m14, m2, m6, m5, m10, m4, m0, m15, m8)
        self.round(m9, m0, m5, m7, m2, m4, m10, m15, m14, m1, m11, m12, m6, m8, m3, m13)
        self.round(m2, m12, m6, m10, m0, m11, m8, m3, m4, m13, m7, m5, m15, m14, m1, m9)
        self.round(m12, m5, m1, m15, m14, m13, m4, m10, m0, m7, m6, m3, m9, m2, m8, m11)
        self.round(m13, m11, m7, m14, m12, m1, m3, m9, m5, m0, m15, m4, m8, m6, m2, m10)
        self.round(m6, m15, m14, m9, m11, m3, m0, m8, m12, m2, m13, m7, m1, m4, m10, m5)
        self.round(m10, m2, m8, m4, m7, m6, m1, m5, m15, m11, m9, m14, m3, m12, m13, m0)
        self.round(m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13, m14, m15)
        self.round(m14, m10, m4, m8, m9, m15, m13, m6, m1, m12, m0, m2, m11, m7, m5, m3)

    def round(
        self,
        s0: i64,
        s1: i64,
        s2: i64,
        s3: i64,
        s4: i64,
        s5: i64,
        s6: i64,
        s7: i64,
        s8: i64,
        s9: i64,
        s10: i64,
        s11: i64,
        s12: i64,
        s13: i64,
        s14: i64,
        s15: i64,
    ) -> None:
        """Eight mixings: four of columns, four of diagonals."""
        v0 = self.v0
        v1 = self.v1
        v2 = self.v2
        v3 = self.v3
        v4 = self.v4
        v5 = self.v5
        v6 = self.v6
        v7 = self.v7
        v8 = self.v8
        v9 = self.v9
        v10 = self.v10
        v11 = self.v11
        v12 = self.v12
        v13 = self.v13
        v14 = self.v14
        v15 = self.v15
        v0 += v4 + s0
        v12 ^= v0
        v12 = ((v12 >> 32) & _LOW_32) | (v12 << 32)
        v8 += v12
        v4 ^= v8
        v4 = ((v4 >> 24) & _LOW_40) | (v4 << 40)
        v0 += v4 + s1
        v12 ^= v0
        v12 = ((v12 >> 16) & _LOW_48) | (v12 << 48)
        v8 += v12
        v4 ^= v8
        v4 = ((v4 >> 63) & 1) | (v4 << 1)
        v1 += v5 + s2
        v13 ^= v1
        v13 = ((v13 >> 32) & _LOW_32) | (v13 << 32)
        v9 += v13
        v5 ^= v9
        v5 = ((v5 >> 24) & _LOW_40) | (v5 << 40)
        v1 += v5 + s3
        v13 ^= v1
        v13 = ((v13 >> 16) & _LOW_48) | (v13 << 48)
        v9 += v13
        v5 ^= v9
        v5 = ((v5 >> 63) & 1) | (v5 << 1)
        v2 += v6 + s4
        v14 ^= v2
        v14 = ((v14 >> 32) & _LOW_32) | (v14 << 32)
        v10 += v14
        v6 ^= v10
        v6 = ((v6 >> 24) & _LOW_40) | (v6 << 40)
        v2 += v6 + s5
        v14 ^= v2
        v14 = ((v14 >> 16) & _LOW_48) | (v14 << 48)
        v10 += v14
        v6 ^= v10
        v6 = ((v6 >> 63) & 1) | (v6 << 1)
        v3 += v7 + s6
        v15 ^= v3
        v15 = ((v15 >> 32) & _LOW_32) | (v15 << 32)
        v11 += v15
        v7 ^= v11
        v7 = ((v7 >> 24) & _LOW_40) | (v7 << 40)
        v3 += v7 + s7
        v15 ^= v3
        v15 = ((v15 >> 16) & _LOW_48) | (v15 << 48)
        v11 += v15
        v7 ^= v11
        v7 = ((v7 >> 63) & 1) | (v7 << 1)
        v0 += v5 + s8
        v15 ^= v0
        v15 = ((v15 >> 32) & _LOW_32) | (v15 << 32)
        v10 += v15
        v5 ^= v10
        v5 = ((v5 >> 24) & _LOW_40) | (v5 << 40)
        v0 += v5 + s9
        v15 ^= v0
        v15 = ((v15 >> 16) & _LOW_48) | (v15 << 48)
        v10 += v15
        v5 ^= v10
        v5 = ((v5 >> 63) & 1) | (v5 << 1)
        v1 += v6 + s10
        v12 ^= v1
        v12 = ((v12 >> 32) & _LOW_32) | (v12 << 32)
        v11 += v12
        v6 ^= v11
        v6 = ((v6 >> 24) & _LOW_40) | (v6 << 40)
        v1 += v6 + s11
        v12 ^= v1
        v12 = ((v12 >> 16) & _LOW_48) | (v12 << 48)
        v11 += v12
        v6 ^= v11
        v6 = ((v6 >> 63) & 1) | (v6 << 1)
        v2 += v7 + s12
        v13 ^= v2
        v13 = ((v13 >> 32) & _LOW_32) | (v13 << 32)
        v8 += v13
        v7 ^= v8
        v7 = ((v7 >> 24) & _LOW_40) | (v7 << 40)
        v2 += v7 + s13
        v13 ^= v2
        v13 = ((v13 >> 16) & _LOW_48) | (v13 << 48)
        v8 += v13
        v7 ^= v8
        v7 = ((v7 >> 63) & 1) | (v7 << 1)
        v3 += v4 + s14
        v14 ^= v3
        v14 = ((v14 >> 32) & _LOW_32) | (v14 << 32)
        v9 += v14
        v4 ^= v9
        v4 = ((v4 >> 24) & _LOW_40) | (v4 << 40)
        v3 += v4 + s15
        v14 ^= v3
        v14 = ((v14 >> 16) & _LOW_48) | (v14 << 48)
        v9 += v14
        v4 ^= v9
        v4 = ((v4 >> 63) & 1) | (v4 << 1)
        self.v0 = v0
        self.v1 = v1
        self.v2 = v2
        self.v3 = v3
        self.v4 = v4
        self.v5 = v5
        self.v6 = v6
        self.v7 = v7
        self.v8 = v8
        self.v9 = v9
        self.v10 = v10
        self.v11 = v11
        self.v12 = v12
        self.v13 = v13
        self.v14 = v14
        self.v15 = v15


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
