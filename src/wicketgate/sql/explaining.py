"""Whether what the planner says of a query can have come of no sensitive value, and need not be masked.
It must never say so of one that names a sensitive column in any way, or reads what another wrote for it.

An EXPLAIN that runs nothing shows the query's own words, names, and estimates. Those come of the size of
relations, and of the statistics of the columns, and of groups of columns, that the query names.
"""

from wicketgate.model.statement import Effect
from wicketgate.sql.analysis import Analysis, Environment
from wicketgate.sql.parse import Member
from wicketgate.sql.tree import strings, walk

_PLAIN = frozenset("rpm")
"""Tables, partitioned ones, and materialized views: the server adds no text of another's to these."""


def shows_nothing(member: Member, explained: Analysis, environment: Environment) -> bool:
    """member: what an EXPLAIN without ANALYZE explains."""
    facts = explained.facts
    if member.node != "SelectStmt" or facts.effects != {Effect.READ} or environment.temporary:
        return False
    if (
        facts.opaque
        or not facts.complete
        or facts.functions
        or explained.ambiguous
        or explained.unknown_names
    ):
        return False
    if facts.steered or facts.compared or facts.spilled:
        return False
    sensitive: set[str] = set()
    for oid in explained.relations:
        relation = environment.catalog.relations.get(oid)
        if relation is None or relation.kind not in _PLAIN:
            return False
        if any(moment == "any" for moment, _ in relation.expressions):
            return False  # row security stands in a plan, and what virtual columns are made of
        classes = environment.catalog.relation_classes(relation)
        sensitive.update(name for number, name, _ in relation.columns if classes.get(number))
    return not _names(member, sensitive)


def _names(member: Member, sensitive: set[str]) -> bool:
    """Whether a column of these names may be meant somewhere, by itself, in a row or by a star."""
    rows: set[str] = set()
    columns: list[str] = []
    for name, body in walk(member.body):
        if name == "A_Star" or body.get("isNatural") or body.get("colnames"):
            return True
        if name == "String" and str(body.get("sval", "")) in sensitive:
            return True
        if name == "ColumnRef":
            columns.append(strings(body.get("fields"))[-1])
        rows.update(str(body[key]) for key in ("relname", "aliasname", "ctename") if key in body)
    return not rows.isdisjoint(columns)
