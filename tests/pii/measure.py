"""How well detectors do on the corpus: `make pii` prints the table.

A value counts as found where a finding of its class covers all of it. A finding is wrong where it touches no
value of its class. Precision and recall per class; what was found and wrong per kind of text."""

import sys
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from pii.negatives import negatives
from pii.positives import positives
from pii.samples import Sample
from wicketgate.masking.__main__ import findings
from wicketgate.masking.detect import CLASSES, Detectors

SEED = 9


@dataclass(slots=True)
class Score:
    """Counts of one class or kind, and some of what went wrong."""

    found: int = 0
    missed: int = 0
    wrong: int = 0
    examples: list[str] = field(default_factory=list)

    @property
    def precision(self) -> float:
        return self.found / (self.found + self.wrong) if self.found + self.wrong else 1.0

    @property
    def recall(self) -> float:
        return self.found / (self.found + self.missed) if self.found + self.missed else 1.0


@dataclass(slots=True)
class Table:
    """positives, negatives: how many texts of either sort."""

    classes: dict[str, Score] = field(default_factory=lambda: defaultdict(Score))
    kinds: dict[str, Score] = field(default_factory=lambda: defaultdict(Score))
    positives: int = 0
    negatives: int = 0


def corpus(seed: int = SEED) -> Iterable[Sample]:
    yield from positives(seed)
    yield from negatives(seed)


def measure(detectors: Detectors, samples: Iterable[Sample]) -> Table:
    table = Table()
    for sample in samples:
        spans = findings(detectors, sample.column, sample.text)
        table.positives += bool(sample.spans)
        table.negatives += not sample.spans
        for data_class, start, end in sample.spans:
            covering = [each for each in spans if each["class"] == data_class]
            hit = any(each["start"] <= start and each["end"] >= end for each in covering)
            for score in (table.classes[data_class], table.kinds[sample.kind]):
                score.found += hit
                score.missed += not hit
                if not hit:
                    score.examples.append(
                        f"missed {sample.kind} | {sample.column} | {sample.text!r} -> {spans}"
                    )
        for each in spans:
            touched = any(
                each["class"] == data_class and each["start"] < end and each["end"] > start
                for data_class, start, end in sample.spans
            )
            if not touched:
                shown = sample.text[each["start"] : each["end"]]
                for score in (table.classes[each["class"]], table.kinds[sample.kind]):
                    score.wrong += 1
                    score.examples.append(
                        f"wrong {each['class']} {shown!r} | {sample.kind} | {sample.column} | {sample.text!r}"
                    )
    return table


def main() -> None:
    """Prints the table; with -v, all that went wrong (the corpus is made up: nothing in it is anybody's)."""
    table = measure(Detectors(CLASSES), corpus())
    print(f"{table.positives} texts with a value, {table.negatives} without\n")
    print(f"{'class':14} {'values':>7} {'found':>7} {'wrong':>6} {'precision':>10} {'recall':>8}")
    for name in CLASSES:
        score = table.classes[name]
        print(
            f"{name:14} {score.found + score.missed:7} {score.found:7} {score.wrong:6}"
            f" {score.precision:10.4f} {score.recall:8.4f}"
        )
    print(f"\n{'kind':18} {'texts':>7} {'found':>7} {'wrong':>6}")
    for sample in corpus():
        table.kinds[sample.kind]
    for kind, score in table.kinds.items():
        count = sum(1 for sample in corpus() if sample.kind == kind)
        print(f"{kind:18} {count:7} {score.found if score.found + score.missed else '-':>7} {score.wrong:6}")
    if "-v" in sys.argv:
        for score in table.classes.values():
            print(*score.examples, sep="\n")


if __name__ == "__main__":
    main()
