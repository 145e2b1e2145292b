"""What a compiled CEL expression says: which variables it names, which functions it asks of a statement.
It must never overlook a part: an expression of a kind that it does not know is refused.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from google.protobuf import any_pb2, descriptor_pb2, descriptor_pool, message_factory

_TEXT, _MESSAGE, _BYTES, _INT64 = 9, 11, 12, 3
_ONE, _MANY = 1, 3

# The parts of cel.expr (cel-spec, proto/cel/expr/syntax.proto and checked.proto) that are looked at.
# Constants of other kinds than text are kept as unknown fields.
_MESSAGES: Final[dict[str, list[tuple[str, int, int, int, str]]]] = {
    "Constant": [("string_value", 6, _TEXT, _ONE, "")],
    "Ident": [("name", 1, _TEXT, _ONE, "")],
    "Select": [("operand", 1, _MESSAGE, _ONE, "Expr"), ("field", 2, _TEXT, _ONE, "")],
    "Call": [
        ("target", 1, _MESSAGE, _ONE, "Expr"),
        ("function", 2, _TEXT, _ONE, ""),
        ("args", 3, _MESSAGE, _MANY, "Expr"),
    ],
    "CreateList": [("elements", 1, _MESSAGE, _MANY, "Expr")],
    "Entry": [("map_key", 3, _MESSAGE, _ONE, "Expr"), ("value", 4, _MESSAGE, _ONE, "Expr")],
    "CreateStruct": [("message_name", 1, _TEXT, _ONE, ""), ("entries", 2, _MESSAGE, _MANY, "Entry")],
    "Comprehension": [
        ("iter_range", 2, _MESSAGE, _ONE, "Expr"),
        ("accu_init", 4, _MESSAGE, _ONE, "Expr"),
        ("loop_condition", 5, _MESSAGE, _ONE, "Expr"),
        ("loop_step", 6, _MESSAGE, _ONE, "Expr"),
        ("result", 7, _MESSAGE, _ONE, "Expr"),
    ],
    "Expr": [
        ("const_expr", 3, _MESSAGE, _ONE, "Constant"),
        ("ident_expr", 4, _MESSAGE, _ONE, "Ident"),
        ("select_expr", 5, _MESSAGE, _ONE, "Select"),
        ("call_expr", 6, _MESSAGE, _ONE, "Call"),
        ("list_expr", 7, _MESSAGE, _ONE, "CreateList"),
        ("struct_expr", 8, _MESSAGE, _ONE, "CreateStruct"),
        ("comprehension_expr", 9, _MESSAGE, _ONE, "Comprehension"),
    ],
    "CheckedExpr": [("expr", 4, _MESSAGE, _ONE, "Expr")],
}
_KINDS: Final = tuple(name for name, *_ in _MESSAGES["Expr"])


def _message_class() -> Any:
    file = descriptor_pb2.FileDescriptorProto(
        name="wicketgate/syntax.proto", package="wicketgate.syntax", syntax="proto3"
    )
    for message, fields in _MESSAGES.items():
        made = file.message_type.add(name=message)
        for name, number, kind, label, of in fields:
            field = made.field.add(name=name, number=number, label=label)
            field.type = kind
            if of:
                field.type_name = f".wicketgate.syntax.{of}"
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(file.SerializeToString())
    found = pool.FindMessageTypeByName("wicketgate.syntax.CheckedExpr")
    return message_factory.GetMessageClass(found)


_CHECKED: Final = _message_class()


@dataclass(frozen=True, slots=True)
class Asked:
    """One function of `statement` that an expression calls, with its argument."""

    function: str
    argument: str


@dataclass(frozen=True, slots=True)
class Syntax:
    """names: variables named, whole (`identity.name`). asked: what is asked of the statement.
    patterns: regular expressions that are written out."""

    names: frozenset[str]
    asked: tuple[Asked, ...]
    patterns: tuple[str, ...]


def read(serialized: bytes) -> Syntax:
    """What the expression says. serialized: as cel-expr-python gives it, a CheckedExpr inside an Any.

    Raises ValueError where `statement` is used otherwise than to call one of its functions with a text in
    quotes: only then can the text be checked against what exists.
    """
    outer = any_pb2.Any.FromString(serialized)
    if not outer.type_url.endswith("/cel.expr.CheckedExpr"):
        raise ValueError("the expression can't be looked into")
    names: set[str] = set()
    asked: list[Asked] = []
    patterns: list[str] = []
    _walk(_CHECKED.FromString(outer.value).expr, names, asked, patterns)
    return Syntax(frozenset(names), tuple(asked), tuple(patterns))


def _walk(expression: Any, names: set[str], asked: list[Asked], patterns: list[str]) -> None:
    kind = next((each for each in _KINDS if expression.HasField(each)), None)
    if kind is None:
        raise ValueError("the expression holds a part that is not known")
    if kind == "ident_expr":
        name = expression.ident_expr.name.removeprefix(".")
        if name == "statement":
            raise ValueError("statement can only be asked: statement.does(…), .has(…), .reads(…) …")
        names.add(name)
        return
    if kind == "call_expr":
        call = expression.call_expr
        if call.HasField("target") and call.target.ident_expr.name.removeprefix(".") == "statement":
            names.add("statement")
            literal = len(call.args) == 1 and call.args[0].HasField("const_expr")
            if not literal or not call.args[0].const_expr.string_value:
                raise ValueError(f"statement.{call.function}(…) takes one text in quotes, written out")
            asked.append(Asked(call.function, call.args[0].const_expr.string_value))
            return
        last = call.args[-1] if call.args else None
        if call.function == "matches" and last is not None and last.HasField("const_expr"):
            patterns.append(last.const_expr.string_value)
    elif kind == "struct_expr" and expression.struct_expr.message_name:
        raise ValueError("a condition can't make messages")
    for part in _parts(getattr(expression, kind), kind):
        _walk(part, names, asked, patterns)


def _parts(holder: Any, kind: str) -> Iterator[Any]:
    if kind == "call_expr":
        if holder.HasField("target"):
            yield holder.target
        yield from holder.args
    elif kind == "select_expr":
        yield holder.operand
    elif kind == "list_expr":
        yield from holder.elements
    elif kind == "struct_expr":
        for entry in holder.entries:
            for name in ("map_key", "value"):
                if entry.HasField(name):
                    yield getattr(entry, name)
    elif kind == "comprehension_expr":
        for name in ("iter_range", "accu_init", "loop_condition", "loop_step", "result"):
            yield getattr(holder, name)
