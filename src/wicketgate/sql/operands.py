"""How each parameter and string literal of one statement is used: compared with a sensitive column, stored,
or anything else. Asked for only where a token came back: it reads the statement anew, and caches nothing.
What is not sure is OTHER.
"""

from dataclasses import dataclass
from enum import Enum

from wicketgate.sql.analysis import Environment
from wicketgate.sql.errors import SyntaxRefused
from wicketgate.sql.parse import Member, parse_whole
from wicketgate.sql.queries import query
from wicketgate.sql.relation import Relation
from wicketgate.sql.scope import Item, Scope, Value
from wicketgate.sql.storing import acted_on, judged
from wicketgate.sql.total import builtin_name
from wicketgate.sql.tree import Body, Node, split
from wicketgate.sql.tree import walk as every_node
from wicketgate.sql.walk import TooComplex, Walk

_QUERIES = frozenset({"SelectStmt", "InsertStmt", "UpdateStmt", "DeleteStmt", "MergeStmt"})
_HOLDING = frozenset({"PrepareStmt", "DeclareCursorStmt", "ExplainStmt"})


class Use(Enum):
    """COMPARED: every use is a direct operand of `=` or IN against a bare sensitive column. STORED: every
    use is a value of INSERT … VALUES, SET or MERGE by itself, in a known column of a table that no rule
    rewrites, no trigger sees and that asks of values nothing but equality. OTHER: anything else."""

    COMPARED = "compared"
    STORED = "stored"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Operand:
    """classes: of the columns that it is compared with or stored in. columns: these, as (relation OID,
    attribute); a view's column stands for itself. Both are empty for OTHER."""

    use: Use
    classes: frozenset[str] = frozenset()
    columns: frozenset[tuple[int, int]] = frozenset()


OTHER = Operand(Use.OTHER)


@dataclass(frozen=True, slots=True)
class Literal:
    """A string literal: where it stands in the statement's text, in bytes, quotes and all. length: 0 where
    its end can't be told (E'', U&'', one written in parts): it is OTHER then."""

    offset: int
    length: int
    value: str
    operand: Operand


@dataclass(frozen=True, slots=True)
class Operands:
    """parameters: by number. literals: by offset. A parameter or literal that is not here is OTHER."""

    parameters: dict[int, Operand]
    literals: tuple[Literal, ...]


NONE_TOLD = Operands({}, ())


def operands(member: Member, text: bytes, environment: Environment) -> Operands:
    """member: the statement; text: its own text (Member.text), as the client wrote it. Never raises."""
    if environment.database != environment.catalog.database:
        return NONE_TOLD
    try:
        node = parse_whole(text)
        name, body = split(node)
        if name in _HOLDING:
            name, body = split(body.get("query", {}))
        if name not in _QUERIES or name != _own(member) or "intoClause" in body:
            return _nothing(node, text)
        walk = _Noting(environment)
        query(walk, {name: body}, Scope())
        walk.settle()
        if walk.opaque or walk.unknown_names or walk.refusal:
            return _nothing(node, text)
        return _told(walk, node, text)
    except (SyntaxRefused, TooComplex, RecursionError, AttributeError, LookupError, TypeError, ValueError):
        return NONE_TOLD


def _own(member: Member) -> str:
    return member.inner.node if member.inner is not None else member.node


class _Noting(Walk):
    """A walk that notes where parameters and literals stand: by their place in the text, negative for a
    literal's."""

    def __init__(self, environment: Environment) -> None:
        super().__init__(
            environment.catalog,
            environment.path,
            environment.temporary,
            environment.user,
            environment.read_only,
        )
        self.query = query
        self.origins: dict[int, tuple[int, int]] = {}
        self.kept: list[Value] = []
        self.found: dict[int, list[Operand]] = {}

    def item(
        self, relations: tuple[Relation, ...], alias: str, columns: tuple[str, ...], doubtful: bool
    ) -> Item:
        item = super().item(relations, alias, columns, doubtful)
        if len(relations) == 1 and not doubtful:
            values = self.catalog.values(relations[0])
            self.kept.extend(values)  # an identity must not be used again
            for value, (number, _, _) in zip(values, relations[0].columns, strict=True):
                self.origins[id(value)] = (relations[0].oid, number)
        return item

    def met(self, nodes: list[Node], values: list[Value]) -> None:
        left, *right = values
        for node in nodes[1:]:
            self._note(node, left)
        if len(right) == 1:
            self._note(nodes[0], right[0])

    def _note(self, node: Node, other: Value) -> None:
        place = self._place(node)
        if place is None:
            return
        column = self.origins.get(id(other))
        told = column is not None and other.base and other.classes
        compared = Operand(Use.COMPARED, other.classes, frozenset({column} if column is not None else ()))
        self.found.setdefault(place, []).append(compared if told else OTHER)

    def put(self, node: Node, relations: tuple[Relation, ...], column: str | None) -> None:
        place = self._place(node)
        if place is None:
            return
        stored = OTHER
        if (
            len(relations) == 1
            and column is not None
            and column in relations[0].numbers
            and _plain(relations[0])
            and not judged(self, relations[0], column)
            and not acted_on(self, relations[0])
        ):
            number = relations[0].numbers[column]
            classes = self.catalog.relation_classes(relations[0]).get(number, frozenset())
            stored = Operand(Use.STORED, classes, frozenset({(relations[0].oid, number)}))
        self.found.setdefault(place, []).append(stored)

    def _place(self, node: Node) -> int | None:
        """Where a parameter or string stands by itself, or cast to text; None for anything else."""
        while "TypeCast" in node:
            cast: Body = node["TypeCast"]
            target = cast.get("typeName", {})
            if builtin_name(self, target) not in ("text", "varchar") or target.keys() & {
                "typmods",
                "arrayBounds",
            }:
                return None
            node = cast.get("arg", {})
        return place_of(node)


def _plain(relation: Relation) -> bool:
    return relation.kind in "rp" and not (relation.ruled or relation.excludes or relation.patterned)


def place_of(node: Node) -> int | None:
    """A parameter's place in the text, or a string's as a negative number."""
    if "ParamRef" in node:
        return int(node["ParamRef"].get("location", 0))
    if "sval" in node.get("A_Const", {}):
        return -1 - int(node["A_Const"].get("location", 0))
    return None


def _told(walk: _Noting, node: Node, text: bytes) -> Operands:
    parameters: dict[int, Operand] = {}
    literals: dict[int, Literal] = {}
    for name, body in every_node(node):
        if name == "ParamRef":
            number = int(body.get("number", 0))
            found = _unite(walk.found.get(int(body.get("location", 0)), []))
            parameters[number] = _unite([parameters[number], found]) if number in parameters else found
        elif name == "A_Const" and "sval" in body:
            literal = _literal(body, text, walk.found)
            literals[literal.offset] = literal
    return Operands(parameters, tuple(literals[offset] for offset in sorted(literals)))


def _nothing(node: Node, text: bytes) -> Operands:
    """All that there is, and nothing told of it."""
    strings = {
        int(body.get("location", 0)): body
        for name, body in every_node(node)
        if name == "A_Const" and "sval" in body
    }
    numbers = [int(body.get("number", 0)) for name, body in every_node(node) if name == "ParamRef"]
    return Operands(
        dict.fromkeys(numbers, OTHER), tuple(_literal(strings[at], text, {}) for at in sorted(strings))
    )


def _literal(body: Body, text: bytes, found: dict[int, list[Operand]]) -> Literal:
    offset = int(body.get("location", 0))
    value = str(body["sval"].get("sval", ""))
    length = _length(text, offset, value)
    operand = _unite(found.get(-1 - offset, [])) if length else OTHER
    return Literal(offset, length, value, operand)


def _unite(uses: list[Operand]) -> Operand:
    """All uses together: OTHER where they differ in kind, or there is none that was noted."""
    kinds = {operand.use for operand in uses}
    if len(kinds) != 1 or Use.OTHER in kinds:
        return OTHER
    return Operand(
        uses[0].use,
        frozenset().union(*(operand.classes for operand in uses)),
        frozenset().union(*(operand.columns for operand in uses)),
    )


def _length(text: bytes, offset: int, value: str) -> int:
    """Bytes of the literal that begins here, quotes and all; 0 where it is no plain one."""
    raw = value.encode()
    plain = b"'" + raw.replace(b"'", b"''") + b"'"
    if text.startswith(plain, offset):
        return 0 if _goes_on(text, offset + len(plain)) else len(plain)
    if text[offset : offset + 1] == b"$":
        tag = text[offset : text.find(b"$", offset + 1) + 1]
        if text.startswith(tag + raw + tag, offset):
            return 2 * len(tag) + len(raw)
    return 0


def _goes_on(text: bytes, end: int) -> bool:
    """Whether the literal is continued in a next line, or only seemed to end."""
    rest = text[end : end + 1]
    return rest == b"'" or text[end:].lstrip()[:1] == b"'"
