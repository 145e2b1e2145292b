"""Reads column references: what a name may stand for, whole rows and fields.
Where it is in doubt which of several a name means, it means all of them.
"""

from dataclasses import replace

from wicketgate.sql.functions import Doing
from wicketgate.sql.reading import everything, expression, reads
from wicketgate.sql.scope import (
    BARE_COLUMN,
    COLUMN,
    Item,
    Scope,
    Value,
    combine,
    together,
    unite_values,
)
from wicketgate.sql.total import function_is_total
from wicketgate.sql.tree import Body, Node, split, strings
from wicketgate.sql.walk import SYSTEM_COLUMNS, Walk


@reads("ColumnRef", "fields")
def _column(walk: Walk, body: Body, scope: Scope) -> Value:
    value = _referred(walk, strings(body.get("fields")), scope)
    return value if value.columns else replace(value, columns=True)


def _referred(walk: Walk, parts: tuple[str, ...], scope: Scope) -> Value:
    if len(parts) == 1 and parts[0] != "*":
        return column(walk, parts[0], scope)
    if parts[-1] == "*":
        # a star that is no output by itself: the whole row, or `count(*)`'s relative
        return _whole_row(walk, parts[:-1], scope)
    found = _qualified(walk, parts, scope)
    if found is not None:
        return found
    return _unseen(walk, ".".join(parts), scope)


def _unseen(walk: Walk, name: str, scope: Scope) -> Value:
    """A column that nothing in sight has: an error of the server's, unless what is in sight was made by a
    query
    and holds sensitive values, where this module might be the one that is wrong."""
    items = [item for level in scope.levels() for item in level.items]
    walk.work(sum(len(item.columns.names) for item in items))
    derived = [item for item in items if not item.relations]
    walk.unseen(name, surely=bool(items) and not derived and not any(item.doubtful for item in items))
    held = combine([COLUMN, *(item.columns.everything() for item in derived)])
    if held.classes:
        walk.blur()
        walk.steer(held)
    return Value(held.classes, False, True, doubt=True)


def column(walk: Walk, name: str, scope: Scope) -> Value:
    """An unqualified column: the innermost level that surely has it; where that is in doubt, what outer
    levels
    have too, and the whole row of an item of that name."""
    found: list[Value] = []
    for level in scope.levels():
        walk.work(1 + len(level.items))
        certain = False
        here: list[Value] = []
        loose: list[Value] = []
        for item in level.items:
            if item.hidden:
                continue
            listed = item.columns.listed(name)
            if listed is not None:
                here.append(listed)
                certain = certain or not item.doubtful
            elif item.columns.loose is not None:
                loose.append(item.columns.loose)
        if here:  # several, where USING has merged them
            found.append(together(here))
        if certain:
            return unite_values(found)
        found.extend(loose)
    if name in SYSTEM_COLUMNS:
        found.append(BARE_COLUMN)
    for level in scope.levels():
        named = [item for item in level.items if item.name == name]
        walk.work(len(level.items))
        if named:
            walk.work(sum(len(item.columns.names) for item in named))
            found.append(combine([COLUMN, *(item.columns.everything() for item in named)]))
            break
    if found:
        return unite_values(found)
    return _unseen(walk, name, scope)


def items_named(walk: Walk, parts: tuple[str, ...], scope: Scope) -> list[Item]:
    """The FROM items that `t`, `schema.t` or `database.schema.t` may mean: the innermost, and outer ones too
    where its schema is in doubt. A schema never names an alias."""
    name = parts[-1]
    schema = parts[-2] if len(parts) > 1 else None
    found: list[Item] = []
    for level in scope.levels():
        walk.work(1 + len(level.items))
        here = [
            item for item in level.items if item.name == name and (schema is None or schema in item.schemas)
        ]
        found.extend(here)
        if here and (schema is None or all(item.schemas == {schema} for item in here)):
            break
    return found


def _qualified(walk: Walk, parts: tuple[str, ...], scope: Scope) -> Value | None:
    """`t.c`, `s.t.c`, `d.s.t.c`; `t.f` may also be f(t), where t has no such column."""
    found = items_named(walk, parts[:-1], scope)
    if not found:
        return None
    name = parts[-1]
    values = [value for item in found if (value := item.columns.listed(name)) is not None]
    if values and not any(item.doubtful for item in found):
        return unite_values(values)
    values.extend(item.columns.loose for item in found if item.columns.loose is not None)
    if name in SYSTEM_COLUMNS:
        return unite_values([BARE_COLUMN, *values])
    if values:
        _, others = walk.catalog.function(name, walk.schemas)
        if others or f"{name}()" in walk.temporary:
            walk.does(walk.call((name,)), name)
        return unite_values(values)
    surely = all(item.relations and not item.doubtful for item in found)
    return _project(walk, name, combine([COLUMN, *(item.columns.everything() for item in found)]), surely)


def _project(walk: Walk, name: str, whole: Value, surely: bool) -> Value:
    """`(row).name`: a field, or a call of a function of that name."""
    doing, others = walk.catalog.function(name, walk.schemas)
    if doing is not None or others or f"{name}()" in walk.temporary:
        walk.steer(whole)
        walk.does(walk.call((name,)), name)
    elif name in walk.catalog.types or name in walk.catalog.builtin_types:
        walk.steer(whole)
        walk.unknown(name)
    else:
        walk.unseen(name, surely)
    return replace(whole, bare=False, columns=True, base=False, doubt=True)


def _whole_row(walk: Walk, parts: tuple[str, ...], scope: Scope) -> Value:
    found = items_named(walk, parts, scope) if parts else [item for item in scope.items if not item.hidden]
    if not found:
        walk.blur()
        return everything(walk, scope)
    walk.work(sum(len(item.columns.names) for item in found))
    return combine([COLUMN, *(item.columns.everything() for item in found)])


def _runs_totally(walk: Walk, field: str, argument: Node, value: Value) -> bool:
    """Whether `(x).field` can't fail whatever x is, and gives NULL for no other reason than a NULL: it may be
    a cast (`(x).int4`), or a call."""
    doing, others = walk.catalog.function(field, walk.schemas)
    is_type = field in walk.catalog.types or field in walk.catalog.builtin_types
    if is_type:
        walk.cast({"names": [{"String": {"sval": field}}]})
    if field in ("text", "varchar", "bpchar", "name") and not others:
        return True  # anything can be written out
    if doing is None and not others and not is_type and f"{field}()" not in walk.temporary:
        return True
    return function_is_total(walk, (field,), {"args": [argument]}, [value])


@reads("A_Indirection", "arg indirection")
def _indirection(walk: Walk, body: Body, scope: Scope) -> Value:
    """`(x).field`, `x[1]`, `(x).*`."""
    argument = body.get("arg", {})
    steps = body.get("indirection", [])
    value = _field_of_row(walk, argument, steps, scope)
    if value is not None:
        steps = steps[1:]
        if not steps:
            return value
    else:
        value = expression(walk, argument, scope)
    values = [value]
    total = True
    for step in steps:
        name, inner = split(step)
        if name == "A_Indices":
            values.extend(
                [expression(walk, inner.get("lidx"), scope), expression(walk, inner.get("uidx"), scope)]
            )
        elif name == "String":
            # (x).f may be f(x)
            field = str(inner.get("sval", ""))
            doing, others = walk.catalog.function(field, walk.schemas)
            if others or doing not in (None, Doing.PURE) or f"{field}()" in walk.temporary:
                walk.does(walk.call((field,)), field)
            total = _runs_totally(walk, field, argument, value) and total
        elif name != "A_Star":
            walk.unknown(f"syntax {name}")
    # where a value says which element is meant, what comes back tells it
    walk.consume(values, total and not any(index.classes for index in values[1:]))
    return replace(combine([COLUMN, *values]), many=False, odd=False)


def _field_of_row(walk: Walk, argument: Node, steps: list[Node], scope: Scope) -> Value | None:
    """`(t).c` where `t` can be nothing but a FROM item's row: the server reads it as `t.c`. Else None."""
    parts = strings(argument.get("ColumnRef", {}).get("fields"))
    field = steps[0].get("String", {}).get("sval") if steps else None
    if len(parts) != 1 or parts[0] == "*" or not field or parts[0] in SYSTEM_COLUMNS:
        return None
    for level in scope.levels():
        walk.work(1 + len(level.items))
        columns = [item.columns for item in level.items]
        if any(each.loose is not None or each.listed(parts[0]) is not None for each in columns):
            return None
    if any(item.doubtful for item in items_named(walk, parts, scope)):
        return None
    return _qualified(walk, (parts[0], str(field)), scope)
