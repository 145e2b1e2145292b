"""Looks once at every byte of a text, eight at a time: what stands in it says which finders may find anything
(compiled). It must never leave out a byte."""

from typing import Final

from librt.strings import read_i16_le, read_i64_le
from mypy_extensions import i64

from wicketgate.masking.eights import (
    ALL,
    FIVE,
    FOUR,
    LOW,
    NIBBLES,
    NOT_NOUGHT,
    NOUGHTS,
    ONES,
    PAST_NINE,
    PAST_Z,
    SEVEN,
    SPACES,
)

LEAST_KEY: Final = 16
"""Characters of the shortest key that is told by its form."""


class Survey:
    """What stands in the text that was looked at last.

    digits, letters, dots, dashes, colons: how many (of ASCII). signs: `@` and `%`. equals: `=`. high: a byte
    above 127. mixed: letters and digits touch, or a capital stands alone. long: where the first run begins
    that is long enough for a key; -1 where none is. first_digit, last_digit: all digits lie between.
    """

    def __init__(self) -> None:
        self.size: i64 = 0
        self.digits: i64 = 0
        self.letters: i64 = 0
        self.dots: i64 = 0
        self.dashes: i64 = 0
        self.colons: i64 = 0
        self.signs: i64 = 0
        self.equals: i64 = 0
        self.high = False
        self.mixed = False
        self.long: i64 = -1
        self.first_digit: i64 = 0
        self.last_digit: i64 = 0

    def look(self, data: bytes, start: i64, end: i64) -> None:
        """At data[start:end]; places are told from `start` on."""
        digits: i64 = 0
        letters: i64 = 0
        dots: i64 = 0
        dashes: i64 = 0
        colons: i64 = 0
        signs: i64 = 0
        equals: i64 = 0
        high = False
        run: i64 = 0  # characters since the last one that no key holds
        spelt = False  # one of them is a letter
        long: i64 = -1  # where the first run begins that is long enough for a key
        last: i64 = 0  # what came before: 1 a letter, 2 a digit
        single = False  # a capital that stands alone so far
        mixed = False  # letters and digits touch, or a capital stands alone: no plain words and numbers
        first_digit: i64 = end
        last_digit: i64 = start
        at = start
        word: i64 = 0
        left: i64 = 0
        while at < end:
            # eight bytes a read: an index costs as much as a whole word
            if left == 0:
                if end - start < 8:
                    word = data[at]
                    left = 1
                else:
                    left = end - at
                    if left >= 8:
                        word = read_i64_le(data, at)
                        left = 8
                    else:  # spaces fill it up
                        word = (read_i64_le(data, end - 8) >> ((8 - left) * 8)) & (ALL >> (62 - left * 8))
                        word |= SPACES << (left * 8)
                    low = word & LOW
                    lettered = (word >> 1) & (low + NOT_NOUGHT) & ~(low + PAST_Z) & FIVE
                    number = word ^ NOUGHTS
                    other = ((number & NIBBLES) + PAST_NINE) | number | (number >> 1) | (number >> 2)
                    numeric = ((other & FOUR) ^ FOUR) << 1
                    worded = lettered | numeric
                    other = ((word & NIBBLES) + NIBBLES) | word | (word >> 2)
                    blank = (((other & FOUR) ^ FOUR) << 1) & word
                    if worded | blank == FIVE and (word >> 2) & FIVE == 0:
                        # letters, digits and spaces, which is most of all text
                        if lettered & 32:
                            mixed = mixed or last == 2
                        elif (numeric & 32 or single) and last == 1:
                            mixed = True
                        single = False
                        capitals = lettered & ~word
                        if capitals:  # which may stand alone
                            if numeric == 0 and left == 8:
                                mixed = mixed or worded != FIVE
                            else:
                                behind = worded << 8
                                if last != 0:
                                    behind |= 32
                                capitals &= ~behind
                                mixed = mixed or capitals & ~(worded >> 8) & SEVEN != 0
                                single = (capitals >> 56) & 32 != 0
                        if numeric:
                            if digits == 0:
                                first_digit = at
                            last_digit = at + left
                            digits += ((numeric >> 5) * ONES >> 56) & 255
                            if (lettered & (numeric << 8)) | (numeric & (lettered << 8)):
                                mixed = True
                        letters += ((lettered >> 5) * ONES >> 56) & 255
                        if worded == FIVE:
                            run += 8
                            spelt = spelt or lettered != 0
                            last = 1 if (lettered >> 56) & 32 else 2
                        else:
                            count: i64 = 0
                            if run + 8 > LEAST_KEY and long < 0:
                                while (worded >> (count * 8)) & 32:
                                    count += 1
                                spelt = spelt or lettered & (ALL >> (62 - count * 8)) != 0
                                if run + count >= LEAST_KEY and spelt:
                                    long = at - run
                                count = 0
                            while (worded >> (56 - count * 8)) & 32:
                                count += 1
                            run = count
                            last = 0
                            spelt = False
                            if count > 0:
                                last = 1 if (lettered >> 56) & 32 else 2
                                spelt = (lettered >> (64 - count * 8)) & FIVE != 0
                        at += left
                        left = 0
                        continue
            code: i64 = word & 255
            word >>= 8
            left -= 1
            at += 1
            if 97 <= code <= 122 or 65 <= code <= 90:
                letters += 1
                run += 1
                spelt = True
                if last == 2:
                    mixed = True
                single = last == 0 and code <= 90
                last = 1
                continue
            if 48 <= code <= 57:
                if digits == 0:
                    first_digit = at - 1
                digits += 1
                last_digit = at
                run += 1
                if last == 1:
                    mixed = True
                last = 2
                continue
            if single:
                mixed = mixed or last == 1
                single = False
            last = 0
            if code == 45:
                dashes += 1
                run += 1
                continue
            if code == 95 or code == 47 or code == 43 or code == 126:
                run += 1
                continue
            if run >= LEAST_KEY and spelt and long < 0:
                long = at - 1 - run
            run = 0
            spelt = False
            if code == 46:
                dots += 1
            elif code == 58:
                colons += 1
            elif code == 64 or code == 37:
                signs += 1
            elif code == 61:
                equals += 1
            elif code >= 128:
                high = True
        if run >= LEAST_KEY and spelt and long < 0:
            long = end - run
        if single and last == 1:
            mixed = True
        self.size = end - start
        self.digits = digits
        self.letters = letters
        self.dots = dots
        self.dashes = dashes
        self.colons = colons
        self.signs = signs
        self.equals = equals
        self.high = high
        self.mixed = mixed
        self.long = -1
        if long >= 0:
            self.long = long - start
        self.first_digit = first_digit - start
        self.last_digit = last_digit - start


def prose(data: bytes, start: i64, end: i64) -> bool:
    """Whether data[start:end] is words with three digits at most and no sign that a finder asks for: then
    there is nothing to find in it, unless all that stands in its column is sensitive."""
    if end - start < 8:
        return _tame(data, start, end, 0) >= 0
    at = start
    count: i64 = 0
    every: i64 = 0
    while at < end:
        place = at
        if at + 8 > end:
            place = end - 8
        word = read_i64_le(data, place)
        every |= word
        low = word & LOW
        lettered = (word >> 1) & (low + NOT_NOUGHT) & ~(low + PAST_Z) & FIVE
        other = ((word & NIBBLES) + NIBBLES) | word | (word >> 2)
        blank = (((other & FOUR) ^ FOUR) << 1) & word
        if lettered | blank != FIVE:
            number = word ^ NOUGHTS
            other = ((number & NIBBLES) + PAST_NINE) | number | (number >> 1) | (number >> 2)
            numeric = ((other & FOUR) ^ FOUR) << 1
            if lettered | blank | numeric == FIVE and place == at:
                count += ((numeric >> 5) * ONES >> 56) & 255
                if count & _TOO_MUCH != 0:
                    return False
            else:
                count = _tame(data, at, place + 8, count)
                if count < 0:
                    return False
        if blank == 0 and _long(data, place, start, end):
            return False
        at = place + 8
    return (every >> 2) & FIVE == 0


def _tame(data: bytes, at: i64, end: i64, count: i64) -> i64:
    """`count`, and what counts in data[at:end]; -1 where that is too much."""
    while at < end:
        code: i64 = data[at]
        count += i64(read_i16_le(_WEIGHTS, code * 2))
        at += 1
    if count & _TOO_MUCH != 0:
        return -1
    return count


def _long(data: bytes, at: i64, start: i64, end: i64) -> bool:
    """Whether the eight bytes at `at` may be of a run that is long enough for a key."""
    low = at
    while low > start and _PARTS[data[low - 1]] == 0:
        low -= 1
    stop = at
    while stop < end and _PARTS[data[stop]] == 0:
        stop += 1
    return stop - low >= LEAST_KEY


_PARTS: Final = bytes(1 if code <= 32 or code in b",;!?()[]{}<>'\"*|" else 0 for code in range(256))
"""1 for what stands in no key: it parts words."""

_DIGIT: Final = 1
_DASH: Final = 1 << 5
_DOT: Final = 1 << 10
_WILD: Final = 1 << 14
_WEIGHTS: Final = b"".join(
    [
        (
            _WILD if code >= 128 or code in b"@%=:" else
            _DIGIT if 48 <= code <= 57 else
            _DASH if code == 45 else
            _DOT if code == 46 else
            0
        ).to_bytes(2, "little")
        for code in range(256)
    ]
)  # fmt: skip
"""What each byte counts, two bytes a number: four counts in one, and eight bytes overflow none of them."""

_TOO_MUCH: Final = 0x3FB9C
"""Bits that stand where a count is above three digits, three dashes, a dot or nothing wild."""
