"""Reads a search_path as the server prints it (SplitIdentifierString in varlena.c)."""


def read_path(value: bytes, user: str) -> tuple[str, ...] | None:
    """The schemas of a search_path in order, `$user` put in; None where the text is not one.

    Unquoted names are folded to lower case, quoted ones are kept and their doubled quotes halved.
    """
    try:
        text = value.decode("utf-8")
    except UnicodeDecodeError:
        return None
    found: list[str] = []
    at = 0
    size = len(text)
    while True:
        while at < size and text[at].isspace():
            at += 1
        if at >= size:
            return tuple(found) if not found and not text.strip() else None
        name = ""
        if text[at] == '"':
            at += 1
            while True:
                stop = text.find('"', at)
                if stop < 0:
                    return None
                name += text[at:stop]
                at = stop + 1
                if at < size and text[at] == '"':
                    name += '"'
                    at += 1
                    continue
                break
        else:
            start = at
            while at < size and text[at] != "," and not text[at].isspace():
                at += 1
            name = text[start:at].lower()
            if not name:
                return None
        found.append(user if name == "$user" else name)
        while at < size and text[at].isspace():
            at += 1
        if at >= size:
            return tuple(found)
        if text[at] != ",":
            return None
        at += 1
