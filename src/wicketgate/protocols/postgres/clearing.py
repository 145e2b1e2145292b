"""From a Clearance to an Execution (compiled).
It never lets run what must be masked and can't be."""

from typing import Final

from wicketgate.model.clearance import UNLIMITED, Clearance, Outcome
from wicketgate.model.decision import Denial
from wicketgate.model.statement import Statement
from wicketgate.protocols.postgres.copy_plan import copy_plan_for
from wicketgate.protocols.postgres.copying import Copying
from wicketgate.protocols.postgres.ledger import Execution, Shape, State
from wicketgate.protocols.postgres.plan import copies_clean, masks
from wicketgate.protocols.postgres.returned import NO_LONGER, NO_TOKENS, Held, still_hold
from wicketgate.sql.member import Member
from wicketgate.sql.resolve import Analysis

COUNTED: Final = UNLIMITED >> 1
"""An allowance that begins below this is counted."""

MASKED_COPY: Final = Denial(
    "mask",
    "This COPY can't be masked.",
    "COPY out of columns that are masked, with an option that prevents it, or of columns that can't be told",
    "Copy columns by name, to STDOUT, in UTF-8, and in text without a NULL of your own; or SELECT them.",
)


def execution_for(
    state: State,
    member: Member,
    analysis: Analysis,
    statement: Statement,
    clearance: Clearance,
    known: Shape | None = None,
    held: Held = NO_TOKENS,
) -> Execution | Denial:
    """The execution of a cleared statement. known: its portal's shape, if it was executed before. held: what
    must hold for tokens in it.

    The Denial, where its answer can't be masked, is not recorded yet; the clearance is then settled.
    """
    decision = clearance.decision
    if held and not still_hold(held, decision):
        state.desk.settle(clearance, Outcome(code="42501"))
        return NO_LONGER
    hides = masks(analysis, decision)
    shape = known
    if shape is None or shape.analysis is not analysis or shape.decision is not decision:
        shape = Shape(analysis, decision, hides)
        detectors = state.detectors()
        if member.kind == "copy_out":
            if detectors is not None or (hides and not copies_clean(analysis, decision)):
                catalog = state.names.environment.catalog
                shape.copy = copy_plan_for(member, analysis, catalog, decision, state.tokens, detectors)
                if shape.copy is None:
                    state.desk.settle(clearance, Outcome(code="42501"))
                    return MASKED_COPY
            shape.hides = shape.looks = False
        elif detectors is not None:
            shape.looks = True
    execution = Execution(member, shape, statement, clearance)
    if shape.copy is not None:
        execution.copying = Copying(shape.copy)
    execution.sensitive = hides
    return execution


def limited(execution: Execution) -> bool:
    """Whether its rows are counted against a limit."""
    return execution.shape.analysis.facts.returns_rows and execution.clearance.allowance.left < COUNTED
