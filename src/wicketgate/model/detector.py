"""A data class that an operator describes: patterns, words, columns. Plain text only; masking compiles it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Custom:
    """A class that is found where one of these says so; of patterns, words and columns, one is not empty.

    name: the data class; that of a built-in one adds to it.
    patterns: RE2. words: found whole, whatever their case. columns: names, with `*` and `?`, whatever their
    case; all that stands in such a column is of this class.
    context: patterns and words count only where one of these stands near or in the column's name.
    """

    name: str
    patterns: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    context: tuple[str, ...] = ()
