"""Names: put, confirmed, revoked in any order; paths and portals when transactions end."""

from hypothesis import given
from hypothesis import strategies as st

from protocols.postgres.playbook import CATALOG, make_catalog
from wicketgate.protocols.postgres.names import (
    MOST_ENVIRONMENTS,
    MOST_NAMES,
    MOST_WEIGHT,
    Names,
    Portal,
    Prepared,
    naming_of,
)
from wicketgate.sql.parse import Changes, Member, parse


def make() -> Names:
    names = Names(CATALOG, "app", "sales", False)
    names.path(("public",))
    return names


def member(text: str) -> Member:
    return parse(text.encode()).members[0]


def prepared(name: bytes, unit: int, text: str = "SELECT note FROM orders") -> Prepared:
    return Prepared(name, unit, member(text), text.encode())


def test_a_revoked_name_means_what_it_meant() -> None:
    names = make()
    old, new = prepared(b"s", 1), prepared(b"s", 2)
    names.put(names.statements, old)
    names.confirm(old)
    names.put(names.statements, new)
    names.revoke(new)
    assert names.statement(b"s") is old


def test_names_of_units_in_flight_are_revoked_in_the_servers_order() -> None:
    """The first of two units in flight fails, then the second: the oldest meaning is back."""
    names = make()
    old, one, two = prepared(b"", 1), prepared(b"", 2), prepared(b"", 3)
    names.put(names.statements, old)
    names.confirm(old)
    names.put(names.statements, one)
    names.put(names.statements, two)
    names.revoke(one)
    assert names.statement(b"") is two
    names.revoke(two)
    assert names.statement(b"") is old


def test_a_drop_is_final_only_when_it_is_confirmed() -> None:
    names = make()
    old = prepared(b"s", 1)
    names.put(names.statements, old)
    names.confirm(old)
    gone = names.drop(names.statements, b"s", 2)
    assert gone is not None
    assert names.statement(b"s") is None
    names.revoke(gone)
    assert names.statement(b"s") is old
    gone = names.drop(names.statements, b"s", 3)
    assert gone is not None
    names.confirm(gone)
    assert names.statements == {}
    assert names.drop(names.statements, b"s", 4) is None


@given(st.lists(st.sampled_from(["put", "drop"]), min_size=1, max_size=6), st.data())
def test_any_outcome_leaves_what_the_server_has(kinds: list[str], data: st.DataObject) -> None:
    """Each change succeeds or fails, in order, while all were forwarded at once."""
    names = make()
    entries = []
    for unit, kind in enumerate(kinds, 1):
        if kind == "put":
            entry = prepared(b"s", unit)
            names.put(names.statements, entry)
            entries.append(entry)
        else:
            entries.append(names.drop(names.statements, b"s", unit))  # type: ignore[arg-type]
    server: Prepared | None = None
    for entry in entries:
        if entry is None:
            continue
        if data.draw(st.booleans()):
            names.confirm(entry)
            server = entry if isinstance(entry, Prepared) else None
        else:
            names.revoke(entry)
    assert names.statement(b"s") is server


def test_confirmed_names_keep_nothing_alive() -> None:
    names = make()
    for unit in range(5):
        entry = prepared(b"", unit)
        names.put(names.statements, entry)
        names.confirm(entry)
        assert entry.was is None


def test_a_path_set_in_a_block_is_unknown_when_it_ends() -> None:
    for block, local, known in ((False, False, True), (True, False, False), (False, True, False)):
        names = make()
        assert names.apply(Changes(path=("s1",), path_local=local), 3)
        assert names.environment.path == ("s1",)
        names.ended(block, 2)  # an earlier unit's end changes nothing
        assert names.environment.path == ("s1",)
        names.ended(block, 3)
        assert (names.environment.path is not None) is known


def test_a_rollback_forgets_the_path() -> None:
    names = make()
    names.apply(Changes(path=("s1",)), 1)
    names.apply(Changes(transaction="rollback_to"), 2)
    assert names.environment.path is None


def test_transactions_that_changed_nothing_keep_the_path() -> None:
    names = make()
    for what in ("begin", "savepoint", "rollback_to", "commit", "rollback"):
        assert not names.apply(Changes(transaction=what), 1)
    names.failed()
    names.ended(True, 1)
    assert names.environment.path == ("public",)


def test_prepared_statements_are_the_union_of_their_resolutions() -> None:
    names = make()
    names.path(("s1",))
    found = prepared(b"s", 1, "SELECT value FROM t")
    assert not names.resolved(found).sensitive
    names.path(("s2",))
    assert names.resolved(found).sensitive
    names.path(("s1",))
    assert names.resolved(found).facts.reads == frozenset({"s1.t", "s2.t"})
    assert names.resolved(found) is names.resolved(found)


def test_more_changes_than_are_remembered() -> None:
    names = make()
    names.path(("s1",))
    found = prepared(b"s", 1, "SELECT value FROM t")
    names.resolved(found)
    names.path(("s2",))
    for turn in range(MOST_ENVIRONMENTS + 3):
        names.path((f"x{turn}",))
    names.path(("s1",))
    assert "s2.t" in names.resolved(found).facts.reads


def test_portals_end_with_their_transaction() -> None:
    names = make()
    plain = Portal(
        b"p",
        1,
        member("SELECT 1"),
        names.resolve(member("SELECT 1"), names.environment),
        None,
        names.environment,
    )
    later = Portal(b"q", 2, plain.member, plain.analysis, None, names.environment)
    names.put(names.portals, plain)
    names.put(names.portals, later)
    names.ended(False, 1)
    assert set(names.portals) == {b"q"}


def test_cursors_are_followed() -> None:
    names = make()
    for text, held in (
        ("DECLARE c CURSOR FOR SELECT 1", False),
        ("DECLARE c CURSOR WITH HOLD FOR SELECT 1", True),
    ):
        each = member(text)
        [entry] = names.follow(each, names.resolve(each, names.environment), text.encode(), 1) or []
        assert isinstance(entry, Portal)
        assert entry.held is held
    assert len(names.follow(member("CLOSE ALL"), entry.analysis, b"", 1) or []) == 1
    assert names.portal(b"c") is None


def test_a_statement_that_names_itself_is_unknown() -> None:
    names = make()
    names.put(names.statements, prepared(b"s", 1, "EXECUTE s"))
    names.path(("s1",))
    found = names.named(member("EXECUTE s"))
    assert found is not None
    assert found.facts.opaque


def test_what_names_something() -> None:
    for text in (
        "EXECUTE s",
        "EXPLAIN EXECUTE s",
        "CREATE TABLE x AS EXECUTE s",
        "FETCH 1 FROM s",
        "MOVE 1 FROM s",
    ):
        found = naming_of(member(text))
        assert found is not None
        assert found.name == "s"
    for text in ("SELECT 1", "PREPARE s AS SELECT 1", "EXPLAIN SELECT 1", "CLOSE s", "DEALLOCATE s"):
        assert naming_of(member(text)) is None


def test_names_and_what_they_hold_are_bounded() -> None:
    names = make()
    for number in range(MOST_NAMES - 1):
        names.put(names.statements, prepared(b"%d" % number, 1))
    assert not names.full(0)
    names.put(names.statements, prepared(b"last", 1))
    assert names.full(0)


def test_what_is_read_of_a_text_counts_and_not_the_text_alone() -> None:
    """A tree takes five hundred times its text: two kilobytes each would be gigabytes of 4096 names."""
    names = make()
    wide = "SELECT " + ",".join(["1"] * 900)
    most = MOST_WEIGHT // (len(wide) * 300)
    for number in range(most):
        each = prepared(b"%d" % number, 1, wide)
        if names.full(each.weight):
            break
        names.put(names.statements, each)
    assert 50 < len(names.statements) < most
    assert names.full(each.weight)
    # what ended counts no more; the unnamed one is replaced, whatever it was
    for name in [*names.statements][:2]:
        ended = names.drop(names.statements, name, 2)
        assert ended is not None
        names.confirm(ended)
    assert not names.full(each.weight)
    for name in (b"c", b"d"):  # cursors hold what they read, too
        cursor = member(f"DECLARE {name.decode()} CURSOR FOR {wide}")
        names.follow(cursor, names.resolve(cursor, names.environment), b"", 3)
    assert names.full(each.weight)


def test_a_newer_catalog_is_another_environment() -> None:
    names = make()
    found = prepared(b"s", 1, "SELECT id FROM extra")
    first = names.resolved(found)
    names.catalog(make_catalog("extra"))
    assert names.resolved(found) is not first
    assert names.environment.path == ("public",)
