"""`python -m bench.detection`: content detection over rows of eight columns, one core.

Prints rows a second for text of which a third is sensitive, by cells and by rows, and for clean text. Run it
against a compiled build (PYTHONPATH): plain Python is ten times slower.
"""

import sys
import time
import uuid
from collections.abc import Iterator
from random import Random

from wicketgate.masking.detect import USUAL, Detectors, detectors

NAMES = ["id", "created_at", "ref", "contact", "amount", "note", "comment", "status"]
WORDS = (
    "the order was shipped on time and customer asked about return of item with label damaged box please"
    " check again status pending invoice"
).split()
BATCH = 1000
"""Rows that are masked in one call."""

Cells = list[list[bytes | None]]


def card(random: Random) -> str:
    body = "4" + "".join(random.choice("0123456789") for _ in range(14))
    twice = [int(digit) * (1 + (at + 1) % 2) for at, digit in enumerate(body)]
    total = sum(sum(divmod(each, 10)) for each in twice)
    return body + str(-total % 10)


def rows(count: int, share: str) -> Cells:
    """share: `cells` (of eight, three hold something), `rows` (those, in every third row) or `none`."""
    random = Random(5)

    def prose(words: int) -> str:
        return " ".join(random.choice(WORDS) for _ in range(words))

    def row(at: int) -> Iterator[str]:
        held = {"cells": True, "rows": at % 3 == 0, "none": False}[share]
        yield str(at + 1000)
        day = f"2026-{random.randint(1, 12):02}-{random.randint(1, 28):02}"
        yield f"{day} 10:12:13.{random.randint(0, 999999):06}"
        yield str(uuid.UUID(int=random.getrandbits(128)))
        yield f"{prose(1)}.{prose(1)}{random.randint(1, 99)}@example.com" if held else prose(2)
        yield f"{random.randint(1, 9999)}.{random.randint(0, 99):02}"
        yield f"paid with {card(random)} {prose(3)}" if held else prose(6)
        yield f"call +1 415-555-{random.randint(1000, 9999)} {prose(2)}" if held and at % 9 else prose(5)
        yield random.choice(["open", "closed", "shipped", "pending"])

    columns: Cells = [[] for _ in NAMES]
    for at in range(count):
        for column, text in zip(columns, row(at), strict=True):
            column.append(text.encode())
    return columns


def best(columns: Cells, rounds: int = 5) -> tuple[float, dict[str, int]]:
    """(seconds of CPU for all rows, findings): the fastest of some rounds."""
    count = len(columns[0])
    batches = [[column[at : at + BATCH] for column in columns] for at in range(0, count, BATCH)]
    found = Detectors(USUAL)
    times = []
    counted: dict[str, int] = {}
    for _ in range(rounds):
        counted = {}
        began = time.process_time()
        for batch in batches:
            found.mask_columns(batch, NAMES, frozenset(), counted)
        times.append(time.process_time() - began)
    return min(times), counted


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    print(f"{detectors.__file__}\n{count} rows of {len(NAMES)} columns")
    for share in ("cells", "rows", "none"):
        seconds, counted = best(rows(count, share))
        print(f"sensitive: a third of {share:6}" if share != "none" else "clean text", end="  ")
        print(f"{count / seconds / 1e3:6.0f} k rows/s  {sum(counted.values())} findings")


if __name__ == "__main__":
    main()
