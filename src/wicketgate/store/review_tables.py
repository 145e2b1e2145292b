"""The store's tables of what waits for people: reviews, access for a while, and where people are told.
They must hold no statement, comment or reason in the clear: those lie sealed."""

from sqlalchemy import JSON, BigInteger, Column, ForeignKey, Index, Integer, LargeBinary, String, Table, Text

from wicketgate.store.tables import METADATA as METADATA

# what waits for people. sealed: the statement and the reason, as ciphertext
REVIEWS = Table(
    "reviews",
    METADATA,
    Column("id", String(26), primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("status", String(16), nullable=False),
    Column("identity", Text, nullable=False, index=True),
    Column("task", Text),
    Column("asker", JSON, nullable=False),
    Column("resource", Text, nullable=False),
    Column("database", Text, nullable=False),
    Column("account", Text, nullable=False),
    Column("panels", JSON, nullable=False),
    Column("exact", String(64), nullable=False),
    Column("shape", String(64), nullable=False),
    Column("mode", String(16), nullable=False),
    Column("node", String(64), nullable=False),
    Column("session", String(64)),
    Column("created", BigInteger, nullable=False, index=True),
    Column("expires", BigInteger, nullable=False),
    Column("usable_until", BigInteger),
    Column("ended", BigInteger),
    Column("ended_by", Text, nullable=False),
    Column("message", Text, nullable=False),
    Column("conditions", JSON, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Column("changes", Integer, nullable=False),
)
Index("ix_reviews_status", REVIEWS.c.status, REVIEWS.c.expires)

# voter: a person's name, folded: nobody counts twice. comment: as ciphertext
REVIEW_VOTES = Table(
    "review_votes",
    METADATA,
    Column("review", String(26), ForeignKey(REVIEWS.c.id, ondelete="CASCADE"), primary_key=True),
    Column("voter", String(200), primary_key=True),
    Column("person", Text, nullable=False),
    Column("approves", Integer, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("person_groups", JSON, nullable=False),
    Column("conditions", JSON, nullable=False),
    Column("comment", LargeBinary, nullable=False),
)

# who may answer (`person:NAME`, `group:NAME`), and whose it is (`own:NAME`, folded)
REVIEW_CHAIRS = Table(
    "review_chairs",
    METADATA,
    Column("review", String(26), ForeignKey(REVIEWS.c.id, ondelete="CASCADE"), primary_key=True),
    Column("chair", String(300), primary_key=True),
)
Index("ix_review_chairs_chair", REVIEW_CHAIRS.c.chair)

# each change of a review, in the order in which they hold; review is no foreign key: it is told to the end
REVIEW_EVENTS = Table(
    "review_events",
    METADATA,
    Column("seq", Integer, primary_key=True),
    Column("review", String(26), nullable=False),
    Column("what", String(16), nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("by", Text, nullable=False),
)
Index("ix_review_events_at", REVIEW_EVENTS.c.at)

# what an access request asks for; the review with the same id is where people answer it
ACCESS_REQUESTS = Table(
    "access_requests",
    METADATA,
    Column("id", String(26), primary_key=True),
    *(Column(name, Text, nullable=False) for name in ("identity", "issuer", "rule", "resource", "account")),
    *(Column(name, Text) for name in ("behalf", "task")),
    Column("terms", String(32), nullable=False),
    Column("starts", BigInteger),
    Column("ends", BigInteger),
    Column("lasts", BigInteger, nullable=False),
    Column("extends", String(26)),
    Column("most_extended", Integer, nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("settled", BigInteger, index=True),
)

# of whom, what and how long; why somebody asked lies, closed, in the review with the same id
GRANTS = Table(
    "grants",
    METADATA,
    Column("id", String(26), primary_key=True),
    *(Column(name, Text, nullable=False) for name in ("identity", "issuer", "rule", "resource", "account")),
    *(Column(name, Text) for name in ("behalf", "task")),
    Column("terms", String(32), nullable=False),
    Column("starts", BigInteger, nullable=False),
    Column("ends", BigInteger, nullable=False, index=True),
    Column("break_glass", Integer, nullable=False),
    Column("created", BigInteger, nullable=False, index=True),
    Column("extended", Integer, nullable=False),
    Column("ended_by", Text),
    Column("approved_by", JSON, nullable=False),
    Column("first_used", BigInteger),
    Column("last_used", BigInteger),
)

# how far each channel has read the outbox of reviews, and who delivers for it
CHANNELS = Table(
    "channels",
    METADATA,
    Column("channel", String(63), primary_key=True),
    Column("seq", BigInteger, nullable=False),
    Column("holder", String(64), nullable=False),
    Column("until", BigInteger, nullable=False),
    Column("delivered", BigInteger),
    Column("error", Text, nullable=False),
)

CHANNEL_DELIVERIES = Table(
    "channel_deliveries",
    METADATA,
    Column("channel", String(63), primary_key=True),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("review", String(26), nullable=False),
    Column("what", String(16), nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("by", Text, nullable=False),
    Column("state", String(16), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("began", BigInteger, nullable=False),
    Column("next_at", BigInteger, nullable=False),
    Column("ended", BigInteger),
    Column("error", Text, nullable=False),
)
Index("ix_channel_deliveries_state", CHANNEL_DELIVERIES.c.state, CHANNEL_DELIVERIES.c.next_at)

# where a review's message stands in a chat system, so that it can be changed
CHANNEL_MESSAGES = Table(
    "channel_messages",
    METADATA,
    Column("channel", String(63), primary_key=True),
    Column("review", String(26), primary_key=True),
    Column("place", String(200), nullable=False),
    Column("at", BigInteger, nullable=False),
)

# digests of requests that chat systems sent: each is taken once
CHANNEL_SEEN = Table(
    "channel_seen",
    METADATA,
    Column("digest", String(64), primary_key=True),
    Column("expires", BigInteger, nullable=False, index=True),
)
