"""What an issuer says of a token's owner when it is asked again: its userinfo answer, and where to ask.
It must never take an answer about somebody else, nor one that leaves groups out for one that has none.

Source: OpenID Connect Core 1.0 section 5.3; OpenID Connect Discovery 1.0 section 4. Nothing is fetched here.
"""

from wicketgate.identity.claims import groups_of
from wicketgate.identity.jwt import NotProven, members
from wicketgate.model.issuer import Issuer, check_url


def read_place(body: bytes, issuer: str) -> str:
    """Where an issuer's published configuration says that its userinfo is. Raises ValueError."""
    found = members(body)
    if found.get("issuer") != issuer:
        raise ValueError("the published configuration is another issuer's")
    address = found.get("userinfo_endpoint")
    if not isinstance(address, str):
        raise ValueError("the published configuration names no userinfo")
    check_url(address, query=True)
    if issuer.startswith("https:") and not address.startswith("https:"):
        raise ValueError("the userinfo is not served over https")
    return address


def read_answer(body: bytes, issuer: Issuer, subject: str) -> frozenset[str] | str:
    """The groups that the answer names, as policies know them; or why the token proves nobody any more.

    Raises ValueError where it is no answer at all."""
    found = members(body)
    if found.get("sub") != subject:
        return "its issuer answers about somebody else"
    try:
        return groups_of(issuer, found)
    except NotProven as error:
        return str(error)
