"""What tokens are scoped to besides resources: rules, source networks, a task."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # a token of before is scoped to none of these
    op.add_column("tokens", sa.Column("rules", sa.JSON(), nullable=False, server_default="[]"))
    op.add_column("tokens", sa.Column("networks", sa.JSON(), nullable=False, server_default="[]"))
    op.add_column("tokens", sa.Column("task", sa.JSON()))


def downgrade() -> None:
    for column in ("task", "networks", "rules"):
        op.drop_column("tokens", column)
