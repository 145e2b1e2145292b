"""What an agent does for someone: the task that a token is for, as it was declared when the token was made.
An empty declaration must never be read as "nothing was asked": what is not declared is bound by policy alone.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from wicketgate.model.statement import Effect

DRIFT: Final = "drift from the stated intent"
"""How a cause begins in the journal where more was asked for than was declared."""

_NAME: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._@-]{0,61}[A-Za-z0-9])?")
_DECLARABLE: Final = frozenset(Effect) - {Effect.SESSION, Effect.UNKNOWN}
MOST_RELATIONS: Final = 256
LONGEST: Final = 200
"""Characters of a purpose, and of a relation's name."""


@dataclass(frozen=True, slots=True)
class Task:
    """A task and its declaration. Made by whoever issues the token, never by who uses it.

    name: of the task (`t-42`). purpose: in people's words. behalf: whom it is done for, a local account of
    kind human. agent, crew: who does it. effects, relations: empty: not declared. relations: full names.
    rows: most rows that may leave, whatever sessions the token opens; None: not declared.
    """

    name: str
    purpose: str
    behalf: str
    agent: str
    crew: str | None = None
    effects: frozenset[Effect] = frozenset()
    relations: frozenset[str] = frozenset()
    rows: int | None = None

    def __post_init__(self) -> None:
        for what, name in (("task", self.name), ("human", self.behalf), ("agent", self.agent)):
            _check(what, name)
        if self.crew is not None:
            _check("crew", self.crew)
        if not 0 < len(self.purpose) <= LONGEST or not self.purpose.isprintable():
            raise ValueError(f"a task has a purpose, of at most {LONGEST} characters in one line")
        if undeclarable := self.effects - _DECLARABLE:
            raise ValueError(f"a task can't declare {', '.join(sorted(e.value for e in undeclarable))}")
        if len(self.relations) > MOST_RELATIONS:
            raise ValueError(f"a task declares at most {MOST_RELATIONS} relations")
        for relation in self.relations:
            schema, dot, rest = relation.partition(".")
            if not (schema and dot and rest and relation.isprintable() and len(relation) <= LONGEST):
                raise ValueError(f"{relation!r} is not a relation's full name (schema.relation)")
        if self.rows is not None and not 0 < self.rows < 1 << 53:
            raise ValueError("a ceiling of rows is a positive number")

    def replicated(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "name": self.name,
            "purpose": self.purpose,
            "behalf": self.behalf,
            "agent": self.agent,
            "crew": self.crew,
            "effects": sorted([effect.value for effect in self.effects]),
            "relations": sorted(self.relations),
            "rows": self.rows,
        }


def _check(what: str, name: str) -> None:
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} can't name a {what}: up to 63 letters, digits and ._@- only")


def task_of(fields: Mapping[str, Any]) -> Task:
    """The task that `replicated` gave. Raises KeyError, TypeError, ValueError: doubt is no task without
    bounds."""
    crew, rows = fields["crew"], fields["rows"]
    return Task(
        name=str(fields["name"]),
        purpose=str(fields["purpose"]),
        behalf=str(fields["behalf"]),
        agent=str(fields["agent"]),
        crew=None if crew is None else str(crew),
        effects=frozenset(Effect(effect) for effect in fields["effects"]),
        relations=frozenset(str(name) for name in fields["relations"]),
        rows=None if rows is None else int(rows),
    )
