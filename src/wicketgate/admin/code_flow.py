"""The verbs of signing in by an issuer (OIDC) with a browser: begin, and come back. Nobody is proven yet.
They must never take an answer from another browser, issuer or sign-in, nor tell why somebody was refused.

All that a sign-in rests on is in a ticket that the browser keeps, closed: any node goes on with it.
"""

import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from wicketgate.admin.access import NotFound
from wicketgate.admin.authorize import Action, Actor, Thing, authorize
from wicketgate.admin.code_ports import CodePort
from wicketgate.admin.ports import Office
from wicketgate.admin.records import record
from wicketgate.admin.saml import NOBODY
from wicketgate.model.identity import Identity, IdentityKind
from wicketgate.model.issuer import BrowserSignIn, Issuer
from wicketgate.model.secret import Secret
from wicketgate.model.sign_in import SignInRefused

SECOND: Final = 1_000_000_000
PATIENCE: Final = 600
"""Seconds that somebody has for signing in."""


@dataclass(frozen=True, slots=True)
class Begun:
    """address: the issuer's, for the browser. state: which sign-in it is. ticket: what the browser keeps."""

    address: str
    state: str
    ticket: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Finished:
    """Who has signed in, by which token, and to which page it goes on: a review's, with its link's mark."""

    identity: Identity
    token: Secret
    review: str
    mark: str


def _flow(office: Office, name: str) -> tuple[CodePort, Issuer, BrowserSignIn]:
    """Raises NotFound."""
    flow = office.codes
    issuer = None if flow is None else flow.issuer(name)
    if flow is None or issuer is None or issuer.sign_in is None:
        raise NotFound(f"no issuer for browsers is named {name}")
    return flow, issuer, issuer.sign_in


def _purpose(issuer: Issuer, asked: BrowserSignIn) -> str:
    """What a ticket is closed for: another issuer's, or another client's, is none."""
    return json.dumps(["code", issuer.name, issuer.url, asked.client])


def check_known(office: Office, name: str) -> None:
    """Before an attempt is reserved, which nobody would end. Raises NotFound."""
    authorize(NOBODY, Action.SIGN_IN, Thing("sign-in", name))
    _flow(office, name)


async def begin(office: Office, source: str, name: str, review: str, mark: str) -> Begun:
    """Begin a sign-in to a review's page. Raises NotFound, SignInRefused."""
    thing = Thing("sign-in", name)
    authorize(NOBODY, Action.SIGN_IN, thing)
    flow, issuer, asked = _flow(office, name)
    state, nonce, verifier = (office.random(32).hex() for _ in range(3))
    try:
        address = await flow.address(issuer, state, nonce, verifier)
    except SignInRefused as refused:
        await record(office, NOBODY, Action.SIGN_IN, thing, source=source, refused=refused.detail)
        raise
    kept = {
        "state": state,
        "nonce": nonce,
        "verifier": verifier,
        "review": review,
        "k": mark,
        "until": office.clock() // SECOND + PATIENCE,
    }
    ticket = await office.links.ticket(_purpose(issuer, asked), json.dumps(kept).encode())
    return Begun(address, state, ticket)


async def come_back(
    office: Office, source: str, name: str, answer: Mapping[str, str], ticket: str
) -> Finished:
    """A browser brings an issuer's answer, and the ticket that it kept. Recorded, whether it proves anybody
    or not. Raises NotFound, SignInRefused."""
    thing = Thing("sign-in", name)
    authorize(NOBODY, Action.SIGN_IN, thing)
    flow, issuer, asked = _flow(office, name)
    try:
        kept = await _own(office, issuer, asked, answer, ticket)
        given = await flow.redeem(issuer, answer, Secret(str(kept["verifier"]).encode()))
        token = given.identity if asked.identity else given.access
        identity = await _proven(office, issuer, token, source)
        await flow.check(issuer, given, str(kept["nonce"]), identity.subject, office.clock())
    except SignInRefused as refused:
        await record(office, NOBODY, Action.SIGN_IN, thing, source=source, refused=refused.detail)
        raise
    told = {"name": identity.name, "groups": sorted(identity.groups), "subject": identity.subject}
    actor = Actor(identity.name, identity.how, identity.groups, credential_id=identity.credential_id)
    await record(office, actor, Action.SIGN_IN, thing, source=source, proven=told, issuer=issuer.url)
    return Finished(identity, token, str(kept["review"]), str(kept["k"]))


async def _own(
    office: Office, issuer: Issuer, asked: BrowserSignIn, answer: Mapping[str, str], ticket: str
) -> dict[str, Any]:
    """The sign-in that this very browser began. Raises SignInRefused."""
    found = await office.links.of_ticket(_purpose(issuer, asked), ticket) if ticket else None
    kept: dict[str, Any] = {} if found is None else json.loads(found)
    state = answer.get("state", "").encode("utf-8", "replace")
    if not kept or not hmac.compare_digest(state, str(kept["state"]).encode()):
        raise SignInRefused(f"{issuer.name}: it answers no sign-in that this browser began")
    if office.clock() // SECOND >= kept["until"]:
        raise SignInRefused(f"{issuer.name}: the sign-in took too long")
    return kept


async def _proven(office: Office, issuer: Issuer, token: Secret, source: str) -> Identity:
    """Whom the token proves: a human, by this very issuer. Raises SignInRefused."""
    found = await office.prove(token, source, None)
    identity = None if found is None else found[0]
    if identity is None:
        raise SignInRefused(f"{issuer.name}: its token proves nobody here")
    if identity.proof is None or identity.proof.issuer != issuer.name:
        raise SignInRefused(f"{issuer.name}: it gave a token that is not its own")
    if identity.kind is not IdentityKind.HUMAN:
        raise SignInRefused(f"{issuer.name}: its token proves a machine")
    return identity
