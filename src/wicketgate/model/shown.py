"""What reviewers are shown of a statement that waits, and what of it is kept from whom. Pure.
It must never show a value of a data class that the viewer's policy does not reveal, nor of an unknown one.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

HIDDEN: Final = "•••"
UNKNOWN: Final = "*"
"""Stands for a data class that is not known: nobody is shown such a value."""
OPEN: Final = (
    "source",
    "policy",
    "rules",
    "message",
    "effects",
    "commands",
    "relations",
    "reads",
    "whole",
    "writes",
    "functions",
    "complete",
    "estimate",
    "usable",
    "unseen",
    "lately",
    "transaction",
    "beside",
    "protocol",
    "reason_claimed",
)
"""Members of `shown` that hold no value of a row or a parameter: whoever puts them there sees to that. Texts
of `lately` are without constants. `unseen`: what of the statement nobody sees here, a line each."""


def classes_of(shown: Mapping[str, Any]) -> frozenset[str]:
    """Data classes that the statement's constants and parameters may hold values of. Where nothing is said of
    that: of an unknown one."""
    told = shown.get("classes")
    if not isinstance(told, list | tuple):
        return frozenset({UNKNOWN})
    found = {each if isinstance(each, str) else UNKNOWN for each in told}
    for each in _parameters(shown):
        if each.get("class") is not None:
            found.add(str(each["class"]))
    return frozenset(found)


def _parameters(shown: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    told = shown.get("parameters")
    return [each for each in told if isinstance(each, Mapping)] if isinstance(told, list | tuple) else []


def shown_to(shown: Mapping[str, Any], reveals: Callable[[str], bool]) -> dict[str, Any]:
    """What somebody is shown of a statement. reveals: whether his policy reveals a data class to him.

    Members: `statement`, its text; `masked`, the text without its constants; `parameters`, each with `value`
    (text or null) and `class` (null: of none); `classes`, those of columns that it reads, compares with or
    writes (empty: of none; missing: it is not known); `pretty`, the text as people would write it, which is
    shown where nothing is hidden; and those that are OPEN. `hides` is added: whether anything is hidden."""
    hidden = sorted(each for each in classes_of(shown) if each == UNKNOWN or not reveals(each))
    found = {name: shown[name] for name in OPEN if name in shown}
    found["classes"] = sorted(classes_of(shown))
    found["statement"] = shown.get("masked", HIDDEN) if hidden else shown.get("statement", HIDDEN)
    if not hidden and isinstance(shown.get("pretty"), str):
        found["pretty"] = shown["pretty"]
    found["parameters"] = [
        {
            "value": HIDDEN if _hides(each.get("class"), hidden) else each.get("value"),
            "class": each.get("class"),
        }
        for each in _parameters(shown)
    ]
    found["hides"] = bool(hidden)
    return found


def _hides(data_class: object, hidden: Iterable[str]) -> bool:
    told = set(hidden)
    return UNKNOWN in told or (data_class is not None and str(data_class) in told)
