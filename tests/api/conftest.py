"""The API on real sockets, for each test."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import trustme

from api.stage import Answer, Remote, Stage, ask
from wicketgate.api.server import ApiSettings, serve


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


@pytest.fixture
def local(stage: Stage) -> Iterator[Callable[..., Answer]]:
    """Requests over our socket: (method, path, body=None, …)."""
    path = stage.folder / "api.sock"
    handle = serve(stage.office, ApiSettings(path), stage.logged.append)

    def request(method: str, target: str, body: Any = None, **more: Any) -> Answer:
        return ask(path, method, target, body, **more)

    yield request
    handle.stop()
    assert not path.exists()


@pytest.fixture
def remote(stage: Stage) -> Iterator[Remote]:
    with on_https(stage) as made:
        yield made


@contextmanager
def on_https(stage: Stage) -> Iterator[Remote]:
    """The stage's API, served to others."""
    authority = trustme.CA()
    certificate = authority.issue_cert("localhost", "127.0.0.1")
    pem, key, ca = (stage.folder / name for name in ("cert.pem", "key.pem", "ca.pem"))
    certificate.private_key_pem.write_to_path(str(key))
    for blob in certificate.cert_chain_pems:
        blob.write_to_path(str(pem), append=True)
    authority.cert_pem.write_to_path(str(ca))
    settings = ApiSettings(stage.folder / "api.sock", ("127.0.0.1", 0), pem, key)
    handle = serve(stage.office, settings, stage.logged.append)
    yield Remote(stage, handle, settings, str(ca))
    handle.stop()
