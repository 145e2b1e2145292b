"""Bring a store's tables to what this version needs, at start, one process at a time.
It must never touch a store that a newer version made."""

from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from wicketgate.model.errors import GatewayError

_FOLDER: Final = Path(__file__).parent / "migrations"
_LOCK: Final = 0x77636B74  # 'wckt': the number of our advisory lock on PostgreSQL


def _config(connection: Connection) -> Any:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_FOLDER).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def newest() -> str:
    """The last revision that this version knows: its files are numbered, and each follows the one before."""
    return max(path.name for path in (_FOLDER / "versions").glob("[0-9]*.py")).partition("_")[0]


def _stands(connection: Connection) -> list[str]:
    """The revisions that the store says it has; none where it was never brought up to date."""
    if not sa.inspect(connection).has_table("alembic_version"):
        return []
    return list(connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalars())


def upgrade(connection: Connection) -> None:
    """Run what is missing, inside the caller's transaction. Whoever comes second waits, then finds it done.

    Raises GatewayError if the store is of a newer version.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(sa.text("SELECT pg_advisory_xact_lock(:number)"), {"number": _LOCK})
    else:
        # takes SQLite's one write lock for the whole transaction, before anything is read
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    if _stands(connection) == [newest()]:
        return
    # loaded where there is something to do: it takes longer than all else here
    from alembic import command
    from alembic.runtime.migration import MigrationContext
    from alembic.script import ScriptDirectory

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
