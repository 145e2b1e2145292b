"""An analysis as plain data, so that a table of them can be read, reviewed and compared."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from wicketgate.sql.analysis import Output
from wicketgate.sql.catalog import Catalog
from wicketgate.sql.parse import parse
from wicketgate.sql.resolve import Analysis, Environment, resolve

CORPUS = Path(__file__).parent.parent / "corpus"
DATABASE = "classify"

SENSITIVE = {
    "public.customers.email": "email",
    "public.customers.ssn": "national-id",
    "public.customers.card": "payment-card",
    "public.events.payload": "payload",
    "public.people.phone": "phone",
}
OPTIONS = {"functions": ("public.listed",)}


@dataclass(frozen=True)
class Row:
    """One statement and the facts that it must come out with."""

    text: str
    expected: dict[str, Any]
    path: tuple[str, ...] | None = ("$user", "public")
    temporary: frozenset[str] = frozenset()
    read_only: bool = False
    settings: dict[str, Any] = field(default_factory=dict)

    def environment(self, catalog: Catalog) -> Environment:
        return Environment(catalog, self.path, self.temporary, "app", catalog.database, self.read_only)


def rows() -> list[Row]:
    found = []
    for entry in YAML(typ="safe").load(CORPUS / "classify.yaml"):
        under = entry.pop("under", {})
        path: Any = under.get("path", "$user public")
        found.append(
            Row(
                entry.pop("text"),
                entry,
                None if path == "unknown" else tuple(path.split()),
                frozenset(under.get("temporary", "").split()),
                under.get("read_only", False),
                under,
            )
        )
    return found


def analyse(row: Row, catalog: Catalog) -> Analysis:
    """The last statement of the row's text; PREPARE and DECLARE before it give EXECUTE and FETCH their
    meaning."""
    held: Analysis | None = None
    environment = row.environment(catalog)
    for member in parse(row.text.encode()).members:
        found = resolve(member, environment, held)
        held = found if found.held is not None else held
    return found


def picture(analysis: Analysis, catalog: Catalog) -> dict[str, Any]:
    """Everything that differs from a clean, complete statement that gives rows."""
    facts = analysis.facts
    shape = "".join(map(_letter, analysis.head))
    if analysis.starred:
        shape += "*" + "".join(map(_letter, analysis.tail))
    found: dict[str, Any] = {
        "effects": _words(effect.value for effect in facts.effects),
        "commands": _words(facts.commands),
        "reads": _words(facts.reads),
        "writes": _words(facts.writes),
        "whole": _words(facts.whole),
        "functions": " | ".join(sorted(facts.functions)),
        "classes": _words(facts.classes),
        "steered": _words(facts.steered),
        "compared": _words(facts.compared),
        "spilled": _words(facts.spilled),
        "inherits": _words(f"{column}={data_class}" for column, data_class in facts.inherits),
        "shape": shape,
        "origins": _words(catalog.relation_name(oid) or str(oid) for oid in analysis.relations),
        "flags": _words(
            flag
            for flag, on in (
                ("incomplete", not facts.complete),
                ("opaque", facts.opaque),
                ("sensitive", analysis.sensitive),
                ("no-rows", not facts.returns_rows),
                ("redacted", facts.redact_text),
                ("unproven", analysis.returning_unproven),
                ("ambiguous", analysis.ambiguous),
                ("disturbs", analysis.disturbs),
            )
            if on
        ),
        "parameters": "unknown"
        if analysis.sensitive_parameters is None
        else _words(map(str, sorted(analysis.sensitive_parameters))),
        "unknown": _words(analysis.unknown_names),
        "refusal": facts.refusal or "",
    }
    if found["origins"] == found["reads"]:
        del found["origins"]
    return {key: value for key, value in found.items() if value}


def _letter(output: Output | None) -> str:
    if output is None:
        return "?"
    if not output.classes:
        return "c"
    return "b" if output.bare else "m"


def _words(many: Any) -> str:
    return " ".join(sorted(many))


ROWS_TEXTS = tuple(row.text for row in rows())
