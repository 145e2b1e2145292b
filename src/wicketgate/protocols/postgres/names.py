"""What names mean in one session: search_path, temporary objects, prepared statements, portals (compiled).
A name whose meaning can't be told means every relation that it could mean; nothing here ever guesses.

Changes are made when a statement is forwarded, as if it succeeded (DESIGN law 4). A name's entry is confirmed
when the server has done it, and revoked when the server failed or skipped it; what it replaced is kept until
then. The tables may hold names that the server has dropped, never fewer than it has.
"""

from typing import Final

from wicketgate.model.statement import Statement
from wicketgate.protocols.postgres.returned import NO_TOKENS, Held
from wicketgate.sql.analysis import RESOLVED, UNKNOWN_ANALYSIS, Inherited
from wicketgate.sql.catalog import Catalog
from wicketgate.sql.changes import UNSETTLED, Changes
from wicketgate.sql.member import Member, naming_of
from wicketgate.sql.resolve import Analysis, Environment, declared, resolve, unite

MOST_NAMES: Final = 4096
"""Prepared statements, or portals, that one session may hold: a security limit."""
MOST_WEIGHT: Final = 128 << 20
"""Bytes of memory that the prepared statements and portals of one session may take: a security limit."""
MOST_TEMPORARY: Final = 4000
"""Names that one session may create: a memory limit."""
LONGEST_NAME: Final = 63
"""Bytes of a name. PostgreSQL cuts longer ones, so that two of ours could be one of the server's."""
MOST_ENVIRONMENTS: Final = 64
"""Changes of names remembered; beyond, a prepared statement is resolved with an unknown path."""

CURSOR_HOLD: Final = 0x20
"""DECLARE … WITH HOLD in libpg_query's `options`."""

PLAIN: Final = frozenset({"select", "insert", "update", "delete", "merge"})
"""What PREPARE takes. A Parse takes more, and EXECUTE can run that too: then nothing is known of it."""

_LOCKLESS: Final = frozenset({"set", "reset", "show", "empty", "discard", "deallocate", "close"})
_ENDS: Final = frozenset({"commit", "rollback", "rollback_to", "prepare"})


class Entry:
    """One meaning of a name, from the moment that the message which gives it is forwarded.

    unit: whose message. pending: the server has not answered it yet; `was` is then what it replaces, if
    anything. void: it never came to be. gone: it stands for the name's end.
    """

    def __init__(self, name: bytes, unit: int) -> None:
        self.name = name
        self.unit = unit
        self.pending = True
        self.void = False
        self.gone = False
        self.weight = 0
        self.was: Entry | None = None


class Prepared(Entry):
    """A prepared statement: its facts are the union of all that its names meant since Parse.

    types: OIDs of the parameter types that its Parse declares, without the server's own; nearly always none.
    whole: the PREPARE that made it by SQL.
    """

    def __init__(
        self, name: bytes, unit: int, member: Member, text: bytes, types: tuple[int, ...] = ()
    ) -> None:
        super().__init__(name, unit)
        self.member = member
        self.weight = member.weight + len(text)
        self.text = text
        self.types = types
        self.whole: Member | None = None
        self.resolutions: list[Analysis] = []
        self.seen = 0
        self.analysis: Analysis | None = None
        self.statement: Statement | None = None
        """As it was last bound without parameters."""
        self.held: Held = NO_TOKENS
        """What must hold for tokens in its text."""
        self.meaning: tuple[bytes, Environment] | None = None
        """What its text with tokens meant, and in which environment."""
        self.declared = b""
        """All types that its Parse declares, as it does."""
        self.locks = member.kind not in _LOCKLESS and member.changes.transaction is None
        """The server locks what it reads when it is parsed."""


class Portal(Entry):
    """A bound statement, or a cursor. execution: what the gate cleared, None for a cursor.

    analysis: what its names meant when it was bound, in the environment of then. used: it was executed.
    """

    def __init__(
        self,
        name: bytes,
        unit: int,
        member: Member,
        analysis: Analysis,
        execution: object | None,
        environment: Environment,
    ) -> None:
        super().__init__(name, unit)
        self.member = member
        self.weight = member.weight
        self.analysis = analysis
        self.execution = execution
        self.environment = environment
        self.types: tuple[int, ...] = ()
        """As in Prepared."""
        self.prepared: Prepared | None = None
        """What it was bound from; None: it is a cursor."""
        self.values: bytes | None = None
        """Its parameters as they came, where people have approved them."""
        self.found = analysis
        """What its names meant when they were last looked up."""
        self.used = False
        self.held = False
        self.tokens: Held = NO_TOKENS
        """What must hold for tokens in its text and its parameters."""


class Names:
    """The session's names. `environments` grows with every change of what a name may mean."""

    def __init__(self, catalog: Catalog, user: str, database: str, read_only: bool) -> None:
        self.statements: dict[bytes, Entry] = {}
        self.portals: dict[bytes, Entry] = {}
        self.read_only = read_only
        self.user = user
        self.database = database
        self.known = catalog is not None
        """There is a catalog. Without one nothing is decided, so no name is looked up."""
        self.changed = 0
        """The last unit that changed the path; 0 when no open transaction or unit did."""
        self.unsure = False
        """… in a way that the transaction's end may take back."""
        self.reported: tuple[str, ...] | None = None
        """What the server last said of the path by itself (18 and later)."""
        self.asked = False
        self.defined = False
        self.environment = Environment(catalog, None, frozenset(), user, database, read_only)
        self.environments: list[Environment] = [self.environment]
        self.dropped = 0
        self.weight = 0  # at most: what ended is taken off when it matters
        self.replaced = 0
        """The unit of the last Prepared whose name was given away, that `locks`."""

    # -- what a name means --------------------------------------------------------------------------------
    def change(self, catalog: Catalog, path: tuple[str, ...] | None, temporary: frozenset[str]) -> None:
        """Names mean something else from here on."""
        was = self.environment
        if was.catalog is catalog and was.path == path and was.temporary == temporary:
            return
        self.environment = Environment(catalog, path, temporary, self.user, self.database, self.read_only)
        self.environments.append(self.environment)
        self.asked = False
        if len(self.environments) > MOST_ENVIRONMENTS:
            self.dropped += len(self.environments) - 1
            self.environments = [self.environment]

    def catalog(self, catalog: Catalog, settled: bool = False) -> None:
        """A newer catalog has arrived. settled: it was read after all that the session has defined."""
        self.known = True
        temporary = self.environment.temporary
        if settled:
            temporary = frozenset(name for name in temporary if not name.endswith(UNSETTLED))
        self.change(catalog, self.environment.path, temporary)

    def path(self, path: tuple[str, ...] | None) -> None:
        """The search_path is now this, or unknown."""
        self.change(self.environment.catalog, path, self.environment.temporary)

    def apply(self, changes: Changes, unit: int, inherits: tuple[Inherited, ...] = ()) -> bool:
        """A statement with these changes is being forwarded: as if it succeeded. inherits: columns of what
        it creates that hold sensitive values. True: later units wait."""
        was = self.environment
        path = was.path
        moved = changes.path_unknown or changes.path is not None
        if moved:
            path = None if changes.path_unknown else changes.path
            self.unsure = self.unsure or changes.path_unknown or changes.path_local
            self.changed = unit
        if self.changed and changes.transaction in _ENDS:
            path = None
            moved = True
            self.unsure = True
            self.changed = unit
        if changes.defines:
            self.defined = True
        temporary = was.temporary | changes.temporary if changes.temporary else was.temporary
        if inherits:
            temporary |= {f"{each.relation}?" for each in inherits if each.relation in changes.temporary}
        self.change(was.catalog, path, temporary)
        return moved or changes.defines or self.environment is not was

    def unknown(self, unit: int) -> None:
        """Something runs that can't be told: it may change the path, and what names mean."""
        self.path(None)
        self.changed = unit
        self.unsure = True
        self.defined = self.defined or self.environment.catalog.sensitive

    def failed(self) -> None:
        """A unit failed: if the path was changed, what it is now is not known."""
        if self.changed:
            self.unsure = True
            self.path(None)

    def ended(self, block: bool, unit: int) -> None:
        """A transaction ended with this unit; block: it had begun before the unit.

        A path set within a block, or LOCAL, may have been put back. Portals end with it, but for cursors that
        are held. What later units have changed since is theirs.
        """
        self.asked = False
        if self.changed and self.changed <= unit:
            self.changed = 0
            if block or self.unsure:
                self.unsure = False
                self.path(None)
        if self.portals:
            gone = [name for name, each in self.portals.items() if each.unit <= unit and not _held(each)]
            for name in gone:
                del self.portals[name]

    # -- resolution ---------------------------------------------------------------------------------------
    def resolved(self, prepared: Prepared) -> Analysis:
        """The facts of a prepared statement now: all its resolutions since Parse, united."""
        total = self.dropped + len(self.environments)
        if prepared.analysis is not None and prepared.seen == total:
            return prepared.analysis
        first = prepared.seen - self.dropped
        pending: list[Environment] = []
        if prepared.analysis is None:
            pending.append(self.environment)
        elif first < 0:
            last = self.environment
            pending.append(
                Environment(last.catalog, None, last.temporary, self.user, self.database, self.read_only)
            )
            pending.append(last)
        else:
            pending.extend(self.environments[first:])
        for environment in pending:
            found = self.meant(prepared, environment)
            if found not in prepared.resolutions:
                prepared.resolutions.append(found)
        prepared.seen = total
        united = prepared.resolutions
        prepared.analysis = united[0] if len(united) == 1 else unite(united)
        return prepared.analysis

    def told(self, prepared: Prepared) -> bool:
        """Whether what a prepared statement's names mean now was found already, without a doubt."""
        known = prepared.analysis
        current = prepared.seen == self.dropped + len(self.environments)
        return known is not None and current and not known.ambiguous and prepared.member.kind in PLAIN

    def meant(self, prepared: Prepared, environment: Environment) -> Analysis:
        """A prepared statement's facts in one environment, its parameters' types among them."""
        if prepared.whole is not None:
            held = resolve(prepared.whole, environment).held
            return held if held is not None else UNKNOWN_ANALYSIS
        return self.typed(prepared.member, environment, prepared.types)

    def typed(self, member: Member, environment: Environment, types: tuple[int, ...]) -> Analysis:
        """One member's facts in one environment, with parameters of these types."""
        found = self.resolve(member, environment)
        return declared(found, environment.catalog, types) if types else found

    def resolve(self, member: Member, environment: Environment) -> Analysis:
        """One member's facts in one environment; EXECUTE and FETCH bring those of what they name."""
        inner = self.named(member)
        return RESOLVED.get((member, environment, inner)) or resolve(member, environment, inner)

    def named(self, member: Member) -> Analysis | None:
        """The analysis of the prepared statement or cursor that a member names, None where there is none."""
        naming = naming_of(member)
        if naming is None or naming.name is None:
            return None
        name = naming.name.encode()
        if naming.kind == "execute":
            prepared = self.statement(name)
            if prepared is None:
                return None
            return self.resolved(prepared) if prepared.member.kind in PLAIN else UNKNOWN_ANALYSIS
        if naming.kind == "fetch":
            portal = self.portal(name)
            return portal.analysis if portal is not None else None
        return None

    def catch_up(self, catalog: Catalog | None) -> None:
        """A statement was cleared that copies sensitive values, and it is kept where by now: what
        follows in its unit is read with that."""
        if catalog is not None and catalog is not self.environment.catalog:
            self.catalog(catalog)

    # -- statements and portals ---------------------------------------------------------------------------
    def statement(self, name: bytes) -> Prepared | None:
        """The prepared statement of this name."""
        found = self.statements.get(name)
        return found if isinstance(found, Prepared) else None

    def portal(self, name: bytes) -> Portal | None:
        """The portal or cursor of this name."""
        found = self.portals.get(name)
        return found if isinstance(found, Portal) else None

    def put(self, table: dict[bytes, Entry], entry: Entry) -> None:
        """A message that gives a name its meaning is being forwarded."""
        entry.was = table.get(entry.name)
        if isinstance(entry.was, Prepared) and entry.was.locks:
            self.replaced = entry.was.unit
        self.weight += entry.weight
        table[entry.name] = entry

    def drop(self, table: dict[bytes, Entry], name: bytes, unit: int) -> Entry | None:
        """A message that ends a name is being forwarded."""
        if name not in table:
            return None
        entry = Entry(name, unit)
        entry.gone = True
        self.put(table, entry)
        return entry

    def confirm(self, entry: Entry) -> None:
        """The server has done it."""
        entry.pending = False
        entry.was = None
        if entry.gone:
            for table in (self.statements, self.portals):
                if table.get(entry.name) is entry:
                    del table[entry.name]

    def revoke(self, entry: Entry) -> None:
        """The server failed it or skipped it: the name means what it meant before."""
        entry.void = True
        for table in (self.statements, self.portals):
            if table.get(entry.name) is entry:
                was = entry.was
                while was is not None and was.void:
                    was = was.was
                if was is None or (was.gone and not was.pending):
                    del table[entry.name]
                else:
                    table[entry.name] = was

    def full(self, weight: int) -> bool:
        """Whether the session holds as many names as it may, or as much. weight: of what would be added."""
        if len(self.statements) >= MOST_NAMES or len(self.portals) >= MOST_NAMES:
            return True
        if self.weight + weight > MOST_WEIGHT:
            self.weight = sum([each.weight for each in [*self.statements.values(), *self.portals.values()]])
        return self.weight + weight > MOST_WEIGHT

    def follow(self, member: Member, analysis: Analysis, text: bytes, unit: int) -> list[Entry] | None:
        """What PREPARE, DECLARE, DEALLOCATE, CLOSE and DISCARD by SQL, being forwarded, do to names."""
        kind = member.kind
        name = member.name.encode() if member.name is not None else None
        if kind == "prepare" and member.inner is not None and name is not None:
            prepared = Prepared(name, unit, member.inner, text)
            prepared.whole, prepared.weight = member, member.weight + len(text)
            self.resolved(prepared)
            self.put(self.statements, prepared)
            return [prepared]
        if kind == "declare" and name is not None:
            inner = member.inner if member.inner is not None else member
            cursor = Portal(name, unit, inner, analysis, None, self.environment)
            cursor.weight = member.weight
            cursor.held = bool(int(member.body.get("options", 0)) & CURSOR_HOLD)
            self.put(self.portals, cursor)
            return [cursor]
        if kind == "deallocate":
            return self._end(self.statements, name, unit)
        if kind == "close":
            return self._end(self.portals, name, unit)
        if kind == "discard" and member.body.get("target") == "DISCARD_ALL":
            return self._end(self.statements, None, unit) + self._end(self.portals, None, unit)
        return None

    def _end(self, table: dict[bytes, Entry], name: bytes | None, unit: int) -> list[Entry]:
        """End one name, or all but the unnamed one, which is out of SQL's reach."""
        ended: list[Entry] = []
        for each in [name] if name is not None else [known for known in table if known]:
            entry = self.drop(table, each, unit)
            if entry is not None:
                ended.append(entry)
        return ended


def _held(entry: Entry) -> bool:
    return isinstance(entry, Portal) and entry.held
