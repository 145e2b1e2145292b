"""What names mean in one session: search_path, temporary objects, prepared statements, portals (compiled).
A name whose meaning can't be told means every relation that it could mean; nothing here ever guesses.

Changes are made when a statement is forwarded, as if it succeeded, and undone where the server says that it
failed or was skipped (DESIGN law 4).
"""

from typing import Final

from wicketgate.sql.catalog import Catalog
from wicketgate.sql.parse import Changes, Member
from wicketgate.sql.resolve import Analysis, Environment, resolve, unite

MOST_NAMES: Final = 4096
"""Prepared statements, or portals, that one session may hold: a security limit."""

MOST_ENVIRONMENTS: Final = 64
"""Changes of names remembered; beyond, a prepared statement is resolved with an unknown path."""


class Prepared:
    """A prepared statement: its facts are the union of all that its names meant since Parse.

    unit: the unit that prepared it. void: it never came to be, and `before` is what the name still means.
    """

    def __init__(self, member: Member, text: bytes, unit: int) -> None:
        self.member = member
        self.text = text
        self.unit = unit
        self.void = False
        self.before: Prepared | None = None
        self.resolutions: list[Analysis] = []
        self.seen = 0
        self.analysis: Analysis | None = None


class Portal:
    """A bound statement, or a cursor. execution: what the gate cleared, None for a cursor's own DECLARE.

    analysis: what its names meant when it was bound, in the environment of then; unit: the unit that bound it.
    """

    def __init__(
        self,
        member: Member,
        analysis: Analysis,
        execution: object | None,
        environment: Environment,
        unit: int,
    ) -> None:
        self.member = member
        self.analysis = analysis
        self.execution = execution
        self.environment = environment
        self.unit = unit
        self.void = False
        self.before: Portal | None = None


class Undo:
    """How to put a name back to what it meant before. made_…: what took its place (None: it was dropped)."""

    def __init__(self, name: bytes, statement: bool) -> None:
        self.name = name
        self.statement = statement
        self.made_statement: Prepared | None = None
        self.was_statement: Prepared | None = None
        self.made_portal: Portal | None = None
        self.was_portal: Portal | None = None


class Names:
    """The session's names. `environments` grows with every change of what a name may mean."""

    def __init__(self, catalog: Catalog, user: str, database: str, read_only: bool) -> None:
        self.statements: dict[bytes, Prepared] = {}
        self.portals: dict[bytes, Portal] = {}
        self.read_only = read_only
        self.user = user
        self.database = database
        self.provisional = False
        """The path was changed in the open transaction or unit."""
        self.unsure = False
        """… in a way that its end may take back."""
        self.reported: tuple[str, ...] | None = None
        """What the server last said of the path by itself (18 and later)."""
        self.asked = False
        self.defined = False
        self.environment = Environment(catalog, None, frozenset(), user, database, read_only)
        self.environments: list[Environment] = [self.environment]
        self.dropped = 0

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

    def catalog(self, catalog: Catalog) -> None:
        """A newer catalog has arrived."""
        self.change(catalog, self.environment.path, self.environment.temporary)

    def path(self, path: tuple[str, ...] | None) -> None:
        """The search_path is now this, or unknown."""
        self.change(self.environment.catalog, path, self.environment.temporary)

    def apply(self, changes: Changes) -> bool:
        """A statement with these changes is being forwarded: as if it succeeded. True: later units wait."""
        was = self.environment
        path = was.path
        if changes.path_unknown:
            path = None
            self.provisional = True
            self.unsure = True
        elif changes.path is not None:
            path = changes.path
            self.provisional = True
            self.unsure = self.unsure or changes.path_local
        if self.provisional and changes.transaction in ("commit", "rollback", "rollback_to", "prepare"):
            path = None
            self.unsure = True
        if changes.defines:
            self.defined = True
        temporary = was.temporary | changes.temporary if changes.temporary else was.temporary
        self.change(was.catalog, path, temporary)
        return (
            self.environment is not was
            or changes.defines
            or changes.path_unknown
            or (changes.transaction is not None and changes.transaction != "begin" and self.provisional)
        )

    def failed(self) -> None:
        """A unit that changed names failed: what the path is, is not known."""
        if self.provisional:
            self.unsure = True
            self.path(None)

    def ended(self, block: bool, unit: int) -> None:
        """A transaction ended with this unit; block: it had begun before the unit.

        A path set within a block, or LOCAL, may have been put back. Portals end with it; cursors may be held.
        """
        self.asked = False
        if self.provisional:
            self.provisional = False
            if block or self.unsure:
                self.unsure = False
                self.path(None)
        if self.portals:
            gone = [n for n, p in self.portals.items() if p.execution is not None and p.unit <= unit]
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
            found = self.resolve(prepared.member, environment)
            if found not in prepared.resolutions:
                prepared.resolutions.append(found)
        prepared.seen = total
        united = prepared.resolutions
        prepared.analysis = united[0] if len(united) == 1 else unite(united)
        return prepared.analysis

    def resolve(self, member: Member, environment: Environment) -> Analysis:
        """One member's facts in one environment; EXECUTE and FETCH bring those of what they name."""
        return resolve(member, environment, self.named(member))

    def unknown(self) -> None:
        """Something runs that can't be told: it may change the path, and what names mean."""
        self.path(None)
        self.provisional = True
        self.unsure = True
        self.defined = self.defined or self.environment.catalog.sensitive

    def named(self, member: Member) -> Analysis | None:
        """The analysis of the prepared statement or cursor that a member names, None where there is none."""
        named = member
        if named.kind == "explain" and named.inner is not None:
            named = named.inner
        if named.name is None:
            return None
        name = named.name.encode()
        if named.kind == "execute":
            prepared = self.statements.get(name)
            return self.resolved(prepared) if prepared is not None else None
        if named.kind in ("fetch", "move", "close"):
            portal = self.portals.get(name)
            return portal.analysis if portal is not None else None
        return None

    # -- statements and portals ---------------------------------------------------------------------------
    def put_statement(self, name: bytes, prepared: Prepared) -> Undo:
        """A Parse or PREPARE is being forwarded."""
        undo = Undo(name, True)
        undo.made_statement = prepared
        undo.was_statement = self.statements.get(name)
        self.statements[name] = prepared
        return undo

    def put_portal(self, name: bytes, portal: Portal) -> Undo:
        """A Bind or DECLARE is being forwarded."""
        undo = Undo(name, False)
        undo.made_portal = portal
        undo.was_portal = self.portals.get(name)
        self.portals[name] = portal
        return undo

    def drop_statement(self, name: bytes) -> Undo:
        """A Close or DEALLOCATE is being forwarded."""
        undo = Undo(name, True)
        undo.was_statement = self.statements.pop(name, None)
        return undo

    def drop_portal(self, name: bytes) -> Undo:
        """A Close of a portal or cursor is being forwarded."""
        undo = Undo(name, False)
        undo.was_portal = self.portals.pop(name, None)
        return undo

    def full(self) -> bool:
        """Whether the session holds as many names as it may."""
        return len(self.statements) >= MOST_NAMES or len(self.portals) >= MOST_NAMES

    def undo(self, undo: Undo | None) -> None:
        """What was forwarded failed or was skipped. A later unit may have given the name anew meanwhile: then
        what it replaced is void, should that later one be undone too."""
        if undo is None:
            return
        if undo.statement:
            self.undo_statement(undo)
            return
        was, made = undo.was_portal, undo.made_portal
        while was is not None and was.void:
            was = was.before
        if self.portals.get(undo.name) is not made:
            if made is not None:
                made.void, made.before = True, was
        elif was is None:
            self.portals.pop(undo.name, None)
        else:
            self.portals[undo.name] = was

    def undo_statement(self, undo: Undo) -> None:
        """The same for a prepared statement."""
        was, made = undo.was_statement, undo.made_statement
        while was is not None and was.void:
            was = was.before
        if self.statements.get(undo.name) is not made:
            if made is not None:
                made.void, made.before = True, was
        elif was is None:
            self.statements.pop(undo.name, None)
        else:
            self.statements[undo.name] = was

    def uncertain_statement(self, name: bytes, settled: int, unit: int) -> bool:
        """Whether what this name means hangs on an earlier unit that the server has not answered yet."""
        found = self.statements.get(name)
        return settled < unit - 1 and (found is None or settled < found.unit < unit)

    def uncertain_portal(self, name: bytes, settled: int, unit: int) -> bool:
        """The same for a portal or cursor."""
        found = self.portals.get(name)
        return settled < unit - 1 and (found is None or settled < found.unit < unit)

    def uncertain(self, member: Member, settled: int, unit: int) -> bool:
        """The same for what a statement names (EXECUTE, FETCH)."""
        named = member
        if named.kind == "explain" and named.inner is not None:
            named = named.inner
        if named.name is None:
            return False
        name = named.name.encode()
        if named.kind == "execute":
            return self.uncertain_statement(name, settled, unit)
        return named.kind in ("fetch", "move", "close") and self.uncertain_portal(name, settled, unit)

    def follow(self, member: Member, analysis: Analysis, text: bytes, unit: int) -> Undo | None:
        """PREPARE, DECLARE, DEALLOCATE and CLOSE by SQL, being forwarded."""
        kind = member.kind
        if kind == "prepare" and member.inner is not None and member.name is not None:
            prepared = Prepared(member.inner, text, unit)
            self.resolved(prepared)
            name = member.name.encode()
            if name in self.statements:
                prepared.resolutions.extend(self.statements[name].resolutions)
                prepared.analysis = unite(prepared.resolutions)
            return self.put_statement(name, prepared)
        if kind == "declare" and member.name is not None:
            inner = member.inner if member.inner is not None else member
            name = member.name.encode()
            return self.put_portal(name, Portal(inner, analysis, None, self.environment, unit))
        if kind == "deallocate" and member.name is not None:
            return self.drop_statement(member.name.encode())
        if kind == "close" and member.name is not None:
            return self.drop_portal(member.name.encode())
        return None
