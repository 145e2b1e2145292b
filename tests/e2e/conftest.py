"""What end-to-end tests share: both servers with the corpus's two worlds, and a gateway before them."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from corpus import worlds
from e2e.house import House
from servers import system
from servers.postgres import Postgres


@pytest.fixture(scope="session", params=["postgres15", "postgres18"])
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


@pytest.fixture
def make_house(server: Postgres) -> Iterator[Callable[..., House]]:
    """Makes gateways of a test's own (they may be killed); each ends with the test."""
    made: list[House] = []

    def make(**options: object) -> House:
        house = House(system.folder("wicketgate-e2e"), server, **options)  # type: ignore[arg-type]
        made.append(house)
        house.gateway.start()
        return house

    yield make
    for each in made:
        each.gateway.stop()
        system.remove(Path(each.folder))
