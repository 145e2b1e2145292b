"""Lines of one writer, in memory: numbering, rendering from prepared pieces, the open block. Compiled.
It must never do I/O, nor render a HEAD whose bytes differ from those that were digested.

`line = HEAD [TAB BODY] LF`. HEAD's members stand in this order: v, w, n, t, m, k, then s and q for a line of
a session, then what the caller hands in, then h. `t` and `m` are read once a turn: all lines between two
flushes carry the clocks' values at the first of them. A seal carries those of the last line before it, so
that its whole HEAD follows from its block and `verify` can render it again.

Where the writer has a cipher, what the caller hands in is encrypted: HEAD's members become one, `z`, and BODY
`{"cipher":"…"}`. Digests are over what stands there, so whoever has no key can verify it all.
"""

from binascii import hexlify
from collections.abc import Callable
from hashlib import sha256
from typing import Final

from wicketgate.journal.blocks import START, leaf, root
from wicketgate.journal.encrypt import AFTER, BEFORE, BODY, HEAD, SegmentCipher, SessionCipher
from wicketgate.model import ports
from wicketgate.model.errors import JournalFailed
from wicketgate.model.event import KINDS

_KIND: Final[dict[str, bytes]] = {kind: b'%b"' % kind.encode() for kind in KINDS}
_CLEAR: Final = frozenset({"begin", "orphan", "gone", "checkpoint"})
"""Kinds that `verify` and the next start read: they are never encrypted."""
_SALTS: Final = 256
"""Salts drawn from the random source at once (16 bytes each)."""

_EMPTY: Final = sha256()


def _digest(data: bytes) -> bytes:
    """SHA-256. A copy costs half of what OpenSSL takes to find the algorithm by its name."""
    made = _EMPTY.copy()
    made.update(data)
    return made.digest()


_FIT: Final = frozenset(b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_")


def check_id(name: str) -> bytes:
    """An id as it may stand in HEAD unescaped: 1 to 64 of [0-9A-Za-z_-]. Raises ValueError."""
    raw = name.encode()
    if not 1 <= len(raw) <= 64 or not _FIT.issuperset(raw):
        raise ValueError(f"not an id: {name!r}")
    return raw


def render_stamp(wall: int, boot: int) -> bytes:
    """The clocks' members, up to the kind's value."""
    return b',"t":%d,"m":%d,"k":"' % (wall, boot)


def render_seal(
    writer: bytes, n: int, stamp: bytes, block: int, first: int, last: int, prev: bytes, digest: bytes
) -> bytes:
    """A seal's HEAD: a function of its block alone."""
    return b'{"v":1,"w":"%b","n":%d%bseal","block":%d,"first":%d,"last":%d,"prev":"%b","root":"%b"}' % (
        writer, n, stamp, block, first, last, hexlify(prev), hexlify(digest),
    )  # fmt: skip


class Block:
    """A block that is about to be sealed. line: the seal's HEAD."""

    __slots__ = ("first", "last", "line", "number", "root")

    def __init__(self, number: int, first: int, last: int, digest: bytes, line: bytes) -> None:
        self.number = number
        self.first = first
        self.last = last
        self.root = digest
        self.line = line


class SessionLines(ports.Lines):
    """One session's place among a writer's lines: its last `q`, and its HEADs in the open block."""

    __slots__ = ("_cipher", "_lines", "_piece", "_under", "closed", "heads", "session")

    def __init__(self, lines: "Lines", session: bytes) -> None:
        self._lines = lines
        self._piece = b',"s":"%b","q":' % session
        self.session = session
        self.q = 0
        self.heads: list[bytes] = []
        self.closed = False
        self._under: SegmentCipher | None = None
        self._cipher: SessionCipher | None = None

    def cipher(self, segment: SegmentCipher) -> SessionCipher:
        """This session's, in that segment."""
        cipher = self._cipher
        if cipher is None or self._under is not segment:
            cipher = self._cipher = segment.session(self.session)
            self._under = segment
        return cipher

    def moment(self) -> int:
        lines = self._lines
        if not lines.stamp:
            lines.take_stamp()
        return lines.moment

    def line(self, kind: str, head: bytes = b"", body: bytes | None = None) -> int:
        """Append one line to the turn and return its q. Nothing is on disk before the writer's flush.

        kind: one of KINDS; `close` is a session's last. head: HEAD's further members as rendered JSON, each
        with its leading comma (`b',"d":"permit"'`). body: BODY's members without the salt
        (`b'"text":"…"'`), or None. Raises JournalFailed once the writer has failed, ValueError for a line
        after `close`, KeyError for an unknown kind.
        """
        lines = self._lines
        stamp = lines.stamp or lines.take_stamp()
        if self.closed:
            raise ValueError("the session's record is closed")
        n = lines.n + 1
        q = self.q + 1
        pending = lines.pending
        segment = lines.cipher
        if segment is not None:
            before = b"%b%d%b%b%b%d" % (lines.start, n, stamp, _KIND[kind], self._piece, q)
            text = lines.encrypted(self.cipher(segment), before, head, body)
        elif body is None:
            text = b"%b%d%b%b%b%d%b}" % (lines.start, n, stamp, _KIND[kind], self._piece, q, head)
            pending.append(text)
        else:
            salted = b'{"salt":"%b",%b}' % (lines.salt(), body)
            text = b'%b%d%b%b%b%d%b,"h":"%b"}' % (
                lines.start, n, stamp, _KIND[kind], self._piece, q, head, hexlify(_digest(salted)),
            )  # fmt: skip
            pending.append(text)
            pending.append(b"\t")
            pending.append(salted)
        pending.append(b"\n")
        lines.n = n
        self.q = q
        heads = self.heads
        if not heads:
            lines.touched.append(self)
        heads.append(text)
        lines.authors.append(self)
        if kind == "close":
            lines.closing(self)
        return q


class Lines:
    """A writer's lines between two flushes, and the HEADs of the open block.

    clock, boot: nanoseconds, wall clock since the epoch and a clock that counts from the machine's start.
    token: that many random bytes. failure: why nothing can be written any more; empty while all is well.
    moment: the boot clock of `stamp`.
    """

    __slots__ = (
        "_at", "_boot", "_clock", "_closed", "_salts", "_token", "authors", "block", "cipher", "failure",
        "first", "last_stamp", "moment", "n", "open", "own", "pending", "prev", "stamp", "start", "touched",
        "writer",
    )  # fmt: skip

    def __init__(
        self, writer: str, clock: Callable[[], int], boot: Callable[[], int], token: Callable[[int], bytes]
    ) -> None:
        self.writer = check_id(writer)
        self.start = b'{"v":1,"w":"%b","n":' % self.writer
        self._clock = clock
        self._boot = boot
        self._token = token
        self._salts = b""
        self._at = 0
        self.stamp = b""
        self.moment = 0
        self.last_stamp = b""
        self.failure = ""
        self.n = 0
        self.first = 1
        self.block = 1
        self.prev = START
        self.pending: list[bytes] = []
        self.authors: list[SessionLines] = []
        self.touched: list[SessionLines] = []
        self.open: dict[bytes, SessionLines] = {}
        self._closed: list[SessionLines] = []
        self.cipher: SegmentCipher | None = None
        self.own = SessionLines(self, b"")

    def session(self, session: str) -> SessionLines:
        """The open session of that id; a new one at q = 0 if there is none."""
        raw = check_id(session)
        found = self.open.get(raw)
        if found is None:
            found = SessionLines(self, raw)
            self.open[raw] = found
        return found

    def line(self, kind: str, head: bytes = b"", body: bytes | None = None) -> None:
        """Append a line of no session. As SessionLines.line."""
        stamp = self.stamp or self.take_stamp()
        own = self.own
        n = self.n + 1
        text = b"%b%d%b%b%b" % (self.start, n, stamp, _KIND[kind], head)
        segment = self.cipher
        if segment is not None and kind not in _CLEAR:
            before = b"%b%d%b%b" % (self.start, n, stamp, _KIND[kind])
            text = self.encrypted(own.cipher(segment), before, head, body)
        elif body is None:
            text += b"}"
            self.pending.append(text)
        else:
            salted = b'{"salt":"%b",%b}' % (self.salt(), body)
            text += b',"h":"%b"}' % hexlify(_digest(salted))
            self.pending += [text, b"\t", salted]
        self.pending.append(b"\n")
        self.n = n
        if not own.heads:
            self.touched.append(own)
        own.heads.append(text)
        self.authors.append(own)

    def encrypted(self, cipher: SessionCipher, before: bytes, head: bytes, body: bytes | None) -> bytes:
        """Put a line that begins so among the pending ones, but for its LF, and return its HEAD."""
        text = before
        if head:
            text = b'%b,"z":"%b"' % (before, cipher.encrypt(head, HEAD, before))
        if body is None:
            text = b"%b}" % text
            self.pending.append(text)
            return text
        salted = b'{"salt":"%b",%b}' % (self.salt(), body)
        stored = b"%b%b%b" % (BEFORE, cipher.encrypt(salted, BODY, before), AFTER)
        text = b'%b,"h":"%b"}' % (text, hexlify(_digest(stored)))
        self.pending += [text, b"\t", stored]
        return text

    def take_stamp(self) -> bytes:
        """Read the clocks for this turn. Raises JournalFailed once the writer has failed."""
        if self.failure:
            raise JournalFailed("the session's record can't be written", self.failure)
        self.moment = self._boot()
        self.stamp = render_stamp(self._clock(), self.moment)
        return self.stamp

    def salt(self) -> bytes:
        """16 random bytes as 32 hex digits, never used before."""
        at = self._at
        if at >= len(self._salts):
            self._salts = hexlify(self._token(16 * _SALTS))
            at = 0
        self._at = at + 32
        return self._salts[at : at + 32]

    def closing(self, session: SessionLines) -> None:
        """A session wrote its `close`."""
        session.closed = True
        self.open.pop(session.session, None)
        self._closed.append(session)

    def taken(self) -> None:
        """The pending lines are on disk: the turn is over."""
        if self.pending:
            self.last_stamp = self.stamp
        self._forget()

    def _forget(self) -> None:
        self.pending.clear()
        self.authors.clear()
        self._closed.clear()
        self.stamp = b""

    def rollback(self) -> None:
        """Forget the pending lines, as if they had never been appended."""
        for session in self._closed:
            session.closed = False
            self.open[session.session] = session
        for author in reversed(self.authors):
            author.heads.pop()
            if author is not self.own:
                author.q -= 1
            self.n -= 1
        self.touched = [author for author in self.touched if author.heads]
        self._forget()

    def close_block(self) -> Block | None:
        """Digest the open block, pending lines included; None if nothing stands in it. Changes nothing."""
        if self.n < self.first:
            return None
        leaves = [leaf(author.session, author.heads) for author in self.touched if author.heads]
        digest = root(self.prev, leaves)
        stamp = self.stamp if self.pending else self.last_stamp
        line = render_seal(self.writer, self.n + 1, stamp, self.block, self.first, self.n, self.prev, digest)
        return Block(self.block, self.first, self.n, digest, line)

    def sealed(self, block: Block) -> None:
        """The block and its seal are on disk: begin the next one."""
        for author in self.touched:
            author.heads = []
        self.touched = []
        self.n = block.last + 1
        self.first = block.last + 2
        self.block = block.number + 1
        self.prev = block.root
