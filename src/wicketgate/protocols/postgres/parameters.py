"""Bind parameters as the journal keeps them: text as text, binary as hex, sensitive ones not at all."""

from typing import Final

LONGEST: Final = 4096
"""Bytes of a parameter that are kept; beyond, its length is said."""


def recorded(
    parameters: list[tuple[int, bytes | None]], sensitive: frozenset[int] | None
) -> tuple[str | None, ...]:
    """(format, value) pairs as text. sensitive: 1-based positions to leave out; None: all of them."""
    found: list[str | None] = []
    for index in range(len(parameters)):
        form, value = parameters[index]
        if value is None:
            found.append(None)
        elif sensitive is None or (index + 1) in sensitive:
            found.append("[redacted]")
        elif len(value) > LONGEST:
            found.append(f"[{len(value)} bytes]")
        elif form == 0:
            found.append(value.decode("utf-8", "backslashreplace"))
        else:
            found.append("\\x" + value.hex())
    return tuple(found)
