"""Files that a command writes: never over another one, and for nobody else's eyes."""

import os
from pathlib import Path

from wicketgate.cli.ending import USAGE, end


def write_new(path: Path, content: bytes, mode: int = 0o600) -> None:
    """Write a file that must not exist yet. Ends the command where it does, or can't be written."""
    try:
        number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
    except FileExistsError:
        end(f"{path} exists; it is left alone", USAGE)
    except OSError as error:
        end(f"{path} can't be written: {error.strerror}", USAGE)
    try:
        with os.fdopen(number, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        path.unlink(missing_ok=True)
        end(f"{path} can't be written: {error.strerror}")
