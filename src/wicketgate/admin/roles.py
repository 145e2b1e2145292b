"""Roles: who sits in which, by groups, and over which resources, by name or label.
A seat must never reach a resource that it does not name, nor one that lost its label."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum

from wicketgate.model.resource import Resource

Reach = frozenset[str] | None
"""Resources by name; None: all, those that are gone, and what belongs to none."""


class Role(Enum):
    """What somebody is here besides the owner of what is his own."""

    ADMIN = "admin"
    AUDITOR = "auditor"
    REVIEWER = "reviewer"
    VIEWER = "viewer"


@dataclass(frozen=True, slots=True)
class Seat:
    """Members of any of these groups have the role over the resources that are named, or have all labels.
    Neither: over everything."""

    role: Role
    groups: frozenset[str]
    names: frozenset[str] = frozenset()
    labels: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.groups:
            raise ValueError("a role without groups is nobody's")
        if self.names and self.labels:
            raise ValueError("resources are chosen by name or by label")
        if self.role is Role.ADMIN and (self.names or self.labels):
            raise ValueError("an admin is one over everything")

    def over(self, resources: Mapping[str, Resource]) -> Reach:
        """What it reaches among the resources of the policy that holds now."""
        if self.names:
            return self.names & resources.keys()
        if self.labels:
            wanted = self.labels.items()
            return frozenset(name for name, each in resources.items() if wanted <= each.labels.items())
        return None


def duties(
    seats: Iterable[Seat], groups: frozenset[str], resources: Mapping[str, Resource]
) -> dict[Role, Reach]:
    """The roles that somebody of these groups has now, each with its reach. One that reaches nothing at
    present is among them: its lists are empty."""
    found: dict[Role, Reach] = {}
    for seat in seats:
        if not seat.groups.isdisjoint(groups):
            reach = seat.over(resources)
            before = found.get(seat.role, frozenset())
            found[seat.role] = None if reach is None or before is None else before | reach
    return found
