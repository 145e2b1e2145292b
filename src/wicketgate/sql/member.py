"""What a text holds, told from its syntax alone (compiled).
It must never be changed once made: it is a cache's key.
"""

from typing import Final

from wicketgate.sql.cache import Generations
from wicketgate.sql.changes import Changes
from wicketgate.sql.skeleton import skeleton
from wicketgate.sql.tree import Body

KEPT: Final = 32 << 20
"""Bytes of trees that one generation of a cache keeps: a memory limit of the worker."""


class Member:
    """One statement of a script, told from its syntax alone. Immutable; compared by identity.

    node, body: libpg_query's tree, for the resolver only. begin, length: its slice of the text in bytes; None
    where the text varies in its literals and the member is all of it. weight: about how many bytes of memory
    it takes, which may be five hundred times its text.
    """

    __slots__ = ("begin", "body", "changes", "inner", "kind", "length", "name", "node", "weight")

    def __init__(
        self,
        node: str,
        body: Body,
        kind: str,
        name: str | None,
        inner: "Member | None",
        change: Changes,
        begin: int | None = None,
        length: int = 0,
    ) -> None:
        self.node = node
        self.body = body
        self.kind = kind
        self.name = name
        self.inner = inner
        self.changes = change
        self.begin = begin
        self.length = length
        self.weight = 0

    def text(self, script_text: bytes) -> bytes:
        """This member's slice of the text that its script was parsed from."""
        if self.begin is None:
            return script_text
        return script_text[self.begin : self.begin + self.length if self.length else None]


class Script:
    """What one Query string or Parse holds. Immutable; compared by identity. A text without a statement has
    one member of kind `empty`."""

    __slots__ = ("members", "weight")

    def __init__(self, members: tuple[Member, ...], weight: int = 0) -> None:
        self.members = members
        self.weight = weight


BY_TEXT: Final[Generations[bytes, Script]] = Generations(4096, KEPT)
BY_SKELETON: Final[Generations[bytes, Script]] = Generations(4096, KEPT)
"""What texts, and texts of one shape that differ in their literals, were found to hold."""


def known(text: bytes) -> Script | None:
    """What a text holds, if it was parsed before, or one of its shape was."""
    found = BY_TEXT.get(text)
    if found is None:
        bones = skeleton(text)
        if bones is not None:
            found = BY_SKELETON.get(bones)
    return found


def naming_of(member: Member) -> Member | None:
    """The EXECUTE or FETCH that a member is, or that stands in its EXPLAIN or CREATE TABLE AS."""
    naming = member
    while naming.kind in ("explain", "create_as") and naming.inner is not None:
        naming = naming.inner
    return naming if naming.kind in ("execute", "fetch") else None
