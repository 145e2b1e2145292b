"""The authorization code flow: what is asked of an issuer, and configurations that lead nowhere."""

from __future__ import annotations

import base64
import json
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from wicketgate.identity.code_flow import address, challenge_of, code_of, exchange, read_places
from wicketgate.identity.jwt import NotProven
from wicketgate.model.issuer import BrowserSignIn
from wicketgate.model.secret import Secret

URL = "https://id.example.com"
GOOD: dict[str, Any] = {
    "issuer": URL,
    "authorization_endpoint": f"{URL}/auth?tenant=a",
    "token_endpoint": f"{URL}/token",
}


def places(**more: Any) -> Any:
    found = {name: each for name, each in {**GOOD, **more}.items() if each is not None}
    return read_places(json.dumps(found).encode(), URL)


@pytest.mark.parametrize(
    "more",
    [
        {"issuer": f"{URL}/"},
        {"issuer": None},
        {"authorization_endpoint": None},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"authorization_endpoint": "http://id.example.com/auth"},
        {"authorization_endpoint": "http://127.0.0.1/auth"},
        {"authorization_endpoint": f"{URL}/auth#x"},
        {"authorization_endpoint": "https://a@id.example.com/auth"},
        {"authorization_endpoint": f"{URL}/auth\r\nset-cookie: a=b"},
        {"authorization_endpoint": ["https://id.example.com/auth"]},
        {"token_endpoint": None},
        {"token_endpoint": "http://127.0.0.1/token"},
        {"token_endpoint": "file:///etc/passwd"},
        {"code_challenge_methods_supported": ["plain"]},
        {"code_challenge_methods_supported": []},
    ],
)
def test_configurations_that_lead_nowhere(more: dict[str, Any]) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - each has words of its own
        places(**more)


def test_where_a_browser_is_sent() -> None:
    asked = BrowserSignIn("page & more", scope="openid groups", resource="urn:wicketgate")
    told = address(places(), asked, "https://gw.example/sign-in/a/callback", "s", "n", "v" * 64)
    assert dict(parse_qsl(urlsplit(told).query)) == {
        "tenant": "a",
        "response_type": "code",
        "client_id": "page & more",
        "redirect_uri": "https://gw.example/sign-in/a/callback",
        "scope": "openid groups",
        "state": "s",
        "nonce": "n",
        "code_challenge": challenge_of("v" * 64),
        "code_challenge_method": "S256",
        "resource": "urn:wicketgate",
    }


def test_how_the_client_proves_itself() -> None:
    """RFC 6749, section 2.3.1; a public one by PKCE alone."""
    secret, asked = Secret("a:b %+\u00e4".encode()), BrowserSignIn("page:1")
    both = ["client_secret_post", "client_secret_basic"]
    for proofs, basic in (
        (None, True),
        (both, True),
        (["client_secret_post"], False),
        (["private_key_jwt"], True),
    ):
        found = places(token_endpoint_auth_methods_supported=proofs)
        headers, body = exchange(found, asked, secret, "https://gw.example/", "c&d", "v")
        form = dict(parse_qsl(body.decode()))
        assert (form["code"], form["code_verifier"], form["grant_type"]) == ("c&d", "v", "authorization_code")
        if basic:
            pair = base64.b64decode(headers["authorization"].removeprefix("Basic ")).decode()
            assert pair == "page%3A1:a%3Ab+%25%2B%C3%A4"
            assert "client_secret" not in form
        else:
            assert (form["client_id"], form["client_secret"]) == ("page:1", "a:b %+\u00e4")
            assert "authorization" not in headers
    headers, body = exchange(places(), asked, None, "https://gw.example/", "c", "v")
    assert "authorization" not in headers
    assert dict(parse_qsl(body.decode())).keys() & {"client_id", "client_secret"} == {"client_id"}


def test_answers_that_hold_no_code() -> None:
    named = places(authorization_response_iss_parameter_supported=True)
    assert code_of(named, URL, {"code": "c", "iss": URL}) == "c"
    assert code_of(places(), URL, {"code": "c"}) == "c"
    for found, answer in (
        (named, {"code": "c"}),
        (named, {"code": "c", "iss": f"{URL}/"}),
        (places(), {"code": "c", "iss": "https://evil.example"}),
        (places(), {"code": "c", "error": "x"}),
        (places(), {"code": ""}),
        (places(), {}),
        (places(), {"code": "\u00e4"}),
        (places(), {"code": "a\nb"}),
        (places(), {"code": "c" * 4097}),
    ):
        with pytest.raises(NotProven):
            code_of(found, URL, answer)
