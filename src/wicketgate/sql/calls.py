"""Reads function calls, windows and orderings: what they do, and which values go into them."""

from dataclasses import replace

from wicketgate.sql import secretive
from wicketgate.sql.changes import is_set_config
from wicketgate.sql.functions import SINGLE, Doing
from wicketgate.sql.reading import expression, expressions, predicate, reads
from wicketgate.sql.routines import called, readable
from wicketgate.sql.scope import CLEAN, COLUMN, VAST, Scope, Value, combine
from wicketgate.sql.settings import allowed, canonical, chooses_plans, refusal
from wicketgate.sql.total import ENDLESS, FLAT, GROWING, TOLD_BY_TYPE, function_is_total
from wicketgate.sql.tree import Body, Node, literal, strings, without_database
from wicketgate.sql.value import LIGHT
from wicketgate.sql.walk import Walk


@reads(
    "FuncCall",
    "funcname args agg_order agg_filter over agg_within_group agg_star agg_distinct func_variadic funcformat",
)
def _function(walk: Walk, body: Body, scope: Scope) -> Value:
    name = without_database(strings(body.get("funcname")))
    walk.place(strings(body.get("funcname")))
    nodes = body.get("args") or []
    values = expressions(walk, nodes, scope)
    counting = name in (("count",), ("pg_catalog", "count")) and len(values) == 1
    counting = counting and (len(name) == 2 or not walk.catalog.function("count", walk.schemas)[1])
    if body.get("agg_distinct"):
        walk.compare(values)
    extra: list[Value] = []
    for sort in body.get("agg_order", ()):
        extra.append(sorting(walk, sort, scope))
    if "agg_filter" in body:
        extra.append(predicate(walk, body["agg_filter"], scope))
    if "over" in body:
        extra.append(window(walk, body["over"], scope))
    if is_set_config(body):
        _configure(walk, nodes)
    elif secretive.in_call(name[-1], nodes):
        walk.redact = True
    routines = readable(walk, name, body, len(values))
    if routines:
        before, walk.opaque = walk.opaque, False
        columns = called(walk, routines, values)
        for value in values if walk.opaque else ():
            walk.spill(value)
        walk.opaque = walk.opaque or before
        walk.routine_columns[id(body)] = columns
        held = [*columns.values, *([] if columns.loose is None else [columns.loose])]
        if len(values) == 1:  # f(t) may be t.f
            held.append(values[0])
        return replace(combine([COLUMN, *held]), many=True)
    clear = not walk.opaque
    doing = _called(walk, name, values)
    walk.does(doing, name[-1])
    if counting and doing is Doing.PURE and clear is not walk.opaque:
        # how many there are that are not NULL, and how many different ones
        for value in values:
            walk.compared |= value.classes
            walk.consume([value], total=True)
        values = [COLUMN if any(value.columns for value in values) else CLEAN]
    elif doing is Doing.PURE:
        total = function_is_total(walk, name, body, values)
        walk.consume(values, total)
        if total and name[-1] in TOLD_BY_TYPE and not any(value.doubt for value in values):
            values = [COLUMN]
    else:
        for value in [*values, *extra]:
            walk.spill(value)
    found = combine([*values, *extra])
    if name[-1] in GROWING:
        found = replace(found, weight=VAST if name[-1] in ENDLESS else max(found.weight, LIGHT))
    if found.odd and name[-1] in FLAT:
        found = replace(found, odd=False)
    if name[-1] == "unnest" and doing is Doing.PURE and values and all(value.constant for value in values):
        found = replace(found, constant=True)
    elif not is_single(walk, name):
        found = replace(found, many=True)
    if doing is Doing.PURE or doing is Doing.WRITES or doing is Doing.CONFIGURES:
        return found
    return replace(found, bare=False, columns=True, constant=False, doubt=True)


def is_single(walk: Walk, name: tuple[str, ...]) -> bool:
    """Whether a call gives one value, made of its arguments: never a set, and nothing generated."""
    if name[-1] not in SINGLE or name[:-1] not in ((), ("pg_catalog",)):
        return False
    return len(name) == 2 or not walk.catalog.function(name[0], walk.schemas)[1]


def _called(walk: Walk, name: tuple[str, ...], values: list[Value]) -> Doing:
    """What a call does; `int4(x)` and `regclass('t')` are casts where no function has the name."""
    if name == ("pg_catalog", "extract") and "extract" not in walk.catalog.builtin_functions:
        return Doing.PURE  # up to 13, EXTRACT is date_part
    if len(name) == 1 and len(values) == 1:
        doing, others = walk.catalog.function(name[0], walk.schemas)
        if doing is None and not others and f"{name[0]}()" not in walk.temporary:
            if name[0] in walk.catalog.builtin_types:
                walk.cast({"names": [{"String": {"sval": name[0]}}]})
                return Doing.PURE
            if not values[0].constant and name[0] not in walk.catalog.types:
                # f(t) may be t.f
                return Doing.PURE if _is_column_name(walk, name[0]) else walk.call(name)
    return walk.call(name)


def _is_column_name(walk: Walk, name: str) -> bool:
    walk.work(len(walk.relations))
    return any(name in relation.numbers for relation in walk.relations.values())


def _configure(walk: Walk, nodes: list[Node]) -> None:
    """set_config: a SET by another name."""
    name = literal(nodes[0]) if nodes else None
    if name is None and nodes and strings(nodes[0].get("ColumnRef", {}).get("fields")) == ("name",):
        name = walk.row_setting
    if name is None or len(nodes) != 3:
        walk.unknown("pg_catalog.set_config")
        return
    value = literal(nodes[1])
    setting(walk, name, value)


def setting(walk: Walk, name: str, value: str | None) -> None:
    """A setting is changed, to a literal or to something that can't be told (None)."""
    if secretive.in_setting(name, value):
        walk.redact = True
    if not allowed(name):
        walk.unknown(f"setting {canonical(name)}")
        return
    if walk.catalog.sensitive and chooses_plans(name) and walk.refusal is None:
        walk.refusal = f"{canonical(name)} cannot be changed where there are sensitive columns"
    refused = refusal(name, value, walk.user, walk.read_only)
    if refused is not None and walk.refusal is None:
        walk.refusal = refused


def ordering(walk: Walk, node: Node) -> Body:
    """The body of one ORDER BY entry, its operator noted."""
    body: Body = node.get("SortBy", {})
    if not body.keys() <= {"node", "sortby_dir", "sortby_nulls", "useOp", "location"}:
        walk.unknown("syntax SortBy")
    if body.get("useOp"):
        walk.operate(strings(body["useOp"]))
    return body


def sorting(walk: Walk, node: Node, scope: Scope) -> Value:
    """One ORDER BY entry inside an aggregate or window: its value steers."""
    value = expression(walk, ordering(walk, node).get("node"), scope)
    walk.steer(value)
    return value


_WINDOW = frozenset(
    "name refname partitionClause orderClause frameOptions startOffset endOffset location".split()
)


def window(walk: Walk, body: Body, scope: Scope) -> Value:
    """A window's definition: what it partitions and orders by steers."""
    if not body.keys() <= _WINDOW:
        walk.unknown("syntax WindowDef")
    values = expressions(walk, body.get("partitionClause"), scope)
    walk.consume(values)  # the server sorts by them, and rows come out in that order
    offsets = expressions(walk, [body.get("startOffset", {}), body.get("endOffset", {})], scope)
    walk.consume(offsets)
    values.extend(offsets)
    values.extend(sorting(walk, sort, scope) for sort in body.get("orderClause", ()))
    return combine(values)
