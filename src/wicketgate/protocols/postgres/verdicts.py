"""What the extended protocol asks the gate: may this be bound, may it be executed once more (compiled)."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from wicketgate.model.clearance import Clearance
from wicketgate.model.decision import Denial
from wicketgate.model.held import Particulars
from wicketgate.model.statement import Statement
from wicketgate.protocols.postgres.frames import bind_names
from wicketgate.protocols.postgres.ledger import Execution
from wicketgate.protocols.postgres.names import PLAIN, Portal, Prepared
from wicketgate.protocols.postgres.parameters import section
from wicketgate.protocols.postgres.questions import Question
from wicketgate.protocols.postgres.returned import NO_TOKENS, Held
from wicketgate.protocols.postgres.reviewing import particulars, same
from wicketgate.sql.resolve import Analysis

if TYPE_CHECKING:
    from wicketgate.protocols.postgres.units import Units


class BindQuestion(Question):
    """May this be bound?"""

    def __init__(
        self,
        units: "Units",
        frame: bytes,
        portal: bytes,
        prepared: Prepared,
        analysis: Analysis,
        statement: Statement,
    ) -> None:
        super().__init__(units)
        self.frame = frame
        self.portal = portal
        self.prepared = prepared
        self.analysis = analysis
        self.statement = statement
        self.environment = units.state.names.environment
        self.held: Held = NO_TOKENS
        self.values: bytes | None = None

    def particulars(self, recent: Sequence[object]) -> Particulars | Denial:
        _, _, at = bind_names(self.frame, 5, len(self.frame))
        self.values = section(self.frame, at, len(self.frame))
        prepared = self.prepared
        return particulars(
            self.units.state,
            prepared.member,
            prepared.text,
            self.analysis,
            self.values,
            prepared.declared,
            0,
            recent,
            self.environment,
            self.units.state.circumstances.moment,
            (prepared.unit,),
        )

    def means_the_same(self) -> bool:
        names, prepared = self.units.state.names, self.prepared
        if prepared.member.kind in PLAIN:
            found = names.resolved(prepared)
        else:
            found = names.typed(prepared.member, names.environment, prepared.types)
        return same(self.analysis, self.environment, found, names.environment)

    def cleared(self, clearance: Clearance) -> Statement | None:
        self.units.extended.bound(self, clearance)
        return None

    def denied(self, denial: Denial) -> None:
        self.units.refuse_recorded(denial)


class ExecuteQuestion(Question):
    """May this portal be executed once more, or under another meaning?"""

    def __init__(
        self,
        units: "Units",
        frame: bytes,
        name: bytes,
        portal: Portal,
        was: Execution,
        analysis: Analysis,
        statement: Statement,
    ) -> None:
        super().__init__(units)
        self.frame = frame
        self.name = name
        self.portal = portal
        self.was = was
        self.analysis = analysis
        self.statement = statement
        self.environment = units.state.names.environment

    def particulars(self, recent: Sequence[object]) -> Particulars | Denial:
        portal = self.portal
        values = portal.values
        if values is None and self.statement.parameters is None:
            values = b""
        return particulars(
            self.units.state,
            portal.member,
            self.statement.text,
            self.analysis,
            values,
            b"" if portal.prepared is None else portal.prepared.declared,
            0,
            recent,
            self.environment,
            self.units.state.circumstances.moment,
            (portal.unit,) if portal.prepared is None else (portal.prepared.unit, portal.unit),
        )

    def means_the_same(self) -> bool:
        names, portal = self.units.state.names, self.portal
        found = names.typed(portal.member, names.environment, portal.types)
        return same(self.analysis, self.environment, found, names.environment)

    def cleared(self, clearance: Clearance) -> Statement | None:
        self.units.extended.cleared_again(self, clearance)
        return None

    def denied(self, denial: Denial) -> None:
        self.units.refuse_recorded(denial)
