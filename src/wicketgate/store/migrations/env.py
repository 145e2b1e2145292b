"""How alembic runs here: on a connection that store/migrate.py opened, in one transaction."""

from alembic import context

from wicketgate.store.review_tables import METADATA


def _run() -> None:
    connection = context.config.attributes.get("connection")
    if connection is None:
        raise RuntimeError("migrations run through wicketgate.store.migrate, which hands in a connection")
    context.configure(
        connection=connection,
        target_metadata=METADATA,
        render_as_batch=connection.dialect.name == "sqlite",
        transaction_per_migration=False,
    )
    with context.begin_transaction():
        context.run_migrations()


_run()
