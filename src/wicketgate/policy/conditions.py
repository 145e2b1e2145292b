"""`when`: CEL, type-checked when it is loaded, true, false or unknown when it is asked. The only user of CEL.
It must never turn an error, or a thing that is not known, into a yes or a no.

How unknown comes about: CEL's own logic is Kleene's with errors in the third place (`true || error` is
true, `false && error` is false, everything else that touches an error is one). So a function that can't tell
raises, a variable that is not known is left out, and whatever ends as an error is UNKNOWN.
"""

import datetime
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from cel_expr_python import cel
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from wicketgate.model.identity import Identity
from wicketgate.model.resource import Resource
from wicketgate.model.statement import Effect, Facts
from wicketgate.policy.syntax import Asked, read
from wicketgate.policy.truth import Truth

LONGEST: Final = 4096
"""Characters in one condition."""

_POSITION: Final = re.compile(r"<input>:(\d+):(\d+): ([^\n]*)")


class ConditionError(ValueError):
    """A `when` that must not be loaded. line and column count from 1 inside the expression; 0: not known."""

    def __init__(self, message: str, line: int = 0, column: int = 0) -> None:
        super().__init__(message)
        self.line = line
        self.column = column


class _Unknown(Exception):
    """What is asked can't be told; CEL takes it as an error."""


@dataclass(frozen=True, slots=True)
class Context:
    """What a decision rests on besides the facts. Times are wall clock, ns since the epoch.

    database: that the session is in. source: the client's address. opened: when the session was.
    What is None is unknown to conditions.
    """

    now: int
    database: str | None = None
    source: str | None = None
    opened: int | None = None


# -- what a statement can be asked -------------------------------------------------------------------------
def _statement_class() -> Any:
    file = descriptor_pb2.FileDescriptorProto(name="wicketgate/statement.proto", package="wicketgate")
    file.syntax = "proto3"
    made = file.message_type.add(name="Statement")
    kinds = descriptor_pb2.FieldDescriptorProto
    for number, name in enumerate(_LISTS, 1):
        made.field.add(name=name, number=number, label=kinds.LABEL_REPEATED).type = kinds.TYPE_STRING
    for number, name in enumerate(_DOUBTS, 20):
        made.field.add(name=name, number=number, label=kinds.LABEL_OPTIONAL).type = kinds.TYPE_BOOL
    _POOL.AddSerializedFile(file.SerializeToString())
    return message_factory.GetMessageClass(_POOL.FindMessageTypeByName("wicketgate.Statement"))


_POOL: Final = descriptor_pool.DescriptorPool()
_LISTS: Final = (
    "commands",
    "effects",
    "relations_read",
    "relations_written",
    "whole",
    "classes",
    "functions",
)
_DOUBTS: Final = ("effect_unknown", "incomplete", "opaque")
_STATEMENT: Final = _statement_class()


def _does(statement: Any, command: str) -> bool:
    if command in statement.commands:
        return True
    if statement.effect_unknown:
        raise _Unknown
    return False


def _has(statement: Any, effect: str) -> bool:
    if effect in statement.effects:
        return True
    if statement.effect_unknown or statement.incomplete:
        raise _Unknown
    return False


def _among(name: str) -> Callable[[Any, str], bool]:
    def ask(statement: Any, wanted: str) -> bool:
        if statement.incomplete or statement.effect_unknown:
            raise _Unknown
        return wanted in getattr(statement, name)

    return ask


def _touches(statement: Any, data_class: str) -> bool:
    if data_class in statement.classes:
        return True
    if statement.incomplete or statement.effect_unknown or statement.opaque:
        raise _Unknown
    return False


FUNCTIONS: Final[Mapping[str, Callable[[Any, str], bool]]] = {
    "does": _does,
    "has": _has,
    "reads": _among("relations_read"),
    "writes": _among("relations_written"),
    "reads_whole": _among("whole"),
    "touches": _touches,
    "calls": _among("functions"),
}
"""What `statement` can be asked."""

_TYPES: Final[Mapping[str, Any]] = {
    "statement": cel.Type("wicketgate.Statement"),
    "identity.name": cel.Type.STRING,
    "identity.kind": cel.Type.STRING,
    "identity.groups": cel.Type.List(cel.Type.STRING),
    "identity.subject": cel.Type.STRING,
    "identity.issuer": cel.Type.STRING,
    "identity.how": cel.Type.STRING,
    "identity.behalf": cel.Type.STRING,
    "identity.agent": cel.Type.STRING,
    "identity.task": cel.Type.STRING,
    "resource.name": cel.Type.STRING,
    "resource.protocol": cel.Type.STRING,
    "resource.labels": cel.Type.Map(cel.Type.STRING, cel.Type.STRING),
    "session.account": cel.Type.STRING,
    "session.database": cel.Type.STRING,
    "session.source": cel.Type.STRING,
    "session.opened": cel.Type.TIMESTAMP,
    "now": cel.Type.TIMESTAMP,
}

VARIABLES: Final = frozenset(_TYPES)


def _environment() -> Any:
    functions = [
        cel.FunctionDecl(
            name,
            [
                cel.Overload(
                    f"statement_{name}",
                    return_type=cel.Type.BOOL,
                    parameters=[_TYPES["statement"], cel.Type.STRING],
                    is_member=True,
                    impl=ask,
                )
            ],
        )
        for name, ask in FUNCTIONS.items()
    ]
    return cel.NewEnv(_POOL, variables=dict(_TYPES), functions=functions)


_ENVIRONMENT: Final = _environment()


# -- asking ------------------------------------------------------------------------------------------------
class Asking:
    """Everything that is known in one evaluation. Several conditions share it; it belongs to one thread."""

    __slots__ = ("_activation",)

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._activation = _ENVIRONMENT.Activation(dict(values))


def asking(
    identity: Identity | None = None,
    resource: Resource | None = None,
    account: str | None = None,
    facts: Facts | None = None,
    context: Context | None = None,
) -> Asking:
    """What conditions are asked about. What is left out, or None, is unknown to them."""
    values: dict[str, Any] = {}
    if facts is not None:
        values["statement"] = _STATEMENT(
            commands=facts.commands,
            effects=[effect.value for effect in facts.effects],
            relations_read=facts.reads,
            relations_written=facts.writes,
            whole=facts.whole,
            classes=facts.classes,
            functions=facts.functions,
            effect_unknown=Effect.UNKNOWN in facts.effects,
            incomplete=not facts.complete,
            opaque=facts.opaque,
        )
    if identity is not None:
        values |= {
            "identity.name": identity.name,
            "identity.kind": identity.kind.value,
            "identity.groups": sorted(identity.groups),
            "identity.subject": identity.subject,
            "identity.issuer": identity.issuer,
            "identity.how": identity.how,
            "identity.behalf": identity.behalf,
            "identity.agent": identity.agent,
            "identity.task": identity.task,
        }
    if resource is not None:
        values |= {
            "resource.name": resource.name,
            "resource.protocol": resource.protocol,
            "resource.labels": dict(resource.labels),
        }
    values["session.account"] = account
    if context is not None:
        values |= {
            "session.database": context.database,
            "session.source": context.source,
            "session.opened": None if context.opened is None else moment(context.opened),
            "now": moment(context.now),
        }
    return Asking({name: value for name, value in values.items() if value is not None})


def moment(nanoseconds: int) -> datetime.datetime:
    """Wall clock ns as CEL takes it (microseconds, UTC)."""
    epoch = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
    return epoch + datetime.timedelta(microseconds=nanoseconds // 1000)


class Condition:
    """One checked expression.

    text: as it was written. asked: what it asks of the statement. of_statement, of_now, of_session: whether
    it speaks of these; if of none, it says the same for one identity, resource and account at any time.
    """

    __slots__ = ("_program", "asked", "of_now", "of_session", "of_statement", "text")

    def __init__(self, text: str, program: Any, names: frozenset[str], asked: tuple[Asked, ...]) -> None:
        self.text = text
        self.asked = asked
        self.of_statement = "statement" in names
        self.of_now = "now" in names
        self.of_session = any(name.startswith("session.") for name in names)
        self._program = program

    def ask(self, about: Asking) -> Truth:
        """Whether it holds. An error of any kind is UNKNOWN."""
        try:
            answer = self._program.eval(about._activation).value()
        except Exception:  # whatever CEL's binding raises: it could not tell
            return Truth.UNKNOWN
        if answer is True:
            return Truth.TRUE
        return Truth.FALSE if answer is False else Truth.UNKNOWN

    def never(self) -> bool:
        """Whether it is false whatever the variables are (`false`, `false && statement.does("drop")`)."""
        return self.ask(asking()) is Truth.FALSE


def check(text: str) -> Condition:
    """The condition, compiled. Raises ConditionError for what is not CEL, names what is not declared, has the
    wrong types, is not a yes or no, or is too long. What is asked (`asked`) is not checked here."""
    if len(text) > LONGEST:
        raise ConditionError(f"a condition has at most {LONGEST} characters")
    try:
        program = _ENVIRONMENT.compile(text)
    except RuntimeError as error:
        raise _explain(str(error)) from None
    if program.return_type() != cel.Type.BOOL:
        raise ConditionError(f"a condition must be true or false; this is of type {_name(program)}")
    try:
        syntax = read(program.serialize())
    except ValueError as error:
        raise ConditionError(str(error)) from None
    for pattern in syntax.patterns:
        if _PATTERN.eval(_ENVIRONMENT.Activation({"identity.name": pattern})).value() is not True:
            raise ConditionError(f"{pattern!r} is not a regular expression (RE2)")
    condition = Condition(text, program, syntax.names, syntax.asked)
    if not syntax.names and condition.ask(asking()) is Truth.UNKNOWN:
        raise ConditionError("this can't be computed")
    return condition


_PATTERN: Final = _ENVIRONMENT.compile("''.matches(identity.name) ? true : true")


def _name(program: Any) -> str:
    return str(program.return_type().name()).lower()


def _explain(text: str) -> ConditionError:
    """CEL's message, its position, and for a name that is not declared those that are."""
    found = _POSITION.search(text)
    if found is None:
        return ConditionError(re.sub(r"^[A-Z_]+: | \[[A-Z_]+\]$", "", text.splitlines()[0]))
    line, column, message = int(found[1]), int(found[2]), found[3]
    message = message.replace(" (in container '')", "").removesuffix(" [INVALID_ARGUMENT]")
    if "undeclared reference" in message:
        root = message.split("'")[1].split(".")[0] if "'" in message else ""
        near = sorted(name for name in VARIABLES if name.split(".")[0] == root)
        if near:
            message += f"; there is {', '.join(near)}"
        elif root in FUNCTIONS:
            message += f"; write statement.{root}(…)"
        else:
            roots = sorted({name.split(".")[0] for name in VARIABLES})
            message += f"; there is {', '.join(roots)}, and statement can be asked {', '.join(FUNCTIONS)}"
    return ConditionError(message, line, column)
