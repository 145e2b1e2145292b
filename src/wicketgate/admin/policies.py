"""The verbs on the policy, where it comes from the store. Each starts with authorize().
None may change a policy that somebody else has changed meanwhile, nor one that a file gives.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from wicketgate.admin.access import NotFound, Refused, admin_line
from wicketgate.admin.authorize import Action, Actor, Thing, authorize
from wicketgate.admin.ports import Office
from wicketgate.admin.roles import Role
from wicketgate.model.errors import GatewayError, JournalFailed, PolicyError, StoreFailed
from wicketgate.model.revision import MESSAGE_MOST, Revision
from wicketgate.model.token import ServiceAccount, TokenRecord
from wicketgate.policy.document import Source
from wicketgate.policy.load import Policy
from wicketgate.policy.texts import credentials

Guard = Callable[[Policy | None, Policy], None]
"""Given what holds and what is to hold; raises Refused."""


class Moved(Refused):
    """The newest revision is not the one that the change was made against."""

    def __init__(self, newest: int) -> None:
        super().__init__(
            f"the policy has moved on: revision {newest} is the newest; make the change against that"
        )
        self.newest = newest


class NotHolding(GatewayError):
    """It is kept, and does not hold here."""


class Unconditional(Refused):
    """A change that must say which revision it was made against does not."""

    def __init__(self) -> None:
        super().__init__('If-Match must name the revision that this was made against, like "7"')


@dataclass(frozen=True, slots=True)
class Draft:
    """What is to be the next revision. base: the one that it was made against. guard: a last look.

    restores: the revision whose text it is; None: its own. credential: of the token that was shown."""

    text: str
    base: int
    author: str
    how: str
    message: str
    restores: int | None = None
    guard: Guard | None = None
    credential: str | None = None
    forced: bool = False

    def line(self, last: Revision | None, made: Revision) -> bytes:
        """BODY members of the `admin` line: who made which policy of which."""
        action = Action.APPLY_POLICY if self.restores is None else Action.ROLL_BACK_POLICY
        return admin_line(
            Actor(self.author, self.how, credential_id=self.credential),
            action,
            Thing("policy", f"revision {made.number}"),
            revision=made.number,
            old=None if last is None else last.digest,
            new=made.digest,
            text=made.text_digest,
            seal=made.seal,
            restores=self.restores,
            forced=self.forced,
            message=self.message,
        )


@dataclass(frozen=True, slots=True)
class HeldPolicy:
    """The policy that holds on this node. newest: the store's newest revision, which may not hold here (yet).

    text: None where the revision that holds is gone from the store, or was changed there. error: why the
    newest does not hold."""

    source: str
    digest: str
    text: str | None
    revision: Revision | None
    newest: int | None
    error: str | None


@dataclass(frozen=True, slots=True)
class Applied:
    """revision: the newest now. changed: whether it was made by this."""

    revision: Revision
    changed: bool


async def see_policy(office: Office, actor: Actor) -> HeldPolicy:
    """The policy that holds, its text, and what the store has besides."""
    authorize(actor, Action.SEE_POLICY, Thing("policy"))
    desk, held = office.policies, office.control.policy()
    error = office.control.standing().policy_error
    if error is not None and not actor.administrator:
        error = "the newest policy can't be loaded"
    digest = "" if held is None else held.digest
    if desk.source == "file":
        return HeldPolicy("file", digest, await desk.filed(), None, None, error)
    newest = await desk.newest()
    number = None if held is None else held.revision
    found = newest if newest is not None and newest.number == number else None
    if found is None and number is not None:
        found = await desk.revision(number)
    text = found.text if found is not None and found.sealed else None
    return HeldPolicy("store", digest, text, found, None if newest is None else newest.number, error)


async def list_revisions(
    office: Office, actor: Actor, before: int | None = None, most: int = 50
) -> Sequence[Revision]:
    """Newest first, without their texts."""
    authorize(actor, Action.SEE_POLICY, Thing("policy"))
    return await office.policies.revisions(before, most)


async def see_revision(office: Office, actor: Actor, number: int) -> Revision:
    """One revision, with its text. Raises NotFound; Refused where it is not as it was written."""
    authorize(actor, Action.SEE_POLICY, Thing("policy", f"revision {number}"))
    return await _whole(office, number)


async def _whole(office: Office, number: int) -> Revision:
    found = await office.policies.revision(number)
    if found is None or found.text is None:
        raise NotFound(f"there is no revision {number} of the policy")
    before = await office.policies.revision(number - 1, text=False) if number > 1 else None
    if not found.sealed or not found.follows(before):
        raise Refused(f"revision {number} is not as it was written: somebody changed it in the store")
    return found


async def compare(
    office: Office, actor: Actor, old: int | None = None, new: int | None = None, text: str | None = None
) -> Mapping[str, Any]:
    """What differs between two revisions, or between one and a text. old None: what holds; new None, and no
    text: the newest revision. Raises NotFound, Refused, PolicyError."""
    authorize(actor, Action.SEE_POLICY, Thing("policy"))
    if old is None:
        held = await see_policy(office, actor)
        if held.text is None:
            raise Refused("the text of the policy that holds is not in the store as it was written")
        first, name = held.text, "file" if held.revision is None else f"revision {held.revision.number}"
    else:
        first, name = str((await _whole(office, old)).text), f"revision {old}"
    if text is not None:
        return await office.policies.compare(first, text, name, "policy")
    if new is None:
        newest = await office.policies.newest()
        new = 0 if newest is None else newest.number
    second = await _whole(office, new)
    return await office.policies.compare(first, str(second.text), name, f"revision {new}")


async def validate(office: Office, actor: Actor, text: str) -> Mapping[str, Any]:
    """What is wrong with a text, line by line; nothing is changed. Raises Refused."""
    authorize(actor, Action.VALIDATE_POLICY, Thing("policy"))
    return await office.policies.check(text)


async def apply(
    office: Office, actor: Actor, text: str, base: int | None, message: str, force: bool = False
) -> Applied:
    """Make a text the newest revision, and the policy: it holds on every worker here when this returns.

    Recorded before it is kept, kept before it holds; what is refused changes nothing. A text that is the
    newest revision's already makes none.

    Raises Moved where `base` is not the newest; Unloadable; Refused where nobody could administrate any more,
    or the actor could not, unless forced."""
    authorize(actor, Action.APPLY_POLICY, Thing("policy"))
    newest = await _base(office, base)
    _check_message(message)
    if newest.text == text and newest.sealed and _holds(office, newest):
        return Applied(newest, False)
    return await _apply(office, actor, newest, text, message, force, None)


async def roll_back(
    office: Office, actor: Actor, number: int, base: int | None, message: str, force: bool = False
) -> Applied:
    """A new revision with the text of an earlier one. Raises as `apply` does, and NotFound."""
    authorize(actor, Action.ROLL_BACK_POLICY, Thing("policy", f"revision {number}"))
    newest = await _base(office, base)
    _check_message(message)
    found = await _whole(office, number)
    if found.text == newest.text and _holds(office, newest):
        raise Refused(f"the newest revision has the text of revision {number} already")
    return await _apply(office, actor, newest, str(found.text), message, force, number)


async def _apply(
    office: Office,
    actor: Actor,
    newest: Revision,
    text: str,
    message: str,
    force: bool,
    restores: int | None,
) -> Applied:
    found = await office.policies.check(text)
    if not found["ok"]:
        raise Unloadable(found["errors"])
    guard = None if force else await _guard(office, actor)
    draft = Draft(
        text, newest.number, actor.name, actor.how, message, restores, guard, actor.credential_id, force
    )
    try:
        await office.policies.apply(draft)
    except (Refused, PolicyError, StoreFailed, JournalFailed):
        raise
    except GatewayError as error:
        raise NotHolding(error.public, error.detail) from error
    made = await office.policies.revision(newest.number + 1, text=False)
    if made is None:
        raise Refused("the revision that was made is gone from the store")
    return Applied(made, True)


def _holds(office: Office, revision: Revision) -> bool:
    held = office.control.policy()
    return held is not None and held.revision == revision.number


async def _base(office: Office, base: int | None) -> Revision:
    if office.policies.source == "file":
        raise Refused(
            f"the policy comes from {office.policies.config}: change it there and reload, or let the store "
            "keep it (gateway: policy: {source: store})"
        )
    if base is None:
        raise Unconditional
    newest = await office.policies.newest()
    if newest is None:
        raise Refused("the revisions are gone from the store")
    if newest.number != base:
        raise Moved(newest.number)
    return newest


def _check_message(message: str) -> None:
    if not message.strip() or len(message) > MESSAGE_MOST:
        raise Refused(f"a message says in 1 to {MESSAGE_MOST} characters why the policy changes")
    if not message.isprintable() or credentials(Source("", f"# {message}")):
        raise Refused("a message is one line of text, without anything that looks like a credential")


class Unloadable(Refused):
    """A text that does not load. errors: {"line", "column", "message"} each."""

    def __init__(self, errors: Sequence[Mapping[str, Any]]) -> None:
        self.errors = [
            f"{each['line']}:{each['column']}: {each['message']}" if each["line"] else str(each["message"])
            for each in errors
        ]
        super().__init__("The policy does not load; what holds goes on.")


# -- nobody locks himself out ---------------------------------------------------------------------------
async def _guard(office: Office, actor: Actor) -> Guard:
    """What the next policy must leave: somebody who may change it back over the API, and the actor himself.

    The user that runs the gateway may always, on its machine; who is far away does not count on that."""
    now = office.clock()
    stored = {account.name: account for account in await office.store.identities()}
    bearers = frozenset(each.identity for each in await office.store.tokens() if _good(each, now))

    def look(old: Policy | None, new: Policy) -> None:
        left, issuers = _administrators(office, stored, new)
        if actor.how == "token" and actor.name not in left:
            raise Refused(
                f"by this policy {actor.name} would not administrate any more: applied only if forced"
            )
        if actor.how not in ("token", "local") and not issuers:
            raise Refused(
                "by this policy no issuer's token would administrate any more: applied only if forced"
            )
        if old is None or left & bearers or issuers:
            return
        before, trusted = _administrators(office, stored, old)
        if before & bearers or trusted:
            raise Refused("this policy leaves nobody who administrates over the API: applied only if forced")

    return look


def _good(token: TokenRecord, now: int) -> bool:
    return token.holds(now) and not token.resources and not token.narrow


def _administrators(
    office: Office, stored: Mapping[str, ServiceAccount], policy: Policy
) -> tuple[frozenset[str], frozenset[str]]:
    """Accounts that administrate, and issuers and SAML providers by whose word somebody may."""
    seats = (seat.groups for seat in office.seats if seat.role is Role.ADMIN)
    groups = office.admin_groups.union(*seats)
    accounts = dict(stored)
    for name, account in policy.identities.items():
        disabled = account.disabled or (stored[name].disabled if name in stored else None)
        accounts[name] = ServiceAccount(name, account.kind, account.groups, account.origin, disabled)
    names = frozenset(
        name for name, account in accounts.items() if account.disabled is None and account.groups & groups
    )
    issuers = frozenset(
        name
        for name, issuer in policy.issuers.items()
        if any(each.groups & groups for each in issuer.accept)
        or (issuer.groups is not None and any(group.startswith(issuer.group_prefix) for group in groups))
    )
    issuers |= {
        name
        for name, provider in policy.saml.items()
        if provider.groups is not None and any(group.startswith(provider.group_prefix) for group in groups)
    }
    return names, issuers
