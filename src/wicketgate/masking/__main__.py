"""`python -m wicketgate.masking`: JSON lines {id, column, text} in, {id, masked, spans} out, one for one.
It must never hold more than a line, nor repeat a text in an error.

start and end of a span count characters (code points) of `text`, end exclusive. `column` may be missing.
A line that can't be read is told on standard error by its number; the others go on, and the exit code is 1.
"""

import argparse
import json
import sys
from collections.abc import Iterable, Iterator
from typing import IO, Any, Final

from wicketgate.masking.detect import CLASSES, Detectors, Span

_LONGEST: Final = 64 << 20
"""Characters of one line. A security limit."""


def records(lines: Iterable[str], complain: "Complaints") -> Iterator[tuple[Any, str, str]]:
    """(id, column, text) of each line that can be read."""
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        if len(line) > _LONGEST:
            complain(number, f"longer than {_LONGEST >> 20} MiB")
            continue
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            complain(number, "not JSON")
            continue
        if not isinstance(record, dict):
            complain(number, "not a JSON object")
        elif "id" not in record:
            complain(number, 'no "id"')
        elif not isinstance(record.get("text"), str):
            complain(number, 'no "text", or it is no string')
        elif not isinstance(record.get("column") or "", str):
            complain(number, '"column" is no string')
        else:
            yield record["id"], record.get("column") or "", record["text"]


class Complaints:
    """Tells of lines that can't be read, and counts them."""

    def __init__(self, out: IO[str]) -> None:
        self._out = out
        self.count = 0

    def __call__(self, number: int, reason: str) -> None:
        self.count += 1
        self._out.write(f"line {number}: {reason}\n")


def answer(detectors: Detectors, column: str, text: str) -> tuple[str, list[dict[str, Any]]]:
    """The text masked, and where what was found in it stood, in characters."""
    masked = detectors.mask([text.encode("utf-8", "surrogatepass")], column, frozenset(), {})
    if masked is None or masked[0] is None:
        return text, []
    return masked[0].decode("utf-8", "surrogatepass"), findings(detectors, column, text)


def findings(detectors: Detectors, column: str, text: str) -> list[dict[str, Any]]:
    """What is found in a text, in characters."""
    value = text.encode("utf-8", "surrogatepass")
    return [each for _, spans in detectors.scan([value], column) for each in _characters(value, spans)]


def _characters(value: bytes, spans: list[Span]) -> Iterator[dict[str, Any]]:
    at = counted = 0
    for data_class, start, end in spans:
        counted += len(value[at:start].decode("utf-8", "surrogatepass"))
        length = len(value[start:end].decode("utf-8", "surrogatepass"))
        yield {"class": data_class, "start": counted, "end": counted + length}
        counted += length
        at = end


def run(detectors: Detectors, source: Iterable[str], out: IO[str], errors: IO[str]) -> int:
    """All lines of source. Returns the exit code: 0, or 1 if a line could not be read."""
    complain = Complaints(errors)
    for key, column, text in records(source, complain):
        masked, spans = answer(detectors, column, text)
        out.write(json.dumps({"id": key, "masked": masked, "spans": spans}) + "\n")
        out.flush()
    return 1 if complain.count else 0


def main(arguments: list[str] | None = None) -> int:
    """The entry point."""
    parser = argparse.ArgumentParser(prog="python -m wicketgate.masking", description=__doc__)
    parser.add_argument(
        "--classes",
        default=",".join(CLASSES),
        help="data classes to find, with commas between (all, unless said otherwise)",
    )
    chosen = parser.parse_args(arguments)
    try:
        detectors = Detectors([name.strip() for name in chosen.classes.split(",") if name.strip()])
    except ValueError as error:
        parser.error(str(error))
    sys.stdin.reconfigure(encoding="utf-8", errors="surrogateescape")  # type: ignore[union-attr]
    try:
        return run(detectors, sys.stdin, sys.stdout, sys.stderr)
    except BrokenPipeError:
        sys.stderr.close()
        return 141


if __name__ == "__main__":
    sys.exit(main())
