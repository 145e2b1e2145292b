"""Statements that wait for people: asked for at the control process, held or refused, and told to the client.
It must never let one go by an answer that was not given for it, nor take silence for one.
"""

import asyncio
import contextlib
import datetime
import hashlib
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

import orjson

from wicketgate.gate.ports import Asks
from wicketgate.model.clearance import Clearance
from wicketgate.model.decision import Decision, Denial
from wicketgate.model.errors import GatewayError, JournalFailed
from wicketgate.model.held import Approval, Holding, Particulars
from wicketgate.model.identity import Identity
from wicketgate.model.session import Admission
from wicketgate.model.statement import Facts, Statement
from wicketgate.model.terms import Terms

TELL_EVERY: Final = 30_000_000_000
"""Nanoseconds between two words to a client that waits: nothing on its way may take the silence for death."""
RETRY_AFTER: Final = 15
"""Seconds that a client is told to wait before it tries again."""
LONGEST_REASON: Final = 500
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

Resume = Callable[[Clearance | Denial], None]


class Asker(Protocol):
    """The desk whose statement it is."""

    admission: Admission

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
class Told:
    """What the control process says of a review. expires: wall ns. passes: the statement may go."""

    review: str
    status: str
    expires: int
    link: str
    by: str
    reason: str
    passes: bool
    rows: int | None

    @classmethod
    def read(cls, body: Mapping[str, Any]) -> "Told":
        """Raises KeyError, TypeError, ValueError."""
        rows = body["conditions"].get("rows")
        return cls(
            str(body["review"]),
            str(body["status"]),
            int(body["expires"]),
            str(body["link"]),
            str(body["by"]),
            str(body["reason"]),
            body["passes"] is True,
            None if rows is None else int(rows),
        )


class Waiting:
    """One statement on its way. gone: its client does not want it any more, or its session is over."""

    def __init__(
        self,
        desk: Asker,
        statement: Statement,
        terms: Terms,
        holding: Holding,
        resume: Resume,
        mode: str,
        body: Mapping[str, Any],
    ) -> None:
        self.desk = desk
        self.statement = statement
        self.terms = terms
        self.holding = holding
        self.resume = resume
        self.mode = mode
        self.body = body
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
        terms = decision.review
        if terms is None:
            return UNHELD
        try:
            found = holding.particulars(recent)
            if isinstance(found, Denial):
                return found
            mode = terms.mode
            if mode == "wait" and holding.in_transaction():
                mode = terms.in_transaction
            reason = found.reason or desk.admission.identity.purpose or ""
            if terms.reason and not reason:
                return NO_REASON
            body = _body(desk.admission, statement.facts, terms, found, mode, reason, source)
        except Exception as error:  # doubt is a denial
            return Denial(UNHELD.kind, UNHELD.message, f"not to be told: {type(error).__name__}")
        waiting = Waiting(desk, statement, terms, holding, resume, mode, body)
        session = desk.admission.session
        self._waiting.setdefault(session, []).append(waiting)
        holding.waits(lambda: self._leave(waiting))
        self._start(self._go(waiting), f"review {session}")
        return None

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
        reply = await self._asks.ask("review", waiting.body)
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
            return self._denial(waiting, told)
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
                return self._denial(waiting, told)
            if spoken is None or self._boot() - spoken >= TELL_EVERY:
                spoken = self._boot() if self._tell(waiting, told) else None

    def _tell(self, waiting: Waiting, told: Told) -> bool:
        rules = _quoted(waiting.terms.rules)
        message = f"waiting for a review (asked for by {rules}): {told.review}"
        hint = f"Who may approve: {waiting.terms.seats()}. Until {_time(told.expires)}. {told.link}"
        if waiting.terms.message:
            hint = f"{hint} {waiting.terms.message}"
        return waiting.holding.told(message, hint, self._detail(waiting, told, "waits"))

    def _denial(self, waiting: Waiting, told: Told) -> Denial:
        """Why it does not go now, for people and for programs."""
        rules = waiting.terms.rules
        hint = waiting.terms.message or None
        if told.status == "pending":
            message = f"{_quoted(rules)} asks for a review before this may run"
            hint = (
                f"Who may approve: {waiting.terms.seats()}. Wait with `wicket review wait {told.review}`,"
                f" then send the same statement again. {waiting.terms.message}"
            ).rstrip()
            why = f"asked for by {', '.join(rules)}"
        elif told.status == "denied":
            message = f"this statement was denied in a review ({told.review})"
            why = told.reason or told.by
        elif told.status == "expired":
            message = f"nobody answered the review in time ({told.review})"
            why = "nobody answered in time"
        else:
            message = f"the review of this statement is {told.status} ({told.review})"
            why = told.by
        detail = self._detail(waiting, told, why)
        return Denial(
            "review",
            message,
            f"review {told.review}: {told.status}, {told.by}",
            hint,
            rules,
            detail,
            told.review,
        )

    def _detail(self, waiting: Waiting, told: Told, reason: str) -> str:
        alternatives = [waiting.terms.message] if waiting.terms.message else []
        left = max(0, (told.expires - self._clock()) // 1_000_000_000)
        pending = told.status == "pending"
        return orjson.dumps(
            {
                "review": told.review,
                "status": told.status,
                "retry_after": min(RETRY_AFTER, left) if pending else None,
                "expires": _time(told.expires),
                "reason": reason[:LONGEST_REASON],
                "alternatives": alternatives,
                "link": told.link,
            }
        ).decode()

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


def _quoted(names: tuple[str, ...]) -> str:
    quoted = [f'"{name}"' for name in names]
    return f"rule {quoted[0]}" if len(quoted) == 1 else f"rules {', '.join(quoted)}"


def _time(wall: int) -> str:
    return datetime.datetime.fromtimestamp(wall // 1_000_000_000, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
