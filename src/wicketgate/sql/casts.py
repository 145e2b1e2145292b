"""Whether a cast that a user made may run: by the types of values that may be at hand, and those cast to.
No expression has a known type here, so a type counts as soon as its name, or a column of it, is seen."""

from typing import TYPE_CHECKING

from wicketgate.sql.snapshot import BUILTIN

if TYPE_CHECKING:
    from wicketgate.sql.walk import Walk


def spell(walk: "Walk", name: str, constant: bool) -> None:
    """A type's name stands in the statement. constant: a literal goes to its input, and to no cast."""
    catalog = walk.catalog
    if not catalog.casts:
        return
    own = name in walk.temporary
    walk.held_types |= catalog.held if own else catalog.held_names.get(name, frozenset())
    if not constant:
        walk.cast_names |= {name, name.removeprefix("_")}  # an array is cast element by element
        # a composite's fields are cast one by one, a domain's values to its base
        walk.cast_within = walk.cast_within or own or name in catalog.types


def settle(walk: "Walk") -> None:
    """Once all is read: a cast runs where a value of its source may meet its target."""
    for cast in walk.catalog.casts:
        given = cast.source < BUILTIN or cast.source in walk.held_types
        taken = cast.target < BUILTIN or cast.target in walk.held_types
        spelt = walk.cast_within or cast.target_name in walk.cast_names
        if given and (spelt or (cast.context != "e" and taken)):
            walk.unknown(cast.function)
