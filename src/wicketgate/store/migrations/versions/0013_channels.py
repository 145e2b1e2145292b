"""Channels: how far each has read the outbox, its deliveries and messages, requests that were taken."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "channels",
        sa.Column("channel", sa.String(63), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("holder", sa.String(64), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.Column("delivered", sa.BigInteger()),
        sa.Column("error", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("channel", name="pk_channels"),
    )
    op.create_table(
        "channel_deliveries",
        sa.Column("channel", sa.String(63), nullable=False),
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("review", sa.String(26), nullable=False),
        sa.Column("what", sa.String(16), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("began", sa.BigInteger(), nullable=False),
        sa.Column("next_at", sa.BigInteger(), nullable=False),
        sa.Column("ended", sa.BigInteger()),
        sa.Column("error", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("channel", "seq", name="pk_channel_deliveries"),
    )
    op.create_index("ix_channel_deliveries_state", "channel_deliveries", ["state", "next_at"])
    op.create_table(
        "channel_messages",
        sa.Column("channel", sa.String(63), nullable=False),
        sa.Column("review", sa.String(26), nullable=False),
        sa.Column("place", sa.String(200), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("channel", "review", name="pk_channel_messages"),
    )
    op.create_table(
        "channel_seen",
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("expires", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name="pk_channel_seen"),
    )
    op.create_index("ix_channel_seen_expires", "channel_seen", ["expires"])


def downgrade() -> None:
    for table in ("channel_seen", "channel_messages", "channel_deliveries", "channels"):
        op.drop_table(table)
