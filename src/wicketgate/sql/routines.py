"""Reads the bodies of functions in SQL where a call is met: arguments go in as values, columns come out.
A body that is not one query, or whose names may mean what can't be told here, makes the call unknown.
"""

import re
from dataclasses import replace
from typing import Any

from wicketgate.sql.changes import is_set_config
from wicketgate.sql.errors import SyntaxRefused
from wicketgate.sql.parse import parse_view
from wicketgate.sql.relation import Named, Routine
from wicketgate.sql.scope import DOUBT, Columns, Item, Scope, Value, overlay
from wicketgate.sql.total import base_type
from wicketgate.sql.tree import Body
from wicketgate.sql.tree import walk as every_node
from wicketgate.sql.walk import Walk

DEEPEST = 6
"""Functions that call each other are followed so far."""

_ATOMIC = re.compile(r"\s*BEGIN ATOMIC\s+(.*?);?\s*END\s*", re.DOTALL)
_CHANGES = frozenset("InsertStmt UpdateStmt DeleteStmt MergeStmt LockingClause".split())
_RETURN = re.compile(r"\s*RETURN\s+(.*)", re.DOTALL)


def readable(walk: Walk, name: tuple[str, ...], body: Body, given: int) -> tuple[Routine, ...]:
    """The functions in SQL that a call may mean, where it can mean nothing else; else none."""
    bare = name[-1]
    if body.get("func_variadic") or body.keys() & {"over", "agg_order", "agg_filter", "agg_distinct"}:
        return ()
    if f"{bare}()" in walk.temporary or any("NamedArgExpr" in node for node in body.get("args") or ()):
        return ()
    schemas = walk.schemas if len(name) == 1 else (name[-2],)
    doing, others = walk.catalog.function(bare, schemas)
    if (doing is not None and len(name) == 1) or name[0] == "pg_catalog":
        return ()
    if given == 1 and (bare in walk.catalog.types or bare in walk.catalog.builtin_types):
        return ()  # it may be a cast
    meant = [other for other in others if _takes(other, given)]
    routines = tuple(other.routine for other in meant if other.routine is not None and other.given == given)
    if len(routines) != len(meant) or any(other.safe for other in meant):
        return ()
    return routines


def _takes(function: Named, given: int) -> bool:
    return function.given < 0 or function.given - function.defaults <= given <= function.given


def called(walk: Walk, routines: tuple[Routine, ...], values: list[Value]) -> Columns:
    """What a call of any of these gives; what they do is noted."""
    shapes = []
    for routine in routines:
        walk.functions.add(routine.qualified)
        tree = _tree(walk, routine)
        if tree is None or routine.oid in walk.routines or len(walk.routines) >= DEEPEST:
            walk.unknown(routine.qualified)
            return Columns(loose=DOUBT)
        shapes.append(_read(walk, routine, tree, values))
    return overlay(shapes)


def _tree(walk: Walk, routine: Routine) -> Body | None:
    """The one query of its body; None where it is no such thing, or depends on who calls it unseen."""
    if routine.oid not in walk.catalog.trees:
        walk.catalog.trees[routine.oid] = _parsed(routine)
    tree: Body | None = walk.catalog.trees[routine.oid]
    if tree is not None and walk.for_all and not routine.atomic and _unqualified(tree):
        return None
    return tree


def _parsed(routine: Routine) -> Body | None:
    text = routine.body
    if routine.atomic:
        inside = _ATOMIC.fullmatch(text)
        returned = _RETURN.fullmatch(text)
        if inside is None and returned is None:
            return None
        text = inside[1] if inside is not None else f"SELECT {returned[1] if returned is not None else ''}"
    try:
        tree = parse_view(text).body
    except SyntaxRefused:
        return None
    for node, part in every_node(tree):
        if node in _CHANGES or (node == "FuncCall" and is_set_config(part)):
            return None  # it does more than look, maybe with other rights than the caller's
    return None if "intoClause" in tree else tree


def _unqualified(tree: Body) -> bool:
    return any(
        isinstance(part.get("relname"), str) and "schemaname" not in part for _, part in every_node(tree)
    )


def _path(walk: Walk, routine: Routine) -> tuple[str, ...] | None:
    if routine.atomic:
        return ()  # names were bound when it was made, and are written out
    path = routine.path if routine.path is not None else walk.path
    if not path or (routine.definer and "$user" in path):
        return None if routine.path is None or path else ()
    return path


def _read(walk: Walk, routine: Routine, tree: Body, values: list[Value]) -> Columns:
    from wicketgate.sql.queries import select

    temporary = frozenset[str]() if routine.atomic else walk.temporary
    inner = Walk(walk.catalog, _path(walk, routine), temporary, walk.user, walk.read_only)
    inner.query, inner.for_all = walk.query, walk.for_all
    inner.depth, inner.nodes, inner.steps = walk.depth, walk.nodes, walk.steps
    inner.arguments = tuple(values)
    inner.routines = (*walk.routines, routine.oid)
    named = [(name, value) for name, value in zip(routine.names, values, strict=False) if name]
    arguments = Columns([name for name, _ in named], [value for _, value in named])
    columns = select(inner, tree, Scope(None, [Item(routine.name, arguments)]))
    inner.settle()
    if inner.unknown_names:
        inner.unknown(routine.qualified)
    _returned(inner, routine, columns)
    walk.nodes, walk.steps = inner.nodes, inner.steps
    _take_over(walk, inner)
    names = [name for name, _ in routine.results] if len(routine.results) == len(columns.values) else []
    plain = [replace(value, bare=False, base=False, columns=True, constant=False) for value in columns.values]
    return Columns(names or list(columns.names), plain, columns.loose)


def _returned(inner: Walk, routine: Routine, columns: Columns) -> None:
    """What comes out is cast to what was declared: that may fail."""
    told = columns.loose is None and len(routine.results) == len(columns.values)
    types = [oid for _, oid in routine.results] if told else [0] * len(columns.values)
    for oid, value in zip(types, columns.values, strict=True):
        if value.classes and oid not in (25, 1043) and base_type(value) != oid:
            inner.steer(value)
    if columns.loose is not None:
        inner.steer(columns.loose)


_SETS = (
    "effects reads writes bounded unbounded functions classes steered compared spilled sensitive_parameters"
    " held_types cast_names literal_casts"
).split()
_FLAGS = "opaque ambiguous sensitive disturbs polymorphic patterned unproven stored".split()


def _take_over(walk: Walk, inner: Walk) -> None:
    for name in _SETS:
        gathered: set[Any] = getattr(walk, name)
        gathered |= getattr(inner, name)
    for name in _FLAGS:
        setattr(walk, name, getattr(walk, name) or getattr(inner, name))
    walk.complete = walk.complete and inner.complete
    walk.refusal = walk.refusal or inner.refusal
