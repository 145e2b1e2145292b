"""The local CA: modes, renewal, and that a TLS client believes it."""

import contextlib
import datetime
import socket
import ssl
import threading
from pathlib import Path

import pytest

from wicketgate.control.ca import Authority, AuthorityUnusable
from wicketgate.worker.tls import server_context

NOW = datetime.datetime.now(datetime.UTC)


def handshake(authority: Authority, name: str) -> str:
    """A verify-full handshake; the peer's common name."""
    server = server_context(authority.files.certificate, authority.files.key, None, ("postgresql",))
    client = ssl.create_default_context(cadata=authority.certificate_pem.decode())
    ours, theirs = socket.socketpair()

    def serve() -> None:
        with ours, contextlib.suppress(ssl.SSLError):
            server.wrap_socket(ours, server_side=True).recv(1)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        with client.wrap_socket(theirs, server_hostname=name) as secured:
            subject = secured.getpeercert()["subject"]
            return str(subject[0][0][1])
    finally:
        theirs.close()
        thread.join()


@pytest.mark.parametrize("name", ["gateway.test", "localhost", "127.0.0.1", "::1"])
def test_a_client_verifies_every_name(tmp_path: Path, name: str) -> None:
    authority = Authority.load_or_make(tmp_path / "tls", ["gateway.test"], NOW)
    assert handshake(authority, name) == "gateway.test"


def test_another_name_is_not_believed(tmp_path: Path) -> None:
    authority = Authority.load_or_make(tmp_path / "tls", ["gateway.test"], NOW)
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(authority, "other.test")


def test_keys_are_for_us_alone(tmp_path: Path) -> None:
    Authority.load_or_make(tmp_path / "tls", [], NOW)
    modes = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "tls").iterdir()}
    assert modes == {"ca.key": 0o600, "ca.pem": 0o644, "server.pem": 0o600}


def test_a_second_start_keeps_all(tmp_path: Path) -> None:
    first = Authority.load_or_make(tmp_path, ["a.test"], NOW)
    server = (tmp_path / "server.pem").read_bytes()
    second = Authority.load_or_make(tmp_path, ["a.test"], NOW)
    assert second.certificate_pem == first.certificate_pem
    assert (tmp_path / "server.pem").read_bytes() == server


def test_a_new_name_makes_a_new_certificate(tmp_path: Path) -> None:
    Authority.load_or_make(tmp_path, ["a.test"], NOW)
    authority = Authority.load_or_make(tmp_path, ["b.test"], NOW)
    assert handshake(authority, "b.test") == "b.test"


def test_it_is_renewed_before_it_ends(tmp_path: Path) -> None:
    authority = Authority.load_or_make(tmp_path, [], NOW)
    assert authority.renew(NOW + datetime.timedelta(days=59)) is None
    before = (tmp_path / "server.pem").read_bytes()
    assert authority.renew(NOW + datetime.timedelta(days=61)) == authority.files
    assert (tmp_path / "server.pem").read_bytes() != before


def test_a_readable_key_stops_the_start(tmp_path: Path) -> None:
    Authority.load_or_make(tmp_path, [], NOW)
    (tmp_path / "ca.key").chmod(0o644)
    with pytest.raises(AuthorityUnusable, match="chmod 600"):
        Authority.load_or_make(tmp_path, [], NOW)


def test_a_foreign_key_stops_the_start(tmp_path: Path) -> None:
    Authority.load_or_make(tmp_path / "a", [], NOW)
    Authority.load_or_make(tmp_path / "b", [], NOW)
    (tmp_path / "a" / "ca.key").write_bytes((tmp_path / "b" / "ca.key").read_bytes())
    with pytest.raises(AuthorityUnusable, match="belong together"):
        Authority.load_or_make(tmp_path / "a", [], NOW)
