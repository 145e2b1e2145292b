"""What tokens in a prepared statement and its parameters mean when it is bound.
It must never let a value go upstream for columns that a name meant once and does not mean now.
"""

from wicketgate.model.decision import Denial
from wicketgate.protocols.postgres.ledger import State
from wicketgate.protocols.postgres.names import Prepared
from wicketgate.protocols.postgres.returned import NO_LONGER, Meant
from wicketgate.sql.analysis import Analysis
from wicketgate.sql.operands import operands


def parameters_of(
    state: State, prepared: Prepared, values: list[bytes | None], analysis: Analysis
) -> Meant | Denial:
    """What the parameters of a Bind mean."""
    told = operands(prepared.member, prepared.text, state.names.environment)
    return state.returned.parameters(told, values, analysis, state.desk.judged(analysis.facts))


def text_anew(state: State, prepared: Prepared, analysis: Analysis) -> Denial | None:
    """Why a text that the server has with values in it may not be bound now; None: nothing against it.

    The server reads the text anew when the path or a definition has changed: its names must still be those of
    the columns that the values are of.
    """
    meaning = prepared.meaning
    if meaning is None or meaning[1] is state.names.environment:
        return None
    environment = state.names.environment
    decision = state.desk.judged(analysis.facts)
    again = state.returned.text(prepared.member, prepared.text, environment, analysis, decision)
    if isinstance(again, Denial):
        return again
    if again.text != meaning[0] or again.held != prepared.held:
        return NO_LONGER
    prepared.meaning = meaning[0], environment
    return None
