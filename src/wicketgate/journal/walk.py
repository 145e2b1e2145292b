"""One writer's journal, walked from its first line to its last: every digest computed again.
It must go on after a fault, and blame the smallest place that the fault can be shown to lie in."""

from hashlib import sha256

from wicketgate.journal.blocks import START, tail
from wicketgate.journal.checkpoint import Position
from wicketgate.journal.contents import (
    Entry,
    Flaw,
    Seal,
    block_root,
    judge_block,
    judge_tail,
    read_seal,
    spell,
)
from wicketgate.journal.keyfile import read_key
from wicketgate.journal.parse import Line, LineMalformed, parse
from wicketgate.journal.report import Fault, Finding, Report, Tail
from wicketgate.journal.segments import RawLine, WriterFiles, read_lines
from wicketgate.journal.standing import End, Traffic, judge_standing
from wicketgate.journal.witness import Witnesses

_ROOTS = 4096
"""Blocks whose roots are remembered, to check one that stands in the wrong place."""


class Walk:
    """The state of one walk; `run` adds to the report."""

    def __init__(self, files: WriterFiles, witnesses: Witnesses, report: Report) -> None:
        self._files = files
        self._witnesses = witnesses
        self._report = report
        self._positions: dict[int, tuple[int, Position]] = dict(
            witnesses.positions.get((files.node, files.writer), {})
        )
        self._segment = 0
        self._entries: list[Entry] = []
        self._block = 1
        self._first = 1
        self._prev = START
        self._suspect: tuple[Seal, bytes] | None = None  # a seal whose root isn't the computed one
        self._roots: dict[int, bytes] = {0: START}
        self._gaps: set[int] = set()
        self._sessions: dict[str, int] = {}
        self._traffic = Traffic()
        self._wall = self._boot = 0
        self._last = self._sealed = self._witnessed = 0
        self._behind_lines = self._behind_size = 0
        self._witnessed_block = 0
        self._unmet = False

    def run(self) -> None:
        """Walk all segments. Raises OSError."""
        present = self._files.segments
        wanted = max([*present, *(at.segment for _, at in self._positions.values())], default=0)
        absent = set(range(1, wanted + 1)) - set(present)
        if absent:
            self._note(Fault.SEGMENT_MISSING, f"segment {spell(absent)} is missing", segment=min(absent))
        self._report.writers += 1
        torn = b""
        for number in sorted(present):
            if self._entries or torn:
                detail = "the segment ends without a seal, and there is a later one"
                self._note(Fault.TAIL_CUT, detail, line=self._last)
                self._entries.clear()
            self._segment = number
            self._report.segments += 1
            torn = b""
            for at, raw in enumerate(read_lines(present[number])):
                self._behind_size += len(raw.data) + (not raw.torn)
                if raw.torn:
                    torn = raw.data
                else:
                    self._line(raw, at == 0)
        self._finish(torn, absent)

    def _note(
        self,
        fault: Fault,
        detail: str,
        block: int | None = None,
        line: int | None = None,
        through: int | None = None,
        session: str | None = None,
        segment: int | None = None,
    ) -> None:
        self._report.findings.append(
            Finding(
                fault,
                detail,
                self._files.node,
                self._files.writer,
                segment or self._segment or None,
                block,
                line,
                through,
                session,
            )
        )

    def _flaw(self, flaw: Flaw) -> None:
        self._note(flaw.fault, flaw.detail, flaw.block, flaw.line, flaw.through)

    # -- lines ----------------------------------------------------------------------------------------------
    def _line(self, raw: RawLine, opens: bool) -> None:
        self._report.lines += 1
        self._behind_lines += 1
        try:
            line: Line | None = parse(raw.data)
        except LineMalformed:
            line = None
        if line is None or line.writer != self._files.writer:
            self._entries.append(Entry(raw.data, None))
            return
        self._last = max(self._last, line.n)
        if opens:
            self._check_begin(line)
        if line.wall < self._wall:
            detail = f"the wall clock went back by {(self._wall - line.wall) / 1e9:.3f} s"
            self._note(Fault.CLOCK_BACK, detail, line=line.n)
        if line.boot < self._boot:
            detail = f"the boot clock went back by {(self._boot - line.boot) / 1e9:.3f} s"
            self._note(Fault.CLOCK_BACK, detail, line=line.n)
        self._wall, self._boot = line.wall, line.boot
        self._check_body(line)
        if line.kind == "seal":
            seal = read_seal(line)
            if seal is None:
                self._entries.append(Entry(raw.data, None))
            else:
                self._seal(seal)
            return
        self._entries.append(Entry(raw.data, line))
        self._traffic.add(line)
        if line.session:
            self._check_session(line)

    def _check_begin(self, line: Line) -> None:
        says = (line.kind, line.members.get("node"), line.members.get("segment"))
        if says != ("begin", self._files.node, self._segment):
            detail = "the segment's first line isn't the `begin` of this place"
            self._note(Fault.SEGMENT_MISPLACED, detail, line=line.n)
        elif line.members.get("prev") != self._prev.hex() and not self._gaps:
            detail = "the segment doesn't continue the one before it"
            self._note(Fault.CHAIN_BROKEN, detail, line=line.n)
        if "key" in line.members:
            self._check_key(line.members["key"])

    def _check_key(self, wanted: object) -> None:
        """Whether the key that the segment was encrypted with lies beside it, wrapped."""
        files = self._files
        path = files.keys.get(self._segment)
        try:
            if path is None:
                detail = "the segment is encrypted, and its wrapped key is missing: nobody can read it"
            elif read_key(path, files.node, files.writer, self._segment).id != wanted:
                detail = f"{path.name} is another segment's: nobody can read this one"
            else:
                return
        except ValueError as error:
            detail = f"{path.name if path else 'its key'} can't be read: {error}"
        self._note(Fault.KEY_LOST, detail)

    def _check_body(self, line: Line) -> None:
        if line.body is None:
            if line.digest is None:
                return
            if self._witnesses.allows(line):
                self._report.erased += 1
                return
            detail = f"line {line.n} has lost its BODY, and nothing that is witnessed allows it"
            self._note(Fault.BODY_MISSING, detail, line=line.n, session=line.session or None)
        elif line.digest is None or sha256(line.body).hexdigest() != line.digest:
            detail = f"the BODY of line {line.n} isn't the one that was written"
            self._note(Fault.BODY_CHANGED, detail, line=line.n, session=line.session or None)

    def _check_session(self, line: Line) -> None:
        before = self._sessions.get(line.session, 0)
        if line.q != before + 1:
            detail = f"the session's line {line.q} follows on its line {before}"
            self._note(Fault.SESSION_GAP, detail, line=line.n, session=line.session)
        if line.kind == "close":
            self._sessions.pop(line.session, None)
            self._report.sessions_closed += 1
        else:
            self._sessions[line.session] = line.q

    # -- blocks ---------------------------------------------------------------------------------------------
    def _seal(self, seal: Seal) -> None:
        self._report.blocks += 1
        entries, self._entries = self._entries, []
        if seal.block > self._block:
            entries = self._skip(seal, entries)
        elif seal.block < self._block:
            known = seal.block not in self._gaps
            self._gaps.discard(seal.block)
            fault = Fault.BLOCKS_DUPLICATED if known else Fault.BLOCKS_REORDERED
            detail = f"block {seal.block} stands behind block {self._block - 1}"
            self._note(fault, detail, block=seal.block, line=seal.first, through=seal.last)
        computed, flaws = judge_block(seal, entries, self._files.writer)
        for flaw in flaws:
            self._flaw(flaw)
        self._check_chain(seal)
        if computed is not None and computed != seal.root:
            self._judge(seal, computed)
        self._check_position(seal, computed)
        self._roots[seal.block] = seal.root
        self._roots.pop(seal.block - _ROOTS, None)
        if seal.block >= self._block:
            self._prev = seal.root
            self._block = seal.block + 1
            self._first = seal.n + 1
            self._sealed = max(self._sealed, seal.n)

    def _skip(self, seal: Seal, entries: list[Entry]) -> list[Entry]:
        """Blocks are missing before this one, or their seals can't be read."""
        cut = next(
            (at for at, entry in enumerate(entries) if entry.line is not None and entry.line.n >= seal.first),
            len(entries),
        )
        early = [entry.line for entry in entries[:cut] if entry.line is not None]
        missing = range(self._block, seal.block)
        if not early:
            detail = f"block {spell(missing)} is missing"
            self._note(
                Fault.BLOCKS_MISSING, detail, block=self._block, line=self._first, through=seal.first - 1
            )
            self._gaps.update(missing)
        elif len(missing) == 1 and block_root(self._prev, early) == seal.prev:
            detail = f"the seal of block {self._block} is changed or missing; its lines are whole"
            self._note(Fault.SEAL_CHANGED, detail, block=self._block, line=seal.first - 1)
        else:
            detail = f"the lines and seals of block {spell(missing)} are changed"
            self._note(
                Fault.HEAD_CHANGED, detail, block=self._block, line=self._first, through=seal.first - 1
            )
        self._roots[seal.block - 1] = seal.prev
        return entries[cut:]

    def _check_chain(self, seal: Seal) -> None:
        before = self._roots.get(seal.block - 1)
        suspect, self._suspect = self._suspect, None
        if suspect is not None:
            told, computed = suspect
            if told.block == seal.block - 1 and seal.prev == computed:
                self._blame_seal(told)
                return
            self._blame_head(told)
        if before is not None and seal.prev != before:
            detail = f"block {seal.block} doesn't continue block {seal.block - 1}"
            self._note(Fault.CHAIN_BROKEN, detail, seal.block, seal.first, seal.last)

    def _judge(self, seal: Seal, computed: bytes) -> None:
        """Seal and HEADs disagree: the next block's `prev`, or a checkpoint, tells which was changed."""
        witness = self._positions.get(seal.last)
        if witness is None:
            self._suspect = seal, computed
        elif witness[1].root == computed.hex():
            self._blame_seal(seal)
        else:
            self._blame_head(seal)

    def _blame_seal(self, seal: Seal) -> None:
        detail = f"the seal of block {seal.block} names another root than its lines give"
        self._note(Fault.SEAL_CHANGED, detail, seal.block, seal.n)

    def _blame_head(self, seal: Seal) -> None:
        detail = f"a HEAD in block {seal.block} (lines {seal.first} to {seal.last}) is changed"
        self._note(Fault.HEAD_CHANGED, detail, seal.block, seal.first, seal.last)

    def _check_position(self, seal: Seal, computed: bytes | None) -> None:
        witness = self._positions.pop(seal.last, None)
        if witness is None:
            return
        number, position = witness
        digests = {seal.root.hex(), computed.hex() if computed is not None else ""}
        if position.root in digests and position.segment == self._segment:
            self._witnessed = max(self._witnessed, seal.last)
            self._witnessed_block = max(self._witnessed_block, seal.block)
            self._behind_lines = self._behind_size = 0
            self._traffic.witnessed()
        elif not self._unmet:
            self._unmet = True
            begin = self._witnessed_block + 1
            detail = (
                f"checkpoint {number} signed another history of block {spell(range(begin, seal.block + 1))}"
            )
            self._note(Fault.CHECKPOINT_UNMET, detail, begin, self._witnessed + 1, seal.last)

    # -- the end --------------------------------------------------------------------------------------------
    def _finish(self, torn: bytes, absent: set[int]) -> None:
        if self._suspect is not None:
            self._blame_head(self._suspect[0])
        self._check_tail(torn)
        unmet = [one for one in self._positions.values() if one[1].segment not in absent]
        beyond = [one for one in unmet if one[1].n > self._sealed]
        if beyond:
            number, position = max(beyond, key=lambda one: one[1].n)
            detail = f"checkpoint {number} signed lines up to {position.n}; sealed ones end at {self._sealed}"
            self._note(Fault.TAIL_CUT, detail, line=self._sealed + 1, through=position.n)
        elif unmet and not self._unmet:
            number, position = min(unmet, key=lambda one: one[1].n)
            detail = f"no block ends at line {position.n}, where checkpoint {number} says that one does"
            self._note(Fault.CHECKPOINT_UNMET, detail, line=position.n)
        for session, q in self._sessions.items():
            self._report.sessions_open += 1
            detail = f"the session has no `close`; its last line is {q}"
            self._note(Fault.SESSION_OPEN, detail, session=session)
        self._report.tails.append(
            Tail(
                self._files.node,
                self._files.writer,
                self._last,
                self._sealed,
                self._witnessed,
                self._behind_lines,
                self._behind_size,
            )
        )

    def _check_tail(self, torn: bytes) -> None:
        """The lines behind the last seal."""
        for flaw in judge_tail(self._entries, self._first, torn, self._last):
            self._flaw(flaw)
        heads = [entry.raw.partition(b"\t")[0] for entry in self._entries]
        root = self._prev.hex() if self._block > 1 else ""
        end = End(self._segment, max(self._sealed - 1, 0), root, tail(heads, torn).hex())
        flaws, vouched = judge_standing(
            self._files.node, self._files.writer, end, self._traffic, self._witnesses
        )
        for flaw in flaws:
            self._flaw(flaw)
        if vouched:
            self._behind_lines = self._behind_size = 0
