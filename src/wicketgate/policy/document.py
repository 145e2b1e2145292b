"""YAML 1.2 text as a tree that knows where each of its parts stands, and the list of what is wrong with it.
It must never take one of two equal keys, follow an alias, or build an object that a tag asks for.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NoReturn

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    CollectionEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceStartEvent,
)

from wicketgate.model.errors import PolicyError

LARGEST: Final = 8 << 20
"""Characters in one file. A security limit: the parser is plain Python."""

DEEPEST: Final = 24
"""Levels of nesting. A security limit: readers of the tree recurse."""

_MISLEADING: Final = re.compile("[\x85\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff]")
"""Line breaks of YAML 1.1 alone, and what turns the direction of writing: an editor shows something else."""

_INTEGER: Final = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,18})")
_FLOAT: Final = re.compile(r"[-+]?(?:0|[1-9][0-9]*)\.[0-9]+")
_BOOLEANS: Final = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_NULLS: Final = frozenset({"", "~", "null", "Null", "NULL"})
_NOUNS: Final = {dict: "a map", list: "a list", str: "text", bool: "true or false", int: "a number"}

Scalar = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class Place:
    """Where something stands. line and column count from 1; line 0: the file as a whole."""

    file: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """One value of the tree.

    value: a Scalar, a list of nodes, or a dictionary from key to (the key's place, node).
    plain: a scalar written without quotes, on one line, so that a column in it can be pointed at.
    """

    place: Place
    value: "Scalar | list[Node] | dict[str, tuple[Place, Node]]"
    plain: bool = False

    @property
    def noun(self) -> str:
        """What the value is, for messages."""
        return "nothing" if self.value is None else _NOUNS.get(type(self.value), "a number")

    def content(self) -> Any:
        """The tree without places, as JSON would have it."""
        if isinstance(self.value, dict):
            return {key: node.content() for key, (_, node) in self.value.items()}
        if isinstance(self.value, list):
            return [node.content() for node in self.value]
        return self.value

    def get(self, *path: "str | int") -> "Node | None":
        """The node under keys and indexes, or None. For those who hold a path and want its place."""
        node: Node = self
        for step in path:
            if isinstance(node.value, dict) and step in node.value:
                node = node.value[str(step)][1]
            elif isinstance(node.value, list) and isinstance(step, int) and step < len(node.value):
                node = node.value[step]
            else:
                return None
        return node


class Problems:
    """What is wrong, collected, so that one attempt shows all of it."""

    def __init__(self) -> None:
        self._found: list[tuple[Place, str]] = []

    def add(self, where: Node | Place, message: str) -> None:
        place = where.place if isinstance(where, Node) else where
        if (place, message) not in self._found:
            self._found.append((place, message))

    def __bool__(self) -> bool:
        return bool(self._found)

    def __len__(self) -> int:
        return len(self._found)

    def raise_any(self) -> None:
        """Raises PolicyError with one line for each problem, in the order of the file; else does nothing."""
        if self._found:
            ordered = sorted(self._found, key=lambda each: (each[0].file, each[0].line, each[0].column))
            raise PolicyError("\n".join(f"{place}: {message}" for place, message in ordered))


@dataclass(frozen=True, slots=True)
class Source:
    """A file's name, as messages show it and as paths in it are relative to, and its text."""

    file: str
    text: str


def read_sources(path: Path) -> tuple[Source, ...]:
    """The file, or the *.yaml and *.yml files of a folder in the order of their names.

    Raises PolicyError where there is none, or one can't be read or is not UTF-8.
    """
    try:
        if path.is_dir():
            files = sorted(each for each in path.iterdir() if each.suffix in (".yaml", ".yml"))
            if not files:
                raise PolicyError(f"{path}: the folder holds no .yaml file")
        else:
            files = [path]
        return tuple(Source(str(file), file.read_bytes().decode("utf-8")) for file in files)
    except OSError as error:
        raise PolicyError(f"{path}: {error.strerror or 'it cannot be read'}") from None
    except UnicodeDecodeError:
        raise PolicyError(f"{path}: it is not UTF-8 text") from None


def parse(source: Source) -> Node:
    """The tree of one text. Raises PolicyError with file, line and column at the first fault of form."""
    if len(source.text) > LARGEST:
        raise PolicyError(f"{source.file}: it is larger than {LARGEST >> 20} MiB")
    if (found := _MISLEADING.search(source.text)) is not None:
        line = source.text.count("\n", 0, found.start()) + 1
        column = found.start() - source.text.rfind("\n", 0, found.start())
        place = Place(source.file, line, column)
        raise PolicyError(f"{place}: the character U+{ord(found[0]):04X} is not taken")
    try:
        return _build(source, pure=False)
    except (PolicyError, *_FAULTS):
        pass  # libyaml knows YAML 1.1 only (it takes no `{address: host:5432}`): what it says is not final
    try:
        return _build(source, pure=True)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = Place(source.file, mark.line + 1, mark.column + 1) if mark else Place(source.file)
        raise PolicyError(f"{place}: {error.problem or error.context or 'it is not YAML'}") from None
    except YAMLError as error:
        raise PolicyError(f"{source.file}: it is not YAML: {str(error).splitlines()[0]}") from None
    except _FAULTS:
        raise PolicyError(f"{source.file}: it is not YAML") from None


_FAULTS: Final = (YAMLError, ValueError, RecursionError, AttributeError, IndexError, StopIteration)


def _build(source: Source, pure: bool) -> Node:
    """pure False: by libyaml where it is installed, six times as fast."""
    loader = YAML(typ="safe", pure=pure)
    return _Builder(source.file, iter(loader.parse(source.text))).document()


class _Builder:
    """Events to nodes."""

    def __init__(self, file: str, events: Iterator[Any]) -> None:
        self._file = file
        self._events = events

    def document(self) -> Node:
        root: Node | None = None
        for event in self._events:
            if isinstance(event, ScalarEvent | MappingStartEvent | SequenceStartEvent | AliasEvent):
                if root is not None:
                    self._fail(event, "a second document in one file")
                root = self._node(event, 0)
        return Node(Place(self._file, 1, 1), {}) if root is None or root.value is None else root

    def _place(self, event: Any) -> Place:
        return Place(self._file, event.start_mark.line + 1, event.start_mark.column + 1)

    def _fail(self, event: Any, message: str) -> NoReturn:
        raise PolicyError(f"{self._place(event)}: {message}")

    def _node(self, event: Any, depth: int) -> Node:
        if isinstance(event, AliasEvent) or event.anchor is not None:
            self._fail(event, "anchors and aliases are not taken: write it out")
        if event.tag is not None and str(event.tag) != "!":
            self._fail(event, f"the tag {event.tag} is not taken")
        if depth > DEEPEST:
            self._fail(event, f"nested deeper than {DEEPEST} levels")
        if isinstance(event, ScalarEvent):
            written = str(event.value)
            plain = event.style is None or event.style == ""
            single = plain and event.start_mark.line == event.end_mark.line
            return Node(self._place(event), resolve(written) if plain else written, single)
        if isinstance(event, SequenceStartEvent):
            return Node(self._place(event), [self._node(each, depth + 1) for each in self._members()])
        if isinstance(event, MappingStartEvent):
            return Node(self._place(event), self._mapping(depth))
        self._fail(event, "it is not YAML")

    def _members(self) -> Iterator[Any]:
        for event in self._events:
            if isinstance(event, CollectionEndEvent):
                return
            yield event

    def _mapping(self, depth: int) -> dict[str, tuple[Place, Node]]:
        found: dict[str, tuple[Place, Node]] = {}
        for event in self._members():
            if not isinstance(event, ScalarEvent):
                self._fail(event, "a key must be text")
            if event.anchor is not None or (event.tag is not None and str(event.tag) != "!"):
                self._fail(event, "a key must be plain text")
            key, place = str(event.value), self._place(event)
            if key in found:
                self._fail(event, f"{key!r} is given twice; first in line {found[key][0].line}")
            found[key] = (place, self._node(next(self._events), depth + 1))
        return found


def resolve(written: str) -> Scalar:
    """What an unquoted scalar means: YAML 1.2's core schema, without octal, hexadecimal and exponents."""
    if written in _NULLS:
        return None
    if written in _BOOLEANS:
        return _BOOLEANS[written]
    if _INTEGER.fullmatch(written):
        return int(written)
    return float(written) if _FLOAT.fullmatch(written) else written


def restore(file: str, content: Any) -> Node:
    """The tree of what `Node.content` gave, without lines: for those who got it from one that was checked."""
    if isinstance(content, dict):
        return Node(Place(file), {key: (Place(file), restore(file, each)) for key, each in content.items()})
    if isinstance(content, list):
        return Node(Place(file), [restore(file, each) for each in content])
    return Node(Place(file), content)
