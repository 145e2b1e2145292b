"""Finds payment cards among groups of digits (compiled).
It must never take a piece of a longer number for a card's."""

from mypy_extensions import i64

from wicketgate.masking.detect import checksums
from wicketgate.masking.detect.chains import DASH, DOT, MIXED, SLASH, SPACE, Chain, lone
from wicketgate.masking.detect.classes import Found
from wicketgate.masking.detect.columns import Sense
from wicketgate.masking.detect.nearby import CARD, OTHER, behind, near


def card(chain: Chain, first: i64, sense: Sense, found: list[Found]) -> i64:
    """The last group of a card's number that starts here; -1 where there is none."""
    cell = chain.cell
    lead: i64 = cell[chain.start(first)]
    groups = chain.count
    if not 50 <= lead <= 54 and not (lead == 56 and sense.card):  # 2 to 6: who issues cards
        return -1
    size = chain.length(first)
    if size >= 12:
        start = chain.start(first)
        end = chain.end(first)
        if not bare_card(cell, start, end, sense):
            return -1
        found.append(("payment-card", start, end))
        return first
    # groups: 4-4-4-4 and what else is printed on cards; or the whole chain is one number, however cut up
    last = first
    total: i64 = 0
    even = True
    while last < groups:
        length = chain.length(last)
        if last > first:
            sep = chain.sep(last - 1)
            if sep == SLASH or (sep == MIXED and not _plain_gap(chain, last)):
                break
            even = even and sep == chain.sep(first)
        total += length
        if total > 19:
            break
        shaped = total >= 13 and last > first and _card_shape(chain, first, last, total, even)
        if shaped and _check_card(chain, first, last, sense):
            found.append(("payment-card", chain.start(first), chain.end(last)))
            return last
        last += 1
    return -1


def bare_card(cell: bytes, start: i64, end: i64, sense: Sense) -> bool:
    """Whether digits without separators are a card's number."""
    size = end - start
    if size < 12 or size > 19:
        return False
    lead: i64 = cell[start]
    if lead < 50 or lead > 56:
        return False
    digits = cell[start:end]
    if not checksums.luhn(digits) or not lone(cell, start, end):
        return False
    if sense.card:
        return checksums.card(digits, True)
    if (size == 15 or size == 16) and not sense.other and checksums.card(digits, False):
        return not behind(OTHER, cell, start) or near(CARD, cell, start, end)
    return checksums.card(digits, True) and near(CARD, cell, start, end)


def _plain_gap(chain: Chain, group: i64) -> bool:
    """Only spaces and dashes stand before this group."""
    at = chain.end(group - 1)
    while at < chain.start(group):
        code: i64 = chain.cell[at]
        if code != SPACE and code != DASH:
            return False
        at += 1
    return True


def _card_shape(chain: Chain, first: i64, last: i64, total: i64, even: bool) -> bool:
    count = last - first + 1
    if (
        count == 4
        and chain.length(first) == 4
        and chain.length(first + 1) == 4
        and chain.length(first + 2) == 4
    ):
        return total == 16 or (total <= 15 and chain.lone(first, last))
    if count == 3 and chain.length(first) == 4 and chain.length(first + 1) == 6:
        return total == 15 or total == 14
    if count == 5 and total == 19 and chain.length(first) == 4:
        return even
    # cut up otherwise: only where it is all there is
    return (total == 15 or total == 16) and first == 0 and last == chain.count - 1 and chain.sep(0) != DOT


def _check_card(chain: Chain, first: i64, last: i64, sense: Sense) -> bool:
    digits = checksums.digits_of(chain.cell, chain.start(first), chain.end(last))
    if not checksums.luhn(digits) or not chain.lone(first, last):
        return False
    size: i64 = len(digits)
    start = chain.start(first)
    if (size == 15 or size == 16) and checksums.card(digits, False):
        return True
    if size == 14 and chain.length(first) == 4:
        return checksums.card(digits, True)
    hinted = sense.card or near(CARD, chain.cell, start, chain.end(last))
    return hinted and checksums.card(digits, True)
