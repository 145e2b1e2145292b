"""Plays a corpus case against an address, direct or through the gateway, and keeps all the client saw."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

from corpus.cases import Batch, Case
from e2e.watch import come_in
from e2e.wire import Address, Frame, Wire, WireClosed

CHATTER = frozenset({b"K"})
"""Frames that differ from session to session by their nature."""


@dataclass(slots=True)
class Played:
    """What a client saw. signed_in: frames up to the first ReadyForQuery. answers: of each step with a batch.

    refused: the sign-in was turned away. lost: the connection ended before the case did."""

    signed_in: list[Frame] = field(default_factory=list)
    answers: list[list[Frame]] = field(default_factory=list)
    refused: bool = False
    lost: bool = False
    goes_on: bool = False

    @property
    def frames(self) -> list[Frame]:
        """Every frame, that of the sign-in too."""
        return [*self.signed_in, *(frame for answer in self.answers for frame in answer)]

    @property
    def raw(self) -> bytes:
        """What to search for planted values. A frame's end can't run into the next one's begin."""
        return b"\xff\xfe".join(frame.type + frame.body for frame in self.frames if frame.type not in CHATTER)

    @property
    def codes(self) -> list[str]:
        """SQLSTATE of every error after the sign-in."""
        return [
            frame.fields.get("C", "") for answer in self.answers for frame in answer if frame.type == b"E"
        ]

    def seen(self) -> list[list[tuple[bytes, bytes]]]:
        """The answers as they compare between two runs."""
        return [
            [(frame.type, frame.body) for frame in answer if frame.type not in CHATTER]
            for answer in self.answers
        ]


Pool = dict[tuple[str, int, str, str], Wire]
"""Connections that are signed in and on which nothing was let through but plain reads: as good as new."""


def play(case: Case, address: Address, beside: Callable[[str], object], pool: Pool | None = None) -> Played:
    """Run a case. beside: runs SQL as administrator, where a step asks for it. pool: connections kept."""
    if pool is not None and _single(case):
        return _play_again(case, address, pool, kept=_reads(case))
    played = Played()
    where = replace(address, parameters={**address.parameters, **case.login})
    wires: dict[int, Wire] = {}
    try:
        for step in case.steps:
            if step.beside is not None:
                beside(step.beside)
                continue
            assert step.batch is not None
            if step.connection not in wires:
                try:
                    wires[step.connection] = come_in(where)
                except WireClosed as error:
                    played.refused = True
                    played.signed_in.append(Frame(b"E", b"M" + str(error).encode()))
                    return played
                played.signed_in += wires[step.connection].frames
            before = len(wires[step.connection].frames)
            try:
                exchange(wires[step.connection], step.batch)
            except WireClosed:
                played.lost = True
                return played
            finally:
                played.answers.append(wires[step.connection].frames[before:])
        played.goes_on = all(_goes_on(wire) for wire in wires.values())
        return played
    finally:
        for wire in wires.values():
            wire.close()


def _single(case: Case) -> bool:
    """Whether a case is one query on a plain connection."""
    (step, *others) = case.steps
    return not others and not case.login and step.batch is not None and step.batch.sent[:1] == b"Q"


_READS = (b"select", b"with", b"values", b"table")
_ACTS = (b"set_config", b"setseed", b"advisory")


def _reads(case: Case) -> bool:
    """Whether a case by a reader leaves nothing behind in its session, even if it is let through."""
    text = case.steps[0].batch.sent[5:].lower() if case.steps[0].batch is not None else b""
    return case.who == "reader" and text.startswith(_READS) and not any(word in text for word in _ACTS)


def _play_again(case: Case, address: Address, pool: Pool, kept: bool) -> Played:
    """Run such a case on a connection that was used before, if all that was asked on it was refused or only
    read. kept: this case only reads."""
    batch = case.steps[0].batch
    assert batch is not None
    key = (address.host, address.port, address.user, address.database)
    played = Played()
    wire = pool.pop(key, None)
    if wire is None:
        wire = come_in(address)
        played.signed_in += wire.frames
    before = len(wire.frames)
    try:
        exchange(wire, batch)
    except WireClosed:
        played.lost = True
    played.answers.append(wire.frames[before:])
    played.goes_on = not played.lost and _goes_on(wire)
    refused = played.codes == ["42501"] and len(played.answers[0]) == 2
    if played.goes_on and (kept or refused):
        wire.frames.clear()
        pool[key] = wire
    else:
        wire.close()
    return played


def exchange(wire: Wire, batch: Batch) -> list[Frame]:
    """Send a batch, take its answers. Raises WireClosed when the connection ends before."""
    before = len(wire.frames)
    wire.send(batch.sent)
    for _ in range(batch.answers):
        wire.ready()
    if batch.until is not None:
        wire.until(batch.until, b"E")
    return wire.frames[before:]


def _goes_on(wire: Wire) -> bool:
    """Whether the connection is still good for work, after what the case left open is ended."""
    try:
        wire.run([])
        if wire.status != b"I":
            wire.ask("ROLLBACK")
        return [frame.type for frame in wire.ask("SELECT 1")] == [b"T", b"D", b"C", b"Z"]
    except WireClosed:
        return False


def told_apart(
    first: Iterable[list[tuple[bytes, bytes]]], second: Iterable[list[tuple[bytes, bytes]]]
) -> bool:
    """Whether two worlds' answers differ in more than the worlds' names, and the OIDs of new relations."""
    return _named(first) != _named(second)


def _named(answers: Iterable[list[tuple[bytes, bytes]]]) -> list[list[tuple[object, ...]]]:
    return [
        [_plain(Frame(kind, body.replace(b"bravo", b"alpha"))) for kind, body in each] for each in answers
    ]


def _plain(frame: Frame) -> tuple[object, ...]:
    if frame.type == b"T":
        return (b"T", *(replace(column, table=0) for column in frame.columns))
    return (frame.type, frame.body)
