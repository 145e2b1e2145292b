"""What a worker counts is told once."""

from wicketgate.worker.tally import Tally


def test_what_was_told_is_not_told_again() -> None:
    tally = Tally()
    tally.count("faults")
    tally.count("faults", 2)
    tally.count("dials_failed")
    assert tally.take() == {"faults": 3, "dials_failed": 1}
    assert tally.take() == {}
    tally.count("faults")
    assert tally.take() == {"faults": 1}
