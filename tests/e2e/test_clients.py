"""Ordinary clients, whole: the same script gives the same answers directly and through the gateway."""

from collections.abc import Callable
from typing import Any

import pytest

from e2e import scripts
from e2e.conftest import SERVERS
from e2e.house import House

OLDER_PROGRAMS = frozenset({"pg_dump"})
"""Of Debian, as its server is; they refuse a server that is newer than themselves."""
READS = [
    pytest.param(fixture, name, id=f"{fixture}-{name}")
    for fixture, version in SERVERS.items()
    for name in scripts.READS
    if name not in OLDER_PROGRAMS or version <= SERVERS["postgres15"]
]


@pytest.mark.parametrize(("server", "name"), READS, indirect=["server"])
def test_a_reader_sees_no_difference(house: House, name: str) -> None:
    script: Callable[[scripts.Target], Any] = scripts.READS[name]
    assert script(house.target("reader")) == script(house.direct_target("reader"))


def test_a_writer_sees_no_difference(house: House) -> None:
    direct = scripts.run_psycopg_writes(house.direct_target("writer"))
    assert scripts.run_psycopg_writes(house.target("writer")) == direct
