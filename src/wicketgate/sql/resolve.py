"""A statement in an environment: its facts, and what the conversation must know to mask its answer.
Whatever is not understood comes out as unknown; nothing here permits anything.
"""

from collections.abc import Sequence
from dataclasses import replace

from wicketgate.model.statement import Effect, Facts
from wicketgate.sql.analysis import RESOLVED, UNKNOWN_ANALYSIS, Analysis, Environment, unite
from wicketgate.sql.cache import Generations
from wicketgate.sql.commands import COMMANDS, command
from wicketgate.sql.finish import finish
from wicketgate.sql.holding import HOLDING
from wicketgate.sql.member import Member
from wicketgate.sql.queries import query, select
from wicketgate.sql.scope import Columns, Scope
from wicketgate.sql.session import SESSION
from wicketgate.sql.snapshot import Catalog
from wicketgate.sql.walk import TooComplex, Walk
from wicketgate.sql.writing import change

__all__ = ["Analysis", "Environment", "declared", "resolve", "unite"]

_doubts: Generations[tuple[Analysis, bool], Analysis] = Generations(512)


def resolve(member: Member, environment: Environment, inner: Analysis | None = None) -> Analysis:
    """inner: for EXECUTE, FETCH and EXPLAIN EXECUTE, the analysis of what the name stands for (of PREPARE or
    DECLARE, or of the statement inside); None where that is unknown. Cached; never raises."""
    key = (member, environment, inner)
    found = RESOLVED.get(key)
    if found is None:
        found = _resolve(member, environment, inner)
        RESOLVED.put(key, found, member.weight)  # the key holds the tree
    return found


def _resolve(member: Member, environment: Environment, inner: Analysis | None) -> Analysis:
    walk = Walk(
        environment.catalog,
        environment.path,
        environment.temporary,
        environment.user,
        environment.read_only,
    )
    walk.query = query
    if environment.database != environment.catalog.database:
        return UNKNOWN_ANALYSIS
    try:
        return _analyse(walk, member, environment, inner)
    except (TooComplex, RecursionError):
        return _refused(walk, "this statement is too deep or too large to be analysed")
    except (AttributeError, LookupError, TypeError, ValueError):
        # a tree of a shape that was not foreseen: nothing is known of it, and nothing passes
        return _refused(walk, "this statement could not be analysed")


def declared(analysis: Analysis, catalog: Catalog, types: Sequence[int]) -> Analysis:
    """With the parameter types that Parse declares (OIDs; 0: left to the server): a value of some types runs
    a user's code when it is bound or cast, and so may one of a type that the catalog does not know. Cached:
    the same doubt is the same analysis."""
    if all(catalog.oid_is_safe(oid) for oid in types):
        return analysis
    key = (analysis, catalog.sensitive)
    found = _doubts.get(key)
    if found is None:
        found = _doubted(analysis, catalog.sensitive)
        _doubts.put(key, found)
    return found


def _doubted(analysis: Analysis, sensitive: bool) -> Analysis:
    facts = replace(
        analysis.facts,
        effects=analysis.facts.effects | {Effect.UNKNOWN},
        complete=False,
        opaque=True,
    )
    return replace(
        analysis,
        facts=facts,
        sensitive=analysis.sensitive or sensitive,
        returning_unproven=analysis.returning_unproven or sensitive,
        sensitive_parameters=None if sensitive else analysis.sensitive_parameters,
        disturbs=True,
        held=None if analysis.held is None else _doubted(analysis.held, sensitive),
    )


def _refused(walk: Walk, reason: str) -> Analysis:
    facts = Facts(
        effects=frozenset({Effect.UNKNOWN}),
        commands=frozenset(walk.commands or {"other"}),
        complete=False,
        opaque=True,
        refusal=reason,
        catalog=walk.catalog.version,
    )
    return Analysis(
        facts, True, starred=True, returning_unproven=True, sensitive_parameters=None, disturbs=True
    )


_SPECIAL = {**SESSION, **HOLDING}
_CHANGES = frozenset({"InsertStmt", "UpdateStmt", "DeleteStmt", "MergeStmt"})


def _analyse(walk: Walk, member: Member, environment: Environment, inner: Analysis | None) -> Analysis:
    name, body = member.node, member.body
    if name == "":
        return finish(walk, Columns(), False)
    if name == "SelectStmt" and "intoClause" not in body:
        walk.commands.add("select")
        return finish(walk, select(walk, body, Scope()), True)
    if name in _CHANGES:
        columns = change(walk, name, body, Scope())
        return finish(walk, columns, "returningClause" in body)
    if name in COMMANDS:
        command(walk, name, body)
        return finish(walk, Columns(), False)
    special = _SPECIAL.get(name)
    if special is not None:
        return special(walk, member, environment, inner, resolve)
    walk.unknown(f"statement {name}")
    walk.commands.add("other")
    return finish(walk, Columns(shape=[None]), True)
