"""What sessions of this worker use, gathered for the history of access until the control process is told.
It must never grow without bound, nor keep a statement: only its shape is counted."""

from typing import Any, Final

from wicketgate.gate.decided import Decided, merge
from wicketgate.model.identity import Identity
from wicketgate.model.session import Admission
from wicketgate.model.usage import Member, Shape, shape

MOST: Final = 2048
"""Shapes that wait to be told of; beyond these only coarse ones are counted."""
MOST_MEMBERS: Final = 2048
AT_ONCE: Final = 64
"""Shapes told of in one message: it must fit."""


class Usage:
    """Counts of one worker. lost: uses that found no room, since they were last told of."""

    def __init__(self) -> None:
        self._counts: dict[Shape, list[int]] = {}
        self._members: dict[str, Member] = {}
        self.lost = 0

    def add(self, used: Shape, count: int, now: int) -> None:
        """count: uses. now: wall ns."""
        if used not in self._counts and len(self._counts) >= MOST:
            used = used.coarse()
        if used not in self._counts and len(self._counts) >= 2 * MOST:
            self.lost += count
            return
        entry = self._counts.setdefault(used, [0, now, now])
        entry[0] += count
        entry[2] = now

    def seen(self, identity: Identity) -> None:
        """An identity has these groups now."""
        if identity.name in self._members or len(self._members) < MOST_MEMBERS:
            self._members[identity.name] = Member.of(identity)

    def take(self) -> list[tuple[list[list[Any]], list[dict[str, Any]], int]]:
        """All of it, in parts that fit a message each: [[shape, count, first, last], …], members, lost."""
        counted = [[used.told(), *entry] for used, entry in self._counts.items()]
        members = [each.told() for each in self._members.values()]
        lost, self.lost = self.lost, 0
        self._counts.clear()
        self._members.clear()
        parts = []
        for at in range(0, max(len(counted), len(members), 1 if lost else 0), AT_ONCE):
            parts.append((counted[at : at + AT_ONCE], members[at : at + AT_ONCE], lost if at == 0 else 0))
        return parts


class SessionUses:
    """One session's part. identity: as it is now; replace it when its groups change."""

    def __init__(self, usage: Usage, admission: Admission) -> None:
        self._usage = usage
        self._admission = admission
        self.identity = admission.identity

    def take(self, fresh: list[Decided], now: int) -> None:
        """What the session's desk let through since the last time; the list is emptied."""
        merge(fresh)
        for decided in fresh:
            count, decided.uses = decided.uses, 0
            for identity in (self.identity, self.identity.human):
                if identity is not None:
                    self._usage.add(self._shape(identity, decided), count, now)
        fresh.clear()

    def _shape(self, identity: Identity, decided: Decided) -> Shape:
        of = self._admission
        return shape(
            identity, of.resource.name, of.database, of.account.name, decided.facts, decided.decision.rules
        )

    def changed(self, identity: Identity, fresh: list[Decided], now: int) -> None:
        """The session goes on as this one: what was done before was done by the other."""
        if identity.groups != self.identity.groups:
            self._usage.seen(identity)
        if identity != self.identity:
            self.take(fresh, now)
            self.identity = identity
