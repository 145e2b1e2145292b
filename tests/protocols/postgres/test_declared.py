"""Types that a Parse declares for its parameters: what they may run counts whenever it is resolved."""

import pytest

from protocols.postgres import playbook as p
from protocols.postgres.playbook import Stage
from protocols.postgres.rehearsal import SIZES
from wicketgate.protocols.postgres.frames import POISON_PARSE, frame

ECHO = "SELECT $1, $2 FROM orders"
NOBODY = 4_000_000_000


@pytest.fixture(params=SIZES)
def stage(request: pytest.FixtureRequest) -> Stage:
    return Stage(request.param)


@pytest.mark.parametrize("types", [(), (0, 0), (p.TEXT, p.INT4), (p.MOOD, p.MOODS)])
def test_known_types_pass(stage: Stage, types: tuple[int, ...]) -> None:
    sent = p.parse(ECHO, "s", types) + p.bind("s", "", b"1", b"2") + p.execute() + p.SYNC
    stage.client(sent)
    stage.sent(sent)


@pytest.mark.parametrize("oid", [20999, NOBODY, 16384])
def test_a_type_that_nobody_knows_may_do_anything(stage: Stage, oid: int) -> None:
    stage.client(p.parse(ECHO, "s", (p.TEXT, oid)), p.bind("s", "", b"1", b"2"), p.execute(), p.SYNC)
    stage.sent(POISON_PARSE, p.SYNC)
    stage.server(p.SYNTAX, p.ready())
    stage.seen_error("42501", p.ready())
    assert stage.texts("refused") == [ECHO]
    stage.quiet()


def test_a_type_that_turns_bad_ends_what_was_prepared(stage: Stage) -> None:
    """ALTER DOMAIN … ADD CHECK after Parse: the next Bind is another question."""
    stage.client(p.parse(ECHO, "s", (p.MOOD, p.MOODS)), p.bind("s", "", b"1", b"2"), p.execute(), p.SYNC)
    stage.server(p.PARSED, p.BOUND, p.row("1", "2"), p.done("SELECT 1"), p.ready())
    stage.sent(p.parse(ECHO, "s", (p.MOOD, p.MOODS)), p.bind("s", "", b"1", b"2"), p.execute(), p.SYNC)
    stage.down = b""
    stage.host.now = p.make_catalog(checked=True)
    stage.client(p.bind("s", "", b"1", b"2"), p.execute(), p.SYNC)
    stage.sent(POISON_PARSE, p.SYNC)
    stage.server(p.SYNTAX, p.ready())
    stage.seen_error("42501", p.ready())


def test_a_portal_of_such_a_type_is_not_executed_again(stage: Stage) -> None:
    """The portal lives on in a block; what it would run is looked at again."""
    stage.client(p.query("BEGIN"))
    stage.server(p.done("BEGIN"), p.ready("T"))
    stage.client(p.parse(ECHO, "s", (p.MOODS,)), p.bind("s", "c", b"1", b"2"), p.execute("c", 1), p.SYNC)
    stage.server(p.PARSED, p.BOUND, p.row("1", "2"), p.SUSPENDED, p.ready("T"))
    stage.collect()
    stage.up = stage.down = b""
    stage.host.now = p.make_catalog(checked=True)
    stage.client(p.execute("c", 1), p.SYNC)
    stage.sent(POISON_PARSE, p.SYNC)
    stage.server(p.SYNTAX, p.ready("E"))
    stage.seen_error("42501", p.ready("E"))


def test_execute_by_sql_of_what_turned_bad(stage: Stage) -> None:
    """PREPARE names its types in SQL: they count at EXECUTE too, whatever has become of them since."""
    stage.client(p.query("PREPARE q (mood[]) AS SELECT $1"))
    stage.server(p.done("PREPARE"), p.ready())
    stage.client(p.query("EXECUTE q('{}')"))
    stage.server(p.described(("c", 0, 0, p.MOODS)), p.done("SELECT 0"), p.ready())
    stage.collect()
    assert stage.texts("ask") == ["PREPARE q (mood[]) AS SELECT $1", "EXECUTE q('{}')"]
    stage.up = stage.down = b""
    stage.host.now = p.make_catalog(checked=True)
    stage.client(p.query("EXECUTE q('{}')"))
    assert stage.texts("refused") == ["EXECUTE q('{}')"]


@pytest.mark.parametrize("tail", [b"", b"\0", b"\0\2\0\0\0\x19"])
def test_a_cut_parse_ends_the_session(stage: Stage, tail: bytes) -> None:
    stage.client(frame(b"P", b"s\0SELECT 1\0" + tail), p.SYNC)
    stage.over("protocol-error")
