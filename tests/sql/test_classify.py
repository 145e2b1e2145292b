"""The classifier's table: each statement of corpus/classify.yaml comes out with exactly these facts."""

import pytest

from sql.picture import Row, analyse, picture, rows
from wicketgate.sql.catalog import Catalog

ROWS = rows()


def test_the_table_has_what_it_promises() -> None:
    assert len(ROWS) >= 400
    keys = [(row.text, row.path, row.temporary, row.read_only) for row in ROWS]
    assert len(set(keys)) == len(keys)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.text[:70])
def test_facts(row: Row, catalog: Catalog) -> None:
    assert picture(analyse(row, catalog), catalog) == row.expected
