"""What reading a view does: its definition read like any query, in an empty search_path.
What the view's own author steers by is not held against who reads it; what comes out of its columns is.
"""

from wicketgate.model.statement import Effect
from wicketgate.sql.changes import is_set_config
from wicketgate.sql.errors import SyntaxRefused
from wicketgate.sql.parse import parse_view
from wicketgate.sql.queries import query, select
from wicketgate.sql.scope import Scope
from wicketgate.sql.snapshot import NO_CLASSES, Body, Catalog, Relation
from wicketgate.sql.tree import walk as every_node
from wicketgate.sql.walk import TooComplex, Walk

_UNKNOWN = frozenset({Effect.READ, Effect.UNKNOWN})


def resolve_view(catalog: Catalog, view: Relation) -> Body:
    """Never raises: a definition that cannot be read makes reading the view unknown."""
    walk = Walk(catalog, (), NO_CLASSES, "", False)
    walk.query, walk.for_all = query, True
    try:
        member = parse_view(view.view or "")
        if any(node == "FuncCall" and is_set_config(part) for node, part in every_node(member.body)):
            walk.unknown("pg_catalog.set_config")  # the session would not be told
        columns = select(walk, member.body, Scope())
        walk.settle()
    except (SyntaxRefused, TooComplex, RecursionError):
        return Body(None, _UNKNOWN, NO_CLASSES, frozenset({view.qualified}), NO_CLASSES, False, True)
    whole = columns.loose is None and len(columns.values) == len(view.columns)
    whole = whole and not any(value.doubt for value in columns.values)
    told = whole and not walk.opaque and not walk.unknown_names
    effects = frozenset(walk.effects)
    opaque = walk.opaque or bool(walk.unknown_names)
    complete = walk.complete
    if view.extension:
        # an extension's views are its own code: what they call is taken as reading
        effects, opaque, complete = frozenset({Effect.READ}), False, True
        told = whole
    return Body(
        tuple(columns.values) if told else None,
        effects,
        frozenset(walk.reads),
        NO_CLASSES if view.extension else frozenset(walk.functions),
        frozenset(walk.classes),
        complete,
        opaque,
        walk.asked(),
    )
