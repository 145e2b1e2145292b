"""Statements about the session, and those whose code or tables are taken as they are named."""

from wicketgate.model.statement import Effect
from wicketgate.sql import secretive
from wicketgate.sql.analysis import Analysis, Environment
from wicketgate.sql.calls import setting
from wicketgate.sql.finish import NOTHING, Resolver, Special, finish
from wicketgate.sql.member import Member
from wicketgate.sql.reading import expression
from wicketgate.sql.scope import CLEAN, Columns, Scope
from wicketgate.sql.settings import canonical
from wicketgate.sql.walk import Walk


def _session(command: str, *effects: Effect, rows: int = 0) -> Special:
    """A statement that only ever does this, and gives `rows` clean columns."""

    def special(
        walk: Walk, member: Member, environment: Environment, inner: Analysis | None, resolver: Resolver
    ) -> Analysis:
        walk.commands.add(command)
        walk.effects |= set(effects or (Effect.SESSION,))
        return finish(walk, Columns(shape=[CLEAN] * rows), rows > 0)

    return special


def _set(
    walk: Walk, member: Member, environment: Environment, inner: Analysis | None, resolver: Resolver
) -> Analysis:
    kind = member.body.get("kind")
    name = canonical(str(member.body.get("name", "")))
    walk.effects.add(Effect.SESSION)
    walk.commands.add("reset" if member.kind == "reset" else "set")
    if name in ("role", "session_authorization"):
        walk.commands.add("set_role")
    if kind in ("VAR_SET_VALUE", "VAR_SET_MULTI"):
        for key, value in member.changes.settings:
            setting(walk, key, value)
        if kind == "VAR_SET_MULTI" and name == "transaction snapshot":
            walk.effects.add(Effect.SESSION)
    elif kind in ("VAR_SET_DEFAULT", "VAR_RESET"):
        if name == "transaction_read_only" and environment.read_only:
            walk.refusal = "this session is read-only"
        elif "." in name:
            pass  # back to what the server's configuration says
    elif kind != "VAR_RESET_ALL":
        walk.unknown(f"syntax {kind}")
    return finish(walk, NOTHING, False)


def _transaction(
    walk: Walk, member: Member, environment: Environment, inner: Analysis | None, resolver: Resolver
) -> Analysis:
    kind = str(member.body.get("kind", ""))
    known = _TRANSACTIONS.get(kind)
    if known is None:
        walk.unknown(f"syntax {kind}")
        walk.commands.add("other")
        return finish(walk, NOTHING, False)
    verb, effect = known
    walk.commands.add(verb)
    walk.effects.add(effect)
    if kind == "TRANS_STMT_COMMIT_PREPARED":
        walk.effects.add(Effect.UNKNOWN)
        walk.complete = False
    for key, value in member.changes.settings:
        setting(walk, key, value)
    return finish(walk, NOTHING, False)


_TRANSACTIONS = {
    "TRANS_STMT_BEGIN": ("begin", Effect.SESSION),
    "TRANS_STMT_START": ("begin", Effect.SESSION),
    "TRANS_STMT_COMMIT": ("commit", Effect.SESSION),
    "TRANS_STMT_ROLLBACK": ("rollback", Effect.SESSION),
    "TRANS_STMT_SAVEPOINT": ("savepoint", Effect.SESSION),
    "TRANS_STMT_RELEASE": ("savepoint", Effect.SESSION),
    "TRANS_STMT_ROLLBACK_TO": ("rollback", Effect.SESSION),
    "TRANS_STMT_PREPARE": ("prepare", Effect.EXECUTE),
    "TRANS_STMT_COMMIT_PREPARED": ("commit", Effect.EXECUTE),
    "TRANS_STMT_ROLLBACK_PREPARED": ("rollback", Effect.EXECUTE),
}


def _lock(
    walk: Walk, member: Member, environment: Environment, inner: Analysis | None, resolver: Resolver
) -> Analysis:
    walk.commands.add("lock")
    shared = member.body.get("mode") == 1  # ACCESS SHARE: what any SELECT takes
    for node in member.body.get("relations", ()):
        reference = node.get("RangeVar", {})
        relations, doubtful = walk.find(reference)
        name = str(reference.get("relname", ""))
        if shared:
            walk.read(relations, name, doubtful, rows=False)
        else:
            walk.write(relations, name, doubtful, Effect.WRITE)
    walk.bounded |= walk.reads
    walk.unbounded.clear()
    return finish(walk, NOTHING, False)


def _truncate(
    walk: Walk, member: Member, environment: Environment, inner: Analysis | None, resolver: Resolver
) -> Analysis:
    walk.commands.add("truncate")
    for node in member.body.get("relations", ()):
        reference = node.get("RangeVar", {})
        relations, doubtful = walk.find(reference)
        walk.write(relations, str(reference.get("relname", "")), doubtful, Effect.DELETE)
    if member.body.get("behavior") == "DROP_CASCADE":
        walk.complete = False  # tables that refer to these are emptied too
    walk.effects.add(Effect.DELETE)
    return finish(walk, NOTHING, False)


def _code(
    walk: Walk, member: Member, environment: Environment, inner: Analysis | None, resolver: Resolver
) -> Analysis:
    """DO and CALL: code that is not read."""
    walk.commands.add("do" if member.node == "DoStmt" else "call")
    if secretive.in_code(member.body.get("args")):
        walk.redact = True
    called = member.body.get("funccall")
    if called:
        expression(walk, {"FuncCall": called}, Scope())
    walk.effects |= {Effect.EXECUTE, Effect.UNKNOWN}
    walk.complete = False
    walk.opaque = True
    walk.disturbs = True
    return finish(walk, Columns(shape=[None]), member.node == "CallStmt")


def _notify(
    walk: Walk, member: Member, environment: Environment, inner: Analysis | None, resolver: Resolver
) -> Analysis:
    walk.commands.add("notify")
    walk.effects.add(Effect.WRITE)
    return finish(walk, NOTHING, False)


SESSION: dict[str, Special] = {
    "VariableSetStmt": _set,
    "VariableShowStmt": _session("show", rows=3),
    "TransactionStmt": _transaction,
    "DiscardStmt": _session("discard"),
    "DeallocateStmt": _session("deallocate"),
    "ClosePortalStmt": _session("close"),
    "ListenStmt": _session("listen"),
    "UnlistenStmt": _session("unlisten"),
    "NotifyStmt": _notify,
    "LockStmt": _lock,
    "TruncateStmt": _truncate,
    "DoStmt": _code,
    "CallStmt": _code,
}
