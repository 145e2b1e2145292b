"""The last step: what a walk has gathered becomes an analysis."""

from collections.abc import Callable
from typing import Final

from wicketgate.model.statement import Effect, Facts
from wicketgate.sql.analysis import Analysis, Environment, Output
from wicketgate.sql.member import Member
from wicketgate.sql.scope import Columns, Value
from wicketgate.sql.walk import Walk

Resolver = Callable[[Member, Environment, Analysis | None], Analysis]
Special = Callable[[Walk, Member, Environment, Analysis | None, Resolver], Analysis]

_NOT_KNOWN: Final = '"{}" is not known here yet: it can\'t be told what would be {}'


def finish(walk: Walk, columns: Columns, returns_rows: bool) -> Analysis:
    """The analysis of what a walk has gathered."""
    walk.settle()
    shape = columns.shape
    starred = None in shape
    sure = not (walk.opaque or walk.unknown_names or (walk.returning and walk.unproven))
    if walk.catalog.sensitive and walk.refusal is None:
        if walk.strange and walk.unplaced:
            walk.refusal = _NOT_KNOWN.format(walk.unplaced, "stored")
        elif walk.guessed and walk.moved:
            walk.refusal = _NOT_KNOWN.format(walk.moved, "compared")
    first = shape.index(None) if starred else len(shape)
    last = len(shape) - shape[::-1].index(None) if starred else len(shape)
    sensitive = walk.sensitive or (walk.opaque and walk.catalog.sensitive)
    blind = walk.opaque and walk.catalog.sensitive
    whole = {name for name in walk.reads if name in walk.unbounded or name not in walk.bounded}
    facts = Facts(
        effects=frozenset(walk.effects) or frozenset({Effect.SESSION}),
        commands=frozenset(walk.commands),
        reads=frozenset(walk.reads),
        writes=frozenset(walk.writes),
        whole=frozenset(whole),
        functions=frozenset(walk.functions),
        complete=walk.complete,
        classes=frozenset(walk.classes),
        steered=frozenset(walk.steered),
        compared=frozenset(walk.compared),
        spilled=frozenset(walk.spilled),
        inherits=tuple(
            (f"{gain.schema}.{gain.relation}.{gain.column}", each)
            for gain in dict.fromkeys(walk.inherits)
            for each in sorted(gain.classes)
        ),
        opaque=walk.opaque,
        refusal=walk.refusal,
        returns_rows=returns_rows,
        redact_text=walk.redact,
        catalog=walk.catalog.version,
    )
    return Analysis(
        facts=facts,
        sensitive=sensitive,
        relations=frozenset(walk.relations),
        head=tuple(output(value, sure) for value in shape[:first]),
        tail=tuple(output(value, sure) for value in shape[last:]) if starred else (),
        starred=starred,
        returning_unproven=walk.returning and (walk.unproven or walk.stored or blind),
        sensitive_parameters=None if blind else frozenset(walk.sensitive_parameters),
        ambiguous=walk.ambiguous,
        disturbs=walk.disturbs,
        inherits=tuple(dict.fromkeys(walk.inherits)),
        unknown_names=tuple(dict.fromkeys(walk.unknown_names)),
    )


def output(value: Value | None, sure: bool) -> Output | None:
    """What is told of an output. sure: all that the statement names and calls is known."""
    if value is None or value.doubt or (value.columns and not sure):
        return None
    return Output(value.classes, value.base)


NOTHING = Columns()
