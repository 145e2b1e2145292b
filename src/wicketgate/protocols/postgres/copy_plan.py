"""Which columns of COPY … TO STDOUT are masked, and how (compiled).
Nothing describes these rows but the statement: what lineage can't tell makes the whole COPY impossible.
"""

from wicketgate.masking.detect import Detectors
from wicketgate.model.decision import Decision
from wicketgate.protocols.postgres.copy_format import BINARY, format_of
from wicketgate.protocols.postgres.copying import CopyPlan
from wicketgate.protocols.postgres.looks import Looking
from wicketgate.protocols.postgres.maskers import Masker
from wicketgate.protocols.postgres.plan import chosen_for
from wicketgate.protocols.postgres.types import Column, Names
from wicketgate.sql.analysis import Output
from wicketgate.sql.catalog import Catalog
from wicketgate.sql.member import Member
from wicketgate.sql.resolve import Analysis
from wicketgate.sql.tree import strings


def copy_plan_for(
    member: Member,
    analysis: Analysis,
    catalog: Catalog,
    decision: Decision,
    names: Names | None = None,
    detectors: Detectors | None = None,
) -> CopyPlan | None:
    """The plan for a COPY … TO STDOUT with something to be masked, or to be looked into; None where it can't
    be. names: what pseudonyms are made with; without them they are redacted."""
    if analysis.copied is None or member.node != "CopyStmt":
        return None
    if member.body.get("filename") or member.body.get("is_program"):
        return None  # its rows do not come through here
    form = format_of(member.body)
    if form is None:
        return None
    types = _types(member, analysis, catalog)
    columns: list[int] = []
    maskers: list[Masker] = []
    classes: list[str] = []
    looking = None if detectors is None else Looking(detectors, decision)
    for position, output in enumerate(analysis.copied):
        chosen = chosen_for(output.classes, output.bare, decision) if output.classes else "reveal"
        if chosen == "reveal":
            if looking is not None:
                # what a column's type is can't be told of a query: any cell may be a text
                columns.append(position)
                maskers.append(looking.leaf("", False))
                classes.append("")
            continue
        data_class = min(output.classes) if len(output.classes) == 1 else "*"
        type_oid = types.get(position) or _type_of(output, analysis, catalog)
        column = Column(chosen, data_class, catalog.compositions, names)
        columns.append(position)
        maskers.append(column.masker(type_oid, 1 if form.kind == BINARY else 0))
        classes.append(data_class)
    leaves = looking.leaves if looking is not None else None
    return CopyPlan(form, len(analysis.copied), columns, maskers, classes, leaves)


def _types(member: Member, analysis: Analysis, catalog: Catalog) -> dict[int, int]:
    """The types of a copied relation's columns, by position; nothing for a query."""
    reference = member.body.get("relation")
    if reference is None:
        return {}
    name = reference.get("relname")
    found = [catalog.relations[oid] for oid in analysis.relations if oid in catalog.relations]
    found = [relation for relation in found if relation.name == name]
    if len(found) != 1:
        return {}
    relation = found[0]
    by_name = {column: type_oid for _, column, type_oid in relation.columns}
    listed = strings(member.body.get("attlist")) or tuple(
        column for number, column, _ in relation.columns if number not in relation.generated
    )
    return {position: by_name[column] for position, column in enumerate(listed) if column in by_name}


def _type_of(output: Output, analysis: Analysis, catalog: Catalog) -> int:
    """The type of a query's output that is one base column: that of all columns that it may be, or 0 (which
    becomes NULL)."""
    if not output.bare:
        return 0
    types: set[int] = set()
    for oid in analysis.relations:
        relation = catalog.relations.get(oid)
        if relation is None:
            return 0
        for number, _, type_oid in relation.columns:
            if catalog.classes(oid, number) == output.classes:
                types.add(type_oid)
    return types.pop() if len(types) == 1 else 0
