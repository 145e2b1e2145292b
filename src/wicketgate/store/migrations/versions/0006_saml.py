"""Sign-ins by SAML that are under way, assertions that were taken, and what a token rests on."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("tokens", sa.Column("proven", sa.JSON()))
    op.create_table(
        "saml_logins",
        sa.Column("ticket", sa.String(64), nullable=False),
        sa.Column("issuer", sa.String(63), nullable=False),
        sa.Column("source", sa.String(64), nullable=False),
        sa.Column("challenge", sa.String(64), nullable=False),
        sa.Column("port", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(128), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("expires", sa.BigInteger(), nullable=False),
        sa.Column("request", sa.String(64)),
        sa.Column("relay", sa.String(64)),
        sa.Column("browser", sa.String(64)),
        sa.Column("code", sa.String(64)),
        sa.Column("proven", sa.JSON()),
        sa.PrimaryKeyConstraint("ticket", name="pk_saml_logins"),
        sa.UniqueConstraint("relay", name="uq_saml_logins_relay"),
    )
    op.create_index("ix_saml_logins_source", "saml_logins", ["source"])
    op.create_index("ix_saml_logins_expires", "saml_logins", ["expires"])
    op.create_table(
        "saml_seen",
        sa.Column("issuer", sa.String(63), nullable=False),
        sa.Column("assertion", sa.String(64), nullable=False),
        sa.Column("expires", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("issuer", "assertion", name="pk_saml_seen"),
    )
    op.create_index("ix_saml_seen_expires", "saml_seen", ["expires"])


def downgrade() -> None:
    op.drop_table("saml_seen")
    op.drop_table("saml_logins")
    op.drop_column("tokens", "proven")
