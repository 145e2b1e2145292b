"""Finds numbers that hold letters: IBAN, codice fiscale, DNI and NIE, pension and PAN numbers (compiled).
It must never take part of a longer code for a whole one."""

from typing import Final

from mypy_extensions import i64

from wicketgate.masking.detect import checksums
from wicketgate.masking.detect.classes import Found
from wicketgate.masking.detect.columns import Sense
from wicketgate.masking.detect.nearby import NATIONAL, OTHER, behind, near

# SWIFT IBAN registry: country and length
_IBAN: Final[dict[bytes, int]] = {
    b"AD": 24, b"AE": 23, b"AL": 28, b"AT": 20, b"AZ": 28, b"BA": 20, b"BE": 16, b"BG": 22, b"BH": 22,
    b"BI": 27, b"BR": 29, b"BY": 28, b"CH": 21, b"CR": 22, b"CY": 28, b"CZ": 24, b"DE": 22, b"DJ": 27,
    b"DK": 18, b"DO": 28, b"EE": 20, b"EG": 29, b"ES": 24, b"FI": 18, b"FK": 18, b"FO": 18, b"FR": 27,
    b"GB": 22, b"GE": 22, b"GI": 23, b"GL": 18, b"GR": 27, b"GT": 28, b"HR": 21, b"HU": 28, b"IE": 22,
    b"IL": 23, b"IQ": 23, b"IS": 26, b"IT": 27, b"JO": 30, b"KW": 30, b"KZ": 20, b"LB": 28, b"LC": 32,
    b"LI": 21, b"LT": 20, b"LU": 20, b"LV": 21, b"LY": 25, b"MC": 27, b"MD": 24, b"ME": 22, b"MK": 19,
    b"MN": 20, b"MR": 27, b"MT": 31, b"MU": 30, b"NI": 28, b"NL": 18, b"NO": 15, b"OM": 23, b"PK": 24,
    b"PL": 28, b"PS": 29, b"PT": 25, b"QA": 29, b"RO": 24, b"RS": 22, b"RU": 33, b"SA": 24, b"SC": 31,
    b"SD": 18, b"SE": 24, b"SI": 19, b"SK": 24, b"SM": 27, b"SO": 23, b"ST": 25, b"SV": 28, b"TL": 23,
    b"TN": 24, b"TR": 26, b"UA": 29, b"VA": 22, b"VG": 24, b"XK": 20, b"YE": 30,
}  # fmt: skip


def _letter(code: i64) -> bool:
    return 65 <= code <= 90 or 97 <= code <= 122


_WORD: Final = bytes(
    2 if 48 <= code <= 57 else 1 if 65 <= code <= 90 or 97 <= code <= 122 else 0 for code in range(256)
)
"""2 for a digit, 1 for a letter."""

_LENGTHS: Final = bytes(_IBAN.get(bytes([(code >> 5) + 64, (code & 31) + 64]), 0) for code in range(32 * 32))
"""By a country's two letters, five bits of each."""


def find(cell: bytes, sense: Sense, found: list[Found], dotted: bool) -> None:
    """Adds what it finds to `found`. dotted: two dots or more stand in the cell."""
    words = _WORD
    size: i64 = len(cell)
    at: i64 = 0
    while at < size:
        if words[cell[at]] == 0:
            at += 1
            continue
        start = at
        digits: i64 = 0
        while at < size:
            sort: i64 = words[cell[at]]
            if sort == 0:
                break
            digits += sort >> 1  # no branch: which it will be can't be guessed
            at += 1
        length = at - start
        if length < 3 or (digits == 0 and length != 3 and length != 6):
            if length == 1 and digits == 0:
                _foreigner(cell, start, sense, found)
            elif length == 2 and digits == 2 and start + 8 < size:
                _pension(cell, start, found)
            continue
        if digits >= 2 and _letter(cell[start]) and _letter(cell[start + 1]) and cell[start + 2] <= 57:
            end = _iban(cell, start)
            if end > 0:
                found.append(("iban", start, end))
                at = end
                continue
        if length == 16:
            if digits >= 2 and _letter(cell[start]) and checksums.it_fiscal_code(cell[start:at].upper()):
                found.append(("national-id", start, at))
        elif length == 3 or length == 6:
            end = _fiscal_spaced(cell, start)
            if end > 0:
                found.append(("national-id", start, end))
                at = end
        elif length == 9 or length == 8:
            if digits >= 7:
                _dni(cell, start, at, digits, sense, found)
        elif length == 12 and digits == 11:
            if checksums.de_pension_id(cell[start:at].upper()):
                found.append(("national-id", start, at))
        elif length == 15 and digits == 14 and cell[start + 5] == 50:
            _corsica(cell, start, at, found)
        elif length == 10 and digits == 4:
            _pan(cell, start, at, sense, found)
    if dotted and size >= 11:
        _dotted(cell, sense, found)


def iban_length(data: bytes, at: i64) -> i64:
    """How long an IBAN is that begins with the two letters at `at`; 0 where none does."""
    first: i64 = data[at]
    second: i64 = data[at + 1]
    if not _letter(first) or not _letter(second):
        return 0
    return _LENGTHS[(first & 31) * 32 + (second & 31)]


def _iban(cell: bytes, start: i64) -> i64:
    """Where the IBAN that starts here ends; -1 where there is none. Spaces and dashes may stand in it."""
    first: i64 = cell[start]
    second: i64 = cell[start + 1]
    length: i64 = _LENGTHS[(first & 31) * 32 + (second & 31)]
    if length == 0:
        return -1
    size: i64 = len(cell)
    if start > 0 and cell[start - 1] >= 128:
        return -1
    taken: i64 = 0
    at = start
    while at < size and taken < length:
        code: i64 = cell[at]
        if _WORD[code] != 0:
            taken += 1
        elif (code != 32 and code != 45) or at + 1 >= size or _WORD[cell[at + 1]] == 0:
            return -1
        at += 1
    if taken < length or (at < size and _WORD[cell[at]] != 0):
        return -1
    text = cell[start:at].upper()
    if len(text) != taken:
        text = text.replace(b" ", b"").replace(b"-", b"")
    if not text[2:4].isdigit() or not checksums.mod97(text):
        return -1
    return at


def _fiscal_spaced(cell: bytes, start: i64) -> i64:
    """`RSS MRA 85T10 A562S`, `RSSMRA 85T10 A562S`."""
    size: i64 = len(cell)
    at = start
    taken: i64 = 0
    while at < size and taken < 16:
        if _WORD[cell[at]] != 0:
            taken += 1
        elif cell[at] != 32 or (taken != 3 and taken != 6 and taken != 11):
            return -1
        at += 1
    if taken < 16 or (at < size and _WORD[cell[at]] != 0):
        return -1
    return at if checksums.it_fiscal_code(cell[start:at].upper().replace(b" ", b"")) else -1


def _dni(cell: bytes, start: i64, end: i64, digits: i64, sense: Sense, found: list[Found]) -> None:
    """12345678Z, 12345678-Z, X1234567L, X1234567-L."""
    size: i64 = len(cell)
    stop = end
    letter: i64 = cell[end - 1]
    body = cell[start : end - 1]
    if end - start == 8 or not _letter(letter):
        # the letter stands behind a dash or a space
        if end + 1 >= size or (cell[end] != 45 and cell[end] != 32) or not _letter(cell[end + 1]):
            return
        if end + 2 < size and _WORD[cell[end + 2]] != 0:
            return
        if cell[end] == 32 and not (sense.national or near(NATIONAL, cell, start, end)):
            return
        letter = cell[end + 1]
        body = cell[start:end]
        stop = end + 2
    first: i64 = body[0]
    if len(body) != 8:
        return
    if _letter(first):
        kind: i64 = first & 0xDF
        if kind < 88 or kind > 90:
            return
        body = bytes([kind - 40]) + body[1:]
    _spanish(cell, start, stop, body, letter, sense, found)


def _spanish(
    cell: bytes, start: i64, stop: i64, body: bytes, letter: i64, sense: Sense, found: list[Found]
) -> None:
    if not body.isdigit() or not checksums.es_dni(body, letter & 0xDF):
        return
    if start > 1 and cell[start - 1] == 45 and _WORD[cell[start - 2]] != 0:
        return
    if stop + 1 < len(cell) and cell[stop] == 45 and _WORD[cell[stop + 1]] != 0:
        return
    doubtful = (sense.other or letter >= 97 or behind(OTHER, cell, start)) and not sense.national
    if doubtful and not near(NATIONAL, cell, start, stop):
        return
    found.append(("national-id", start, stop))


def _foreigner(cell: bytes, start: i64, sense: Sense, found: list[Found]) -> None:
    """X-1234567-L: a NIE with dashes."""
    kind: i64 = cell[start] & 0xDF
    if kind < 88 or kind > 90 or start + 11 > len(cell) or cell[start + 1] != 45 or cell[start + 9] != 45:
        return
    letter: i64 = cell[start + 10]
    if not _letter(letter) or (start + 11 < len(cell) and _WORD[cell[start + 11]] != 0):
        return
    _spanish(cell, start, start + 11, bytes([kind - 40]) + cell[start + 2 : start + 9], letter, sense, found)


def _dotted(cell: bytes, sense: Sense, found: list[Found]) -> None:
    """12.345.678-Z."""
    size: i64 = len(cell)
    at: i64 = 2
    while at + 8 < size:
        start = at - 2
        if cell[at] == 46 and cell[at + 4] == 46 and (start == 0 or _WORD[cell[start - 1]] == 0):
            body = cell[start:at] + cell[at + 1 : at + 4] + cell[at + 5 : at + 8]
            stop = at + 8
            if body.isdigit() and len(body) == 8:
                if cell[stop] == 45 or cell[stop] == 32:
                    stop += 1
                if stop < size and _letter(cell[stop]) and (stop + 1 == size or _WORD[cell[stop + 1]] == 0):
                    _spanish(cell, start, stop + 1, body, cell[stop], sense, found)
        at += 1


def _pension(cell: bytes, start: i64, found: list[Found]) -> None:
    """65 180539 W 003: a Rentenversicherungsnummer as it is printed."""
    end = start + 15
    if start + 10 > len(cell) or cell[start + 2] != 32 or cell[start + 9] != 32:
        return
    if _WORD[cell[start + 3]] != 2 or _WORD[cell[start + 8]] != 2:
        return
    text = cell[start:end].replace(b" ", b"").upper()
    if len(text) != 12:
        return
    if end < len(cell) and _WORD[cell[end]] != 0:
        return
    if checksums.de_pension_id(text):
        found.append(("national-id", start, end))


def _corsica(cell: bytes, start: i64, end: i64, found: list[Found]) -> None:
    """A French number of somebody born in Corsica: department 2A or 2B."""
    kind: i64 = cell[start + 6] & 0xDF
    if kind != 65 and kind != 66:
        return
    digits = cell[start : start + 5] + b"20" + cell[start + 7 : end]
    if digits.isdigit() and checksums.fr_nir_corsica(digits, kind == 66):
        found.append(("national-id", start, end))


def _pan(cell: bytes, start: i64, end: i64, sense: Sense, found: list[Found]) -> None:
    """India's PAN has no check digit: only where the words or the column say so."""
    if _WORD[cell[start + 4]] != 1 or _WORD[cell[start + 5]] != 2 or _WORD[cell[start + 8]] != 2:
        return
    text = cell[start:end].upper()
    if not (text[:5].isalpha() and text[5:9].isdigit() and text[9:].isalpha() and text[3] in b"ABCFGHJLPT"):
        return
    if sense.national or near(NATIONAL, cell, start, end):
        found.append(("national-id", start, end))
