"""The API on real sockets, for each test."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from api.stage import Answer, Stage, ask
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
