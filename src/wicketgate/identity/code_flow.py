"""A sign-in with a browser (authorization code, PKCE): what is asked of an issuer, and what its answers say.
It must never take an answer that is not the one to what was asked, nor ask where the issuer did not say.

Source: OpenID Connect Core 1.0 section 3.1; RFC 6749, 7636 (PKCE), 8707 (resource), 9207 (iss), 9700.
Nothing is fetched here.
"""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote_plus, urlencode

from wicketgate.identity.jwt import LARGEST, NotProven, Token, members
from wicketgate.model.issuer import BrowserSignIn, check_url
from wicketgate.model.secret import Secret
from wicketgate.model.sign_in import Redeemed

CODE_MOST: Final = 4096
"""Characters of a code: a security limit."""
_HALVES: Final = {"256": "sha256", "384": "sha384", "512": "sha512", "EdDSA": "sha512"}


@dataclass(frozen=True, slots=True)
class Places:
    """What an issuer's configuration says. authorization: where browsers go. token: where codes are taken.
    named: its answers name it (`iss`). basic: how a client proves itself there; else in the form."""

    authorization: str
    token: str
    named: bool
    basic: bool


def read_places(body: bytes, issuer: str) -> Places:
    """Out of the published configuration. Raises ValueError."""
    found = members(body)
    if found.get("issuer") != issuer:
        raise ValueError("the published configuration is another issuer's")
    methods = found.get("code_challenge_methods_supported")
    if isinstance(methods, list) and "S256" not in methods:
        raise ValueError("the issuer knows no PKCE (S256)")
    proofs = found.get("token_endpoint_auth_methods_supported")
    return Places(
        _place(found, "authorization_endpoint", issuer),
        _place(found, "token_endpoint", issuer),
        found.get("authorization_response_iss_parameter_supported") is True,
        not isinstance(proofs, list) or "client_secret_basic" in proofs or "client_secret_post" not in proofs,
    )


def _place(found: Mapping[str, Any], name: str, issuer: str) -> str:
    address = found.get(name)
    if not isinstance(address, str):
        raise ValueError(f"the published configuration names no {name}")
    check_url(address, query=True)
    if issuer.startswith("https:") and not address.startswith("https:"):
        raise ValueError(f"the {name} is not served over https")
    return address


def challenge_of(verifier: str) -> str:
    """RFC 7636, section 4.2."""
    digest = hashlib.sha256(verifier.encode("ascii")).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode("ascii")


def address(
    places: Places, asked: BrowserSignIn, redirect: str, state: str, nonce: str, verifier: str
) -> str:
    """Where the browser is sent."""
    fields = {
        "response_type": "code",
        "client_id": asked.client,
        "redirect_uri": redirect,
        "scope": asked.scope,
        "state": state,
        "nonce": nonce,
        "code_challenge": challenge_of(verifier),
        "code_challenge_method": "S256",
    }
    if asked.resource is not None:
        fields["resource"] = asked.resource
    joint = "&" if "?" in places.authorization else "?"
    return places.authorization + joint + urlencode(fields)


def code_of(places: Places, issuer: str, answer: Mapping[str, str]) -> str:
    """The code that a browser brought back, from this very issuer. Raises NotProven."""
    named = answer.get("iss")
    if named is None and places.named:
        raise NotProven("the browser's answer does not say whose it is (iss)")
    if named is not None and named != issuer:
        raise NotProven("the browser's answer is another issuer's (iss)")
    if "error" in answer:
        raise NotProven("the issuer refuses")
    code = answer.get("code", "")
    if not 0 < len(code) <= CODE_MOST or not (code.isascii() and code.isprintable()):
        raise NotProven("the browser brought no code")
    return code


def exchange(
    places: Places, asked: BrowserSignIn, secret: Secret | None, redirect: str, code: str, verifier: str
) -> tuple[dict[str, str], bytes]:
    """Headers and form of the request that a code is taken with."""
    fields = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": redirect,
        "code_verifier": verifier,
    }
    headers = {"content-type": "application/x-www-form-urlencoded"}
    if asked.resource is not None:
        fields["resource"] = asked.resource
    text = "" if secret is None else secret.reveal().decode("utf-8", "surrogateescape")
    if secret is not None and places.basic:
        pair = f"{quote_plus(asked.client)}:{quote_plus(text, errors='surrogateescape')}"
        headers["authorization"] = f"Basic {base64.b64encode(pair.encode('ascii')).decode('ascii')}"
    else:
        fields["client_id"] = asked.client
        if secret is not None:
            fields["client_secret"] = text
    return headers, urlencode(fields, errors="surrogateescape").encode("ascii")


def read_given(body: bytes) -> Redeemed:
    """The tokens out of the issuer's answer. Raises NotProven."""
    found = members(body)
    kind = found.get("token_type")
    if not isinstance(kind, str) or kind.lower() != "bearer":
        raise NotProven("the issuer gives no bearer token")
    return Redeemed(_token(found, "access_token"), _token(found, "id_token"))


def _token(found: Mapping[str, Any], name: str) -> Secret:
    text = found.get(name)
    if not isinstance(text, str) or not 0 < len(text) <= LARGEST or not text.isascii():
        raise NotProven(f"the issuer gives no {name}")
    return Secret(text.encode("ascii"))


def check_told(told: Token, nonce: str, access: Secret, subject: str) -> None:
    """Whether a verified ID token is of this very sign-in, and about whom the access token proves (subject).
    Raises NotProven."""
    shown = str(told.claims.get("nonce", "")).encode("utf-8", "replace")
    if not hmac.compare_digest(shown, nonce.encode("ascii")):
        raise NotProven("the issuer's answer belongs to another sign-in (nonce)")
    half = told.claims.get("at_hash")
    if half is None:
        if told.claims.get("sub") != subject:
            raise NotProven("the access token is about somebody else than the ID token, and not bound to it")
        return
    name = _HALVES[told.algorithm if told.algorithm == "EdDSA" else told.algorithm[2:]]
    digest = hashlib.new(name, access.reveal()).digest()
    meant = base64.urlsafe_b64encode(digest[: len(digest) // 2]).rstrip(b"=")
    if not hmac.compare_digest(str(half).encode("utf-8", "replace"), meant):
        raise NotProven("the ID token came with another access token (at_hash)")
