"""SQLite's file: made for us alone, and how a connection to it is set up.
It must never open a file that stands already but through SQLite, nor follow a link.
"""

import errno
import os
import sqlite3
import stat
from typing import Any

from wicketgate.model.errors import StoreFailed


def make_file(path: str) -> None:
    """Make SQLite's file for us alone, before SQLite makes it for whoever the umask says.

    Its -wal and -shm files take the same mode. A file that stands already is never opened here: closing it
    would drop the locks that SQLite holds on it for this whole process (fcntl(2)), and the next process to
    close the store would take itself for the last one and delete the log that we write to.
    """
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        _keep_private(path)
    except OSError as error:
        raise _unopened(path, error) from None


def _keep_private(path: str) -> None:
    try:
        found = os.lstat(path)
        if not stat.S_ISREG(found.st_mode):
            raise OSError(errno.ELOOP, "it is no ordinary file")
        if stat.S_IMODE(found.st_mode) != 0o600:
            os.chmod(path, 0o600)
    except OSError as error:
        raise _unopened(path, error) from None


def _unopened(path: str, error: OSError) -> StoreFailed:
    return StoreFailed(f"the store {path} can't be opened: {error.strerror}", str(error))


def prepare(connection: Any, record: object) -> None:
    """WAL: the API reads while the main loop writes. FULL: a revocation once answered is on the disk."""
    cursor = connection.cursor()
    try:
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=10000"):
            cursor.execute(f"PRAGMA {pragma}")
    except sqlite3.OperationalError as error:
        raise StoreFailed("the store's file can't be used", str(error)) from None
    finally:
        cursor.close()
