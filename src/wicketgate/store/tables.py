"""The store's tables. All times are wall clock, ns since the epoch. No table holds a secret in clear.
Whatever changes here must have a migration beside it; a test compares the two."""

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
)

METADATA = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "ix": "ix_%(table_name)s_%(column_0_name)s",
    }
)

IDENTITIES = Table(
    "identities",
    METADATA,
    Column("name", String(63), primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("disabled", BigInteger),
)

MEMBERSHIPS = Table(
    "memberships",
    METADATA,
    Column(
        "identity",
        String(63),
        ForeignKey(IDENTITIES.c.name, ondelete="CASCADE"),
        primary_key=True,
        nullable=False,
    ),
    Column("group_name", String(200), primary_key=True, nullable=False),
)

# identity is no foreign key: a token may belong to an identity that the configuration file names
TOKENS = Table(
    "tokens",
    METADATA,
    Column("id", String(16), primary_key=True),
    Column("hash", String(64), nullable=False, unique=True),
    Column("identity", String(63), nullable=False, index=True),
    Column("created", BigInteger, nullable=False),
    Column("expires", BigInteger),
    Column("resources", JSON, nullable=False),
    Column("note", Text, nullable=False),
    Column("last_used", BigInteger),
    Column("revoked", BigInteger),
    Column("rules", JSON, nullable=False, server_default="[]"),
    Column("networks", JSON, nullable=False, server_default="[]"),
    Column("task", JSON),
)

# spent counts what was leased and has not come back: a slice that is lost stays spent
LIMITS = Table(
    "limits",
    METADATA,
    Column("identity", String(63), primary_key=True),
    Column("rule", String(200), primary_key=True),
    Column("what", String(32), primary_key=True),
    Column("window", BigInteger, primary_key=True, autoincrement=False),
    Column("spent", BigInteger, nullable=False),
)
Index("ix_limits_window", LIMITS.c.window)

CHECKPOINTS = Table(
    "checkpoints",
    METADATA,
    Column("node", String(64), primary_key=True),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("created", BigInteger, nullable=False),
    Column("line", Text, nullable=False),
)

INHERITED = Table(
    "inherited",
    METADATA,
    Column("resource", String(63), primary_key=True),
    Column("database", String(63), primary_key=True),
    Column("column_name", String(200), primary_key=True),
    Column("data_class", String(100), primary_key=True),
    Column("created", BigInteger, nullable=False),
)

NODES = Table(
    "nodes",
    METADATA,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("node", String(64), nullable=False, unique=True),
    Column("created", BigInteger, nullable=False),
    Column("seen", BigInteger, nullable=False),
)

# sealed and wrapped are ciphertexts; what opens them is never in the store
SECRETS = Table(
    "secrets",
    METADATA,
    Column("name", String(63), primary_key=True),
    Column("id", String(32), nullable=False, unique=True),
    Column("version", Integer, nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("changed", BigInteger, nullable=False),
    Column("author", String(200), nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Column("wrapped", Text, nullable=False),
)

# what was used, without values and texts: a shape is one kind of use (model.usage), counted by day
SHAPES = Table(
    "shapes",
    METADATA,
    Column("id", String(32), primary_key=True),
    Column("identity", String(63), nullable=False, index=True),
    Column("resource", String(63), nullable=False),
    Column("told", JSON, nullable=False),
)

# shape is no foreign key: `lost` stands for uses that nothing is known of
USES = Table(
    "uses",
    METADATA,
    Column("day", Integer, primary_key=True, autoincrement=False),
    Column("shape", String(32), primary_key=True),
    Column("count", BigInteger, nullable=False),
    Column("first", BigInteger, nullable=False),
    Column("last", BigInteger, nullable=False),
)
Index("ix_uses_shape", USES.c.shape)

GROUP_HISTORY = Table(
    "group_history",
    METADATA,
    Column("identity", String(63), primary_key=True),
    Column("at", BigInteger, primary_key=True, autoincrement=False),
    Column("told", JSON, nullable=False),
)

ACCESS_REPORTS = Table(
    "access_reports",
    METADATA,
    Column("at", BigInteger, primary_key=True, autoincrement=False),
    Column("author", String(200), nullable=False),
    Column("policy", String(64), nullable=False),
    Column("granted", JSON, nullable=False),
)
