"""The gate: the only maker of Admissions and, by its desks, of Clearances (policy enforcement point).
An error, silence or doubt here is a Denial, and every Denial of a sign-in looks the same to the client."""

from collections.abc import Callable
from dataclasses import dataclass

from wicketgate.gate import render
from wicketgate.gate.desk import Desk
from wicketgate.gate.leases import Leases
from wicketgate.gate.ports import Asks, Authenticates, Journal, PolicyInForce, SessionLines
from wicketgate.model.decision import Denial
from wicketgate.model.errors import GatewayError, JournalFailed
from wicketgate.model.identity import Claim, Identity
from wicketgate.model.resource import Account, Resource
from wicketgate.model.session import Admission, Refused
from wicketgate.policy.engine import Context, Engine, Ruleset

NOT_SIGNED_IN = "sign-in refused"
"""One text for every reason, so that none can be told from another."""


@dataclass(slots=True)
class Open:
    """One open session: what it was admitted by, and where it is decided and recorded."""

    admission: Admission
    desk: Desk
    lines: SessionLines


class Gate:
    """Decides who may open what, keeps every open session's rights up to date, and records both.

    clock: wall ns. boot: monotonic ns. token: n random bytes. touch: something was recorded, flush soon.
    key: for the digests of texts that carry a secret.
    """

    def __init__(
        self,
        policy: PolicyInForce,
        authenticator: Authenticates,
        journal: Journal,
        asks: Asks,
        clock: Callable[[], int],
        boot: Callable[[], int],
        token: Callable[[int], bytes],
        touch: Callable[[], None],
        key: bytes,
    ) -> None:
        self.policy = policy
        self.authenticator = authenticator
        self._journal = journal
        self._asks = asks
        self._clock = clock
        self._boot = boot
        self._token = token
        self._touch = touch
        self._key = key
        self._leases = Leases(asks, clock)
        self._open: dict[str, Open] = {}

    # -- admit --------------------------------------------------------------------------------------------
    async def admit(self, claim: Claim) -> tuple[Admission, Desk] | Refused:
        """Authenticate, decide, record `open`. The reason of a refusal goes to the journal alone."""
        attempt = {"source": claim.source, "identity": claim.identity}
        try:
            begun = await self._asks.ask("attempt", attempt | {"outcome": "begin"})
            if begun.denial is not None or not begun.body.get("allowed"):
                return self._refuse(
                    claim, "too many attempts", "limit", "Too many attempts: try again later."
                )
            found = self._find(claim)
            if isinstance(found, str):
                await self._asks.ask("attempt", attempt | {"outcome": "failed"})
                return self._refuse(claim, found)
            await self._asks.ask("attempt", attempt | {"outcome": "good"})
            return self._let_in(claim, *found)
        except JournalFailed:
            return Refused(Denial("unavailable", "The gateway cannot record, so nothing passes.", "journal"))
        except GatewayError as error:
            return self._refuse(
                claim, error.detail or error.public, "unavailable", "The gateway cannot check."
            )

    def _find(self, claim: Claim) -> tuple[Identity, Resource, str, Account, Ruleset] | str:
        """All that a session needs, or why there is none. Every step is taken whatever the others found."""
        now = self._clock()
        engine = self.policy.engine
        identity = self.authenticator.authenticate(claim, now)
        resource = engine.policy.resources.get(claim.resource)
        if identity is None:
            return "not authenticated" if resource is not None else "not authenticated; no such resource"
        if resource is None:
            return "no such resource"
        database = claim.database or (resource.databases[0] if resource.databases else "")
        if resource.databases and database not in resource.databases:
            return "database is not listed"
        account = _account(engine, identity, resource, claim.account)
        if isinstance(account, str):
            return account
        rules = engine.ruleset(identity, resource, account.name, now)
        if rules is None:
            return "no rule permits a session"
        denial = rules.admission(Context(now=now, database=database))
        if denial is not None:
            return f"denied: {denial.cause}"
        return identity, resource, database, account, rules

    def _let_in(
        self,
        claim: Claim,
        identity: Identity,
        resource: Resource,
        database: str,
        account: Account,
        rules: Ruleset,
    ) -> tuple[Admission, Desk]:
        session = self._token(16).hex()
        lines = self._journal.session(session)
        lines.line(
            "open",
            render.opened(identity, account.name, resource.name, database, self.policy.digest, claim.source),
        )
        admission = Admission(session, identity, resource, database, account, rules.read_only)
        desk = Desk(admission, rules, lines, self._leases, self._clock, self._boot, self._touch, self._key)
        self._open[session] = Open(admission, desk, lines)
        self._touch()
        return admission, desk

    def _refuse(
        self, claim: Claim, cause: str, kind: str = "sign-in", message: str = NOT_SIGNED_IN
    ) -> Refused:
        """Record the refusal with its cause; the client learns nothing of it."""
        denial = Denial(kind, message, cause)
        claimed = {
            "identity": claim.identity[:200],
            "resource": claim.resource[:200],
            "database": (claim.database or "")[:200],
            "source": claim.source,
        }
        self._journal.line("deny", None, render.claimed(claimed, self.policy.digest), render.denied(denial))
        self._touch()
        return Refused(denial)

    # -- keep up to date ----------------------------------------------------------------------------------
    def readmit(self) -> list[tuple[str, Denial]]:
        """Policy, tokens or identities changed: the sessions that must end, and why; the rest are renewed."""
        ended: list[tuple[str, Denial]] = []
        for session, each in self._open.items():
            cause = self._readmitted(each)
            if cause is not None:
                ended.append((session, Denial("revoked", "This session's permission has ended.", cause)))
        return ended

    def _readmitted(self, each: Open) -> str | None:
        """Decide one open session again; why it must end, or None."""
        admission = each.admission
        now = self._clock()
        identity = self.authenticator.still_holds(admission.identity, admission.resource.name, now)
        if identity is None:
            return "the identity or its credential no longer holds"
        engine = self.policy.engine
        resource = engine.policy.resources.get(admission.resource.name)
        if resource is None or (resource.databases and admission.database not in resource.databases):
            return "the resource is gone"
        account = resource.accounts.get(admission.account.name)
        if (
            account is None
            or account.version != admission.account.version
            or ((resource.host, resource.port, resource.tls) != _target(admission.resource))
        ):
            return "the account or the target changed"
        if account.name not in engine.accounts(identity, resource):
            return "no rule permits this account"
        rules = engine.ruleset(identity, resource, account.name, now)
        if rules is None or rules.read_only != admission.read_only:
            return "the rules that permitted it changed"
        if rules.admission(Context(now=now, database=admission.database)) is not None:
            return "a rule denies it now"
        each.desk.renew(rules)
        return None

    def expired(self) -> list[tuple[str, Denial]]:
        """Sessions whose proof ended by time."""
        now = self._clock()
        return [
            (session, Denial("revoked", "The token of this session has expired.", "expired"))
            for session, each in self._open.items()
            if each.admission.identity.valid_until is not None and now >= each.admission.identity.valid_until
        ]

    def close(self, admission: Admission, reason: str) -> None:
        """Record `close`: the session's last line."""
        each = self._open.pop(admission.session, None)
        if each is not None:
            each.lines.line("close", render.closed(reason))
            self._touch()


def _target(resource: Resource) -> tuple[object, ...]:
    return resource.host, resource.port, resource.tls


def _account(engine: Engine, identity: Identity, resource: Resource, named: str | None) -> Account | str:
    """The account of a session: the one that is named, or the only one. It is never guessed."""
    offered = engine.accounts(identity, resource)
    if named is None:
        if len(offered) != 1:
            return "no rule permits a session" if not offered else "several accounts, and none is named"
        named = next(iter(offered))
    if named not in offered:
        return "no rule permits this account"
    return resource.accounts.get(named) or "no such account"
