"""The history of access: shapes of use, their counts by day, groups over time, reports that were kept."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "shapes",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("identity", sa.String(63), nullable=False),
        sa.Column("resource", sa.String(63), nullable=False),
        sa.Column("told", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_shapes"),
    )
    op.create_index("ix_shapes_identity", "shapes", ["identity"])
    op.create_table(
        "uses",
        sa.Column("day", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("shape", sa.String(32), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("first", sa.BigInteger(), nullable=False),
        sa.Column("last", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("day", "shape", name="pk_uses"),
    )
    op.create_index("ix_uses_shape", "uses", ["shape"])
    op.create_table(
        "group_history",
        sa.Column("identity", sa.String(63), nullable=False),
        sa.Column("at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("told", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("identity", "at", name="pk_group_history"),
    )
    op.create_table(
        "access_reports",
        sa.Column("at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("author", sa.String(200), nullable=False),
        sa.Column("policy", sa.String(64), nullable=False),
        sa.Column("granted", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("at", name="pk_access_reports"),
    )


def downgrade() -> None:
    for table in ("access_reports", "group_history", "uses", "shapes"):
        op.drop_table(table)
