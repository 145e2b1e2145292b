"""What masks the cells of one output column, and the simplest of those that do (compiled).
A cell that can't be read as what it should be becomes NULL, never itself.
"""

from mypy_extensions import mypyc_attr

from wicketgate.masking.documents import redact_document
from wicketgate.masking.pseudonym import Pseudonym
from wicketgate.masking.transforms import apply, redacted


@mypyc_attr(allow_interpreted_subclasses=True)
class Masker:
    """Masks cells of one type in one format. This one turns all to NULL."""

    def mask(self, values: list[bytes | None]) -> list[bytes | None]:
        """The cells, masked, in their order; NULL (None) stays."""
        nothing: list[bytes | None] = [None] * len(values)
        return nothing


class Mark(Masker):
    """One and the same cell in the place of each."""

    def __init__(self, mark: bytes) -> None:
        self.same = mark

    def mask(self, values: list[bytes | None]) -> list[bytes | None]:
        same = self.same
        return [None if value is None else same for value in values]


class Texts(Masker):
    """A transform that looks at the text. longest: bytes that the type holds; padded: blanks at the end are
    none of the value's (char(n))."""

    def __init__(self, transform: str, data_class: str, longest: int, padded: bool) -> None:
        self.transform = transform
        self.data_class = data_class
        self.longest = longest
        self.padded = padded

    def mask(self, values: list[bytes | None]) -> list[bytes | None]:
        if self.padded:
            values = stripped(values)
        masked = apply(self.transform, values, self.data_class)
        if self.longest:
            for index, value in enumerate(masked):
                if value is not None and len(value) > self.longest:
                    masked[index] = redacted(self.data_class)
        return masked


class Tokens(Masker):
    """Pseudonyms of texts. padded: as for Texts."""

    def __init__(self, pseudonym: Pseudonym, padded: bool) -> None:
        self.pseudonym = pseudonym
        self.padded = padded

    def mask(self, values: list[bytes | None]) -> list[bytes | None]:
        return self.pseudonym.tokens(stripped(values) if self.padded else values)


class Documents(Masker):
    """JSON, redacted inside. version: what stands before the text (jsonb in binary), else empty."""

    def __init__(self, sign: bytes, version: bytes) -> None:
        self.sign = sign
        self.version = version

    def mask_one(self, value: bytes) -> bytes | None:
        if not self.version:
            return redact_document(value, self.sign)
        if value[:1] != self.version:
            return None
        return self.version + redact_document(value[1:], self.sign)

    def mask(self, values: list[bytes | None]) -> list[bytes | None]:
        return [None if value is None else self.mask_one(value) for value in values]


def stripped(values: list[bytes | None]) -> list[bytes | None]:
    """Without the blanks that char(n) is filled with."""
    return [None if value is None else value.rstrip(b" ") for value in values]
