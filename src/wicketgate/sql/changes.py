"""What a statement does to its session, told from its syntax alone.
What cannot be told is unknown here, never nothing.
"""

from dataclasses import dataclass

from wicketgate.sql.path import cut, read_path
from wicketgate.sql.settings import canonical
from wicketgate.sql.tree import Body, Node, hoisted, literal, options, split, strings, walk, without_database


@dataclass(frozen=True, slots=True)
class Changes:
    """path: the search_path that a literal SET or set_config puts in place (None: it does not, or unknown).
    path_local: that change ends with the transaction. path_unknown: afterwards the path can't be told.
    defines: the catalog may differ afterwards. temporary: what it creates or renames, temporary or not, and
    the catalog may not know yet: relations, enums and composites by name, functions and operators as
    `name()`, types whose input may run a user's code as `name!`, what was renamed or moved, with what it
    holds, or may get its parent's rows, as `name?`. What it drops, alters or renames too: it and its children
    as name and UNSETTLED, whatever a cascade may reach as UNSETTLED alone, both until the catalog is read
    after the transaction.
    settings: name and literal value (None: not a literal, or reset), for SET and set_config alike.
    transaction: begin, commit, rollback, savepoint, rollback_to, release, prepare, or None.
    """

    path: tuple[str, ...] | None = None
    path_local: bool = False
    path_unknown: bool = False
    defines: bool = False
    temporary: frozenset[str] = frozenset()
    settings: tuple[tuple[str, str | None], ...] = ()
    transaction: str | None = None


NOTHING = Changes()

UNSETTLED = "\0"

_TRANSACTIONS = {
    "TRANS_STMT_BEGIN": "begin",
    "TRANS_STMT_START": "begin",
    "TRANS_STMT_COMMIT": "commit",
    "TRANS_STMT_ROLLBACK": "rollback",
    "TRANS_STMT_SAVEPOINT": "savepoint",
    "TRANS_STMT_RELEASE": "release",
    "TRANS_STMT_ROLLBACK_TO": "rollback_to",
    "TRANS_STMT_PREPARE": "prepare",
}

_UNDEFINING = frozenset(
    """GrantStmt GrantRoleStmt CommentStmt SecLabelStmt CreateRoleStmt AlterRoleStmt AlterRoleSetStmt
    AlterDefaultPrivilegesStmt CreatedbStmt DropdbStmt AlterDatabaseStmt AlterDatabaseSetStmt
    AlterDatabaseRefreshCollStmt CreateTableSpaceStmt DropTableSpaceStmt AlterTableSpaceOptionsStmt
    AlterSystemStmt AlterStatsStmt AlterOwnerStmt""".split()
)
"""DDL that changes nothing that the catalog's snapshot holds."""


def defining(name: str) -> bool:
    """Whether this statement type is DDL that may change what the catalog's snapshot holds."""
    if name in _UNDEFINING or name in ("CreateTableAsStmt", "RefreshMatViewStmt"):
        return name == "CreateTableAsStmt"
    return name.startswith(
        ("Create", "Alter", "Drop", "Define", "Rename", "Import", "Composite")
    ) or name in (
        "ViewStmt",
        "IndexStmt",
        "RuleStmt",
        "ReassignOwnedStmt",
        "DoStmt",
        "CallStmt",
    )


def changes(name: str, body: Body) -> Changes:
    """The changes of one statement, by node type and body. EXPLAIN and PREPARE bring none of what they hold,
    except that EXPLAIN ANALYZE of something may do what it does: then the path is unknown."""
    if name == "VariableSetStmt":
        return _set(body)
    if name == "TransactionStmt":
        return _transaction(body)
    if name == "DiscardStmt":
        return Changes(path_unknown=body.get("target") == "DISCARD_ALL")
    if name in ("DoStmt", "CallStmt"):
        return Changes(path_unknown=True, defines=True)
    if name == "SelectStmt":
        body = hoisted(body)
    if name == "SelectStmt" and "intoClause" not in body:
        return _configures(body)
    created = _created(name, body)
    found = _configures(body) if name in _RUNNING else NOTHING
    if name == "ExplainStmt":
        inner = split(body.get("query", {}))
        nested = changes(*inner) if analyzes(body) else NOTHING
        return Changes(
            path_unknown=nested.path_unknown or nested.path is not None,
            defines=nested.defines,
            temporary=nested.temporary,
            settings=nested.settings,
        )
    return Changes(
        path_unknown=found.path_unknown or found.path is not None,
        settings=found.settings,
        defines=_opens(name, body)
        or ((defining(name) or name == "SelectStmt") and not _is_temporary(name, body)),
        temporary=created,
    )


_RUNNING = frozenset(
    {"SelectStmt", "InsertStmt", "UpdateStmt", "DeleteStmt", "MergeStmt", "CreateTableAsStmt", "CopyStmt"}
    | {"ExecuteStmt"}
)
"""Statements whose expressions run at once, so that a set_config in them takes effect."""


def analyzes(explain: Body) -> bool:
    """Whether an EXPLAIN runs what it explains. What cannot be read counts as yes."""
    given = [
        node["DefElem"].get("arg")
        for node in explain.get("options", ())
        if node["DefElem"]["defname"] == "analyze"
    ]
    return any(_option_on(argument) for argument in given)


def _option_on(argument: Node | None) -> bool:
    """A boolean DefElem as defGetBoolean reads it."""
    if not argument:
        return True
    name, body = split(argument)
    if name == "Integer":
        return bool(body.get("ival", 0) != 0)
    if name == "Boolean":
        return bool(body.get("boolval"))
    text = str(body.get("sval", "")).lower()
    return text not in ("false", "off", "0")


def _transaction(body: Body) -> Changes:
    kind = _TRANSACTIONS.get(str(body.get("kind")))
    given = tuple(
        (canonical(name), literal(argument)) for name, argument in options(body.get("options")).items()
    )
    return Changes(transaction=kind, settings=given)


def _set(body: Body) -> Changes:
    kind = body.get("kind")
    name = canonical(str(body.get("name", "")))
    local = bool(body.get("is_local"))
    if kind == "VAR_SET_VALUE":
        values = [literal(node) for node in body.get("args", ())]
        known = [value for value in values if value is not None]
        if name == "search_path":
            if len(known) != len(values):
                return Changes(path_unknown=True, settings=((name, None),))
            return Changes(
                path=tuple(map(cut, known)), path_local=local, settings=((name, ", ".join(known)),)
            )
        whole = ", ".join(known) if known and len(known) == len(values) else None
        return Changes(settings=((name, whole),))
    if kind == "VAR_SET_MULTI":
        given = options(body.get("args"))
        return Changes(settings=tuple((canonical(key), literal(value)) for key, value in given.items()))
    if kind in ("VAR_SET_DEFAULT", "VAR_RESET"):
        return Changes(path_unknown=name == "search_path", settings=((name, None),))
    return Changes(path_unknown=True)


def named_setting(body: Body) -> str | None:
    """`… FROM pg_settings WHERE name = 'x'` (pgAdmin and pg_dump write set_config so): the one setting,
    or None. A query inside has names of its own."""
    if any(node == "SelectStmt" for node, _ in walk(body)):
        return None
    sources = [node.get("RangeVar", {}) for node in body.get("fromClause", ())]
    condition = body.get("whereClause", {}).get("A_Expr", {})
    if len(sources) != 1 or sources[0].get("relname") != "pg_settings":
        return None
    if sources[0].get("schemaname", "pg_catalog") != "pg_catalog" or condition.get("kind") != "AEXPR_OP":
        return None
    if strings(condition.get("name")) != ("=",):
        return None
    if strings(condition.get("lexpr", {}).get("ColumnRef", {}).get("fields")) != ("name",):
        return None
    return literal(condition.get("rexpr"))


def is_set_config(function: Body) -> bool:
    named = without_database(strings(function.get("funcname")))
    return named in (("set_config",), ("pg_catalog", "set_config"))


def _configures(body: Body) -> Changes:
    """set_config calls anywhere in a statement. Only one that surely runs, once, makes the path known."""
    calls = [call for name, call in walk(body) if name == "FuncCall" and is_set_config(call)]
    if not calls:
        return NOTHING
    settings: list[tuple[str, str | None]] = []
    path: tuple[str, ...] | None = None
    unknown = False
    local = False
    for call in calls:
        arguments = call.get("args", [])
        name = literal(arguments[0]) if arguments else None
        if (
            name is None
            and arguments
            and strings(arguments[0].get("ColumnRef", {}).get("fields")) == ("name",)
        ):
            name = named_setting(body)
        value = literal(arguments[1]) if len(arguments) > 1 else None
        scope = literal(arguments[2]) if len(arguments) > 2 else None
        if name is None:
            unknown = True
            continue
        settings.append((canonical(name), value))
        if canonical(name) == "search_path":
            read = read_path(value) if value is not None else None
            sure = len(calls) == 1 and set(body) <= _PLAIN and _standing(body, call) and scope is not None
            if read is None or not sure or scope not in ("true", "false"):
                unknown = True
            else:
                path, local = read, scope == "true"
    if unknown:
        path = None
    return Changes(path=path, path_local=local, path_unknown=unknown, settings=tuple(settings))


_PLAIN = frozenset({"targetList", "limitOption", "op"})


def _standing(body: Body, call: Body) -> bool:
    """Whether the call is itself an output of a SELECT without FROM, so that it runs exactly once."""
    return any(target["ResTarget"].get("val", {}).get("FuncCall") is call for target in body["targetList"])


def _opens(name: str, body: Body) -> bool:
    """GRANT and REVOKE on schemas: what a path skips changes."""
    return name == "GrantStmt" and body.get("objtype") == "OBJECT_SCHEMA"


def _is_temporary(name: str, body: Body) -> bool:
    relation: Body = {}
    if name == "SelectStmt":
        relation = body["intoClause"].get("rel", {})
    elif name == "CreateTableAsStmt":
        relation = body.get("into", {}).get("rel", {})
    elif name == "CreateStmt":
        relation = body.get("relation", {})
    elif name == "ViewStmt":
        relation = body.get("view", {})
    elif name == "CreateSeqStmt":
        relation = body.get("sequence", {})
    return relation.get("relpersistence") == "t" or relation.get("schemaname") == "pg_temp"


def _created(name: str, body: Body) -> frozenset[str]:
    names: set[str] = set()
    if name == "SelectStmt":
        names.add(str(body["intoClause"].get("rel", {}).get("relname", "")))
    elif name == "CreateTableAsStmt":
        names.add(str(body.get("into", {}).get("rel", {}).get("relname", "")))
    elif name in ("CreateStmt", "CreateForeignTableStmt"):
        table = body.get("base", body)
        made = str(table.get("relation", {}).get("relname", ""))
        names.add(made)
        if table.get("inhRelations"):
            names.add(f"{made}?")  # rows of its parent's may move into a partition
    elif name == "ViewStmt":
        names.add(str(body.get("view", {}).get("relname", "")))
    elif name == "CreateSeqStmt":
        names.add(str(body.get("sequence", {}).get("relname", "")))
    elif name == "CompositeTypeStmt":
        names.add(str(body.get("typevar", {}).get("relname", "")))
    elif name == "AlterTableStmt":
        altered = str(body.get("relation", {}).get("relname", ""))
        names.update((altered, f"{altered}{UNSETTLED}"))
        for command in body.get("cmds", ()):
            partition = command.get("AlterTableCmd", {}).get("def", {}).get("PartitionCmd", {})
            attached = str(partition.get("name", {}).get("relname", ""))
            names.update((attached, f"{attached}?"))
    elif name in ("IndexStmt", "CreatePolicyStmt", "AlterPolicyStmt"):
        changed = body.get("relation") or body.get("table") or {}
        names.add(f"{changed.get('relname', '')}{UNSETTLED}")
    elif name == "CreateEnumStmt":
        names.update(strings(body.get("typeName"))[-1:])
    elif name == "CreateRangeStmt":
        names.update(f"{part}!" for part in strings(body.get("typeName"))[-1:])
    elif name == "CreateDomainStmt":
        names.update(f"{part}!" for part in strings(body.get("domainname"))[-1:])
    elif name == "CreateFunctionStmt":
        names.update(f"{part}()" for part in strings(body.get("funcname"))[-1:])
    elif name == "DefineStmt":
        names.update(f"{part}()" for part in strings(body.get("defnames"))[-1:])
        names.update(f"{part}!" for part in strings(body.get("defnames"))[-1:])
    elif name == "CreateCastStmt":
        names.add("cast()")
    elif name == "RenameStmt":
        new = str(body.get("newname", ""))
        names.update((new, f"{new}()", f"{new}!", f"{new}?"))
        held = str(body.get("relation", {}).get("relname", ""))
        names.add(held)
        if body.get("renameType") in ("OBJECT_COLUMN", "OBJECT_ATTRIBUTE"):
            names.update((f"{held}?", f"{held}{UNSETTLED}"))
    elif name == "AlterObjectSchemaStmt":
        moved = str(body.get("relation", {}).get("relname", "")) or _object_name(body.get("object", {}))
        names.update((moved, f"{moved}()", f"{moved}!", f"{moved}?"))
    elif name == "CreateSchemaStmt":
        for element in body.get("schemaElts", ()):
            names.update(_created(*split(element)))
    elif name == "DropStmt" and str(body.get("removeType")) in _RELATIONS:
        for node in body.get("objects", ()):
            gone = strings(node.get("List", {}).get("items"))[-1]
            names.update((gone, f"{gone}{UNSETTLED}"))
    if _cascades(name, body):
        names.add(UNSETTLED)
    return frozenset(names - {"", "()", "!", "?"})


_RELATIONS = frozenset(f"OBJECT_{kind}" for kind in "TABLE VIEW MATVIEW FOREIGN_TABLE".split())
_SWEEPING = frozenset(
    """DropOwnedStmt AlterExtensionStmt CreateExtensionStmt ImportForeignSchemaStmt
    AlterExtensionContentsStmt""".split()
)


def _cascades(name: str, body: Body) -> bool:
    """Whether it may take away or rename relations and columns that it does not name."""
    if name in _SWEEPING or _opens(name, body):
        return True
    if name == "RenameStmt" and body.get("renameType") == "OBJECT_SCHEMA":
        return True
    parts = (body, *(node.get("AlterTableCmd", {}) for node in body.get("cmds", ())))
    return defining(name) and any(part.get("behavior") == "DROP_CASCADE" for part in parts)


def _object_name(node: Node) -> str:
    name, body = split(node)
    parts: tuple[str, ...] = ()
    if name == "ObjectWithArgs":
        parts = strings(body.get("objname"))
    elif name == "TypeName":
        parts = strings(body.get("names"))
    elif name == "List":
        parts = strings(body.get("items"))
    return parts[-1] if parts else ""
