"""What a sign-in asks for, and whether it may have it: identity, resource, database, account, rules.
It must never guess an account, nor do less for one reason of a refusal than for another."""

from dataclasses import dataclass

from wicketgate.gate.connecting import Wanting
from wicketgate.gate.ports import Authenticates
from wicketgate.model.identity import Claim, Identity, IdentityKind
from wicketgate.model.resource import Account, CredentialReference, Resource, TlsMode
from wicketgate.policy.engine import Context, Engine, Ruleset
from wicketgate.policy.offers import offers

_NOBODY = Identity("", "", "", IdentityKind.SERVICE, "")
_NO_ACCOUNT = Account("", "", CredentialReference("none", ""), "")
_NOTHING = Resource("", "", "", 0, (), TlsMode.VERIFY_FULL, {})


@dataclass(frozen=True, slots=True)
class Chosen:
    """All that a session needs."""

    identity: Identity
    resource: Resource
    database: str
    account: Account
    rules: Ruleset


def choose(engine: Engine, authenticator: Authenticates, claim: Claim, now: int) -> Chosen | Wanting | str:
    """All that a session needs, or for the journal why there is none; Wanting: but for a grant that can be
    asked for by connecting. now: wall ns.

    Every step is taken whatever those before it found; who or what is not there has a stand-in."""
    proven = authenticator.authenticate(claim, now)
    resource = engine.policy.resources.get(claim.resource)
    identity = _NOBODY if proven is None else proven
    there = resource
    if there is None:
        there = next(iter(engine.policy.resources.values()), _NOTHING)
    databases = there.databases or ("",)
    database = databases[0] if claim.database is None else claim.database
    offered = engine.accounts(identity, there, now)
    name = next(iter(offered), None) if claim.account is None else claim.account
    account = there.accounts.get(name) if name is not None else None
    standing = account or next(iter(there.accounts.values()), _NO_ACCOUNT)
    rules = engine.ruleset(identity, there, standing.name, now)
    denial = None
    if rules is not None:
        denial = rules.admission(Context(now, database, claim.source, now))

    if proven is None:
        why = authenticator.reason(claim, now)
        why = f"not authenticated: {why}" if why else "not authenticated"
        return why if resource is not None else f"{why}; no such resource"
    if resource is None:
        return "no such resource"
    if database not in databases:
        return "the database is not listed"
    if claim.account not in (None, *offered) or not offered:
        wanting = _wanting(engine, proven, there, claim.account)
        if wanting is not None:
            return wanting
    if not offered:
        return "no rule permits a session"
    if claim.account is None and len(offered) > 1:
        return "several accounts, and none is named"
    if account is None or account.name not in offered:
        return "no rule permits this account"
    if rules is None:
        return "no rule permits a session now"
    if denial is not None:
        return f"denied: {denial.cause}"
    return Chosen(proven, resource, database, account, rules)


def _wanting(engine: Engine, proven: Identity, resource: Resource, account: str | None) -> Wanting | None:
    """What somebody who is proven asks for by connecting, where that is one thing; it is never guessed."""
    if not any(rule.on_request.by_connecting for rule in engine.asks(proven, resource) if rule.on_request):
        return None
    found = [
        each
        for each in offers(engine, proven, resource.name)
        if each.terms.by_connecting and account in (None, each.account)
    ]
    return Wanting(proven, found[0]) if len(found) == 1 else None
