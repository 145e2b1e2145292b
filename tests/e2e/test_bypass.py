"""Every way around, through the gateway and in both worlds: no planted value reaches the client in any field,
no forbidden effect happens, the answer is the one an operator would get, and the connection goes on."""

from collections.abc import Iterator

import pytest

from corpus import worlds
from corpus.cases import Case, bypass
from e2e.house import House
from e2e.play import Played, Pool, play, told_apart
from e2e.wire import rows

CASES = bypass()


def test_the_corpus_has_what_it_promises() -> None:
    assert len(CASES) >= 900
    assert len({case.kind for case in CASES}) >= 20


@pytest.fixture(scope="module")
def pool() -> Iterator[Pool]:
    kept: Pool = {}
    yield kept
    for wire in kept.values():
        wire.close()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_a_way_around_is_closed(house: House, pool: Pool, case: Case) -> None:
    found = {world: _run(house, case, world, pool) for world in (worlds.ALPHA, worlds.BRAVO)}
    alpha = found[worlds.ALPHA]
    assert worlds.leaks(alpha.raw) == [], f"{case.id}: planted values reached the client: {_told(alpha)}"
    if not (case.equality or case.varies):
        apart = told_apart(alpha.seen(), found[worlds.BRAVO].seen())
        assert not apart, (
            f"{case.id}: the answer tells the values: {_told(alpha)} {_told(found[worlds.BRAVO])}"
        )
    _check_outcome(house, case, alpha, pool)
    if not (case.ends or alpha.refused):
        assert alpha.goes_on, f"{case.id}: the connection was of no more use: {_told(alpha)}"


def _run(house: House, case: Case, world: str, pool: Pool) -> Played:
    def beside(text: str) -> object:
        return worlds.ask(house.server, world, text)

    acted: list[str] = []

    def act(text: str) -> object:
        acted.append(text)
        return beside(text)

    before = beside(case.effect) if case.effect else None
    state = worlds.state(house.server, world) if case.who != "reader" else None
    try:
        played = play(case, house.through(case.who, world), act, pool)
        if case.effect:
            assert beside(case.effect) == before, f"{case.id}: it acted: {_told(played)}"
        if case.who == "reader":
            return played
    finally:
        if acted or _changed(house, world, state) or (case.effect and beside(case.effect) != before):
            _reset(house, world, pool)
    return played


def _reset(house: House, world: str, pool: Pool) -> None:
    """Make a world anew, with the connections to it."""
    for key in [key for key in pool if key[-1] == world]:
        pool.pop(key).close()
    worlds.reset(house.server, world)


def _changed(house: House, world: str, state: str | None) -> bool:
    return state is not None and worlds.state(house.server, world) != state


def _check_outcome(house: House, case: Case, played: Played, pool: Pool) -> None:
    if case.want == "denied" or (case.want == "closed" and "42501" in played.codes):
        if case.code == "refused":
            assert played.refused, f"{case.id}: the sign-in was let in"
        else:
            assert played.codes, f"{case.id}: nothing was denied: {_told(played)}"
            assert case.code in ("any", *played.codes), f"{case.id}: {_told(played)}"
        return
    acted: list[str] = []

    def act(text: str) -> object:
        acted.append(text)
        return worlds.ask(house.server, worlds.ALPHA, text)

    direct = play(case, house.around(case.who), act, pool if case.who == "reader" else None)
    if acted or case.who != "reader":
        _reset(house, worlds.ALPHA, pool)
    assert case.code == "any" or played.codes == direct.codes, (
        f"{case.id}: {_told(played)} instead of {direct.codes}"
    )
    if case.want == "clean":
        assert played.seen() == direct.seen(), f"{case.id}: {_told(played)}"
    if case.want in ("masked", "closed"):
        through, around = ([len(rows(answer)) for answer in each.answers] for each in (played, direct))
        assert through == around, f"{case.id}: rows were lost: {through} of {around}"


def _told(played: Played) -> str:
    """The answers, short enough for a test's report."""
    said = [
        frame.fields.get("C", "") + " " + frame.fields.get("M", "")
        for frame in played.frames
        if frame.type in b"EN"
    ]
    cells = [row for answer in played.answers for row in rows(answer)]
    return f"messages {said}, rows {cells[:6]}"[:1500]
