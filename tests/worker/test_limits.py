"""What a worker bounds itself by: every name that is sent is read, and what is left out is usual."""

from dataclasses import fields
from pathlib import Path

import pytest

from wicketgate.settings import default_settings
from wicketgate.worker.limits import WorkerLimits


def test_what_is_left_out_has_its_default() -> None:
    assert WorkerLimits.read({}) == WorkerLimits()


def test_the_settings_defaults_are_the_workers_own() -> None:
    assert WorkerLimits.read(default_settings(Path("wicket.yaml")).of_workers()) == WorkerLimits()


def test_every_bound_can_be_told() -> None:
    told = {
        "handshake_seconds": 1,
        "handshakes": 2,
        "handshakes_per_source": 3,
        "sessions": 4,
        "sessions_per_identity": 5,
        "dial_seconds": 6,
        "hold_seconds": 7,
        "end_seconds": 8,
        "journal_retry": 9,
        "kept": 10,
        "buffer": 11,
    }
    limits = WorkerLimits.read(told)
    assert [getattr(limits, field.name) for field in fields(limits)] == list(range(1, 12))


def test_a_setting_that_is_no_number_stops_the_worker() -> None:
    with pytest.raises(ValueError, match="many"):
        WorkerLimits.read({"sessions": "many"})
