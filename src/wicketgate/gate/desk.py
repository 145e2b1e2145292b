"""The gate's desk of one session: each statement is decided, its obligations discharged, and it is recorded.
It never gives a Clearance for what is not recorded, and never records what it then lets through otherwise."""

from collections.abc import Callable, Iterable

from wicketgate.gate import render
from wicketgate.gate.leases import SLICE, Bucket, Leases, exhausted
from wicketgate.gate.ports import SessionLines
from wicketgate.model.decision import Decision, Denial, Limit, Verdict
from wicketgate.model.session import UNLIMITED, Admission, Allowance, Clearance, Outcome
from wicketgate.model.statement import Facts, Statement
from wicketgate.policy.engine import Context, Ruleset

MOST_DECISIONS = 2048
MOST_TEXTS = 4096
"""Entries of a session's caches: memory limits."""

Answer = Clearance | Denial


class Decided:
    """A decision seen before for the same facts, with the journal's part of it ready."""

    __slots__ = ("decision", "denial", "head", "rows", "statements")

    def __init__(self, decision: Decision, head: bytes) -> None:
        self.decision = decision
        self.head = head
        self.denial = decision.denial
        if decision.verdict is not Verdict.PERMIT and self.denial is None:
            self.denial = Denial("policy", "This statement is not permitted.", "no denial was given")
        self.rows = tuple(limit for limit in decision.limits if limit.what == "rows")
        self.statements = tuple(limit for limit in decision.limits if limit.what == "statements")


class Desk:
    """See protocols.base.Desk. One per session; `rules` is replaced when policy or identity change."""

    def __init__(
        self,
        admission: Admission,
        rules: Ruleset,
        lines: SessionLines,
        leases: Leases,
        clock: Callable[[], int],
        boot: Callable[[], int],
        touch: Callable[[], None],
        key: bytes,
    ) -> None:
        self.admission = admission
        self._rules = rules
        self._lines = lines
        self._leases = leases
        self._clock = clock
        self._boot = boot
        self._touch = touch
        self._key = key
        self._decided: dict[Facts, Decided] = {}
        self._texts: dict[object, int] = {}
        self._own: dict[Limit, Bucket] = {}
        self._reserved: dict[int, list[tuple[Bucket, int]]] = {}
        self.ended = False

    # -- decide -------------------------------------------------------------------------------------------
    def renew(self, rules: Ruleset) -> None:
        """Policy or identity changed: everything is decided anew."""
        self._rules = rules
        self._decided.clear()

    def _decide(self, facts: Facts) -> Decided:
        found = self._decided.get(facts)
        if found is not None:
            until = found.decision.valid_until
            if until is None or self._clock() < until:
                return found
        decision = self._rules.decide(facts, Context(now=self._clock()))
        found = Decided(decision, render.asked(decision, facts, None))
        if len(self._decided) >= MOST_DECISIONS:
            self._decided.clear()
        self._decided[facts] = found
        return found

    def weigh(self, statement: Statement) -> Denial | None:
        """Whether a statement could be permitted, without recording a thing."""
        return self._decide(statement.facts).denial

    def submit(self, statement: Statement, resume: Callable[[Answer], None]) -> Answer | None:
        """Decide, discharge, record. None: a limit is being leased, and `resume` gets the answer."""
        decided = self._decide(statement.facts)
        if decided.denial is not None:
            self.refused(statement, decided.denial)
            return decided.denial
        if decided.statements or (decided.rows and statement.facts.returns_rows):
            return self._limited(statement, decided, resume)
        return self._cleared(statement, decided, Allowance(UNLIMITED))

    # -- limits -------------------------------------------------------------------------------------------
    def _limited(
        self, statement: Statement, decided: Decided, resume: Callable[[Answer], None]
    ) -> Answer | None:
        """Count the statement, and reserve its first rows."""
        buckets = self._buckets(decided.statements)
        rows = self._buckets(decided.rows) if statement.facts.returns_rows else []
        empty = next((bucket for bucket in (*buckets, *rows) if bucket.left <= 0), None)
        if empty is not None:

            def go_on(denial: Denial | None) -> None:
                if denial is not None:
                    self.refused(statement, denial)
                    resume(denial)
                    return
                answer = self._limited(statement, decided, resume)
                if answer is not None:
                    resume(answer)

            if empty.limit.per == "session":
                denial = exhausted(empty.limit)
                self.refused(statement, denial)
                return denial
            self._leases.refill(self.admission.identity.name, empty, go_on)
            return None
        for bucket in buckets:
            bucket.take(1)
        if not rows:
            return self._cleared(statement, decided, Allowance(UNLIMITED))
        allowance = Allowance(0)
        clearance = self._cleared(statement, decided, allowance)
        self._reserve(clearance, rows)
        return clearance

    def _buckets(self, limits: Iterable[Limit]) -> list[Bucket]:
        identity = self.admission.identity.name
        return [self._leases.bucket(identity, limit, self._own) for limit in limits]

    def _reserve(self, clearance: Clearance, rows: list[Bucket]) -> None:
        """Take the same number of rows from every limit that counts them."""
        want = min(SLICE, *(bucket.left for bucket in rows)) if len(rows) > 1 else SLICE
        got = min(bucket.take(want) for bucket in rows) if len(rows) == 1 else self._take_alike(rows, want)
        clearance.allowance.left += got
        self._reserved.setdefault(clearance.q, []).extend((bucket, got) for bucket in rows)

    @staticmethod
    def _take_alike(rows: list[Bucket], want: int) -> int:
        """Several limits count the same rows: all give what the smallest can."""
        taken = [bucket.take(want) for bucket in rows]
        got = min(taken)
        for bucket, amount in zip(rows, taken, strict=True):
            bucket.give_back(amount - got)
        return got

    def more(self, clearance: Clearance, resume: Callable[[Denial | None], None]) -> None:
        """The rows reserved have left: reserve more, or say that there are none."""
        rows = self._buckets(limit for limit in clearance.decision.limits if limit.what == "rows")
        empty = next((bucket for bucket in rows if bucket.left <= 0), None)
        if empty is None:
            self._reserve(clearance, rows)
            resume(None)
            return

        def go_on(denial: Denial | None) -> None:
            if denial is not None:
                resume(denial)
            else:
                self.more(clearance, resume)

        self._leases.refill(self.admission.identity.name, empty, go_on)

    # -- record -------------------------------------------------------------------------------------------
    def _cleared(self, statement: Statement, decided: Decided, allowance: Allowance) -> Clearance:
        head, body = self._stated(statement, decided.head)
        q = self._lines.line("ask", head, body)
        if decided.decision.observed:
            self._observed(q, decided.decision)
        return Clearance(q, decided.decision, allowance, self._boot())

    def _stated(self, statement: Statement, head: bytes) -> tuple[bytes, bytes | None]:
        """The text once a session, a reference afterwards; parameters each time."""
        stated = self._texts.get(statement.text_key)
        parameters = statement.parameters
        if stated is not None:
            head = head + b',"x":%d' % stated
            return head, render.parameters_member(parameters) if parameters else None
        if len(self._texts) >= MOST_TEXTS:
            self._texts.clear()
        self._pending_text(statement)
        body = render.text_member(statement.text, statement.facts.redact_text, self._key)
        return head, body + b"," + render.parameters_member(parameters) if parameters else body

    def _pending_text(self, statement: Statement) -> None:
        """The next line of this session states this text."""
        self._texts[statement.text_key] = self._lines.q + 1

    def _observed(self, q: int, decision: Decision) -> None:
        for each in decision.observed:
            self._lines.line("observed", render.observed(q, each.rule, each.would))

    def note(self, statement: Statement) -> None:
        """A text goes upstream to be prepared, and is not bound yet."""
        decided = self._decide(statement.facts)
        head, body = self._stated(statement, decided.head)
        self._lines.line("ask", head + b',"o":{"tag":"PARSE"}', body)

    def refused(self, statement: Statement, denial: Denial) -> None:
        """A statement is not forwarded, and why."""
        decided = self._decide(statement.facts)
        head, body = self._stated(statement, decided.head if decided.denial is denial else b',"d":"deny"')
        why = render.denied(denial)
        self._lines.line("deny", head, why if body is None else body + b"," + why)
        if decided.decision.observed:
            self._observed(self._lines.q, decided.decision)
        self._touch()

    def settle(self, clearance: Clearance, outcome: Outcome) -> None:
        """A statement ended: recorded, and what its limits did not need goes back."""
        clearance.settled = True
        body = render.answer_body(outcome.kept) if outcome.kept else None
        self._lines.line(
            "answer", render.answered(clearance.q, outcome, self._boot() - clearance.started), body
        )
        reserved = self._reserved.pop(clearance.q, None)
        if reserved is not None:
            self._give_back(clearance, reserved)

    @staticmethod
    def _give_back(clearance: Clearance, reserved: list[tuple[Bucket, int]]) -> None:
        left = clearance.allowance.left
        clearance.allowance.left = 0
        given: dict[int, int] = {}
        for bucket, got in reversed(reserved):
            unused = min(got, left - given.get(id(bucket), 0))
            if unused > 0:
                bucket.give_back(unused)
                given[id(bucket)] = given.get(id(bucket), 0) + unused
