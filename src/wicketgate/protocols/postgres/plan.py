"""Which columns of an answer are masked, and how: lineage agreed by the server's own word (compiled).
A column passes only if it is proven clean; what is not known is masked."""

from wicketgate.masking.transforms import apply, marker
from wicketgate.model.decision import Decision
from wicketgate.protocols.postgres.frames import MARK, NULL, VALUE, columns_of, gather, splice
from wicketgate.protocols.postgres.types import for_type
from wicketgate.sql.catalog import Catalog
from wicketgate.sql.resolve import Analysis


class Plan:
    """How to mask the rows of one answer.

    columns: positions, ascending. transforms, classes: one of each per position.
    """

    def __init__(self, width: int, columns: list[int], transforms: list[str], classes: list[str]) -> None:
        self.width = width
        self.columns = columns
        self.transforms = transforms
        self.classes = classes
        self.kinds: list[int] = []
        self.marks: list[bytes] = []
        self.valued: list[int] = []
        """Positions whose cells must be read."""
        for index in range(len(columns)):
            mark = marker(transforms[index], classes[index])
            self.marks.append(mark or b"")
            if transforms[index] == "null":
                self.kinds.append(NULL)
            elif mark is not None:
                self.kinds.append(MARK)
            else:
                self.kinds.append(VALUE)
                self.valued.append(columns[index])

    def mask(self, data: bytes, at: int, end: int, counted: dict[str, int]) -> bytes:
        """The DataRow frames in data[at:end], masked. `counted` gains the cells masked by class."""
        cells = gather(data, at, end, self.width, self.valued) if self.valued else []
        values: list[list[bytes | None]] = []
        found = 0
        for index in range(len(self.columns)):
            column: list[bytes | None] = []
            if self.kinds[index] == VALUE:
                column = apply(self.transforms[index], cells[found], self.classes[index])
                found += 1
            values.append(column)
        counts = [0] * len(self.columns)
        masked = splice(data, at, end, self.width, self.columns, self.kinds, self.marks, values, counts)
        for index in range(len(counts)):
            name = self.classes[index]
            counted[name] = counted.get(name, 0) + counts[index]
        return masked


def masks(analysis: Analysis, decision: Decision) -> bool:
    """Whether the answer's values must be masked unless proven clean."""
    if not analysis.sensitive:
        return False
    if analysis.facts.opaque or not analysis.facts.classes:
        return True
    return any(decision.transform(name) != "reveal" for name in analysis.facts.classes)


def copies_clean(analysis: Analysis, decision: Decision) -> bool:
    """Whether COPY … TO STDOUT, whose columns the server does not describe, holds nothing to be masked."""
    if analysis.copied is None:
        return False
    for classes in analysis.copied:
        for name in classes:
            if decision.transform(name) != "reveal":
                return False
    return True


def plan_for(body: bytes, analysis: Analysis, catalog: Catalog, decision: Decision) -> Plan | None:
    """The plan for an answer whose RowDescription body is given; None where every column is proven clean.

    A column whose origin the server names is judged by the catalog, if the statement was resolved to that
    relation; one without origin passes only if its expression holds no column at all, or if the statement
    touches nothing sensitive.
    """
    if not catalog.sensitive and not analysis.sensitive:
        return None
    masked = masks(analysis, decision)
    if analysis.sensitive and not masked:
        return None
    described = columns_of(body, 0, len(body))
    width = len(described)
    columns: list[int] = []
    transforms: list[str] = []
    classes: list[str] = []
    for position in range(width):
        oid, attribute, type_oid, form = described[position]
        if not masked and oid == 0:
            continue
        found = _classes(oid, attribute, position, width, analysis, catalog)
        if found is not None and not found:
            continue
        chosen = "redact" if found is None else _strictest(found, decision)
        if chosen == "reveal":
            continue
        columns.append(position)
        transforms.append(for_type(type_oid, chosen, form))
        classes.append(min(found) if found is not None and len(found) == 1 else "*")
    if not columns:
        return None
    return Plan(width, columns, transforms, classes)


def _classes(
    oid: int, attribute: int, position: int, width: int, analysis: Analysis, catalog: Catalog
) -> frozenset[str] | None:
    """The data classes of one output column; None where they can't be told."""
    if analysis.returning_unproven:
        return None
    if oid != 0:
        if oid not in analysis.relations:
            return None
        return catalog.classes(oid, attribute)
    if position < len(analysis.head):
        clean = analysis.head[position]
        if not analysis.starred and len(analysis.head) != width:
            clean = False
        return frozenset() if clean else None
    back = width - position
    if analysis.starred and back <= len(analysis.tail) and len(analysis.head) + len(analysis.tail) <= width:
        return frozenset() if analysis.tail[len(analysis.tail) - back] else None
    return None


def _strictest(found: frozenset[str], decision: Decision) -> str:
    """One transform for all the classes that a column may hold: where they differ, redact."""
    chosen = {decision.transform(name) for name in found}
    if len(chosen) == 1:
        return min(chosen)
    chosen.discard("reveal")
    return min(chosen) if len(chosen) == 1 else "redact"
