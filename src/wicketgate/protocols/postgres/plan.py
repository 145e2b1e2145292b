"""Which columns of an answer are masked, and how: lineage agreed by the server's own word (compiled).
A column passes only if it is proven clean; what is not known is masked."""

from wicketgate.masking.detect import Detectors
from wicketgate.masking.detect.column import Column as Seen
from wicketgate.model.decision import Decision
from wicketgate.protocols.postgres.frames import columns_of, gather
from wicketgate.protocols.postgres.looks import Look, Looking, column_names
from wicketgate.protocols.postgres.maskers import Mark, Masker
from wicketgate.protocols.postgres.splicing import LOOK, MARK, NULL, VALUE, splice
from wicketgate.protocols.postgres.types import Column, Names
from wicketgate.sql.analysis import Output
from wicketgate.sql.catalog import Catalog
from wicketgate.sql.resolve import Analysis


class Plan:
    """How to mask the rows of one answer.

    columns: positions, ascending. maskers, classes: one of each per position; a class is empty where the
    masker looks for several itself. leaves: what looks, in all of them.
    """

    def __init__(
        self,
        width: int,
        columns: list[int],
        maskers: list[Masker],
        classes: list[str],
        leaves: list[Look] | None = None,
    ) -> None:
        self.leaves = leaves or []
        self.width = width
        self.columns = columns
        self.maskers = maskers
        self.classes = classes
        self.kinds: list[int] = []
        self.marks: list[bytes] = []
        self.valued: list[int] = []
        """Positions whose cells must be taken out."""
        for index in range(len(columns)):
            masker = maskers[index]
            mark = b""
            if type(masker) is Masker:
                self.kinds.append(NULL)
            elif isinstance(masker, Mark):
                self.kinds.append(MARK)
                mark = masker.same
            elif isinstance(masker, Look) and masker.seen() is not None:
                self.kinds.append(LOOK)
            else:
                self.kinds.append(VALUE)
                self.valued.append(columns[index])
            self.marks.append(mark)

    def mask(self, data: bytes, at: int, end: int, counted: dict[str, int]) -> bytes:
        """The DataRow frames in data[at:end], masked. `counted` gains the cells masked by class, and findings
        where columns are looked into: those in which nothing is found stay as they came."""
        for leaf in self.leaves:
            leaf.counted = counted
        cells = gather(data, at, end, self.width, self.valued) if self.valued else []
        columns: list[int] = []
        kinds: list[int] = []
        marks: list[bytes] = []
        classes: list[str] = []
        values: list[list[bytes | None]] = []
        looks: list[Seen | None] = []
        found = 0
        for index in range(len(self.columns)):
            kind = self.kinds[index]
            masker = self.maskers[index]
            column: list[bytes | None] = []
            look: Seen | None = None
            if kind == VALUE:
                before = cells[found]
                column = masker.mask(before)
                found += 1
                if column is before and not self.classes[index]:
                    continue
            elif kind == LOOK and isinstance(masker, Look):
                look = masker.seen()
            columns.append(self.columns[index])
            kinds.append(kind)
            marks.append(self.marks[index])
            classes.append(self.classes[index])
            values.append(column)
            looks.append(look)
        if not columns:
            return data[at:end]
        counts = [0] * len(columns)
        masked = splice(data, at, end, self.width, columns, kinds, marks, values, looks, counts, counted)
        for index in range(len(counts)):
            name = classes[index]
            if name:
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
    for output in analysis.copied:
        for name in output.classes:
            if decision.transform(name) != "reveal":
                return False
    return True


def plan_for(
    body: bytes,
    analysis: Analysis,
    catalog: Catalog,
    decision: Decision,
    names: Names | None = None,
    detectors: Detectors | None = None,
) -> Plan | None:
    """The plan for an answer whose RowDescription body is given; None where every column is proven clean.
    names: what pseudonyms are made with; without them they are redacted. detectors: what looks into columns
    that lineage does not mask.

    A column whose origin the server names is judged by the catalog, if the statement was resolved to that
    relation; one without origin passes only if lineage proves it clean, or if the statement touches nothing
    sensitive.
    """
    masked = masks(analysis, decision)
    proven = (not catalog.sensitive and not analysis.sensitive) or (analysis.sensitive and not masked)
    if proven and detectors is None:
        return None
    described = columns_of(body, 0, len(body))
    width = len(described)
    aligned = _aligned(described, analysis)
    columns: list[int] = []
    maskers: list[Masker] = []
    classes: list[str] = []
    looking = None if detectors is None else Looking(detectors, decision)
    called = [] if looking is None else column_names(body, width)
    for position in range(width):
        oid, attribute, type_oid, form = described[position]
        output = _output(position, width, analysis) if aligned else None
        found: frozenset[str] | None = frozenset()
        if not proven and (masked or oid != 0):
            found = _classes(oid, attribute, output, analysis, catalog)
        chosen = "reveal"
        bare = found is not None and is_bare(oid, attribute, output, catalog)
        if found is None:
            chosen = "redact"
        elif found:
            chosen = chosen_for(found, bare, decision)
        if chosen != "reveal":
            data_class = min(found) if found is not None and len(found) == 1 else "*"
            columns.append(position)
            column = Column(chosen, data_class, catalog.compositions, names, not bare)
            maskers.append(column.masker(type_oid, form))
            classes.append(data_class)
        elif looking is not None:
            look = looking.column(called[position], oid, attribute, type_oid, form, catalog)
            if look is not None:
                columns.append(position)
                maskers.append(look)
                classes.append("")
    if not columns:
        return None
    return Plan(width, columns, maskers, classes, looking.leaves if looking is not None else None)


def origins_differ(body: bytes, analysis: Analysis, catalog: Catalog) -> list[str]:
    """Where lineage and the server's own origin tell other classes, a line for each column. The stricter
    holds; this is for us to learn from."""
    described = columns_of(body, 0, len(body))
    if not analysis.sensitive or not _aligned(described, analysis):
        return []
    differing: list[str] = []
    for position in range(len(described)):
        oid, attribute, _, _ = described[position]
        output = _output(position, len(described), analysis)
        told = catalog.classes(oid, attribute) if oid != 0 else None
        if output is not None and told is not None and told != output.classes:
            relation = catalog.relations[oid].qualified
            differing.append(
                f"output {position + 1} is column {attribute} of {relation} ({_listed(told)}),"
                f" but lineage tells {_listed(output.classes)} (both hold)"
            )
    return differing


def _listed(classes: frozenset[str]) -> str:
    return ", ".join(sorted(classes)) or "no class"


def is_bare(oid: int, attribute: int, output: Output | None, catalog: Catalog) -> bool:
    """Whether an output is one base column itself: lineage says so; where it says nothing, the server names
    a column that is not computed: by a view, generated, or before it was stored."""
    if output is not None:
        return output.bare and (oid == 0 or attribute > 0)
    return attribute > 0 and catalog.bare(oid, attribute)


def _classes(
    oid: int, attribute: int, output: Output | None, analysis: Analysis, catalog: Catalog
) -> frozenset[str] | None:
    """The data classes of one output column; None where they can't be told. Where lineage and the server's
    origin both tell, what either says holds."""
    if oid == 0:
        return None if output is None else output.classes
    if oid not in analysis.relations:
        return None
    told = catalog.classes(oid, attribute)
    if told is None:
        return None
    if output is None:
        return None if analysis.returning_unproven else told
    return told | output.classes


def _aligned(described: list[tuple[int, int, int, int]], analysis: Analysis) -> bool:
    """Whether each output that a star stands for comes from a relation: else the server has expanded the star
    to other columns than lineage did, and positions say nothing."""
    if analysis.starred or len(analysis.head) != len(described):
        return True
    for position in range(len(described)):
        if analysis.head[position] is None and described[position][0] == 0:
            return False
    return True


def _output(position: int, width: int, analysis: Analysis) -> Output | None:
    """What lineage tells of one output column; None where it can't."""
    if not analysis.starred:
        return analysis.head[position] if len(analysis.head) == width else None
    if len(analysis.head) + len(analysis.tail) > width:
        return None
    if position < len(analysis.head):
        return analysis.head[position]
    back = width - position
    return analysis.tail[len(analysis.tail) - back] if back <= len(analysis.tail) else None


def chosen_for(found: frozenset[str], bare: bool, decision: Decision) -> str:
    """One transform for all the classes that a column may hold: where they differ, redact. What shows a part
    of a value, or stands for it, answers questions about anything but one column itself: then redact."""
    chosen = {decision.transform(name) for name in found}
    if len(chosen) > 1:
        chosen.discard("reveal")
    if len(chosen) != 1:
        return "redact"
    one = min(chosen)
    if one in ("reveal", "null") or (bare and len(found) == 1):
        return one
    return "redact"
