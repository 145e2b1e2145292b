"""Whose tokens a token was made of (RFC 8693)."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # a token of before was made by an administrator
    op.add_column("tokens", sa.Column("exchange", sa.JSON()))


def downgrade() -> None:
    op.drop_column("tokens", "exchange")
