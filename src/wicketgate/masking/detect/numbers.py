"""Finds what is written in digits: cards, national numbers, phones, addresses in dotted form, dates of birth
(compiled). It must never take part of a longer number for a whole one."""

from mypy_extensions import i64

from wicketgate.masking.detect import checksums
from wicketgate.masking.detect.cards import bare_card, card
from wicketgate.masking.detect.chains import (
    DASH,
    DOT,
    MIXED,
    OPEN,
    PLUS,
    SLASH,
    SPACE,
    WORDLIKE,
    Chain,
    digit,
    gap_behind,
    lone,
    untied,
    wordlike,
)
from wicketgate.masking.detect.classes import Found
from wicketgate.masking.detect.columns import Sense
from wicketgate.masking.detect.dates import date_before, date_between
from wicketgate.masking.detect.nationals import bare_id, national_id
from wicketgate.masking.detect.nearby import BIRTH, IP, OTHER, PHONE, VERSION, before, behind, near
from wicketgate.masking.detect.phones import calling, nanp, national, parenthesised


def find(cell: bytes, sense: Sense, found: list[Found], first: i64, last: i64) -> None:
    """Adds what it finds to `found`. first, last: between them lie all digits of the cell."""
    size: i64 = len(cell)
    at = first
    while at < last:
        code: i64 = cell[at]
        if code < 48 or code > 57:
            at += 1
            continue
        start = at
        at += 1
        while at < last:
            code = cell[at]
            if code < 48 or code > 57:
                break
            at += 1
        gap: i64 = 0
        if at < last:
            gap = gap_behind(cell, at, size)
        if gap == 0 and not (start > 0 and cell[start - 1] == PLUS):
            # one group is the most there is: no chain is made for it
            if at - start >= 7:
                _single(cell, start, at, sense, found)
            elif at - start == 4 and start > 5:
                _written_birth(cell, start, at, sense, found)
            if at < last and WORDLIKE[cell[at]] == 1:
                # among letters digits are nothing, as in a hash: those that end it may begin a chain
                while at < last and WORDLIKE[cell[at]] == 1:
                    at += 1
                while digit(cell[at - 1]):
                    at -= 1
            continue
        chain = Chain(cell)
        chain.add(0, start, at)
        while gap > 0:
            sep: i64 = MIXED
            if gap == 1:
                sep = cell[at]
            start = at + gap
            at = start + 1
            while at < last:
                code = cell[at]
                if code < 48 or code > 57:
                    break
                at += 1
            chain.add(sep, start, at)
            gap = 0
            if at < last:
                gap = gap_behind(cell, at, size)
        if chain.total >= 4:
            chain.close()
            _chain(chain, sense, found)


def _single(cell: bytes, start: i64, end: i64, sense: Sense, found: list[Found]) -> None:
    """Digits without separators, seven or more."""
    size = end - start
    if size >= 12 and bare_card(cell, start, end, sense):
        found.append(("payment-card", start, end))
    elif (size == 9 or size == 11 or size == 12 or size == 15) and _alone(cell, start, end):
        if bare_id(cell, start, end, sense):
            found.append(("national-id", start, end))
        else:
            _bare_phone(cell, start, end, sense, found)
    elif size <= 13 and _alone(cell, start, end):
        _bare_phone(cell, start, end, sense, found)


def _alone(cell: bytes, start: i64, end: i64) -> bool:
    return lone(cell, start, end) and untied(cell, start, end)


def _bare_phone(cell: bytes, start: i64, end: i64, sense: Sense, found: list[Found]) -> None:
    if not sense.phone:
        if sense.other or sense.card or sense.national or sense.birth:
            return
        if behind(OTHER, cell, start) or not near(PHONE, cell, start, end):
            return
    begin = start - 1 if start > 0 and cell[start - 1] == OPEN else start
    found.append(("phone", begin, end))


def _chain(chain: Chain, sense: Sense, found: list[Found]) -> None:
    groups = chain.count
    cell = chain.cell
    plus = chain.start(0) > 0 and cell[chain.start(0) - 1] == PLUS
    if not plus and chain.start(0) > 1 and cell[chain.start(0) - 1] == OPEN:
        plus = cell[chain.start(0) - 2] == PLUS
    if plus and not _card_windows_first(chain) and _international(chain, sense, found):
        return
    group: i64 = 0
    while group < groups:
        last: i64 = -1
        if group + 3 < groups and chain.sep(group) == DOT:
            last = _ipv4(chain, group, sense, found)
        if last < 0 and chain.total >= 12:
            last = card(chain, group, sense, found)
        if last < 0 and chain.total >= 8:
            last = national_id(chain, group, sense, found)
        if last < 0 and chain.total >= 7 and not plus:
            last = _phone(chain, group, sense, found)
        if last < 0:
            last = _birth(chain, group, sense, found)
        group = last + 1 if last >= 0 else group + 1


def _card_windows_first(chain: Chain) -> bool:
    """`+4111 1111 1111 1111` is no phone."""
    return chain.total >= 16 and chain.length(0) >= 4


# -- phones ------------------------------------------------------------------------------------------------
def _international(chain: Chain, sense: Sense, found: list[Found]) -> bool:
    """`+` and a calling code: as many groups as make a number."""
    cell = chain.cell
    start = chain.start(0) - 1
    if cell[start] == OPEN:
        start -= 1
    if start > 0 and wordlike(cell[start - 1]):
        return False
    if sense.other and not sense.phone and chain.total < 10:
        return False
    last: i64 = chain.count - 1
    while last >= 0:
        end = chain.end(last)
        if calling(checksums.digits_of(cell, start, end), cell[start:end]):
            if end < len(cell) and wordlike(cell[end]) and cell[end] | 32 != 120:
                return False
            found.append(("phone", start, end))
            return True
        last -= 1
    return False


def _phone(chain: Chain, first: i64, sense: Sense, found: list[Found]) -> i64:
    cell = chain.cell
    groups = chain.count
    start = chain.start(first)
    if start > 0 and wordlike(cell[start - 1]):
        return -1
    if start > 1 and (cell[start - 1] == DOT or cell[start - 1] == 44) and digit(cell[start - 2]):
        return -1
    opened = start > 0 and cell[start - 1] == OPEN
    # 3-3-4 by the rules of the North American plan says what it is
    lead: i64 = 1 if chain.length(first) == 1 and cell[start] == 49 else 0
    last = first + 2 + lead
    if (
        last < groups
        and chain.length(last) == 4
        and chain.length(last - 1) == 3
        and chain.length(last - 2) == 3
    ):
        digits = checksums.digits_of(cell, chain.start(last - 2), chain.end(last))
        sep = chain.sep(last - 1)
        if nanp(digits) and chain.lone(first, last) and chain.apart(first, last):
            written = sep in (DASH, DOT) or (parenthesised(cell, chain.start(last - 2)) and sep == SPACE)
            begin = start - 1 if opened else start
            if sense.phone or (written and not sense.other and not behind(OTHER, cell, begin)):
                found.append(("phone", begin, chain.end(last)))
                return last
    if not sense.phone and (sense.other or sense.card or sense.national or sense.birth):
        return -1
    last = national(chain, first)
    if last < 0 or not chain.lone(first, last) or not chain.apart(first, last):
        return -1
    begin = start - 1 if opened else start
    end = chain.end(last)
    if date_between(cell, start, chain.end(first + 2) if first + 2 < groups else end):
        return -1
    if not sense.phone and (behind(OTHER, cell, begin) or not near(PHONE, cell, begin, end)):
        return -1
    found.append(("phone", begin, end))
    return last


# -- others ------------------------------------------------------------------------------------------------
def _ipv4(chain: Chain, start_group: i64, sense: Sense, found: list[Found]) -> i64:
    """The last group of four octets with dots between that start here; -1 where they are no address."""
    cell = chain.cell
    group = start_group
    small = True
    first: i64 = 0
    last = start_group + 3
    if start_group > 0 and chain.sep(start_group - 1) == DOT:
        return -1
    if last + 1 < chain.count and chain.sep(last) == DOT:
        return -1
    while group <= last:
        if group > start_group and chain.sep(group - 1) != DOT:
            return -1
        length = chain.length(group)
        lead: i64 = cell[chain.start(group)]
        if length > 3 or (length > 1 and lead == 48):
            return -1
        octet = checksums.value_of(cell, chain.start(group), chain.end(group))
        if octet > 255:
            return -1
        if group == start_group:
            first = octet
        small = small and octet < 20
        group += 1
    start = chain.start(start_group)
    end = chain.end(last)
    if (
        first == 0
        or first == 127
        or first == 255
        or not lone(cell, start, end)
        or not untied(cell, start, end)
    ):
        return last
    if not sense.ip:
        if sense.version or behind(VERSION, cell, start):
            return last
        if start > 1 and cell[start - 1] == SLASH and wordlike(cell[start - 2]):
            return last  # Chrome/119.0.0.0
        if small and first != 10 and not near(IP, cell, start, end):
            return last
    found.append(("ip-address", start, end))
    return last


def _birth(chain: Chain, first: i64, sense: Sense, found: list[Found]) -> i64:
    """A date, where words or the column speak of a birth."""
    if sense.other:
        return -1
    cell = chain.cell
    groups = chain.count
    start = chain.start(first)
    end: i64 = -1
    if first + 2 < groups:
        end = chain.end(first + 2)
    if end > 0 and date_between(cell, start, end):
        if sense.birth or before(BIRTH, cell, start, 30):
            found.append(("birth-date", start, end))
            return first + 2
        return -1
    if chain.length(first) == 4 and start > 5 and _written_birth(cell, start, chain.end(first), sense, found):
        return first
    return -1


def _written_birth(cell: bytes, start: i64, end: i64, sense: Sense, found: list[Found]) -> bool:
    """A year that stands behind a month's name, where words or the column speak of a birth."""
    code: i64 = cell[start]
    beside: i64 = cell[start - 1]
    if (code != 49 and code != 50) or (beside != SPACE and beside != DASH):
        return False
    begin = date_before(cell, end)
    if begin < 0 or not (sense.birth or before(BIRTH, cell, begin, 30)):
        return False
    found.append(("birth-date", begin, end))
    return True
