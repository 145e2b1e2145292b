"""What end-to-end tests share: both servers with the corpus's two worlds, and a gateway before them."""

import os
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from corpus import worlds
from corpus.cases import Case
from e2e.house import House
from servers import binaries, system
from servers.certificates import Authority
from servers.postgres import Postgres

SERVERS = {"postgres15": int(binaries.debian().parent.name), "postgres18": 18}
"""Fixture -> the version that it has."""
OLDER_PROGRAMS = frozenset({"pg_dump"})
"""Debian's, as its server is: they refuse a server that is newer than themselves."""
SHARED = frozenset({"test_agreement.py", "test_pipelines.py"})
"""Of whose tests, too, each runs on one of the servers."""
BOTH = os.environ.get("WICKET_SERVERS") == "both"
"""Whether each case of the corpus runs on every server that it speaks of; else on one of them."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what a server has not: a case is collected only for the versions that it speaks of."""
    wrong = {item for item in items if not _fits(item)}
    if wrong:
        config.hook.pytest_deselected(items=[item for item in items if item in wrong])
        items[:] = [item for item in items if item not in wrong]


def _fits(item: pytest.Item) -> bool:
    chosen = item.callspec.params if isinstance(item, pytest.Function) and hasattr(item, "callspec") else {}
    version = SERVERS.get(str(chosen.get("server")))
    if version is None:
        return True
    case = chosen.get("case")
    if isinstance(case, Case):
        return case.least <= version <= case.most and (BOTH or _turn(case) == version)
    if item.path.name in SHARED and not BOTH:
        named = item.name.replace(str(chosen["server"]), "")
        return list(SERVERS.values())[zlib.crc32(named.encode()) % len(SERVERS)] == version
    return chosen.get("name") not in OLDER_PROGRAMS or version <= SERVERS["postgres15"]


def _turn(case: Case) -> int:
    """The version whose turn a case is, by its name: always the same. `make corpus` runs the other too."""
    spoken = [each for each in SERVERS.values() if case.least <= each <= case.most]
    return spoken[zlib.crc32(case.id.encode()) % len(spoken)] if spoken else 0


@pytest.fixture(scope="session", params=list(SERVERS))
def server(request: pytest.FixtureRequest) -> Postgres:
    """A real server with both worlds of the corpus."""
    found = request.getfixturevalue(request.param)
    assert isinstance(found, Postgres)
    if not found.sql("SELECT 1 FROM pg_database WHERE datname = %s", worlds.ALPHA, database="postgres"):
        worlds.build(found)
    return found


@pytest.fixture(scope="session")
def house(server: Postgres) -> Iterator[House]:
    """A gateway before both worlds of that server, with a token for each identity of the corpus."""
    folder = system.folder("wicketgate-e2e")
    made = House(folder, server)
    made.gateway.start()
    yield made
    made.gateway.stop()
    system.remove(folder)


@pytest.fixture(scope="session")
def frail(authority: Authority) -> Iterator[Postgres]:
    """A server with both worlds that tests may kill; it writes every statement that reaches it to its log."""
    server = Postgres.create(
        binaries.embedded(), authority, {"log_statement": "all", "max_connections": "300"}
    )
    worlds.build(server)
    yield server
    server.destroy()


@pytest.fixture
def open_house(frail: Postgres) -> Iterator[Callable[..., House]]:
    """Makes running gateways before the frail server; each ends with the test."""
    made: list[House] = []

    def make(**options: Any) -> House:
        house = House(system.folder("wicketgate-e2e"), frail, **options)
        made.append(house)
        house.gateway.start()
        return house

    yield make
    for house in made:
        house.gateway.stop()
        system.remove(house.folder)
