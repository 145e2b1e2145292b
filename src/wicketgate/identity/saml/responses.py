"""Whom does a SAML response prove? Response, provider, keys and time in; a name and groups or a reason out.
It must never read a word of an assertion that it did not take from what a signature covers.

Source: SAML 2.0 core sections 2 and 3.2, profiles section 4.1.4, bindings section 3.5. Pure.
Replays are for the caller to refuse: `assertion` and `forget` say what to remember, and for how long.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from cryptography.hazmat.primitives.asymmetric import rsa

from wicketgate.identity.jwt import NotProven
from wicketgate.identity.saml.decryption import decrypted
from wicketgate.identity.saml.documents import (
    ASSERTION,
    DSIG,
    PROTOCOL,
    Element,
    members,
    moment,
    needed,
    parse,
    tagged,
    text_of,
)
from wicketgate.identity.saml.provider import Provider
from wicketgate.identity.saml.signatures import signed, verified
from wicketgate.model.saml import SUBJECT, SamlIssuer, Signed
from wicketgate.model.token import check_group, check_name, is_any

SECOND: Final = 1_000_000_000
MOST_GROUPS: Final = 1000
"""Groups in one assertion: a security limit."""
LONGEST_LIFE: Final = 86_400 * SECOND
"""Nanoseconds that an assertion may yet be shown for: so long its id is remembered."""
_SUCCESS: Final = "urn:oasis:names:tc:SAML:2.0:status:Success"
_BEARER: Final = "urn:oasis:names:tc:SAML:2.0:cm:bearer"
_TRANSIENT: Final = "urn:oasis:names:tc:SAML:2.0:nameid-format:transient"
_ENTITY: Final = "urn:oasis:names:tc:SAML:2.0:nameid-format:entity"
_SIGNATURE: Final = f"{{{DSIG}}}Signature"


def _a(name: str) -> str:
    return f"{{{ASSERTION}}}{name}"


def _p(name: str) -> str:
    return f"{{{PROTOCOL}}}{name}"


@dataclass(frozen=True, slots=True)
class Proven:
    """name, groups: with their prefixes. subject: the NameID. until: wall ns that the sign-in ends at latest.
    assertion: its ID. forget: wall ns from which on the assertion would be refused for its age."""

    name: str
    subject: str
    groups: frozenset[str]
    until: int
    assertion: str
    forget: int


def prove(
    text: bytes,
    issuer: SamlIssuer,
    provider: Provider,
    keys: Sequence[rsa.RSAPrivateKey],
    request: str | None,
    now: int,
) -> Proven:
    """Whom the response proves at `now` (wall ns). request: the ID that it answers; None: to none.

    Raises NotProven: its text is for the journal alone, and repeats nothing of the response."""
    document = parse(text)
    if document.tag != _p("Response"):
        raise NotProven("it is no SAML response")
    _check_one(document)
    response, covered = document, False
    if signed(document):
        response, covered = verified(document, provider.certificates, issuer.algorithms, now), True
    parts = members(
        response,
        {
            _a("Issuer"): (0, 1),
            _SIGNATURE: (0, 0),
            _p("Status"): (1, 1),
            _a("Assertion"): (0, 1),
            _a("EncryptedAssertion"): (0, 1),
        },
    )
    _check_response(response, parts[_a("Issuer")], parts[_p("Status")][0], issuer, request, now)
    if len(parts[_a("Assertion")]) + len(parts[_a("EncryptedAssertion")]) != 1:
        raise NotProven("there is not exactly one assertion")
    if parts[_a("EncryptedAssertion")]:
        assertion = decrypted(parts[_a("EncryptedAssertion")][0], tuple(keys), authentic=covered)
        if len(list(tagged(assertion, _a("Assertion"), _a("EncryptedAssertion")))) != 1:
            raise NotProven("there is not exactly one assertion")
    elif issuer.encrypted:
        raise NotProven("the assertion is not encrypted")
    else:
        assertion = parts[_a("Assertion")][0]
    own = signed(assertion)
    if own:
        assertion = verified(assertion, provider.certificates, issuer.algorithms, now)
    wanted = {
        Signed.EITHER: own or covered,
        Signed.ASSERTION: own,
        Signed.RESPONSE: covered,
        Signed.BOTH: own and covered,
    }
    if not wanted[issuer.signed]:
        raise NotProven("the signature that is wanted is not there")
    return _read(assertion, issuer, request, now)


def _check_one(document: Element) -> None:
    """One response, one assertion, signatures of these two alone, wherever one looks. Raises NotProven."""
    if len(list(tagged(document, _p("Response")))) != 1:
        raise NotProven("there is not exactly one response")
    holders = list(tagged(document, _a("Assertion"), _a("EncryptedAssertion")))
    if len(holders) != 1 or holders[0].getparent() is not document:
        raise NotProven("there is not exactly one assertion")
    for each in tagged(document, _SIGNATURE):
        if each.getparent() is not document and each.getparent() is not holders[0]:
            raise NotProven("there is a signature of something else")


def _check_response(
    response: Element,
    named: list[Element],
    status: Element,
    issuer: SamlIssuer,
    request: str | None,
    now: int,
) -> None:
    needed(response, "ID")
    if needed(response, "Version") != "2.0":
        raise NotProven("the response is not SAML 2.0")
    if named:
        _check_issuer(named[0], issuer)
    if needed(response, "Destination") != issuer.acs:
        raise NotProven("the response is meant for another place (Destination)")
    if response.get("InResponseTo") != request:
        raise NotProven("the response answers another request (InResponseTo)")
    made = moment(response, "IssueInstant")
    if made is None or made > now + issuer.skew * SECOND:
        raise NotProven("the response is not of now (IssueInstant)")
    codes = [each for each in status if each.tag == _p("StatusCode")]
    if len(codes) != 1 or codes[0].get("Value") != _SUCCESS:
        raise NotProven("the identity provider says that the sign-in failed (Status)")


def _check_issuer(element: Element, issuer: SamlIssuer) -> None:
    if element.get("Format", _ENTITY) != _ENTITY or text_of(element) != issuer.entity_id:
        raise NotProven("it is of another identity provider (Issuer)")


def _read(assertion: Element, issuer: SamlIssuer, request: str | None, now: int) -> Proven:
    """What a verified assertion says. Raises NotProven."""
    parts = members(
        assertion,
        {
            _a("Issuer"): (1, 1),
            _SIGNATURE: (0, 0),
            _a("Subject"): (1, 1),
            _a("Conditions"): (1, 1),
            _a("AuthnStatement"): (1, 4),
            _a("AttributeStatement"): (0, 4),
        },
    )
    identifier = needed(assertion, "ID")
    if needed(assertion, "Version") != "2.0":
        raise NotProven("the assertion is not SAML 2.0")
    made = moment(assertion, "IssueInstant")
    if made is None or made > now + issuer.skew * SECOND:
        raise NotProven("the assertion is not of now (IssueInstant)")
    _check_issuer(parts[_a("Issuer")][0], issuer)
    subject, ends = _subject(parts[_a("Subject")][0], issuer, request, now)
    ends = min(ends, _conditions(parts[_a("Conditions")][0], issuer, now))
    if ends - now > LONGEST_LIFE:
        raise NotProven("the assertion is good for longer than is accepted")
    until = now + issuer.longest * SECOND
    for each in parts[_a("AuthnStatement")]:
        begun, over = moment(each, "AuthnInstant"), moment(each, "SessionNotOnOrAfter")
        if begun is None or begun > now + issuer.skew * SECOND:
            raise NotProven("the sign-in is not of now (AuthnInstant)")
        if over is not None and now >= over:
            raise NotProven("the identity provider's session is over (SessionNotOnOrAfter)")
        until = until if over is None else min(until, over)
    told = _attributes(parts[_a("AttributeStatement")], issuer)
    name, groups = _name(subject, told, issuer), _groups(told, issuer)
    return Proven(name, text_of(subject), groups, until, identifier, ends)


def _subject(element: Element, issuer: SamlIssuer, request: str | None, now: int) -> tuple[Element, int]:
    """The NameID, and when its confirmation ends. Raises NotProven."""
    parts = members(element, {_a("NameID"): (1, 1), _a("SubjectConfirmation"): (1, 1)})
    confirmation = parts[_a("SubjectConfirmation")][0]
    if needed(confirmation, "Method") != _BEARER:
        raise NotProven("the assertion is not for its bearer (SubjectConfirmation)")
    found = members(confirmation, {_a("SubjectConfirmationData"): (1, 1)})[_a("SubjectConfirmationData")][0]
    members(found, {})
    if needed(found, "Recipient") != issuer.acs:
        raise NotProven("the assertion is meant for another place (Recipient)")
    if found.get("InResponseTo") != request:
        raise NotProven("the assertion answers another request (InResponseTo)")
    ends = moment(found, "NotOnOrAfter")
    if ends is None or now >= ends:
        raise NotProven("the assertion has expired (SubjectConfirmationData)")
    begins = moment(found, "NotBefore")
    if begins is not None and begins > now + issuer.skew * SECOND:
        raise NotProven("the assertion is not good yet (SubjectConfirmationData)")
    name = parts[_a("NameID")][0]
    text = text_of(name)
    if not 0 < len(text) <= 256 or not text.isprintable():
        raise NotProven("the assertion names no subject")
    return name, ends


def _conditions(element: Element, issuer: SamlIssuer, now: int) -> int:
    """When they end. An assertion is used once whether or not it says so. Raises NotProven."""
    parts = members(
        element,
        {_a("AudienceRestriction"): (1, 8), _a("OneTimeUse"): (0, 1), _a("ProxyRestriction"): (0, 1)},
    )
    begins, ends = moment(element, "NotBefore"), moment(element, "NotOnOrAfter")
    if begins is not None and begins > now + issuer.skew * SECOND:
        raise NotProven("the assertion is not good yet (Conditions)")
    if ends is None or now >= ends:
        raise NotProven("the assertion has expired (Conditions)")
    for each in parts[_a("AudienceRestriction")]:
        audiences = members(each, {_a("Audience"): (1, 64)})[_a("Audience")]
        if issuer.our_id not in [text_of(audience) for audience in audiences]:
            raise NotProven("the assertion is for another audience")
    return ends


def _attributes(statements: list[Element], issuer: SamlIssuer) -> dict[str, list[str]]:
    """Attributes that are read, with all their values. Raises NotProven."""
    read = {issuer.names, issuer.groups} - {SUBJECT, None}
    found: dict[str, list[str]] = {}
    for statement in statements:
        for each in members(statement, {_a("Attribute"): (1, 512)})[_a("Attribute")]:
            name = needed(each, "Name")
            if name not in read:
                continue
            values = members(each, {_a("AttributeValue"): (0, MOST_GROUPS)})[_a("AttributeValue")]
            found.setdefault(name, []).extend(text_of(value) for value in values)
    return found


def _name(subject: Element, told: dict[str, list[str]], issuer: SamlIssuer) -> str:
    if issuer.names == SUBJECT:
        if subject.get("Format") == _TRANSIENT:
            raise NotProven("the NameID is transient: it names nobody the next time")
        text = text_of(subject)
    else:
        values = told.get(issuer.names, [])
        if len(values) != 1:
            raise NotProven(f"the assertion has {len(values)} names in the attribute {issuer.names}")
        text = values[0]
    name = issuer.prefix + text
    try:
        check_name(name)
    except ValueError:
        raise NotProven("the assertion's name can't name an identity here") from None
    if not text or is_any(name):
        raise NotProven("the assertion's name can't name an identity here")
    return name


def _groups(told: dict[str, list[str]], issuer: SamlIssuer) -> frozenset[str]:
    """Those that a policy can name. An attribute that is absent is not "in no groups". Raises NotProven."""
    if issuer.groups is None:
        return frozenset()
    if issuer.groups not in told:
        raise NotProven(f"the assertion has no attribute {issuer.groups}, so does not tell the groups")
    if len(told[issuer.groups]) > MOST_GROUPS:
        raise NotProven("the assertion has too many groups")
    groups = set()
    for each in told[issuer.groups]:
        try:
            groups.add(check_group(issuer.group_prefix + each))
        except ValueError:
            continue  # no rule can name it, so none speaks of it
    return frozenset(groups)
