"""`sign_in:` of an issuer: how people sign in by it with a browser, on pages of ours; read and checked.
It must never take a secret that is written out, nor what would give tokens that prove nobody here.
"""

import re
from typing import Final

from wicketgate.model.identity import IdentityKind
from wicketgate.model.issuer import BrowserSignIn, check_url
from wicketgate.policy.document import Node
from wicketgate.policy.reading import Reading
from wicketgate.policy.resources import read_credential

SIGN_IN_KEYS: Final = frozenset({"client_id", "client_secret", "scope", "resource", "token"})
TOKENS: Final = ("access", "id")
_CLIENT: Final = re.compile(r"[\x21-\x7e]{1,300}")
_SCOPE: Final = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]{1,300}")
"""A scope's name (RFC 6749, appendix A.4)."""


def read_sign_in(
    reading: Reading,
    node: Node,
    kind: IdentityKind,
    audiences: frozenset[str],
    parties: frozenset[str] | None,
    undiscovered: bool,
) -> BrowserSignIn:
    """kind, audiences, parties: of the issuer. undiscovered: its configuration is not to be read."""
    keys = reading.keys(node, "sign_in", SIGN_IN_KEYS, ("client_id",))
    if kind is not IdentityKind.HUMAN:
        raise reading.fail(node, f"people sign in with a browser: kind {kind.value} has no sign_in")
    if undiscovered:
        raise reading.fail(node, "where jwks is given nothing is discovered: sign_in needs discovery")
    client = reading.text(keys["client_id"], "client_id")
    if not _CLIENT.fullmatch(client):
        raise reading.fail(keys["client_id"], "client_id must be up to 300 printable ASCII characters")
    identity = "token" in keys and reading.choice(keys["token"], "token", TOKENS) == "id"
    if identity and client not in audiences:
        raise reading.fail(keys["client_id"], "an ID token is for its client: audiences must have client_id")
    if parties and client not in parties:
        raise reading.fail(keys["client_id"], "parties must have client_id, or its tokens prove nobody")
    return BrowserSignIn(
        client=client,
        secret=read_credential(reading, keys["client_secret"], "client_secret")
        if "client_secret" in keys
        else None,
        scope=_scope(reading, keys["scope"]) if "scope" in keys else "openid",
        resource=_resource(reading, keys["resource"]) if "resource" in keys else None,
        identity=identity,
    )


def _scope(reading: Reading, node: Node) -> str:
    names = reading.text(node, "scope").split(" ")
    if "openid" not in names or len(names) != len(set(names)):
        raise reading.fail(node, "scope must have openid in it, and nothing twice")
    if not all(_SCOPE.fullmatch(each) for each in names):
        raise reading.fail(node, "scope must be names, with one space between them")
    if "offline_access" in names:
        raise reading.fail(node, "scope: a page has no use for a refresh token (offline_access)")
    return " ".join(names)


def _resource(reading: Reading, node: Node) -> str:
    text = reading.text(node, "resource")
    try:
        return check_url(text, query=True) if "://" in text else _name(text)
    except ValueError as error:
        raise reading.fail(node, f"resource: {error}") from None


def _name(text: str) -> str:
    """An absolute URI of another scheme (RFC 8707, section 2). Raises ValueError."""
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]*:[\x21\x22\x24-\x7e]{1,500}", text):
        raise ValueError("it must be an absolute URI without a fragment")
    return text
