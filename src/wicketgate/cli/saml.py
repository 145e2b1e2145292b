"""`wicket login NAME`: signs a person in at a SAML identity provider, through the gateway and a browser.
It must never take an answer to another sign-in, nor let what a browser brings suffice for the token."""

import base64
import hashlib
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from wicketgate.cli.client import Client
from wicketgate.cli.door import Door
from wicketgate.cli.ending import NOT_ALLOWED, USAGE, Ended
from wicketgate.model.secret import Secret

_NAME: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")


@dataclass(frozen=True, slots=True)
class Given:
    """What a sign-in gives. expires: wall ns."""

    token: Secret
    identity: str
    groups: tuple[str, ...]
    expires: int


def sign_in(client: Client, name: str, port: int, show: Callable[[str], None]) -> Given:
    """The token, once somebody has signed in with a browser on this machine. show: gets its address.

    Raises Ended."""
    if not _NAME.fullmatch(name):
        raise Ended(f"{name!r} is no identity provider's name", USAGE)
    verifier, state = secrets.token_urlsafe(32), secrets.token_urlsafe(24)
    hashed = hashlib.sha256(verifier.encode("ascii")).digest()
    challenge = base64.urlsafe_b64encode(hashed).rstrip(b"=").decode("ascii")
    with Door(port) as door:
        wanted = {"challenge": challenge, "port": door.server_port, "state": state}
        begun = client.ask("POST", f"/saml/{name}/begin", wanted)
        address = str(begun["address"])
        if not address.startswith("https://"):
            raise Ended("the gateway names an address that is not https", NOT_ALLOWED)
        show(address)
        answer = door.wait(state)
    if "code" not in answer:
        raise Ended("the sign-in was refused; the gateway's journal says why", NOT_ALLOWED)
    asked = {"ticket": begun["ticket"], "code": answer["code"], "verifier": verifier}
    given = client.ask("POST", f"/saml/{name}/token", asked)
    return Given(
        Secret(str(given["token"]).encode("ascii")),
        str(given["identity"]),
        tuple(str(each) for each in given["groups"]),
        int(given["expires"]),
    )
