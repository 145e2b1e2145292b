"""Makes random queries over the worlds' tables, and knows of each output if a sensitive value went into it.
A query never compares a sensitive value with one that is planted, and gives the same rows in both worlds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from hypothesis import strategies as st

Draw = Callable[[st.SearchStrategy[object]], object]


@dataclass(frozen=True, slots=True)
class Expression:
    """SQL of a kind (`text`, `int`, `num`, `date`, `bool`, `doc`, `list`).

    clean: no sensitive value is in it. plain: it is a column as it stands."""

    text: str
    kind: str
    clean: bool = True
    plain: bool = False


@dataclass(frozen=True, slots=True)
class Query:
    """A whole query. columns: its outputs. clean: no sensitive column is named anywhere in it."""

    text: str
    columns: tuple[Expression, ...]
    clean: bool


@dataclass(slots=True)
class Maker:
    """Draws one query. names: how many aliases were given; spent: how large it has become; heavy: a large
    table is in it; touched: a sensitive column was named."""

    draw: Draw
    names: int = 0
    spent: int = 0
    touched: bool = False
    shared: list[tuple[str, tuple[Expression, ...]]] = field(default_factory=list)

    # -- choices -------------------------------------------------------------------------------------------
    def one_of(self, *choices: object) -> object:
        return self.draw(st.sampled_from(choices))

    def perhaps(self, one_in: int) -> bool:
        return self.draw(st.integers(1, one_in)) == one_in

    def name(self) -> str:
        self.names += 1
        return f"n{self.names}"

    # -- queries -------------------------------------------------------------------------------------------
    def statement(self) -> Query:
        """A query with whatever WITH queries it uses."""
        heads = []
        for _ in range(int(str(self.one_of(0, 0, 0, 1, 2)))):
            body, columns = self.select(2)
            name = self.name()
            listed = [f"k{at}" for at in range(len(columns))]
            form = self.one_of("", "MATERIALIZED ", "NOT MATERIALIZED ")
            heads.append(f"{name} ({', '.join(listed)}) AS {form}({body})")
            self.shared.append((name, _renamed(name, listed, columns)))
        text, columns = self.set_operation() if self.perhaps(5) else self.select(3)
        if heads:
            text = f"WITH {', '.join(heads)} {text}"
        return Query(text, columns, not self.touched)

    def set_operation(self) -> tuple[str, tuple[Expression, ...]]:
        """UNION ALL and the like of two queries with outputs of the same kinds."""
        left, columns = self.select(2)
        right, others = self.select(2, [column.kind for column in columns])
        word = self.one_of("UNION ALL", "UNION ALL", "UNION", "INTERSECT", "EXCEPT ALL")
        found = tuple(
            Expression(one.text, one.kind, one.clean and other.clean)
            for one, other in zip(columns, others, strict=True)
        )
        return f"({left}) {word} ({right})", found

    def select(self, depth: int, kinds: list[str] | None = None) -> tuple[str, tuple[Expression, ...]]:
        """One SELECT; kinds: of its outputs, where they are asked for."""
        source, scope = self.source(depth)
        wanted = kinds or [self.kind() for _ in range(int(str(self.one_of(1, 2, 3, 4))))]
        where = f" WHERE {self.condition(scope, depth)}" if self.perhaps(2) else ""
        shape = self.one_of("rows", "rows", "rows", "groups", "whole", "windows")
        tail = ""
        if shape == "groups":
            keys = [self.key(scope) for _ in range(int(str(self.one_of(1, 2))))]
            outputs = [self.grouped(kind, scope, keys) for kind in wanted]
            tail = " GROUP BY " + ", ".join(key.text for key in keys)
            if self.perhaps(4):
                tail += f" HAVING count(*) > {self.one_of(0, 1)}"
        elif shape == "whole":
            outputs = [self.grouped(kind, scope, []) for kind in wanted]
        elif shape == "windows":
            outputs = [
                self.window(kind, scope) if self.perhaps(2) else self.expression(kind, scope)
                for kind in wanted
            ]
        else:
            outputs = [self.expression(kind, scope, depth) for kind in wanted]
        word = "DISTINCT " if shape == "rows" and self.perhaps(8) else ""
        names = [f"o{at}" for at in range(len(outputs))]
        listed = ", ".join(f"{output.text} AS {name}" for output, name in zip(outputs, names, strict=True))
        text = f"SELECT {word}{listed} FROM {source}{where}{tail}"
        return text, tuple(outputs)

    # -- sources -------------------------------------------------------------------------------------------
    def source(self, depth: int) -> tuple[str, tuple[Expression, ...]]:
        """What stands in FROM, and its columns."""
        self.spent += 1
        if depth > 0 and self.spent < 6 and self.perhaps(3):
            return self.join(depth - 1)
        if depth > 0 and self.spent < 6 and self.perhaps(4):
            body, columns = self.select(depth - 1)
            name = self.name()
            listed = [f"k{at}" for at in range(len(columns))]
            return f"({body}) AS {name} ({', '.join(listed)})", _renamed(name, listed, columns)
        if self.shared and self.perhaps(2):
            shared, columns = self.shared[int(str(self.draw(st.integers(0, len(self.shared) - 1))))]
            name = self.name()
            return f"{shared} AS {name}", _renamed(name, [_last(each) for each in columns], columns)
        table = str(self.one_of(*_WEIGHED))
        name = self.name()
        columns = tuple(
            Expression(f"{name}.{column}", kind, clean, True) for column, kind, clean in TABLES[table]
        )
        return f"{table} AS {name}", columns

    def join(self, depth: int) -> tuple[str, tuple[Expression, ...]]:
        left, ones = self.source(depth)
        right, others = self.source(depth)
        word = self.one_of("JOIN", "JOIN", "LEFT JOIN", "CROSS JOIN", "JOIN LATERAL")
        if word == "CROSS JOIN":
            return f"{left} CROSS JOIN {right}", ones + others
        if word == "JOIN LATERAL":
            inner = self.expression(self.kind(), ones)
            name = self.name()
            found = Expression(f"{name}.k0", inner.kind, inner.clean)
            return f"{left} CROSS JOIN LATERAL (SELECT {inner.text}) AS {name} (k0)", (*ones, found)
        pairs = [
            (one, other)
            for one in ones
            for other in others
            if one.kind == other.kind and one.clean == other.clean and one.kind in ("int", "text")
        ]
        if pairs:
            one, other = pairs[int(str(self.draw(st.integers(0, len(pairs) - 1))))]
            self.touch(one, other)
            return f"{left} {word} {right} ON {one.text} = {other.text}", ones + others
        return f"{left} {word} {right} ON true", ones + others

    # -- expressions ---------------------------------------------------------------------------------------
    def kind(self) -> str:
        return str(self.one_of("text", "text", "text", "int", "int", "num", "date", "bool", "doc", "list"))

    def touch(self, *used: Expression) -> None:
        self.touched = self.touched or not all(each.clean for each in used)

    def column(self, kind: str, scope: tuple[Expression, ...]) -> Expression | None:
        """A column of the kind; sensitive ones as often as clean ones."""
        found = [column for column in scope if column.kind == kind]
        if not found:
            return None
        chosen = [column for column in found if column.clean == self.perhaps(2)] or found
        column = chosen[int(str(self.draw(st.integers(0, len(chosen) - 1))))]
        self.touch(column)
        return column

    def constant(self, kind: str) -> Expression:
        return Expression(str(self.one_of(*_CONSTANTS[kind])), kind)

    def leaf(self, kind: str, scope: tuple[Expression, ...]) -> Expression:
        found = None if self.perhaps(6) else self.column(kind, scope)
        return found or self.constant(kind)

    def clean(self, kind: str, scope: tuple[Expression, ...]) -> Expression:
        """A clean column, or a constant."""
        found = [column for column in scope if column.kind == kind and column.clean]
        if not found or self.perhaps(6):
            return self.constant(kind)
        return found[int(str(self.draw(st.integers(0, len(found) - 1))))]

    def expression(self, kind: str, scope: tuple[Expression, ...], depth: int = 2) -> Expression:
        self.spent += 1
        if depth <= 0 or self.spent > 25 or self.perhaps(3):
            return self.leaf(kind, scope)
        template = str(self.one_of(*_FORMS[kind]))
        return self.fill(template, kind, scope, depth - 1)

    def fill(self, template: str, kind: str, scope: tuple[Expression, ...], depth: int) -> Expression:
        """A template's places: {text}, {int} … any expression; {=text} a leaf; {.text} a clean one; {same}
        the one before once more; {?} a condition; {q:text} a sub-select."""
        text, clean = "", True
        made = Expression("", kind)
        rest = template
        while "{" in rest:
            before, _, rest = rest.partition("{")
            place, _, rest = rest.partition("}")
            if place == "same":
                pass
            elif place == "?":
                before_it, self.touched = self.touched, False
                made = Expression(self.condition(scope, depth), "bool")
                made = Expression(made.text, "bool", not self.touched)
                self.touched = self.touched or before_it
            elif place.startswith("q:"):
                inner, columns = self.lookup(place[2:])
                made = Expression(inner, place[2:], columns[0].clean)
            elif place.startswith("="):
                made = self.leaf(place[1:], scope)
            elif place.startswith("."):
                made = self.clean(place[1:], scope)
            else:
                made = self.expression(place, scope, depth)
            text += before + made.text
            clean = clean and made.clean
        return Expression(text + rest, kind, clean)

    def lookup(self, kind: str) -> tuple[str, tuple[Expression, ...]]:
        """A sub-select of one value."""
        table = str(self.one_of("customers", "vault", "v_named"))
        name = self.name()
        found = [each for each in TABLES[table] if each[1] == kind]
        if not found:
            return str(self.one_of(*_CONSTANTS[kind])), (Expression("", kind),)
        column, _, clean = found[int(str(self.draw(st.integers(0, len(found) - 1))))]
        key = TABLES[table][0][0]
        made = Expression(f"{name}.{column}", kind, clean)
        self.touch(made)
        return f"SELECT {made.text} FROM {table} AS {name} WHERE {name}.{key} = {self.one_of(1, 2, 9)}", (
            made,
        )

    def condition(self, scope: tuple[Expression, ...], depth: int) -> str:
        """Most conditions are clean ones, some compare a sensitive column for equality, few do more."""
        if depth > 0 and self.perhaps(4):
            word = self.one_of("AND", "OR")
            return f"({self.condition(scope, depth - 1)} {word} {self.condition(scope, depth - 1)})"
        secret = [column for column in scope if not column.clean and column.plain]
        if secret and self.perhaps(4):
            column = secret[int(str(self.draw(st.integers(0, len(secret) - 1))))]
            self.touch(column)
            if self.perhaps(3):
                return f"{column.text} IS NOT NULL"
            if column.kind in _GUESSES:
                form = self.one_of("{} = {}", "{} <> {}", "{} IN ({}, {})", "{} IS DISTINCT FROM {}")
                guess = _GUESSES[column.kind]
                return str(form).format(column.text, guess, guess)
        if secret and self.perhaps(12):
            return self.expression("bool", scope, 1).text
        template = str(self.one_of(*_TESTS))
        return self.fill(template, "bool", tuple(column for column in scope if column.clean), 0).text

    # -- groups and windows --------------------------------------------------------------------------------
    def key(self, scope: tuple[Expression, ...]) -> Expression:
        plain = [column for column in scope if column.kind in ("text", "int", "date")]
        if plain and not self.perhaps(4):
            column = plain[int(str(self.draw(st.integers(0, len(plain) - 1))))]
            self.touch(column)
            return column
        return self.fill(str(self.one_of("({.int} % 2)", "left({.text}, 1)")), "text", scope, 0)

    def grouped(self, kind: str, scope: tuple[Expression, ...], groups: list[Expression]) -> Expression:
        """An output of grouped rows: a key or an aggregate."""
        keys = [each for each in groups if each.kind == kind]
        if keys and self.perhaps(3):
            return keys[0]
        made = self.fill(str(self.one_of(*_AGGREGATES[kind])), kind, scope, 1)
        counted = made.text.startswith("count(") and "FILTER" not in made.text
        return Expression(made.text, kind, made.clean or counted)

    def window(self, kind: str, scope: tuple[Expression, ...]) -> Expression:
        made = self.fill(str(self.one_of(*_WINDOWS.get(kind, ("{text}",)))), kind, scope, 1)
        if kind not in _WINDOWS:
            return self.expression(kind, scope)
        by = self.key(scope) if self.perhaps(2) else None
        order = self.clean("int", scope)
        over = (f"PARTITION BY {by.text} " if by else "") + f"ORDER BY {order.text}"
        return Expression(f"{made.text} OVER ({over})", kind, made.clean and (by is None or by.clean))


def _renamed(name: str, listed: list[str], columns: tuple[Expression, ...]) -> tuple[Expression, ...]:
    return tuple(
        Expression(f"{name}.{column}", found.kind, found.clean)
        for column, found in zip(listed, columns, strict=True)
    )


def _last(column: Expression) -> str:
    return column.text.rpartition(".")[2]


def queries() -> st.SearchStrategy[Query]:
    """Whole queries. The same choices give the same query."""

    @st.composite
    def made(draw: Draw) -> Query:
        return Maker(draw).statement()

    return made()


TABLES: dict[str, tuple[tuple[str, str, bool], ...]] = {
    "customers": (
        ("id", "int", True),
        ("email", "text", False),
        ("ssn", "text", False),
        ("card", "text", False),
        ("age", "int", True),
        ("name", "text", True),
        ("email_norm", "text", False),
    ),
    "vault": (
        ("id", "int", True),
        ("pin", "int", False),
        ("doc", "doc", False),
        ("phones", "list", False),
        ("balance", "num", False),
        ("born", "date", False),
        ("label", "text", True),
    ),
    "badges": (("id", "int", True), ("ssn", "text", False)),
    "v_named": (("a", "int", True), ("b", "text", True), ("word", "text", False)),
    "v_two": (("a", "int", True), ("b", "text", True), ("word", "text", False), ("small", "text", False)),
    "events": (("id", "int", True), ("at", "date", True), ("email", "text", False)),
    "people": (("id", "int", True), ("ssn", "text", False), ("born", "date", True)),
    "s2.t": (("id", "int", True), ("value", "text", False)),
    "s1.t": (("id", "int", True), ("value", "text", True)),
    "(SELECT * FROM orders WHERE id < 7)": (
        ("id", "int", True),
        ("customer_id", "int", True),
        ("total", "num", True),
        ("placed", "date", True),
        ("note", "text", True),
    ),
}
"""Relation -> its columns: name, kind, whether clean."""

_WEIGHED = (*TABLES, "customers", "customers", "customers", "vault", "vault")

_CONSTANTS = {
    "text": ("'x'", "''", "'Alice'", "NULL::text"),
    "int": ("0", "1", "7", "NULL::int"),
    "num": ("0.5", "2.25", "NULL::numeric"),
    "date": ("date '2024-02-29'", "NULL::date"),
    "bool": ("true", "false", "NULL::bool"),
    "doc": ("'{\"a\": [1, null]}'::jsonb", "'\"x\"'::jsonb"),
    "list": ("ARRAY['a', NULL]", "'{}'::text[]"),
}
_GUESSES = {"text": "'000-00-0000'", "int": "-1", "num": "-1.5", "date": "date '1900-01-01'"}
"""What no world holds."""

_FORMS = {
    "text": (
        "upper({text})",
        "lower({text})",
        "left({text}, 2)",
        "right({text}, 3)",
        "substr({text}, 2, 3)",
        "replace({text}, 'a', 'b')",
        "split_part({text}, '-', 1)",
        "lpad({text}, 12, '*')",
        "reverse({text})",
        "md5({text})",
        "({text} || {text})",
        "concat({text}, {int}, {text})",
        "format('%s-%s', {text}, {int})",
        "coalesce({=text}, {text})",
        "greatest({text}, {text})",
        "nullif({=text}, '000-00-0000')",
        "CASE WHEN {?} THEN {text} ELSE {text} END",
        "{int}::text",
        "{num}::text",
        "{date}::text",
        "to_char({.date}, 'YYYY-MM')",
        "({doc} ->> 'secret')",
        "({q:text})",
        "btrim({text}, 'x')",
        "quote_literal({text})",
        "repeat({.text}, 2)",
        "array_to_string({.list}, ',')",
        "{text}::varchar(5)",
    ),
    "int": (
        "length({text})",
        "ascii({text})",
        "strpos({text}, 'a')",
        "({.int} + {.int})",
        "({.int} % 3)",
        "abs({.int})",
        "coalesce({=int}, {int})",
        "least({int}, {int})",
        "CASE WHEN {?} THEN {int} END",
        "({q:int})",
        "cardinality({.list})",
        "extract(year FROM {.date})::int",
        "nullif({=int}, -1)",
        "({int} + 0)",
    ),
    "num": (
        "round({.num}, 1)",
        "({.num} * 2)",
        "{int}::numeric",
        "coalesce({=num}, {num})",
        "greatest({num}, {num})",
        "({q:num})",
        "CASE WHEN {?} THEN {num} ELSE 0 END",
    ),
    "date": (
        "coalesce({=date}, {date})",
        "date_trunc('month', {.date})::date",
        "CASE WHEN {?} THEN {date} END",
        "least({date}, {date})",
        "({q:date})",
    ),
    "bool": (
        "({=text} = '000-00-0000')",
        "({=int} <> -1)",
        "({=text} IS NULL)",
        "({.int} > 2)",
        "({text} = {text})",
        "({text} < {text})",
        "({text} LIKE 'a%')",
        "({?})",
        "({=text} IN ('x', 'y'))",
        "(NOT {bool})",
        "EXISTS (SELECT FROM customers WHERE customers.id = {.int})",
    ),
    "doc": (
        "to_jsonb({text})",
        "to_jsonb({int})",
        "jsonb_build_object('a', {text}, 'b', {int})",
        "jsonb_build_array({text}, {num})",
        "coalesce({=doc}, {doc})",
        "({doc} -> 'list')",
        "to_jsonb({list})",
        "CASE WHEN {?} THEN {doc} END",
    ),
    "list": (
        "ARRAY[{text}, {text}]",
        "ARRAY[{text}]",
        "coalesce({=list}, {list})",
        "ARRAY(SELECT {text})",
        "string_to_array({.text}, 'i')",
        "CASE WHEN {?} THEN {list} END",
    ),
}
"""Kind -> what makes it. Arguments that only few functions may have of a sensitive value come rarely."""

_TESTS = (
    "{int} > 1",
    "{int} BETWEEN 1 AND 3",
    "{text} LIKE '%a%'",
    "{text} < 'm'",
    "{text} IS NOT NULL",
    "{int} IN (1, 2, 3)",
    "{date} > date '2024-01-05'",
    "length({text}) > 3",
    "EXISTS (SELECT FROM orders WHERE orders.customer_id = {int})",
    "{int} IN (SELECT id FROM s1.t)",
    "true",
)
_AGGREGATES = {
    "text": ("min({text})", "max({text})", "string_agg({.text}, ',' ORDER BY {same})", "min({int})::text"),
    "int": (
        "count(*)::int",
        "count({text})::int",
        "count(DISTINCT {=text})::int",
        "count(*) FILTER (WHERE {?})::int",
        "max({int})",
        "min({int})",
        "sum({.int})::int",
    ),
    "num": ("sum({num})", "avg({.num})", "max({num})", "round(avg({.int}), 2)"),
    "date": ("min({date})", "max({date})"),
    "bool": ("bool_and({bool})", "bool_or({.bool})", "(count(*) > 1)"),
    "doc": ("jsonb_agg({.text} ORDER BY {same})", "to_jsonb(min({text}))"),
    "list": ("array_agg({.text} ORDER BY {same})", "ARRAY[min({text})]"),
}
_WINDOWS = {
    "text": ("min({text})", "max({text})"),
    "int": ("rank()", "dense_rank()", "count(*)", "count({text})", "max({int})", "sum({.int})"),
    "num": ("max({num})", "sum({.num})"),
    "date": ("min({date})",),
}
