"""Where the store is: a file in the state folder, or a PostgreSQL, and how its connections are made.
It must never repeat an address: it may hold a password.
"""

import os
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from wicketgate.model.errors import StoreFailed
from wicketgate.model.secret import Secret

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

LONGEST: Final = 8192
"""Bytes of an address in a file."""
CONNECT: Final = 10
"""Seconds that connecting may take."""
LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
MODES: Final = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
FILES: Final = ("sslrootcert", "sslcert", "sslkey", "passfile")
KEYS: Final = frozenset({"sslmode", "host", "application_name", *FILES})
"""What an address may say behind its question mark, in libpq's words."""
SESSION: Final = {
    # what was answered is on the disk, whatever the server's default: a revocation, a lease
    "synchronous_commit": "on",
    "default_transaction_isolation": "read committed",
    "default_transaction_read_only": "off",
    "statement_timeout": "15000",
}


@dataclass(frozen=True, slots=True)
class StoreAddress:
    """As the configuration says it: written out, in the environment, or in a file. folder: relative paths in
    the address are from there. Read when the store is opened, so that a changed file counts then."""

    url: Secret | None = None
    env: str | None = None
    file: Path | None = None
    folder: Path | None = None

    def read(self, environment: Mapping[str, str]) -> str:
        """The address. Raises StoreFailed."""
        if self.url is not None:
            return self.url.reveal().decode("utf-8", "replace")
        if self.env is not None:
            if not (found := environment.get(self.env)):
                raise StoreFailed(f"database_url: the environment has no {self.env}")
            return found
        assert self.file is not None
        try:
            with self.file.open("rb") as file:
                content = file.read(LONGEST + 1)
        except OSError as error:
            raise StoreFailed(f"database_url: {self.file}: {error.strerror}") from None
        text = content.decode("utf-8", "replace").strip()
        if not text or len(content) > LONGEST or len(text.split()) != 1:
            raise StoreFailed(f"database_url: {self.file} must hold one address, and nothing else")
        return text


def store_url(database_url: "StoreAddress | str | None", state: Path) -> "URL":
    """The engine's URL: PostgreSQL as the operator wrote it, or a file in the state folder.

    Raises StoreFailed for an address that is neither; the message never repeats it (it may hold a password).
    """
    # the settings are of this file, and most of the CLI's commands read nothing but them
    from sqlalchemy.engine import URL, make_url
    from sqlalchemy.exc import ArgumentError

    if database_url is None:
        return URL.create("sqlite+aiosqlite", database=str(state / "wicketgate.sqlite"))
    folder = database_url.folder if isinstance(database_url, StoreAddress) else None
    text = database_url.read(os.environ) if isinstance(database_url, StoreAddress) else database_url
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        raise StoreFailed("database_url can't be read: postgresql://user:password@host:port/name") from None
    if url.get_backend_name() == "sqlite":
        return url.set(drivername="sqlite+aiosqlite")
    if url.get_backend_name() not in ("postgresql", "postgres"):
        raise StoreFailed("database_url must begin with postgresql:// or sqlite://")
    query = dict(url.query)
    if unknown := sorted(set(query) - KEYS):
        raise StoreFailed(f"database_url: {unknown[0]!r} can't be set there; what can: {_listed(KEYS)}")
    for key, value in query.items():
        if not isinstance(value, str):
            raise StoreFailed(f"database_url: {key} is there twice")
        if key in FILES and value != "system":
            query[key] = str((folder or Path()) / Path(value).expanduser())
    host = query.pop("host", None) or url.host
    assert host is None or isinstance(host, str)
    nearby = host is None or host in LOOPBACK or host.startswith("/")
    mode = query.setdefault("sslmode", "prefer" if nearby else "verify-full")
    if mode not in MODES:
        raise StoreFailed(f"database_url: sslmode must be one of {_listed(MODES)}")
    return url.set(drivername="postgresql+asyncpg", host=host, query=query)


def _listed(words: Any) -> str:
    return ", ".join(sorted(words))


def connecting(url: "URL") -> tuple["URL", dict[str, Any]]:
    """The URL without its query, and what asyncpg is given beside it: TLS and the session's settings.

    Raises StoreFailed where a certificate's file can't be read.
    """
    query = {key: str(value) for key, value in url.query.items()}
    given: dict[str, Any] = {
        "timeout": CONNECT,
        "ssl": _tls(query),
        "server_settings": SESSION | {"application_name": query.get("application_name", "wicketgate")},
    }
    if "passfile" in query:
        given["passfile"] = query["passfile"]
    return url.set(query={}), given


def parameters(url: "URL") -> dict[str, Any]:
    """The same for asyncpg.connect alone."""
    bare, given = connecting(url)
    named = {
        "host": bare.host,
        "port": bare.port,
        "user": bare.username,
        "password": bare.password,
        "database": bare.database,
    }
    return given | {key: value for key, value in named.items() if value is not None}


def _tls(query: Mapping[str, str]) -> ssl.SSLContext | str | bool:
    """What sslmode says, in libpq's sense: `require` with a root certificate verifies by it."""
    mode, root = query.get("sslmode", "prefer"), query.get("sslrootcert")
    if mode == "disable":
        return False
    if mode in ("allow", "prefer"):
        return mode
    verifies = mode.startswith("verify") or root is not None
    try:
        context = ssl.create_default_context(cafile=None if root in (None, "system") else root)
        if "sslcert" in query:
            context.load_cert_chain(query["sslcert"], query.get("sslkey"))
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else "it can't be read"
        named = " or ".join(query[key] for key in ("sslrootcert", "sslcert", "sslkey") if key in query)
        raise StoreFailed(f"database_url: {named}: {why}") from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.check_hostname = mode == "verify-full"
    if not verifies:
        context.verify_mode = ssl.CERT_NONE
    return context
