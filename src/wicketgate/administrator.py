"""A local administrator, made when a gateway of the embedded defaults starts for the first time. Composition.
Its token must never reach a log or anybody's file but one of ours, nor come back once it was removed."""

import os
import stat
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Final

from wicketgate.admin import access
from wicketgate.admin.authorize import Action, Thing
from wicketgate.identity import tokens
from wicketgate.model.identity import IdentityKind
from wicketgate.model.token import ServiceAccount
from wicketgate.office import Site
from wicketgate.offline import LOCAL, OwnJournal
from wicketgate.store.db import Store, store_url

NAME: Final = "admin"
FILE: Final = "admin.token"
DAYS: Final = 90
_DAY: Final = 86_400_000_000_000


def begun(state: Path) -> bool:
    """Whether a gateway has served from this folder before. To be asked before it makes its keys."""
    return (state / "checkpoint.key").exists()


async def make(
    found: Site, group: str, filed: Collection[str], now: int, log: Callable[[str], None]
) -> Path | None:
    """Make the account with one token in a file of its own; the file, or None where there is one already, or
    was. group: that administrates. filed: names that the configuration declares. now: wall ns.

    Raises StoreFailed, JournalFailed, OSError; an account is never left whose token nobody can read.
    """
    path, fresh = found.state / FILE, found.state / f"{FILE}.new"
    store = await Store.open(store_url(found.database_url, found.state))
    journal = OwnJournal(found)
    try:
        await journal.prepare()
        if NAME in filed:
            return None
        if any(each.name == NAME for each in await store.identities()):
            # a start that was cut off behind the store's commit left the file with its first name, or both
            if _ours(fresh) and not _there(path):
                return _show(fresh, path)
            if _ours(fresh):
                fresh.unlink()
            return None
        if _there(path):
            log(f"no local administrator is made: {path} is in the way")
            return None
        account = ServiceAccount(NAME, IdentityKind.SERVICE, frozenset({group}))
        secret, record = tokens.issue(
            NAME, now, os.urandom, expires=now + DAYS * _DAY, note="made at the first start"
        )
        _write(fresh, secret.reveal() + b"\n")
        thing = Thing("identity", NAME, NAME)
        journal.record(
            access.admin_line(
                LOCAL, Action.ISSUE_TOKEN, thing, token=record.id, expires=record.expires, created=True
            )
        )
        await store.put_identity(account, now)
        await store.add_token(record)
        try:
            _show(fresh, path)
        except OSError:
            await store.revoke_token(record.id, now)
            fresh.unlink(missing_ok=True)
            raise
    finally:
        journal.close()
        await store.close()
    log(f"a local administrator was made: its token is in {path}, good for {DAYS} days")
    return path


def _write(path: Path, content: bytes) -> None:
    """Into a new file that is ours alone from its first byte, whatever the umask."""
    path.unlink(missing_ok=True)
    number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(number, "wb") as file:
        os.fchmod(number, 0o600)
        file.write(content)
        file.flush()
        os.fsync(number)


def _there(path: Path) -> bool:
    """Whether anything stands there, be it a link to nowhere."""
    return os.path.lexists(path)


def _ours(path: Path) -> bool:
    try:
        found = path.lstat()
    except OSError:
        return False
    return stat.S_ISREG(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & 0o077


def _show(fresh: Path, path: Path) -> Path:
    """Give the file its name. A link never replaces nor follows what stands there by then. Raises OSError."""
    os.link(fresh, path, follow_symlinks=False)
    fresh.unlink()
    return path
