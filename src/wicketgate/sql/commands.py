"""The statements that define, grant and maintain: a closed table of what each does.
A statement type that does not stand here (or in resolve's own) is unknown.
"""

from typing import Final

from wicketgate.model.statement import Effect
from wicketgate.sql import secretive
from wicketgate.sql.bodies import plainly_clean
from wicketgate.sql.changes import is_set_config
from wicketgate.sql.functions import Doing
from wicketgate.sql.reading import HANDLERS, expression
from wicketgate.sql.scope import COLUMN, Columns, Item, Scope
from wicketgate.sql.snapshot import BUILTIN, Relation
from wicketgate.sql.tree import Body, options, split, strings, walk
from wicketgate.sql.walk import Walk

_D, _G, _X, _W, _S, _U = (
    Effect.DEFINE,
    Effect.GRANT,
    Effect.EXECUTE,
    Effect.WRITE,
    Effect.SESSION,
    Effect.UNKNOWN,
)

COMMANDS: Final[dict[str, tuple[str, frozenset[Effect]]]] = {
    node: (command, frozenset(effects))
    for command, effects, nodes in (
        (
            "create",
            (_D,),
            """CreateSchemaStmt CreateStmt CreateSeqStmt DefineStmt CreateDomainStmt CreateOpClassStmt
            CreateOpFamilyStmt IndexStmt CreateStatsStmt CreateFunctionStmt CompositeTypeStmt CreateEnumStmt
            CreateRangeStmt CreateConversionStmt CreateCastStmt CreateTransformStmt CreatePublicationStmt
            CreatePolicyStmt CreateAmStmt CreateForeignTableStmt CreatedbStmt""",
        ),
        ("create", (_D, _U), "RuleStmt CreateTrigStmt CreateEventTrigStmt"),
        (
            "create",
            (_D, _X),
            """CreateExtensionStmt CreateFdwStmt CreateForeignServerStmt CreateUserMappingStmt CreatePLangStmt
            CreateSubscriptionStmt CreateTableSpaceStmt""",
        ),
        ("create", (_G,), "CreateRoleStmt"),
        (
            "alter",
            (_D,),
            """AlterTableStmt AlterCollationStmt AlterDomainStmt AlterOpFamilyStmt AlterPolicyStmt
            AlterSeqStmt AlterStatsStmt AlterFunctionStmt RenameStmt AlterObjectDependsStmt
            AlterObjectSchemaStmt AlterOperatorStmt AlterTypeStmt AlterEnumStmt AlterTSDictionaryStmt
            AlterTSConfigurationStmt AlterPublicationStmt AlterDatabaseStmt AlterDatabaseRefreshCollStmt
            AlterTableSpaceOptionsStmt AlterTableMoveAllStmt""",
        ),
        ("alter", (_D, _G), "AlterOwnerStmt AlterDatabaseSetStmt"),
        (
            "alter",
            (_D, _X),
            """AlterExtensionStmt AlterExtensionContentsStmt AlterFdwStmt AlterForeignServerStmt
            AlterUserMappingStmt AlterSubscriptionStmt AlterSystemStmt AlterEventTrigStmt""",
        ),
        ("alter", (_G,), "AlterRoleStmt AlterRoleSetStmt"),
        ("drop", (_D,), "DropStmt DropUserMappingStmt DropSubscriptionStmt DropTableSpaceStmt DropdbStmt"),
        ("drop", (_G,), "DropRoleStmt"),
        ("drop", (_D, _G), "DropOwnedStmt"),
        ("grant", (_G,), "GrantStmt GrantRoleStmt AlterDefaultPrivilegesStmt"),
        ("reassign", (_D, _G), "ReassignOwnedStmt"),
        ("comment", (_D,), "CommentStmt"),
        ("security_label", (_D,), "SecLabelStmt"),
        ("import", (_D, _X), "ImportForeignSchemaStmt"),
        ("load", (_X, _U), "LoadStmt"),
        ("checkpoint", (_X,), "CheckPointStmt"),
        ("vacuum", (_W,), "VacuumStmt"),
        ("cluster", (_W,), "ClusterStmt"),
        ("reindex", (_W,), "ReindexStmt"),
        ("set", (_S,), "ConstraintsSetStmt"),
    )
    for node in nodes.split()
}

_SECRETIVE = frozenset(
    """CreateForeignServerStmt CreateUserMappingStmt CreateSubscriptionStmt AlterForeignServerStmt
    AlterUserMappingStmt AlterSubscriptionStmt CreateFdwStmt AlterFdwStmt""".split()
)
"""Their options may carry passwords."""

_WOKEN = {"CreateCastStmt": ("func",), "CreateConversionStmt": ("func_name",)}
"""Definitions that make a function run without being named afterwards."""

_HARMLESS_ALTERATIONS = frozenset(
    f"AT_{name}"
    for name in """AddColumn ColumnDefault DropNotNull SetNotNull SetStatistics SetOptions
    ResetOptions SetStorage SetCompression AddIndex AddConstraint ValidateConstraint DropConstraint
    AlterConstraint ChangeOwner DropCluster SetLogged SetUnLogged SetTableSpace SetRelOptions
    ResetRelOptions EnableTrig EnableAlwaysTrig EnableReplicaTrig DisableTrig EnableTrigAll DisableTrigAll
    EnableTrigUser DisableTrigUser EnableRowSecurity DisableRowSecurity ForceRowSecurity NoForceRowSecurity
    ReplicaIdentity AddIdentity SetIdentity DropIdentity""".split()
)

"""With these, no value of the table comes out or steers anything but through their expressions."""

_ON_COLUMN = frozenset({"AT_DropColumn", "AT_AlterColumnType"})
"""These may take a class from a column: harmless where it has none."""

_HARMLESS = frozenset(
    """DropStmt CommentStmt GrantStmt VacuumStmt ReindexStmt AlterOwnerStmt SecLabelStmt AlterSeqStmt
    CreateSeqStmt CreateStmt CreatePublicationStmt AlterPublicationStmt DropOwnedStmt IndexStmt
    CreateStatsStmt CreatePolicyStmt AlterPolicyStmt CreateDomainStmt AlterDomainStmt""".split()
)
"""The same of whole statements."""

_SUPPORT = frozenset(
    """sfunc finalfunc combinefunc serialfunc deserialfunc msfunc minvfunc mfinalfunc procedure function
    restrict join canonical subtype_diff input output receive send typmod_in typmod_out analyze subscript
    subtype_opclass""".split()
)
"""Options of definitions that name a function, which then runs without being named."""

_ROUTINES = frozenset(
    "OBJECT_FUNCTION OBJECT_PROCEDURE OBJECT_ROUTINE OBJECT_AGGREGATE OBJECT_SCHEMA".split()
)

_PLAIN_CHANGES = frozenset("volatility strict leakproof cost rows parallel".split())


def command(state: Walk, name: str, body: Body) -> None:
    """Gather what a statement of the table does."""
    verb, effects = COMMANDS[name]
    state.commands.add(_verb(verb, name, body))
    state.effects |= effects
    if effects & {Effect.UNKNOWN}:
        state.complete = False
        state.opaque = True
    if name == "VacuumStmt" and not body.get("is_vacuumcmd"):
        state.commands = {"analyze"}
    if name in _SECRETIVE or "password" in options(body.get("options")) or _secretive(name, body):
        state.redact = True
    if name == "CreateSchemaStmt":
        for element in body.get("schemaElts", ()):
            _element(state, *split(element))
        return
    _expressions(state, name, body)
    for function in _WOKEN.get(name, ()):
        if function not in body:
            continue
        called = body[function]
        state.call(strings(called.get("objname") if isinstance(called, dict) else called) or ("",))
    if body.get("behavior") == "DROP_CASCADE" or name in ("DropOwnedStmt", "ReassignOwnedStmt"):
        state.complete = False  # what goes with it is not named
    relations = _named(state, name, body)
    if state.catalog.sensitive:
        _plants(state, name, body)
    for oid in relations if name not in _HARMLESS else ():
        _unclassed(state, name, body, state.relations[oid])
    if name == "ClusterStmt" and "relation" not in body:
        for relation in state.catalog.relations.values():
            _steer(state, relation)
    if name == "AlterDomainStmt" and body.get("subtype") in _TESTING:
        _held_in_types(state)
    if name == "RenameStmt" and body.get("renameType") == "OBJECT_SCHEMA":
        _schema(state, str(body.get("subname", "")))


def _secretive(name: str, body: Body) -> bool:
    if name == "CreateFunctionStmt":
        return secretive.in_code(options(body.get("options")).get("as"))
    return "setstmt" in body and secretive.in_set(body["setstmt"])


def _verb(verb: str, name: str, body: Body) -> str:
    if name in ("GrantStmt", "GrantRoleStmt") and not body.get("is_grant"):
        return "revoke"
    return verb


def _element(state: Walk, name: str, body: Body) -> None:
    """A statement inside CREATE SCHEMA."""
    if name in COMMANDS:
        command(state, name, body)
    else:
        state.unknown(f"syntax {name} in CREATE SCHEMA")


def _schema(state: Walk, schema: str) -> None:
    """A renamed schema takes its tables' names, and so their classes, away."""
    for relation in state.catalog.relations.values():
        if relation.schema == schema:
            _steer(state, relation)


_TESTING = frozenset("CV")
"""ALTER DOMAIN ADD and VALIDATE CONSTRAINT: every value of the domain is tested, wherever it is."""


def _held_in_types(state: Walk) -> None:
    """The classes of columns whose type may be, or hold, a domain."""
    for relation in state.catalog.relations.values():
        for number, classes in (
            state.catalog.relation_classes(relation).items() if relation.view is None else ()
        ):
            if any(at == number and oid >= BUILTIN for at, _, oid in relation.columns):
                state.steered |= classes


def _named(state: Walk, name: str, body: Body) -> set[int]:
    """Relations that the statement names, as written ones."""
    before = set(state.relations)
    references = [part for _, part in walk(body) if isinstance(part.get("relname"), str)]
    if name in ("DropStmt", "CommentStmt", "SecLabelStmt"):
        kind = str(body.get("removeType") or body.get("objtype") or "")
        nodes = body.get("objects", []) if name == "DropStmt" else [body.get("object", {})]
        for node in nodes:
            parts = strings(node.get("List", {}).get("items"))
            if kind in _ON_RELATIONS:
                parts = parts[:-1]
            elif kind not in _RELATIONS:
                continue
            if parts:
                reference = {"relname": parts[-1]}
                if len(parts) > 1:
                    reference["schemaname"] = parts[-2]
                references.append(reference)
    for reference in references:
        found, _ = state.find(reference)
        state.write(found, str(reference["relname"]), False, Effect.DEFINE)
        if not found and name not in ("CreateStmt", "CreateSeqStmt"):
            schema = reference.get("schemaname")
            state.writes.add(f"{schema}.{reference['relname']}" if schema else str(reference["relname"]))
    if COMMANDS[name][1] <= {Effect.WRITE, Effect.GRANT, Effect.SESSION}:
        state.effects.discard(Effect.DEFINE)
    return set(state.relations) - before


_RELATIONS = frozenset(
    "OBJECT_TABLE OBJECT_VIEW OBJECT_MATVIEW OBJECT_SEQUENCE OBJECT_FOREIGN_TABLE OBJECT_INDEX".split()
)
_ON_RELATIONS = frozenset(
    "OBJECT_COLUMN OBJECT_RULE OBJECT_TRIGGER OBJECT_POLICY OBJECT_TABCONSTRAINT".split()
)


def _steer(state: Walk, relation: Relation, column: str | None = None) -> None:
    """Every class of a relation, or of one of its columns and of that column in what inherits it."""
    for each in (relation, *state.catalog.descendants(relation.oid)):
        held = state.catalog.relation_classes(each)
        if column is None:
            state.steered |= frozenset().union(*held.values())
        elif column in each.numbers:
            state.steered |= held.get(each.numbers[column], frozenset())


def _unclassed(state: Walk, name: str, body: Body, relation: Relation) -> None:
    """Changes that may take a class away from a column, or put rows into a telling order."""
    if name != "AlterTableStmt":
        _steer(state, relation)
        return
    for node in body.get("cmds", ()):
        part = node.get("AlterTableCmd", {})
        kind = part.get("subtype")
        if kind in _ON_COLUMN:
            _steer(state, relation, str(part.get("name", "")))
        elif kind not in _HARMLESS_ALTERATIONS:
            _steer(state, relation)
        for inner, constraint in walk(part):
            if inner == "Constraint" and constraint.get("contype") == "CONSTR_EXCLUSION":
                _excludes(state, constraint, relation)


def _excludes(state: Walk, constraint: Body, relation: Relation) -> None:
    """An exclusion compares by any operator: only `=` is harmless."""
    for pair in constraint.get("exclusions", ()):
        element, operator = pair["List"]["items"]
        if strings(operator.get("List", {}).get("items"))[-1:] != ("=",):
            _steer(state, relation, element.get("IndexElem", {}).get("name"))


def _plants(state: Walk, name: str, body: Body) -> None:
    """Code is put where it later runs unseen: where it can't be told to be clean, it can't be followed."""
    if name == "CreateFunctionStmt":
        clean = plainly_clean(state, body)
    elif name == "AlterFunctionStmt":
        clean = options(body.get("actions")).keys() <= _PLAIN_CHANGES
    elif name in ("RenameStmt", "AlterObjectSchemaStmt"):
        clean = body.get("renameType", body.get("objectType")) not in _ROUTINES
    elif name in ("DefineStmt", "CreateRangeStmt"):
        given = options(body.get("definition") or body.get("params"))
        clean = all(
            _computes(state, strings((node or {}).get("TypeName", {}).get("names")))
            for key, node in given.items()
            if key in _SUPPORT
        )
    else:
        clean = name not in ("CreateOpClassStmt", "AlterOpFamilyStmt", "CreateTransformStmt")
    if not clean:
        state.blur()
        state.functions.add("code in a definition")


def _computes(state: Walk, function: tuple[str, ...]) -> bool:
    trial = Walk(state.catalog, state.path, state.temporary, state.user, state.read_only)
    return bool(function) and trial.call(function) is Doing.PURE and not trial.opaque


def _expressions(state: Walk, name: str, body: Body) -> None:
    """Expressions in a definition are read as those of queries are: some run at once (ADD COLUMN … DEFAULT
    f()), all run later, when nobody looks."""
    scope = _scope(state, body)
    stack: list[object] = [
        part
        for field, part in body.items()
        if field != "sql_body" and (name, field) != ("RuleStmt", "actions")
    ]
    while stack:
        thing = stack.pop()
        if isinstance(thing, list):
            stack.extend(thing)
            continue
        if not isinstance(thing, dict):
            continue
        node, part = split(thing) if len(thing) == 1 else ("", {})
        if node in HANDLERS or node == "A_Const":
            if node == "ColumnRef" and strings(part.get("fields")) in (("minvalue",), ("maxvalue",)):
                continue
            if any(inner == "FuncCall" and is_set_config(call) for inner, call in walk(thing)):
                state.unknown("pg_catalog.set_config")
            state.steer(expression(state, thing, scope))
        elif node in ("SelectStmt", "InsertStmt", "UpdateStmt", "DeleteStmt", "MergeStmt"):
            state.unknown(f"syntax {node} in {name}")
        else:
            if node == "AlterTableCmd" and part.get("subtype") in ("AT_AddColumn", "AT_AlterColumnType"):
                _column_type(state, part.get("def", {}).get("ColumnDef", {}).get("typeName", {}))
            if (name, node) == ("CompositeTypeStmt", "ColumnDef"):
                _column_type(state, part.get("typeName", {}))
            stack.extend(thing.values())


_SERIAL = frozenset("serial bigserial smallserial serial2 serial4 serial8".split())


def _column_type(state: Walk, type_name: Body) -> None:
    """A new column's type: its input may run at once."""
    if not set(strings(type_name.get("names"))[-1:]) & _SERIAL:
        state.cast(type_name)


def _scope(state: Walk, body: Body) -> Scope:
    """The columns that a definition's expressions may name: the relation's own, and new ones."""
    new = [str(part["colname"]) for node, part in walk(body) if node == "ColumnDef" and part.get("colname")]
    reference = body.get("relation") or body.get("table") or {}
    listed = [node["RangeVar"] for node in body.get("relations", ()) if "RangeVar" in node]
    items = []
    for named in [reference, *listed] if reference else listed:
        relations, doubtful = state.find(named)
        item = state.item(relations, str(named.get("relname", "")), (), doubtful)
        for column in new:
            if column not in item.columns.names:
                item.columns.add(column, COLUMN)
        items.append(item)
    if not items or "tableElts" in body:
        items = [Item(str(reference.get("relname", "")), Columns(loose=COLUMN))]
    return Scope(None, items)
