"""Identities, groups, tokens, limits, checkpoints and node numbers."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "identities",
        sa.Column("name", sa.String(63), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("disabled", sa.BigInteger()),
        sa.PrimaryKeyConstraint("name", name="pk_identities"),
    )
    op.create_table(
        "memberships",
        sa.Column("identity", sa.String(63), nullable=False),
        sa.Column("group_name", sa.String(200), nullable=False),
        sa.ForeignKeyConstraint(
            ["identity"], ["identities.name"], name="fk_memberships_identity_identities", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("identity", "group_name", name="pk_memberships"),
    )
    op.create_table(
        "tokens",
        sa.Column("id", sa.String(16), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.Column("identity", sa.String(63), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("expires", sa.BigInteger()),
        sa.Column("resources", sa.JSON(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("last_used", sa.BigInteger()),
        sa.Column("revoked", sa.BigInteger()),
        sa.PrimaryKeyConstraint("id", name="pk_tokens"),
        sa.UniqueConstraint("hash", name="uq_tokens_hash"),
    )
    op.create_index("ix_tokens_identity", "tokens", ["identity"])
    op.create_table(
        "limits",
        sa.Column("identity", sa.String(63), nullable=False),
        sa.Column("rule", sa.String(200), nullable=False),
        sa.Column("what", sa.String(32), nullable=False),
        sa.Column("window", sa.BigInteger(), nullable=False),
        sa.Column("spent", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("identity", "rule", "what", "window", name="pk_limits"),
    )
    op.create_index("ix_limits_window", "limits", ["window"])
    op.create_table(
        "checkpoints",
        sa.Column("node", sa.String(64), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("line", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("node", "number", name="pk_checkpoints"),
    )
    op.create_table(
        "nodes",
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("node", sa.String(64), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("seen", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_nodes"),
        sa.UniqueConstraint("node", name="uq_nodes_node"),
    )


def downgrade() -> None:
    for table in ("nodes", "checkpoints", "limits", "tokens", "memberships", "identities"):
        op.drop_table(table)
