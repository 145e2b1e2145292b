"""Access for a while: what requests ask for, and the grants that come of them.

On PostgreSQL, every node is told that grants changed, and reads them; that one was used is nobody's concern.
"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_WHOM = ("identity", "issuer", "rule", "resource", "account")
_TRIGGERS = (
    "CREATE TRIGGER wicketgate_told AFTER INSERT OR UPDATE OF starts, ends, terms OR DELETE OR TRUNCATE"
    " ON grants FOR EACH STATEMENT EXECUTE FUNCTION wicketgate_tell('grants')",
)


def upgrade() -> None:
    op.create_table(
        "access_requests",
        sa.Column("id", sa.String(26), nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in _WHOM),
        *(sa.Column(name, sa.Text()) for name in ("behalf", "task")),
        sa.Column("terms", sa.String(32), nullable=False),
        sa.Column("starts", sa.BigInteger()),
        sa.Column("ends", sa.BigInteger()),
        sa.Column("lasts", sa.BigInteger(), nullable=False),
        sa.Column("extends", sa.String(26)),
        sa.Column("most_extended", sa.Integer(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("settled", sa.BigInteger()),
        sa.PrimaryKeyConstraint("id", name="pk_access_requests"),
    )
    op.create_index("ix_access_requests_settled", "access_requests", ["settled"])
    op.create_table(
        "grants",
        sa.Column("id", sa.String(26), nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in _WHOM),
        *(sa.Column(name, sa.Text()) for name in ("behalf", "task")),
        sa.Column("terms", sa.String(32), nullable=False),
        sa.Column("starts", sa.BigInteger(), nullable=False),
        sa.Column("ends", sa.BigInteger(), nullable=False),
        sa.Column("break_glass", sa.Integer(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("extended", sa.Integer(), nullable=False),
        sa.Column("ended_by", sa.Text()),
        sa.Column("approved_by", sa.JSON(), nullable=False),
        sa.Column("first_used", sa.BigInteger()),
        sa.Column("last_used", sa.BigInteger()),
        sa.PrimaryKeyConstraint("id", name="pk_grants"),
    )
    op.create_index("ix_grants_ends", "grants", ["ends"])
    op.create_index("ix_grants_created", "grants", ["created"])
    if op.get_bind().dialect.name == "postgresql":
        for statement in _TRIGGERS:
            op.execute(statement)


def downgrade() -> None:
    for table in ("grants", "access_requests"):
        op.drop_table(table)
