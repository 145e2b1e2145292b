"""Tokens and masked values that come back from the client (compiled).
It must never put a value where it could come out or be kept, nor let what masks left in a value become data.

A token becomes its value again where each of its uses is a direct operand of `=` or IN against columns of its
own class, for whom it was made for, while the rule still makes such tokens; or where each is a value stored
in a column of its own class, if the rules say so (`written: resolve`). All else sees the token.
"""

import re
from typing import Final

from librt.strings import read_i32_be
from mypy_extensions import i64

from wicketgate.masking.marks import marks_in
from wicketgate.masking.pseudonym import found_in
from wicketgate.model.decision import Decision, Denial
from wicketgate.model.statement import Effect
from wicketgate.protocols.postgres.types import Names
from wicketgate.sql.analysis import Analysis, Environment
from wicketgate.sql.member import Member
from wicketgate.sql.operands import NONE_TOLD, OTHER, Operand, Operands, Use, operands

LOOKED_UP: Final = Denial(
    "mask",
    "a token stands where it can't be looked up",
    "a token that is no operand of = or IN against its own column",
    "Compare a token with = or IN with the column that it came from, and with nothing else.",
)
WRITTEN: Final = Denial(
    "mask",
    "a masked value can't be written as data",
    "a mask or a token in a write",
    "It stands for a value that you may not see: leave such columns out of what you write.",
)
NO_LONGER: Final = Denial(
    "mask",
    "a token in this statement stands for nothing any more",
    "the rule that gave the token out does not hold now",
    "Ask for the rows again, and use the tokens that come then.",
)

_KEEPING: Final = frozenset({Effect.WRITE, Effect.DEFINE, Effect.EXECUTE, Effect.UNKNOWN})
"""What may keep a literal as data."""
_KINDS: Final = frozenset("select insert update delete merge declare values".split())
"""Statements whose literals may be looked up: they run at once, and show none of them."""

_CELLS: Final = re.compile(rb'[\t\n\r,;|"]+')
"""What stands between cells of COPY's text formats, as good as all that people use."""

_ENDS: Final = bytes([code in b'\t\n\r,;|"' for code in range(256)])
"""1 for a byte at which such a cell ends."""

LONGEST_CELL: Final = 1024
"""Bytes that are kept of a cut cell: more than any token or mark has."""

Held = tuple[tuple[str, str, bool], ...]
"""(data class, transform, stored): what must still hold for a class when a statement with its tokens runs;
stored: they are stored as values."""

SHORT: Final = 256
"""Up to as many bytes a text is looked at one by one; a longer one by searches."""

_SECOND: Final = bytes([code in b"kKr*bB\x80" for code in range(256)])
"""1 for a byte without which nothing suspicious can be."""

NO_TOKENS: Final[Held] = ()


class Meant:
    """What goes to the server instead: the text, or parameters by number; held: on what condition."""

    def __init__(self) -> None:
        self.text = b""
        self.parameters: dict[int, bytes] = {}
        self.held: Held = NO_TOKENS


def suspicious(text: bytes) -> bool:
    """Whether there may be a token, or what a mask left: a look that costs nearly nothing."""
    size: i64 = len(text)
    if size > SHORT:
        return _suspicious(text)
    at: i64 = 0
    before: i64 = 0
    while at < size:
        byte: i64 = text[at]
        if _SECOND[byte]:
            if byte == 42:  # *
                return _suspicious(text)
            if byte == 114:  # of [r
                if before == 91:
                    return _suspicious(text)
            elif byte == 128:  # of the sign of an ellipsis
                if before == 226:
                    return _suspicious(text)
            elif byte & 0xDF == 75:  # of wk, WK
                if before & 0xDF == 87:
                    return _suspicious(text)
            elif before == 53:  # of 5b: [ in hex
                return _suspicious(text)
        before = byte
        at += 1
    return False


def _suspicious(text: bytes) -> bool:
    return (
        text.find(b"wkp") >= 0  # `in` takes three times as long: it first tries whether it is a number
        or text.find(b"WKP") >= 0
        or text.find(b"[redacted") >= 0
        or text.find(b"5b72656461637465") >= 0
        or text.find(b"5B72656461637465") >= 0
        or text.find(b"\xe2\x80\xa6") >= 0
        or text.count(b"*") > 2
    )


def kept_by_copy(data: bytes, at: int, end: int) -> bool:
    """Whether the CopyData frames in data[at:end] hold a token or what a mask left."""
    if found_in(data[at:end]) or marks_in(data[at:end]):
        return True
    while at < end:
        stop = at + 1 + int.from_bytes(data[at + 1 : at + 5], "big")
        for cell in _CELLS.split(data[at + 5 : stop]):
            if suspicious(cell) and marks_in(cell):
                return True
        at = stop
    return False


class Carried:
    """A cell of COPY data that is cut by the end of a message: the client chooses where messages end."""

    def __init__(self) -> None:
        self.cell = b""

    def take(self, data: bytes, at: int, end: int) -> bool:
        """Whether a cell that goes on from one CopyData frame to the next, up to the last of those in
        data[at:end], holds a token or what a mask left."""
        here: i64 = at
        last: i64 = end
        while here < last:
            stop: i64 = here + 1 + i64(read_i32_be(data, here + 1))
            first: i64 = here + 5
            here = stop
            if stop == first:
                continue
            if _ENDS[data[stop - 1]] and not self.cell:  # as every whole line does
                continue
            begins: i64 = first
            while begins < stop and not _ENDS[data[begins]]:
                begins += 1
            if self.cell:
                cell = self.cell + data[first:begins]
                if suspicious(cell) and (found_in(cell) or marks_in(cell)):
                    return True
            ends: i64 = stop
            while ends > first and not _ENDS[data[ends - 1]]:
                ends -= 1
            if ends > first:
                self.cell = data[ends:stop][-LONGEST_CELL:]
            else:
                self.cell = (self.cell + data[first:stop])[-LONGEST_CELL:]
        return False


class Returned:
    """One session's. names: what its tokens are made with; None: it has none."""

    def __init__(self, names: Names | None) -> None:
        self.names = names

    def text(
        self, member: Member, text: bytes, environment: Environment, analysis: Analysis, decision: Decision
    ) -> Meant | Denial:
        """What a statement's own text means. Its literals alone are looked at."""
        keeping = not _KEEPING.isdisjoint(analysis.facts.effects)
        told = operands(member, text, environment)
        if told is NONE_TOLD:
            return WRITTEN if keeping and (found_in(text) or marks_in(text)) else self._as_it_is(text)
        meant = Meant()
        pieces: list[bytes] = []
        at = 0
        for literal in told.literals:
            operand = literal.operand if member.kind in _KINDS else OTHER
            outcome = self._value(literal.value.encode(), operand, keeping, decision, meant)
            if isinstance(outcome, Denial):
                return outcome
            if outcome is not None:
                pieces += [text[at : literal.offset], quoted(outcome)]
                at = literal.offset + literal.length
        pieces.append(text[at:])
        meant.text = b"".join(pieces)
        return meant

    def parameters(
        self, told: Operands, values: list[bytes | None], analysis: Analysis, decision: Decision
    ) -> Meant | Denial:
        """What bind parameters mean. told: of the statement that they are bound to."""
        keeping = not _KEEPING.isdisjoint(analysis.facts.effects)
        meant = Meant()
        for index in range(len(values)):
            value = values[index]
            if value is None or not suspicious(value):
                continue
            operand = told.parameters.get(index + 1, OTHER)
            outcome = self._value(value, operand, keeping, decision, meant)
            if isinstance(outcome, Denial):
                return outcome
            if outcome is not None:
                meant.parameters[index + 1] = outcome
        return meant

    def _as_it_is(self, text: bytes) -> Meant:
        meant = Meant()
        meant.text = text
        return meant

    def _value(
        self, raw: bytes, operand: Operand, keeping: bool, decision: Decision, meant: Meant
    ) -> bytes | Denial | None:
        """The value that a literal or parameter stands for; None: it means itself."""
        compared = operand.use is Use.COMPARED
        if not found_in(raw):
            return WRITTEN if keeping and not compared and marks_in(raw) else None
        names = self.names
        known = names.pseudonyms.value_of(raw, names.scopes.values()) if names is not None else None
        stored = operand.use is Use.STORED and known is not None and known[0] in decision.resolves
        own = known is not None and operand.classes == frozenset({known[0]})
        if names is not None and known is not None and own and (compared or stored):
            transform = decision.transform(known[0])
            name, _, option = transform.partition(":")
            scope = names.scopes.get(option)
            if name != "pseudonym" or scope is None or names.pseudonyms.value_of(raw, [scope]) != known:
                return NO_LONGER
            if (known[0], transform, stored) not in meant.held:
                meant.held = (*meant.held, (known[0], transform, stored))
            return known[1]
        if keeping and not compared:
            return WRITTEN
        return LOOKED_UP if known is not None else None


def quoted(value: bytes) -> bytes:
    """A literal of this value, whatever standard_conforming_strings says."""
    if b"\\" in value:
        return b" E'" + value.replace(b"\\", b"\\\\").replace(b"'", b"''") + b"'"
    return b"'" + value.replace(b"'", b"''") + b"'"


def still_hold(held: Held, decision: Decision) -> bool:
    """Whether the rules that gave tokens out still do."""
    for name, transform, stored in held:
        if decision.transform(name) != transform or (stored and name not in decision.resolves):
            return False
    return True
