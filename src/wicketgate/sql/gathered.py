"""What is gathered while one statement is read: its facts, its doubts, and how much it has cost so far.
Whatever is not known is noted as unknown here: nothing may be passed over in silence.
"""

from collections.abc import Callable, Iterable
from typing import Any

from wicketgate.model.statement import Effect
from wicketgate.sql.analysis import Inherited
from wicketgate.sql.builtins import VALUE
from wicketgate.sql.changes import UNSETTLED
from wicketgate.sql.scope import Columns, Scope, Value
from wicketgate.sql.snapshot import Catalog, Relation
from wicketgate.sql.tree import Node

DEEPEST = 100
"""Levels of nesting that are followed; deeper statements are refused."""

MOST_NODES = 60_000
"""Nodes that are looked at; larger statements are refused."""

MOST_STEPS = 120_000
"""Names and columns that are looked at for them; statements that need more are refused."""

HEAVY = 4096
"""Of values that weigh more together, an error might tell how long one is."""


class TooComplex(Exception):
    """The statement is deeper or larger than is followed."""


class Gathered:
    """One statement's facts in the making. path: None where unknown; as PostgreSQL searches it otherwise."""

    def __init__(
        self,
        catalog: Catalog,
        path: tuple[str, ...] | None,
        temporary: frozenset[str],
        user: str,
        read_only: bool,
    ) -> None:
        self.catalog = catalog
        self.temporary = temporary
        self.path = path
        self.user = user
        self.read_only = read_only
        self.schemas = searched(path, user)
        self.swept = UNSETTLED in temporary
        """Any relation, or column of one, may be gone that the catalog has."""
        self.unsettled = _altered(catalog, temporary)
        self.effects: set[Effect] = set()
        self.commands: set[str] = set()
        self.reads: set[str] = set()
        self.writes: set[str] = set()
        self.bounded: set[str] = set()
        self.unbounded: set[str] = set()
        self.functions: set[str] = set()
        self.classes: set[str] = set()
        self.steered: set[str] = set()
        self.compared: set[str] = set()
        self.asks: set[str] = set()
        """What views below ask about (Body.asks)."""
        self.spilled: set[str] = set()
        self.inherits: list[Inherited] = []
        self.arguments: tuple[Value, ...] | None = None
        """What $1, $2 … stand for in the body of a function."""
        self.for_all = False
        """What is read is kept for all sessions: whatever their path and temporary tables are."""
        self.routine_columns: dict[int, Columns] = {}
        """What functions in SQL give, by the identity of their call."""
        self.routines: tuple[int, ...] = ()
        """OIDs of the functions whose bodies are being read."""
        self.relations: dict[int, Relation] = {}
        self.complete = True
        self.opaque = False
        self.ambiguous = False
        self.sensitive = False
        self.disturbs = False
        self.returning = False
        self.unproven = False
        """What is stored can't be told: a user's code may have changed it."""
        self.stored = False
        """Sensitive values are stored, maybe where no class is known yet."""
        self.sensitive_parameters: set[int] = set()
        self.unknown_names: list[str] = []
        self.unplaced = ""
        """A name among them whose values may be anything's: no newer thing of this session's own."""
        self.moved = ""
        """A name among them that took over sensitive columns in this session."""
        self.strange = False
        """Something is stored that may hold what the catalog does not know."""
        self.guessed = False
        """Such a thing decides what comes back."""
        self.held_types: set[int] = set()
        self.cast_names: set[str] = set()
        self.literal_casts: set[str] = set()
        self.polymorphic = False
        self.patterned = False
        self.interleaves = False
        """What is compared comes out equal or not (FULL JOIN, UNION): sorted, one tells where others lie."""
        self.query_names: dict[int, str | None] = {}
        self.row_setting: str | None = None
        self.refusal: str | None = None
        self.redact = False
        self.depth = 0
        self.nodes = 0
        self.steps = 0
        self.query: Callable[[Any, Node, Scope], Columns]

    # -- doubt ---------------------------------------------------------------------------------------------
    def unknown(self, what: str) -> None:
        """Something that is not understood: it may do and read anything."""
        self.effects.add(Effect.UNKNOWN)
        self.complete = False
        self.opaque = True
        self.disturbs = True
        self.functions.add(what)

    def blur(self) -> None:
        """Lineage that can't be told; effects can."""
        self.complete = False
        self.opaque = True

    def unseen(self, name: str, surely: bool = False) -> None:
        """A name that the catalog does not know: the server will say so, and if it does know it, what comes
        back is masked, as every origin is that the catalog can't place. surely: a column that none of the
        relations in sight has, all of them known: what they hold says how sensitive it is."""
        self.unknown_names.append(name)
        if surely:
            self.unplaced = self.unplaced or name
        self.complete = False
        self.sensitive = self.sensitive or (self.catalog.sensitive and not surely)

    def asked(self) -> frozenset[str]:
        """What it asks about, where it reads what values were copied into, or something below does."""
        copied = any(relation.gained for relation in self.relations.values())
        return frozenset(self.asks | self.steered if copied else self.asks)

    def enter(self) -> None:
        self.depth += 1
        if self.depth > DEEPEST:
            raise TooComplex

    def spend(self) -> None:
        self.nodes += 1
        if self.nodes > MOST_NODES:
            raise TooComplex

    def work(self, steps: int) -> None:
        """Count what is looked at again and again: names against everything in sight, rows put together."""
        self.steps += steps
        if self.steps > MOST_STEPS:
            raise TooComplex

    # -- asked by sql.operands only -------------------------------------------------------------------------
    def met(self, nodes: list[Node], values: list[Value]) -> None:
        """These stand on the two sides of one `=` or IN."""

    def put(self, node: Node, relations: tuple[Relation, ...], column: str | None) -> None:
        """This is stored in a column; None: in one that can't be told."""

    # -- where values go -----------------------------------------------------------------------------------
    def steer(self, value: Value) -> None:
        """A value decides what comes back: by equality alone, or by more than that."""
        if value.classes:
            self.steered |= value.loud
            self.compared |= value.quiet
            self.sensitive_parameters |= value.parameters
        self.guessed = self.guessed or value.doubt

    def spill(self, value: Value) -> None:
        """A value goes where no mask follows it."""
        if value.classes:
            self.spilled |= value.classes
            self.sensitive_parameters |= value.parameters

    def consume(self, values: Iterable[Value], total: bool = False) -> None:
        """Values go together into something computed. total: by what never fails, and gives NULL for no other
        reason than a NULL in it, whatever they are; else an error or a NULL answers a question."""
        many = list(values)
        self.guessed = self.guessed or any(value.doubt for value in many)
        if any(value.classes for value in many):
            total = total and sum(value.weight for value in many) < HEAVY
            # whether there are statistics of a column tells of its values
            total = total and not any(value.odd and VALUE in value.classes for value in many)
            for value in many:
                if not total:
                    self.steer(value)
                self.sensitive_parameters |= value.parameters

    def compare(self, values: Iterable[Value]) -> None:
        """Values are compared for equality: a base column, a literal and a parameter may stand here; what is
        computed may not, be it by a view, in a generated column or before it was stored."""
        many = list(values)
        if any(value.classes for value in many):
            asked = any(value.guesses or (self.interleaves and not value.classes) for value in many)
            for value in many:
                if asked or not value.bare:
                    self.steered |= value.loud
                self.compared |= value.classes
                self.sensitive_parameters |= value.parameters


def _altered(catalog: Catalog, temporary: frozenset[str]) -> frozenset[int]:
    """OIDs of relations that are altered, and of what inherits from them: its columns changed with theirs."""
    return frozenset(
        each.oid
        for name in temporary
        if name.endswith(UNSETTLED)
        for relation in catalog.named(name[:-1])
        for each in (relation, *catalog.descendants(relation.oid))
    )


def searched(path: tuple[str, ...] | None, user: str) -> tuple[str, ...] | None:
    """The schemas in the order that an unqualified name is looked up in, without the temporary one."""
    if path is None:
        return None
    schemas = tuple(user if schema == "$user" else schema for schema in path if schema != "pg_temp")
    return schemas if "pg_catalog" in schemas else ("pg_catalog", *schemas)
