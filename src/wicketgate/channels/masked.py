"""A statement's text without a value in it: for channels, whose readers nobody has let see data.
It must never let a piece through that it can't read: from there on nothing is shown.

What stands in quotes, numbers, comments and names that do not look like names are left out. The rules are
those of PostgreSQL's lexer (manual, 4.1), read narrowly: where two readings differ, both are hidden.
"""

import re
from typing import Final

from wicketgate.model.unseen import UNSEEN

LONGEST: Final = 2000
"""Characters of the result."""
MOST_READ: Final = 100_000
REST: Final = "… (the rest is not shown)"
HIDDEN: Final = "?"
_DIGITS: Final = 4
"""Digits in a name at most: of what has more, nobody can say that it is no number."""

_SPACE: Final = re.compile(r"[ \t\r\n\f\v]+")
_LINE: Final = re.compile(r"--[^\r\n]*")
_MARKS: Final = re.compile(r"/\*|\*/")
_STRING: Final = re.compile(r"(?i)(?:([ebxn])|u&)?'")
_ESCAPED: Final = re.compile(r"(?s)(?:[^'\\]|\\.|'')*'")
_PLAIN: Final = re.compile(r"(?s)((?:[^']|'')*)'")
_QUOTED: Final = re.compile(r'(?is)(u&)?"((?:[^"]|"")*)"')
_DOLLAR: Final = re.compile(r"\$(?:[^\W\d]\w*)?\$")
_PARAMETER: Final = re.compile(r"\$[0-9]{1,5}(?![\w$])")
_NUMBER: Final = re.compile(r"\.?[0-9][\w.$]*")
_WORD: Final = re.compile(r"[^\W\d][\w$]*")
_NAME: Final = re.compile(r"[^\W\d][\w$ ]{0,62}")
_SIGNS: Final = frozenset("()[]{},;:.*+-/<>=~!@#%^&|?")
_READS: Final = frozenset(
    {"SELECT", "INSERT", "UPDATE", "DELETE", "MERGE", "WITH", "VALUES", "TABLE", "EXPLAIN", "DECLARE"}
)
"""Statements in which TO and = do not give a setting its value."""


def plain_name(name: str) -> bool:
    """Whether it looks like what a person calls a table, and not like a value."""
    return (
        _NAME.fullmatch(name) is not None
        and name.isprintable()
        and UNSEEN.search(name) is None
        and sum(each.isdigit() or each.isnumeric() for each in name) <= _DIGITS
    )


def mask(text: str) -> str:
    """The text without literals, comments and odd names; whitespace in one piece each."""
    parts: list[str] = []
    at, size = 0, 0
    whole = text[:MOST_READ]
    first, setting, given = "", False, False
    while at < len(whole) and size <= LONGEST:
        at, piece, rest = _piece(whole, at)
        word = piece.upper()
        if piece == ";":
            first, setting, given = "", False, False
        elif piece and _WORD.fullmatch(piece):
            first = first or word
            if given:
                piece = HIDDEN
            elif first not in _READS:
                setting = setting or word == "SET"
                given = setting and word == "TO"
        elif piece == "=" and setting:
            given = True
        elif given and piece.startswith('"'):
            piece = HIDDEN
        if piece or rest:
            parts.append(piece)
            size += len(piece)
        if rest:
            parts.append(REST)
            break
    made = "".join(parts).strip()
    if at < len(whole) or len(text) > MOST_READ or len(made) > LONGEST + len(REST):
        made = made.removesuffix(REST)[:LONGEST].rstrip() + REST
    return made


def _piece(text: str, at: int) -> tuple[int, str, bool]:
    """(where it goes on, what is shown of this piece, whether nothing behind it can be read)."""
    if found := _SPACE.match(text, at):
        return found.end(), "\n" if "\n" in found[0] else " ", False
    if found := _LINE.match(text, at):
        return found.end(), "", False
    if text.startswith("/*", at):
        end = _comment(text, at)
        return (len(text), "", True) if end is None else (end, " ", False)
    if found := _STRING.match(text, at):
        return _string(text, found)
    if found := _QUOTED.match(text, at):
        name = found[2].replace('""', '"')
        # U&"" spells letters by their numbers
        shown = f'"{name}"' if found[1] is None and plain_name(name) else f'"{HIDDEN}"'
        return found.end(), shown, False
    if found := _PARAMETER.match(text, at):
        return found.end(), found[0], False
    if found := _DOLLAR.match(text, at):
        end = text.find(found[0], found.end())
        return (len(text), HIDDEN, True) if end < 0 else (end + len(found[0]), HIDDEN, False)
    if found := _NUMBER.match(text, at):
        return found.end(), HIDDEN, False
    if found := _WORD.match(text, at):
        value = found[0].lower() in ("true", "false")
        return found.end(), found[0] if plain_name(found[0]) and not value else HIDDEN, False
    if text[at] in _SIGNS:
        return at + 1, text[at], False
    return len(text), HIDDEN, True  # an open quote, a control character, what PostgreSQL would refuse


def _string(text: str, found: "re.Match[str]") -> tuple[int, str, bool]:
    if (found[1] or "").lower() == "e":
        ended = _ESCAPED.match(text, found.end())
        return (len(text), HIDDEN, True) if ended is None else (ended.end(), HIDDEN, False)
    ended = _PLAIN.match(text, found.end())
    # with standard_conforming_strings off, a backslash would have hidden the quote that seems to end it
    if ended is None or "\\" in ended[1]:
        return len(text), HIDDEN, True
    return ended.end(), HIDDEN, False


def _comment(text: str, at: int) -> int | None:
    """Behind a comment, which may hold others; None: it has no end."""
    depth = 0
    for found in _MARKS.finditer(text, at):
        depth += 1 if found[0] == "/*" else -1
        if depth == 0:
            return found.end()
    return None
