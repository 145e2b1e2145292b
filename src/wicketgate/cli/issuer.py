"""Asks an issuer (OIDC) for a token, as a public client does. Standard library only: it loads fast.
It must never follow a redirect, ask over plain text (but on loopback), or let a token reach a message.

Source: OpenID Connect Discovery 1.0; Core 1.0 sections 11, 12; RFC 6749, 7636 (PKCE),
8252 (loopback), 8628 (device), 9207 (iss).
"""

import base64
import hashlib
import hmac
import http.client
import json
import secrets
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

from wicketgate.cli.ending import NEGATIVE, UNREACHABLE, USAGE, Ended
from wicketgate.model.issuer import WELL_KNOWN, check_url
from wicketgate.model.secret import Secret

LARGEST: Final = 1 << 18
"""Bytes of one answer: a security limit."""
TIMEOUT: Final = 20.0
OFFLINE: Final = "offline_access"
DEVICE: Final = "urn:ietf:params:oauth:grant-type:device_code"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked for. resource: the API that the token is for (RFC 8707). identity: the ID token.
    offline: a refresh token as well."""

    issuer: str
    client: str
    scope: str = "openid"
    resource: str | None = None
    identity: bool = False
    offline: bool = False

    @property
    def scopes(self) -> str:
        """What is asked for; a refresh token has a scope of its own."""
        offline = self.offline and OFFLINE not in self.scope.split()
        return f"{self.scope} {OFFLINE}" if offline else self.scope

    def fields(self) -> dict[str, str]:
        """Those of every request."""
        found = {"client_id": self.client}
        return found if self.resource is None else found | {"resource": self.resource}


@dataclass(frozen=True, slots=True)
class Begun:
    """A sign-in that a browser is to finish: what its answer is checked by."""

    address: str
    redirect: str
    state: str = field(repr=False)
    nonce: str = field(repr=False)
    verifier: str = field(repr=False)


class Site:
    """An issuer's endpoints. Raises Ended throughout: what went wrong, in one line.

    refresh: the refresh token that came with the last token, if one did."""

    def __init__(self, wanted: Wanted) -> None:
        self.refresh: Secret | None = None
        try:
            check_url(wanted.issuer)
        except ValueError as error:
            raise Ended(f"--issuer: {error}", USAGE) from None
        self._wanted = wanted
        status, found = self._ask("GET", wanted.issuer.rstrip("/") + WELL_KNOWN)
        if status != 200 or found.get("issuer") != wanted.issuer:
            raise Ended("there is no such issuer: its configuration can't be read, or is another's")
        self._configuration = found

    def _endpoint(self, name: str, what: str) -> str:
        address = self._configuration.get(name)
        try:
            checked = check_url(str(address or ""), query=True)
        except ValueError:
            raise Ended(f"the issuer has no {what}") from None
        if self._wanted.issuer.startswith("https:") and not checked.startswith("https:"):
            raise Ended(f"the issuer's {what} is not served over https")
        return checked

    # -- a browser on this machine (authorization code, PKCE) ---------------------------------------------
    def begin(self, redirect: str) -> Begun:
        """Where a browser is to go. redirect: where it comes back to, on this machine."""
        verifier, state, nonce = (secrets.token_urlsafe(32) for _ in range(3))
        digest = hashlib.sha256(verifier.encode()).digest()
        fields = {
            "response_type": "code",
            "redirect_uri": redirect,
            "scope": self._wanted.scopes,
            "state": state,
            "nonce": nonce,
            "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
            "code_challenge_method": "S256",
        }
        if OFFLINE in self._wanted.scopes.split():
            fields["prompt"] = "consent"
        address = self._endpoint("authorization_endpoint", "sign-in page")
        joint = "&" if "?" in address else "?"
        return Begun(
            address + joint + urlencode(fields | self._wanted.fields()), redirect, state, nonce, verifier
        )

    def finish(self, begun: Begun, answer: Mapping[str, str]) -> Secret:
        """The token, by what the browser came back with, which must be the answer to what was begun."""
        if not hmac.compare_digest(answer.get("state", "").encode(), begun.state.encode()):
            raise Ended("the browser's answer belongs to another sign-in (state)")
        named = self._configuration.get("authorization_response_iss_parameter_supported") is True
        if answer.get("iss", None if named else self._wanted.issuer) != self._wanted.issuer:
            raise Ended("the browser's answer is another issuer's (iss)")
        if "error" in answer or not answer.get("code"):
            raise Ended(f"the issuer refuses: {answer.get('error', 'no code')[:100]}")
        fields = {
            "grant_type": "authorization_code",
            "code": answer["code"],
            "redirect_uri": begun.redirect,
            "code_verifier": begun.verifier,
        }
        status, found = self._ask("POST", self._endpoint("token_endpoint", "token endpoint"), fields)
        if status != 200:
            raise Ended(f"the issuer gives no token: {_error(found)}")
        # what came with the token, straight from the issuer, must be about this very sign-in
        told = found.get("id_token")
        owed = told is not None or "openid" in self._wanted.scope.split()
        if owed and _claims(str(told)).get("nonce") != begun.nonce:
            raise Ended("the issuer's answer belongs to another sign-in (nonce)")
        return self._token(found)

    # -- a browser elsewhere (device) ---------------------------------------------------------------------
    def device(self, show: Callable[[str, str], None], sleep: Callable[[float], None] = time.sleep) -> Secret:
        """The token, once somebody has entered a code in some browser. show: (address, code)."""
        endpoint = self._endpoint("device_authorization_endpoint", "device flow")
        status, begun = self._ask("POST", endpoint, {"scope": self._wanted.scopes})
        code, where, shown = (begun.get(each) for each in ("device_code", "verification_uri", "user_code"))
        if status != 200 or not (isinstance(code, str) and isinstance(where, str) and isinstance(shown, str)):
            raise Ended(f"the issuer refuses: {_error(begun)}")
        whole = begun.get("verification_uri_complete")
        show(whole if isinstance(whole, str) else where, shown)
        pause, ends = _seconds(begun.get("interval"), 5), _seconds(begun.get("expires_in"), 300)
        token = self._endpoint("token_endpoint", "token endpoint")
        waited = 0.0
        while waited < ends:
            sleep(pause)
            waited += pause
            status, found = self._ask("POST", token, {"grant_type": DEVICE, "device_code": code})
            if status == 200:
                return self._token(found)
            if found.get("error") == "slow_down":
                pause += 5
            elif found.get("error") != "authorization_pending":
                raise Ended(f"the issuer gives no token: {_error(found)}")
        raise Ended("nobody entered the code in time")

    # -- nobody is asked (refresh token) ------------------------------------------------------------------
    def renew(self, refresh: Secret) -> Secret | None:
        """A new token by a refresh token; None where the issuer takes that no more."""
        fields = {"grant_type": "refresh_token", "refresh_token": refresh.reveal().decode("ascii")}
        status, found = self._ask("POST", self._endpoint("token_endpoint", "token endpoint"), fields)
        if status in (400, 401) and found.get("error") in ("invalid_grant", "access_denied"):
            return None
        if status != 200:
            raise Ended(f"the issuer gives no token: {_error(found)}")
        token = self._token(found)
        self.refresh = self.refresh or refresh  # one that is not replaced stays good
        return token

    # -- what both share ----------------------------------------------------------------------------------
    def _token(self, found: Mapping[str, Any]) -> Secret:
        name = "id_token" if self._wanted.identity else "access_token"
        text = found.get(name)
        if not isinstance(text, str) or not _claims(text):
            other = "--scope openid" if self._wanted.identity else "--resource, or --id-token"
            raise Ended(f"the issuer gives no {name} that a gateway can read: try {other}")
        kept = found.get("refresh_token")
        good = isinstance(kept, str) and kept.isascii() and kept.isprintable()
        self.refresh = Secret(str(kept).encode("ascii")) if good and kept else None
        return Secret(text.encode("ascii"))

    def _ask(self, method: str, address: str, fields: Mapping[str, str] | None = None) -> tuple[int, Any]:
        """An answer's status and JSON object (empty where it is none)."""
        parts = urlsplit(address)
        host, path = parts.hostname or "", parts.path or "/"
        if parts.scheme == "https":
            context = ssl.create_default_context()
            link: http.client.HTTPConnection = http.client.HTTPSConnection(
                host, parts.port, timeout=TIMEOUT, context=context
            )
        else:
            link = http.client.HTTPConnection(host, parts.port, timeout=TIMEOUT)
        headers = {"accept": "application/json"}
        body = None
        if fields is not None:
            body = urlencode({**self._wanted.fields(), **fields})
            headers["content-type"] = "application/x-www-form-urlencoded"
        try:
            link.request(method, path + (f"?{parts.query}" if parts.query else ""), body, headers)
            response = link.getresponse()
            text = response.read(LARGEST + 1)
            status = response.status
        except (OSError, http.client.HTTPException) as error:
            raise Ended(f"{host} does not answer ({type(error).__name__})", UNREACHABLE) from None
        finally:
            link.close()
        if len(text) > LARGEST:
            raise Ended(f"{host} answers too much", NEGATIVE)
        try:
            found = json.loads(text)
        except ValueError:
            found = {}
        return status, found if isinstance(found, dict) else {}


def claims(token: Secret) -> dict[str, Any]:
    """What a token says, unverified: to be shown to whom it belongs."""
    return _claims(token.reveal().decode("ascii"))


def _claims(token: str) -> dict[str, Any]:
    parts = token.split(".")
    if len(parts) != 3 or not token.isascii():
        return {}
    try:
        found = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _error(found: Mapping[str, Any]) -> str:
    return str(found.get("error", "no reason given"))[:100]


def _seconds(value: Any, otherwise: float) -> float:
    good = isinstance(value, int | float) and not isinstance(value, bool) and 0 < value <= 3600
    return float(value) if good else otherwise
