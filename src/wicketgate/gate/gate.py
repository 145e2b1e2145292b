"""The gate: the only maker of Admissions and, by its desks, of Clearances (policy enforcement point).
An error, silence or doubt here is a Denial, and every Denial of a sign-in looks the same to the client."""

from collections.abc import Callable
from dataclasses import dataclass

from wicketgate.gate import render
from wicketgate.gate.choose import Chosen, choose
from wicketgate.gate.connecting import Wanting, ask_for
from wicketgate.gate.desk import EXPIRED, UNRECORDED, Desk
from wicketgate.gate.ending import ended, leaning
from wicketgate.gate.inheritance import Inheritance
from wicketgate.gate.leases import Leases
from wicketgate.gate.ports import Asks, Authenticates, Journal, PolicyInForce
from wicketgate.gate.reviews import Reviews
from wicketgate.gate.session_clock import SessionClock
from wicketgate.gate.usage import SessionUses, Usage
from wicketgate.model.decision import Denial
from wicketgate.model.detector import Detection
from wicketgate.model.errors import GatewayError, JournalFailed
from wicketgate.model.identity import Claim
from wicketgate.model.ports import Lines
from wicketgate.model.resource import Resource
from wicketgate.model.session import Admission, Refused
from wicketgate.model.task import DRIFT
from wicketgate.policy.engine import Context, Ruleset
from wicketgate.policy.load import Policy

NOT_SIGNED_IN = "sign-in refused"
"""One text for every reason, so that none can be told from another."""
TOO_MANY = ("limit", "Too many attempts: try again later.")
UNCHECKED = ("unavailable", "The gateway can't check this sign-in now.")
BROKEN = Denial("unavailable", "The gateway can't go on with this session.", "its conversation failed")


@dataclass(slots=True)
class Open:
    """One open session: what it was admitted by, and where it is decided and recorded. until: wall ns when
    the identity's proof ends. uses: what is done in it. turn: wall ns when grants change what it may do.
    granted: grants held in it at some time. lapsed: it goes on, but what it did by one that is over must not.
    """

    admission: Admission
    desk: Desk
    lines: Lines
    rules: Ruleset
    source: str
    opened: int
    until: int | None
    uses: SessionUses
    clock: SessionClock
    turn: int | None = None
    granted: bool = False
    lapsed: Denial | None = None


class Gate:
    """Decides who may open what, keeps every open session's rights up to date, and records both.

    policy, authenticator: replaced whole when they change. journal: None where it could not be opened; then
    nobody is admitted. clock: wall ns. boot: monotonic ns. token: n random bytes. touch: something was
    recorded, flush soon. key: for the digests of texts that carry a secret. count: adds to a metric.
    usage: where it is gathered what sessions do.
    """

    def __init__(
        self,
        policy: PolicyInForce,
        authenticator: Authenticates,
        journal: Journal | None,
        asks: Asks,
        clock: Callable[[], int],
        boot: Callable[[], int],
        token: Callable[[int], bytes],
        touch: Callable[[], None],
        key: bytes,
        count: Callable[[str, int], None],
        usage: Usage | None = None,
    ) -> None:
        self._usage = Usage() if usage is None else usage
        self.policy = policy
        self.authenticator = authenticator
        self._journal = journal
        self._asks = asks
        self._clock = clock
        self._boot = boot
        self._token = token
        self._touch = touch
        self._key = key
        self._count = count
        self._leases = Leases(asks, clock)
        self._inheritance = Inheritance(asks)
        self._reviews = Reviews(asks, clock, boot)
        self._open: dict[str, Open] = {}
        self._looked: tuple[PolicyInForce, Authenticates] = (policy, authenticator)

    # -- admit --------------------------------------------------------------------------------------------
    async def admit(self, claim: Claim) -> tuple[Admission, Desk] | Refused:
        """Authenticate, decide, record `open`. The reason of a refusal goes to the journal alone.

        Whatever the reason, the same is computed and asked, but for sources that were stopped from trying."""
        journal = self._journal
        if journal is None or journal.failed:
            return Refused(UNRECORDED)
        attempt = {"source": claim.source, "identity": claim.identity}
        try:
            begun = await self._asks.ask("attempt", attempt | {"outcome": "begin"})
            if begun.denial is not None:
                return self._refuse(journal, claim, ": ".join(begun.denial), UNCHECKED)
            if begun.body.get("allowed") is not True:
                return self._refuse(journal, claim, "too many attempts", TOO_MANY)
            unknown = self.authenticator.unknown(claim.secret)
            if unknown is not None:
                # another node may have issued it a moment ago
                await self._asks.ask("token", {"hash": unknown})
            issuer = self.authenticator.missing(claim.secret)
            if issuer is not None:
                # its keys may have changed since: what is replicated by then is what is judged by
                await self._asks.ask("issuer", {"issuer": issuer})
            if self.authenticator.unread(claim.secret, self._clock()):
                # where its issuer says no, or nothing, it proves nobody
                await self._asks.ask("reread", {}, claim.secret)
            by = (self.policy, self.authenticator)
            found = choose(self.policy.engine, self.authenticator, claim, self._clock())
            outcome = "good" if isinstance(found, Chosen) else "failed"
            await self._asks.ask("attempt", attempt | {"outcome": outcome} | _used(found))
            if by[0] is not self.policy or by[1] is not self.authenticator:
                found = choose(self.policy.engine, self.authenticator, claim, self._clock())
            if isinstance(found, Wanting):
                asked = await ask_for(found, claim.secret, self._asks)
                if not isinstance(asked, str):
                    message, cause, link = asked
                    return self._refuse(journal, claim, cause, ("review", message), link)
                found = asked
            if isinstance(found, str):
                return self._refuse(journal, claim, found, ("sign-in", NOT_SIGNED_IN))
            return self._let_in(journal, claim, found, self._clock())
        except JournalFailed:
            return Refused(UNRECORDED)
        except GatewayError as error:
            return self._refuse(journal, claim, error.detail or error.public, UNCHECKED)

    def _let_in(self, journal: Journal, claim: Claim, found: Chosen, now: int) -> tuple[Admission, Desk]:
        session = self._token(16).hex()
        identity, account, rules = found.identity, found.account, found.rules
        admission = Admission(
            session, identity, found.resource, found.database, account, read_only=rules.read_only
        )
        digest = self.policy.digest
        clock = SessionClock(self._clock, self._boot)
        lines = journal.session(session)
        lines.line(
            "open",
            render.opened(
                identity,
                account.name,
                found.resource.name,
                found.database,
                digest,
                claim.source,
                tuple(each.id for each in rules.grants),
            ),
        )
        desk = Desk(
            admission,
            rules,
            digest,
            lines,
            self._leases,
            self._inheritance,
            self._reviews,
            clock,
            self._boot,
            self._touch,
            self._key,
            claim.source,
            now,
            identity.valid_until,
            self._count,
        )
        desk.detection = detection_of(self.policy.engine.policy, found.resource)
        uses = SessionUses(self._usage, admission)
        self._usage.seen(identity)
        turn = self.policy.engine.turns(identity, found.resource, now)
        desk.due = clock.due(turn, identity.valid_until)
        self._open[session] = Open(
            admission, desk, lines, rules, claim.source, now, identity.valid_until, uses, clock, turn
        )
        self._open[session].granted = bool(rules.grants)
        for name in _counted(admission):
            self._leases.enter(name)
        self._touch()
        return admission, desk

    def _refuse(
        self, journal: Journal, claim: Claim, cause: str, told: tuple[str, str], hint: str | None = None
    ) -> Refused:
        """Record the refusal with its cause; the client learns nothing of it."""
        denial = Denial(*told, cause, hint)
        if DRIFT in cause:
            self._count("denials{kind=drift}", 1)
        try:
            journal.line("deny", None, render.turned_away(claim, self.policy.digest), render.denied(denial))
        except JournalFailed:
            return Refused(UNRECORDED)
        self._touch()
        return Refused(denial)

    # -- keep up to date ----------------------------------------------------------------------------------
    def readmit(self) -> list[tuple[str, Denial]]:
        """The sessions that must end, and why; nothing passes in them from here on.

        To be called after each change, and every few seconds: whole only where policy, tokens or identities
        changed since the last call, else by time alone."""
        looked = (self.policy, self.authenticator)
        changed = looked[0] is not self._looked[0] or looked[1] is not self._looked[1]
        self._looked = looked
        over: list[tuple[str, Denial]] = []
        statements = 0
        for session, each in self._open.items():
            desk = each.desk
            now = each.clock.now()
            statements += desk.statements
            desk.statements = 0
            if desk.fresh:
                each.uses.take(desk.fresh, now)
            denial = desk.forbidden
            if denial is None:
                denial = self._ending(each, changed, now)
                if denial is not None:
                    desk.forbid(denial)
            if denial is not None:
                each.turn = each.lapsed = None
                over.append((session, denial))
        if statements:
            self._count("statements", statements)
        self._leases.sweep()
        return over

    def _ending(self, each: Open, changed: bool, now: int) -> Denial | None:
        """Why one session must end, or None."""
        if each.desk.broken:
            return BROKEN
        if each.until is not None and now >= each.until:
            return EXPIRED
        try:
            if changed or (each.turn is not None and now >= each.turn):
                return self._readmitted(each, now)
            if each.rules.timely:
                return self._timely(each, each.rules, now)
        except Exception as error:  # an error is a denial, whatever it is (law 1)
            return _over("policy", f"admitting it again failed: {type(error).__name__}")
        return None

    def turning(self) -> int | None:
        """ns until grants change what some session may do: `readmit` is to be called then. None: never."""
        ahead = [each.turn - each.clock.now() for each in self._open.values() if each.turn is not None]
        return max(0, min(ahead)) if ahead else None

    def lapsed(self) -> list[tuple[str, Denial]]:
        """Sessions that go on with what stands, though they did things by a grant that is over, and why they
        must end where any of that is not done: each is told once, after `readmit`."""
        told = [(session, each.lapsed) for session, each in self._open.items() if each.lapsed is not None]
        for each in self._open.values():
            each.lapsed = None
        return [(session, denial) for session, denial in told if denial is not None]

    def _readmitted(self, each: Open, now: int) -> Denial | None:
        """Decide one open session again; if it may go on, by what holds now."""
        admission = each.admission
        before = admission.resource
        identity = self.authenticator.still_holds(admission.identity, before.name, now, each.source)
        if identity is None:
            return _over("revoked", "the identity or its credential no longer holds")
        engine = self.policy.engine
        resource = engine.policy.resources.get(before.name)
        if resource is None or admission.database not in (resource.databases or ("",)):
            return _over("policy", "the resource is gone")
        account = resource.accounts.get(admission.account.name)
        if account is None or account.version != admission.account.version:
            return _over("policy", "the account changed")
        if _target(resource) != _target(before):
            return _over("policy", "the target changed")
        gone = ended(each.rules.grants, engine.holding(identity, resource, account.name, now), now)
        if account.name not in engine.accounts(identity, resource, now):
            return gone or _over("policy", "no rule permits this account")
        rules = engine.ruleset(identity, resource, account.name, now)
        if rules is None:
            return gone or _over("policy", "no rule permits a session")
        each.granted = each.granted or bool(rules.grants)
        if rules.read_only != admission.read_only and not each.granted:
            return _over("policy", "what is permitted needs another kind of session")
        denial = self._timely(each, rules, now)
        if denial is None:
            each.uses.changed(identity, each.desk.fresh, now)
            each.lapsed = leaning(each.rules.grants, rules.grants, each.desk.leaned, now) or each.lapsed
            each.rules = rules
            each.until = identity.valid_until
            each.turn = engine.turns(identity, resource, now)
            each.desk.renew(rules, identity.valid_until)
            each.desk.due = each.clock.due(each.turn, each.until)
            each.desk.detection = detection_of(engine.policy, resource)
        return denial

    def _timely(self, each: Open, rules: Ruleset, now: int) -> Denial | None:
        denial = rules.admission(Context(now, each.admission.database, each.source, each.opened))
        return None if denial is None else _over("policy", f"denied: {denial.cause}")

    def close(self, admission: Admission, reason: str) -> None:
        """Record `close`: the session's last line. Raises JournalFailed, with all that it held given back."""
        each = self._open.pop(admission.session, None)
        if each is None:
            return
        self._reviews.end(admission.session)
        each.desk.end()
        each.uses.take(each.desk.fresh, self._clock())
        for name in _counted(admission):
            self._leases.leave(name)
        if each.desk.statements:
            self._count("statements", each.desk.statements)
        each.lines.line("close", render.closed(reason))
        self._touch()


def detection_of(policy: Policy, resource: Resource) -> Detection | None:
    """What is looked for in values of a resource; None: nothing."""
    named = resource.detected(policy.detectors)
    custom = tuple(each for each in policy.detectors.values() if each.name in named)
    return Detection(named, custom) if named else None


def _counted(admission: Admission) -> set[str]:
    """Whose limits count what is done in a session."""
    identity = admission.identity
    return {identity.name} if identity.human is None else {identity.name, identity.human.name}


def _used(found: Chosen | Wanting | str) -> dict[str, str]:
    """The token of ours that opens a session: when it was last used is kept."""
    if not isinstance(found, Chosen) or found.identity.proof is not None:
        return {}
    credential = found.identity.credential_id
    return {} if credential is None else {"credential": credential}


def _over(kind: str, cause: str) -> Denial:
    return Denial(kind, "This session's permission has ended.", cause)


def _target(resource: Resource) -> tuple[object, ...]:
    """What an open connection to the target rests on."""
    return (
        resource.protocol,
        resource.host,
        resource.port,
        resource.tls,
        resource.ca_file,
        dict(resource.settings),
    )
