"""Data classes that columns inherited from what was copied into them."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "inherited",
        sa.Column("resource", sa.String(63), nullable=False),
        sa.Column("database", sa.String(63), nullable=False),
        sa.Column("column_name", sa.String(200), nullable=False),
        sa.Column("data_class", sa.String(100), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("resource", "database", "column_name", "data_class", name="pk_inherited"),
    )


def downgrade() -> None:
    op.drop_table("inherited")
