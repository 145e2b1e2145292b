"""How names of relations, functions, operators and types are found, and what their use brings with it.
What can't be found is noted as unknown.
"""

from dataclasses import replace

from wicketgate.model.statement import Effect
from wicketgate.sql.beside import reading, set_off, writing
from wicketgate.sql.casts import settle, spell
from wicketgate.sql.functions import POLYMORPHIC, READS_BY_NAME, Doing
from wicketgate.sql.gathered import DEEPEST, MOST_NODES, MOST_STEPS, Gathered, TooComplex
from wicketgate.sql.scope import BARE_DOUBT, Columns, Item, by_name
from wicketgate.sql.snapshot import NO_CLASSES, Named, Relation
from wicketgate.sql.tree import Body, strings

__all__ = ["DEEPEST", "MOST_NODES", "MOST_STEPS", "SYSTEM_COLUMNS", "TooComplex", "Walk"]

SYSTEM_COLUMNS = frozenset({"ctid", "xmin", "xmax", "cmin", "cmax", "tableoid"})


class Walk(Gathered):
    """One statement, being read."""

    def settle(self) -> None:
        """Once all is read: whether a user's cast, or the input of a user's type, may run."""
        settle(self)
        if self.polymorphic:
            columns = (column for relation in self.relations.values() for column in relation.columns)
            if any(type_oid in self.catalog.unsafe_types for _, _, type_oid in columns):
                self.unknown("a type's own code")
        if self.patterned:
            self.steered |= self.compared  # `=` may take different texts for equal: it is a pattern then
        if self.catalog.event_triggers and self.effects & {Effect.DEFINE, Effect.GRANT}:
            set_off(self, self.catalog.event_triggers)

    # -- relations -----------------------------------------------------------------------------------------
    def find(self, reference: Body) -> tuple[tuple[Relation, ...], bool]:
        """What a RangeVar may name, and whether it may also be something the catalog doesn't know."""
        name = str(reference.get("relname", ""))
        schema = reference.get("schemaname")
        if f"{name}?" in self.temporary:
            self.unplaced = self.moved = name
        if reference.get("catalogname") not in (None, self.catalog.database):
            self.refusal = self.refusal or "a name can't refer to another database"
            return (), True
        if schema is not None:
            found = self.catalog.at(str(schema), name)
            doubtful = str(schema).startswith("pg_temp") or name in self.temporary
            if found is None:
                return (), True
            return (found,), doubtful or self._is_unsettled(found)
        shadowed = name in self.temporary
        if self.schemas is None:
            many = self.catalog.named(name)
            shadowed = shadowed or any(self._is_unsettled(each) for each in many)
            if len(many) > 1 or shadowed:
                self.ambiguous = True
            if len(many) == 1 and many[0].schema == "pg_catalog" and not shadowed:
                return many, False
            return many, shadowed or not many
        several: list[Relation] = []
        for place in self.schemas:
            found = self.catalog.at(place, name)
            if found is not None:
                several.append(found)
                shadowed = shadowed or self._is_unsettled(found)
                if place in self.catalog.open_schemas and not shadowed:
                    break  # others the server passes over where the account may not use them
        return tuple(several), shadowed or not several

    def _is_unsettled(self, relation: Relation) -> bool:
        """Whether the session may have changed it by what it did to something else."""
        return relation.oid in self.unsettled or (self.swept and not relation.system)

    def read(
        self,
        relations: tuple[Relation, ...],
        name: str,
        doubtful: bool,
        rows: bool = True,
    ) -> None:
        """These are read, with what it brings. rows: not only locked."""
        self.effects.add(Effect.READ)
        for relation in relations:
            self.reads.add(relation.qualified)
            self.relations[relation.oid] = relation
            self._touch(relation)
            if relation.view is not None:
                self._open(relation)
            reading(self, relation, rows)
        if doubtful and not relations:
            self._missing(name)

    def write(
        self,
        relations: tuple[Relation, ...],
        name: str,
        doubtful: bool,
        effect: Effect,
        storing: bool = False,
    ) -> None:
        """These are changed. storing: rows are stored, so that defaults, checks and triggers run."""
        self.effects.add(effect)
        for relation in relations:
            self.writes.add(relation.qualified)
            self.relations[relation.oid] = relation
            self._touch(relation)
            if relation.ruled:
                self.unknown(f"rule on {relation.qualified}")
            writing(self, relation, storing, effect)
            if relation.kind == "v" and relation.view is not None:
                body = self.catalog.body(relation)
                self.writes |= body.reads
                self._open(relation, False)
        if doubtful and not relations:
            self._missing(name)

    def _missing(self, name: str) -> None:
        if name in self.temporary:
            self.reads.add(f"pg_temp.{name}")
        else:
            self.unseen(name)
            self.unplaced = self.unplaced or name

    def _touch(self, relation: Relation) -> frozenset[str]:
        classes = NO_CLASSES.union(*self.catalog.relation_classes(relation).values())
        if classes:
            self.classes |= classes
            self.sensitive = True
        self.patterned = self.patterned or bool(relation.patterned)
        if self.catalog.holds:
            for _, _, type_oid in relation.columns:
                self.held_types |= self.catalog.holds.get(type_oid, frozenset())
        return classes

    def _open(self, relation: Relation, reading: bool = True) -> None:
        """What a view's body brings with it."""
        body = self.catalog.body(relation)
        self.asks |= body.asks
        self.steered |= body.asks
        if relation.kind != "m":
            self.effects |= body.effects
            self.functions |= body.functions
            self.disturbs = self.disturbs or Effect.UNKNOWN in body.effects
        if reading:
            self.reads |= body.reads
        if body.classes:
            self.classes |= body.classes
            self.sensitive = True
        self.complete = self.complete and body.complete
        self.opaque = self.opaque or body.opaque

    def item(
        self, relations: tuple[Relation, ...], alias: str, columns: tuple[str, ...], doubtful: bool
    ) -> Item:
        """The FROM item that these relations make."""
        shapes = []
        for relation in relations:
            self.work(len(relation.columns))
            values = self.catalog.values(relation)
            names = [column for _, column, _ in relation.columns]
            shapes.append(Columns(names, list(values), origin=True))
        if len(shapes) == 1:
            shape = shapes[0]
        elif shapes:
            shape = by_name(shapes)
        else:
            shape = Columns(loose=BARE_DOUBT)
        if doubtful and relations:
            # it may be something else of that name, whatever its columns hold
            held = [replace(value, doubt=True) for value in shape.values]
            shape = Columns(shape.names, held, replace(shape.everything(), bare=True, doubt=True))
        return Item(
            alias,
            shape.renamed(columns),
            relations,
            frozenset(relation.schema for relation in relations),
            doubtful or not relations,
        )

    # -- functions, operators, types -----------------------------------------------------------------------
    def place(self, name: tuple[str, ...]) -> tuple[str | None, str]:
        """The schema, if any, and the last part of a function's, operator's or type's name. A third part is
        the database, which can only be the session's own."""
        if (len(name) == 3 and name[0] != self.catalog.database) or len(name) > 3:
            self.refusal = self.refusal or "a name can't refer to another database"
            self.unknown(".".join(name))
        return (name[-2] if len(name) > 1 else None), name[-1]

    def call(self, name: tuple[str, ...]) -> Doing:
        """Note what calling this function does; PURE or what the caller must still look at."""
        schema, bare = self.place(name)
        self.polymorphic = self.polymorphic or bare in POLYMORPHIC
        doing, others = self._function(schema, bare)
        if others or doing is None or doing is Doing.UNKNOWN:
            return Doing.UNKNOWN
        return doing

    def _function(self, schema: str | None, name: str) -> tuple[Doing | None, tuple[Named, ...]]:
        if f"{name}()" in self.temporary:
            self.unknown(name)
            return Doing.UNKNOWN, ()
        if schema == "pg_catalog":
            doing, others = self.catalog.function(name, ("pg_catalog",))
        elif schema is not None:
            _, others = self.catalog.function(name, (schema,))
            doing = None
        else:
            doing, others = self.catalog.function(name, self.schemas)
        bad = [other for other in others if not other.safe]
        if others:
            self.held_types |= self.catalog.held  # what it gives is not known
        if bad and schema is None and self.schemas is None:
            self.ambiguous = True
        for other in bad:
            self.unknown(f"{other.schema}.{other.name}")
        if doing is None and others and not bad:
            return Doing.PURE, ()
        if (doing is None or doing is Doing.UNKNOWN) and not bad:
            self.unknown(f"{schema}.{name}" if schema else name)
        return doing, tuple(bad)

    def operate(self, name: tuple[str, ...]) -> None:
        """Note the use of an operator."""
        schema, bare = self.place(name)
        if bare == "!=":
            bare = "<>"
        if f"{bare}()" in self.temporary:
            self.unknown(f"operator {bare}")
            return
        known, others = self.catalog.operator(bare, self.schemas if schema is None else (schema,))
        if schema not in (None, "pg_catalog"):
            known = False
        if others:
            self.held_types |= self.catalog.held
        for other in others:
            if not other.safe:
                self.unknown(f"{other.schema}.{other.name}")
        if not known and not others:
            self.unknown(f"operator {bare}")

    def cast(self, type_name: Body, constant: bool = False, literal: bool = False) -> None:
        """Note the use of a type. constant: of a string, which goes to the type's input and to no cast.
        literal: of literals only, whose types are the server's own."""
        name = strings(type_name.get("names"))
        if not name or type_name.get("pct_type"):
            self.unknown("type")
            return
        schema, bare = self.place(name)
        if f"{bare}!" in self.temporary or ("cast()" in self.temporary and not constant):
            self.unknown(f"type {bare}")
            return
        self.patterned = self.patterned or bare in self.catalog.collated
        spell(self, bare, constant, literal)
        if bare in self.temporary and bare not in self.catalog.types:
            return
        schemas = self.schemas if schema is None else (schema,)
        if not self.catalog.type_is_safe(bare, schemas):
            self.unknown(f"type {'.'.join(name)}")

    def does(self, doing: Doing, name: str) -> None:
        """The effects of a known builtin."""
        if doing is Doing.WRITES:
            self.effects.add(Effect.WRITE)
        elif doing is Doing.EXECUTES:
            self.effects.add(Effect.EXECUTE)
            self.functions.add(f"pg_catalog.{name}")
            self.opaque = True
        elif doing is Doing.LEAKS:
            self.functions.add(f"pg_catalog.{name}")
            self.opaque = True
            if name in READS_BY_NAME:
                self.complete = False
