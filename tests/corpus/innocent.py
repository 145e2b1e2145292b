"""The innocent corpus as data: what clients and people send that must pass, and which columns are masked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from corpus.cases import Batch
from e2e import wire

HERE = Path(__file__).parent / "innocent"


@dataclass(frozen=True, slots=True)
class Innocent:
    """One statement. masked: names of the output columns that are masked; none: the same bytes as direct."""

    source: str
    number: int
    text: str
    batch: Batch
    masked: frozenset[str]

    @property
    def id(self) -> str:
        return f"{self.source} {self.number}: {' '.join(self.text.split())[:60]}"


def innocent() -> list[Innocent]:
    """Every statement of corpus/innocent."""
    return [each for path in sorted(HERE.glob("*.yaml")) for each in _read(path)]


def _read(path: Path) -> Iterator[Innocent]:
    entries = YAML(typ="safe").load(path)["statements"] or []
    for number, entry in enumerate(entries, start=1):
        unknown = set(entry) - {"text", "extended", "masked"}
        if unknown:
            raise ValueError(f"{path.name}: {entry['text'][:60]}: {unknown}")
        extended = entry.get("extended")
        batch = (
            Batch(wire.query(entry["text"]), 1) if extended is None else _extended(entry["text"], extended)
        )
        yield Innocent(path.stem, number, entry["text"], batch, frozenset(entry.get("masked", ())))


def _extended(text: str, given: dict[str, Any]) -> Batch:
    values = [
        bytes.fromhex(value["hex"]) if isinstance(value, dict) else value for value in given.get("values", ())
    ]
    sent = [
        wire.parse("", text, given.get("types", ())),
        wire.bind("", "", values, given.get("formats", ()), given.get("results", ())),
        wire.describe_portal(),
        wire.execute(),
        wire.SYNC,
    ]
    return Batch(b"".join(sent), 1)
