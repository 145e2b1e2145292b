"""Several nodes: what they tell each other, which sessions they have, and which keys they agree on.

On PostgreSQL, triggers tell all nodes what changed, whoever changed it: a topic, or a topic and an id, never
more. Anybody who may connect to the database can send such a message, and can by that have a row read again.
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_FUNCTIONS = (
    """CREATE FUNCTION wicketgate_tell() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN PERFORM pg_catalog.pg_notify('wicketgate', TG_ARGV[0]); RETURN NULL; END $$""",
    """CREATE FUNCTION wicketgate_tell_row() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN
         PERFORM pg_catalog.pg_notify(
           'wicketgate', TG_ARGV[0] || ':' || (pg_catalog.to_jsonb(NEW) OPERATOR(pg_catalog.->>) TG_ARGV[1]));
         RETURN NULL;
    END $$""",
)
_WHOLE = {"identities": "identities", "memberships": "identities", "inherited": "inherited"}
_WHOLE |= {"secrets": "secrets", "shared_keys": "keys"}
_TRIGGERS = (
    *(
        f"CREATE TRIGGER wicketgate_told AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON {table}"
        f" FOR EACH STATEMENT EXECUTE FUNCTION wicketgate_tell('{topic}')"
        for table, topic in _WHOLE.items()
    ),
    # its last use is nobody's concern
    "CREATE TRIGGER wicketgate_told_row AFTER INSERT OR UPDATE OF identity, expires, revoked, resources,"
    " rules, networks, task, hash ON tokens FOR EACH ROW"
    " EXECUTE FUNCTION wicketgate_tell_row('tokens', 'id')",
    "CREATE TRIGGER wicketgate_told AFTER DELETE OR TRUNCATE ON tokens"
    " FOR EACH STATEMENT EXECUTE FUNCTION wicketgate_tell('tokens')",
    "CREATE TRIGGER wicketgate_told_row AFTER INSERT ON errands"
    " FOR EACH ROW EXECUTE FUNCTION wicketgate_tell_row('errands', 'node')",
)


def upgrade() -> None:
    op.add_column("nodes", sa.Column("name", sa.String(63), nullable=False, server_default=""))
    op.add_column("nodes", sa.Column("life", sa.String(32), nullable=False, server_default=""))
    op.create_table(
        "errands",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("node", sa.String(64), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("body", sa.JSON(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_errands"),
    )
    op.create_index("ix_errands_node", "errands", ["node"])
    op.create_table(
        "open_sessions",
        sa.Column("session", sa.String(64), nullable=False),
        sa.Column("node", sa.String(64), nullable=False),
        *(
            sa.Column(name, sa.Text(), nullable=False)
            for name in ("identity", "resource", "database", "account", "source")
        ),
        sa.Column("opened", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("session", name="pk_open_sessions"),
    )
    op.create_index("ix_open_sessions_node", "open_sessions", ["node"])
    op.create_table(
        "shared_keys",
        sa.Column("name", sa.String(32), nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("fingerprint", sa.String(64), nullable=False),
        sa.Column("node", sa.String(64), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", "version", name="pk_shared_keys"),
    )
    if op.get_bind().dialect.name == "postgresql":
        for statement in (*_FUNCTIONS, *_TRIGGERS):
            op.execute(sa.text(statement.replace(":", "\\:")))


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        for table in (*_WHOLE, "tokens"):
            op.execute(f"DROP TRIGGER IF EXISTS wicketgate_told ON {table}")
        op.execute("DROP TRIGGER wicketgate_told_row ON tokens")
    for table in ("shared_keys", "open_sessions", "errands"):
        op.drop_table(table)
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION wicketgate_tell")
        op.execute("DROP FUNCTION wicketgate_tell_row")
    for column in ("life", "name"):
        op.drop_column("nodes", column)
