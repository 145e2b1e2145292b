"""Typed values out of a tree, with a word about each that is not what it should be.
It must never go on with a default where something wrong was written.
"""

import difflib
import re
from collections.abc import Iterable, Mapping
from typing import Final

from wicketgate.policy.document import Node, Place, Problems

_LABEL: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._/-]{0,126}[A-Za-z0-9])?")
_NAME: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")


class Invalid(Exception):
    """A value that can't be used; what is wrong with it has been collected already."""


def near(word: str, known: Iterable[str]) -> str:
    """A hint at what may have been meant, to stand behind a message."""
    among = sorted(known)
    close = difflib.get_close_matches(word, among, 1, 0.6)
    if close:
        return f"; did you mean {close[0]!r}?"
    return f"; there is {', '.join(among)}" if 0 < len(among) <= 24 else ""


class Reading:
    """Reads values; what is wrong goes to `problems`, and Invalid is raised for the one value.

    vaults: names of the servers that accounts' passwords may lie on; None: any.
    aws: whether they may lie there. client_ca: whether clients may show certificates."""

    def __init__(
        self,
        problems: Problems,
        vaults: frozenset[str] | None = None,
        aws: bool = True,
        client_ca: bool = True,
    ) -> None:
        self.problems = problems
        self.vaults = vaults
        self.aws = aws
        self.client_ca = client_ca

    def fail(self, where: Node | Place, message: str) -> Invalid:
        """Collects it, and gives what to raise."""
        self.problems.add(where, message)
        return Invalid(message)

    def keys(
        self, node: Node, what: str, allowed: Iterable[str] | None = None, required: Iterable[str] = ()
    ) -> Mapping[str, Node]:
        """A map's entries. allowed None: any key. Unknown keys are collected and left out."""
        if not isinstance(node.value, dict):
            raise self.fail(node, f"{what} must be a map, not {node.noun}")
        found: dict[str, Node] = {}
        known = None if allowed is None else frozenset(allowed)
        for key, (place, value) in node.value.items():
            if known is not None and key not in known:
                self.problems.add(place, f"{what} has no key {key!r}{near(key, known)}")
            else:
                found[key] = value
        missing = [key for key in required if key not in found]
        for key in missing:
            self.problems.add(node, f"{what} needs {key!r}")
        if missing:
            raise Invalid
        return found

    def text(self, node: Node, what: str) -> str:
        """Text that is not empty."""
        if not isinstance(node.value, str):
            raise self.fail(node, f"{what} must be text, not {node.noun}")
        if not node.value.strip():
            raise self.fail(node, f"{what} is empty")
        return node.value

    def name(self, node: Node, what: str) -> str:
        """Text that may name a resource, an account or a group: letters, digits and `._-`."""
        return self.check_name(node, self.text(node, what), what)

    def check_name(self, where: Node | Place, text: str, what: str) -> str:
        if not _NAME.fullmatch(text):
            raise self.fail(where, f"{what} {text!r} must be up to 63 letters, digits, and ._- between them")
        return text

    def integer(self, node: Node, what: str, least: int, most: int) -> int:
        if type(node.value) is not int:
            raise self.fail(node, f"{what} must be a whole number, not {node.noun}")
        if not least <= node.value <= most:
            raise self.fail(node, f"{what} must be from {least} to {most}")
        return node.value

    def choice(self, node: Node, what: str, allowed: Iterable[str]) -> str:
        text = self.text(node, what)
        known = frozenset(allowed)
        if text not in known:
            raise self.fail(node, f"{what} can't be {text!r}{near(text, known)}")
        return text

    def sequence(self, node: Node, what: str) -> list[Node]:
        """A list that is not empty."""
        if not isinstance(node.value, list):
            raise self.fail(node, f"{what} must be a list, not {node.noun}")
        if not node.value:
            raise self.fail(node, f"{what} is an empty list: it can never match")
        return node.value

    def texts(self, node: Node, what: str) -> list[tuple[Node, str]]:
        """A list of different texts, each with its place."""
        found: dict[str, Node] = {}
        for each in self.sequence(node, what):
            text = self.text(each, f"each of {what}")
            if text in found:
                self.problems.add(each, f"{what} has {text!r} twice")
            else:
                found[text] = each
        return [(each, text) for text, each in found.items()]

    def labels(self, node: Node, what: str) -> dict[str, str]:
        """A map of text to text; numbers and true/false stand for how they are written."""
        found: dict[str, str] = {}
        for key, value in self.keys(node, what).items():
            written = value.value
            if isinstance(written, bool):
                written = "true" if written else "false"
            elif isinstance(written, int):
                written = str(written)
            if not isinstance(written, str) or not written:
                self.problems.add(value, f"the label {key!r} must be text, not {value.noun}")
            elif not _LABEL.fullmatch(key):
                self.problems.add(value, f"{key!r} can't be a label's name")
            else:
                found[key] = written
        return found
