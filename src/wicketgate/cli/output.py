"""What a command prints: JSON, or text and tables.
It must never print a control character from outside: a recorded statement could speak to the terminal."""

import json
import re
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from wicketgate.model.unseen import IN_LINES, UNSEEN


def _visible(found: "re.Match[str]") -> str:
    number = ord(found[0])
    if number >= 0x10000:
        return f"\\U{number:08x}"
    return f"\\x{number:02x}" if number < 256 else f"\\u{number:04x}"


def clean(text: object, lines: bool = False) -> str:
    """Text from outside, what is not seen, or turns what is, made visible. lines: newlines and tabs stay."""
    shown = str(text).encode("utf-8", "backslashreplace").decode("utf-8")
    return (IN_LINES if lines else UNSEEN).sub(_visible, shown)


def say(text: str = "") -> None:
    """A line on standard output. Whoever stops reading (`| head`) ends us quietly, in main."""
    sys.stdout.write(text + "\n")


def note(text: str) -> None:
    """A line on standard error: what is no part of the answer."""
    sys.stderr.write(text + "\n")


def say_json(value: Any) -> None:
    """JSON, and nothing else, on standard output; escaped to ASCII, so nothing in it moves a terminal."""
    say(json.dumps(value, indent=2, ensure_ascii=True))


def when(nanoseconds: int | None) -> str:
    """A wall clock time for people, UTC."""
    if nanoseconds is None:
        return "-"
    try:
        moment = datetime.fromtimestamp(nanoseconds // 1_000_000_000, UTC)
    except (OverflowError, ValueError, OSError):
        return "?"
    return moment.strftime("%Y-%m-%d %H:%M:%SZ")


def lasting(nanoseconds: int | None) -> str:
    """A time span for people."""
    if nanoseconds is None:
        return "-"
    for size, unit in ((3600e9, "h"), (60e9, "min"), (1e9, "s"), (1e6, "ms")):
        if nanoseconds >= size:
            return f"{nanoseconds / size:.1f} {unit}"
    return f"{nanoseconds / 1e3:.0f} µs"


def table(columns: Sequence[str], rows: Iterable[Sequence[object]], indent: str = "", most: int = 60) -> None:
    """Columns set out with spaces: for people, and good enough for grep and awk. most: of a cell's width."""
    shown = [[_short(clean(cell), most) for cell in row] for row in rows]
    heads = [_short(clean(name), most) for name in columns]
    widths = [
        max(len(heads[at]), *(len(row[at]) for row in shown)) if shown else len(heads[at])
        for at in range(len(heads))
    ]
    for row in (heads, *shown):
        say(indent + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
