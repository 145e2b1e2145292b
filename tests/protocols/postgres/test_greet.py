"""A client signs in: playbooks whole and in pieces, what is refused and how it is told, hostile clients."""

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.postgres.rehearsal import SIZES, error_of, frames, password, pieces, startup
from wicketgate.model.decision import Denial
from wicketgate.model.identity import Claim
from wicketgate.model.secret import Secret
from wicketgate.protocols.base import CancelAsked, Greeting, GreetingFailed, SignedIn
from wicketgate.protocols.postgres.frames import frame
from wicketgate.protocols.postgres.greet import Greeter, greet
from wicketgate.protocols.postgres.login import Startup

ASK = frame(b"R", b"\0\0\0\3")
NAMES = (("user", "crew-bot"), ("database", "sales"))


def greeter(secure: bool = True, plain_allowed: bool = False) -> Greeter:
    return greet(Greeting(secure, plain_allowed, "192.0.2.7"))


def signed_in(one: Greeter) -> SignedIn:
    assert isinstance(one.outcome, SignedIn), one.outcome
    return one.outcome


def refused(one: Greeter) -> dict[str, str]:
    assert isinstance(one.outcome, GreetingFailed)
    fields = error_of(one.bytes_to_send())
    assert fields["S"] == fields["V"] == "FATAL"
    return fields


@pytest.mark.parametrize("size", SIZES)
def test_sign_in(size: int) -> None:
    one = greeter()
    first = startup(
        *NAMES, ("application_name", "psql"), ("client_encoding", "'utf-8'"), ("DateStyle", "ISO")
    )
    for piece in pieces(first, size):
        assert one.bytes_to_send() == b""
        one.receive(piece)
    assert one.bytes_to_send() == ASK
    assert one.outcome is None
    for piece in pieces(password("wkt_token") + b"Q\0\0", size):
        one.receive(piece)
    assert signed_in(one) == SignedIn(
        Claim(
            "crew-bot",
            "sales",
            Secret(b"wkt_token"),
            "192.0.2.7",
            claimed={"application_name": "psql"},
        ),
        Startup(0, {"application_name": "psql", "client_encoding": "UTF8", "datestyle": "ISO"}, "psql"),
        proof=4,
    )
    assert one.bytes_to_send() == b""
    assert one.rest() == b"Q\0\0"
    assert "wkt_token" not in repr(one.outcome)


def test_all_at_once() -> None:
    one = greeter()
    one.receive(startup(*NAMES) + password("t"))
    assert signed_in(one).claim.claimed == {}
    assert one.rest() == b""


@pytest.mark.parametrize(
    ("user", "database", "told"),
    [
        ("a", "sales", ("a", None, "sales", None)),
        ("a~reader", "sales/eu", ("a", "reader", "sales", "eu")),
        ("a~b~c", "sales/eu/x", ("a", "b~c", "sales", "eu/x")),
        ("jürgen@example.org", "sales", ("jürgen@example.org", None, "sales", None)),
    ],
)
def test_names(user: str, database: str, told: tuple[str, str | None, str, str | None]) -> None:
    one = greeter()
    one.receive(startup(("user", user), ("database", database)) + password("t"))
    claim = signed_in(one).claim
    assert (claim.identity, claim.account, claim.resource, claim.database) == told


@pytest.mark.parametrize(
    ("parameters", "code", "told"),
    [
        ((("database", "sales"),), "28000", "identity"),
        ((("user", ""), ("database", "sales")), "28000", "identity"),
        ((("user", "~reader"), ("database", "sales")), "28000", "identity"),
        ((("user", "a~"), ("database", "sales")), "28000", "identity"),
        ((("user", "a\nb"), ("database", "sales")), "28000", "identity"),
        ((("user", "a" * 300), ("database", "sales")), "28000", "identity"),
        ((("user", "a"),), "3D000", "no resource"),
        ((("user", "a"), ("database", "")), "3D000", "no resource"),
        ((("user", "a"), ("database", "/eu")), "3D000", "resource"),
        ((("user", "a"), ("database", "sales/")), "3D000", "resource"),
        ((*NAMES, ("replication", "true")), "0A000", "replication"),
        ((*NAMES, ("replication", "database")), "0A000", "replication"),
        ((*NAMES, ("replication", "")), "0A000", "replication"),
        ((*NAMES, ("session_preload_libraries", "x")), "42501", "session_preload_libraries"),
        ((*NAMES, ("my.setting", "x")), "42501", "my.setting"),
        ((*NAMES, ("role", "postgres")), "22023", "role"),
        ((*NAMES, ("ROLE", "postgres")), "22023", "role"),
        ((*NAMES, ("client_encoding", "LATIN1")), "22023", "client_encoding"),
        ((*NAMES, ("standard_conforming_strings", "off")), "22023", "standard_conforming_strings"),
        ((*NAMES, ("options", "-c role=postgres")), "22023", "role"),
        ((*NAMES, ("options", "-c standard-conforming-strings=off")), "22023", "standard_conforming_strings"),
        ((*NAMES, ("options", "--ro\\le=postgres")), "22023", "role"),
        ((*NAMES, ("options", "-d 5")), "42501", '"-d"'),
        ((*NAMES, ("options", "-c")), "22023", "name=value"),
        ((*NAMES, ("user", "other")), "08P01", "twice"),
    ],
)
def test_startups_that_are_refused(parameters: tuple[tuple[str, str], ...], code: str, told: str) -> None:
    one = greeter()
    one.receive(startup(*parameters) + password("t"))
    fields = refused(one)
    assert fields["C"] == code
    assert told in fields["M"]


@pytest.mark.parametrize("value", ["false", "off", "no", "0", "f"])
def test_no_replication(value: str) -> None:
    one = greeter()
    one.receive(startup(*NAMES, ("replication", value)))
    assert one.bytes_to_send() == ASK


def test_options_and_parameters_in_the_server_s_order() -> None:
    one = greeter()
    options = "-c search_path=a\\ b --work-mem=1MB -cTimeZone=UTC"
    one.receive(startup(*NAMES, ("TimeZone", "Asia/Tokyo"), ("options", options)) + password("t"))
    assert signed_in(one).startup.parameters == {
        "search_path": "a b",
        "work_mem": "1MB",
        "timezone": "Asia/Tokyo",
    }


def test_a_client_from_a_c_locale() -> None:
    one = greeter()
    one.receive(startup(*NAMES, ("client_encoding", "SQL_ASCII")) + password("t"))
    assert signed_in(one).startup.parameters == {"client_encoding": "UTF8"}


# -- versions -----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    ("version", "extra", "negotiated", "minor"),
    [
        (0x30000, (), None, 0),
        (0x30001, (), None, 0),
        (0x30002, (), None, 2),
        (0x30003, (), (0x30002, []), 2),
        (0x3270F, (("_pq_.test", "1"),), (0x30002, ["_pq_.test"]), 2),
        (0x30000, (("_pq_.a", "1"), ("_pq_.b", "")), (0x30000, ["_pq_.a", "_pq_.b"]), 0),
        (0x30002, (("_pq_.a", "1"),), (0x30002, ["_pq_.a"]), 2),
    ],
)
def test_versions(
    size: int,
    version: int,
    extra: tuple[tuple[str, str], ...],
    negotiated: tuple[int, list[str]] | None,
    minor: int,
) -> None:
    one = greeter()
    for piece in pieces(startup(*NAMES, *extra, version=version) + password("t"), size):
        one.receive(piece)
    assert signed_in(one).startup.minor == minor
    sent = frames(one.bytes_to_send())
    assert sent[-1] == ("R", b"\0\0\0\3")
    if negotiated is None:
        assert len(sent) == 1
    else:
        newest, names = negotiated
        body = struct.pack(">II", newest, len(names)) + b"".join(name.encode() + b"\0" for name in names)
        assert sent[0] == ("v", body)


@pytest.mark.parametrize("version", [0x10000, 0x20000, 0x40000, 0, 0xFFFFFFFF])
def test_other_major_versions(version: int) -> None:
    one = greeter()
    one.receive(startup(*NAMES, version=version))
    assert refused(one)["C"] == "0A000"


@pytest.mark.parametrize("code", [80877103, 80877104])
def test_encryption_asked_for_inside_encryption(code: int) -> None:
    one = greeter()
    one.receive(struct.pack(">II", 8, code))
    assert refused(one)["C"] == "08P01"


# -- plain text ---------------------------------------------------------------------------------------------
def test_plain_text_is_refused_before_the_password() -> None:
    one = greeter(secure=False)
    one.receive(startup(*NAMES))
    fields = refused(one)
    assert fields["C"] == "28000"
    assert "sslmode" in fields["H"]


def test_plain_text_where_allowed() -> None:
    one = greeter(secure=False, plain_allowed=True)
    one.receive(startup(*NAMES) + password("t"))
    signed_in(one)


# -- cancel -------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("proof", [b"1234", b"x" * 32, b"x" * 256])
@pytest.mark.parametrize("secure", [True, False])
def test_cancel(proof: bytes, size: int, secure: bool) -> None:
    one = greeter(secure)
    for piece in pieces(struct.pack(">III", 12 + len(proof), 80877102, 0xFFFFFFFE) + proof, size):
        one.receive(piece)
    assert one.outcome == CancelAsked(0xFFFFFFFE, proof)
    assert one.bytes_to_send() == b""


@pytest.mark.parametrize("body", [b"", b"\0\0\0\1", b"\0\0\0\1abc", b"\0\0\0\1" + b"x" * 257])
def test_malformed_cancel(body: bytes) -> None:
    one = greeter()
    one.receive(struct.pack(">II", 8 + len(body), 80877102) + body)
    assert isinstance(one.outcome, GreetingFailed)
    assert one.bytes_to_send() == b""


# -- passwords ----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("sent", [frame(b"p", b"\0"), frame(b"p", b"\xff\xfe\0")])
def test_passwords_that_can_be_no_token_get_the_one_answer(sent: bytes) -> None:
    one = greeter()
    one.receive(startup(*NAMES) + sent)
    assert one.bytes_to_send() == ASK + one.refuse(Denial("sign-in", "secret words", "cause"))
    assert isinstance(one.outcome, GreetingFailed)


@pytest.mark.parametrize(
    "sent",
    [
        frame(b"p", b""),
        frame(b"p", b"abc"),
        frame(b"p", b"a\0b\0"),
        frame(b"Q", b"SELECT 1\0"),
        b"Q\0\0",
        b"p\0\0\0\3",
        b"p\0\0\x40\x01",
        b"p\xff\xff\xff\xff",
        b"p\x7f\xff\xff\xff",
    ],
)
def test_what_is_no_password(sent: bytes) -> None:
    one = greeter()
    one.receive(startup(*NAMES) + sent)
    assert refused(one)["C"] == "08P01"


def test_a_client_that_leaves() -> None:
    one = greeter()
    one.receive(startup(*NAMES) + b"X\0\0\0\4")
    assert isinstance(one.outcome, GreetingFailed)
    assert one.bytes_to_send() == ASK


@pytest.mark.parametrize(
    "sent",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"\0\0\0\7\0\0\0",
        b"\0\0\x27\x11\0\3\0\0",
        b"\xff",
        b"\0\1",
        b"SSH-2.0-x\r\n",
    ],
)
def test_what_is_no_startup_gets_no_word(sent: bytes) -> None:
    one = greeter()
    one.receive(sent)
    assert isinstance(one.outcome, GreetingFailed)
    assert one.bytes_to_send() == b""


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "08P01"),
        (b"user\0a\0", "08P01"),
        (b"user\0a\0\0\0", "08P01"),
        (b"\0a\0\0", "08P01"),
        (b"user\0\xff\0\0", "22021"),
        (b"\0", "28000"),
    ],
)
def test_malformed_startups(body: bytes, code: str) -> None:
    one = greeter()
    one.receive(struct.pack(">II", 8 + len(body), 0x30000) + body)
    assert refused(one)["C"] == code


def test_much_behind_a_sign_in_undoes_it() -> None:
    one = greeter()
    one.receive(startup(*NAMES) + password("t") + b"x" * 60_000)
    signed_in(one)
    one.receive(b"x" * 10_000)
    assert isinstance(one.outcome, GreetingFailed)
    assert one.rest() == b""


# -- refusals -----------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("kind", "code"),
    [("sign-in", "28P01"), ("unavailable", "57P03"), ("limit", "53300"), ("shutdown", "57P01")],
)
def test_refusals(kind: str, code: str) -> None:
    one = greeter()
    fields = error_of(one.refuse(Denial(kind, "Told to the client.", "the cause", "A hint.")))
    assert fields["S"] == "FATAL"
    assert fields["C"] == code
    assert "the cause" not in str(fields)
    if kind == "sign-in":
        assert "Told" not in fields["M"]
    else:
        assert (fields["M"], fields["H"]) == ("Told to the client.", "A hint.")


client_bytes = st.lists(
    st.one_of(
        st.binary(max_size=40),
        st.just(startup(*NAMES)),
        st.builds(
            startup, st.tuples(st.text(max_size=8), st.text(max_size=8)), version=st.integers(0, 0x40000)
        ),
        st.builds(password, st.text(max_size=8)),
        st.builds(frame, st.binary(min_size=1, max_size=1), st.binary(max_size=20)),
    ),
    max_size=5,
)


@settings(max_examples=300, deadline=None)
@given(client_bytes, st.sampled_from(SIZES))
def test_hostile_clients_never_raise(sent: list[bytes], size: int) -> None:
    whole = b"".join(sent)
    results = []
    for chosen in (10**9, size):
        one = greeter()
        out = b""
        for piece in pieces(whole, chosen):
            one.receive(piece)
            out += one.bytes_to_send()
        results.append((one.outcome, out))
        frames(out)
    assert results[0] == results[1]
