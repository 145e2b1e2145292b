"""Signing in to a server: each way to authenticate, whole and in pieces; servers that lie; real servers."""

import hashlib
import hmac
import socket
import ssl
import struct
from base64 import b64decode, b64encode
from collections.abc import Iterable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.postgres.live import ask, sign_in
from protocols.postgres.rehearsal import (
    SIZES,
    authentication,
    call,
    frames,
    pieces,
    ready,
    refusal,
)
from servers.postgres import Postgres
from servers.postgres import password as password_of
from wicketgate.model.resource import TlsMode
from wicketgate.model.secret import Secret
from wicketgate.protocols.base import Connected, DialFailed
from wicketgate.protocols.postgres.call import Caller, dial
from wicketgate.protocols.postgres.frames import frame
from wicketgate.protocols.postgres.login import ServerSession, cancel_packet

BINDING = b"\x01" * 32
PASSWORD = "pässword"


def begun(caller: Caller, binding: bytes | None = BINDING) -> dict[str, str]:
    """Start as the worker does; the startup packet's parameters."""
    if caller.tls_request() is not None:
        assert caller.tls_answer(b"S")
    caller.begin(binding)
    packet = caller.bytes_to_send()
    assert struct.unpack(">II", packet[:8]) == (len(packet), 0x30000)
    words = packet[8:-2].decode().split("\0")
    return dict(zip(words[0::2], words[1::2], strict=True))


def failure(caller: Caller) -> DialFailed:
    assert isinstance(caller.outcome, DialFailed)
    assert not caller.needs_secret
    return caller.outcome


def session(caller: Caller) -> ServerSession:
    assert isinstance(caller.outcome, Connected), caller.outcome
    assert isinstance(caller.outcome.session, ServerSession)
    return caller.outcome.session


def feed(caller: Caller, data: bytes, size: int) -> None:
    for piece in pieces(data, size):
        caller.receive(piece)


class ScramServer:
    """The other side of SCRAM, straight from RFC 5802's formulas; it checks the proof and the binding."""

    def __init__(self, mechanisms: Iterable[str], iterations: int = 4096, password: str = PASSWORD) -> None:
        self.offer = b"".join(name.encode() + b"\0" for name in mechanisms) + b"\0"
        self.salt, self.iterations = b"salt of 16 bytes", iterations
        salted = hashlib.pbkdf2_hmac("sha256", password.encode(), self.salt, iterations)
        self.stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
        self.server_key = hmac.digest(salted, b"Server Key", "sha256")
        self.chosen = self.header = ""

    def first(self, answer: bytes, binding: bytes | None) -> bytes:
        [(kind, body)] = frames(answer)
        assert kind == "p"
        name, _, rest = body.partition(b"\0")
        self.chosen = name.decode()
        text = rest[4:].decode()
        assert len(rest) - 4 == struct.unpack(">I", rest[:4])[0]
        self.header, self.bare = text[: text.index("n=")], text[text.index("n=") :]
        self.bound = b64encode(
            self.header.encode() + (binding or b"" if "p=" in self.header else b"")
        ).decode()
        self.nonce = self.bare.partition("r=")[2] + "server"
        self.challenge = f"r={self.nonce},s={b64encode(self.salt).decode()},i={self.iterations}"
        return authentication(11, self.challenge.encode())

    def final(self, answer: bytes) -> bytes:
        [(kind, body)] = frames(answer)
        assert kind == "p"
        unproven, _, proof = body.decode().partition(",p=")
        assert unproven == f"c={self.bound},r={self.nonce}"
        signed = f"{self.bare},{self.challenge},{unproven}".encode()
        signature = hmac.digest(self.stored, signed, "sha256")
        client_key = bytes(a ^ b for a, b in zip(b64decode(proof), signature, strict=True))
        assert hashlib.sha256(client_key).digest() == self.stored
        return authentication(12, b"v=" + b64encode(hmac.digest(self.server_key, signed, "sha256")))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    ("offered", "binding", "chosen", "header"),
    [
        (("SCRAM-SHA-256-PLUS", "SCRAM-SHA-256"), BINDING, "SCRAM-SHA-256-PLUS", "p=tls-server-end-point,,"),
        (("SCRAM-SHA-256",), BINDING, "SCRAM-SHA-256", "y,,"),
        (("SCRAM-SHA-256",), None, "SCRAM-SHA-256", "n,,"),
        (("SCRAM-SHA-256-PLUS", "SCRAM-SHA-256"), None, "SCRAM-SHA-256", "n,,"),
    ],
)
def test_scram(size: int, offered: tuple[str, ...], binding: bytes | None, chosen: str, header: str) -> None:
    server = ScramServer(offered)
    keys: dict[object, object] = {}
    for attempt in range(2):
        caller = dial(call(keys=keys))
        begun(caller, binding)
        feed(caller, authentication(10, server.offer), size)
        feed(caller, server.first(caller.bytes_to_send(), binding), size)
        assert (server.chosen, server.header) == (chosen, header)
        # the second dial finds the keys of the first
        assert caller.needs_secret is (attempt == 0)
        if attempt == 0:
            assert caller.bytes_to_send() == b""
            caller.provide(Secret(PASSWORD.encode()))
        answer = server.final(caller.bytes_to_send()) + authentication(0) + ready() + b"behind"
        feed(caller, answer, size)
        assert session(caller) == ServerSession(
            {
                "server_version": "15.4 (Debian 15.4-1)",
                "client_encoding": "UTF8",
                "standard_conforming_strings": "on",
                "TimeZone": "UTC",
            },
            4711,
            b"KEY!",
            150004,
            "sales",
            "ro",
        )
        assert caller.rest() == b"behind"
    assert PASSWORD not in repr(keys)


def test_scram_keys_that_no_longer_fit_are_dropped() -> None:
    server = ScramServer(["SCRAM-SHA-256"])
    keys: dict[object, object] = {}
    caller = dial(call(keys=keys))
    begun(caller)
    caller.receive(authentication(10, server.offer))
    caller.receive(server.first(caller.bytes_to_send(), None))
    caller.provide(Secret(b"wrong"))
    assert len(keys) == 1
    caller.receive(refusal("28P01", 'password authentication failed for user "ro"'))
    assert failure(caller).code == "28P01"
    assert keys == {}


def test_few_scram_keys_are_kept() -> None:
    keys: dict[object, object] = {"other": 1}
    for iterations in range(4096, 4106):
        server = ScramServer(["SCRAM-SHA-256"], iterations)
        caller = dial(call(keys=keys))
        begun(caller)
        caller.receive(authentication(10, server.offer))
        caller.receive(server.first(caller.bytes_to_send(), None))
        caller.provide(Secret(PASSWORD.encode()))
    assert keys["other"] == 1
    assert len(keys) == 5


def offered(mechanisms: bytes = b"SCRAM-SHA-256\0\0", tls: TlsMode = TlsMode.REQUIRE) -> tuple[Caller, str]:
    """A caller that has sent its first SCRAM message, and its nonce."""
    caller = dial(call(tls), token=lambda size: b"n" * size)
    begun(caller)
    caller.receive(authentication(10, mechanisms))
    [(_, body)] = frames(caller.bytes_to_send())
    return caller, body.decode().rpartition("r=")[2]


@pytest.mark.parametrize(
    "challenge",
    [
        "r={n},s=c2FsdA==,i=4096",  # adds nothing to our nonce
        "r=other,s=c2FsdA==,i=4096",
        "r={n}x,s=c2FsdA==,i=700000",
        "r={n}x,s=c2FsdA==,i=0",
        "r={n}x,s=c2FsdA==,i=-1",
        "r={n}x,s=c2FsdA==,i=four",
        "r={n}x,s=c2FsdA==,i=99999999999999999999999",
        "r={n}x,s=,i=4096",
        "r={n}x,s=***,i=4096",
        "m=ext,r={n}x,s=c2FsdA==,i=4096",
        "s=c2FsdA==,r={n}x,i=4096",
        "r={n}x",
        "",
        "\0",
        "r={n}x,s=" + "A" * 8000 + ",i=4096",
    ],
)
def test_scram_challenges_that_lie(challenge: str) -> None:
    caller, nonce = offered()
    caller.receive(authentication(11, challenge.replace("{n}", nonce).encode()))
    assert "SCRAM" in failure(caller).detail
    assert caller.bytes_to_send() == b""


def test_scram_with_few_iterations_only_inside_tls() -> None:
    caller, nonce = offered(tls=TlsMode.DISABLE)
    caller.receive(authentication(11, f"r={nonce}x,s=c2FsdA==,i=1".encode()))
    assert "iteration" in failure(caller).detail
    caller, nonce = offered()
    caller.receive(authentication(11, f"r={nonce}x,s=c2FsdA==,i=1".encode()))
    assert caller.outcome is None
    assert caller.needs_secret


@pytest.mark.parametrize(
    "answer",
    [
        authentication(12, b"v=" + b"A" * 43 + b"="),
        authentication(12, b"v="),
        authentication(12, b"e=other-error"),
        authentication(12, b""),
        authentication(0),  # lets us in without proving that it knows the password
        authentication(3),
        ready(),
    ],
)
def test_a_server_that_does_not_prove_itself(answer: bytes) -> None:
    caller, nonce = offered()
    caller.receive(authentication(11, f"r={nonce}x,s=c2FsdA==,i=4096".encode()))
    caller.provide(Secret(b"secret"))
    assert b"secret" not in caller.bytes_to_send()
    caller.receive(answer + ready())
    failure(caller)


@pytest.mark.parametrize("size", SIZES)
def test_md5(size: int) -> None:
    keys: dict[object, object] = {}
    for attempt in range(2):
        caller = dial(call(keys=keys))
        begun(caller)
        feed(caller, authentication(5, b"salt"), size)
        if attempt == 0:
            assert caller.needs_secret
            caller.provide(Secret(b"secret"))
        inner = hashlib.md5(b"secretro").hexdigest().encode()
        assert caller.bytes_to_send() == frame(
            b"p", b"md5" + hashlib.md5(inner + b"salt").hexdigest().encode() + b"\0"
        )
        feed(caller, authentication(0) + ready(), size)
        session(caller)


@pytest.mark.parametrize("size", SIZES)
def test_cleartext_inside_tls(size: int) -> None:
    caller = dial(call())
    begun(caller)
    feed(caller, authentication(3), size)
    caller.provide(Secret(b"secret"))
    assert caller.bytes_to_send() == frame(b"p", b"secret\0")
    feed(caller, authentication(0) + ready(), size)
    session(caller)


def test_cleartext_outside_tls_is_not_answered() -> None:
    caller = dial(call(TlsMode.DISABLE))
    assert caller.tls_request() is None
    begun(caller, None)
    caller.receive(authentication(3))
    assert "clear" in failure(caller).detail
    assert caller.bytes_to_send() == b""


@pytest.mark.parametrize("asked", [{"statement_timeout": "soon"}, {}])
def test_a_setting_that_the_client_asks_for_is_told_apart(asked: dict[str, str]) -> None:
    """From a target that can't be reached: its client can do something about it."""
    caller = dial(call(**asked))
    begun(caller)
    caller.receive(authentication(0))
    caller.receive(refusal("22023", "invalid value"))
    assert failure(caller).code == "22023"
    assert failure(caller).asked is bool(asked)


def test_what_knows_the_password_is_not_quoted() -> None:
    caller = dial(call())
    begun(caller)
    caller.receive(authentication(3))
    caller.provide(Secret(b"hunter2"))
    caller.receive(refusal("28P01", "you said hunter2"))
    assert failure(caller) == DialFailed("the target refused to sign us in: 28P01", "28P01")


@pytest.mark.parametrize("size", SIZES)
def test_trust(size: int) -> None:
    caller = dial(call(source="none"))
    begun(caller)
    feed(caller, frame(b"N", b"SNOTICE\0\0") + authentication(0) + ready(), size)
    assert session(caller).user == "ro"


@pytest.mark.parametrize("asked", [authentication(3), authentication(5, b"salt")])
def test_a_password_asked_of_an_account_that_has_none(asked: bytes) -> None:
    caller = dial(call(source="none"))
    begun(caller)
    caller.receive(asked)
    assert "has none" in failure(caller).detail


@pytest.mark.parametrize("secret", [b"", b"a\0b"])
def test_a_credential_that_cannot_travel(secret: bytes) -> None:
    caller = dial(call())
    begun(caller)
    caller.receive(authentication(3))
    caller.provide(Secret(secret))
    failure(caller)
    assert caller.bytes_to_send() == b""


# -- TLS ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("answer", [b"N", b"E", b"Efatal words", b"SE", b"S\x16\x03", b"", b"H", b"\0"])
def test_no_tls_no_dial(answer: bytes) -> None:
    caller = dial(call())
    assert caller.tls_request() == struct.pack(">II", 8, 80877103)
    assert not caller.tls_answer(answer)
    assert "words" not in failure(caller).detail
    caller.begin(None)
    assert caller.bytes_to_send() == b""


def test_begin_without_the_tls_that_is_wanted() -> None:
    caller = dial(call())
    caller.begin(None)
    failure(caller)
    assert caller.bytes_to_send() == b""


# -- startup ------------------------------------------------------------------------------------------------
def test_startup_parameters() -> None:
    assert begun(dial(call(TlsMode.DISABLE)), None) == {
        "application_name": "wicketgate",
        "client_encoding": "UTF8",
        "user": "ro",
        "database": "sales",
    }


def test_a_client_chooses_no_plans_where_values_are_hidden() -> None:
    asked = call(TlsMode.DISABLE, enable_hashjoin="off", WORK_MEM="64kB", jit="off", timezone="UTC")
    plain = begun(dial(asked), None)
    assert {"enable_hashjoin", "WORK_MEM", "jit"} <= plain.keys()
    hidden = {"sales": {"public.customers.ssn": "national-id"}}
    chosen = begun(dial(replace(asked, resource=replace(asked.resource, sensitive=hidden))), None)
    assert plain.keys() - chosen.keys() == {"enable_hashjoin", "WORK_MEM"}


def test_a_client_cannot_lift_the_read_only_session() -> None:
    asked = begun(
        dial(
            call(
                read_only=True,
                application_name="psql",
                default_transaction_read_only="off",
                user="postgres",
                client_encoding="LATIN1",
                timezone="UTC",
            )
        )
    )
    assert asked == {
        "application_name": "psql",
        "client_encoding": "UTF8",
        "default_transaction_read_only": "on",
        "timezone": "UTC",
        "user": "ro",
        "database": "sales",
    }


@pytest.mark.parametrize(
    ("reports", "told"),
    [
        (ready(default_transaction_read_only="off"), "read-only"),
        (ready(client_encoding="LATIN1"), "UTF8"),
        (ready(without=["client_encoding"]), "UTF8"),
        (ready(standard_conforming_strings="off"), "standard_conforming_strings"),
        (ready(without=["server_version"]), "version"),
        (ready(server_version="unknown"), "version"),
        (frame(b"Z", b"I"), "cancel key"),
        (frame(b"K", b"\0\0\0\1KEY!") * 2, "cancel key"),
        (frame(b"K", b"\0\0\0\1"), "cancel key"),
        (frame(b"Z", b"T"), "idle"),
        (frame(b"S", b"a"), "report"),
        (frame(b"S", b"a\0\xff\0"), "report"),
        (frame(b"D", b"\0\0"), "message type 68"),
        (authentication(3), "message type 82"),
        (frame(b"N", b"\0") * 2000, "never gets ready"),
        (b"S\x7f\xff\xff\xff", "malformed"),
        (b"S\0\0\0\0", "malformed"),
    ],
)
def test_sessions_that_are_not_taken(reports: bytes, told: str) -> None:
    caller = dial(call(read_only=True))
    begun(caller)
    caller.receive(authentication(0) + reports)
    assert told in failure(caller).detail


def row(*cells: bytes) -> bytes:
    body = struct.pack("!h", len(cells)) + b"".join(struct.pack("!i", len(cell)) + cell for cell in cells)
    return frame(b"D", body)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (row(b"on"), None),
        (frame(b"S", b"TimeZone\0UTC\0") + row(b"on"), None),
        (row(b"off"), "read-only"),
        (b"", "read-only"),
        (row(b"off") + row(b"on"), "message type 68"),
        (row(b"on", b"on"), "malformed"),
        (frame(b"D", b"\0\1\0\0\0\3on"), "malformed"),
        (frame(b"D", b""), "malformed"),
        (refusal("42704", "no such setting"), "42704"),
        (frame(b"s", b""), "message type 115"),
    ],
)
def test_a_target_that_does_not_report_is_asked(answer: bytes, told: str | None, size: int) -> None:
    """Servers before 14 do not report it, and a pooler may drop a setting without a word."""
    caller = dial(call(read_only=True))
    begun(caller)
    feed(caller, authentication(0) + ready(without=["default_transaction_read_only"]), size)
    assert caller.outcome is None
    assert caller.bytes_to_send() == frame(b"Q", b"SHOW default_transaction_read_only\0")
    feed(caller, frame(b"T", b"\0\0") + answer + frame(b"C", b"SHOW\0") + frame(b"Z", b"I"), size)
    if told is None:
        assert isinstance(caller.outcome, Connected)
    else:
        assert told in failure(caller).detail


@pytest.mark.parametrize(
    "method", [authentication(2), authentication(7), authentication(9), authentication(10, b"\0")]
)
def test_other_methods(method: bytes) -> None:
    caller = dial(call())
    begun(caller)
    caller.receive(method)
    failure(caller)


def test_plus_alone_without_a_binding() -> None:
    caller = dial(call())
    begun(caller, None)
    caller.receive(authentication(10, b"SCRAM-SHA-256-PLUS\0\0"))
    failure(caller)


def test_a_server_that_does_not_wait_for_the_password() -> None:
    caller = dial(call())
    begun(caller)
    caller.receive(authentication(3) + authentication(0) + ready())
    assert "wait" in failure(caller).detail
    caller.provide(Secret(b"secret"))
    assert caller.bytes_to_send() == b""


def test_negotiation() -> None:
    caller = dial(call())
    begun(caller)
    caller.receive(frame(b"v", struct.pack(">II", 0x30000, 0)) + authentication(0) + ready())
    session(caller)
    for body in (struct.pack(">II", 0x30002, 0), struct.pack(">II", 0x20000, 0), b"", b"\0" * 8):
        caller = dial(call())
        begun(caller)
        caller.receive(frame(b"v", body))
        assert "3.0" in failure(caller).detail


def test_errors_are_for_the_operator_and_bounded() -> None:
    caller = dial(call())
    begun(caller)
    caller.receive(refusal("3D000", 'database "x" does not exist\n\x1b[31m' + "y" * 1000))
    failed = failure(caller)
    assert failed.code == "3D000"
    assert 'database "x" does not exist' in failed.detail
    assert failed.detail.isprintable()
    assert len(failed.detail) < 400
    caller = dial(call())
    begun(caller)
    caller.receive(frame(b"E", b"garbage"))
    assert failure(caller).code == "XX000"


server_frames = st.one_of(
    st.binary(max_size=30),
    st.builds(authentication, st.integers(0, 13), st.binary(max_size=40)),
    st.sampled_from(
        [ready(), refusal("28000", "no"), authentication(10, b"SCRAM-SHA-256\0\0"), frame(b"K", b"")]
    ),
    st.builds(frame, st.binary(min_size=1, max_size=1), st.binary(max_size=20)),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(server_frames, max_size=8), st.sampled_from(SIZES), st.booleans())
def test_hostile_servers_never_raise(sent: list[bytes], size: int, secure: bool) -> None:
    whole = b"".join(sent)
    outcomes = []
    for chosen in (10**9, size):
        caller = dial(
            call(TlsMode.REQUIRE if secure else TlsMode.DISABLE), token=lambda length: b"n" * length
        )
        begun(caller)
        for piece in pieces(whole, chosen):
            caller.receive(piece)
        outcomes.append((caller.outcome, caller.needs_secret, caller.bytes_to_send()))
        if isinstance(caller.outcome, Connected):
            assert b"R\0\0\0\x08\0\0\0\0" in whole
    assert outcomes[0] == outcomes[1]


# -- real servers -------------------------------------------------------------------------------------------
@pytest.mark.parametrize("tls", [TlsMode.DISABLE, TlsMode.VERIFY_FULL])
@pytest.mark.parametrize("user", ["app_ro", "app_md5", "app_trust", "app_password"])
def test_real_servers(postgres: Postgres, user: str, tls: TlsMode) -> None:
    if user == "app_password" and tls is TlsMode.DISABLE:
        tls = TlsMode.REQUIRE
    keys: dict[object, object] = {}
    for attempt in range(2):
        caller, link = sign_in(postgres, user, tls, keys, read_only=True, timezone="Asia/Tokyo")
        with link:
            found = session(caller)
            assert found.user == user
            assert found.server_version_num // 10_000 == postgres.version
            assert ask(link, "SELECT current_user::text") == user.encode()
            assert ask(link, "SHOW default_transaction_read_only") == b"on"
            assert ask(link, "SHOW timezone") == b"Asia/Tokyo"
            assert ask(link, "SELECT pg_backend_pid()::text") == str(found.pid).encode()
        if user in ("app_ro", "app_md5") and attempt == 0:
            # the second dial needs no secret: it would not get in with this one
            assert keys
    wrong, link = sign_in(postgres, user, tls, {}, secret="wrong")
    link.close()
    assert user == "app_trust" or failure(wrong).code == "28P01"


def test_real_servers_bind_the_channel(postgres: Postgres) -> None:
    caller = dial(call(TlsMode.REQUIRE, "app_tls"))
    with socket.create_connection(("127.0.0.1", postgres.port), timeout=20) as plain:
        request = caller.tls_request()
        assert request is not None
        plain.sendall(request)
        assert caller.tls_answer(plain.recv(1))
        context = ssl.create_default_context(cafile=str(postgres.authority.root))
        with context.wrap_socket(plain, server_hostname="localhost") as link:
            # a binding to another channel than this one: the server must notice, so PLUS was really used
            caller.begin(b"\0" * 32)
            while caller.outcome is None:
                if caller.needs_secret:
                    caller.provide(Secret(password_of("app_tls").encode()))
                out = caller.bytes_to_send()
                if out:
                    link.sendall(out)
                caller.receive(link.recv(4096))
    assert "channel binding" in failure(caller).detail


def test_real_servers_cancel(postgres: Postgres) -> None:
    caller, link = sign_in(postgres, "app_ro", TlsMode.VERIFY_FULL, {})
    found = session(caller)
    with link:
        link.sendall(frame(b"Q", b"SELECT pg_sleep(60)\0"))
        data = b""
        while b"57014" not in data:
            # the statement may not have begun when the first request comes: ask until it ends
            with socket.create_connection(("127.0.0.1", postgres.port), timeout=20) as other:
                other.sendall(cancel_packet(found.pid, found.key))
                assert other.recv(1) == b""
            link.settimeout(0.2)
            try:
                data += link.recv(65536)
            except TimeoutError:
                continue
