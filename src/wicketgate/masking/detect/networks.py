"""Finds IPv6 and MAC addresses (compiled).
It must never take times, fingerprints or names with `::` in code for addresses."""

from mypy_extensions import i64

from wicketgate.masking.detect.classes import Found
from wicketgate.masking.detect.columns import Sense
from wicketgate.masking.detect.nearby import MAC, near


def hexadecimal(code: i64) -> bool:
    return 48 <= code <= 57 or 97 <= code <= 102 or 65 <= code <= 70


def _joined(code: i64) -> bool:
    """Whether this character goes on with what stands before it."""
    return 48 <= code <= 58 or 97 <= code <= 122 or 65 <= code <= 90 or code == 95


def find(cell: bytes, sense: Sense, found: list[Found]) -> None:
    """Adds what it finds to `found`. Works from hexadecimal digits with `:` or `-` between."""
    size: i64 = len(cell)
    at: i64 = 0
    while at < size:
        code: i64 = cell[at]
        if not (hexadecimal(code) or code == 58) or (at > 0 and _joined(cell[at - 1])):
            at += 1
            continue
        end = at
        colons: i64 = 0
        dashes: i64 = 0
        dots: i64 = 0
        while end < size:
            code = cell[end]
            if code == 58:
                colons += 1
            elif code == 45:
                dashes += 1
            elif code == 46:
                dots += 1
            elif not hexadecimal(code):
                break
            end += 1
        stop = end
        while stop > at + 1 and (
            cell[stop - 1] == 46 or cell[stop - 1] == 45 or (cell[stop - 1] == 58 and cell[stop - 2] != 58)
        ):
            stop -= 1
        clean = end >= size or not _joined(cell[end])
        if clean and stop - at >= 3:
            if colons >= 2:
                _colons(cell, at, stop, sense, found)
            elif dashes >= 5 and stop - at == 17:
                _mac(cell, at, stop, 45, sense, found)
            elif (
                dots >= 2 and stop - at == 14 and _grouped(cell, at, stop, 4, 46) and _letters(cell, at, stop)
            ):
                found.append(("mac-address", at, stop))
        at = end if end > at else at + 1


def _colons(cell: bytes, start: i64, end: i64, sense: Sense, found: list[Found]) -> None:
    if end - start == 17 and _mac(cell, start, end, 58, sense, found):
        return
    if end - start == 23 and _grouped(cell, start, end, 2, 58):
        found.append(("mac-address", start, end))  # EUI-64
        return
    if ipv6(cell, start, end):
        found.append(("ip-address", start, end))


def _grouped(cell: bytes, start: i64, end: i64, width: i64, sep: i64) -> bool:
    at = start
    while at < end:
        if (at - start) % (width + 1) == width:
            if cell[at] != sep:
                return False
        elif not hexadecimal(cell[at]):
            return False
        at += 1
    return True


def _letters(cell: bytes, start: i64, end: i64) -> bool:
    at = start
    while at < end:
        if cell[at] >= 65:
            return True
        at += 1
    return False


def _mac(cell: bytes, start: i64, end: i64, sep: i64, sense: Sense, found: list[Found]) -> bool:
    if not _grouped(cell, start, end, 2, sep):
        return False
    text = cell[start:end].lower()
    if text.count(b"00") == 6 or text.count(b"ff") == 6:
        return True
    # digits alone are a moment, unless something says otherwise
    if not (sense.mac or _letters(cell, start, end) or near(MAC, cell, start, end)):
        return True
    found.append(("mac-address", start, end))
    return True


def ipv6(cell: bytes, start: i64, end: i64) -> bool:
    """RFC 4291, section 2.2; not `::`, `::1`, nor what has no digit (`dead::beef` is a name in code)."""
    groups: i64 = 0
    gap = False
    numeric = False
    at = start
    if end - start < 3 or end - start > 45:
        return False
    if cell[at] == 58:
        if cell[at + 1] != 58:
            return False
        gap = True
        at += 2
    while at < end:
        width: i64 = 0
        begin = at
        while at < end and hexadecimal(cell[at]):
            numeric = numeric or cell[at] <= 57
            width += 1
            at += 1
        if width == 0 or width > 4:
            return False
        if at < end and cell[at] == 46:  # the last 32 bits may be dotted
            return groups >= 1 and _dotted(cell, begin, end) and (gap or groups == 6)
        groups += 1
        if at == end:
            break
        if cell[at] != 58:
            return False
        at += 1
        if at == end:
            return False
        if cell[at] == 58:
            if gap:
                return False
            gap = True
            at += 1
    if not gap:
        return groups == 8
    return groups <= 7 and groups >= 2 and numeric and end - start >= 6


def _dotted(cell: bytes, start: i64, end: i64) -> bool:
    parts = cell[start:end].split(b".")
    if len(parts) != 4:
        return False
    return all(not (not part.isdigit() or len(part) > 3 or int(part) > 255) for part in parts)
