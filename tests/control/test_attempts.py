"""Failed sign-ins wait longer and longer, in bounded memory; nobody is shut out of their own host."""

from wicketgate.control.attempts import FORGET, FREE_IDENTITY, FREE_SOURCE, LONGEST, SECOND, Attempts


class Clock:
    def __init__(self) -> None:
        self.now = 10**15

    def __call__(self) -> int:
        return self.now


def test_a_source_waits_twice_as_long_each_time() -> None:
    clock = Clock()
    attempts = Attempts(clock)
    for _ in range(FREE_SOURCE):
        attempts.failed("10.0.0.1", "bot")
        assert attempts.wait("10.0.0.1", "bot") == 0
    waits = []
    for _ in range(12):
        attempts.failed("10.0.0.1", "bot")
        waits.append(attempts.wait("10.0.0.1", "bot"))
    assert waits[:5] == [2, 4, 8, 16, 32]
    assert waits[-1] == LONGEST
    clock.now += LONGEST * SECOND
    assert attempts.wait("10.0.0.1", "bot") == 0


def test_a_good_sign_in_forgets() -> None:
    attempts = Attempts(Clock())
    for _ in range(FREE_SOURCE + 1):
        attempts.failed("10.0.0.1", "bot")
    attempts.good("10.0.0.1", "bot")
    assert attempts.wait("10.0.0.1", "bot") == 0


def test_time_forgets() -> None:
    clock = Clock()
    attempts = Attempts(clock)
    for _ in range(FREE_SOURCE):
        attempts.failed("10.0.0.1", "bot")
    clock.now += (FORGET + 1) * SECOND
    attempts.failed("10.0.0.1", "bot")
    assert attempts.wait("10.0.0.1", "bot") == 0


def test_an_identity_waits_from_wherever_but_from_its_own_host() -> None:
    attempts = Attempts(Clock())
    attempts.good("10.0.0.1", "bot")
    for index in range(FREE_IDENTITY + 1):
        attempts.failed(f"10.1.0.{index}", "bot")
    assert attempts.wait("10.9.9.9", "bot") > 0
    assert attempts.wait("10.9.9.9", "other") == 0
    assert attempts.wait("10.0.0.1", "bot") == 0


def test_memory_is_bounded() -> None:
    attempts = Attempts(Clock(), entries=100)
    for index in range(1000):
        attempts.failed(f"source {index}", f"identity {index}")
        attempts.good(f"other {index}", "bot")
    assert len(attempts._sources) <= 100
    assert len(attempts._identities) <= 100
    assert len(attempts._trusted) <= 100
