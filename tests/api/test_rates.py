"""Rates: told before they are over, counted for each alone, bounded in what they remember."""

from pathlib import Path

from api.conftest import served
from api.stage import Remote, Stage, ask
from wicketgate.admin.rate import Rate
from wicketgate.api.rates import SECOND, Buckets


class Clock:
    now = 0

    def __call__(self) -> int:
        return self.now


def test_so_many_at_once_and_then_evenly() -> None:
    clock = Clock()
    buckets = Buckets(60, clock)
    assert [buckets.take("a").wait for _ in range(60)] == [0] * 60
    over = buckets.take("a")
    assert (over.wait, over.left, over.reset) == (1, 0, 60)
    assert buckets.take("b").left == 59
    clock.now = SECOND
    assert buckets.take("a").wait == 0
    assert buckets.take("a").wait == 1
    clock.now = 1000 * SECOND
    assert buckets.take("a").left == 59


def test_refused_requests_do_not_count() -> None:
    clock = Clock()
    buckets = Buckets(60, clock)
    for _ in range(1000):
        buckets.take("a")
    clock.now = SECOND
    assert buckets.take("a").wait == 0


def test_what_is_remembered_is_bounded() -> None:
    buckets = Buckets(10, Clock(), entries=3)
    for each in range(100):
        buckets.take(str(each))
    assert len(buckets._full) == 3


def test_the_api_tells_and_refuses(tmp_path: Path) -> None:
    with served(Stage(tmp_path, rate=Rate(10, 40))) as limited:
        _tell_and_refuse(limited)


def _tell_and_refuse(limited: Remote) -> None:
    bot, other = limited.issue("bot"), limited.issue("root-bot")
    first = limited.ask("GET", "/api/v1/whoami", token=bot)
    assert first.headers["ratelimit-policy"] == '"actor";q=10;w=60'
    assert first.headers["ratelimit"].startswith('"actor";r=9;t=')
    for _ in range(9):
        assert limited.ask("GET", "/api/v1/whoami", token=bot).status == 200
    # another token of the same identity is the same actor
    for token in (bot, limited.issue("bot")):
        held = limited.ask("GET", "/api/v1/whoami", token=token)
        assert (held.status, held.json["type"]) == (429, "urn:wicketgate:problem:requests")
        assert 1 <= int(held.headers["retry-after"]) <= 6
    assert limited.ask("GET", "/api/v1/whoami", token=other).status == 200
    # whoever proves nothing is counted by where he comes from; a header does not change that
    statuses = [
        limited.ask("GET", "/api/v1/health", headers={"x-forwarded-for": f"192.0.2.{each}"}).status
        for each in range(120)
    ]
    assert statuses[0] == 200
    assert 429 in statuses
    assert ask(limited.settings.socket, "GET", "/api/v1/whoami").status == 200
