"""Cuts entries out of a YAML text, and leaves every other character as it was, comments among them.
It must never cut where it can't tell exactly what belongs to an entry: then it leaves that entry alone."""

from collections.abc import Collection
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.nodes import MappingNode, ScalarNode, SequenceNode

Cut = tuple[int, int, str]
"""From, to (offsets in the text), and what stands there in place of it."""


def compose(text: str) -> Any:
    """The text's tree, with marks."""
    return YAML(typ="safe", pure=True).compose(text)


def member(node: Any, key: str) -> Any:
    """A map's value, or None."""
    if isinstance(node, MappingNode):
        for name, value in node.value:
            if isinstance(name, ScalarNode) and name.value == key:
                return value
    return None


class Text:
    """One file. Cuts are gathered and made together."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.root = compose(text)
        self._starts = [0]
        for line in text.split("\n")[:-1]:
            self._starts.append(self._starts[-1] + len(line) + 1)

    def cut(self, cuts: Collection[Cut]) -> str:
        """The text without these."""
        made = self.text
        for start, end, instead in sorted(cuts, reverse=True):
            made = made[:start] + instead + made[end:]
        return made

    def at(self, mark: Any) -> int:
        return self._starts[mark.line] + mark.column if mark.line < len(self._starts) else len(self.text)

    def entries(self, node: SequenceNode, gone: Collection[int]) -> list[Cut] | None:
        """Cuts that take these out of a list (not all of them). None: it can't be told what to cut."""
        if node.flow_style:
            kept = [each for at, each in enumerate(node.value) if at not in gone]
            start, end = self.at(node.value[0].start_mark), self._end(node.value[-1])
            if "#" in self.text[start:end]:
                return None
            return [(start, end, ", ".join(self._written(each) for each in kept))]
        return self._lines([node.value[at] for at in gone], "-")

    def key(self, node: MappingNode, key: str) -> list[Cut] | None:
        """Cuts that take a key out of a map (not its only one)."""
        at = next(at for at, (name, _) in enumerate(node.value) if name.value == key)
        name, value = node.value[at]
        start, end = self.at(name.start_mark), self._end(value)
        alone = self._before(name).strip() == ""
        if not node.flow_style and alone:
            last = self._last_line(value)
            return [(self._starts[name.start_mark.line], self._line_end(last), "")]
        if at + 1 < len(node.value):
            end = self.at(node.value[at + 1][0].start_mark)
        elif at > 0:
            start = self._end(node.value[at - 1][1])
        return None if "#" in self.text[start:end] else [(start, end, "")]

    def _lines(self, nodes: Collection[Any], marker: str) -> list[Cut] | None:
        """Whole lines that hold these entries of a block list alone."""
        cuts = []
        for node in nodes:
            if self._before(node).strip() != marker:
                return None
            first = node.start_mark.line
            cuts.append((self._starts[first], self._line_end(self._last_line(node)), ""))
        return cuts

    def _before(self, node: Any) -> str:
        """What stands before it in its line."""
        return self.text[self._starts[node.start_mark.line] : self.at(node.start_mark)]

    def _written(self, node: Any) -> str:
        return self.text[self.at(node.start_mark) : self._end(node)]

    def _leaf(self, node: Any) -> Any:
        """The last thing that is written of a node: a block's own end lies behind comments that follow."""
        while not isinstance(node, ScalarNode) and not node.flow_style and node.value:
            last = node.value[-1]
            node = last[1] if isinstance(node, MappingNode) else last
        return node

    def _end(self, node: Any) -> int:
        return self.at(self._leaf(node).end_mark)

    def _last_line(self, node: Any) -> int:
        leaf = self._leaf(node)
        line = int(leaf.end_mark.line)
        # a block scalar (`|`, `>`) ends at the start of the next line
        return line - 1 if leaf.end_mark.column == 0 and line > leaf.start_mark.line else line

    def _line_end(self, line: int) -> int:
        return self._starts[line + 1] if line + 1 < len(self._starts) else len(self.text)
