"""Bring a store's tables to what this version needs, at start, one process at a time.
It must never touch a store that a newer version made."""

from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from wicketgate.model.errors import GatewayError

_LOCK: Final = 0x77636B74  # 'wckt': the number of our advisory lock on PostgreSQL


def _config(connection: Connection) -> Any:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def upgrade(connection: Connection) -> None:
    """Run what is missing, inside the caller's transaction. Whoever comes second waits, then finds it done.

    Raises GatewayError if the store is of a newer version.
    """
    from alembic import command
    from alembic.runtime.migration import MigrationContext
    from alembic.script import ScriptDirectory

    if connection.dialect.name == "postgresql":
        connection.execute(sa.text("SELECT pg_advisory_xact_lock(:number)"), {"number": _LOCK})
    else:
        # takes SQLite's one write lock for the whole transaction, before anything is read
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    config = _config(connection)
    script = ScriptDirectory.from_config(config)
    known = {revision.revision for revision in script.walk_revisions()}
    found = MigrationContext.configure(connection).get_current_heads()
    if unknown := set(found) - known:
        raise GatewayError(
            "the store was made by a newer version of wicketgate; it is left alone",
            f"revision {', '.join(sorted(unknown))}",
        )
    if set(found) != set(script.get_heads()):
        command.upgrade(config, "head")
