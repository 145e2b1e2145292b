"""Tells of a text that was surveyed that no finder will find anything in it (compiled).
It must never say so where one of them would: each condition here follows from what they do."""

from mypy_extensions import i64

from wicketgate.masking.detect.chains import DASH, PLUS, WORDLIKE
from wicketgate.masking.detect.codes import iban_length
from wicketgate.masking.detect.columns import Sense
from wicketgate.masking.detect.survey import LEAST_KEY, Survey
from wicketgate.masking.detect.tokens import may_begin
from wicketgate.masking.detect.wholes import is_moment, is_uuid


def nothing(survey: Survey, data: bytes, at: i64, sense: Sense) -> bool:
    """Whether nothing will be found in the text at `at`, which was surveyed. False: something may be."""
    size = survey.size
    digits = survey.digits
    letters = survey.letters
    dots = survey.dots
    dashes = survey.dashes
    colons = survey.colons
    if survey.signs > 0:
        return False
    if size > LEAST_KEY and letters > 0 and digits + letters == size:
        return _word(data, at, size, sense)
    if digits >= 4:
        if size == 36 and dashes == 4 and digits + letters == 32 and is_uuid(data, at):
            return True
        if (
            19 <= size <= 32
            and colons >= 2
            and dashes >= 2
            and is_moment(data, at, at + size)
            and not sense.birth
        ):
            return True
        numeric = digits >= 7 or dots >= 3 or (digits >= 5 and letters >= 3) or sense.birth or sense.phone
        if numeric and not _number(survey, data, at):
            return False
        if survey.mixed and (digits >= 7 or size >= 10):
            return False
    if survey.equals > 0 or (colons > 0 and letters >= 3) or colons >= 2 or survey.long >= 0:
        return False
    return dashes < 5 and (dots < 2 or digits + letters < 12) and (colons == 0 or dashes < 2)


def _word(data: bytes, at: i64, size: i64, sense: Sense) -> bool:
    """Letters and digits alone, as in a hash: at most an IBAN, a key, or what a column of secrets holds."""
    return not sense.secret and iban_length(data, at) != size and not may_begin(data, at)


def _number(survey: Survey, data: bytes, at: i64) -> bool:
    """Whether all digits stand side by side, and are too few for anything or tied to a word."""
    start = at + survey.first_digit
    end = at + survey.last_digit
    digits = end - start
    if digits != survey.digits or digits < 5:
        return False
    left: i64 = 32
    if start > at:
        left = data[start - 1]
    if left == PLUS:
        return False
    if digits < 7 or WORDLIKE[left] == 1:
        return True
    last = at + survey.size
    right: i64 = 32
    if end < last:
        right = data[end]
    if WORDLIKE[right] == 1:
        return True
    if digits >= 12:  # cards may be tied
        return False
    if left == DASH and start - 1 > at and WORDLIKE[data[start - 2]] == 1:
        return True
    return right == DASH and end + 1 < last and WORDLIKE[data[end + 1]] == 1
