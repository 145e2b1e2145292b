"""Reviews, as workers ask for them: kept in the store, waited for, and ended where nobody can use them.
It must never say that a statement may go but where the store has spent an approval for that very one.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, Final

import orjson

from wicketgate.control.shared import ReviewStore
from wicketgate.model.errors import GatewayError
from wicketgate.model.review import Asker, Kind, Review, Status, TooManyWait
from wicketgate.model.terms import Terms, terms_of

SECOND: Final = 1_000_000_000
PATIENCE: Final = 8.0
"""Seconds that an answer may be kept waiting: the link's own patience is a little longer."""
SWEEP: Final = 5.0
"""Seconds between two looks for what has expired."""
MOST_PENDING: Final = 20
"""Reviews that may wait for one identity on this node: people can't look at more, and must not be flooded."""
ESTIMATE: Final = 4.0
"""Seconds that an estimate may take."""
AT_ONCE: Final = 4
_ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

Estimate = Callable[[Mapping[str, Any]], Awaitable[int | None]]


class Refused(Exception):
    """Why a review can't be asked for, as [kind, message, cause]."""

    def __init__(self, kind: str, message: str, cause: str) -> None:
        super().__init__(kind, message, cause)
        self.denial = [kind, message, cause]


class Reviews:
    """store: None where there is none; then all is denied. node: this one's id. link: a review's page.

    estimate: rows of what a worker asks about. token: n random bytes. clock: wall ns. record: writes BODY of
    an `admin` line, raises GatewayError."""

    def __init__(
        self,
        store: ReviewStore | None,
        node: str,
        link: Callable[[str], str],
        estimate: Estimate,
        token: Callable[[int], bytes],
        clock: Callable[[], int],
        record: Callable[[bytes], None],
        log: Callable[[str], None],
    ) -> None:
        self._store = store
        self._node = node
        self._link = link
        self._estimate = estimate
        self._token = token
        self._clock = clock
        self._record = record
        self._log = log
        self._pending: dict[str, tuple[str, str, int]] = {}
        """Review -> identity, exact digest, when it expires: what is asked on this node and waits, as far as
        is known."""
        self._held: dict[str, tuple[int, str]] = {}
        """Review -> worker, session: statements that are held."""
        self._heard: dict[str, asyncio.Event] = {}
        self._asking: Counter[str] = Counter()
        """Identity -> questions of its that the store has not answered yet."""
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._ending: set[asyncio.Task[None]] = set()

    # -- what workers ask ------------------------------------------------------------------------------------
    async def ask(self, worker: int, body: Mapping[str, Any]) -> dict[str, Any]:
        """How a statement stands. Raises Refused, GatewayError; KeyError, TypeError, ValueError."""
        return (await self._ask(worker, [body]))[0]

    async def ask_all(self, worker: int, body: Mapping[str, Any]) -> dict[str, Any]:
        """How several stand that go or stay together, in their order. Raises as `ask`."""
        return {"all": await self._ask(worker, list(body["all"]))}

    async def _ask(self, worker: int, bodies: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        store = self._there()
        now = self._clock()
        asked = [self._review(each, terms_of(each["terms"]), now) for each in bodies]
        if len({(each.asker.whole, each.session) for each in asked}) != 1:
            raise ValueError("not of one session")
        if len(asked) > 1 and any(each.mode != "retry" for each in asked):
            raise ValueError("what waits is asked for by itself")
        identity = asked[0].asker.identity
        self._forget_expired(now)
        mine = [each for each in self._pending.values() if each[0] == identity]
        waiting = {each[1] for each in mine}
        fresh = [each for each in asked if each.mode != "retry" or each.exact not in waiting]
        # those that are being asked for count, too; what was asked for before may be asked about as often
        room = len(mine) + self._asking[identity] + max(1, len(fresh)) <= MOST_PENDING
        self._asking[identity] += len(asked)
        try:
            if room and fresh:
                rows = await asyncio.gather(*(self._rows(each) for each in bodies))
                asked = [
                    replace(each, shown={**(each.shown or {}), "estimate": estimate})
                    for each, estimate in zip(asked, rows, strict=True)
                ]
            answers = await store.ask_all(asked, now, room)
        except TooManyWait:
            raise Refused(
                "limit",
                "Too many reviews of yours wait already: withdraw some, or wait for their answers.",
                "too many reviews of one identity wait",
            ) from None
        except GatewayError as error:
            raise Refused(
                "unavailable", "A review can't be asked for now.", f"{error.public}: {error.detail}"
            ) from None
        finally:
            self._asking[identity] -= len(asked)
            if not self._asking[identity]:
                del self._asking[identity]
        for (found, passes), each in zip(answers, asked, strict=True):
            self._check(found, each, passes)
            if found.status is Status.PENDING:
                self._pending[found.id] = (identity, found.exact, found.expires)
                if found.id == each.id and found.mode == "wait":
                    self._held[found.id] = (worker, str(found.session))
        return [self._told(found, passes) for found, passes in answers]

    async def answered(self, worker: int, body: Mapping[str, Any]) -> dict[str, Any]:
        """How a review stands that a held statement waits for, once it is no longer pending, or after a
        while. An approval is spent by this."""
        store = self._there()
        review, session = str(body["review"]), str(body["session"])
        if self._held.get(review) != (worker, session):
            raise GatewayError("no statement waits for this review", review)
        event = self._heard.setdefault(review, asyncio.Event())
        deadline = asyncio.get_running_loop().time() + PATIENCE
        while True:
            event.clear()
            found, passes = await store.spend(review, session, self._clock())
            over = self._clock() >= found.expires
            if found.status is Status.PENDING and over:
                ended = await store.end(review, Status.EXPIRED, "nobody answered in time", self._clock())
                if ended is not None and ended.status is Status.EXPIRED:
                    self._tell("review.expired", ended)
                found = found if ended is None else ended
                if found.status is Status.APPROVED:
                    continue
            left = deadline - asyncio.get_running_loop().time()
            if found.status is not Status.PENDING or left <= 0:
                break
            until = max(0.0, (found.expires - self._clock()) / SECOND)
            with suppress(TimeoutError):
                async with asyncio.timeout(min(left, until + 0.01)):
                    await event.wait()
        if found.status is not Status.PENDING:
            self._over(review)
        return self._told(found, passes)

    async def withdraw(self, worker: int, body: Mapping[str, Any]) -> dict[str, Any]:
        """A held statement is not wanted any more."""
        review, session = str(body["review"]), str(body["session"])
        if self._held.get(review) == (worker, session):
            await self._end(review, "withdrawn by its asker")
        return {}

    # -- what happens elsewhere ------------------------------------------------------------------------------
    def heard(self, review: str) -> None:
        """A review has changed, here or on another node: who waits for it looks."""
        event = self._heard.get(review)
        if event is not None:
            event.set()
        elif review in self._pending:
            self._start(self._look(review))

    def worker_gone(self, worker: int) -> None:
        """A worker died: nobody waits for what its clients asked any more."""
        for review, (owner, _) in list(self._held.items()):
            if owner == worker:
                self._start(self._end(review, "its session ended: the worker died"))

    async def begin(self) -> None:
        """The control process starts: what waited here before waits no more. Raises GatewayError."""
        if self._store is not None:
            for each in await self._store.abandon(self._node, "the gateway restarted", self._clock()):
                self._tell("review.withdrawn", each)

    async def watch(self) -> None:
        """What nobody answered in time has expired."""
        while self._store is not None:
            await asyncio.sleep(SWEEP)
            try:
                for each in await self._store.expired(self._clock()):
                    self._over(each.id)
                    self.heard(each.id)
                    self._tell("review.expired", each)
            except GatewayError as error:
                self._log(f"reviews: {error.detail or error.public}")

    # -- parts -----------------------------------------------------------------------------------------------
    def _there(self) -> ReviewStore:
        if self._store is None:
            raise Refused("review", "There is nobody here to ask.", "no store of reviews")
        return self._store

    def _review(self, body: Mapping[str, Any], terms: Terms, now: int) -> Review:
        told = body["asker"]
        mode = str(body["mode"])
        if mode not in ("wait", "retry"):
            raise ValueError(f"no such mode: {mode}")
        optional = {
            name: None if told[name] is None else str(told[name])
            for name in ("behalf", "agent", "crew", "task", "purpose")
        }
        return Review(
            id=self._id(),
            kind=Kind.STATEMENT,
            status=Status.PENDING,
            asker=Asker(str(told["identity"]), str(told["kind"]), **optional),
            resource=str(body["resource"]),
            database=str(body["database"]),
            account=str(body["account"]),
            panels=terms.panels,
            exact=str(body["exact"]),
            shape=str(body["shape"]),
            mode=mode,
            created=now,
            expires=now + terms.within * SECOND,
            node=self._node,
            session=str(body["session"]),
            reason=str(body["reason"]),
            message=terms.message,
            shown={**body["shown"], "usable": terms.lasts},
            usable=None if terms.usable is None else terms.usable * SECOND,
        )

    def _id(self) -> str:
        number = int.from_bytes(self._token(16), "big")
        return "".join(_ALPHABET[number >> shift & 31] for shift in range(125, -1, -5))

    async def _rows(self, body: Mapping[str, Any]) -> int | None:
        if body.get("plan") is None or self._slots.locked():
            return None
        async with self._slots:
            try:
                async with asyncio.timeout(ESTIMATE):
                    return await self._estimate(body)
            except Exception:  # an estimate is worth no refusal
                return None

    @staticmethod
    def _check(found: Review, asked: Review, passes: bool) -> None:
        """Whether what the store gave is about this very thing. Raises GatewayError."""
        same = (
            found.kind is Kind.STATEMENT
            and found.asker.whole == asked.asker.whole
            and (found.resource, found.database) == (asked.resource, asked.database)
        )
        if passes or found.status is Status.APPROVED:  # then it waits for what is asked beside it
            scope = found.conditions.scope
            same = (
                same
                and found.status in (Status.APPROVED, Status.USED)
                and set(found.panels) == set(asked.panels)
                and asked.account == (found.conditions.account or found.account)
                and (found.exact == asked.exact or (scope == "shape" and found.shape == asked.shape))
                and (scope != "session" or found.session == asked.session)
            )
        else:
            same = same and found.exact == asked.exact and found.account == asked.account
        if not same:
            raise GatewayError("the review does not fit", found.id)

    def _told(self, review: Review, passes: bool) -> dict[str, Any]:
        comment = next((vote.comment for vote in reversed(review.votes) if not vote.approves), "")
        return {
            "review": review.id,
            "status": review.status.value,
            "expires": review.expires,
            "usable_until": review.usable_until,
            "link": self._link(review.id),
            "conditions": {"scope": review.conditions.scope, "rows": review.conditions.rows},
            "by": review.ended_by,
            "reason": comment,
            "passes": passes,
        }

    async def _look(self, review: str) -> None:
        """Whether one that was asked for here still waits."""
        with suppress(GatewayError):
            found = None if self._store is None else await self._store.review(review)
            if found is None or found.status is not Status.PENDING:
                self._over(review)

    async def _end(self, review: str, why: str) -> None:
        self._over(review)
        try:
            ended = await self._there().end(review, Status.WITHDRAWN, why, self._clock())
        except GatewayError as error:  # it expires
            self._log(f"review {review} could not be withdrawn: {error.detail or error.public}")
            return
        if ended is not None and ended.status is Status.WITHDRAWN:
            self._tell("review.withdrawn", ended)

    def _over(self, review: str) -> None:
        self._pending.pop(review, None)
        self._held.pop(review, None)
        event = self._heard.pop(review, None)
        if event is not None:
            event.set()

    def _forget_expired(self, now: int) -> None:
        for review, (_, _, expires) in list(self._pending.items()):
            if expires <= now and review not in self._held:
                del self._pending[review]

    def _tell(self, what: str, review: Review) -> None:
        """Record what ended by itself."""
        told = {
            "by": "gateway",
            "how": "gateway",
            "do": what,
            "kind": "review",
            "name": review.id,
            "review": review.id,
            "identity": review.asker.identity,
            "resource": review.resource,
            "why": review.ended_by,
        }
        try:
            self._record(orjson.dumps(told)[1:-1])
        except GatewayError as error:
            self._log(f"review {review.id}: its end could not be recorded: {error.detail or error.public}")

    def _start(self, thing: Any) -> None:
        task = asyncio.get_running_loop().create_task(thing, name="review")
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)
