"""The journal's folder, as readers see it: nodes, writers, segments, lines with their offsets. Read-only."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from wicketgate.journal.keyfile import named

LINE_LIMIT = 64 << 20
"""Bytes: a longer line is taken for torn, so that a file of one endless line can't fill the memory."""


@dataclass(frozen=True, slots=True)
class RawLine:
    """data: the line without its LF. torn: it had none (or is over LINE_LIMIT), so it is not a line."""

    offset: int
    data: bytes
    torn: bool


@dataclass(frozen=True, slots=True)
class WriterFiles:
    """One writer's folder. segments: number -> file. keys: number -> the file of its wrapped key.
    strange: names that are none of these, nor the reserve."""

    node: str
    writer: str
    path: Path
    segments: dict[int, Path] = field(default_factory=dict)
    strange: tuple[str, ...] = ()
    keys: dict[int, Path] = field(default_factory=dict)


def read_lines(path: Path, start: int = 0) -> Iterator[RawLine]:
    """A segment's lines from an offset on. Raises OSError."""
    with path.open("rb") as file:
        file.seek(start)
        offset = start
        while data := file.readline(LINE_LIMIT):
            torn = not data.endswith(b"\n")
            yield RawLine(offset, data if torn else data[:-1], torn)
            if torn:
                return
            offset += len(data)


def _segment_number(name: str) -> int | None:
    stem, dot, suffix = name.partition(".")
    if dot and suffix == "log" and len(stem) >= 6 and stem.isascii() and stem.isdigit():
        number = int(stem)
        return number if number and f"{number:06d}" == stem else None
    return None


def writer_files(path: Path) -> WriterFiles:
    """What lies in `<folder>/<node>/<writer>`. Raises OSError."""
    segments: dict[int, Path] = {}
    keys: dict[int, Path] = {}
    strange: list[str] = []
    for entry in sorted(path.iterdir()):
        if (key := named(entry.name)) is not None and entry.is_file() and not entry.is_symlink():
            if key[1]:
                keys[key[0]] = entry
            continue
        number = _segment_number(entry.name)
        if number is not None and entry.is_file() and not entry.is_symlink():
            segments[number] = entry
        elif entry.name != "reserve":
            strange.append(entry.name)
    return WriterFiles(path.parent.name, path.name, path, segments, tuple(strange), keys)


def writers(folder: Path) -> list[WriterFiles]:
    """Every writer's folder, by node and writer. Raises OSError."""
    found: list[WriterFiles] = []
    for node in sorted(entry for entry in folder.iterdir() if entry.is_dir()):
        found += [writer_files(entry) for entry in sorted(node.iterdir()) if entry.is_dir()]
    return found


def strays(folder: Path) -> list[str]:
    """What lies in the journal's folder, or a node's, and is no folder. Raises OSError."""
    nodes = [entry for entry in folder.iterdir() if entry.is_dir()]
    found = [entry for place in [folder, *nodes] for entry in place.iterdir() if not entry.is_dir()]
    return sorted(str(entry.relative_to(folder)) for entry in found)
