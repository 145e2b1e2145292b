"""The store's tables. All times are wall clock, ns since the epoch. No table holds a secret in clear,
but for proofs of cancel keys that are on their way to another node.
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
    Column("proven", JSON),
    Column("exchange", JSON),
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
    Column("name", String(63), nullable=False, server_default=""),
    Column("life", String(32), nullable=False, server_default=""),
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

# what one node asks of another; it is taken off when it is done, or nobody came for it
ERRANDS = Table(
    "errands",
    METADATA,
    Column("id", String(32), primary_key=True),
    Column("node", String(64), nullable=False, index=True),
    Column("kind", String(16), nullable=False),
    Column("body", JSON, nullable=False),
    Column("created", BigInteger, nullable=False),
)

# sessions that are open on nodes, for the others to see; a node writes its own, a moment later
OPEN_SESSIONS = Table(
    "open_sessions",
    METADATA,
    Column("session", String(64), primary_key=True),
    Column("node", String(64), nullable=False, index=True),
    Column("identity", Text, nullable=False),
    Column("resource", Text, nullable=False),
    Column("database", Text, nullable=False),
    Column("account", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("opened", BigInteger, nullable=False),
)

# fingerprints (never keys) of what all nodes must have the same
SHARED_KEYS = Table(
    "shared_keys",
    METADATA,
    Column("name", String(32), primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("fingerprint", String(64), nullable=False),
    Column("node", String(64), nullable=False),
    Column("created", BigInteger, nullable=False),
)

# sign-ins by SAML that are under way. Whatever opens one is kept as its SHA-256: ticket, browser, code
SAML_LOGINS = Table(
    "saml_logins",
    METADATA,
    Column("ticket", String(64), primary_key=True),
    Column("issuer", String(63), nullable=False),
    Column("source", String(64), nullable=False, index=True),
    Column("challenge", String(64), nullable=False),
    Column("port", Integer, nullable=False),
    Column("state", String(128), nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("expires", BigInteger, nullable=False, index=True),
    Column("request", String(64)),
    Column("relay", String(64), unique=True),
    Column("browser", String(64)),
    Column("code", String(64)),
    Column("proven", JSON),
)

# assertions that were taken: none is taken twice, on whatever node
SAML_SEEN = Table(
    "saml_seen",
    METADATA,
    Column("issuer", String(63), primary_key=True),
    Column("assertion", String(64), primary_key=True),
    Column("expires", BigInteger, nullable=False, index=True),
)

# actor, key and request are digests; body is null where the answer must not be kept
ANSWERS = Table(
    "answers",
    METADATA,
    Column("actor", String(64), primary_key=True),
    Column("key", String(64), primary_key=True),
    Column("request", String(64), nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("status", Integer),
    Column("body", LargeBinary),
    Column("location", String(300)),
)
Index("ix_answers_created", ANSWERS.c.created)

# rows are added and read, never changed nor removed: each one's seal stands in the next
POLICY_REVISIONS = Table(
    "policy_revisions",
    METADATA,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("digest", String(64), nullable=False),
    Column("text_digest", String(64), nullable=False),
    Column("author", Text, nullable=False),
    Column("how", String(16), nullable=False),
    Column("message", Text, nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("restores", Integer),
    Column("before", String(64), nullable=False),
    Column("seal", String(64), nullable=False),
    Column("text", Text, nullable=False),
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
