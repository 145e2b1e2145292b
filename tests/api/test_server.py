"""The servers: our socket for us alone, HTTPS for tokens, and what a header can't do."""

import asyncio
import contextlib
import json
import os
import re
import socket
import ssl
import stat
from pathlib import Path
from typing import Any

import pytest

from api.stage import Remote, Stage, ask
from wicketgate.api import server
from wicketgate.api.problems import Bounded
from wicketgate.api.server import ApiSettings, bind_local, serve
from wicketgate.control.attempts import FREE_SOURCE, SECOND
from wicketgate.model.errors import GatewayError


def _bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}".encode().decode("latin-1")}


def test_the_socket_is_ours_alone(stage: Stage) -> None:
    path = stage.folder / "api.sock"
    previous = os.umask(0)
    try:
        handle = serve(stage.office, ApiSettings(path), stage.logged.append)
    finally:
        os.umask(previous)
    try:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        with pytest.raises(GatewayError, match="another gateway"):
            bind_local(path)
    finally:
        handle.stop()
    handle.stop()


def test_a_socket_that_nobody_answers_on_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "api.sock"
    bind_local(path).close()
    bind_local(path).close()
    path.unlink()
    path.write_text("a file")
    with pytest.raises(GatewayError, match="no socket"):
        bind_local(path)
    assert path.read_text() == "a file"


def test_another_user_is_cut_off(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    path = stage.folder / "api.sock"
    handle = serve(stage.office, ApiSettings(path), stage.logged.append)
    try:
        assert ask(path, "GET", "/api/v1/health").status == 200
        for uid in (os.geteuid() + 1, None):
            monkeypatch.setattr(server, "peer_uid", lambda connection, uid=uid: uid)
            with pytest.raises((ConnectionError, OSError)):
                ask(path, "GET", "/api/v1/health")
    finally:
        handle.stop()


def test_the_kernel_says_who_the_peer_is() -> None:
    one, other = socket.socketpair()
    with one, other:
        assert server.peer_uid(one) == os.geteuid()
    assert server.peer_uid(one) is None
    assert server.peer_uid(None) is None


def test_https_wants_a_token(remote: Remote) -> None:
    assert remote.ask("GET", "/api/v1/health").status == 200
    for path in ("whoami", "status", "resources", "tokens", "sessions"):
        answer = remote.ask("GET", f"/api/v1/{path}")
        assert (answer.status, answer.json["type"]) == (401, "urn:wicketgate:problem:sign-in")
        assert answer.headers["www-authenticate"].startswith("Bearer")
    for path in ("/metrics", "/api/v1/openapi.json"):
        assert remote.ask("GET", path).status == 401
    # no address is told but the one that was asked for
    slash = remote.ask("GET", "/api/v1/tokens/", headers={"host": "evil.example"})
    assert slash.status in (401, 404, 405)
    assert "location" not in slash.headers
    assert b"evil" not in slash.body
    assert remote.ask("GET", "/api/v1/whoami", token="wkt_" + "0" * 49).status == 401


def test_no_header_makes_anybody_local(remote: Remote) -> None:
    spoofs = {
        "x-forwarded-for": "127.0.0.1",
        "forwarded": "for=unix",
        "wicketgate.local": "0",
        "x-real-ip": "unix:",
        "host": "localhost",
    }
    assert remote.ask("GET", "/api/v1/whoami", headers=spoofs).status == 401
    token = remote.issue("bot")
    assert remote.ask("GET", f"/api/v1/whoami?access_token={token}").status == 401
    assert remote.ask("GET", "/api/v1/whoami", headers={"authorization": f"Basic {token}"}).status == 401


def test_guesses_wait_longer_and_longer(remote: Remote) -> None:
    """By source, as on the wire and counted with it; a token that would prove somebody waits as well."""
    good, revoked, fresh = remote.issue("bot"), remote.issue("bot"), remote.issue("bot")
    me = remote.ask("GET", "/api/v1/whoami", token=revoked).json
    assert remote.ask("DELETE", f"/api/v1/tokens/{me['credential_id']}", token=good).status == 200
    wrong = ["wkt_" + "0" * 49, "nonsense", revoked, "wkt_" + "Ä" * 10]
    answers = []
    for each in range(FREE_SOURCE + 1):
        answers.append(remote.ask("GET", "/api/v1/whoami", headers=_bearer(wrong[each % 4])))
    assert {(each.status, each.body) for each in answers} == {(401, answers[0].body)}
    # a token that would prove somebody waits as well, unless it did so from here within the hour
    assert remote.ask("GET", "/api/v1/whoami", headers=_bearer(good)).status == 200
    for token in (wrong[0], wrong[1], wrong[3], fresh):
        held = remote.ask("GET", "/api/v1/whoami", headers=_bearer(token))
        assert (held.status, held.headers["retry-after"]) == (429, "2")
        assert held.json["type"] == "urn:wicketgate:problem:attempts"
    # whoever shows no token guesses nothing, and our own socket is not the world
    assert remote.ask("GET", "/api/v1/whoami").status == 401
    assert remote.ask("GET", "/api/v1/health").status == 200
    assert ask(remote.settings.socket, "GET", "/api/v1/whoami").status == 200
    control = remote.stage.control
    control.clock += 2 * SECOND
    assert remote.ask("GET", "/api/v1/whoami", headers=_bearer(wrong[0])).status == 401
    assert remote.ask("GET", "/api/v1/whoami", headers=_bearer(fresh)).headers["retry-after"] == "4"
    control.clock += 4 * SECOND
    assert remote.ask("GET", "/api/v1/whoami", headers=_bearer(fresh)).status == 200
    # and a good one forgives no other
    assert remote.ask("GET", "/api/v1/whoami", headers=_bearer(wrong[0])).status == 401
    assert remote.ask("GET", "/api/v1/whoami", headers=_bearer(wrong[1])).headers["retry-after"] == "8"


def test_failures_on_the_wire_count_for_the_api(remote: Remote) -> None:
    token = remote.issue("bot")
    for _ in range(FREE_SOURCE + 1):
        remote.stage.control.attempts.failed("127.0.0.1", "anybody")
    assert remote.ask("GET", "/api/v1/whoami", token=token).status == 429


def test_a_plain_identity_sees_its_own(remote: Remote) -> None:
    token = remote.issue("bot")
    me = remote.ask("GET", "/api/v1/whoami", token=token).json
    assert (me["name"], me["how"], me["administrator"]) == ("bot", "token", False)
    assert {each["identity"] for each in remote.ask("GET", "/api/v1/tokens", token=token).json} == {"bot"}
    assert len(remote.ask("GET", "/api/v1/sessions", token=token).json) == 1
    for method, path in (
        ("GET", "/api/v1/tokens?identity=root-bot"),
        ("GET", "/api/v1/sessions?identity=root-bot"),
        ("GET", "/api/v1/sessions/" + "0" * 32),
        ("DELETE", "/api/v1/tokens/0000000000000000"),
        ("GET", "/api/v1/status"),
        ("GET", "/api/v1/resources"),
        ("GET", "/metrics"),
        ("POST", "/api/v1/journal/verify"),
        ("POST", "/api/v1/policy/reload"),
    ):
        assert remote.ask(method, path, token=token).status == 403, path
    assert remote.ask("POST", "/api/v1/tokens", {"identity": "bot"}, token=token).status == 403
    revoked = remote.ask("DELETE", f"/api/v1/tokens/{me['credential_id']}", token=token)
    assert revoked.json["holds"] is False
    assert remote.ask("GET", "/api/v1/whoami", token=token).status == 401


def test_the_admin_group_administrates_but_not_by_a_scoped_token(remote: Remote) -> None:
    token = remote.issue("root-bot")
    assert remote.ask("GET", "/api/v1/whoami", token=token).json["administrator"] is True
    assert remote.ask("POST", "/api/v1/tokens", {"identity": "bot"}, token=token).status == 201
    assert remote.ask("GET", "/metrics", token=token).status == 200
    scoped = remote.issue("root-bot", resources=["sales"])
    assert remote.ask("GET", "/api/v1/whoami", token=scoped).json["administrator"] is False
    assert remote.ask("GET", "/api/v1/status", token=scoped).status == 403


def test_plain_http_on_the_https_port_gets_nothing(remote: Remote) -> None:
    assert remote.handle.port is not None
    with socket.create_connection(("127.0.0.1", remote.handle.port), timeout=10) as plain:
        plain.sendall(b"GET /api/v1/health HTTP/1.1\r\nHost: x\r\n\r\n")
        answer = plain.recv(100)
    assert not answer.startswith(b"HTTP/1.1 200")


HEAD = b"POST /api/v1/tokens HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\n\r\n"


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"GET /api/v1/hea",
        HEAD + b"{",
        # idle, and half a request, after an answer
        b"GET /api/v1/health HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /api/v1/health HTTP/1.1\r\nHost: x\r\n\r\n" + HEAD + b"{",
    ],
)
def test_a_request_that_does_not_arrive_is_cut(stage: Stage, sent: bytes) -> None:
    path = stage.folder / "api.sock"
    handle = serve(stage.office, ApiSettings(path, request_seconds=0.2), stage.logged.append)
    try:
        with socket.socket(socket.AF_UNIX) as slow:
            slow.settimeout(10)
            slow.connect(str(path))
            slow.sendall(sent)
            answer = b""
            with contextlib.suppress(ConnectionError):
                while more := slow.recv(4096):
                    answer += more
        assert answer.startswith(b"HTTP/1.1 200" if b"health" in sent else b"")
        assert ask(path, "GET", "/api/v1/health").status == 200
    finally:
        handle.stop()


def test_trickled_bytes_do_not_put_the_deadline_off(stage: Stage) -> None:
    path = stage.folder / "api.sock"
    handle = serve(stage.office, ApiSettings(path, request_seconds=0.2), stage.logged.append)
    try:
        with socket.socket(socket.AF_UNIX) as slow:
            slow.settimeout(0.02)
            slow.connect(str(path))
            slow.sendall(HEAD)
            with pytest.raises(ConnectionError):  # noqa: PT012 - one of many is cut
                for _ in range(500):
                    slow.sendall(b" ")
                    with contextlib.suppress(TimeoutError):
                        if slow.recv(4096) == b"":
                            raise ConnectionResetError
    finally:
        handle.stop()


def test_nobody_is_heard_before_they_are_proven(remote: Remote) -> None:
    """The answer comes without the body."""
    context = ssl.create_default_context(cafile=remote.ca)
    assert remote.handle.port is not None
    with (
        socket.create_connection(("127.0.0.1", remote.handle.port), timeout=5) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as sock,
    ):
        sock.sendall(HEAD + b"{")
        assert sock.recv(4096).startswith(b"HTTP/1.1 401")


def test_a_port_or_certificate_that_cannot_be_had_is_told(stage: Stage) -> None:
    path = stage.folder / "api.sock"
    with pytest.raises(GatewayError, match="certificate"):
        serve(stage.office, ApiSettings(path, ("127.0.0.1", 0)), stage.logged.append)
    with pytest.raises(GatewayError, match="bound"):
        serve(stage.office, ApiSettings(stage.folder / "absent" / "s"), stage.logged.append)
    stage.folder = stage.folder / "absent"
    with pytest.raises(GatewayError, match="store"):
        serve(stage.office, ApiSettings(path), stage.logged.append)
    assert not path.exists()


async def test_who_waits_while_the_gateway_stops_is_told_so() -> None:
    sent: list[Any] = []

    async def waits(scope: Any, receive: Any, send: Any) -> None:
        await asyncio.sleep(60)

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "GET", "path": "/api/v1/reviews", "raw_path": b"/api/v1/reviews"}
    layer = Bounded(waits, sent.append, (re.compile("never"), 0))
    asked = asyncio.create_task(layer(scope, send, send))  # type: ignore[arg-type]
    await asyncio.sleep(0)
    asked.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asked
    assert [each["status"] for each in sent if "status" in each] == [503]
    assert json.loads(sent[-1]["body"])["type"] == "urn:wicketgate:problem:stopping"
