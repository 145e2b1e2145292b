"""A policy's text, apart from a node's settings, and looked over before it is kept for good.
It must never repeat what looks like a credential, nor let one into what is kept.
"""

import re
from collections.abc import Sequence
from typing import Final

from wicketgate.model.errors import PolicyError
from wicketgate.policy.document import Place, Problems, Source, parse

TEXT_MOST: Final = 4 << 20
"""Bytes of a policy's text (UTF-8) that is kept in the store: a security limit."""

NOTHING: Final = "# The file held no policy: nothing is permitted.\nresources: {}\n"

_CREDENTIALS: Final = (
    (re.compile(r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY-----"), "a private key"),
    (re.compile(r"\bwkt_[A-Za-z0-9_-]{16}"), "a gateway's token"),
    (re.compile(r"://[^\s/:@'\"\[\](){}]*:[^\s@/'\"\[\](){}]+@"), "an address with a password"),
)
_IN_COMMENT: Final = re.compile(
    r"\b(?:password|passwd|pwd|passphrase|secret|token|api_?key)\b['\"]?\s*[:=]\s*", re.IGNORECASE
)
"""In a comment, with one word behind it. Where the policy itself has a password, loading refuses it."""


def apart(source: Source, placed: bool = False) -> str:
    """The text without its section `gateway`, comments kept. placed: empty lines stand for it.

    Raises PolicyError."""
    root = parse(source)
    if not isinstance(root.value, dict) or "gateway" not in root.value:
        return source.text
    place = root.value["gateway"][0]
    lines = source.text.split("\n")
    starts = sorted(each.line for each, _ in root.value.values())
    wrong = PolicyError(
        f"{place}: gateway must be a section of its own lines, for the policy to be kept apart"
    )
    if not re.match(r"(?:gateway|'gateway'|\"gateway\")\s*:", lines[place.line - 1]):
        raise wrong
    following = [line for line in starts if line > place.line]
    end = following[0] - 1 if following else len(lines)
    while following and end > place.line and (not lines[end - 1].strip() or lines[end - 1].startswith("#")):
        end -= 1
    hole = [""] * (end - place.line + 1) if placed else []
    cut = "\n".join([*lines[: place.line - 1], *hole, *lines[end:]])
    if cut and not following and not cut.endswith("\n"):
        cut += "\n"
    wanted = {key: node.content() for key, (_, node) in root.value.items() if key != "gateway"}
    try:
        left = parse(Source(source.file, cut)).content()
    except PolicyError:
        raise wrong from None
    if left != wanted:
        raise wrong
    return cut


def joined(sources: Sequence[Source]) -> str:
    """The policy of one file or of several as one text, without settings. Raises PolicyError."""
    if len(sources) == 1:
        text = apart(sources[0])
    else:
        parts = [(each.file, apart(each)) for each in sources]
        told = [f"# {name}\n{part.rstrip()}\n" for name, part in parts if _says(name, part)]
        text = "\n".join(told)
        try:
            parse(Source("the files together", text))
        except PolicyError as error:
            raise PolicyError(
                f"the store keeps a policy as one text, and these files do not make one: {error.public}"
            ) from None
    return text if _says(sources[0].file, text) else NOTHING


def _says(file: str, text: str) -> bool:
    return parse(Source(file, text)).value != {}


def check_kept(source: Source) -> None:
    """Whether the text may be kept in the store. Raises PolicyError: what is no policy's, or looks secret."""
    problems = Problems()
    try:
        size = len(source.text.encode("utf-8"))
    except UnicodeEncodeError:
        raise PolicyError(f"{source.file}: it is no text in UTF-8") from None
    if size > TEXT_MOST:
        raise PolicyError(f"{source.file}: it is larger than {TEXT_MOST >> 20} MiB")
    for place, what in credentials(source):
        problems.add(place, f"this looks like {what}: nothing secret is kept in the store")
    problems.raise_any()
    root = parse(source)
    if isinstance(root.value, dict) and "gateway" in root.value:
        problems.add(
            root.value["gateway"][0], "gateway is a node's own, and no part of the policy: leave it out"
        )
    problems.raise_any()


def credentials(source: Source) -> list[tuple[Place, str]]:
    """Where something stands that looks like a credential in clear, and what it looks like."""
    found = []
    for number, line in enumerate(source.text.split("\n"), 1):
        for pattern, what in _CREDENTIALS:
            if (at := pattern.search(line)) is not None:
                found.append((Place(source.file, number, at.start() + 1), what))
        if (column := _commented(line)) is not None:
            found.append((Place(source.file, number, column), "a credential in a comment"))
    return found


def _commented(line: str) -> int | None:
    """The column of what may be a credential in a comment: a credential's name, and then one word."""
    start = line.find("#")
    found = list(_IN_COMMENT.finditer(line, start)) if start >= 0 else []
    if not found:
        return None
    last = found[-1]
    value = line[last.end() :].strip().strip("'\"")
    return last.start() + 1 if value and not value.startswith("{") and not re.search(r"\s", value) else None


def without_credentials(source: Source) -> str:
    """The text to be shown: lines with what looks like a credential are left out."""
    lines = source.text.split("\n")
    for place, what in credentials(source):
        lines[place.line - 1] = f"# left out: this looks like {what}"
    return "\n".join(lines)
