"""What an expression may hold, as far as that is proven: data classes, and how they got into it.
A union or combination never holds less than what went into it.
"""

from collections.abc import Iterable
from dataclasses import dataclass

NO_CLASSES: frozenset[str] = frozenset()
NO_PARAMETERS: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Value:
    """What an expression may hold.

    classes: data classes of values that it may be computed from in any way. bare: it is such a column itself,
    unchanged, or a literal beside one. columns: it depends on some column. constant: a literal or parameter.
    parameters: numbers of the $n in it. many: it may stand for values that nobody wrote out: it is computed
    from columns in part, or generated.
    quiet: those of the classes of which it tells no more than equality and NULL do. base: it is one base
    column, unchanged, of one set of classes whichever way it came. doubt: it may hold what the catalog does
    not know. type: the column's OID and modifier (snapshot.typed), 0 where not known. odd: an array, range or
    other value that functions may refuse by what it holds. weight: about how many values went into its text.
    """

    classes: frozenset[str] = NO_CLASSES
    bare: bool = False
    columns: bool = False
    constant: bool = False
    parameters: frozenset[int] = NO_PARAMETERS
    many: bool = False
    quiet: frozenset[str] = NO_CLASSES
    base: bool = False
    doubt: bool = False
    type: int = 0
    odd: bool = False
    weight: int = 1

    @property
    def guesses(self) -> bool:
        """Whether comparing this for equality asks more than somebody wrote: it is no column as it stands, no
        literal, parameter or single value made of those. `pin = id * 500` is a search, not a look-up."""
        return self.many or (self.columns and not self.bare and not self.constant)

    @property
    def loud(self) -> frozenset[str]:
        """The classes of which it tells more than equality does."""
        return self.classes - self.quiet if self.quiet else self.classes


CLEAN = Value()
CONSTANT = Value(constant=True)
COLUMN = Value(columns=True)
BARE_COLUMN = Value(bare=True, columns=True, base=True)
DOUBT = Value(columns=True, doubt=True)
BARE_DOUBT = Value(bare=True, columns=True, doubt=True)

LIGHT = 64
"""Up to this weight a value of no class is not told from others."""

VAST = 1 << 20
"""The weight of what may be as long as the server allows: with it, an error tells how long another is."""


ORIGIN = Value(bare=True, columns=True, doubt=True)
"""An output that a star stands for: the server's own word about where it comes from decides."""


def unite_values(values: Iterable[Value]) -> Value:
    """Any of these: bare only where all are that hold a class (or simply all, where none does)."""
    many = list(values)
    first = many[0] if many else CLEAN
    if all(value is first for value in many):
        return first
    classes, loud = _held(many)
    return Value(
        classes,
        all(value.bare for value in [value for value in many if value.classes] or many),
        any(value.columns for value in many),
        all(value.constant for value in many),
        frozenset().union(*(value.parameters for value in many)),
        any(value.guesses for value in many),
        classes - loud,
        all(value.base and value.classes == classes for value in many),
        any(value.doubt for value in many),
        first.type if all(value.type == first.type for value in many) else 0,
        any(value.odd for value in many),
        max(value.weight for value in many),
    )


def _held(many: list[Value]) -> tuple[frozenset[str], frozenset[str]]:
    """All classes, and those of which some tells more than equality does."""
    held = [value for value in many if value.classes]
    if not held:
        return NO_CLASSES, NO_CLASSES
    if len(held) == 1:
        return held[0].classes, held[0].loud
    return (
        frozenset().union(*(value.classes for value in held)),
        frozenset().union(*(value.loud for value in held)),
    )


def combine(values: Iterable[Value]) -> Value:
    """Something computed from all of these."""
    many = list(values)
    parameters = NO_PARAMETERS
    columns = generated = doubt = odd = held = False
    weight = 0
    for value in many:
        generated = generated or value.many
        doubt = doubt or value.doubt
        odd = odd or value.odd
        held = held or bool(value.classes)
        weight += value.weight
        if value.parameters:
            parameters |= value.parameters
        columns = columns or value.columns
    if not (held or parameters or generated or doubt) and weight <= LIGHT:
        return COLUMN if columns else CLEAN
    classes, loud = _held(many)
    weight = min(weight, VAST)
    return Value(
        classes,
        False,
        columns,
        False,
        parameters,
        generated,
        classes - loud,
        doubt=doubt,
        odd=odd,
        weight=weight,
    )


def equality(values: Iterable[Value]) -> Value:
    """The answer of a comparison for equality, or of a test for NULL."""
    many = list(values)
    classes, _ = _held(many)
    columns = any(value.columns for value in many)
    doubt = any(value.doubt for value in many)
    if not classes and not doubt:
        return COLUMN if columns else CLEAN
    return Value(classes, columns=columns, quiet=classes, doubt=doubt)
