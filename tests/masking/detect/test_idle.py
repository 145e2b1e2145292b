"""What is told of a cell where it lies agrees with what is found when it is taken out."""

import struct
from random import Random

import pytest

from pii.measure import corpus
from wicketgate.masking.detect import CLASSES, USUAL, Detectors
from wicketgate.masking.detect.cells import Cells
from wicketgate.masking.detect.columns import sense
from wicketgate.masking.detect.survey import Survey, prose
from wicketgate.protocols.postgres.frames import FrameError, frame
from wicketgate.protocols.postgres.looks import Look
from wicketgate.protocols.postgres.maskers import Mark, Masker
from wicketgate.protocols.postgres.plan import Plan

NAMES = ("", "phone", "dob", "secret", "ip_address", "national_id", "order_id", "version", "card", "password")
SIGNS = b'0123456789 -.:/@=%+_abXZ{}[]"\\\n,;'
ALPHABETS = (b"aA1 ", b"0123456789 .-", b"0123456789abcdef", b"a b.c-d/e_f+g~h", SIGNS, bytes(range(256)))
CORNERS = (
    b"", b"12", b"a@b.de", b"ab", b"[]", b'""', b"\\x", b" 219-09-9998", b"4111111111111111",
    b"+4111111111111111",
    b"+493012345678", b"ORD-00000001", b"00000001-x", b"x4111111111111111", b"-4111111111111111-",
    b"d41d8cd98f00b204e9800998ecf8427e", b"de89370400440532013000", b"DE89370400440532013000", b"A" * 40,
    b"AKIAABCDEFGHIJKLMNOP", b"ghp_" + b"a1" * 20, b"2026-11-22 10:00:00.123", b"born 1 may 1980",
    b"123e4567-e89b-12d3-a456-426614174000", b"12345", b"a 123456 b", b"1.2.3.4", b"fe80::1", b"a.b.c",
    "tel ０３０ 1234567".encode(), b"\xff\xfe12345678", b"the end.", b"eyJhbGciOiJIUzI1NiJ9a", b"0" * 17,
)  # fmt: skip


def texts(count: int) -> list[bytes]:
    random = Random(3)
    base = [sample.text.encode("utf-8", "surrogatepass") for sample in corpus()]
    found = list(CORNERS)
    while len(found) < count:
        alphabet = random.choice(ALPHABETS)
        text = random.choice(base)
        at = random.randrange(len(text) + 1)
        turn = random.random()
        if turn < 0.4:
            text = text[:at] + bytes([random.choice(SIGNS)]) + text[at + random.randint(0, 2) :]
        elif turn < 0.6:
            text = text[:at] if turn < 0.5 else text[at:]
        elif turn < 0.9:
            text = bytes(random.choice(alphabet) for _ in range(random.randint(0, 34)))
        found.append(text)
    return found


TEXTS = texts(4000)


def test_nothing_is_found_in_a_cell_that_is_idle() -> None:
    detectors = Detectors(CLASSES)
    cells = Cells(sense, None)
    idle = 0
    for at, text in enumerate(TEXTS):
        for name in (NAMES[0], NAMES[at % len(NAMES)]):
            data = b"@12345 " + text + b"67890@"  # what stands beside a cell is not its
            if cells.idle(data, 7, 7 + len(text), sense(name)):
                idle += 1
                assert detectors.scan([text], name) == [], (name, text)
    assert idle > 500  # else this shows nothing


def test_a_survey_is_the_same_wherever_a_text_lies() -> None:
    one, other = Survey(), Survey()
    for text in TEXTS[:2000]:
        one.look(text, 0, len(text))
        for before, after in ((b"A1-", b""), (b"=12345678", b"Zz09:")):
            other.look(before + text + after, len(before), len(before) + len(text))
            for each in ("size", "digits", "letters", "dots", "dashes", "colons", "signs", "equals", "high"):
                assert getattr(one, each) == getattr(other, each), (each, text)
            assert (one.mixed, one.long) == (other.mixed, other.long), text
            if one.digits:
                assert (one.first_digit, one.last_digit) == (other.first_digit, other.last_digit), text
            assert prose(before + text + after, len(before), len(before) + len(text)) == prose(
                text, 0, len(text)
            )


def row(cells: list[bytes | None]) -> bytes:
    body = struct.pack("!h", len(cells))
    for cell in cells:
        body += struct.pack("!i", -1) if cell is None else struct.pack("!i", len(cell)) + cell
    return frame(b"D", body)


ONES = [USUAL, CLASSES, frozenset({"email", "payment-card"})]


@pytest.mark.parametrize("classes", ONES, ids=["usual", "all", "two"])
def test_rows_are_masked_where_they_lie_as_their_columns_are(classes: frozenset[str]) -> None:
    """Beside columns that are looked into stand some that are masked, and one that is passed."""
    detectors = Detectors(classes)
    shown = frozenset({"phone"})
    looks = [
        Look(detectors, name, shown, document)
        for name, document in zip(NAMES, [False, True] * 5, strict=True)
    ]
    plan = Plan(
        13,
        list(range(12)),
        [*looks, Mark(b"[mark]"), Masker()],
        [""] * 10 + ["x", "y"],
        list(looks),
    )
    random = Random(11)
    for start in range(0, len(TEXTS) - 400, 400):
        rows: list[list[bytes | None]] = [
            [None if random.random() < 0.05 else random.choice(TEXTS[start : start + 400]) for _ in range(13)]
            for _ in range(20)
        ]
        counted: dict[str, int] = {}
        masked = plan.mask(
            b"??" + b"".join(map(row, rows)), 2, 2 + sum(len(row(each)) for each in rows), counted
        )
        expected_counts: dict[str, int] = {}
        columns = [list(each) for each in zip(*rows, strict=True)]
        for at, name in enumerate(NAMES):
            done = detectors.mask(columns[at], name, shown, expected_counts, bool(at % 2))
            columns[at] = columns[at] if done is None else done
        expected_counts["x"] = sum(cell is not None for cell in columns[10])
        expected_counts["y"] = sum(cell is not None for cell in columns[11])
        columns[10] = [None if cell is None else b"[mark]" for cell in columns[10]]
        columns[11] = [None for _ in columns[11]]
        assert masked == b"".join(row(list(each)) for each in zip(*columns, strict=True))
        assert counted == expected_counts


def test_rows_in_which_nothing_is_found_are_not_touched() -> None:
    look = Look(Detectors(USUAL), "", frozenset(), False)
    plan = Plan(2, [0, 1], [look, look], ["", ""], [look])
    data = row([b"out of paper", None]) + row([b"", b"no reply so far"])
    counted: dict[str, int] = {}
    assert plan.mask(data, 0, len(data), counted) == data
    assert counted == {}


def test_a_cell_that_crosses_its_row_is_refused_though_nothing_would_be_found() -> None:
    look = Look(Detectors(USUAL), "", frozenset(), False)
    plan = Plan(2, [0, 1], [look, look], ["", ""], [look])
    data = frame(b"D", struct.pack("!hi", 2, 50) + b"short") + row([b"a", b"b"])
    with pytest.raises(FrameError):
        plan.mask(data, 0, len(data), {})
