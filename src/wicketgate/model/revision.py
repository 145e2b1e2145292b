"""A revision of the policy as the store keeps it: its text as written, whose it is, and the seal over both.
It must never be changed once made: a revision that does not fit its seal is nobody's.
"""

import hashlib
import json
from dataclasses import dataclass
from typing import Final

MESSAGE_MOST: Final = 500
"""Characters of what an author says of a revision."""


@dataclass(frozen=True, slots=True)
class Revision:
    """number: counts from 1, without gaps. digest: of what the policy says (policy.load.Policy).

    text_digest: SHA-256 (hex) of the text in UTF-8. text: None where only the rest was read.
    author, how: who made it, and how that was proven (admin.authorize.Actor); `import` where it is a file's.
    created: wall clock ns. restores: the revision whose text it is again; None: a text of its own.
    before: the seal of the revision before; empty for the first. seal: SHA-256 over all this but the text.
    """

    number: int
    digest: str
    text_digest: str
    author: str
    how: str
    message: str
    created: int
    restores: int | None
    before: str
    seal: str
    text: str | None = None

    @property
    def sealed(self) -> bool:
        """Whether it is as it was written, as far as it was read."""
        if self.text is not None and self.text_digest != digest_of(self.text):
            return False
        return self.seal == _seal(self)

    def follows(self, other: "Revision | None") -> bool:
        """Whether `other` is the one that it was made upon."""
        if other is None:
            return self.number == 1 and self.before == ""
        return self.number == other.number + 1 and self.before == other.seal


def digest_of(text: str) -> str:
    """SHA-256 (hex) of a text in UTF-8. Raises ValueError for what is none."""
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def revise(
    last: Revision | None,
    text: str,
    digest: str,
    author: str,
    how: str,
    message: str,
    created: int,
    restores: int | None = None,
) -> Revision:
    """The revision after `last` (None: the first). Raises ValueError for a text that is no UTF-8."""
    number, before = (1, "") if last is None else (last.number + 1, last.seal)
    unsealed = Revision(
        number, digest, digest_of(text), author, how, message, created, restores, before, "", text
    )
    return Revision(
        number,
        digest,
        unsealed.text_digest,
        author,
        how,
        message,
        created,
        restores,
        before,
        _seal(unsealed),
        text,
    )


def _seal(revision: Revision) -> str:
    members = [
        "wicketgate policy revision 1",
        revision.number,
        revision.digest,
        revision.text_digest,
        revision.author,
        revision.how,
        revision.message,
        revision.created,
        revision.restores,
        revision.before,
    ]
    return hashlib.sha256(json.dumps(members, ensure_ascii=True).encode("ascii")).hexdigest()
