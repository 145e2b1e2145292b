"""Random queries, direct and through the gateway, in both worlds, simple and extended, text and binary: no
planted value passes, what is clean is the same byte by byte, and the worlds can't be told apart."""

from collections.abc import Iterator

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from corpus import worlds
from corpus.queries import Query, queries
from e2e import wire
from e2e.house import House
from e2e.watch import come_in
from e2e.wire import Frame, Wire, rows

Cells = list[list[bytes | None]]

_FORMS: tuple[tuple[str, list[int] | None], ...] = (("simple", None), ("text", [0]), ("binary", [1]))
"""How a query is sent: as a string, or parsed with results in this format."""


class Peers:
    """Connections that last: through the gateway into each world, and directly into the first."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._kept: dict[str, Wire] = {}

    def ask(self, where: str, text: str, form: list[int] | None) -> list[Frame]:
        """What one of them answers. where: `direct`, or a world's name."""
        peer = self._kept.get(where)
        if peer is None:
            house = self._house
            peer = self._kept[where] = (
                Wire.open(house.around("reader"))
                if where == "direct"
                else come_in(house.through("reader", where))
            )
        if form is None:
            return peer.ask(text)
        return peer.run(
            [wire.parse("", text), wire.bind(results=form), wire.describe_portal(), wire.execute()]
        )

    def close(self) -> None:
        for peer in self._kept.values():
            peer.close()


@pytest.fixture(scope="module")
def peers(house: House) -> Iterator[Peers]:
    made = Peers(house)
    yield made
    made.close()


@settings(max_examples=settings.default.max_examples * 4 if settings.default else 400)
@given(st.data())
def test_a_random_query_tells_nothing(peers: Peers, data: st.DataObject) -> None:
    query = data.draw(queries())
    shown: dict[str, Cells] = {}
    for name, form in _FORMS:
        direct = peers.ask("direct", query.text, form)
        alpha = peers.ask(worlds.ALPHA, query.text, form)
        bravo = peers.ask(worlds.BRAVO, query.text, form)
        said = f"{name}: {query.text}"
        assert not worlds.leaks(b"\xff\xfe".join(frame.body for frame in alpha)), said
        codes, plain = _codes(alpha), _codes(direct)
        assert codes == _codes(bravo), f"{said}: {codes} and {_codes(bravo)}"
        assert _sorted(rows(alpha)) == _sorted(rows(bravo)), f"{said}: the worlds can be told apart"
        if codes == ["42501"]:
            event("denied")
            assert not query.clean, (
                f"{said}: {[frame.fields.get('M') for frame in alpha if frame.type == b'E']}"
            )
            return
        event("failed" if codes else "passed, clean" if query.clean else "passed, masked")
        assert codes == plain, f"{said}: {codes} instead of {plain}"
        if codes:
            return
        _check_clean(query, rows(direct), rows(alpha), said)
        shown[name] = rows(alpha)
    assert _sorted(shown["simple"]) == _sorted(shown["text"]), f"{query.text}: extended differs from simple"
    nulls = [_sorted(_nulls(shown[name])) for name in ("text", "binary")]
    assert nulls[0] == nulls[1], f"{query.text}: binary hides other cells than text"


def _codes(frames: list[Frame]) -> list[str]:
    return [frame.fields.get("C", "") for frame in frames if frame.type == b"E"]


def _sorted(cells: Cells) -> Cells:
    return sorted(cells, key=lambda row: [(cell is None, cell or b"") for cell in row])


def _nulls(cells: Cells) -> Cells:
    return [[None if cell is None else b"" for cell in row] for row in cells]


def _check_clean(query: Query, direct: Cells, through: Cells, said: str) -> None:
    """Clean outputs are the same cells; a clean query's are all."""
    assert len(direct) == len(through), f"{said}: rows were lost"
    at = [place for place, column in enumerate(query.columns) if column.clean or query.clean]
    one, other = (_sorted([[row[place] for place in at] for row in cells]) for cells in (direct, through))
    assert one == other, f"{said}: clean outputs {at} became {other[:3]} from {one[:3]}"
