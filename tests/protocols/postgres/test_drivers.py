"""Real drivers sign in to our Greeter: libpq 18 with all its versions and ways into TLS, asyncpg, pg8000."""

import asyncio
import socket
import ssl
import threading
from collections.abc import Callable

import asyncpg
import pg8000.native
import psycopg
import pytest

from servers.certificates import Authority
from wicketgate.model.decision import Denial
from wicketgate.protocols.base import CancelAsked, Greeting, SignedIn
from wicketgate.protocols.postgres.greet import Greeter, greet
from wicketgate.protocols.postgres.login import ServerSession, preamble, welcome

SESSION = ServerSession(
    {
        "server_version": "15.4",
        "client_encoding": "UTF8",
        "server_encoding": "UTF8",
        "standard_conforming_strings": "on",
        "TimeZone": "UTC",
        "integer_datetimes": "on",
    },
    1,
    b"KEY!",
    150004,
    "sales",
    "ro",
)
KEY = (77, b"k" * 32)


class Door:
    """Accepts one client after the other, as the worker does, and signs it in."""

    def __init__(self, authority: Authority, denial: Denial | None = None) -> None:
        certificate = authority.issue("greeter")
        self.root = str(authority.root)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certificate.chain, certificate.key)
        self.context.set_alpn_protocols(["postgresql"])
        self.denial = denial
        self.outcomes: list[object] = []
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.port = self.listening.getsockname()[1]
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self) -> None:
        while True:
            try:
                link, _ = self.listening.accept()
            except OSError:
                return
            link.settimeout(20)
            try:
                self.client(link)
            except OSError:
                continue

    def client(self, link: socket.socket) -> None:
        with link:
            secure = False
            while True:
                step = preamble(link.recv(8, socket.MSG_PEEK))
                assert step.step != "refuse"
                if step.consume:
                    assert len(link.recv(step.consume)) == step.consume
                    link.sendall(step.reply)
                if step.step in ("tls", "direct-tls"):
                    link = self.context.wrap_socket(link, server_side=True)
                    secure = True
                if step.step in ("tls", "direct-tls", "begin"):
                    break
            with link:
                self.sign_in(link, greet(Greeting(secure, False, "127.0.0.1")))

    def sign_in(self, link: socket.socket, greeter: Greeter) -> None:
        while greeter.outcome is None:
            data = link.recv(4096)
            if not data:
                return
            greeter.receive(data)
            link.sendall(greeter.bytes_to_send())
        self.outcomes.append(greeter.outcome)
        if isinstance(greeter.outcome, SignedIn):
            if self.denial is not None:
                link.sendall(greeter.refuse(self.denial))
                return
            link.sendall(welcome(SESSION, KEY, greeter.outcome.startup.minor))
            link.recv(4096)

    def close(self) -> None:
        # a blocked accept() only wakes when the socket is shut down
        self.listening.shutdown(socket.SHUT_RDWR)
        self.listening.close()
        self.thread.join(20)


@pytest.fixture
def door(authority: Authority) -> "Callable[[Denial | None], Door]":
    return lambda denial: Door(authority, denial)


@pytest.mark.parametrize("version", ["3.0", "3.2", "latest"])
@pytest.mark.parametrize("negotiation", ["postgres", "direct"])
def test_libpq(door: Callable[[Denial | None], Door], version: str, negotiation: str) -> None:
    one = door(None)
    try:
        with psycopg.connect(
            f"host=localhost port={one.port} user=crew-bot~reader dbname=sales/eu password=wkt_x "
            f"sslmode=verify-full sslrootcert={one.root} sslnegotiation={negotiation} "
            f"max_protocol_version={version} application_name=crew options='-c search_path=a\\\\ b'",
            connect_timeout=10,
        ) as connection:
            assert connection.pgconn.backend_pid == 77
            assert connection.info.server_version == 150004
            connection.close()
    finally:
        one.close()
    signed = one.outcomes[0]
    assert isinstance(signed, SignedIn)
    assert (signed.claim.identity, signed.claim.account) == ("crew-bot", "reader")
    assert (signed.claim.resource, signed.claim.database) == ("sales", "eu")
    assert signed.startup.minor == (0 if version == "3.0" else 2)
    assert signed.startup.parameters["search_path"] == "a b"


def test_libpq_cancels(door: Callable[[Denial | None], Door]) -> None:
    one = door(None)
    try:
        with psycopg.connect(
            f"host=localhost port={one.port} user=crew-bot dbname=sales password=wkt_x sslmode=require "
            "max_protocol_version=3.2",
            connect_timeout=10,
        ) as connection:
            # a connection's thread serves it until it closes: the old, plain cancel goes beside it
            packet = connection.pgconn.cancel_conn()
            connection.close()
            packet.start()
            while packet.poll() not in (psycopg.pq.PollingStatus.OK, psycopg.pq.PollingStatus.FAILED):
                continue
    finally:
        one.close()
    assert one.outcomes[1:] == [CancelAsked(*KEY)]


def test_libpq_is_told_why_not(door: Callable[[Denial | None], Door]) -> None:
    one = door(Denial("sign-in", "unknown", "cause"))
    try:
        for sslmode, told in (("require", "sign-in refused"), ("disable", "TLS only")):
            with pytest.raises(psycopg.OperationalError, match=told):
                psycopg.connect(
                    f"host=localhost port={one.port} user=a dbname=b password=c sslmode={sslmode}",
                    connect_timeout=10,
                )
        with pytest.raises(psycopg.OperationalError, match="replication"):
            psycopg.connect(
                f"host=localhost port={one.port} user=a dbname=b password=c sslmode=require "
                "replication=database",
                connect_timeout=10,
            )
    finally:
        one.close()


def test_pg8000(door: Callable[[Denial | None], Door]) -> None:
    one = door(None)
    try:
        context = ssl.create_default_context(cafile=one.root)
        connection = pg8000.native.Connection(
            "crew-bot", "localhost", "sales", one.port, "wkt_x", ssl_context=context, timeout=10
        )
        connection.close()
    finally:
        one.close()
    assert isinstance(one.outcomes[0], SignedIn)


def test_asyncpg(door: Callable[[Denial | None], Door]) -> None:
    one = door(None)

    async def connect() -> None:
        context = ssl.create_default_context(cafile=one.root)
        connection = await asyncpg.connect(
            user="crew-bot", host="localhost", port=one.port, database="sales", password="wkt_x", ssl=context
        )
        connection.terminate()

    try:
        asyncio.run(connect())
    finally:
        one.close()
    signed = one.outcomes[0]
    assert isinstance(signed, SignedIn)
    assert signed.startup.parameters == {"client_encoding": "UTF8"}
