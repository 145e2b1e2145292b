"""Statements about statements: PREPARE, EXECUTE, DECLARE, FETCH, EXPLAIN, those that store a query, COPY."""

from dataclasses import replace

from wicketgate.model.statement import Effect
from wicketgate.sql.analysis import UNKNOWN_ANALYSIS, Analysis, Environment, Output
from wicketgate.sql.bounds import bound
from wicketgate.sql.changes import analyzes, is_set_config
from wicketgate.sql.explaining import shows_nothing
from wicketgate.sql.finish import NOTHING, Resolver, Special, finish, output
from wicketgate.sql.member import Member
from wicketgate.sql.queries import query, select
from wicketgate.sql.reading import expressions, predicate
from wicketgate.sql.scope import Columns, Item, Scope
from wicketgate.sql.storing import keep_query
from wicketgate.sql.tree import strings
from wicketgate.sql.tree import walk as every_node
from wicketgate.sql.value import NO_CLASSES
from wicketgate.sql.walk import Walk


def _prepare(
    walk: Walk, member: Member, environment: Environment, inner: Analysis | None, resolver: Resolver
) -> Analysis:
    held = resolver(member.inner, environment, None) if member.inner is not None else UNKNOWN_ANALYSIS
    if member.node == "DeclareCursorStmt" and member.inner is not None and member.inner.node != "SelectStmt":
        held = UNKNOWN_ANALYSIS
    if member.inner is not None and _sets_path(member.inner):
        held = _doubted(held)
    for node in member.body.get("argtypes", ()):
        walk.cast(node.get("TypeName", {}))
    if walk.held_types:
        walk.unknown("cast")  # a parameter of a type that a user's cast begins at
    if Effect.UNKNOWN in walk.effects:
        held = _doubted(held)
    verb = "prepare" if member.node == "PrepareStmt" else "declare"
    facts = replace(
        held.facts,
        effects=held.facts.effects | {Effect.SESSION},
        commands=held.facts.commands | {verb},
        returns_rows=False,
    )
    return replace(held, facts=facts, held=held)


def _doubted(held: Analysis) -> Analysis:
    """The same, where something beside it may do anything."""
    facts = replace(held.facts, effects=held.facts.effects | {Effect.UNKNOWN}, complete=False, opaque=True)
    return replace(held, facts=facts, sensitive=True, sensitive_parameters=None, disturbs=True)


def _sets_path(member: Member) -> bool:
    """Whether what is prepared would change the path when it runs, unseen by whoever looks at EXECUTE."""
    return member.changes.path is not None or member.changes.path_unknown


def _execute(
    walk: Walk, member: Member, environment: Environment, inner: Analysis | None, resolver: Resolver
) -> Analysis:
    held = _held(inner)
    values = expressions(walk, member.body.get("params"), Scope())
    for value in values:
        walk.spill(value)
    own = finish(walk, NOTHING, False).facts if values else None
    parameters: frozenset[int] | None = frozenset()
    if held.sensitive_parameters is None or walk.opaque:
        parameters = None
    else:
        for at, value in enumerate(values, 1):
            if at in held.sensitive_parameters:
                parameters = (parameters or frozenset()) | value.parameters
    facts = held.facts
    extra = own.effects - {Effect.SESSION} if own is not None else frozenset()
    facts = replace(
        facts,
        effects=facts.effects | extra,
        commands=facts.commands | {"execute"},
        reads=facts.reads | (own.reads if own else frozenset()),
        whole=facts.whole | (own.whole if own else frozenset()),
        functions=facts.functions | (own.functions if own else frozenset()),
        classes=facts.classes | (own.classes if own else frozenset()),
        steered=facts.steered | (own.steered if own else frozenset()),
        compared=facts.compared | (own.compared if own else frozenset()),
        spilled=facts.spilled | (own.spilled if own else frozenset()),
        complete=facts.complete and (own is None or own.complete),
        opaque=facts.opaque or (own is not None and own.opaque),
        refusal=facts.refusal or (own.refusal if own else None),
    )
    return replace(
        held,
        facts=facts,
        sensitive=held.sensitive or walk.sensitive or (walk.opaque and walk.catalog.sensitive),
        sensitive_parameters=parameters,
        disturbs=held.disturbs or walk.disturbs,
        held=None,
    )


def _held(inner: Analysis | None) -> Analysis:
    """What a name stands for: PREPARE's and DECLARE's analyses hold it."""
    if inner is None:
        return UNKNOWN_ANALYSIS
    return inner.held if inner.held is not None else inner


def _fetch(
    walk: Walk, member: Member, environment: Environment, inner: Analysis | None, resolver: Resolver
) -> Analysis:
    held = _held(inner)
    moves = bool(member.body.get("ismove"))
    facts = replace(
        held.facts,
        effects=held.facts.effects | {Effect.READ},
        commands=held.facts.commands | {"move" if moves else "fetch"},
        returns_rows=not moves,
    )
    return replace(held, facts=facts, held=None)


def _explain(
    walk: Walk, member: Member, environment: Environment, inner: Analysis | None, resolver: Resolver
) -> Analysis:
    if member.inner is None:
        return UNKNOWN_ANALYSIS
    explained = resolver(member.inner, environment, inner)
    facts = explained.facts
    clean = False
    if analyzes(member.body):
        facts = replace(facts, effects=facts.effects | {Effect.READ}, commands=facts.commands | {"explain"})
    else:
        clean = shows_nothing(member.inner, explained, environment)
        unknown = facts.effects & {Effect.UNKNOWN}
        facts = replace(
            facts,
            effects=frozenset({Effect.READ}) | unknown,
            commands=frozenset({"explain"}),
            writes=frozenset(),
            whole=frozenset(),
            inherits=(),
        )
    return replace(
        explained,
        facts=replace(facts, returns_rows=True),
        relations=frozenset(),
        head=(Output(NO_CLASSES, False) if clean else None,),
        tail=(),
        starred=False,
        copied=None,
        inherits=explained.inherits if facts.inherits else (),
        held=None,
    )


def _into(
    walk: Walk, member: Member, environment: Environment, inner: Analysis | None, resolver: Resolver
) -> Analysis:
    """SELECT INTO, CREATE TABLE AS, CREATE MATERIALIZED VIEW, CREATE VIEW: what it selects is stored
    under a name
    whose columns have no class of their own."""
    body = member.body
    if member.inner is not None:
        executed = resolver(member.inner, environment, inner)
        facts = executed.facts
        facts = replace(
            facts,
            effects=facts.effects | {Effect.DEFINE},
            commands=facts.commands | {"create"},
            spilled=facts.spilled | facts.classes,
            returns_rows=False,
        )
        return replace(executed, facts=facts)
    if member.node == "SelectStmt":
        walk.commands.add("select")
        columns = select(walk, {key: value for key, value in body.items() if key != "intoClause"}, Scope())
    else:
        columns = query(walk, body.get("query", {}), Scope())
    walk.commands.add("create")
    walk.effects.add(Effect.DEFINE)
    into = body.get("intoClause") or body.get("into") or {}
    reference = body.get("view") or into.get("rel") or {}
    names = strings(body.get("aliases") or into.get("colNames"))
    keep_query(walk, reference, names, columns)
    kept = member.node == "ViewStmt" or member.body.get("objtype") == "OBJECT_MATVIEW"
    if kept and any(node == "FuncCall" and is_set_config(part) for node, part in every_node(member.body)):
        walk.unknown("pg_catalog.set_config")  # later sessions would not be told
    if member.node == "ViewStmt":
        _replaced(walk, member)
    return finish(walk, NOTHING, False)


def _replaced(walk: Walk, member: Member) -> None:
    """CREATE OR REPLACE VIEW writes what stood under that name."""
    reference = member.body.get("view", {})
    relations, _ = walk.find(reference)
    if member.body.get("replace"):
        for relation in relations:
            walk.writes.add(relation.qualified)


def _refresh(
    walk: Walk, member: Member, environment: Environment, inner: Analysis | None, resolver: Resolver
) -> Analysis:
    walk.commands.add("refresh")
    reference = member.body.get("relation", {})
    relations, doubtful = walk.find(reference)
    walk.write(relations, str(reference.get("relname", "")), doubtful, Effect.WRITE)
    for relation in relations:
        if relation.view is not None:
            body = walk.catalog.body(relation)
            walk.effects |= body.effects
            walk.functions |= body.functions
            walk.reads |= body.reads
    return finish(walk, NOTHING, False)


# -- COPY --------------------------------------------------------------------------------------------------
_COPY = frozenset("relation query attlist is_from is_program filename options whereClause".split())


def _copy(
    walk: Walk, member: Member, environment: Environment, inner: Analysis | None, resolver: Resolver
) -> Analysis:
    body = member.body
    if not body.keys() <= _COPY:
        walk.unknown("syntax CopyStmt")
    outside = bool(body.get("is_program") or body.get("filename"))
    if outside:
        walk.effects.add(Effect.EXECUTE)
    reference = body.get("relation")
    if body.get("is_from"):
        walk.commands.add("copy_in")
        relations, doubtful = walk.find(reference or {})
        walk.write(relations, str((reference or {}).get("relname", "")), doubtful, Effect.WRITE, True)
        item = walk.item(relations, str((reference or {}).get("relname", "")), (), doubtful)
        predicate(walk, body.get("whereClause"), Scope(None, [item]))
        return finish(walk, NOTHING, False)
    walk.commands.add("copy_out")
    columns: Columns | None
    if reference is not None:
        columns = _copied_relation(walk, member)
    else:
        columns = query(walk, body.get("query", {}), Scope())
    told = columns is not None and columns.loose is None and not walk.opaque
    if outside and columns is not None:
        for value in columns.values:
            walk.spill(value)
        if columns.loose is not None:
            walk.spill(columns.loose)
    analysis = finish(walk, Columns(shape=[None]), not outside)
    outputs = [output(value, not walk.unknown_names) for value in columns.values] if told and columns else []
    copied = tuple(each for each in outputs if each is not None)
    return replace(analysis, copied=copied if told and len(copied) == len(outputs) else None)


def _copied_relation(walk: Walk, member: Member) -> Columns | None:
    reference = member.body["relation"]
    name = str(reference.get("relname", ""))
    relations, doubtful = walk.find(reference)
    walk.read(relations, name, doubtful)
    item = walk.item(relations, name, (), doubtful)
    bound(walk, Scope(None, [Item(name, item.columns, relations, doubtful=doubtful)]), [], False)
    if len(relations) != 1 or doubtful:
        return None
    listed = strings(member.body.get("attlist"))
    relation = relations[0]
    names = listed or tuple(
        column for number, column, _ in relation.columns if number not in relation.generated
    )
    columns = Columns()
    for column in names:
        value = item.columns.listed(column)
        if value is None:
            walk.unseen(column)
            return None
        columns.add(column, value)
    return columns


HOLDING: dict[str, Special] = {
    "PrepareStmt": _prepare,
    "DeclareCursorStmt": _prepare,
    "ExecuteStmt": _execute,
    "FetchStmt": _fetch,
    "ExplainStmt": _explain,
    "SelectStmt": _into,
    "CreateTableAsStmt": _into,
    "ViewStmt": _into,
    "RefreshMatViewStmt": _refresh,
    "CopyStmt": _copy,
}
