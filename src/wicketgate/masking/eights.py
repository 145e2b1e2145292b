"""Eight bytes of text at once, in a number: what is a letter, a digit or a space among them (compiled).
It must never be asked about bytes above 127 unless the answer is thrown away."""

from typing import Final

from mypy_extensions import i64

LOW: Final = 0x1F1F1F1F1F1F1F1F
FIVE: Final = 0x2020202020202020
ALL: Final = 0x3FFFFFFFFFFFFFFF
FOUR: Final = 0x1010101010101010
SPACES: Final = 0x2020202020202020
NOUGHTS: Final = 0x3030303030303030
NIBBLES: Final = 0x0F0F0F0F0F0F0F0F
SEVEN: Final = 0x0020202020202020
PAST_NINE: Final = 0x0606060606060606
PAST_Z: Final = 0x0505050505050505
NOT_NOUGHT: Final = 0x1F1F1F1F1F1F1F1F
ONES: Final = 0x0101010101010101
"""For eight bytes at once, none of them above 127; what is found stands in bit 5 of each.

ASCII letters are 64 or 96 and 1 to 26: bit 6 stands, and the low five bits are neither 0 (adding 31 would not
reach bit 5) nor above 26 (adding 5 would). Of a digit without its 48 at most 9 is left (adding 6 would not
reach bit 4); a space has bit 5 alone (adding 15 to its low four bits would not reach bit 4).

Bits are made by shifting ALL right: compiled, a small number shifted left is one of 32 bits, and one above
2^62 an object."""


def alphanumeric(word: i64) -> bool:
    """Whether all eight are letters and digits of ASCII."""
    low = word & LOW
    lettered = (word >> 1) & (low + NOT_NOUGHT) & ~(low + PAST_Z) & FIVE
    number = word ^ NOUGHTS
    other = ((number & NIBBLES) + PAST_NINE) | number | (number >> 1) | (number >> 2)
    return lettered | (((other & FOUR) ^ FOUR) << 1) == FIVE and (word >> 2) & FIVE == 0
