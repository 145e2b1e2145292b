"""The words of a statement as its writer typed them: names, string literals, other tokens.
It must never take a part of a token, or anything within a comment, for a token.
Source: PostgreSQL manual, "Lexical Structure".
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

LONGEST_NAME: Final = 63
"""Bytes of an identifier that PostgreSQL keeps."""

_SKIPPED: Final = re.compile(r"(?:\s+|--[^\r\n]*)+")
_STRING: Final = re.compile(r"'(?:[^']|'')*'")
_ESCAPED: Final = re.compile(r"[eE]('(?:[^'\\]|''|\\.)*')", re.DOTALL)
_PREFIXED: Final = re.compile(r"(?:[bBxXnN]|[uU]&)('(?:[^']|'')*')")
_DOLLAR: Final = re.compile(r"\$(?:[A-Za-z_\u0080-\U0010ffff][A-Za-z0-9_\u0080-\U0010ffff]*)?\$")
_QUOTED: Final = re.compile(r'"(?:[^"]|"")+"')
_WORD: Final = re.compile(r"[A-Za-z_\u0080-\U0010ffff][A-Za-z0-9_$\u0080-\U0010ffff]*")
_NUMBER: Final = re.compile(r"\.?\d[\w.]*")
_PARAMETER: Final = re.compile(r"\$\d+")
_OPERATOR: Final = re.compile(r"[-+*/<>=~!@#%^&|`?]+|::|:=|\.\.|.", re.DOTALL)
_LOWER: Final = {code: code + 32 for code in range(ord("A"), ord("Z") + 1)}
_ENDS: Final = re.compile(r"/\*|\*/")


@dataclass(frozen=True, slots=True)
class Tokens:
    """names: identifiers and keywords as the server reads them (folded, cut to 63 bytes), and chains of them
    (`a.b`). literals: contents of string literals. spelled: the same, and in lower case, as a literal names a
    relation. words: every token as it was typed."""

    names: frozenset[str]
    literals: frozenset[str]
    spelled: frozenset[str]
    words: frozenset[str]


NONE: Final = Tokens(frozenset(), frozenset(), frozenset(), frozenset())


@lru_cache(maxsize=16)
def tokens_of(text: bytes) -> Tokens:
    """The tokens of a statement, up to a quote that stays open. Bytes that are no UTF-8 have none."""
    try:
        source = text.decode()
    except UnicodeDecodeError:
        return NONE
    names: set[str] = set()
    literals: set[str] = set()
    words: set[str] = set()
    chain: list[str] = []
    dotted = False
    at, size = 0, len(source)
    while at < size:
        skipped = _SKIPPED.match(source, at)
        if skipped is not None:
            at = skipped.end()
            continue
        if source.startswith("/*", at):
            at = _comment_end(source, at)
            continue
        found = _token(source, at)
        if found is None:
            break
        typed, literal, name = found
        at += len(typed)
        words.add(typed)
        if literal is not None:
            literals.add(literal)
        if name is not None:
            names.add(name)
            chain = [*chain, name] if dotted and len(chain) < 4 else [name]
            if len(chain) > 1:
                names.add(".".join(chain))
        elif typed != ".":
            chain = []
        dotted = typed == "." and bool(chain)
    spelled = literals | {folded(literal) for literal in literals}
    return Tokens(frozenset(names), frozenset(literals), frozenset(spelled), frozenset(words))


def _token(source: str, at: int) -> tuple[str, str | None, str | None] | None:
    """The token at a place as typed, its content if it is a string literal, its name if it is one.

    None where a quote stays open: what comes then is no token.
    """
    first = source[at]
    if first == "'":
        found = _STRING.match(source, at)
        return None if found is None else (found[0], found[0][1:-1].replace("''", "'"), None)
    if first == '"':
        found = _QUOTED.match(source, at)
        return None if found is None else (found[0], None, cut(found[0][1:-1].replace('""', '"')))
    if first == "$":
        return _dollar(source, at)
    if source.startswith(("e'", "E'"), at):
        found = _ESCAPED.match(source, at)
        if found is None:
            return None
        inner = found[1][1:-1]
        # an escape may stand for anything: such a literal names nothing
        return found[0], None if "\\" in inner else inner.replace("''", "'"), None
    found = _PREFIXED.match(source, at)
    if found is not None:
        return found[0], None, None
    found = _WORD.match(source, at)
    if found is not None:
        return found[0], None, cut(folded(found[0]))
    found = _NUMBER.match(source, at) or _OPERATOR.match(source, at)
    return (first if found is None else found[0]), None, None


def _dollar(source: str, at: int) -> tuple[str, str | None, str | None] | None:
    quote = _DOLLAR.match(source, at)
    if quote is None:
        parameter = _PARAMETER.match(source, at)
        return ("$" if parameter is None else parameter[0]), None, None
    end = source.find(quote[0], quote.end())
    if end < 0:
        return None
    return source[at : end + len(quote[0])], source[quote.end() : end], None


def _comment_end(source: str, at: int) -> int:
    """Where the comment that begins at a place ends; comments nest. An open one ends with the text."""
    depth, here = 1, at + 2
    while depth:
        found = _ENDS.search(source, here)
        if found is None:
            return len(source)
        depth += 1 if found[0] == "/*" else -1
        here = found.end()
    return here


def folded(name: str) -> str:
    """An identifier in lower case, as PostgreSQL does it in a multi-byte encoding: ASCII only."""
    return name.translate(_LOWER)


def cut(name: str) -> str:
    """An identifier as long as PostgreSQL keeps it."""
    if len(name) <= LONGEST_NAME // 4:
        return name
    return name.encode()[:LONGEST_NAME].decode("utf-8", "ignore")
