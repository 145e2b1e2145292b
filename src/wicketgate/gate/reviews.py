"""Statements that wait for people: asked for at the control process, held or refused, and told to the client.
It must never let one go by an answer that was not given for it, nor take silence for one.
"""

import asyncio
import contextlib
import hashlib
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

import orjson

from wicketgate.gate.ports import Asks
from wicketgate.gate.told import LONGEST_REASON, Told, denial, waits
from wicketgate.model.clearance import Clearance
from wicketgate.model.decision import Decision, Denial, Verdict
from wicketgate.model.errors import GatewayError, JournalFailed
from wicketgate.model.held import Approval, Holding, Particulars
from wicketgate.model.identity import Identity
from wicketgate.model.session import Admission
from wicketgate.model.statement import Facts, Statement
from wicketgate.model.terms import Terms

TELL_EVERY: Final = 30_000_000_000
"""Nanoseconds between two words to a client that waits: nothing on its way may take the silence for death."""
RECENT: Final = 5

UNHELD: Final = Denial(
    "review",
    "This statement asks for a review, and can't be reviewed in this form.",
    "its protocol can't hold it, or tell what it is",
)
MOVED: Final = Denial(
    "review",
    "What has to be reviewed has changed: ask again.",
    "its names mean something else than when people were asked",
    "Send the statement again.",
)
NO_REASON: Final = Denial(
    "review",
    "a review of this statement needs a reason, and none is given",
    "reason: required",
    "Begin the statement with a comment: /* reason: what it is for */",
)

TOGETHER_MOST: Final = 20
"""Statements of one string that people look at: as many as may wait for one identity."""
TOO_MANY: Final = Denial(
    "review",
    f"More than {TOGETHER_MOST} statements of one string ask for a review.",
    "too many reviewed statements in one string",
    "Send fewer at once.",
)

Resume = Callable[[Clearance | Denial], None]


class Asker(Protocol):
    """The desk whose statement it is."""

    admission: Admission

    def judged(self, facts: Facts) -> Decision:
        """What holds for a statement of these facts."""
        ...

    def held(self, statement: Statement, review: str) -> None:
        """Record that it waits. Raises JournalFailed."""
        ...

    def withdrew(self, review: str) -> None:
        """Record that its client does not want it any more. Raises JournalFailed."""
        ...

    def reviewed(
        self, statement: Statement, resume: Resume, holding: Holding, answer: Approval | Denial
    ) -> None: ...


@dataclass(frozen=True, slots=True)
class Asked:
    """One statement that is asked for: on which terms, how its client waits, and what is told."""

    statement: Statement
    terms: Terms
    mode: str
    body: Mapping[str, Any]


class Waiting:
    """Statements on their way: the first one waits, and all go together or none does. gone: their client does
    not want them any more, or its session is over."""

    def __init__(self, desk: Asker, asked: Sequence[Asked], holding: Holding, resume: Resume) -> None:
        self.desk = desk
        self.statement = asked[0].statement
        self.terms = asked[0].terms
        self.mode = asked[0].mode
        self.asked = asked
        self.holding = holding
        self.resume = resume
        self.review: str | None = None
        self.gone = False
        self.recorded = False


class Reviews:
    """Those of this worker. clock: wall ns. boot: monotonic ns."""

    def __init__(self, asks: Asks, clock: Callable[[], int], boot: Callable[[], int]) -> None:
        self._asks = asks
        self._clock = clock
        self._boot = boot
        self._waiting: dict[str, list[Waiting]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def begin(
        self,
        desk: Asker,
        statement: Statement,
        decision: Decision,
        holding: Holding,
        resume: Resume,
        source: str,
        recent: Sequence[object],
    ) -> Denial | None:
        """Ask for one. What comes of it goes to `desk.reviewed` later; a Denial: it can't even be asked."""
        try:
            kept = holding.kept(statement)
            if kept is not None:
                answer = kept if holding.unchanged() else MOVED
                desk.reviewed(statement, resume, holding, answer)
                return None
            asked = self._asked(desk, statement, decision, holding.particulars(recent), holding, source)
            if isinstance(asked, Denial):
                return asked
            together = [asked]
            for each in holding.beside():
                found = desk.judged(each.facts)
                if found.review is not None and found.verdict is Verdict.REVIEW:
                    about = holding.about(each, recent)
                    asked = self._asked(desk, each, found, about, holding, source)
                    if isinstance(asked, Denial):
                        return asked
                    together.append(asked)
                    if len(together) > TOGETHER_MOST:
                        return TOO_MANY
        except JournalFailed:
            raise
        except Exception as error:  # doubt is a denial
            return Denial(UNHELD.kind, UNHELD.message, f"not to be told: {type(error).__name__}")
        if all(each.mode == "wait" for each in together):
            together = together[:1]  # the others wait when it is their turn
        waiting = Waiting(desk, together, holding, resume)
        session = desk.admission.session
        self._waiting.setdefault(session, []).append(waiting)
        holding.waits(lambda: self._leave(waiting))
        self._start(self._go(waiting), f"review {session}")
        return None

    def _asked(
        self,
        desk: Asker,
        statement: Statement,
        decision: Decision,
        found: Particulars | Denial,
        holding: Holding,
        source: str,
    ) -> Asked | Denial:
        terms = decision.review
        if terms is None:
            return UNHELD
        if isinstance(found, Denial):
            return found
        mode = terms.mode
        if mode == "wait" and holding.in_transaction():
            mode = terms.in_transaction
        reason = found.reason or desk.admission.identity.purpose or ""
        if terms.reason and not reason:
            return NO_REASON
        body = _body(desk.admission, statement.facts, terms, found, mode, reason, source)
        return Asked(statement, terms, mode, body)

    def end(self, session: str) -> None:
        """The session is over: what waits in it is withdrawn."""
        for waiting in list(self._waiting.get(session, ())):
            self._leave(waiting)

    def _leave(self, waiting: Waiting) -> None:
        if waiting.gone:
            return
        waiting.gone = True
        self._forget(waiting)
        if waiting.review is not None:
            self._start(self._withdraw(waiting), f"withdraw {waiting.review}")
            if waiting.recorded:
                with contextlib.suppress(JournalFailed):  # the turn finds that, too
                    waiting.desk.withdrew(waiting.review)

    def _forget(self, waiting: Waiting) -> None:
        session = waiting.desk.admission.session
        left = [each for each in self._waiting.get(session, ()) if each is not waiting]
        if left:
            self._waiting[session] = left
        else:
            self._waiting.pop(session, None)

    # -- what is waited for ---------------------------------------------------------------------------------
    async def _go(self, waiting: Waiting) -> None:
        try:
            answer = await self._answer(waiting)
            if isinstance(answer, Approval) and not waiting.gone and not waiting.holding.unchanged():
                answer = MOVED
        except JournalFailed:
            answer = Denial("unavailable", "The review could not be recorded.", "the journal failed")
        except Exception as error:  # whatever it is: nothing passes by it
            public = error.detail or error.public if isinstance(error, GatewayError) else type(error).__name__
            answer = Denial(
                "unavailable", "The review could not be asked for.", f"review: {public}", "Try again later."
            )
        if waiting.gone or answer is None:
            return
        self._forget(waiting)
        waiting.gone = True
        if isinstance(answer, Denial) and waiting.review is not None and answer.kind == "unavailable":
            self._start(self._withdraw(waiting), f"withdraw {waiting.review}")
        waiting.desk.reviewed(waiting.statement, waiting.resume, waiting.holding, answer)

    async def _answer(self, waiting: Waiting) -> Approval | Denial | None:
        if len(waiting.asked) > 1:
            return await self._together(waiting)
        reply = await self._asks.ask("review", waiting.asked[0].body)
        if reply.denial is not None:
            kind, message, cause = reply.denial
            return Denial(kind, message, cause, "Try again later.", waiting.terms.rules)
        told = Told.read(reply.body)
        waiting.review = told.review
        if waiting.gone:
            if told.status == "pending" and waiting.mode == "wait":
                await self._withdraw(waiting)
            return None
        if told.passes:
            return Approval(told.review, told.by, waiting.terms, told.rows)
        if told.status != "pending" or waiting.mode != "wait":
            return denial(waiting.terms, told, self._clock())
        waiting.desk.held(waiting.statement, told.review)
        waiting.recorded = True
        spoken = self._boot() if self._tell(waiting, told) else None
        while True:
            session = waiting.desk.admission.session
            reply = await self._asks.ask("reviewed", {"review": told.review, "session": session})
            if waiting.gone:
                return None
            if reply.denial is not None:
                kind, message, cause = reply.denial
                return Denial(kind, message, cause, "Try again later.", waiting.terms.rules)
            told = Told.read(reply.body)
            if told.review != waiting.review:
                raise ValueError("an answer about another review")
            if told.passes:
                return Approval(told.review, told.by, waiting.terms, told.rows)
            if told.status != "pending":
                return denial(waiting.terms, told, self._clock())
            if spoken is None or self._boot() - spoken >= TELL_EVERY:
                spoken = self._boot() if self._tell(waiting, told) else None

    async def _together(self, waiting: Waiting) -> Approval | Denial | None:
        """Several of one string that are tried again: nothing is spent before all of them may go."""
        asked = waiting.asked
        reply = await self._asks.ask("reviews", {"all": [{**each.body, "mode": "retry"} for each in asked]})
        if reply.denial is not None:
            kind, message, cause = reply.denial
            return Denial(kind, message, cause, "Try again later.", waiting.terms.rules)
        told = [Told.read(each) for each in reply.body["all"]]
        if len(told) != len(asked):
            raise ValueError("an answer about other reviews")
        if all(each.passes for each in told):
            found = [
                Approval(each.review, each.by, one.terms, each.rows)
                for each, one in zip(told, asked, strict=True)
            ]
            for one, approval in zip(asked[1:], found[1:], strict=True):
                waiting.holding.keep(one.statement, approval)
            return found[0]
        left = [at for at, each in enumerate(told) if each.status != "approved"]
        left.sort(key=lambda at: told[at].status == "pending")
        if not left:
            raise ValueError("approved, and may not go")
        first = left[0]
        others = [told[at].review for at in left[1:] if told[at].status == "pending"]
        return denial(asked[first].terms, told[first], self._clock(), others)

    def _tell(self, waiting: Waiting, told: Told) -> bool:
        return waiting.holding.told(*waits(waiting.terms, told, self._clock()))

    async def _withdraw(self, waiting: Waiting) -> None:
        try:
            await self._asks.ask(
                "withdraw", {"review": waiting.review, "session": waiting.desk.admission.session}
            )
        except GatewayError:
            return  # the control process withdraws what waits for a worker that it lost

    def _start(self, thing: Coroutine[Any, Any, None], name: str) -> None:
        task = asyncio.get_running_loop().create_task(thing, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _body(
    admission: Admission,
    facts: Facts,
    terms: Terms,
    found: Particulars,
    mode: str,
    reason: str,
    source: str,
) -> dict[str, Any]:
    """What is asked: who, what, on whose panels."""
    identity, resource = admission.identity, admission.resource.name
    asker = asker_of(identity)
    where = {"resource": resource, "database": admission.database, "account": admission.account.name}
    reason = " ".join(reason.split())[:LONGEST_REASON]
    shown = {
        "database": admission.database,
        "source": source,
        "rules": list(terms.rules),
        "message": terms.message,
        "reason_claimed": bool(found.reason),
        "effects": sorted(effect.value for effect in facts.effects),
        "commands": sorted(facts.commands),
        "functions": sorted(facts.functions),
        "complete": facts.complete,
        **found.shown,
    }
    exact = _digest(resource, admission.database, found.exact)
    shape = _digest(resource, admission.database, "shape", found.shape) if terms.shape else exact
    return {
        "session": admission.session,
        "asker": asker,
        **where,
        "version": admission.account.version,
        "terms": terms.told(),
        "mode": mode,
        "exact": exact,
        "shape": shape,
        "reason": reason,
        "shown": shown,
        "plan": None if found.plan is None else dict(found.plan),
    }


def asker_of(identity: Identity) -> dict[str, str | None]:
    """Who asks, as it was proven."""
    return {
        "identity": identity.name,
        "kind": identity.kind.value,
        "behalf": identity.behalf,
        "agent": identity.agent,
        "crew": identity.crew,
        "task": identity.task,
        "purpose": identity.purpose,
    }


def _digest(*parts: str) -> str:
    return hashlib.sha256(orjson.dumps(parts)).hexdigest()
