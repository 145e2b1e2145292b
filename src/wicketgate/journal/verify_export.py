"""Is an exported session what was written, and whole? Needs the file and the public key, nothing else.
It must never call a line sound from which no chain of blocks leads to a root that a true checkpoint names.
"""

from base64 import urlsafe_b64decode
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256

import orjson

from wicketgate.journal.blocks import leaf, root
from wicketgate.journal.checkpoint import Checkpoint, CheckpointForged, Trust, parse_checkpoint
from wicketgate.journal.decrypt import open_line
from wicketgate.journal.encrypt import LENGTH, NotOpened, SessionCipher
from wicketgate.journal.parse import Line, LineMalformed, parse
from wicketgate.journal.report import Fault, Finding, Report, Tail


@dataclass(frozen=True, slots=True)
class _Header:
    session: str
    node: str
    writer: str


@dataclass(frozen=True, slots=True)
class _Block:
    segment: int
    block: int
    last: int
    prev: bytes
    root: bytes
    leaves: tuple[bytes, ...]


def _read_header(record: bytes) -> _Header | None:
    try:
        members = orjson.loads(record)
    except orjson.JSONDecodeError:
        return None
    match members:
        case {"v": 1, "export": "session", "session": str(session), "node": str(node), "writer": str(writer)}:
            return _Header(session, node, writer) if session else None
    return None


def _read_block(record: bytes) -> _Block | None:
    try:
        match orjson.loads(record):
            case {
                "segment": int(segment),
                "block": int(block),
                "last": int(last),
                "prev": str(prev),
                "root": str(digest),
                "leaves": list(leaves),
            }:
                raw = tuple(bytes.fromhex(str(one)) for one in leaves)
                return _Block(segment, block, last, bytes.fromhex(prev), bytes.fromhex(digest), raw)
    except ValueError:  # JSON's and hex's errors both are
        return None
    return None


def read_cipher(record: bytes) -> SessionCipher | None:
    """What a `K` record opens lines with; None where it can't be read."""
    try:
        match orjson.loads(record):
            case {"segment": int(), "key": str(key)}:
                raw = urlsafe_b64decode(key)
                return SessionCipher(raw) if len(raw) == LENGTH else None
    except ValueError:
        return None
    return None


def verify_export(
    data: bytes, public_key: bytes | Iterable[bytes], expect: Checkpoint | None = None
) -> Report:
    """Verify what `export` made. public_key: raw Ed25519, or several. expect: a checkpoint kept elsewhere; it
    must vouch for a block that lines of the session lead to."""
    keys = [public_key] if isinstance(public_key, bytes) else list(public_key)
    return _Check(keys, expect).run(data)


class _Check:
    def __init__(self, keys: list[bytes], expect: Checkpoint | None) -> None:
        self._keys = keys
        self._expect = expect
        self._report = Report(writers=1)
        self._header: _Header | None = None
        self._positions: dict[int, set[tuple[int, str]]] = {}
        self._expected: dict[int, tuple[int, str]] = {}
        self._tied = False
        self._chained = False  # the blocks without a gap up to here hold lines of the session
        self._block: _Block | None = None
        self._cipher: SessionCipher | None = None
        self._before: _Block | None = None
        self._own: list[Line] = []
        self._sealed = True
        self._q = 0
        self._closed = False
        self._last = self._sealed_to = self._witnessed = 0
        self._owing: list[Line] = []
        self._unproven: list[Line] = []

    def _note(self, fault: Fault, detail: str, line: int | None = None) -> None:
        header, block = self._header, self._block
        self._report.findings.append(
            Finding(
                fault,
                detail,
                header.node if header else None,
                header.writer if header else None,
                block.segment if block else None,
                block.block if block else None,
                line,
                None,
                header.session if header else None,
            )
        )

    def run(self, data: bytes) -> Report:
        records = data.split(b"\n")
        if records[-1] != b"":
            self._note(Fault.TORN, "the file's last record is torn")
        records.pop()
        if not records or not records[0].startswith(b"H "):
            self._note(Fault.UNREADABLE, "this is not an exported session")
            return self._report
        self._header = _read_header(records[0][2:])
        if self._header is None:
            self._note(Fault.UNREADABLE, "this is not an exported session that this program knows")
            return self._report
        self._checkpoints(self._header, [one[2:] for one in records if one.startswith(b"C ")])
        for record in records[1:]:
            self._record(self._header, record)
        self._end_block()
        self._finish(self._header)
        return self._report

    def _checkpoints(self, header: _Header, records: list[bytes]) -> None:
        found: list[Checkpoint] = [] if self._expect is None else [self._expect]
        for record in records:
            try:
                found.append(parse_checkpoint(record))
            except CheckpointForged as error:
                self._note(Fault.CHECKPOINT_FORGED, f"a checkpoint is malformed: {error}")
        trust = Trust(self._keys)
        numbers: dict[int, str] = {}
        for checkpoint in sorted({one.digest(): one for one in found}.values(), key=lambda one: one.number):
            try:
                trust.accept(checkpoint)
            except CheckpointForged as error:
                self._note(Fault.CHECKPOINT_FORGED, str(error))
                continue
            if checkpoint.node != header.node:
                self._note(Fault.CHECKPOINT_FORGED, f"checkpoint {checkpoint.number} is another node's")
                continue
            if numbers.setdefault(checkpoint.number, checkpoint.digest()) != checkpoint.digest():
                detail = f"there are two checkpoints {checkpoint.number}, both signed"
                self._note(Fault.CHECKPOINT_FORKED, detail)
            self._report.checkpoints += 1
            for position in checkpoint.writers:
                if position.writer == header.writer:
                    named = position.segment, position.root
                    self._positions.setdefault(position.n, set()).add(named)
                    if checkpoint == self._expect:
                        self._expected[position.n] = named

    def _record(self, header: _Header, record: bytes) -> None:
        if record.startswith(b"B "):
            self._end_block()
            self._block = _read_block(record[2:])
            if self._block is None or not self._sealed:
                self._note(Fault.SEAL_CHANGED, "a block's record is malformed or out of place")
        elif record == b"T":
            self._end_block()
            self._sealed = False
        elif record.startswith(b"K "):
            self._cipher = read_cipher(record[2:])
            if self._cipher is None:
                self._note(Fault.KEY_FALSE, "a key's record can't be read")
        elif record.startswith(b"L "):
            self._line(header, record[2:])
        elif not record.startswith(b"C "):
            self._note(Fault.LINES_STRANGE, "a record of no known kind")

    def _line(self, header: _Header, raw: bytes) -> None:
        try:
            line = parse(raw)
        except LineMalformed as error:
            self._note(Fault.HEAD_CHANGED, f"a line can't be read: {error}")
            return
        if (line.session, line.writer) != (header.session, header.writer):
            self._note(Fault.LINES_STRANGE, "a line of another session or writer", line.n)
            return
        self._report.lines += 1
        self._own.append(line)
        self._owing.append(line)
        block = self._block
        if block is None and self._sealed:
            self._note(Fault.LINES_STRANGE, "a line that stands in no block", line.n)
        elif block is not None and line.n > block.last:
            self._note(Fault.LINES_STRANGE, "a line that isn't of its block", line.n)
        if line.n <= self._last:
            self._note(Fault.LINES_REORDERED, "lines are out of order", line.n)
        self._last = line.n
        if line.q != self._q + 1 or self._closed:
            detail = f"the session's line {line.q} follows on its line {self._q}"
            self._note(Fault.SESSION_GAP, detail, line.n)
        self._q = line.q
        self._closed = self._closed or line.kind == "close"
        self._body(line)

    def _body(self, line: Line) -> None:
        if line.body is None:
            if line.digest is not None:
                self._report.erased += 1
                self._note(Fault.ERASED, f"the BODY of line {line.n} was erased before the export", line.n)
        elif line.digest is None or sha256(line.body).hexdigest() != line.digest:
            self._note(
                Fault.BODY_CHANGED, f"the BODY of line {line.n} isn't the one that was written", line.n
            )

        if self._cipher is not None:
            try:
                open_line(line, self._cipher)
            except NotOpened as error:
                detail = f"the file's key does not open line {line.n}: {error}"
                self._note(Fault.KEY_FALSE, detail, line.n)

    def _end_block(self) -> None:
        block, own = self._block, self._own
        self._own = []
        if block is None or self._header is None:
            return
        self._report.blocks += 1
        before = self._before
        if before is not None and block.block <= before.block:
            self._note(Fault.BLOCKS_REORDERED, f"block {block.block} stands behind block {before.block}")
        if before is not None and block.block == before.block + 1 and block.prev != before.root:
            self._note(Fault.CHAIN_BROKEN, f"block {block.block} doesn't continue block {before.block}")
        if before is not None and block.prev != before.root:
            # Nothing leads on from these lines: no later checkpoint vouches for them.
            kept = len(self._owing) - len(own)
            self._unproven += self._owing[:kept]
            del self._owing[:kept]
            self._chained = False
        self._chained = self._chained or bool(own)
        leaves = list(block.leaves)
        if own:
            leaves.append(leaf(self._header.session.encode(), [line.head for line in own]))
            self._sealed_to = own[-1].n
        if root(block.prev, leaves) != block.root:
            detail = f"the lines of block {block.block} don't give its root"
            self._note(Fault.HEAD_CHANGED, detail, own[0].n if own else None)
        witness = self._positions.get(block.last)
        if witness is not None:
            if witness == {(block.segment, block.root.hex())}:
                self._owing.clear()
                self._witnessed = self._last
                self._tied = self._tied or (self._chained and block.last in self._expected)
            else:
                self._note(Fault.CHECKPOINT_UNMET, f"a checkpoint signed another block {block.block}")
        self._before, self._block = block, None

    def _finish(self, header: _Header) -> None:
        self._unproven += self._owing
        if self._unproven:
            first = self._unproven[0].n
            detail = f"no checkpoint vouches for {len(self._unproven)} lines, from line {first} on"
            # Behind lines that a checkpoint vouches for, all is vouched for that an honest export carries.
            hollow = first <= self._witnessed
            self._note(Fault.BLOCKS_MISSING if hollow else Fault.UNWITNESSED, detail, first)
        elif not self._report.lines:
            self._note(Fault.UNWITNESSED, "there is no line of the session in it")
        if self._expect is not None and not self._tied:
            detail = (
                f"checkpoint {self._expect.number}, which is expected, vouches for none of the lines here"
            )
            self._note(Fault.EXPECT_UNTIED, detail)
        if self._closed:
            self._report.sessions_closed = 1
        else:
            self._report.sessions_open = 1
            detail = f"no `close` follows on line {self._q} of the session: its end is not proven"
            self._note(Fault.END_UNPROVEN, detail)
        self._report.tails.append(
            Tail(
                header.node,
                header.writer,
                self._last,
                self._sealed_to,
                self._witnessed,
                len(self._unproven),
                sum(len(line.head) + len(line.body or b"") + 1 for line in self._unproven),
            )
        )
