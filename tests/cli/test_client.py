"""The client over HTTPS: what it trusts, what it sends, and the codes of what comes back."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from api.stage import Stage, ask
from cli.conftest import Run
from wicketgate.api.server import ApiSettings, serve


@pytest.fixture
def url(stage_folder: Path, tmp_path: Path) -> Iterator[tuple[str, Stage]]:
    """A gateway elsewhere: HTTPS with a certificate of the CA in ca.pem."""
    authority = trustme.CA()
    certificate = authority.issue_cert("localhost")
    pem, key = stage_folder / "cert.pem", stage_folder / "key.pem"
    certificate.private_key_pem.write_to_path(str(key))
    for blob in certificate.cert_chain_pems:
        blob.write_to_path(str(pem), append=True)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    stage = Stage(stage_folder)
    handle = serve(
        stage.office, ApiSettings(stage_folder / "s", ("127.0.0.1", 0), pem, key), stage.logged.append
    )
    yield f"https://localhost:{handle.port}", stage
    handle.stop()


@pytest.fixture
def stage_folder(tmp_path: Path) -> Path:
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    return folder


def test_a_gateway_elsewhere(
    wicket: Run, url: tuple[str, Stage], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    where, stage = url
    token = ask(stage.folder / "s", "POST", "/api/v1/tokens", {"identity": "bot"}).json["token"]
    monkeypatch.setenv("WICKET_URL", where)
    monkeypatch.setenv("WICKET_CA", "ca.pem")
    assert wicket("whoami").code == 2
    monkeypatch.setenv("WICKET_TOKEN", token)
    me = wicket("whoami", "--json").json
    assert (me["name"], me["administrator"]) == ("bot", False)
    refused = wicket("status")
    assert (refused.code, refused.out) == (4, "")
    assert wicket("token", "issue", "bot").code == 4
    assert {each["identity"] for each in wicket("token", "list", "--json").json} == {"bot"}
    file = tmp_path / "token"
    file.write_text(token + "\n")
    monkeypatch.delenv("WICKET_TOKEN")
    assert wicket("whoami", "--token-file", "token").code == 0
    file.write_text("wkt_wrong")
    wrong = wicket("whoami", "--token-file", "token")
    assert wrong.code == 4
    assert "wkt_wrong" not in wrong.err
    assert wicket("whoami", "--token-file", "absent").code == 2


def test_only_what_is_trusted_gets_the_token(
    wicket: Run, url: tuple[str, Stage], monkeypatch: pytest.MonkeyPatch
) -> None:
    where, _ = url
    monkeypatch.setenv("WICKET_TOKEN", "wkt_x")
    untrusted = wicket("whoami", "--url", where)
    assert untrusted.code == 3
    assert "--ca" in untrusted.err
    other = wicket("whoami", "--url", where.replace("localhost", "127.0.0.1"), "--ca", "ca.pem")
    assert other.code == 3
    assert wicket("whoami", "--url", where.replace("https", "http"), "--ca", "ca.pem").code == 2
    assert wicket("whoami", "--url", where, "--ca", "absent.pem").code == 2
