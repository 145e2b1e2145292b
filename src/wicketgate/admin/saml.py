"""The verbs of signing in by SAML, for people who are not proven yet: begin, go, come back, get the token.
They must never give a token to other than who began, nor tell why somebody was refused.

Who begins shows a challenge; the browser takes a ticket to the identity provider and brings its answer back,
together with a cookie; what came of it waits for a minute, to be had with the ticket, a code that only that
browser gets and hands on to its own machine, and what the challenge was made of.
"""

import asyncio
import base64
import hashlib
import hmac
import ipaddress
from dataclasses import dataclass
from typing import Any, Final

from wicketgate.admin.access import NotFound, Refused, admin_line
from wicketgate.admin.authorize import Action, Actor, Thing, authorize
from wicketgate.admin.ports import Office, SamlPort
from wicketgate.model.errors import GatewayError
from wicketgate.model.saml import SamlIssuer, SignedInBy
from wicketgate.model.secret import Secret
from wicketgate.model.sign_in import Asserted, SignIn, SignInRefused
from wicketgate.model.token import TokenRecord

SECOND: Final = 1_000_000_000
PATIENCE: Final = 600 * SECOND
"""Nanoseconds that somebody has for signing in."""
WAITS: Final = 60 * SECOND
"""Nanoseconds that a token waits for who began."""
NOBODY: Final = Actor("nobody", "none")
"""Who asks before anybody is proven."""


class TooMany(GatewayError):
    """Too many sign-ins are under way."""


@dataclass(frozen=True, slots=True)
class Begun:
    """ticket: what the address has in it. address: for the browser. expires: wall ns."""

    ticket: Secret
    address: str
    expires: int


@dataclass(frozen=True, slots=True)
class Gone:
    """address: the identity provider's, with our request. relay, browser: name and value of the cookie."""

    address: str
    relay: str
    browser: Secret


@dataclass(frozen=True, slots=True)
class Back:
    """What a browser that came back is shown. name: None: refused. port, state: where it goes next, if it
    came from a command. code: what it takes there. token: for whom the identity provider sent by itself."""

    name: str | None = None
    port: int | None = None
    state: str = ""
    code: Secret | None = None
    token: Secret | None = None


def _digest(secret: bytes) -> str:
    return hashlib.sha256(secret).hexdigest()


def _place(source: str) -> str:
    """A source as sign-ins are counted for it: of IPv6 the network."""
    try:
        address = ipaddress.ip_address(source)
    except ValueError:
        return source[:64]
    return str(ipaddress.ip_network(f"{address}/64", strict=False)) if address.version == 6 else source


def _saml(office: Office, name: str) -> tuple[SamlPort, SamlIssuer]:
    """Raises NotFound."""
    port = office.saml
    issuer = None if port is None else port.issuer(name)
    if port is None or issuer is None:
        raise NotFound(f"no SAML identity provider is named {name}")
    return port, issuer


async def see_metadata(office: Office, name: str) -> bytes:
    """Our own, as a service provider. Raises NotFound."""
    authorize(NOBODY, Action.SIGN_IN, Thing("sign-in", name))
    port, issuer = _saml(office, name)
    return await port.metadata(issuer)


async def begin(office: Office, source: str, name: str, challenge: str, port: int, state: str) -> Begun:
    """Begin a sign-in. Raises NotFound; TooMany."""
    authorize(NOBODY, Action.SIGN_IN, Thing("sign-in", name))
    saml, issuer = _saml(office, name)
    now = office.clock()
    ticket = office.random(32).hex()
    kept = SignIn(
        ticket=_digest(ticket.encode()),
        issuer=name,
        source=_place(source),
        challenge=challenge,
        port=port,
        state=state,
        created=now,
        expires=now + PATIENCE,
    )
    if not await saml.rows.begin(kept):
        raise TooMany("Too many sign-ins are under way: try again later.")
    return Begun(Secret(ticket.encode()), f"{issuer.login}?ticket={ticket}", kept.expires)


async def go(office: Office, source: str, name: str, ticket: Secret) -> Gone:
    """A browser takes it to the identity provider. Raises NotFound, SignInRefused."""
    thing = Thing("sign-in", name)
    authorize(NOBODY, Action.SIGN_IN, thing)
    saml, issuer = _saml(office, name)
    now = office.clock()
    # an ID begins with no digit (NCName)
    request, relay, browser = f"_{office.random(16).hex()}", office.random(16).hex(), office.random(32).hex()
    # the ticket first: who has none makes nobody read files
    if not await saml.rows.send(
        _digest(ticket.reveal()),
        name,
        now,
        request=request,
        relay=relay,
        browser=_digest(browser.encode()),
    ):
        raise SignInRefused("no sign-in was begun with this ticket, or a browser took it already")
    try:
        address = await saml.address(issuer, request, relay, now)
    except SignInRefused as refused:
        await _record(office, NOBODY.name, NOBODY.how, thing, source, {"refused": refused.detail})
        raise
    return Gone(address, relay, Secret(browser.encode()))


async def come_back(
    office: Office, source: str, name: str, text: bytes, relay: str, browser: Secret | None
) -> Back:
    """A browser brings the provider's answer. Recorded, whether it proves anybody or not. Raises NotFound."""
    thing = Thing("sign-in", name)
    authorize(NOBODY, Action.SIGN_IN, thing)
    saml, issuer = _saml(office, name)
    kept = None
    try:
        kept = await _own(saml, issuer, relay, browser, office.clock())
        proven = await _prove(office, saml, issuer, text, None if kept is None else kept.request)
        told = {"name": proven.name, "groups": sorted(proven.groups), "subject": proven.subject}
        await _record(
            office, proven.name, "saml", thing, source, {"proven": told, "issuer": issuer.entity_id}
        )
        if kept is None:
            return Back(proven.name, token=(await _issue(office, issuer, proven))[0])
        code = office.random(32).hex()
        waits = {**told, "until": proven.until}
        if not await saml.rows.prove(kept.ticket, _digest(code.encode()), waits, office.clock() + WAITS):
            raise SignInRefused("the sign-in was answered before")
        return Back(proven.name, kept.port, kept.state, Secret(code.encode()))
    except SignInRefused as refused:
        await _record(office, NOBODY.name, NOBODY.how, thing, source, {"refused": refused.detail})
        return Back() if kept is None else Back(None, kept.port, kept.state)


async def _own(
    saml: SamlPort, issuer: SamlIssuer, relay: str, browser: Secret | None, now: int
) -> SignIn | None:
    """The sign-in that this very browser took along; None where nobody began one, and that is permitted."""
    kept = await saml.rows.sent(relay, issuer.name, now) if relay else None
    if kept is None and issuer.idp_initiated:
        return None
    if kept is None or kept.request is None:
        raise SignInRefused(f"{issuer.name}: it answers no sign-in that is under way")
    shown = "" if browser is None else _digest(browser.reveal())
    if not hmac.compare_digest(shown, kept.browser or "-"):
        raise SignInRefused(f"{issuer.name}: the browser is not the one that was sent")
    return kept


async def _prove(
    office: Office, saml: SamlPort, issuer: SamlIssuer, text: bytes, request: str | None
) -> Asserted:
    """Raises SignInRefused. What an answer proves, it proves once."""
    proven = await saml.prove(issuer, text, request, office.clock())
    if proven.name in office.unite(await office.store.identities()):
        raise SignInRefused(f"{issuer.name}: the name is that of an account of this gateway")
    if not await saml.rows.take(issuer.name, proven.assertion, proven.forget):
        raise SignInRefused(f"{issuer.name}: the assertion was used before")
    return proven


async def redeem(
    office: Office, source: str, name: str, ticket: Secret, code: Secret, verifier: Secret
) -> tuple[Secret, TokenRecord]:
    """The token, once, for who began. Raises NotFound, SignInRefused, Refused."""
    thing = Thing("sign-in", name)
    authorize(NOBODY, Action.SIGN_IN, thing)
    saml, issuer = _saml(office, name)
    hashed = hashlib.sha256(verifier.reveal()).digest()
    challenge = base64.urlsafe_b64encode(hashed).rstrip(b"=").decode()
    kept = await saml.rows.redeem(
        _digest(ticket.reveal()), name, _digest(code.reveal()), challenge, office.clock()
    )
    if kept is None or kept.proven is None:
        refused = SignInRefused(f"{name}: nothing waits for this ticket, code and verifier")
        await _record(office, NOBODY.name, NOBODY.how, thing, source, {"refused": refused.detail})
        raise refused
    told = kept.proven
    proven = Asserted(
        str(told["name"]), str(told["subject"]), frozenset(told["groups"]), int(told["until"]), "", 0
    )
    return await _issue(office, issuer, proven)


async def _issue(office: Office, issuer: SamlIssuer, proven: Asserted) -> tuple[Secret, TokenRecord]:
    """A token for what was proven, as long as that holds: recorded, stored, replicated. Raises Refused."""
    by = SignedInBy(issuer.name, issuer.entity_id, proven.subject, proven.groups)
    now = office.clock()
    try:
        secret, record = office.issue(
            proven.name, now, office.random, expires=proven.until, note=f"SAML: {issuer.name}", proven=by
        )
    except ValueError as error:
        raise Refused(str(error)) from None
    thing = Thing("identity", proven.name, proven.name)
    actor = Actor(proven.name, "saml", proven.groups)
    line = admin_line(actor, Action.SIGN_IN, thing, token=record.id, expires=record.expires)
    await asyncio.wrap_future(office.control.record(b"", line))
    await office.store.add_token(record)
    await asyncio.wrap_future(office.control.put("tokens", record.hash, record.replicated()))
    return secret, record


async def _record(
    office: Office, name: str, how: str, thing: Thing, source: str, more: dict[str, Any]
) -> None:
    line = admin_line(Actor(name, how), Action.SIGN_IN, thing, source=source, **more)
    await asyncio.wrap_future(office.control.record(b"", line))
