"""Numbers as their issuers make them: check digits from the published rules, nothing from the detectors.

Sources: ISO/IEC 7812 (cards), ISO 13616 (IBAN), SSA (SSN), BZSt (Steuer-ID), DRV (pension number), INSEE (NIR),
Spain's interior ministry (DNI, NIE), Italy's DM 23/12/1976 (codice fiscale), RvIG (BSN), PESEL act, Receita
Federal (CPF), UIDAI (Aadhaar).
"""
# ruff: noqa: E501 (a row of a table is a line)

import base64
import json
import string
from random import Random

DIGITS = string.digits
UPPER = string.ascii_uppercase
ALNUM = string.ascii_letters + DIGITS


def pick(random: Random, alphabet: str, count: int) -> str:
    return "".join(random.choice(alphabet) for _ in range(count))


def luhn_digit(body: str) -> str:
    total = 0
    for place, digit in enumerate(reversed(body)):
        value = int(digit)
        if place % 2 == 0:
            value = value * 2 if value < 5 else value * 2 - 9
        total += value
    return str(-total % 10)


ISSUERS = [  # prefix, length
    *[("4", 16)] * 6,
    *[(str(prefix), 16) for prefix in (51, 52, 53, 54, 55, 2221, 2345, 2500, 2699, 2720)],
    ("34", 15), ("37", 15), ("37", 15),
    ("6011", 16), ("644", 16), ("649", 16), ("65", 16), ("3528", 16), ("3589", 16), ("3566", 16), ("62", 16), ("6759", 16),
]  # fmt: skip


def card(random: Random) -> str:
    prefix, length = random.choice(ISSUERS)
    body = prefix + pick(random, DIGITS, length - 1 - len(prefix))
    return body + luhn_digit(body)


def card_printed(random: Random) -> str:
    number = card(random)
    sep = random.choice([" ", "-", " ", "", "", "\u00a0", "."])
    if len(number) == 15:
        return sep.join((number[:4], number[4:10], number[10:])) if sep != "." else number
    return sep.join(number[at : at + 4] for at in range(0, 16, 4))


def ssn(random: Random) -> str:
    area = random.choice([each for each in range(1, 900) if each != 666])
    return f"{area:03}-{random.randint(1, 99):02}-{random.randint(1, 9999):04}"


def steuer_id(random: Random) -> str:
    while True:
        kinds = random.sample(DIGITS, 9 if random.random() < 0.7 else 8)
        extra = random.choice(kinds)
        digits = [*kinds, extra] if len(kinds) == 9 else [*kinds, extra, extra]
        random.shuffle(digits)
        if digits[0] == "0" or (digits.count(extra) == 3 and extra * 3 in "".join(digits)):
            continue
        product = 10
        for digit in digits:
            total = (int(digit) + product) % 10 or 10
            product = 2 * total % 11
        check = 11 - product
        return "".join(digits) + str(0 if check == 10 else check)


def pension(random: Random) -> str:
    area = random.choice(["02", "04", "08", "10", "12", "13", "15", "18", "38", "65", "53"])
    birth = f"{random.randint(1, 28):02}{random.randint(1, 12):02}{random.randint(40, 99)}"
    letter, serial = random.choice(UPPER), f"{random.randint(0, 99):02}"
    total = 0
    digits = area + birth + f"{ord(letter) - 64:02}" + serial
    for digit, factor in zip(digits, (2, 1, 2, 5, 7, 1, 2, 1, 2, 1, 2, 1), strict=True):
        total += sum(int(each) for each in str(int(digit) * factor))
    return area + birth + letter + serial + str(total % 10)


def nir(random: Random) -> str:
    birth = f"{random.randint(30, 99)}{random.randint(1, 12):02}"
    department = random.choice([*(f"{each:02}" for each in range(1, 96) if each != 20), "2A", "2B"])
    body = (
        random.choice("12") + birth + department + f"{random.randint(1, 990):03}{random.randint(1, 999):03}"
    )
    number = int(body.replace("2A", "19").replace("2B", "18") if department in ("2A", "2B") else body)
    return body + f"{97 - number % 97:02}"


def dni(random: Random) -> str:
    number = random.randint(1_000_000, 99_999_999)
    return f"{number:08}" + "TRWAGMYFPDXBNJZSQVHLCKE"[number % 23]


def nie(random: Random) -> str:
    first, number = random.randint(0, 2), random.randint(0, 9_999_999)
    return "XYZ"[first] + f"{number:07}" + "TRWAGMYFPDXBNJZSQVHLCKE"[int(f"{first}{number:07}") % 23]


ODD = dict(
    zip(
        DIGITS + UPPER,
        [1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23],
        strict=True,
    )
)  # fmt: skip
EVEN = {**{each: int(each) for each in DIGITS}, **{each: at for at, each in enumerate(UPPER)}}


def codice_fiscale(random: Random) -> str:
    consonants = "BCDFGLMNPRSTVZ"
    day = random.randint(1, 31) + random.choice([0, 40])
    body = (
        pick(random, consonants, 6) + f"{random.randint(0, 99):02}" + random.choice("ABCDEHLMPRST") + f"{day:02}"
        + random.choice("ABCDEFGHIL") + pick(random, DIGITS, 3)
    )  # fmt: skip
    total = sum(ODD[each] if at % 2 == 0 else EVEN[each] for at, each in enumerate(body))
    return body + UPPER[total % 26]


def bsn(random: Random) -> str:
    while True:
        body = str(random.randint(1, 9)) + pick(random, DIGITS, 7)
        rest = sum(int(digit) * (9 - at) for at, digit in enumerate(body)) % 11
        if rest < 10:
            return body + str(rest)


def pesel(random: Random) -> str:
    year, month = random.randint(1930, 2015), random.randint(1, 12)
    body = f"{year % 100:02}{month + (20 if year >= 2000 else 0):02}{random.randint(1, 28):02}" + pick(
        random, DIGITS, 4
    )
    total = sum(int(digit) * (1, 3, 7, 9)[at % 4] for at, digit in enumerate(body))
    return body + str(-total % 10)


def cpf(random: Random) -> str:
    body = pick(random, DIGITS, 9)
    for _ in range(2):
        weights = range(len(body) + 1, 1, -1)
        rest = sum(int(digit) * weight for digit, weight in zip(body, weights, strict=True)) % 11
        body += str(0 if rest < 2 else 11 - rest)
    return body


# dihedral group D5, by its definition rather than as a table
def _times(one: int, two: int) -> int:
    if one < 5:
        return (one + two) % 5 if two < 5 else 5 + (one + two - 5) % 5
    return 5 + (one - 5 - two) % 5 if two < 5 else (one - two) % 5


def _permuted(digit: int, times: int) -> int:
    for _ in range(times):
        digit = (1, 5, 7, 6, 2, 8, 3, 0, 9, 4)[digit]
    return digit


def aadhaar(random: Random) -> str:
    body = random.choice("23456789") + pick(random, DIGITS, 10)
    check = 0
    for place, digit in enumerate(reversed(body), 1):
        check = _times(check, _permuted(int(digit), place % 8))
    return body + str(next(each for each in range(10) if _times(check, each) == 0))


BANKS = {"DE": 18, "NL": "A4 10", "FR": 23, "ES": 20, "IT": "A1 22", "GB": "A4 14", "PL": 24, "BE": 12, "AT": 16, "CH": 17, "PT": 21,
         "SE": 20, "NO": 11, "DK": 14, "FI": 14, "IE": "A4 14", "LU": 16, "MT": "A4 5 18"}  # fmt: skip


def iban(random: Random) -> str:
    country = random.choice(list(BANKS))
    rule = BANKS[country]
    if isinstance(rule, int):
        body = pick(random, DIGITS, rule)
    else:
        body = "".join(
            pick(random, UPPER, int(part[1:])) if part[0] == "A" else pick(random, DIGITS, int(part))
            for part in rule.split()
        )
    spelled = "".join(str(int(each, 36)) for each in body + country + "00")
    return f"{country}{98 - int(spelled) % 97:02}{body}"


def base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def jwt(random: Random) -> str:
    head = {"alg": random.choice(["HS256", "RS256", "ES256"]), "typ": "JWT"}
    body = {"sub": pick(random, DIGITS, 10), "iat": random.randint(1_600_000_000, 1_800_000_000)}
    parts = [base64url(json.dumps(each, separators=(",", ":")).encode()) for each in (head, body)]
    return ".".join([*parts, base64url(random.randbytes(32))])


def pem(random: Random) -> str:
    kind = random.choice(["RSA ", "EC ", "", "OPENSSH ", "ENCRYPTED ", "DSA "])
    body = base64.b64encode(random.randbytes(180)).decode()
    lines = "\n".join(body[at : at + 64] for at in range(0, len(body), 64))
    return f"-----BEGIN {kind}PRIVATE KEY-----\n{lines}\n-----END {kind}PRIVATE KEY-----"


HEX = "0123456789abcdef"
BASE32 = UPPER + "234567"
KEYS = {
    "aws": lambda r: r.choice(["AKIA", "ASIA"]) + pick(r, BASE32, 16),
    "gcp": lambda r: "AIza" + pick(r, ALNUM + "_-", 35),
    "gcp oauth": lambda r: "GOCSPX-" + pick(r, ALNUM, 28),
    "azure": lambda r: pick(r, ALNUM, 3) + "8Q~" + pick(r, ALNUM + "_~.-", 33) + pick(r, ALNUM, 1),
    "github": lambda r: r.choice(["ghp_", "gho_", "ghs_", "ghu_", "ghr_"]) + pick(r, ALNUM, 36),
    "github fine": lambda r: "github_pat_" + pick(r, ALNUM, 22) + "_" + pick(r, ALNUM, 59),
    "gitlab": lambda r: r.choice(["glpat-", "gldt-", "glrt-"]) + pick(r, ALNUM + "_-", 19) + pick(r, ALNUM, 1),
    "slack": lambda r: r.choice(["xoxb-", "xoxp-"]) + pick(r, DIGITS, 12) + "-" + pick(r, DIGITS, 12) + "-" + pick(r, ALNUM, 24),
    "stripe": lambda r: r.choice(["sk_live_", "rk_live_", "sk_test_"]) + pick(r, ALNUM, r.choice([24, 99])),
    "stripe hook": lambda r: "whsec_" + pick(r, ALNUM, 32),
    "openai": lambda r: r.choice(["sk-", "sk-proj-"]) + pick(r, ALNUM, 20) + "T3BlbkFJ" + pick(r, ALNUM, 20),
    "anthropic": lambda r: "sk-ant-api03-" + pick(r, ALNUM + "_-", 93) + "AA",
}  # fmt: skip
