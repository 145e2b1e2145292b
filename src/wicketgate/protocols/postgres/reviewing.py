"""What people are told of a statement that waits for them, and what an approval of it is bound to.
It must never show a value to who may not see it, nor take two statements for one that the server would not.
"""

import re
from collections.abc import Sequence
from dataclasses import fields
from hashlib import sha256
from typing import Any, Final

from wicketgate.model.decision import Denial
from wicketgate.model.held import Particulars
from wicketgate.model.shown import UNKNOWN
from wicketgate.model.statement import Effect, Facts
from wicketgate.protocols.postgres.circumstances import Moment
from wicketgate.protocols.postgres.frames import SYNC as SYNC_MESSAGE
from wicketgate.protocols.postgres.ledger import EXECUTE, QUERY, SYNC, State, Step
from wicketgate.protocols.postgres.names import Entry, Prepared
from wicketgate.protocols.postgres.parameters import form, values_of
from wicketgate.sql.analysis import Analysis, Environment, unite
from wicketgate.sql.errors import SyntaxRefused
from wicketgate.sql.member import naming_of
from wicketgate.sql.parse import Member, parse
from wicketgate.sql.sameness import HIDDEN, canonical, highest_parameter, masked, readable, shape, tree

CURSOR: Final = Denial(
    "review",
    "a cursor's rows can't be reviewed",
    "a cursor, or a FETCH, of what asks for a review",
    "Send the query itself, without a cursor.",
)
BOUND_BEFORE: Final = Denial(
    "review",
    "this portal can't be reviewed any more",
    "its parameters are not there any more",
    "Bind it again.",
)
LONGEST: Final = 1 << 20
"""Bytes of a statement with its parameters that people are asked about: more is kept for nobody."""
TOO_LONG: Final = Denial(
    "review",
    "this statement is too long to be reviewed",
    f"it has more than {LONGEST >> 20} MiB with its parameters",
    "Send it in pieces that people can read.",
)
WITHHELD: Final = "(not shown: it carries a secret)"
_REASON: Final = re.compile(rb"\s*/\*\s*reason:(.*?)\*/", re.DOTALL | re.IGNORECASE)
_PLANNED: Final = frozenset({"select", "insert", "update", "delete", "merge"})
_SHAPED: Final = _PLANNED | {"copy_out", "create_as", "explain"}
"""Kinds of statements whose constants are values. In DDL and settings they say what it does."""
_TOUCHING: Final = frozenset({Effect.READ, Effect.WRITE, Effect.DELETE})
LONGEST_RECENT: Final = 2000
"""Characters of an earlier text that reviewers see."""
VALUE_MOST: Final = 10_000
VALUES_MOST: Final = 200_000
"""Bytes of one parameter, and of all, that reviewers see."""
PARAMETERS_MOST: Final = 2000
UNSEEN_MOST: Final = 20
"""Lines about what they do not see."""


def particulars(
    state: State,
    member: Member,
    text: bytes,
    analysis: Analysis,
    values: bytes | None,
    declared: bytes,
    beside: int,
    recent: Sequence[object],
    environment: Environment,
    moment: Moment,
    made: Sequence[int] = (),
) -> Particulars | Denial:
    """values: of a Bind, from its formats to the last value; b"": there are none; None: they are known no
    more. declared: types of parameters, as its Parse has them. beside: other statements of the same string.
    environment, moment: in which it was analysed. made: units in which it was prepared and bound.
    Raises SyntaxRefused for what is not one statement, TypeError for what is nested too deeply."""
    if values is None:
        return BOUND_BEFORE
    text = text.strip()
    named = prepared = b""
    naming = naming_of(member)
    if member.kind == "declare":
        return CURSOR
    if naming is not None:
        found = state.names.statement((naming.name or "").encode()) if naming.kind == "execute" else None
        if found is None:
            return CURSOR
        named, prepared = found.text, found.declared
        made = (*made, found.unit)
    if len(text) + len(named) + len(values) > LONGEST:
        return TOO_LONG
    facts = analysis.facts
    known = facts.complete and not facts.opaque and not facts.functions
    what = [
        *_meaning(analysis, environment),
        prepared.hex(),
        named.hex(),
        canonical(tree(named)).hex() if named else "",
        declared.hex() if values else "",
    ]
    circumstances = state.circumstances
    told: list[Any] = [sorted(circumstances.values.items()), circumstances.asked]
    session = state.setting.admission.session
    unknown = not facts.complete and not facts.opaque  # a relation that something unread may have made
    if (environment.temporary and (doubtful(analysis) or _reads_temporary(facts))) or (
        moment.temporary and unknown
    ):
        # the same name is another table in another session, and in this one after the next change
        told.append(["temporary", session, moment.temporary.hex()])
    if moment.settings:
        told.append(["settings", session, moment.settings.hex()])
    pending = circumstances.unreported(state.unit, state.answered, moment)
    told.append(["now", session, state.unit] if pending is None else pending)
    told.append(circumstances.older(made, session, state.unit))
    what.append(told)
    if environment.path is None and doubtful(analysis):
        # the same unknown path is not the same path: it is good for this very moment alone
        what.append([session, state.unit])
    exact = sha256(canonical([*what, tree(text), values.hex()])).hexdigest()
    # where it can't be told what a statement does, its constants may decide it
    alike = [*what, shape(text)] if known and not named and member.kind in _SHAPED else [exact]
    return Particulars(
        exact,
        sha256(canonical(alike)).hexdigest(),
        _shown(state, text, named, analysis, values, beside, recent),
        _reason(text),
        _plan(member, text, analysis, environment) if known else None,
    )


def _meaning(analysis: Analysis, environment: Environment) -> list[Any]:
    """What its names mean: relations by OID and by name, and what it would do to them."""
    facts = analysis.facts
    names = facts.reads | facts.writes
    oids = set(analysis.relations)
    for oid, relation in environment.catalog.relations.items():
        if relation.qualified in names:
            oids.add(oid)
    told: list[Any] = [
        environment.database,
        sorted(oids),
        sorted(facts.reads),
        sorted(facts.writes),
        sorted(effect.value for effect in facts.effects),
        sorted(facts.functions),
        sorted(environment.temporary),
    ]
    told.append([environment.user, list(environment.path or ())] if doubtful(analysis) else [])
    return told


def _reads_temporary(facts: Facts) -> bool:
    return any(name.startswith("pg_temp") for name in facts.reads | facts.writes)


def doubtful(analysis: Analysis) -> bool:
    """Whether only the search_path says what it means."""
    return analysis.ambiguous or not analysis.facts.complete or analysis.facts.opaque


def same(was: Analysis, before: Environment, found: Analysis, now: Environment) -> bool:
    """Whether a statement means what it meant in an environment of before: neither another relation nor other
    effects, no class more, and no output less clean."""
    if _meaning(was, before) != _meaning(found, now):
        return False
    return _proven(unite([was, found])) == _proven(was)


def _proven(analysis: Analysis) -> list[Any]:
    """All that was proven of a statement; by which catalog does not count."""
    told: list[Any] = []
    for each in fields(analysis):
        value = getattr(analysis, each.name)
        if isinstance(value, Facts):
            told.append([getattr(value, one.name) for one in fields(value) if one.name != "catalog"])
        else:
            told.append(_proven(value) if isinstance(value, Analysis) else value)
    return told


def _shown(
    state: State,
    text: bytes,
    named: bytes,
    analysis: Analysis,
    values: bytes,
    beside: int,
    recent: Sequence[object],
) -> dict[str, Any]:
    """See model.shown. A constant or parameter of which it can't be told whether it is sensitive is."""
    facts = analysis.facts
    relations = [f"{name} (read whole)" for name in sorted(facts.whole)]
    relations += [f"{name} (read)" for name in sorted(facts.reads - facts.whole)]
    relations += [f"{name} (written)" for name in sorted(facts.writes)]
    shown: dict[str, Any] = {
        "protocol": "postgres",
        "relations": relations,
        "beside": beside,
        "transaction": in_transaction(state),
        "lately": _recent(recent),
    }
    if facts.redact_text:
        return shown | {"statement": WITHHELD, "masked": WITHHELD, "parameters": [], "classes": [UNKNOWN]}
    told = facts.classes if facts.complete and not facts.opaque and facts.classes else frozenset({UNKNOWN})
    classes = sorted(told) if analysis.sensitive else []
    statement = text.decode("utf-8", "replace")
    hidden = masked(text) if classes else statement
    if named:
        statement += "\n\n" + named.decode("utf-8", "replace")
        hidden += "\n\n" + (masked(named) if classes else named.decode("utf-8", "replace"))
    whole, unseen = _values(values)
    touching = analysis.sensitive_parameters
    one = classes[0] if len(classes) == 1 else UNKNOWN
    parameters = [
        {"value": value, "class": one if touching is None or number in touching else None}
        for number, value in enumerate(whole, 1)
    ]
    return shown | {
        "statement": statement,
        "pretty": readable(text),
        "masked": hidden,
        "parameters": parameters,
        "classes": classes,
        "unseen": unseen,
    }


def _values(values: bytes) -> tuple[list[str | None], list[str]]:
    """Parameters as people see them, and what of them they do not see."""
    if not values:
        return [], []
    found: list[str | None] = []
    unseen: list[str] = []
    chosen = int.from_bytes(values[:2], "big")
    left = VALUES_MOST
    came = values_of(values, 0, len(values))
    for index, value in enumerate(came[:PARAMETERS_MOST]):
        if value is None:
            found.append(None)
            continue
        seen = value[: min(VALUE_MOST, left)]
        left -= len(seen)
        written = form(values, 2, chosen, index) == 0
        found.append(seen.decode("utf-8", "backslashreplace") if written else "\\x" + seen.hex())
        if len(seen) < len(value):
            unseen.append(f"of ${index + 1} only the first {len(seen)} of {len(value)} bytes")
    if len(came) > PARAMETERS_MOST:
        unseen.append(f"of {len(came)} parameters only the first {PARAMETERS_MOST}")
    return found, unseen[:UNSEEN_MOST] + (["and more"] if len(unseen) > UNSEEN_MOST else [])


def _recent(texts: Sequence[object]) -> list[str]:
    """What the session asked before, without constants."""
    found = []
    for text in texts:
        try:
            told = masked(text) if isinstance(text, bytes) else HIDDEN
        except SyntaxRefused:
            told = HIDDEN
        if told is HIDDEN and isinstance(text, bytes):
            told = _kinds(text)
        found.append(told if len(told) <= LONGEST_RECENT else told[:LONGEST_RECENT] + "…")
    return found


def _kinds(text: bytes) -> str:
    try:
        return f"({', '.join(member.kind for member in parse(text).members)})"
    except SyntaxRefused:
        return HIDDEN


def _reason(text: bytes) -> str:
    found = _REASON.match(text)
    return "" if found is None else " ".join(found[1].decode("utf-8", "replace").split())


def _plan(member: Member, text: bytes, analysis: Analysis, environment: Environment) -> dict[str, Any] | None:
    """What its rows can be estimated by, without running a thing: functions that are not known to be pure
    may run where a statement is only planned."""
    facts = analysis.facts
    path = environment.path
    if path is None and not analysis.ambiguous:
        # each name has one meaning, whatever the path: the one in its relation's schema
        path = tuple(sorted({name.partition(".")[0] for name in facts.reads | facts.writes}))
    if member.kind not in _PLANNED or path is None or environment.temporary or analysis.disturbs:
        return None
    if not facts.effects <= _TOUCHING:
        return None
    return {"text": text.decode(), "path": list(path), "parameters": highest_parameter(text)}


def in_transaction(state: State, delayed: Entry | None = None) -> bool:
    """Whether the session has, or may have, a transaction open at the target that holds what it locked. One
    that has only been begun, with settings and savepoints, holds nothing; a statement that was prepared in it
    does. delayed: what was prepared and not sent yet."""
    if state.ran == state.unit or state.transaction == b"E":
        return True
    if state.transaction == b"T" and (state.touched or _prepared(state, delayed)):
        return True
    for step in state.steps:
        if step.kind == EXECUTE and step.execution is not None:
            if step.execution.member.changes.transaction is not None:
                return True
        elif step.kind == QUERY and step.executions is not None:
            for execution in step.executions:
                if execution.member.changes.transaction is not None:
                    return True
    return False


def _prepared(state: State, delayed: Entry | None) -> bool:
    """Whether the server may hold what a statement reads that was only prepared since the open transaction
    began, or in the unit that began it."""
    if state.names.replaced >= state.began:
        return True
    names = state.names.statements.values()
    return any(
        each.unit >= state.began and each is not delayed and (not isinstance(each, Prepared) or each.locks)
        for each in names
    )


def let_go(state: State, delayed: Entry | None) -> None:
    """End what the server began for a Parse alone, with a Sync of ours: it would hold the statement's
    relations while people look. Only where nothing was bound, and all is answered: nothing else changes."""
    if state.transaction != b"I" or state.steps or state.ran == state.unit:
        return
    names = state.names.statements.values()
    if not any(each.unit == state.unit and each is not delayed for each in names):
        return
    if any(each.unit == state.unit for each in state.names.portals.values()):
        return
    step = Step(SYNC, 0)
    step.swallow = True
    state.steps.append(step)
    state.up.append(SYNC_MESSAGE)
