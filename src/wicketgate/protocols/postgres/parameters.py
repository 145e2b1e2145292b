"""Parameters: the types that a Parse declares, and a Bind's values as the journal keeps them (compiled).
Text is kept as text, binary as hex; sensitive ones must never stand in it."""

from typing import Final

from librt.strings import read_i16_be, read_i32_be

from wicketgate.protocols.postgres.frames import FrameError, frame
from wicketgate.sql.resolve import Analysis

LONGEST: Final = 4096
"""Bytes of a parameter that are kept; beyond, its length is said."""

REDACTED: Final = "[redacted]"

BUILTIN: Final = 16384
"""OIDs of the server's own types are below it."""

NO_TYPES: Final[tuple[int, ...]] = ()


def declares(data: bytes, at: int, end: int) -> tuple[int, ...]:
    """The OIDs of parameter types, other than the server's own, in the Parse that ends at `end`.

    at: of their number, behind the text. Raises FrameError for a Parse that is cut.
    """
    if at + 2 > end:
        raise FrameError("Parse is cut")
    number = int(read_i16_be(data, at)) & 0xFFFF
    if number == 0:
        return NO_TYPES
    at += 2
    if at + 4 * number > end:
        raise FrameError("Parse is cut")
    found: list[int] = []
    for index in range(number):
        oid = int(read_i32_be(data, at + 4 * index)) & 0xFFFFFFFF
        if oid >= BUILTIN:
            found.append(oid)
    return tuple(found) if found else NO_TYPES


def recorded(
    data: bytes, at: int, end: int, sensitive: frozenset[int] | None
) -> tuple[str | None, ...] | None:
    """The parameters of the Bind in data[…:end], whose names end at `at`; None where there are none.

    sensitive: 1-based positions to leave out; None: all of them. Raises FrameError for a Bind that is cut.
    """
    if at + 2 > end:
        raise FrameError("Bind is cut")
    chosen = int(read_i16_be(data, at))
    first = at + 2
    at = first + 2 * chosen
    if chosen < 0 or at + 2 > end:
        raise FrameError("Bind is cut")
    number = int(read_i16_be(data, at)) & 0xFFFF
    at += 2
    if number == 0:
        return None
    found: list[str | None] = []
    for index in range(number):
        if at + 4 > end:
            raise FrameError("Bind is cut")
        length = int(read_i32_be(data, at))
        at += 4
        if length < -1 or (length > 0 and at + length > end):
            raise FrameError("Bind is cut")
        if length < 0:
            found.append(None)
            continue
        if sensitive is None or (index + 1) in sensitive:
            found.append(REDACTED)
        elif length > LONGEST:
            found.append(f"[{length} bytes]")
        elif form(data, first, chosen, index) == 0:
            found.append(data[at : at + length].decode("utf-8", "backslashreplace"))
        else:
            found.append("\\x" + data[at : at + length].hex())
        at += length
    return tuple(found)


def values_of(data: bytes, at: int, end: int) -> list[bytes | None]:
    """The parameters of the Bind in data[…:end], whose names end at `at`, as they came. Raises FrameError."""
    found: list[bytes | None] = []
    for start, length in _places(data, at, end):
        found.append(None if length < 0 else data[start : start + length])
    return found


def section(data: bytes, at: int, end: int) -> bytes:
    """All of the Bind in data[…:end] that says what its parameters are; at: where its names end. Empty where
    there are none. Raises FrameError."""
    places = _places(data, at, end)
    if not places:
        return b""
    start, length = places[len(places) - 1]
    return data[at : start + max(length, 0)]


def bound_to(data: bytes, begin: int, at: int, end: int, values: dict[int, bytes]) -> bytes:
    """The Bind in data[begin:end], whose names end at `at`, other values for some parameters, by number."""
    pieces: list[bytes] = []
    done = begin + 5
    for number, (start, length) in enumerate(_places(data, at, end), 1):
        value = values.get(number)
        if value is not None:
            pieces += [data[done : start - 4], len(value).to_bytes(4, "big"), value]
            done = start + max(length, 0)
    pieces.append(data[done:end])
    return frame(b"B", b"".join(pieces))


def _places(data: bytes, at: int, end: int) -> list[tuple[int, int]]:
    """Where each parameter's value begins, and its length (-1 for NULL)."""
    if at + 2 > end:
        raise FrameError("Bind is cut")
    at += 2 + 2 * (int(read_i16_be(data, at)) & 0xFFFF)
    if at + 2 > end:
        raise FrameError("Bind is cut")
    number = int(read_i16_be(data, at)) & 0xFFFF
    at += 2
    found: list[tuple[int, int]] = []
    for _ in range(number):
        if at + 4 > end:
            raise FrameError("Bind is cut")
        length = int(read_i32_be(data, at))
        at += 4
        if length < -1 or (length > 0 and at + length > end):
            raise FrameError("Bind is cut")
        found.append((at, length))
        at += max(length, 0)
    return found


def copied(data: bytes, at: int, end: int, analysis: Analysis) -> bytes:
    """The CopyData frames in data[at:end] as the journal keeps them: what goes into a relation with sensitive
    columns, or into one that can't be told, is told by its length only, as such parameters are."""
    facts = analysis.facts
    if analysis.sensitive and (facts.classes or facts.opaque or not facts.complete):
        return frame(b"d", b"%s (%d bytes)\n" % (REDACTED.encode(), end - at))
    return data[at:end]


def form(data: bytes, first: int, chosen: int, index: int) -> int:
    """The format code of one parameter: 0 text. None given means text for all, one given counts for all."""
    if chosen == 0:
        return 0
    if chosen == 1:
        return int(read_i16_be(data, first))
    return int(read_i16_be(data, first + 2 * index)) if index < chosen else 0
