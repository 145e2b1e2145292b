"""`detectors:` of a policy: data classes that the operator describes, read and checked.
It must never let in a pattern that RE2 refuses, nor one that matches everywhere."""

import re
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final

import re2

from wicketgate.model.detector import Custom
from wicketgate.policy.document import Node
from wicketgate.policy.reading import Invalid, Reading

CLASSES_MOST: Final = 64
PATTERNS_MOST: Final = 32
"""Of one class."""

PATTERN_LONGEST: Final = 1000
"""Characters of one pattern."""

PROGRAM_MOST: Final = 20_000
"""RE2's measure of a compiled pattern: instructions."""

WORDS_MOST: Final = 2000
"""Of one class."""

WORD_LONGEST: Final = 100
WORD_SHORTEST: Final = 2

_PROBES: Final = (b"", b"a", b"1 a-1\n", b"\n \x00")
"""Texts in which a pattern that needs no character matches nothing of."""

_CLASS: Final = re.compile(r"[a-z][a-z0-9]{0,38}(?:-[a-z0-9]{1,38}){0,4}")
_RESERVED: Final = frozenset({"reveal", "redact", "null"})
_COLUMN: Final = re.compile(r"[\w $*?-]{1,128}")


def read_detectors(reading: Reading, node: Node) -> dict[str, Custom]:
    """name -> class. Those with something wrong are left out, and what is wrong is collected."""
    found: dict[str, Custom] = {}
    with suppress(Invalid):
        entries = reading.keys(node, "detectors")
        if len(entries) > CLASSES_MOST:
            raise reading.fail(node, f"detectors has {len(entries)} classes, more than {CLASSES_MOST}")
        for name, entry in entries.items():
            with suppress(Invalid):
                if not _CLASS.fullmatch(name) or len(name) > 40 or name in _RESERVED:
                    place = node.value[name][0] if isinstance(node.value, dict) else node.place
                    raise reading.fail(place, f"{name!r} can't name a data class (like employee-number)")
                found[name] = _custom(reading, name, entry)
    return found


def _custom(reading: Reading, name: str, node: Node) -> Custom:
    keys = reading.keys(node, f"the detector {name!r}", ("pattern", "words", "columns", "context"))
    if not keys.keys() & {"pattern", "words", "columns"}:
        raise reading.fail(node, f"the detector {name!r} needs one of pattern, words and columns")
    if "context" in keys and not keys.keys() & {"pattern", "words"}:
        reading.problems.add(keys["context"], "context says where pattern and words count: there is neither")
    before = len(reading.problems)
    made = Custom(
        name,
        patterns=_patterns(reading, keys),
        words=_words(reading, keys, "words"),
        columns=_columns(reading, keys),
        context=_words(reading, keys, "context"),
    )
    if len(reading.problems) > before:
        raise Invalid
    return made


def _some(reading: Reading, node: Node, what: str) -> list[tuple[Node, str]]:
    """One text, or a list of them."""
    if isinstance(node.value, str):
        return [(node, reading.text(node, what))]
    return reading.texts(node, what)


def _patterns(reading: Reading, keys: Mapping[str, Node]) -> tuple[str, ...]:
    if "pattern" not in keys:
        return ()
    found: list[str] = []
    listed = _some(reading, keys["pattern"], "pattern")
    if len(listed) > PATTERNS_MOST:
        raise reading.fail(keys["pattern"], f"pattern has more than {PATTERNS_MOST} entries")
    for node, text in listed:
        with suppress(Invalid):
            check(reading, node, text)
            found.append(text)
    return tuple(found)


def check(reading: Reading, node: Node, text: str) -> None:
    """Raises Invalid for a pattern that can't be used; what is wrong has been collected then."""
    if len(text) > PATTERN_LONGEST:
        raise reading.fail(node, f"the pattern is longer than {PATTERN_LONGEST} characters")
    options: Any = re2.Options()
    options.log_errors = False
    try:
        compiled = re2.compile(text.encode(), options)
    except re2.error as error:
        reason = error.args[0] if error.args else "it can't be read"
        said = reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)
        raise reading.fail(node, f"RE2 refuses the pattern: {said}") from None
    if compiled.programsize > PROGRAM_MOST:
        raise reading.fail(node, "the pattern is too large: its repeats multiply")
    if any((match := compiled.search(probe)) and match.end() == match.start() for probe in _PROBES):
        raise reading.fail(node, "the pattern matches where nothing stands: it would match everywhere")


def _words(reading: Reading, keys: Mapping[str, Node], key: str) -> tuple[str, ...]:
    if key not in keys:
        return ()
    listed = _some(reading, keys[key], key)
    if len(listed) > WORDS_MOST:
        raise reading.fail(keys[key], f"{key} has more than {WORDS_MOST} entries")
    for node, text in listed:
        if not WORD_SHORTEST <= len(text) <= WORD_LONGEST or text != text.strip() or not text.isprintable():
            reading.problems.add(
                node, f"each of {key} has {WORD_SHORTEST} to {WORD_LONGEST} characters, no space around them"
            )
    return tuple(text for _, text in listed)


def _columns(reading: Reading, keys: Mapping[str, Node]) -> tuple[str, ...]:
    if "columns" not in keys:
        return ()
    listed = _some(reading, keys["columns"], "columns")
    if len(listed) > WORDS_MOST:
        raise reading.fail(keys["columns"], f"columns has more than {WORDS_MOST} entries")
    for node, text in listed:
        if not _COLUMN.fullmatch(text):
            reading.problems.add(
                node, f"{text!r}: a column's name, in which * and ? stand for any characters"
            )
        elif not text.strip("*? "):
            reading.problems.add(node, f"{text!r} would match every column")
    return tuple(text for _, text in listed)
