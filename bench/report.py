"""What the bench says: a table of medians and ratios, with the goals beside them, and bench/RESULTS.md."""

import datetime
import os
import platform
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median

from bench.loads import Measured

GOALS: tuple[tuple[str, str, str, float], ...] = (
    ("prepared c=8", "wicketgate", "relay", 0.9),
    ("prepared c=8", "wicketgate", "pgbouncer", 0.8),
    ("simple c=1", "wicketgate", "pgbouncer", 0.8),
    ("rows, unmasked", "wicketgate", "direct", 0.9),
    ("rows, 3 masked", "wicketgate", "direct", 0.9),
    ("prepared c=8", "1000 rules", "wicketgate", 0.95),
    ("simple c=1", "1000 rules", "wicketgate", 0.95),
)
"""(load, peer, reference, the ratio to reach)."""
RATES: tuple[tuple[str, float], ...] = (
    ("detect, a third", 350_000),
    ("tokens, repeated", 1_000_000),
    ("tokens, distinct", 350_000),
)
"""(load, rows a second of one core to reach)."""
IDLE_GOAL = 40_000


def ratio(
    found: Mapping[tuple[str, str], Sequence[Measured]], load: str, peer: str, reference: str
) -> float | None:
    """Median over rounds of peer's rate by reference's rate in the same round; None if not measured."""
    if (load, reference) not in found:
        return None  # not every peer does every load
    pairs = zip(found.get((load, peer), ()), found[load, reference], strict=True)
    ratios = [one.rate / other.rate for one, other in pairs]
    return median(ratios) if ratios else None


def table(
    found: Mapping[tuple[str, str], Sequence[Measured]],
    memory: Mapping[str, float],
    middle: Callable[[list[float]], float],
) -> str:
    """Markdown: rates, CPU and ratios; goals and whether they were reached."""
    lines = [
        "| load | peer | rate /s | CPU µs each | by direct | by relay | by pgbouncer |",
        "|---|---|---:|---:|---:|---:|---:|",
    ]
    for (load, peer), measured in found.items():
        rate = middle([one.rate for one in measured])
        cpu = middle([one.cpu for one in measured]) * 1e6
        by = [_shown(ratio(found, load, peer, other)) for other in ("direct", "relay", "pgbouncer")]
        used = "" if peer == "direct" else f"{cpu:.2f}"
        lines.append(f"| {load} | {peer} | {rate:,.0f} | {used} | {' | '.join(by)} |")
    lines += ["", "| goal | wanted | found | |", "|---|---:|---:|---|"]
    for load, peer, reference, wanted in GOALS:
        got = ratio(found, load, peer, reference)
        if got is not None:
            verdict = "reached" if got >= wanted else "missed"
            lines.append(f"| {load}: {peer} by {reference} | ≥ {wanted} | {got:.2f} | {verdict} |")
    for load, rate in RATES:
        if (load, "wicketgate") in found:
            core = 1 / middle([one.cpu for one in found[load, "wicketgate"]])
            verdict = "reached" if core >= rate else "missed"
            lines.append(f"| {load}: rows/s of one core | ≥ {rate:,.0f} | {core:,.0f} | {verdict} |")
    for peer, size in memory.items():
        wanted_size = f"≤ {IDLE_GOAL / 1000:.0f} kB" if peer == "wicketgate" else ""
        verdict = ("reached" if size <= IDLE_GOAL else "missed") if peer == "wicketgate" else ""
        lines.append(f"| an idle session, {peer} | {wanted_size} | {size / 1000:.1f} kB | {verdict} |")
    return "\n".join(lines) + "\n"


def _shown(number: float | None) -> str:
    return "" if number is None else f"{number:.2f}"


def write(text: str, compiled: Sequence[str], rounds: int, seconds: int) -> None:
    """bench/RESULTS.md, which is committed."""
    today = datetime.datetime.now(datetime.UTC).date()
    (Path(__file__).parent / "RESULTS.md").write_text(
        f"""# What `make bench` found

{today}, {os.cpu_count()} cores ({platform.machine()}), Python {platform.python_version()},
{rounds} interleaved rounds, {seconds} s for each pgbench run. PostgreSQL, pgbench and the peer share them.
Wicketgate runs one worker with policy, masking and the journal on (`durability: written`); pgbouncer pools
sessions; the relay does nothing (`bench/relay.py`: uvloop, the same structure). Plain text over loopback on
both sides. Rates and CPU are medians over rounds; a ratio is the median of the rounds' own ratios, and runs
differ by about ±0.1.

Compiled modules that ran: {", ".join(f"`{name}`" for name in compiled)}.

{text}"""
    )
