"""Reviews: what waits for people, who may answer, their answers, and each change for who tells of it.

On PostgreSQL, every node is told which review changed, and reads it.
"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_TRIGGER = (
    "CREATE TRIGGER wicketgate_told_row AFTER INSERT OR UPDATE ON reviews FOR EACH ROW"
    " EXECUTE FUNCTION wicketgate_tell_row('reviews', 'id')"
)


def upgrade() -> None:
    op.create_table(
        "reviews",
        sa.Column("id", sa.String(26), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("identity", sa.Text(), nullable=False),
        sa.Column("task", sa.Text()),
        sa.Column("asker", sa.JSON(), nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("resource", "database", "account")),
        sa.Column("panels", sa.JSON(), nullable=False),
        sa.Column("exact", sa.String(64), nullable=False),
        sa.Column("shape", sa.String(64), nullable=False),
        sa.Column("mode", sa.String(16), nullable=False),
        sa.Column("node", sa.String(64), nullable=False),
        sa.Column("session", sa.String(64)),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("expires", sa.BigInteger(), nullable=False),
        sa.Column("usable_until", sa.BigInteger()),
        sa.Column("ended", sa.BigInteger()),
        sa.Column("ended_by", sa.Text(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("conditions", sa.JSON(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("changes", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_reviews"),
    )
    op.create_index("ix_reviews_identity", "reviews", ["identity"])
    op.create_index("ix_reviews_created", "reviews", ["created"])
    op.create_index("ix_reviews_status", "reviews", ["status", "expires"])
    op.create_table(
        "review_votes",
        sa.Column("review", sa.String(26), nullable=False),
        sa.Column("voter", sa.String(200), nullable=False),
        sa.Column("person", sa.Text(), nullable=False),
        sa.Column("approves", sa.Integer(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("person_groups", sa.JSON(), nullable=False),
        sa.Column("conditions", sa.JSON(), nullable=False),
        sa.Column("comment", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("review", "voter", name="pk_review_votes"),
        sa.ForeignKeyConstraint(
            ["review"], ["reviews.id"], name="fk_review_votes_review_reviews", ondelete="CASCADE"
        ),
    )
    op.create_table(
        "review_chairs",
        sa.Column("review", sa.String(26), nullable=False),
        sa.Column("chair", sa.String(300), nullable=False),
        sa.PrimaryKeyConstraint("review", "chair", name="pk_review_chairs"),
        sa.ForeignKeyConstraint(
            ["review"], ["reviews.id"], name="fk_review_chairs_review_reviews", ondelete="CASCADE"
        ),
    )
    op.create_index("ix_review_chairs_chair", "review_chairs", ["chair"])
    op.create_table(
        "review_events",
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("review", sa.String(26), nullable=False),
        sa.Column("what", sa.String(16), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_review_events"),
    )
    op.create_index("ix_review_events_at", "review_events", ["at"])
    if op.get_bind().dialect.name == "postgresql":
        op.execute(_TRIGGER)


def downgrade() -> None:
    for table in ("review_events", "review_chairs", "review_votes", "reviews"):
        op.drop_table(table)
