"""Takes BODYs out of closed segments; HEADs, and so every proof, stay.
It must never touch a segment that is being written, and never leave one half rewritten."""

import fcntl
import os
from pathlib import Path

from wicketgate.journal.parse import LineMalformed, parse
from wicketgate.journal.segments import read_lines, writer_files
from wicketgate.journal.witness import Gone


class SegmentOpen(ValueError):
    """A segment that its writer still holds: it can be erased from once it is closed."""


def erase(folder: Path, node: str, gone: Gone) -> int:
    """Erase the BODYs that an authority covers; returns how many.

    The control process first records `gone` in its own journal and signs a checkpoint over it: without a
    witnessed authority `verify` calls a missing BODY a fault. Raises SegmentOpen, with earlier segments done
    already (calling again goes on), and OSError.
    """
    files = writer_files(folder / node / gone.writer)
    erased = 0
    for number in sorted(files.segments):
        path = files.segments[number]
        with path.open("rb") as held:
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                if not _covered(path, gone):
                    continue
                raise SegmentOpen(f"{path} is being written") from error
            if _covered(path, gone):
                erased += _rewrite(path, gone)
    return erased


def _covered(path: Path, gone: Gone) -> int:
    return sum(_covers(raw.data, gone) for raw in read_lines(path) if not raw.torn)


def _covers(data: bytes, gone: Gone) -> bool:
    if b"\t" not in data:
        return False
    try:
        return gone.covers(parse(data))
    except LineMalformed:
        return False


def _rewrite(path: Path, gone: Gone) -> int:
    """Make the copy without the BODYs, and put it in the segment's place in one step."""
    copy = path.with_name(path.name + ".erasing")
    copy.unlink(missing_ok=True)
    erased = 0
    with os.fdopen(os.open(copy, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:
        for raw in read_lines(path):
            data = raw.data
            if not raw.torn and _covers(data, gone):
                data = data.partition(b"\t")[0]
                erased += 1
            file.write(data if raw.torn else data + b"\n")
        file.flush()
        os.fsync(file.fileno())
    copy.replace(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    return erased
