"""Columns whose cells are looked into by detectors: what they find is replaced, all else stays (compiled).
It must never take a column's name from the client as a reason to look less closely."""

from collections.abc import Mapping
from typing import Final

from wicketgate.masking.detect import Detectors
from wicketgate.masking.detect.column import Column, Repeats
from wicketgate.masking.detect.columns import sense
from wicketgate.model.decision import Decision
from wicketgate.protocols.postgres.arrays import Arrays
from wicketgate.protocols.postgres.composites import Composites
from wicketgate.protocols.postgres.frames import FrameError, text_end
from wicketgate.protocols.postgres.maskers import Masker
from wicketgate.protocols.postgres.types import ARRAYS, BYTES, DEEPEST, JSON, JSONB, TEXT_TYPES
from wicketgate.sql.catalog import Catalog
from wicketgate.sql.compositions import Composition

XML: Final = 142


class Look(Masker):
    """Texts that are looked into. changed: something was found since it was last asked. version: what stands
    before a document (jsonb in binary), else empty."""

    def __init__(
        self, detectors: Detectors, column: str, shown: frozenset[str], document: bool, version: bytes = b""
    ) -> None:
        self.detectors = detectors
        self.column = column
        self.shown = shown
        self.document = document
        self.version = version
        self.changed = False
        self.repeats = Repeats()
        self.counted: dict[str, int] = {}

    def seen(self) -> Column | None:
        """What looks into the cells of one read where they lie; None where they must be taken out."""
        return (
            None
            if self.version
            else self.detectors.column(self.column, self.shown, self.document, self.repeats)
        )

    def mask(self, values: list[bytes | None]) -> list[bytes | None]:
        """The cells; the very same list where nothing was found."""
        if self.version:
            return self.versioned(values)
        found = self.detectors.mask(values, self.column, self.shown, self.counted, self.document)
        if found is None:
            return values
        self.changed = True
        return found

    def versioned(self, values: list[bytes | None]) -> list[bytes | None]:
        bare = [None if value is None else value[1:] for value in values]
        found = self.detectors.mask(bare, self.column, self.shown, self.counted, True)
        if found is None:
            return values
        self.changed = True
        done: list[bytes | None] = []
        for index, value in enumerate(values):
            inner = found[index]
            done.append(None if value is None or inner is None else value[:1] + inner)
        return done


class Within(Masker):
    """Values that hold texts. What is taken apart is put together again only where something was found."""

    def __init__(self, whole: Masker, leaves: list[Look]) -> None:
        self.whole = whole
        self.leaves = leaves

    def mask(self, values: list[bytes | None]) -> list[bytes | None]:
        for leaf in self.leaves:
            leaf.changed = False
        done = self.whole.mask(values)
        for leaf in self.leaves:
            if leaf.changed:
                return done
        return values


class Same(Masker):
    """A part of a value that holds no text."""

    def mask(self, values: list[bytes | None]) -> list[bytes | None]:
        return values


class Looking:
    """What is looked for in one answer. shown: classes that a rule reveals."""

    def __init__(self, detectors: Detectors, decision: Decision) -> None:
        self.detectors = detectors
        self.shown = frozenset([name for name in detectors.classes if decision.transform(name) == "reveal"])
        self.leaves: list[Look] = []

    def column(
        self, name: str, oid: int, attribute: int, type_oid: int, form: int, catalog: Catalog
    ) -> Masker | None:
        """What looks into one column; None where it holds no text. name: as the answer calls it."""
        relation = catalog.relations.get(oid)
        known = ""
        if relation is not None:
            known = next((column for number, column, _ in relation.columns if number == attribute), "")
        if not known and sense(name).raised:
            known = name
        return self.of(known, type_oid, form == 1, catalog.compositions, 0)

    def of(
        self, name: str, oid: int, binary: bool, compositions: Mapping[int, Composition], depth: int
    ) -> Masker | None:
        """What looks into values of a type."""
        if depth > DEEPEST:
            return None
        if oid in TEXT_TYPES or oid in (XML, BYTES):
            return self.leaf(name, False)
        if oid in (JSON, JSONB):
            return self.leaf(name, True, b"\x01" if binary and oid == JSONB else b"")
        made = compositions.get(oid)
        if oid in ARRAYS:
            return self.array(name, ARRAYS[oid], binary, compositions, depth)
        if made is None:
            return None
        if made.kind == "text":
            return self.leaf(name, False)
        if made.kind == "domain":
            return self.of(name, made.parts[0], binary, compositions, depth + 1)
        if made.kind == "array":
            return self.array(name, made.parts[0], binary, compositions, depth)
        if made.kind == "row":
            before = len(self.leaves)
            parts = [self.of("", each, binary, compositions, depth + 1) for each in made.parts]
            if len(self.leaves) == before:
                return None
            if not binary:
                return self.leaf(name, False)  # a marker needs no quoting in it
            fields = [part or Same() for part in parts]
            return Within(Composites(list(made.parts), fields, True), self.leaves[before:])
        return None

    def array(
        self, name: str, element: int, binary: bool, compositions: Mapping[int, Composition], depth: int
    ) -> Masker | None:
        before = len(self.leaves)
        inner = self.of(name, element, binary, compositions, depth + 1)
        if inner is None:
            return None
        if not binary:
            return self.leaf(name, False)
        return Within(Arrays(inner, True), self.leaves[before:])

    def leaf(self, name: str, document: bool, version: bytes = b"") -> Look:
        made = Look(self.detectors, name, self.shown, document, version)
        self.leaves.append(made)
        return made


def column_names(body: bytes, width: int) -> list[str]:
    """What a RowDescription's body calls its columns."""
    names: list[str] = []
    at = 2
    for _ in range(width):
        end = text_end(body, at, len(body))
        names.append(body[at:end].decode("utf-8", "replace"))
        at = end + 19
    if at > len(body):
        raise FrameError("row description is cut")
    return names
