"""search_path as text, read the way PostgreSQL reads a list of identifiers."""

_LONGEST = 63


def read_path(text: str) -> tuple[str, ...] | None:
    """`"$user", public` -> ('$user', 'public'); None where PostgreSQL would refuse the list."""
    names: list[str] = []
    at = _blank(text, 0)
    if at == len(text):
        return ()
    while True:
        if at < len(text) and text[at] == '"':
            name, at = _quoted(text, at + 1)
            if at < 0:
                return None
        else:
            start = at
            while at < len(text) and text[at] != "," and not text[at].isspace():
                at += 1
            if at == start:
                return None
            name = "".join(c.lower() if c.isascii() else c for c in text[start:at])
        names.append(cut(name))
        at = _blank(text, at)
        if at == len(text):
            return tuple(names)
        if text[at] != ",":
            return None
        at = _blank(text, at + 1)


def _quoted(text: str, at: int) -> tuple[str, int]:
    parts: list[str] = []
    while True:
        end = text.find('"', at)
        if end < 0:
            return "", -1
        parts.append(text[at:end])
        if text[end + 1 : end + 2] != '"':
            return "".join(parts), end + 1
        parts.append('"')
        at = end + 2


def _blank(text: str, at: int) -> int:
    while at < len(text) and text[at] in " \t\n\r\f\v":
        at += 1
    return at


def cut(name: str) -> str:
    """An identifier as the server keeps it."""
    raw = name.encode()
    return name if len(raw) <= _LONGEST else raw[:_LONGEST].decode(errors="ignore")
