"""Finds national numbers among groups of digits (compiled).
It must never let a check digit alone decide where one number in ten would pass it."""

from mypy_extensions import i64

from wicketgate.masking.detect import checksums
from wicketgate.masking.detect.chains import CLOSE, DASH, DOT, MIXED, OPEN, SLASH, Chain
from wicketgate.masking.detect.classes import Found
from wicketgate.masking.detect.columns import Sense
from wicketgate.masking.detect.nearby import NATIONAL, OTHER, PHONE, behind, near


def national_id(chain: Chain, first: i64, sense: Sense, found: list[Found]) -> i64:
    groups = chain.count
    size = chain.length(first)
    cell = chain.cell
    start = chain.start(first)
    if not chain.lone(first, first) and size >= 8:
        return -1
    if size == 9 or size == 11 or size == 12 or size == 15:
        if chain.apart(first, first) and bare_id(cell, start, chain.end(first), sense):
            found.append(("national-id", start, chain.end(first)))
            return first
        if size != 9 and size != 13:
            return -1
    last = first
    total: i64 = 0
    even = True
    shape: i64 = 0
    best: i64 = -1
    while last < groups and last < first + 7:
        shape = shape * 10 + chain.length(last)
        if last > first:
            sep = chain.sep(last - 1)
            if sep in (MIXED, SLASH, OPEN, CLOSE):
                break
            even = even and sep == chain.sep(first)
        total += chain.length(last)
        if total > 15:
            break
        if last > first and _shaped(chain, first, last, shape, even, sense):
            best = last
        last += 1
    if best >= 0:
        found.append(("national-id", start, chain.end(best)))
    return best


def bare_id(cell: bytes, start: i64, end: i64, sense: Sense) -> bool:
    """Nothing but digits: what the check digits leave open is for the column and the words beside it."""
    digits = cell[start:end]
    size: i64 = end - start
    strong = False
    if size == 15:
        strong = checksums.fr_nir(digits)
        if not strong:
            return False
    elif size == 11:
        if not (checksums.de_tax_id(digits) or checksums.pl_pesel(digits) or checksums.br_cpf(digits)):
            return False
        strong = not sense.phone and not sense.other and not behind(OTHER, cell, start)
        strong = strong and not (digits[:1] == b"1" and near(PHONE, cell, start, end))
    elif size == 9:
        if not (checksums.us_ssn(digits) or checksums.nl_bsn(digits)):
            return False
    elif size == 12 and not checksums.in_aadhaar(digits):
        return False
    if sense.national or (strong and not sense.other):
        return True
    return near(NATIONAL, cell, start, end)


def _shaped(chain: Chain, first: i64, last: i64, shape: i64, even: bool, sense: Sense) -> bool:
    """Cut into groups as the number's issuer prints it. shape: the groups' lengths as digits."""
    cell = chain.cell
    start = chain.start(first)
    end = chain.end(last)
    sep = chain.sep(first)
    if shape == 324:  # 521-44-9031
        if not even or sep == DOT or not chain.lone(first, last) or not chain.apart(first, last):
            return False
        digits = checksums.digits_of(cell, start, end)
        if not checksums.us_ssn(digits):
            return False
        hinted = sense.national or near(NATIONAL, cell, start, end)
        return hinted or (sep == DASH and not sense.other and not behind(OTHER, cell, start))
    if shape == 3332:  # 529.982.247-25
        if chain.sep(first + 1) != sep or not chain.lone(first, last):
            return False
        digits = checksums.digits_of(cell, start, end)
        return checksums.br_cpf(digits) and (sep == DOT or _fits(chain, first, last, sense))
    if shape == 92:  # 529982247-25
        digits = checksums.digits_of(cell, start, end)
        return (
            sep == DASH
            and chain.lone(first, last)
            and checksums.br_cpf(digits)
            and _fits(chain, first, last, sense)
        )
    if shape == 444:  # 2341 2341 2346
        digits = checksums.digits_of(cell, start, end)
        if not even or sep == DOT or not chain.lone(first, last) or not chain.apart(first, last):
            return False
        if first > 0 or last + 1 < chain.count:
            return checksums.in_aadhaar(digits) and (sense.national or near(NATIONAL, cell, start, end))
        return checksums.in_aadhaar(digits) and _fits(chain, first, last, sense)
    if shape == 2333 or shape == 5222:  # 86 095 742 719
        digits = checksums.digits_of(cell, start, end)
        return (
            even
            and chain.lone(first, last)
            and checksums.de_tax_id(digits)
            and _fits(chain, first, last, sense)
        )
    if shape == 65:  # 440514 01359
        digits = checksums.digits_of(cell, start, end)
        return chain.lone(first, last) and checksums.pl_pesel(digits) and _fits(chain, first, last, sense)
    if shape == 333 or shape == 423:  # 111.222.333
        if not even or not chain.lone(first, last):
            return False
        digits = checksums.digits_of(cell, start, end)
        if checksums.nl_bsn(digits) or (shape == 333 and checksums.us_ssn(digits)):
            return sense.national or near(NATIONAL, cell, start, end)
        return False
    if shape == 1222332 or shape == 132:  # 2 55 08 14 168 025 38, 2550814168025 38
        digits = checksums.digits_of(cell, start, end)
        return len(digits) == 15 and chain.lone(first, last) and checksums.fr_nir(digits)
    return False


def _fits(chain: Chain, first: i64, last: i64, sense: Sense) -> bool:
    """No column and no word says that it is something else, or one says that it is this."""
    cell = chain.cell
    start = chain.start(first)
    end = chain.end(last)
    if sense.national:
        return True
    if not sense.other and not sense.phone and not behind(OTHER, cell, start):
        return not near(PHONE, cell, start, end) or near(NATIONAL, cell, start, end)
    return near(NATIONAL, cell, start, end)
