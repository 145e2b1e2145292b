"""What ordinary clients and people send passes: the same bytes as direct, but for columns that are masked."""

from dataclasses import replace

import pytest

from corpus.innocent import Innocent, innocent
from e2e.house import House
from e2e.play import exchange
from e2e.watch import come_in
from e2e.wire import Address, Frame, Wire

STATEMENTS = innocent()


def test_the_corpus_has_what_it_promises() -> None:
    assert len(STATEMENTS) >= 400
    assert len({each.source for each in STATEMENTS}) >= 10


@pytest.mark.parametrize("source", sorted({each.source for each in STATEMENTS}))
def test_it_passes(house: House, source: str) -> None:
    """One source at a time, all its statements told: a false positive is an outage, seldom one alone."""
    wrong: list[str] = []
    pair: tuple[Wire, Wire] | None = None
    for each in STATEMENTS:
        if each.source != source:
            continue
        if pair is None:
            pair = Wire.open(_read_only(house)), come_in(house.through("reader"))
        around, through = pair
        wrong += _differences(each, exchange(around, each.batch), exchange(through, each.batch))
        if not _leaves_nothing(each) or through.status != b"I":
            around.close()
            through.close()
            pair = None
    assert not wrong, f"{len(wrong)} of them:\n" + "\n".join(wrong)


_READS = [[word] for word in ("select", "with", "show", "table", "values", "explain")]


def _leaves_nothing(each: Innocent) -> bool:
    """Whether a session is the same after a statement, so that the next one may share it."""
    return "set_config" not in each.text and each.text.lower().split(None, 1)[:1] in _READS


def _read_only(house: House) -> Address:
    """Directly, with the session that the gateway gives a reader."""
    return replace(house.around("reader"), parameters={"options": "-c default_transaction_read_only=on"})


def _differences(each: Innocent, direct: list[Frame], seen: list[Frame]) -> list[str]:
    refused = [frame.fields for frame in seen if frame.type == b"E"]
    if refused and not any(frame.type == b"E" for frame in direct):
        return [f"{each.id}: {refused[0].get('C')} {refused[0].get('M')}"]
    if [frame.type for frame in direct] != [frame.type for frame in seen]:
        types = (b"".join(frame.type for frame in frames)[:40] for frames in (direct, seen))
        return [f"{each.id}: other messages: {' '.join(map(str, types))}"]
    wrong: set[str] = set()
    names: list[str] = []
    unmasked = set(each.masked)
    for one, other in zip(direct, seen, strict=True):
        if one.type == b"T":
            names = [column.name for column in one.columns]
        if one.type == b"D":
            for name, mine, theirs in zip(names, one.cells, other.cells, strict=True):
                if name in each.masked:
                    unmasked -= {name} if mine != theirs else set()
                elif mine != theirs:
                    wrong.add(f"{each.id}: {name}: {mine!r} became {theirs!r}")
        elif one.type == other.type == b"E":
            if _told(one) != _told(other):
                wrong.add(f"{each.id}: {_told(one)} became {_told(other)}")
        elif one != other:
            wrong.add(f"{each.id}: {one.body!r} became {other.body!r}"[:600])
    return sorted(wrong) + [f"{each.id}: {name} is not masked" for name in sorted(unmasked)]


def _told(error: Frame) -> dict[str, str]:
    """What an error says, without the place in the server's own source."""
    return {code: text for code, text in error.fields.items() if code not in "FLR"}
