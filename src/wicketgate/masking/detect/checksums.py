"""Check digits and issuing rules of numbers, over their bare digits (compiled).
It must never be asked about text that still has separators in it."""

from typing import Final

from librt.strings import BytesWriter
from mypy_extensions import i64, u8

_VERHOEFF_D: Final = bytes.fromhex(
    "0001020304050607080901020304000607080905020304000107080905060304000102080905060704000102030905060708"
    "0509080706000403020106050908070100040302070605090802010004030807060509030201000409080706050403020100"
)
_VERHOEFF_P: Final = bytes.fromhex(
    "0001020304050607080901050706020803000904050800030709060104020809010600040305020709040503010206080700"
    "040208060507030900010207090308000604010507000406090103020508"
)
_CF_ODD: Final = (
    1,
    0,
    5,
    7,
    9,
    13,
    15,
    17,
    19,
    21,
    2,
    4,
    18,
    20,
    11,
    3,
    6,
    8,
    12,
    14,
    16,
    10,
    22,
    25,
    24,
    23,
)
"""Codice fiscale, characters at odd places: digits 0-9 weigh as A-J."""

_DNI: Final = b"TRWAGMYFPDXBNJZSQVHLCKE"


def digits_of(text: bytes, start: i64, end: i64) -> bytes:
    """The digits that stand between start and end, without what stands between them."""
    out = BytesWriter()
    at = start
    while at < end:
        code: i64 = text[at]
        if 48 <= code <= 57:
            out.append(u8(code))
        at += 1
    return out.getvalue()


def value_of(digits: bytes, start: i64, end: i64) -> i64:
    """The number that these digits write; at most 18 of them."""
    value: i64 = 0
    at: i64 = start
    while at < end:
        code: i64 = digits[at]
        value = value * 10 + code - 48
        at += 1
    return value


def luhn(digits: bytes) -> bool:
    """ISO/IEC 7812-1, annex B."""
    total: i64 = 0
    at: i64 = len(digits)
    twice = False
    while at > 0:
        at -= 1
        code: i64 = digits[at]
        digit: i64 = code - 48
        if twice:
            digit *= 2
            if digit > 9:
                digit -= 9
        total += digit
        twice = not twice
    return total % 10 == 0


def card(digits: bytes, hinted: bool) -> bool:
    """A payment card's number: issuer range and length, then Luhn.

    hinted: separators, words or a column's name speak of a card; then rarer lengths and issuers count too.
    """
    size: i64 = len(digits)
    if size < 12 or size > 19:
        return False
    four = value_of(digits, 0, 4)
    two = four // 100
    known = False
    if size == 16:
        known = (
            four // 1000 == 4
            or 51 <= two <= 55
            or 2221 <= four <= 2720
            or 2200 <= four <= 2204
            or 3528 <= four <= 3589
            or four == 6011
            or 6440 <= four <= 6599
            or two == 62
        )
    elif size == 15:
        known = two == 34 or two == 37
    if not known:
        if size == 16 or hinted:
            known = four in _MAESTRO
        if hinted and not known:
            if size == 14:
                known = two == 36 or two == 38 or two == 39 or 3000 <= four <= 3059 or four == 3095
            elif size == 13 or size == 19:
                known = four // 1000 == 4 or (size == 19 and (two == 62 or two == 65 or four == 6011))
            elif size == 16:
                known = (
                    two == 36 or 3000 <= four <= 3059 or two in _DOMESTIC or four in (5081, 5082, 9792, 6062)
                )
            if not known and size != 14:
                known = two == 50 or 56 <= two <= 58 or two == 67 or (two == 62 and size > 16)
    return known and luhn(digits)


_MAESTRO: Final = (5018, 5020, 5038, 5893, 6304, 6759, 6761, 6762, 6763)
_DOMESTIC: Final = (60, 81, 82)


def mod97(text: bytes) -> bool:
    """ISO 7064 mod 97-10 over upper-case letters and digits, first four moved behind (IBAN, ISO 13616)."""
    size: i64 = len(text)
    rest: i64 = 0
    at: i64 = 0
    while at < size:
        where: i64 = at + 4
        if where >= size:
            where -= size
        code: i64 = text[where]
        rest = (rest * 10 + code - 48) % 97 if code <= 57 else (rest * 100 + code - 55) % 97
        at += 1
    return rest == 1


def mod11_10(digits: bytes) -> bool:
    """ISO 7064 mod 11,10 (German Steuer-ID)."""
    product: i64 = 10
    at: i64 = 0
    last: i64 = len(digits) - 1
    while at < last:
        code: i64 = digits[at]
        total: i64 = (code - 48 + product) % 10
        if total == 0:
            total = 10
        product = total * 2 % 11
        at += 1
    code = digits[last]
    return (11 - product) % 10 == code - 48


def verhoeff(digits: bytes) -> bool:
    """Verhoeff's dihedral check (Aadhaar)."""
    check: i64 = 0
    size: i64 = len(digits)
    at: i64 = 0
    while at < size:
        code: i64 = digits[size - 1 - at]
        step: i64 = _VERHOEFF_P[at % 8 * 10 + code - 48]
        check = _VERHOEFF_D[check * 10 + step]
        at += 1
    return check == 0


def uniform(digits: bytes) -> bool:
    """All digits are the same: a filler, nobody's number."""
    size: i64 = len(digits)
    at: i64 = 1
    while at < size:
        if digits[at] != digits[0]:
            return False
        at += 1
    return True


def us_ssn(digits: bytes) -> bool:
    """Social Security number: area, group and serial as they are issued; and the IRS's ITIN."""
    area = value_of(digits, 0, 3)
    group = value_of(digits, 3, 5)
    if area == 0 or area == 666 or group == 0 or value_of(digits, 5, 9) == 0 or uniform(digits):
        return False
    if area >= 900:  # ITIN (IRS)
        return 50 <= group <= 65 or 70 <= group <= 88 or 90 <= group <= 92 or 94 <= group <= 99
    return digits != b"078051120" and digits != b"219099999"  # printed in wallets and brochures


def de_tax_id(digits: bytes) -> bool:
    """Steuerliche Identifikationsnummer: among the first ten, one digit stands twice or thrice."""
    if digits[:1] == b"0":
        return False
    repeated: i64 = 0
    seen: i64 = 0
    code: i64 = 48
    while code < 58:
        count: i64 = digits.count(bytes([code]), 0, 10)
        if count > 3:
            return False
        if count > 1:
            repeated += 1
        if count > 0:
            seen += 1
        code += 1
    return repeated == 1 and seen >= 8 and mod11_10(digits)


def de_pension_id(text: bytes) -> bool:
    """Rentenversicherungsnummer, 12 characters: area, date of birth, letter, serial, check digit."""
    if not (text[:8].isdigit() and 65 <= text[8] <= 90 and text[9:].isdigit()):
        return False
    day = value_of(text, 2, 4)
    month = value_of(text, 4, 6)
    if value_of(text, 0, 2) < 2 or not 1 <= (day if day <= 31 else day - 50) <= 31 or not 1 <= month <= 12:
        return False
    letter = text[8] - 64
    spread = text[:8] + b"%02d" % letter + text[9:11]
    total: i64 = 0
    at: i64 = 0
    while at < 12:
        code: i64 = spread[at]
        weight: i64 = _PENSION[at]
        product = (code - 48) * weight
        total += product // 10 + product % 10
        at += 1
    return total % 10 == text[11] - 48


_PENSION: Final = bytes([2, 1, 2, 5, 7, 1, 2, 1, 2, 1, 2, 1])


def fr_nir(digits: bytes) -> bool:
    """Numéro d'inscription au répertoire, 15 digits: the last two are 97 less the others' rest by 97."""
    return _nir_form(digits) and 97 - value_of(digits, 0, 13) % 97 == value_of(digits, 13, 15)


def fr_nir_corsica(digits: bytes, second: bool) -> bool:
    """The same with 2A or 2B (second) for the department, whose letter stands as 0 here (INSEE)."""
    number = value_of(digits, 0, 13) - (2000000 if second else 1000000)
    # 2A counts as 19, 2B as 18
    return _nir_form(digits) and 97 - (number if number > 0 else 0) % 97 == value_of(digits, 13, 15)


def _nir_form(digits: bytes) -> bool:
    month = value_of(digits, 3, 5)
    if not (1 <= month <= 12 or 20 <= month <= 42 or 50 <= month <= 99) or digits[5:7] == b"00":
        return False
    return digits[:1] in (b"1", b"2", b"3", b"4", b"7", b"8")


def es_dni(digits: bytes, letter: i64) -> bool:
    """DNI, and NIE with its first letter as 0, 1 or 2: eight digits, and an upper-case letter by mod 23."""
    return letter == _DNI[value_of(digits, 0, 8) % 23] and not uniform(digits)


def it_fiscal_code(text: bytes) -> bool:
    """Codice fiscale, 16 characters upper case; digits may be letters (omocodia)."""
    at: i64 = 0
    total: i64 = 0
    while at < 15:
        code: i64 = text[at]
        letter = 65 <= code <= 90
        place = at < 6 or at == 8 or at == 11
        if place and not letter:
            return False
        if not place and letter and code not in b"LMNPQRSTUV":
            return False
        if not letter and not 48 <= code <= 57:
            return False
        weight = code - 65 if letter else code - 48
        if at % 2 == 0:
            total += _CF_ODD[weight]
        else:
            total += weight
        at += 1
    return text[8] in b"ABCDEHLMPRST" and text[15] == 65 + total % 26


def nl_bsn(digits: bytes) -> bool:
    """Burgerservicenummer, nine digits: the eleven-test."""
    total: i64 = 0
    at: i64 = 0
    while at < 8:
        code: i64 = digits[at]
        total += (code - 48) * (9 - at)
        at += 1
    code = digits[8]
    return (total - (code - 48)) % 11 == 0 and not uniform(digits)


def pl_pesel(digits: bytes) -> bool:
    """PESEL, eleven digits: a date of birth from 1900 to 2099, and a check digit."""
    month = value_of(digits, 2, 4)
    if not (1 <= month <= 12 or 21 <= month <= 32) or not 1 <= value_of(digits, 4, 6) <= 31:
        return False
    if month >= 21 and value_of(digits, 0, 2) > 40:
        return False
    total: i64 = 0
    at: i64 = 0
    while at < 11:
        code: i64 = digits[at]
        weight: i64 = _PESEL[at]
        total += (code - 48) * weight
        at += 1
    return total % 10 == 0


_PESEL: Final = bytes([1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1])


def br_cpf(digits: bytes) -> bool:
    """Cadastro de Pessoas Físicas, eleven digits, two of them check digits."""
    if uniform(digits):
        return False
    place: i64 = 9
    while place < 11:
        total: i64 = 0
        at: i64 = 0
        while at < place:
            code: i64 = digits[at]
            total += (code - 48) * (place + 1 - at)
            at += 1
        check = total * 10 % 11 % 10
        code = digits[place]
        if check != code - 48:
            return False
        place += 1
    return True


def in_aadhaar(digits: bytes) -> bool:
    """Aadhaar, twelve digits: no 0 or 1 in front, Verhoeff, no palindrome (UIDAI)."""
    first: i64 = digits[0]
    return first >= 50 and verhoeff(digits) and digits[::-1] != digits
