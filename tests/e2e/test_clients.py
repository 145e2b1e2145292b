"""Ordinary clients, whole: the same script gives the same answers directly and through the gateway."""

from collections.abc import Callable
from typing import Any

import pytest

from e2e import scripts
from e2e.house import House
from e2e.watch import come_in


@pytest.mark.parametrize("name", scripts.READS)
def test_a_reader_sees_no_difference(house: House, name: str) -> None:
    come_in(house.through("reader")).close()
    script: Callable[[scripts.Target], Any] = scripts.READS[name]
    assert script(house.target("reader")) == script(house.direct_target("reader"))


def test_a_writer_sees_no_difference(house: House) -> None:
    direct = scripts.run_psycopg_writes(house.direct_target("writer"))
    assert scripts.run_psycopg_writes(house.target("writer")) == direct
