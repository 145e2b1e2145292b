"""How random a text looks (compiled). It must never be the only ground for calling something a secret."""

from math import log2
from typing import Final

from mypy_extensions import i64

_SINGLE: Final = [bytes([code]) for code in range(256)]


def entropy(text: bytes) -> float:
    """Shannon entropy over its bytes, in bits a character."""
    size = len(text)
    if size == 0:
        return 0.0
    total = 0.0
    for code in set(text):
        part = text.count(_SINGLE[code]) / size
        total -= part * log2(part)
    return total


def random_looking(text: bytes, least: float) -> bool:
    """Letters and digits mixed as no word, name or date mixes them; least: bits a character."""
    digits: i64 = 0
    upper: i64 = 0
    lower: i64 = 0
    turns: i64 = 0
    kind: i64 = 0
    size: i64 = len(text)
    at: i64 = 0
    while at < size:
        code: i64 = text[at]
        at += 1
        now: i64 = 0
        if 48 <= code <= 57:
            digits += 1
            now = 1
        elif 97 <= code <= 122:
            lower += 1
            now = 2
        elif 65 <= code <= 90:
            upper += 1
            now = 3
        if now != kind:
            turns += 1
            kind = now
    if digits + upper + lower < size * 3 // 4:
        return False
    if digits == 0 and (upper == 0 or lower == 0):
        return False
    if digits == size or (upper == 0 and lower == 0) or turns * 5 < size:
        return False
    return entropy(text) >= least
