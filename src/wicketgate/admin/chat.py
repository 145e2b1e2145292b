"""Answers that are given in chat: who presses is mapped to a person here, and asks by the API's verb.
It must never know more of his groups than was proven, nor let anybody answer who could not at the API.
"""

from typing import Final

from wicketgate.admin.authorize import Actor, NotAllowed
from wicketgate.admin.channels import ChannelPort
from wicketgate.admin.ports import Office
from wicketgate.admin.records import record_refused
from wicketgate.admin.reviews import Answer, answer_review, show_review
from wicketgate.model.chat import Forged, NotMapped, Press, Shown, Step
from wicketgate.model.errors import GatewayError
from wicketgate.model.identity import Identity, IdentityKind
from wicketgate.model.issuer import Issuer
from wicketgate.model.review import Status

HOW: Final = "slack"
"""How such a person was proven (Actor.how)."""
ELSEWHERE: Final = "Open it in the browser, sign in there, and answer."
_SAID: Final = {
    Status.PENDING: "Your answer counts. More are needed.",
    Status.APPROVED: "It is approved.",
    Status.DENIED: "It is denied.",
    Status.CLOSED: "It is closed.",
}


async def interact(office: Office, name: str, stamp: str, signature: str, body: bytes) -> Shown:
    """What Slack is answered. Raises Forged where it is not known to come from Slack; GatewayError."""
    port = office.channels
    if port is None:
        raise Forged("there are no channels")
    press = await port.taken(name, stamp, signature, body)
    if press is None:
        return {}
    good = False
    try:
        actor = await person(office, port, name, press)
        if press.step is Step.GIVEN:
            answer = Answer(press.approves, press.comment, press.conditions)
            seen = await answer_review(office, actor, press.review, answer)
            good, text = True, _SAID.get(seen.review.status, "Your answer counts.")
            port.poke()
        else:
            seen = await show_review(office, actor, press.review)
            good, text = not seen.answerable, f"You can't answer this one: {seen.answerable}."
            if good:
                await port.ask(name, press, seen.review)
                return {}
    except NotMapped as error:
        text = f"{error.public} {ELSEWHERE}"
    except NotAllowed as error:
        await record_refused(office, error)
        text = "It is for others to answer."
    except GatewayError as error:
        text = f"{error.public}."
    if press.step is Step.GIVEN:
        return port.ended(press, text, good)
    await port.tell(name, press, text)
    return {}


async def person(office: Office, port: ChannelPort, name: str, press: Press) -> Actor:
    """Whom an account of the chat system stands for, with the groups that are proven. Raises NotMapped.

    A local account has the groups that it has now. Somebody of an identity provider has those of his last
    sign-in, where that was not long ago, and who proved him is trusted still."""
    email = await port.email(name, press)
    identity = port.identity_of(name, email)
    if identity is None:
        raise NotMapped("Your e-mail address stands for nobody here.", "an e-mail that is not mapped")
    local = office.unite(await office.store.identities()).get(identity)
    if local is not None:
        if local.kind is not IdentityKind.HUMAN or local.disabled is not None:
            why = f"{identity} is no person, or disabled"
            raise NotMapped("Your e-mail address stands for nobody here.", why)
        return _actor(identity, "local", local.groups, press)
    since = office.clock() - port.proven_for(name)
    found = await _signed_in(office, identity, since) or await _used(office, identity, since)
    if found is None:
        raise NotMapped("Your groups were not proven lately.", f"no sign-in of {identity} since {since}")
    issuer, groups = found
    return _actor(identity, issuer, groups, press)


def _actor(name: str, issuer: str, groups: frozenset[str], press: Press) -> Actor:
    credential = f"{HOW} {press.user}"
    identity = Identity(name, press.user, issuer, IdentityKind.HUMAN, HOW, groups, credential)
    return Actor(name, HOW, groups, credential_id=credential, identity=identity)


async def _signed_in(office: Office, identity: str, since: int) -> tuple[str, frozenset[str]] | None:
    """By the last token that was given for a sign-in at an identity provider, where it holds."""
    now = office.clock()
    given = [
        each
        for each in await office.store.tokens(identity)
        if each.proven is not None and not each.narrow and not each.resources and each.created <= now
    ]
    last = max(given, key=lambda each: each.created, default=None)
    if last is None or last.proven is None or office.saml is None:
        return None
    # an older one that holds still may name groups that he has left since
    if last.created < since or last.revoked is not None or (last.expires is not None and now >= last.expires):
        return None
    if last.expires is None or not office.saml.still_trusts(
        identity, last.proven, last.expires - last.created
    ):
        return None
    return last.proven.issuer, last.proven.groups


async def _used(office: Office, identity: str, since: int) -> tuple[str, frozenset[str]] | None:
    """By what he used last through the gateway, proven by an issuer. Where his groups have changed since, he
    has those alone that he has in both."""
    policy = office.control.policy()
    uses, _ = await office.history.uses(since, identity)
    proven = [
        each
        for each in uses
        if each.last >= since
        and each.shape.how == "oidc"
        and each.shape.who.kind == IdentityKind.HUMAN.value
        and each.shape.who.name == identity
        and each.shape.agent is None
        and not each.shape.scoped
    ]
    if not proven or policy is None:
        return None
    last = max(proven, key=lambda each: each.last).shape.who
    if not any(_trusts(each, identity, last.issuer) for each in policy.issuers.values()):
        return None
    for member in await office.history.members():
        if member.name == identity:
            if member.gone or member.issuer != last.issuer:
                return None
            return last.issuer, last.groups & member.groups
    return None


def _trusts(issuer: Issuer, identity: str, url: str) -> bool:
    """Whether who was proven by it is still somebody whom it may prove."""
    fixed = any(each.identity == identity for each in issuer.accept)
    named = fixed or identity.startswith(issuer.prefix)
    return issuer.url == url and issuer.kind is IdentityKind.HUMAN and named
