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
def _told(known: bool, doubt: bool) -> Truth:
    return Truth.TRUE if known else Truth.UNKNOWN if doubt else Truth.FALSE


def _doubted(facts: Facts) -> bool:
    return not facts.complete or Effect.UNKNOWN in facts.effects


def _does(facts: Facts, command: str) -> Truth:
    return _told(command in facts.commands, Effect.UNKNOWN in facts.effects)


def _has(facts: Facts, effect: str) -> Truth:
    return _told(any(effect == each.value for each in facts.effects), _doubted(facts))


def _touches(facts: Facts, data_class: str) -> Truth:
    return _told(data_class in facts.classes, _doubted(facts) or facts.opaque)


def _among(name: str) -> Callable[[Facts, str], Truth]:
    """Relations and functions: where some can't be told, it can't be told of any (`Facts.complete`)."""

    def ask(facts: Facts, wanted: str) -> Truth:
        return Truth.UNKNOWN if _doubted(facts) else _told(wanted in getattr(facts, name), False)

    return ask


FUNCTIONS: Final[Mapping[str, Callable[[Facts, str], Truth]]] = {
    "does": _does,
    "has": _has,
    "reads": _among("reads"),
    "writes": _among("writes"),
    "reads_whole": _among("whole"),
    "touches": _touches,
    "calls": _among("functions"),
}
"""What `statement` can be asked."""


def affirmed(facts: Facts) -> list[Asked] | None:
    """All questions whose answer is yes, where every other one's is no; None: something can't be told."""
    if _doubted(facts) or facts.opaque:
        return None
    answers = (
        ("does", facts.commands),
        ("has", [effect.value for effect in facts.effects]),
        ("reads", facts.reads),
        ("writes", facts.writes),
        ("reads_whole", facts.whole),
        ("touches", facts.classes),
        ("calls", facts.functions),
    )
    return [Asked(function, argument) for function, arguments in answers for argument in arguments]


def _answers_class() -> Any:
    """A message that carries what was asked of the statement, as `function argument`: CEL gets no more."""
    file = descriptor_pb2.FileDescriptorProto(name="wicketgate/statement.proto", package="wicketgate")
    file.syntax = "proto3"
    made = file.message_type.add(name="Statement")
    kinds = descriptor_pb2.FieldDescriptorProto
    for number, name in enumerate(("yes", "no"), 1):
        made.field.add(name=name, number=number, label=kinds.LABEL_REPEATED).type = kinds.TYPE_STRING
    _POOL.AddSerializedFile(file.SerializeToString())
    return message_factory.GetMessageClass(_POOL.FindMessageTypeByName("wicketgate.Statement"))


_POOL: Final = descriptor_pool.DescriptorPool()
_ANSWERS: Final = _answers_class()


def _recall(function: str) -> Callable[[Any, str], bool]:
    def ask(answers: Any, argument: str) -> bool:
        key = f"{function} {argument}"
        if key in answers.yes:
            return True
        if key in answers.no:
            return False
        raise _Unknown

    return ask


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
    "identity.crew": cel.Type.STRING,
    "identity.task": cel.Type.STRING,
    "identity.purpose": cel.Type.STRING,
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
                    impl=_recall(name),
                )
            ],
        )
        for name in FUNCTIONS
    ]
    return cel.NewEnv(_POOL, variables=dict(_TYPES), functions=functions)


_ENVIRONMENT: Final = _environment()


# -- asking ------------------------------------------------------------------------------------------------
class Asking:
    """Everything that is known in one evaluation; what is None is unknown. It belongs to one thread."""

    __slots__ = ("_account", "_context", "_identity", "_resource", "_values", "facts")

    def __init__(
        self,
        identity: Identity | None = None,
        resource: Resource | None = None,
        account: str | None = None,
        facts: Facts | None = None,
        context: Context | None = None,
    ) -> None:
        self._identity = identity
        self._resource = resource
        self._account = account
        self._context = context
        self.facts = facts
        self._values: dict[str, Any] | None = None

    def values(self) -> dict[str, Any]:
        """CEL's variables, but for the statement."""
        if self._values is None:
            found = {"session.account": self._account} | self._whose() | self._when()
            self._values = {name: value for name, value in found.items() if value is not None}
        return self._values

    def _whose(self) -> dict[str, Any]:
        values: dict[str, Any] = {}
        identity, resource = self._identity, self._resource
        if identity is not None:
            values = {
                "identity.name": identity.name,
                "identity.kind": identity.kind.value,
                "identity.groups": sorted(identity.groups),
                "identity.subject": identity.subject,
                "identity.issuer": identity.issuer,
                "identity.how": identity.how,
                "identity.behalf": identity.behalf,
                "identity.agent": identity.agent,
                "identity.crew": identity.crew,
                "identity.task": identity.task,
                "identity.purpose": identity.purpose,
            }
        if resource is not None:
            values |= {
                "resource.name": resource.name,
                "resource.protocol": resource.protocol,
                "resource.labels": dict(resource.labels),
            }
        return values

    def _when(self) -> dict[str, Any]:
        context = self._context
        if context is None:
            return {}
        return {
            "session.database": context.database,
            "session.source": context.source,
            "session.opened": None if context.opened is None else moment(context.opened),
            "now": moment(context.now),
        }


def moment(nanoseconds: int) -> datetime.datetime:
    """Wall clock ns as CEL takes it (microseconds, UTC)."""
    epoch = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
    return epoch + datetime.timedelta(microseconds=nanoseconds // 1000)


Memo = dict[tuple[Truth, ...], Truth]
"""What a condition said before, by what the statement answered. A cache, never state."""

_MOST_MEMORIES: Final = 243


class Condition:
    """One checked expression.

    text: as it was written. asked: what it asks of the statement. of_statement, of_now, of_session: whether
    it speaks of these; if of none, it says the same for one identity, resource and account at any time.
    """

    __slots__ = ("_memo", "_program", "asked", "of_now", "of_session", "of_statement", "text")

    def __init__(self, text: str, program: Any, names: frozenset[str], asked: tuple[Asked, ...]) -> None:
        self.text = text
        self.asked = tuple(dict.fromkeys(asked))
        self.of_statement = "statement" in names
        self.of_now = "now" in names
        self.of_session = any(name.startswith("session.") for name in names)
        self._program = program
        self._memo: Memo | None = {} if names == {"statement"} else None

    @property
    def of_statement_alone(self) -> bool:
        """Whether it speaks of nothing else."""
        return self._memo is not None

    def ask(self, about: Asking, memo: Memo | None = None) -> Truth:
        """Whether it holds. An error of any kind is UNKNOWN.

        memo: one for everything but the statement being the same; not for conditions on the time.
        """
        facts = about.facts
        if not self.of_statement:
            return self._evaluate(about.values())
        if facts is None:
            answers = (Truth.UNKNOWN,) * len(self.asked)
        else:
            answers = tuple([FUNCTIONS[each.function](facts, each.argument) for each in self.asked])
        memo = self._memo if self._memo is not None else memo
        known = None if memo is None else memo.get(answers)
        if known is not None:
            return known
        statement = _ANSWERS(yes=self._keys(answers, Truth.TRUE), no=self._keys(answers, Truth.FALSE))
        truth = self._evaluate(about.values() | {"statement": statement})
        if memo is not None and len(memo) < _MOST_MEMORIES:
            memo[answers] = truth
        return truth

    def _keys(self, answers: tuple[Truth, ...], wanted: Truth) -> list[str]:
        return [
            f"{each.function} {each.argument}"
            for each, answer in zip(self.asked, answers, strict=True)
            if answer is wanted
        ]

    def _evaluate(self, values: Mapping[str, Any]) -> Truth:
        try:
            answer = self._program.eval(_ENVIRONMENT.Activation(values)).value()
        except Exception:  # whatever CEL's binding raises: it could not tell
            return Truth.UNKNOWN
        if answer is True:
            return Truth.TRUE
        return Truth.FALSE if answer is False else Truth.UNKNOWN

    def at_rest(self) -> Truth:
        """What a condition of the statement alone says where each of its questions is answered no."""
        statement = _ANSWERS(no=self._keys((Truth.FALSE,) * len(self.asked), Truth.FALSE))
        return self._evaluate({"statement": statement})

    def never(self) -> bool:
        """Whether it is false whatever the variables are (`false`, `false && statement.does("drop")`)."""
        return self.ask(Asking()) is Truth.FALSE


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
    if not syntax.names and condition.ask(Asking()) is Truth.UNKNOWN:
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
