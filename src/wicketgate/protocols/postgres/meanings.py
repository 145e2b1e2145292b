"""What a statement's names mean before it goes upstream, and what it does to them when it does (compiled).
Where an unanswered earlier unit may have changed a meaning, the statement waits; it is never guessed."""

from typing import TYPE_CHECKING, Final

from wicketgate.model.decision import Denial
from wicketgate.protocols.postgres.frames import PROBE, RESERVED
from wicketgate.protocols.postgres.ledger import BIND, CLOSE, EXECUTE, PARSE, SYNC, State, Step
from wicketgate.protocols.postgres.names import MOST_TEMPORARY, Entry
from wicketgate.protocols.postgres.reviewing import doubtful
from wicketgate.sql.changes import NOTHING
from wicketgate.sql.member import Member, naming_of
from wicketgate.sql.resolve import Analysis

if TYPE_CHECKING:
    from wicketgate.protocols.postgres.units import Units

UNIT: Final = 3
PATH: Final = 5
"""Why the client's frames wait: for an earlier unit's answer, or for the path."""

_ENDING: Final = frozenset({"deallocate", "close", "discard"})


class Meanings:
    """The part of the client's side that knows names."""

    def __init__(self, units: "Units", state: State) -> None:
        self.units = units
        self.state = state

    # -- when it is forwarded -----------------------------------------------------------------------------
    def forwarded(self, member: Member, analysis: Analysis, text: bytes, hides: bool) -> list[Entry] | None:
        """What a statement that goes upstream does to the session's names, as if it succeeded.

        hides: it touches hidden values, so that messages are softened until its transaction ends.
        """
        state = self.state
        names = state.names
        changes = member.changes
        if changes is not NOTHING:
            if names.apply(changes, state.unit, analysis.inherits):
                state.changed = state.unit
            state.circumstances.forwarded(changes, text, state.unit, member.kind == "discard")
            if changes.transaction is not None:
                self.units.controls = True
        self.runs(analysis, hides)
        if analysis.unsettles:
            state.circumstances.unsettled(text, state.unit)
        if member.name is None and member.inner is None and member.kind not in _ENDING:
            return None
        naming = naming_of(member)
        if naming is not None and naming.kind == "execute" and naming.name is not None:
            prepared = names.statement(naming.name.encode())
            if prepared is not None and prepared.member.changes is not NOTHING:
                names.apply(prepared.member.changes, state.unit)
                names.unknown(state.unit)
                state.circumstances.unsettled(text + b"\0" + prepared.text, state.unit)
                state.changed = state.unit
        return names.follow(member, analysis, text, state.unit)

    def runs(self, analysis: Analysis, hides: bool) -> None:
        """A statement may run: what that means for the session, whatever its names."""
        state = self.state
        if analysis.touches:
            state.touched = True
        if analysis.keeps:
            state.wrote = True
        if analysis.unsettles:
            state.names.unknown(state.unit)
            state.changed = state.unit
        if hides:
            state.sensitive = True

    # -- before it is decided -----------------------------------------------------------------------------
    def must_probe(self, member: Member) -> bool:
        """Whether the path must be asked for first: a name has several candidates and the path is unknown, or
        people are asked about a statement of which nothing else tells what it means.

        Only at a unit's start, when the server is ready: our Sync must not end a transaction of the client's.
        """
        state = self.state
        names = state.names
        if names.environment.path is not None or names.asked or not self.units.first or state.steps:
            return False
        if state.transaction == b"E":
            return False
        found = names.resolve(member, names.environment)
        if not found.ambiguous and not (
            doubtful(found) and state.desk.judged(found.facts).review is not None
        ):
            return False
        names.asked = True
        for kind in (PARSE, BIND, EXECUTE, CLOSE, CLOSE, SYNC):
            step = Step(kind, 0)
            step.swallow = True
            step.probe = True
            state.steps.append(step)
        state.up.append(PROBE)
        self.units.waiting = PATH
        state.fresh = True
        return True

    def must_wait(self, member: Member) -> bool:
        """Whether a member names what an unanswered earlier unit has given another meaning."""
        naming = naming_of(member)
        if naming is None or naming.name is None:
            return False
        names = self.state.names
        table = names.statements if naming.kind == "execute" else names.portals
        return self.unsettled(table.get(naming.name.encode()))

    def unsettled(self, entry: Entry | None) -> bool:
        """Whether this name may mean what it replaced, because its unit is not answered: then we wait."""
        if entry is None or not entry.pending or entry.unit == self.state.unit or entry.was is None:
            return False
        self.units.waiting = UNIT
        return True

    def unusable(self, member: Member) -> bool:
        """Whether a member takes a name of the gateway's own, or one name too many."""
        if member.name is not None and member.name.encode().startswith(RESERVED):
            return True
        names = self.state.names
        if member.changes.temporary and len(names.environment.temporary) >= MOST_TEMPORARY:
            return True
        return (member.kind == "prepare" or member.kind == "declare") and names.full(member.weight)

    def missing(self, member: Member) -> Denial | None:
        """What the server would say of an EXECUTE or FETCH of a name that is not there."""
        naming = naming_of(member)
        if naming is None or naming.name is None:
            return None
        names = self.state.names
        name = naming.name.encode()
        if naming.kind == "execute":
            return missing_statement(name) if names.statement(name) is None else None
        return missing_portal(name, "cursor") if names.portal(name) is None else None


def missing_statement(name: bytes) -> Denial:
    """What the server says of a prepared statement that is not there."""
    shown = name.decode("utf-8", "replace")
    named = f'prepared statement "{shown}" does not exist'
    return Denial(
        "no-statement", named if shown else "unnamed prepared statement does not exist", "unknown name"
    )


def missing_portal(name: bytes, what: str = "portal") -> Denial:
    """What the server says of a portal, or cursor, that is not there."""
    return Denial("no-portal", f'{what} "{name.decode("utf-8", "replace")}" does not exist', "unknown name")
