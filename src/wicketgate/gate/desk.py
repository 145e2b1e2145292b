"""The gate's desk of one session: each statement is decided, its obligations discharged, and it is recorded.
It never clears what is not recorded, nor lets through anything but what it recorded. Compiled."""

from collections.abc import Callable
from typing import Final

from wicketgate.gate import render
from wicketgate.gate.counts import Counts
from wicketgate.gate.decided import Decided
from wicketgate.gate.inheritance import Inheritance
from wicketgate.gate.leases import Leases, exhausted
from wicketgate.gate.ports import SessionLines
from wicketgate.model.clearance import UNLIMITED, Allowance, Clearance, Outcome
from wicketgate.model.decision import Decision, Denial, Verdict
from wicketgate.model.detector import Detection
from wicketgate.model.errors import JournalFailed
from wicketgate.model.session import Admission
from wicketgate.model.statement import Facts, Statement
from wicketgate.policy.engine import Context, Ruleset

MOST_DECISIONS: Final = 256
MOST_TEXTS: Final = 512
MOST_TEXT: Final = 65536
"""Entries, and bytes of text, that a session remembers: memory limits. Forgetting costs a longer record."""

UNRECORDED: Final = Denial(
    "unavailable", "The session's record can't be written, so nothing may pass.", "the journal failed"
)
UNDECIDED: Final = "This statement could not be decided."
EXPIRED: Final = Denial("revoked", "The token of this session has expired.", "expired")

Answer = Clearance | Denial


class Desk:
    """See protocols.base.Desk. One per session; its rules are replaced when policy or identity change.

    source: the client's address. opened: wall ns. until: wall ns when the identity's proof ends, or None.
    touch: something was recorded, flush soon. key: for the digests of texts that carry a secret.
    count: adds to a counter of the metrics.
    """

    __slots__ = (
        "_boot",
        "_catalog",
        "_clock",
        "_count",
        "_counts",
        "_database",
        "_decided",
        "_identity",
        "_inheritance",
        "_key",
        "_leases",
        "_lines",
        "_opened",
        "_policy",
        "_rules",
        "_source",
        "_text_bytes",
        "_texts",
        "_touch",
        "_unlimited",
        "_until",
        "admission",
        "broken",
        "detection",
        "ended",
        "forbidden",
        "fresh",
        "statements",
    )

    def __init__(
        self,
        admission: Admission,
        rules: Ruleset,
        policy: str,
        lines: SessionLines,
        leases: Leases,
        inheritance: Inheritance,
        clock: Callable[[], int],
        boot: Callable[[], int],
        touch: Callable[[], None],
        key: bytes,
        source: str,
        opened: int,
        until: int | None,
        count: Callable[[str, int], None],
    ) -> None:
        self.admission: Admission = admission
        self.broken: bool = False
        self.ended: bool = False
        self.detection: Detection | None = None
        self.forbidden: Denial | None = None
        self.fresh: list[Decided] = []
        self.statements: int = 0
        self._identity: str = admission.identity.name
        self._database: str = admission.database
        self._rules: Ruleset = rules
        self._policy: str = policy
        self._catalog: str | None = None
        self._lines: SessionLines = lines
        self._leases: Leases = leases
        self._inheritance: Inheritance = inheritance
        self._clock: Callable[[], int] = clock
        self._boot: Callable[[], int] = boot
        self._touch: Callable[[], None] = touch
        self._key: bytes = key
        self._source: str = source
        self._opened: int = opened
        self._until: int | None = until
        self._count: Callable[[str, int], None] = count
        self._decided: dict[Facts, Decided] = {}
        self._texts: dict[object, bytes] = {}
        self._text_bytes: int = 0
        self._unlimited: Allowance = Allowance(UNLIMITED)
        self._counts: Counts = Counts(admission.identity.name, leases)

    # -- decide -------------------------------------------------------------------------------------------
    def renew(self, rules: Ruleset, until: int | None) -> None:
        """Policy or identity changed: everything is decided anew."""
        self._rules = rules
        self._until = until
        self._decided.clear()

    def forbid(self, denial: Denial) -> None:
        """Nothing passes from here on: the session is about to end."""
        self.forbidden = denial
        self._decided.clear()

    def _decide(self, facts: Facts) -> Decided:
        if self._until is not None and self.forbidden is None and self._clock() >= self._until:
            self.forbid(EXPIRED)
        found = self._decided.get(facts)
        if found is not None:
            until = found.until
            if until is None or self._clock() < until:
                return found
        return self._decide_anew(facts)

    def _decide_anew(self, facts: Facts) -> Decided:
        denial = self.forbidden
        now = self._clock()
        if denial is not None:
            decision = Decision(Verdict.DENY, self._policy, denial.rules, denial)
        else:
            try:
                context = Context(now, self._database, self._source, self._opened)
                decision = self._rules.decide(facts, context)
            except Exception as error:  # an error is a denial, whatever it is (law 1)
                cause = f"the decision failed: {type(error).__name__}"
                denial = Denial("unavailable", UNDECIDED, cause)
                decision = Decision(Verdict.DENY, self._policy, (), denial, valid_until=0)
        found = Decided(decision, facts)
        if found.until is None or found.until > now:
            if len(self._decided) >= MOST_DECISIONS:
                self._decided.clear()
            self._decided[facts] = found
        return found

    def weigh(self, statement: Statement) -> Denial | None:
        """Whether a statement could be permitted, without recording a thing."""
        return self._decide(statement.facts).denial

    def judged(self, facts: Facts) -> Decision:
        """What holds for a statement of these facts, without recording a thing."""
        return self._decide(facts).decision

    def submit(self, statement: Statement, resume: Callable[[Answer], None]) -> Answer | None:
        """Decide, discharge, record. None: a limit is being leased, and `resume` gets the answer later.

        Raises JournalFailed."""
        decided = self._decide(statement.facts)
        denial = decided.denial
        if denial is not None:
            self.refused(statement, denial)
            return denial
        if statement.facts.inherits and not self._inherited(statement, resume):
            return None
        if decided.limited:
            return self._limited(statement, decided, resume)
        return self._cleared(statement, decided, self._unlimited)

    def _inherited(self, statement: Statement, resume: Callable[[Answer], None]) -> bool:
        """Whether it is kept which columns hold sensitive values after it. If not, it waits for that."""
        resource, inherits = self.admission.resource.name, statement.facts.inherits
        if self._inheritance.kept(resource, self._database, inherits):
            return True
        self._inheritance.keep(resource, self._database, inherits, self._after_wait(statement, resume))
        return False

    # -- limits -------------------------------------------------------------------------------------------
    def _limited(
        self, statement: Statement, decided: Decided, resume: Callable[[Answer], None]
    ) -> Answer | None:
        """Count the statement, and see to it that its first row may leave."""
        taken = self._counts.take(decided.statements, decided.rows)
        if isinstance(taken, Allowance):
            return self._cleared(statement, decided, taken)
        if taken.limit.per == "session":
            denial = exhausted(taken.limit)
            self.refused(statement, denial)
            return denial
        self._leases.refill(taken.limit.whose or self._identity, taken, self._after_wait(statement, resume))
        return None

    def _after_wait(
        self, statement: Statement, resume: Callable[[Answer], None]
    ) -> Callable[[Denial | None], None]:
        """Goes on where a statement waited. It is decided anew: the policy may have changed."""

        def go_on(denial: Denial | None) -> None:
            if self.ended:
                return
            answer: Answer | None = denial
            try:
                if denial is not None:
                    self.refused(statement, denial)
                else:
                    answer = self.submit(statement, resume)
            except JournalFailed:
                self._touch()
                answer = UNRECORDED
            if answer is not None:
                try:
                    resume(answer)
                except Exception:  # the conversation failed: doubt ends the session
                    self.broken = True

        return go_on

    def more(self, clearance: Clearance, resume: Callable[[Denial | None], None]) -> None:
        """The rows reserved have left: reserve more, or say that there are none. `resume` is called later,
        never before this returns."""

        def turn() -> None:
            self._more(clearance, resume)

        self._leases.later(turn)

    def _more(self, clearance: Clearance, resume: Callable[[Denial | None], None]) -> None:
        if self.ended:
            return
        denial = self.forbidden
        if denial is None and not self._counts.counts(clearance.allowance):
            denial = Denial("limit", "No more rows may leave.", "rows of a statement that reserved none")
        if denial is None:
            empty = self._counts.more(clearance.allowance)
            if empty is not None and empty.limit.per != "session":
                self._leases.refill(
                    empty.limit.whose or self._identity, empty, self._after_refill(clearance, resume)
                )
                return
            if empty is not None:
                denial = exhausted(empty.limit)
        self._tell(resume, denial)

    def _after_refill(
        self, clearance: Clearance, resume: Callable[[Denial | None], None]
    ) -> Callable[[Denial | None], None]:
        def go_on(denial: Denial | None) -> None:
            if self.ended:
                return
            if denial is None:
                self._more(clearance, resume)
            else:
                self._tell(resume, denial)

        return go_on

    def _tell(self, resume: Callable[[Denial | None], None], denial: Denial | None) -> None:
        try:
            resume(denial)
        except Exception:  # the conversation failed: doubt ends the session
            self.broken = True

    # -- record -------------------------------------------------------------------------------------------
    def _cleared(self, statement: Statement, decided: Decided, allowance: Allowance) -> Clearance:
        decision = decided.decision
        head = decided.head
        if decision.policy is not self._policy or statement.facts.catalog is not self._catalog:
            head = self._basis(decision.policy, statement.facts.catalog) + head
        parameters = statement.parameters
        body: bytes | None = None
        stated = self._texts.get(statement.text_key)
        if stated is None:
            body = self._state(statement)
        else:
            head += stated
            if parameters and not statement.facts.redact_text:
                body = render.parameters_member(parameters)
        q = self._lines.line("ask", head, body)
        if decision.observed:
            self._observed(q, decision)
        if decided.revealed:
            self._revealed(q, decided.revealed)
        self.statements += 1
        decided.use(self.fresh)
        return Clearance(q, decision, allowance, self._boot())

    def _basis(self, policy: str, catalog: str | None) -> bytes:
        """Policy and catalog, where they are others than the last line that named them said."""
        told_policy = policy if policy != self._policy else None
        told_catalog = catalog if catalog != self._catalog else None
        self._policy = policy  # the same object, so that the next look is at its identity alone
        if catalog is not None:
            self._catalog = catalog
        if told_policy is None and told_catalog is None:
            return b""
        return render.basis(told_policy, told_catalog)

    def _state(self, statement: Statement) -> bytes:
        """BODY's members where the text stands for the first time: the session's next line will hold it."""
        text = statement.text
        redact = statement.facts.redact_text
        self._text_bytes += len(text)
        if len(self._texts) >= MOST_TEXTS or self._text_bytes > MOST_TEXT:
            self._texts.clear()
            self._text_bytes = len(text)
        self._texts[statement.text_key] = b',"x":%d' % (self._lines.q + 1)
        body = render.text_member(text, redact, self._key)
        parameters = statement.parameters
        if parameters and not redact:
            return body + b"," + render.parameters_member(parameters)
        return body

    def _stated(self, statement: Statement, head: bytes) -> tuple[bytes, bytes | None]:
        """The text once a session, a reference afterwards; parameters each time."""
        stated = self._texts.get(statement.text_key)
        if stated is None:
            return head, self._state(statement)
        head += stated
        parameters = statement.parameters
        if parameters and not statement.facts.redact_text:
            return head, render.parameters_member(parameters)
        return head, None

    def _observed(self, q: int, decision: Decision) -> None:
        for each in decision.observed:
            self._lines.line("observed", render.observed(q, each.rule, each.would))
            self._count(f"observed{{would={each.would}}}", 1)

    def _revealed(self, q: int, classes: tuple[str, ...]) -> None:
        self._lines.line("revealed", render.revealed(q, classes))
        for name in classes:
            self._count(f"revealed{{class={name}}}", 1)

    def note(self, statement: Statement) -> None:
        """A text goes upstream to be prepared, and is not bound yet. Raises JournalFailed."""
        decided = self._decide(statement.facts)
        basis = self._basis(decided.decision.policy, statement.facts.catalog)
        head, body = self._stated(statement, basis + decided.head)
        self._lines.line("ask", head + b',"o":{"tag":"PARSE"}', body)

    def refused(self, statement: Statement, denial: Denial) -> None:
        """A statement is not forwarded, and why. Raises JournalFailed."""
        facts = statement.facts
        decided = self._decide(facts)
        decision = decided.decision
        own = decided.denial is not None and decided.denial == denial
        head = decided.head if own else render.judged("deny", denial.rules, facts)
        head, body = self._stated(statement, self._basis(decision.policy, facts.catalog) + head)
        why = render.denied(denial, facts.redact_text and not own)
        q = self._lines.line("deny", head, why if body is None else body + b"," + why)
        if decision.observed and (own or denial.kind == "limit"):
            self._observed(q, decision)
        self._count(f"denials{{kind={denial.kind}}}", 1)
        self._touch()

    def settle(self, clearance: Clearance, outcome: Outcome) -> None:
        """A statement ended: recorded, and what its limits did not need goes back. A portal that is executed
        again is settled again. Raises JournalFailed."""
        first = not clearance.settled
        clearance.settled = True
        if self._counts.used:
            self._counts.settled(clearance.allowance, first)
        kept = outcome.kept
        self._lines.line(
            "answer",
            render.answered(clearance.q, outcome, self._boot() - clearance.started),
            render.answer_body(kept) if kept else None,
        )

    def end(self) -> None:
        """The session is over: whatever is still reserved goes back."""
        if not self.ended:
            self.ended = True
            self._counts.end()
