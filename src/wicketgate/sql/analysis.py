"""What was proven of one statement in one environment, and the union of several such proofs."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from wicketgate.model.statement import UNKNOWN_FACTS, Effect, Facts
from wicketgate.sql.cache import Generations
from wicketgate.sql.member import KEPT, Member
from wicketgate.sql.snapshot import Catalog


@dataclass(frozen=True, slots=True)
class Environment:
    """What names mean for a session. path: its search_path as set, `$user` included; None: unknown.
    temporary: what Changes.temporary gathered in the session. user: the account's login on the target.
    read_only: the session may only read, and must not lift that."""

    catalog: Catalog
    path: tuple[str, ...] | None
    temporary: frozenset[str]
    user: str
    database: str
    read_only: bool
    _hash: int = field(init=False, repr=False, compare=False, default=0)

    def __post_init__(self) -> None:
        key = (id(self.catalog), self.path, self.temporary, self.user, self.database, self.read_only)
        object.__setattr__(self, "_hash", hash(key))

    def __hash__(self) -> int:
        return self._hash


_KEPT = frozenset({Effect.WRITE, Effect.DELETE, Effect.DEFINE, Effect.GRANT, Effect.EXECUTE, Effect.UNKNOWN})
_SESSION = frozenset({Effect.SESSION})


@dataclass(frozen=True, slots=True)
class Output:
    """One output column. classes: data classes of every value that it may be computed from, in any way; clean
    without any. bare: it is one base column itself, unchanged, through whatever views and sub-selects."""

    classes: frozenset[str]
    bare: bool


@dataclass(frozen=True, slots=True)
class Inherited:
    """A column of a lasting relation that a statement puts values of these classes into. The relation may not
    be there before the statement."""

    schema: str
    relation: str
    column: str
    classes: frozenset[str]


@dataclass(frozen=True, slots=True, eq=False)
class Analysis:
    """One member in one environment. Compared by identity.

    sensitive: it touches what holds sensitive values, or that can't be told: its result goes through the
    mask.
    relations: OIDs that may stand as an output column's origin.
    head, tail: outputs before the first place where it can't be told how many there are, and after the last.
    None: it can't be told what is in it, or a star stands for it: only an origin that the server names tells.
    starred: there is such a place (without one, tail is empty and head is all; a star over known relations is
    none, but the server may expand it to more: head proves nothing of an answer of another width).
    returning_unproven: RETURNING of a statement that also stores sensitive values: origins prove nothing, and
    what head and tail say holds alone.
    sensitive_parameters: numbers of the $n compared with or stored into sensitive columns; None: can't tell.
    ambiguous: a name has several candidates because the path is unknown.
    disturbs: it may call what changes the path or creates temporary objects unseen.
    copied: for COPY … TO STDOUT, its columns in order; None: can't tell (or no COPY out).
    inherits: columns of lasting relations that gain classes by what it stores in them.
    unknown_names: names of relations and columns that the catalog does not know, for a denial's words.
    held: for PREPARE and DECLARE, the analysis of what EXECUTE and FETCH will run.
    keeps: a commit would keep some of what it does. unsettles: names may mean something else after it.
    touches: it does more than change the session.
    """

    facts: Facts
    sensitive: bool
    relations: frozenset[int] = frozenset()
    head: tuple[Output | None, ...] = ()
    tail: tuple[Output | None, ...] = ()
    starred: bool = False
    returning_unproven: bool = False
    sensitive_parameters: frozenset[int] | None = frozenset()
    ambiguous: bool = False
    disturbs: bool = False
    copied: tuple[Output, ...] | None = None
    inherits: tuple[Inherited, ...] = ()
    unknown_names: tuple[str, ...] = ()
    held: "Analysis | None" = None
    keeps: bool = field(init=False, repr=False)
    unsettles: bool = field(init=False, repr=False)
    touches: bool = field(init=False, repr=False)

    def __post_init__(self) -> None:
        effects = self.facts.effects
        object.__setattr__(self, "keeps", not _KEPT.isdisjoint(effects))
        object.__setattr__(self, "unsettles", self.disturbs or Effect.UNKNOWN in effects)
        object.__setattr__(self, "touches", effects != _SESSION)


UNKNOWN_ANALYSIS = Analysis(
    UNKNOWN_FACTS, True, starred=True, returning_unproven=True, sensitive_parameters=None, disturbs=True
)
"""Of a statement about which nothing can be told."""


RESOLVED: Final[Generations[tuple[Member, Environment, Analysis | None], Analysis]] = Generations(8192, KEPT)
"""What members mean in environments, as far as that was asked: see resolve.resolve."""


def unite(analyses: Sequence[Analysis]) -> Analysis:
    """What holds whichever of these it is: all effects, relations and classes; clean only where all agree.
    Without any, nothing is known."""
    if not analyses:
        return UNKNOWN_ANALYSIS
    first = analyses[0]
    if all(other is first for other in analyses):
        return first
    parameters: frozenset[int] | None = frozenset()
    for analysis in analyses:
        if analysis.sensitive_parameters is None or parameters is None:
            parameters = None
        else:
            parameters |= analysis.sensitive_parameters
    same_shape = all(
        (len(other.head), len(other.tail), other.starred) == (len(first.head), len(first.tail), first.starred)
        for other in analyses
    )
    copied: tuple[Output, ...] | None = None
    columns = [other.copied for other in analyses if other.copied is not None]
    if len(columns) == len(analyses) and all(len(column) == len(columns[0]) for column in columns):
        copied = tuple(_either(outputs) for outputs in zip(*columns, strict=True))
    held = [analysis.held for analysis in analyses if analysis.held is not None]
    return Analysis(
        facts=unite_facts([analysis.facts for analysis in analyses]),
        sensitive=any(analysis.sensitive for analysis in analyses),
        relations=frozenset().union(*(analysis.relations for analysis in analyses)),
        head=_agreed(other.head for other in analyses) if same_shape else (),
        tail=_agreed(other.tail for other in analyses) if same_shape else (),
        starred=first.starred if same_shape else True,
        returning_unproven=any(analysis.returning_unproven for analysis in analyses),
        sensitive_parameters=parameters,
        ambiguous=any(analysis.ambiguous for analysis in analyses),
        disturbs=any(analysis.disturbs for analysis in analyses),
        copied=copied,
        inherits=tuple(dict.fromkeys(gain for other in analyses for gain in other.inherits)),
        unknown_names=tuple(dict.fromkeys(name for other in analyses for name in other.unknown_names)),
        held=unite(held) if len(held) == len(analyses) else None,
    )


def _agreed(many: Iterable[tuple[Output | None, ...]]) -> tuple[Output | None, ...]:
    return tuple(_any(outputs) for outputs in zip(*many, strict=True))


def _any(outputs: Sequence[Output | None]) -> Output | None:
    told = [output for output in outputs if output is not None]
    return _either(told) if len(told) == len(outputs) else None


def _either(outputs: Sequence[Output]) -> Output:
    classes = frozenset().union(*(output.classes for output in outputs))
    return Output(classes, all(output.bare and output.classes == classes for output in outputs))


def unite_facts(many: Sequence[Facts]) -> Facts:
    """The union of facts: known only where all are known."""
    return Facts(
        effects=_all(facts.effects for facts in many),
        commands=_all(facts.commands for facts in many),
        reads=_all(facts.reads for facts in many),
        writes=_all(facts.writes for facts in many),
        whole=_all(facts.whole for facts in many),
        functions=_all(facts.functions for facts in many),
        complete=all(facts.complete for facts in many),
        classes=_all(facts.classes for facts in many),
        steered=_all(facts.steered for facts in many),
        compared=_all(facts.compared for facts in many),
        spilled=_all(facts.spilled for facts in many),
        opaque=any(facts.opaque for facts in many),
        refusal=next((facts.refusal for facts in many if facts.refusal), None),
        returns_rows=any(facts.returns_rows for facts in many),
        redact_text=any(facts.redact_text for facts in many),
        catalog=next((facts.catalog for facts in reversed(many) if facts.catalog), None),
    )


def _all(sets: "Iterable[frozenset[str]] | Iterable[frozenset[Effect]]") -> frozenset:  # type: ignore[type-arg]
    return frozenset().union(*sets)
