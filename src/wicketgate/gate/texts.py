"""Texts as a session's lines state them: whole once, by reference afterwards (compiled).
It must never refer to a line that does not hold the text."""

from typing import Final

from wicketgate.gate import render
from wicketgate.model.ports import Lines
from wicketgate.model.statement import Statement

MOST_TEXTS: Final = 512
MOST_TEXT: Final = 65536
"""Entries, and bytes of text, that a session remembers: memory limits. Forgetting costs a longer record."""


class Texts:
    """One session's. known: text key -> HEAD's member that refers to its line, oldest first. key: for the
    digests of texts that carry a secret."""

    __slots__ = ("_bytes", "_key", "_lines", "known")

    def __init__(self, lines: Lines, key: bytes) -> None:
        self.known: dict[object, bytes] = {}
        self._bytes: int = 0
        self._key: bytes = key
        self._lines: Lines = lines

    def state(self, statement: Statement) -> bytes:
        """BODY's members where the text stands for the first time: the session's next line will hold it."""
        text = statement.text
        redact = statement.facts.redact_text
        self._bytes += len(text)
        if len(self.known) >= MOST_TEXTS or self._bytes > MOST_TEXT:
            self.known.clear()
            self._bytes = len(text)
        self.known[statement.text_key] = b',"x":%d' % (self._lines.q + 1)
        body = render.text_member(text, redact, self._key)
        parameters = statement.parameters
        if parameters and not redact:
            return body + b"," + render.parameters_member(parameters)
        return body

    def stated(self, statement: Statement, head: bytes) -> tuple[bytes, bytes | None]:
        """The text once a session, a reference afterwards; parameters each time."""
        stated = self.known.get(statement.text_key)
        if stated is None:
            return head, self.state(statement)
        head += stated
        parameters = statement.parameters
        if parameters and not statement.facts.redact_text:
            return head, render.parameters_member(parameters)
        return head, None
