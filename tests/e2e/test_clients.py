"""Ordinary clients, whole: the same script gives the same answers directly and through the gateway."""

from collections.abc import Callable
from typing import Any

import pytest

from e2e import scripts
from e2e.house import House

OLDER_PROGRAMS = frozenset({"pg_dump"})
"""Refuses a server that is newer than itself."""


@pytest.mark.parametrize("name", scripts.READS)
def test_a_reader_sees_no_difference(house: House, name: str) -> None:
    if name in OLDER_PROGRAMS and house.server.version > 15:
        return
    script: Callable[[scripts.Target], Any] = scripts.READS[name]
    assert script(house.target("reader")) == script(house.direct_target("reader"))


def test_a_writer_sees_no_difference(house: House) -> None:
    direct = scripts.run_psycopg_writes(house.direct_target("writer"))
    assert scripts.run_psycopg_writes(house.target("writer")) == direct
