"""The gate's desk of one session: each statement is decided, its obligations discharged, and it is recorded.
It never clears what is not recorded, nor lets through anything but what it recorded. Compiled."""

from collections.abc import Callable
from typing import Final

from wicketgate.gate import render
from wicketgate.gate.counts import Counts
from wicketgate.gate.decided import Approved, Decided
from wicketgate.gate.ending import RESHOWN
from wicketgate.gate.inheritance import Inheritance
from wicketgate.gate.leases import Leases, exhausted
from wicketgate.gate.more import More
from wicketgate.gate.reviews import RECENT, UNHELD, Reviews
from wicketgate.gate.session_clock import SessionClock
from wicketgate.gate.texts import Texts
from wicketgate.model import ports
from wicketgate.model.clearance import UNLIMITED, Allowance, Clearance, Outcome
from wicketgate.model.decision import Decision, Denial, Verdict
from wicketgate.model.detector import Detection
from wicketgate.model.errors import JournalFailed
from wicketgate.model.held import Approval, Holding
from wicketgate.model.ports import NEVER, Lines
from wicketgate.model.session import Admission
from wicketgate.model.statement import Facts, Statement
from wicketgate.policy.engine import Context, Ruleset

MOST_DECISIONS: Final = 256
"""Entries that a session remembers: a memory limit."""

UNRECORDED: Final = Denial(
    "unavailable", "The session's record can't be written, so nothing may pass.", "the journal failed"
)
UNDECIDED: Final = "This statement could not be decided."
CHANGED: Final = Denial(
    "review",
    "What has to be reviewed has changed: ask again.",
    "the review that the policy asks for is another one than was approved",
    "Send the statement again.",
)
EXPIRED: Final = Denial("revoked", "The token of this session has expired.", "expired")

Answer = Clearance | Denial
Resume = Callable[[Answer], None]


class Desk(ports.Desk):
    """See model.ports.Desk. One per session; its rules are replaced when policy or identity change.

    source: the client's address. opened: wall ns. until: wall ns when the identity's proof ends, or None.
    touch: something was recorded, flush soon. key: for the digests of texts that carry a secret.
    count: adds to a counter of the metrics. leaned: rules that statements went by while grants held.
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
        "_leases",
        "_lines",
        "_more",
        "_opened",
        "_policy",
        "_reviews",
        "_rules",
        "_source",
        "_stating",
        "_texts",
        "_touch",
        "_unlimited",
        "_until",
        "admission",
        "broken",
        "ended",
        "forbidden",
        "fresh",
        "leaned",
        "statements",
    )

    def __init__(
        self,
        admission: Admission,
        rules: Ruleset,
        policy: str,
        lines: Lines,
        leases: Leases,
        inheritance: Inheritance,
        reviews: Reviews,
        clock: SessionClock,
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
        self.due: int = NEVER
        self.forbidden: Denial | None = None
        self.fresh: list[Decided] = []
        self.leaned: set[str] = set()
        self.statements: int = 0
        self._identity: str = admission.identity.name
        self._database: str = admission.database
        self._rules: Ruleset = rules
        self._policy: str = policy
        self._catalog: str | None = None
        self._lines: Lines = lines
        self._leases: Leases = leases
        self._inheritance: Inheritance = inheritance
        self._reviews: Reviews = reviews
        self._clock: SessionClock = clock
        self._boot: Callable[[], int] = boot
        self._touch: Callable[[], None] = touch
        self._source: str = source
        self._opened: int = opened
        self._until: int | None = until
        self._count: Callable[[str, int], None] = count
        self._decided: dict[Facts, Decided] = {}
        self._stating: Texts = Texts(lines, key)
        self._texts: dict[object, bytes] = self._stating.known
        self._unlimited: Allowance = Allowance(UNLIMITED)
        self._counts: Counts = Counts(admission.identity.name, leases)
        self._more: More = More(self, self._counts, leases, admission.identity.name)

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
        until = self._until
        if until is not None and self._boot() >= self.due and self._clock.now() >= until:
            self.forbid(self.forbidden or EXPIRED)  # `due` comes no later: until then one clock is enough
        found = self._decided.get(facts)
        if found is not None and (found.until is None or self._clock.now() < found.until):
            return found
        return self._decide_anew(facts)

    def _decide_anew(self, facts: Facts) -> Decided:
        denial = self.forbidden
        now = self._clock.now()
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
        decided = self._decide(statement.facts)
        denial = decided.denial
        return None if denial is None or decided.review is not None else denial

    def upheld(self, clearance: Clearance, statement: Statement) -> Denial | None:
        """Whether what was cleared may still run, without recording a thing."""
        decided = self._decide(statement.facts)
        denial = decided.denial
        if denial is not None and decided.review is not None:
            denial = None if clearance.decision.review == decided.review else CHANGED
        was, now = clearance.decision, decided.decision
        return RESHOWN if denial is None and now is not was and now.mask != was.mask else denial

    def judged(self, facts: Facts) -> Decision:
        """What holds for a statement of these facts, without recording a thing."""
        return self._decide(facts).decision

    def submit(self, statement: Statement, resume: Resume, holding: Holding | None = None) -> Answer | None:
        """Decide, discharge, record. None: it waits for a lease or for people, and `resume` gets the answer
        later. holding: who can tell people what it is. Raises JournalFailed."""
        decided = self._decide(statement.facts)
        denial = decided.denial
        if denial is not None:
            if decided.review is None:
                self.refused(statement, denial)
                return denial
            if not isinstance(statement, Approved) or statement.approval.terms != decided.review:
                return self._ask(statement, decided, resume, holding)
            decided = statement.decided(decided)
        if statement.facts.inherits and not self._inherited(statement, resume, holding):
            return None
        if decided.limited:
            return self._limited(statement, decided, resume, holding)
        return self._cleared(statement, decided, self._unlimited)

    # -- reviews ------------------------------------------------------------------------------------------
    def _ask(
        self, statement: Statement, decided: Decided, resume: Resume, holding: Holding | None
    ) -> Answer | None:
        """Ask people. An approval of something else, or on other terms, is none."""
        approved = isinstance(statement, Approved)
        denial: Denial | None = CHANGED if approved else UNHELD
        if holding is not None and not approved:
            recent = list(self._texts)[-RECENT:]
            denial = self._reviews.begin(
                self, statement, decided.decision, holding, resume, self._source, recent
            )
        if denial is not None:
            self.refused(statement, denial)
        return denial

    def held(self, statement: Statement, review: str) -> None:
        """A statement waits for people. Raises JournalFailed."""
        decided = self._decide(statement.facts)
        basis = self._basis(decided.decision.policy, statement.facts.catalog)
        head, body = self._stating.stated(statement, basis + decided.head + render.reviewed(review))
        self._lines.line("held", head, body)
        self._touch()

    def withdrew(self, review: str) -> None:
        """Its client does not want it any more. Raises JournalFailed."""
        if not self.ended:
            self._touch()
            self._lines.line("withdrawn", render.reviewed(review))

    def reviewed(
        self, statement: Statement, resume: Resume, holding: Holding, answer: Approval | Denial
    ) -> None:
        """People have answered, or nobody has. It is decided once more: the policy may have changed."""
        if isinstance(answer, Denial):
            self._after_wait(statement, resume, holding)(answer)
        else:
            self._after_wait(Approved(statement, answer), resume, holding)(None)

    def _inherited(self, statement: Statement, resume: Resume, holding: Holding | None) -> bool:
        """Whether it is kept which columns hold sensitive values after it. If not, it waits for that."""
        resource, inherits = self.admission.resource.name, statement.facts.inherits
        if self._inheritance.kept(resource, self._database, inherits):
            return True
        go_on = self._after_wait(statement, resume, holding)
        self._inheritance.keep(resource, self._database, inherits, go_on)
        return False

    # -- limits -------------------------------------------------------------------------------------------
    def _limited(
        self, statement: Statement, decided: Decided, resume: Resume, holding: Holding | None
    ) -> Answer | None:
        """Count the statement, and see to it that its first row may leave."""
        taken = self._counts.take(decided.statements, decided.rows)
        if isinstance(taken, Allowance):
            return self._cleared(statement, decided, taken)
        if taken.limit.per == "session":
            denial = exhausted(taken.limit)
            self.refused(statement, denial)
            return denial
        go_on = self._after_wait(statement, resume, holding)
        self._leases.refill(taken.limit.whose or self._identity, taken, go_on)
        return None

    def _after_wait(
        self, statement: Statement, resume: Resume, holding: Holding | None
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
                    answer = self.submit(statement, resume, holding)
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
        self._more.more(clearance, resume)

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
            body = self._stating.state(statement)
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
        if self._rules.grants:
            self.leaned.update(decision.rules)
        decided.use(self.fresh)
        return Clearance(q, decision, allowance, self._lines.moment())

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
        head, body = self._stating.stated(statement, basis + decided.head)
        self._lines.line("ask", head + b',"o":{"tag":"PARSE"}', body)

    def refused(self, statement: Statement, denial: Denial) -> None:
        """A statement is not forwarded, and why. Raises JournalFailed."""
        facts = statement.facts
        decided = self._decide(facts)
        decision = decided.decision
        own = decided.denial is not None and decided.denial == denial
        head = decided.head if own else render.judged("deny", denial.rules, facts)
        if denial.review is not None:
            head += render.reviewed(denial.review)
        head, body = self._stating.stated(statement, self._basis(decision.policy, facts.catalog) + head)
        why = render.denied(denial, facts.redact_text and not own)
        q = self._lines.line("deny", head, why if body is None else body + b"," + why)
        if decision.observed and (own or denial.kind in ("limit", "review")):
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
            render.answered(clearance.q, outcome, self._lines.moment() - clearance.started),
            render.answer_body(kept) if kept else None,
        )

    def end(self) -> None:
        """The session is over: whatever is still reserved goes back."""
        if not self.ended:
            self.ended = True
            self._counts.end()
