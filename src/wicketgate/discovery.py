"""`wicket discover`: samples a resource's databases and proposes what is sensitive there.
Composition like checkup.py. It must never show a value, nor change anything by looking."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from wicketgate.masking.detect import CLASSES, Detectors
from wicketgate.model.errors import GatewayError
from wicketgate.model.resource import Account, Resource
from wicketgate.policies import held_policy
from wicketgate.policy.load import Policy
from wicketgate.protocols.base import CatalogAccess
from wicketgate.protocols.survey import Evidence, Sampling, Survey

MOSTLY: Final = 0.5
"""Of a column's sampled values, the part that must hold a class for the column to be of it."""

_BY_VALUE: Final[Mapping[str, tuple[str, ...]]] = {
    "email": ("email",),
    "payment-card": ("payment-card",),
    "national-id": ("national-id",),
    "bank-account": ("iban",),
    "phone": ("phone",),
    "ip-address": ("ip-address",),
    "birth-date": ("birth-date",),
}
"""A class that names speak of -> the built-in ones that its values would hold."""


class Unknown(GatewayError):
    """There is no such resource, account or database."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """One column. data_class None: it holds something here and there, no class for all of it.
    sampled, found: as in Evidence. known: the class that the policy gives it already."""

    column: str
    data_class: str | None
    named: str | None
    sampled: int
    found: Mapping[str, int]
    known: str | None

    @property
    def reason(self) -> str:
        """In words: counts, never values."""
        said = [f"{name}: {count} of {self.sampled} sampled values" for name, count in self.found.items()]
        if self.named is not None:
            expected = _BY_VALUE.get(self.named, ())
            if self.sampled and expected and not any(name in self.found for name in expected):
                said.append(f"by its name; none of {self.sampled} sampled values looks like it")
            else:
                said.append("by its name" if not said else "its name says so too")
        if self.known is not None:
            said.append(
                "in the policy already" if self.known == self.data_class else f"the policy says {self.known}"
            )
        return "; ".join(said)


@dataclass(frozen=True, slots=True)
class Report:
    """One database. proposals: in the order of the catalog."""

    resource: str
    database: str
    account: str
    survey: Survey
    proposals: tuple[Proposal, ...]


@dataclass(frozen=True, slots=True)
class Wanted:
    """account, databases: None for the first, and for all. rows, seconds: for each table at most."""

    resource: str
    account: str | None
    databases: tuple[str, ...] | None
    rows: int
    seconds: int


Progress = Callable[[str, int, int], None]
"""(database, tables done, all tables)"""


def discover(config: Path, wanted: Wanted, progress: Progress) -> list[Report]:
    """A report for each database. Raises Unknown, PolicyError, UpstreamFailed and what credentials raise."""
    policy = asyncio.run(held_policy(config))
    resource, account, databases = _chosen(policy, wanted)
    custom = tuple(policy.detectors.values())
    detectors = Detectors([*CLASSES, *(each.name for each in custom)], custom)
    return asyncio.run(_reports(config, resource, account, databases, wanted, detectors, progress))


def _chosen(policy: Policy, wanted: Wanted) -> tuple[Resource, Account, tuple[str, ...]]:
    resource = policy.resources.get(wanted.resource)
    if resource is None:
        known = ", ".join(sorted(policy.resources)) or "none"
        raise Unknown(f"there is no resource {wanted.resource!r} (there is: {known})")
    name = next(iter(resource.accounts)) if wanted.account is None else wanted.account
    if name not in resource.accounts:
        raise Unknown(
            f"{resource.name} has no account {name!r} (it has: {', '.join(sorted(resource.accounts))})"
        )
    databases = resource.databases if wanted.databases is None else wanted.databases
    for each in databases:
        if each not in resource.databases:
            raise Unknown(
                f"{resource.name} has no database {each!r} (it has: {', '.join(resource.databases)})"
            )
    return resource, resource.accounts[name], databases


async def _reports(
    config: Path,
    resource: Resource,
    account: Account,
    databases: tuple[str, ...],
    wanted: Wanted,
    detectors: Detectors,
    progress: Progress,
) -> list[Report]:
    from wicketgate.checkup import credentials_of
    from wicketgate.office import site
    from wicketgate.protocols.registry import protocols

    survey = protocols()[resource.protocol].survey
    if survey is None:
        raise Unknown(f"{resource.protocol} has nothing to discover")
    credentials = credentials_of(site(config))
    try:
        secret = await credentials.fetch(account.credential)
    finally:
        await credentials.close()
    found = []
    for database in databases:
        sampling = Sampling(
            look=lambda cells, column: look(detectors, cells, column),
            rows=wanted.rows,
            seconds=wanted.seconds,
            progress=lambda done, every, database=database: progress(database, done, every),  # type: ignore[misc]
        )
        surveyed = await survey(CatalogAccess(resource, account, database, secret), sampling)
        known = resource.sensitive.get(database, {})
        proposals = tuple(propose(each, known.get(each.column)) for each in surveyed.evidence)
        found.append(Report(resource.name, database, account.name, surveyed, proposals))
    return found


def look(detectors: Detectors, cells: list[bytes | None], column: str) -> Mapping[str, int]:
    """Data class -> how many of the cells hold some of it."""
    counts: dict[str, int] = {}
    for _, spans in detectors.scan(cells, column):
        for name in {data_class for data_class, _, _ in spans}:
            counts[name] = counts.get(name, 0) + 1
    return dict(sorted(counts.items(), key=lambda each: (-each[1], each[0])))


def propose(evidence: Evidence, known: str | None) -> Proposal:
    """What a column is: by its name, else what most of its values hold; else nothing as a whole."""
    data_class = evidence.named
    # what most values are says more than a name that speaks of something else
    for name, count in evidence.found.items():
        if count >= evidence.sampled * MOSTLY and name not in _BY_VALUE.get(data_class or "", (data_class,)):
            expected = _BY_VALUE.get(data_class or "", ())
            if data_class is None or (expected and not any(each in evidence.found for each in expected)):
                data_class = name
            break
    return Proposal(evidence.column, data_class, evidence.named, evidence.sampled, evidence.found, known)


def facts(reports: list[Report]) -> dict[str, Any]:
    """For --json."""
    return {
        "databases": [
            {
                "resource": report.resource,
                "database": report.database,
                "account": report.account,
                "relations": report.survey.relations,
                "columns": report.survey.columns,
                "truncated": report.survey.truncated,
                "unread": dict(report.survey.unread),
                "proposals": [
                    {
                        "column": each.column,
                        "class": each.data_class,
                        "named": each.named,
                        "sampled": each.sampled,
                        "found": dict(each.found),
                        "known": each.known,
                    }
                    for each in report.proposals
                ],
            }
            for report in reports
        ]
    }


def render(reports: list[Report]) -> str:
    """YAML to paste under a resource, with the evidence in comments."""
    from wicketgate.newcomer import quoted

    lines: list[str] = []
    for report in reports:
        where = f"{_shown(report.resource)}, database {_shown(report.database)}, account {report.account}"
        lines.append(f"# {where}: {report.survey.columns} columns of {report.survey.relations} tables")
        lines += [f"# not read: {_shown(name)} ({why})" for name, why in report.survey.unread.items()]
        if report.survey.truncated:
            lines.append("# there are more columns than were looked at")
    several = len(reports) > 1
    indent = "    " if several else "  "
    lines.append("sensitive:")
    for report in reports:
        if several:
            lines.append(f"  {quoted(report.database)}:")
        head = len(lines) - 1
        written = False
        for each in report.proposals:
            if each.data_class is None:
                continue
            if each.column.count(".") == 2:
                lines.append(f"{indent}{quoted(each.column)}: {each.data_class}  # {_shown(each.reason)}")
                written = True
            else:
                lines.append(f"{indent}# a name with a dot can't be written: {_shown(each.column)}")
        if not written:
            lines[head] += " {}"
    pieces = [(report, each) for report in reports for each in report.proposals if each.data_class is None]
    if pieces:
        lines.append("# found inside longer texts; `detect` masks these where they stand")
        for report, each in pieces:
            where = f"{_shown(report.database)}: " if several else ""
            lines.append(f"#   {where}{_shown(each.column)}  {_shown(each.reason)}")
    return "\n".join(lines)


def _shown(text: str) -> str:
    """Names come from the target: none may end a comment's line."""
    return "".join(each if each.isprintable() else "?" for each in text)
