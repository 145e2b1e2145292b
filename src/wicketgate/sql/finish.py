"""The last step: what a walk has gathered becomes an analysis."""

from collections.abc import Callable

from wicketgate.model.statement import Effect, Facts
from wicketgate.sql.analysis import Analysis, Environment
from wicketgate.sql.parse import Member
from wicketgate.sql.scope import Columns
from wicketgate.sql.walk import Walk

Resolver = Callable[[Member, Environment, Analysis | None], Analysis]
Special = Callable[[Walk, Member, Environment, Analysis | None, Resolver], Analysis]


def finish(walk: Walk, columns: Columns, returns_rows: bool) -> Analysis:
    """The analysis of what a walk has gathered."""
    walk.settle()
    shape = columns.shape
    starred = None in shape
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
        head=tuple(bool(clean) for clean in shape[:first]),
        tail=tuple(bool(clean) for clean in shape[last:]) if starred else (),
        starred=starred,
        returning_unproven=walk.returning and (walk.unproven or bool(walk.sources) or blind),
        sensitive_parameters=None if blind else frozenset(walk.sensitive_parameters),
        ambiguous=walk.ambiguous,
        disturbs=walk.disturbs,
        unknown_names=tuple(dict.fromkeys(walk.unknown_names)),
    )


NOTHING = Columns()
