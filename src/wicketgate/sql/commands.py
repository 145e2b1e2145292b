"""The statements that define, grant and maintain: a closed table of what each does.
A statement type that does not stand here (or in resolve's own) is unknown.
"""

from typing import Final

from wicketgate.model.statement import Effect
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
    for name in """AddColumn ColumnDefault DropNotNull SetNotNull DropColumn SetStatistics SetOptions
    ResetOptions SetStorage SetCompression AddIndex AddConstraint ValidateConstraint DropConstraint
    AlterConstraint ChangeOwner ClusterOn DropCluster SetLogged SetUnLogged SetTableSpace SetRelOptions
    ResetRelOptions EnableTrig EnableAlwaysTrig EnableReplicaTrig DisableTrig EnableTrigAll DisableTrigAll
    EnableTrigUser DisableTrigUser EnableRowSecurity DisableRowSecurity ForceRowSecurity NoForceRowSecurity
    ReplicaIdentity AddIdentity SetIdentity DropIdentity""".split()
)

_HARMLESS = frozenset(
    """DropStmt CommentStmt GrantStmt VacuumStmt ReindexStmt ClusterStmt AlterOwnerStmt SecLabelStmt
    AlterSeqStmt CreateSeqStmt CreateStmt CreatePublicationStmt AlterPublicationStmt DropOwnedStmt""".split()
)
"""With these, no value of a table that they name can come out or steer anything."""

_EXPRESSIONS = frozenset(
    {"A_Expr", "FuncCall", "TypeCast", "SubLink", "ColumnRef", "CaseExpr", "NullTest", "BoolExpr"}
)


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
    if name in _SECRETIVE or "password" in options(body.get("options")):
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
    if not (name in _HARMLESS and not _has_expressions(body)) and not _harmless_alteration(name, body):
        for oid in relations:
            relation = state.relations[oid]
            for classes in state.catalog.relation_classes(relation).values():
                state.steered |= classes
    if name == "RenameStmt" and body.get("renameType") == "OBJECT_SCHEMA":
        _schema(state, str(body.get("subname", "")))


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
            for classes in state.catalog.relation_classes(relation).values():
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


def _has_expressions(body: Body) -> bool:
    return any(node in _EXPRESSIONS for node, _ in walk(body))


def _harmless_alteration(name: str, body: Body) -> bool:
    if name == "IndexStmt":
        plain = not any("expr" in part for node, part in walk(body.get("indexParams")) if node == "IndexElem")
        return plain and "whereClause" not in body
    if name == "CreateStatsStmt":
        return not any("expr" in part for node, part in walk(body.get("exprs")) if node == "StatsElem")
    if name != "AlterTableStmt":
        return False
    for node in body.get("cmds", ()):
        part = node.get("AlterTableCmd", {})
        if part.get("subtype") not in _HARMLESS_ALTERATIONS:
            return False
        if any(inner == "ColumnRef" or inner == "SubLink" for inner, _ in walk(part)):
            return False
    return True


def _expressions(state: Walk, name: str, body: Body) -> None:
    """What expressions inside a definition call: they may run at once (ADD COLUMN … DEFAULT f())."""
    for node, part in walk(body):
        if node == "FuncCall":
            called = strings(part.get("funcname"))
            doing = state.call(called)
            state.does(doing, called[-1])
        elif node == "A_Expr":
            operator = strings(part.get("name"))
            if part.get("kind") in ("AEXPR_OP", "AEXPR_OP_ANY", "AEXPR_OP_ALL", "AEXPR_IN", "AEXPR_LIKE"):
                state.operate(operator)
        elif node == "TypeCast":
            state.cast(part.get("typeName", {}))
        elif node in ("SelectStmt", "InsertStmt", "UpdateStmt", "DeleteStmt") and name not in (
            "CreateFunctionStmt",
            "RuleStmt",
        ):
            state.unknown(f"syntax {node} in {name}")
        elif node == "AlterTableCmd" and part.get("subtype") == "AT_AlterColumnType":
            definition = part.get("def", {}).get("ColumnDef", {})
            state.cast(definition.get("typeName", {}))
