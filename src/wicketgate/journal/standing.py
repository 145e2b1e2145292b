"""Whether a writer's lines are vouched for: by checkpoints, by a recorded end, or as a live one's newest.
It must never let traffic pass for sound that a writer holds of whom no checkpoint ever spoke.
"""

from dataclasses import dataclass

from wicketgate.journal.contents import Flaw
from wicketgate.journal.parse import Line
from wicketgate.journal.report import Fault
from wicketgate.journal.witness import Orphan, Witnesses

QUIET = frozenset({"begin", "admin", "grant", "seal", "orphan", "checkpoint", "gone"})
"""Kinds that speak of no traffic: all that control processes and commands without a gateway write."""
GRACE = 60_000_000_000
"""Nanoseconds. A new writer is named by a checkpoint at once; this is what a slow store may take."""


@dataclass(slots=True)
class Traffic:
    """The lines of one writer that speak of traffic. behind: those that no checkpoint vouches for."""

    began: int = 0
    first: int = 0
    behind: int = 0
    behind_first: int = 0
    last: int = 0

    def add(self, line: Line) -> None:
        self.began = self.began or line.wall
        if line.kind in QUIET and not line.session:
            return
        self.first = self.first or line.n
        self.behind_first = self.behind_first or line.n
        self.behind += 1
        self.last = line.n

    def witnessed(self) -> None:
        """A checkpoint vouches for all so far."""
        self.behind = self.behind_first = 0


@dataclass(frozen=True, slots=True)
class End:
    """Where a writer's files end. segment: the last. last, root: of the last sealed block; 0, "" if none."""

    segment: int
    last: int
    root: str
    digest: str

    def is_of(self, recorded: Orphan) -> bool:
        return (self.segment, self.last, self.root, self.digest) == (
            recorded.segment,
            recorded.last,
            recorded.root,
            recorded.digest,
        )


def judge_standing(
    node: str, writer: str, end: End, traffic: Traffic, witnesses: Witnesses
) -> tuple[list[Flaw], bool]:
    """What is to be said of the writer, and whether its recorded end vouches for all that is there."""
    place = node, writer
    named = bool(witnesses.positions.get(place))
    flaws: list[Flaw] = []
    ends = witnesses.ends.get(place, [])
    recorded = [*ends, *witnesses.orphans.get(place, [])]
    if any(not end.is_of(one) for one in recorded):
        detail = "the writer's files don't end as was recorded when it ended"
        flaws.append(Flaw(Fault.TAIL_CHANGED, detail, line=recorded[-1].last + 1, through=None))
    elif any(one.lines or one.torn for one in recorded):
        detail = f"the writer died and left {recorded[-1].lines} unsealed lines"
        flaws.append(Flaw(Fault.ORPHAN, detail, line=recorded[-1].last + 1))
    if place in witnesses.control and traffic.first:
        detail = "lines of sessions stand in the control process's journal, which holds none"
        flaws.append(Flaw(Fault.LINES_STRANGE, detail, line=traffic.first, through=traffic.last))
    vouched = bool(ends) and (named or any(one.own for one in ends))
    if not named and not vouched:
        flaws += _unnamed(node, traffic, witnesses)
    return flaws, vouched


def _unnamed(node: str, traffic: Traffic, witnesses: Witnesses) -> list[Flaw]:
    if not traffic.first:
        detail = "no checkpoint names this writer, in which there is nothing of any session"
        return [Flaw(Fault.OFFLINE, detail)]
    newest = witnesses.nodes.get(node, 0)
    if newest and traffic.began < newest - GRACE:
        detail = "no checkpoint names this writer, though later ones were signed: its lines were added"
        return [Flaw(Fault.WRITER_STRANGE, detail, line=traffic.first, through=traffic.last)]
    detail = "no checkpoint names this writer: nothing vouches for its lines"
    return [Flaw(Fault.UNWITNESSED, detail, line=traffic.first, through=traffic.last)]
