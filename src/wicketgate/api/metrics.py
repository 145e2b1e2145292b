"""Metrics in Prometheus' text form, from a standing. No identity, statement or address is ever a label."""

import re
from collections.abc import Iterable
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from wicketgate.admin.ports import Standing

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class _Collector:
    def __init__(self, standing: Standing, sessions: int) -> None:
        self._standing = standing
        self._sessions = sessions

    def collect(self) -> Iterable[Metric]:
        standing = self._standing
        for name, text, amount in (
            ("wicketgate_workers", "Workers that are ready.", standing.live),
            ("wicketgate_workers_wanted", "Workers that are meant to be.", standing.wanted),
            ("wicketgate_sessions", "Sessions that are open.", self._sessions),
            ("wicketgate_store_up", "1 while the store answers.", int(not standing.store_away)),
            ("wicketgate_draining", "1 while no new session is let in.", int(standing.draining)),
            (
                "wicketgate_policy_stale",
                "1 while the newest policy can't be loaded and the one before holds.",
                int(standing.policy_error is not None),
            ),
            (
                "wicketgate_policy_revision",
                "The revision of the policy that holds; 0 where it comes from a file.",
                standing.policy_revision or 0,
            ),
            (
                "wicketgate_catalogs_closed",
                "Databases that are closed because their catalog can't be read.",
                sum(1 for error in standing.catalogs.values() if error is not None),
            ),
        ):
            yield GaugeMetricFamily(name, text, value=amount)
        # a counter's name may carry one label: `name{key=value}`
        families: dict[str, CounterMetricFamily] = {}
        for counter, count in sorted(standing.counters.items()):
            name, label, value = _split(counter)
            key = f"wicketgate_{name}"
            family = families.get(key)
            if family is None:
                labels = [label] if label else None
                family = families[key] = CounterMetricFamily(key, "Counted by workers.", labels=labels)
            family.add_metric([value] if label else [], count)
        yield from families.values()


def _split(counter: str) -> tuple[str, str, str]:
    found = re.fullmatch(r"([^{]+)\{([a-z_]+)=\"?([^\"]*)\"?\}", counter)
    name, label, value = (found[1], found[2], found[3]) if found else (counter, "", "")
    return re.sub(r"[^a-zA-Z0-9_]", "_", name).removesuffix("_total"), label, value


def render(standing: Standing, sessions: int) -> bytes:
    """Everything that is measured, now."""
    registry = CollectorRegistry(auto_describe=False)
    collector: Any = _Collector(standing, sessions)
    registry.register(collector)
    return bytes(generate_latest(registry))
