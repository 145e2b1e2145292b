"""What stands between two seals: whether those lines are all there, once, in order, and which root they give.
It only judges what it is handed: no files, no state from one block to the next."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from wicketgate.journal.blocks import leaf, root
from wicketgate.journal.lines import render_seal, render_stamp
from wicketgate.journal.parse import Line
from wicketgate.journal.report import Fault


@dataclass(frozen=True, slots=True)
class Entry:
    """One line as it was read. line: None where the bytes make no line of this writer."""

    raw: bytes
    line: Line | None


@dataclass(frozen=True, slots=True)
class Seal:
    """A line of kind `seal`. n: its own number. first, last: the block's lines. head: its exact bytes."""

    n: int
    block: int
    first: int
    last: int
    prev: bytes
    root: bytes
    head: bytes


@dataclass(frozen=True, slots=True)
class Flaw:
    """What is wrong with a block or a tail; the walk knows whose it is and says so in its findings."""

    fault: Fault
    detail: str
    block: int | None = None
    line: int | None = None
    through: int | None = None


def read_seal(line: Line) -> Seal | None:
    """What a line of kind `seal` says; None where it can't be read."""
    match line.members:
        case {
            "block": int(block),
            "first": int(first),
            "last": int(last),
            "prev": str(prev),
            "root": str(digest),
        }:
            try:
                return Seal(line.n, block, first, last, bytes.fromhex(prev), bytes.fromhex(digest), line.head)
            except ValueError:
                return None
    return None


def block_root(prev: bytes, lines: Iterable[Line]) -> bytes:
    """The root that these lines give, behind a block of root `prev`."""
    heads: dict[str, list[bytes]] = {}
    for line in lines:
        heads.setdefault(line.session, []).append(line.head)
    return root(prev, [leaf(session.encode(), own) for session, own in heads.items()])


def spell(numbers: Iterable[int]) -> str:
    """Line numbers for an operator: `4`, `4 to 9`, `4, 7, 9 …`."""
    found = sorted(numbers)
    if len(found) > 1 and found[-1] - found[0] == len(found) - 1:
        return f"{found[0]} to {found[-1]}"
    return ", ".join(map(str, found[:5])) + (" …" if len(found) > 5 else "")


def _numbers(entries: Sequence[Entry]) -> list[int]:
    """Each line's number; 0 for what is no line."""
    return [entry.line.n if entry.line is not None else 0 for entry in entries]


def judge_block(seal: Seal, entries: Sequence[Entry], writer: str) -> tuple[bytes | None, list[Flaw]]:
    """A block's lines against its seal. The root that they give (None: they say nothing), and what is wrong.

    The root itself is not compared here: whose fault a difference is, only the next block or a checkpoint
    tells.
    """
    wanted = range(seal.first, seal.last + 1)
    numbers = _numbers(entries)
    flaws: list[Flaw] = []
    if numbers != list(wanted):
        flaws, readable = _disorder(seal, numbers, wanted)
        if not readable:
            return None, flaws
    lines = {entry.line.n: entry.line for entry in entries if entry.line and entry.line.n in wanted}
    ordered = [lines[n] for n in sorted(lines)]
    computed = block_root(seal.prev, ordered)
    last = ordered[-1]
    stamp = render_stamp(last.wall, last.boot)
    told = render_seal(
        writer.encode(), seal.last + 1, stamp, seal.block, seal.first, seal.last, seal.prev, seal.root
    )
    if seal.head != told:
        detail = f"the seal of block {seal.block} isn't what its block makes it"
        flaws.append(Flaw(Fault.SEAL_CHANGED, detail, seal.block, seal.n))
    return computed, flaws


def _disorder(seal: Seal, numbers: Sequence[int], wanted: range) -> tuple[list[Flaw], bool]:
    """What is wrong with these line numbers, and whether the lines still give a root."""
    flaws: list[Flaw] = []
    present = set(numbers)
    # A number that is nowhere, where another stands in its place: that line's HEAD was changed.
    if len(numbers) == len(wanted) and all(
        number == want or want not in present for number, want in zip(numbers, wanted, strict=True)
    ):
        at = spell(want for number, want in zip(numbers, wanted, strict=True) if number != want)
        detail = f"line {at} of block {seal.block} is changed"
        return [Flaw(Fault.HEAD_CHANGED, detail, seal.block, seal.first, seal.last)], False
    missing = set(wanted) - present if len(wanted) < 1 << 20 else set()
    inside = [number for number in numbers if number in wanted]
    if missing:
        detail = f"line {spell(missing)} of block {seal.block} is missing"
        flaws.append(Flaw(Fault.LINES_MISSING, detail, seal.block, min(missing), max(missing)))
    if len(inside) < len(numbers):
        detail = f"block {seal.block} holds {len(numbers) - len(inside)} lines that aren't its own"
        flaws.append(Flaw(Fault.LINES_STRANGE, detail, seal.block, seal.first, seal.last))
    if len(set(inside)) < len(inside):
        twice = {number for number in inside if inside.count(number) > 1}
        detail = f"line {spell(twice)} of block {seal.block} stands there more than once"
        flaws.append(Flaw(Fault.LINES_DUPLICATED, detail, seal.block, min(twice), max(twice)))
    elif inside != sorted(inside):
        detail = f"the lines of block {seal.block} are out of order"
        flaws.append(Flaw(Fault.LINES_REORDERED, detail, seal.block, seal.first, seal.last))
    return flaws, not missing and bool(inside)


def judge_tail(entries: Sequence[Entry], first: int, torn: bytes, last: int) -> list[Flaw]:
    """The lines behind the last seal. first: the number that they begin with. torn: a line without an end.

    last: the writer's last whole line.
    """
    flaws: list[Flaw] = []
    numbers = _numbers(entries)
    wanted = list(range(first, first + len(numbers)))
    if numbers != wanted:
        bad = next(want for number, want in zip(numbers, wanted, strict=True) if number != want)
        inside = sorted(number for number in numbers if number)
        if inside == wanted:
            fault, detail = Fault.LINES_REORDERED, "lines behind the last seal are out of order"
        elif len(set(inside)) < len(inside):
            fault, detail = Fault.LINES_DUPLICATED, "a line behind the last seal stands there twice"
        elif len(inside) < len(numbers):
            fault, detail = Fault.LINES_STRANGE, f"line {bad}, behind the last seal, is no line"
        else:
            fault, detail = Fault.LINES_MISSING, f"line {bad}, behind the last seal, is missing"
        flaws.append(Flaw(fault, detail, line=bad))
    if torn:
        detail = f"the last line is torn: {len(torn)} bytes without an end"
        flaws.append(Flaw(Fault.TORN, detail, line=last + 1))
    return flaws
