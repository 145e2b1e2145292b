"""Who is this? A claim and the replicated dictionaries in, a proven Identity or nothing out.
It must never answer faster or otherwise for a name that exists than for one that does not."""

import hashlib
import hmac
from collections.abc import Mapping
from typing import Any

from wicketgate.identity.issuers import IssuerTokens
from wicketgate.identity.jwt import NotProven, resembles
from wicketgate.identity.tokens import hash_of, parse
from wicketgate.model.identity import Claim, Identity, IdentityKind
from wicketgate.model.secret import Secret

_UNUSED = Secret(b"")
_NOBODY: Mapping[str, Any] = {
    "id": "0" * 16,
    "identity": "",
    "created": 0,
    "expires": 0,
    "resources": [],
    "revoked": 0,
}
_NO_IDENTITY: Mapping[str, Any] = {
    "kind": "service",
    "groups": [],
    "subject": "",
    "issuer": "local",
    "disabled": 0,
}


def _same(one: str, other: str) -> bool:
    """Compare texts of any length in time that tells neither the length nor where they differ."""
    return hmac.compare_digest(
        hashlib.sha256(one.encode("utf-8", "surrogatepass")).digest(),
        hashlib.sha256(other.encode("utf-8", "surrogatepass")).digest(),
    )


class Authenticator:
    """Proves service accounts by token, and others by tokens of trusted issuers. Holds the live dictionaries:
    a replicated change counts at once.

    tokens: SHA-256 of a token's text (hex) -> TokenRecord.replicated().
    identities: name -> ServiceAccount.replicated(). issuers: made anew when they or their keys change.
    """

    __slots__ = ("_hashes", "_identities", "_issuers", "_tokens")

    def __init__(
        self,
        tokens: Mapping[str, Mapping[str, Any]],
        identities: Mapping[str, Mapping[str, Any]],
        issuers: IssuerTokens | None = None,
    ) -> None:
        self._tokens = tokens
        self._identities = identities
        self._issuers = IssuerTokens({}, {}) if issuers is None else issuers
        self._hashes: dict[str, str] = {}

    def authenticate(self, claim: Claim, now: int) -> Identity | None:
        """The identity that the claim proves at `now` (wall clock ns), or None. Never says why not.

        Every step is taken whatever the ones before it found. A record that can't be read proves nothing.
        """
        if resembles(claim.secret.reveal()):
            try:
                return self._by_issuer(claim, now)
            except NotProven:
                return None
        formed = parse(claim.secret)
        token = self._tokens.get(hash_of(claim.secret))
        account = self._identities.get(claim.identity)
        found = formed & (token is not None) & (account is not None)
        return self._prove(
            claim,
            _NOBODY if token is None else token,
            _NO_IDENTITY if account is None else account,
            found,
            now,
        )

    def _by_issuer(self, claim: Claim, now: int) -> Identity:
        """By a trusted issuer's token. Raises NotProven."""
        found = self._issuers.prove(claim.secret, self._identities, claim.claimed, now)
        if not _same(claim.identity, found.name):
            raise NotProven("the token proves another name than the one claimed")
        return found

    def reason(self, claim: Claim, now: int) -> str:
        """For the journal: why a claim that proves nobody does not, as far as that is known."""
        if resembles(claim.secret.reveal()):
            try:
                self._by_issuer(claim, now)
            except NotProven as error:
                return str(error)
        return ""

    def missing(self, secret: Secret) -> str | None:
        """The trusted issuer that must be asked for its keys before this can be judged, or None."""
        return self._issuers.missing(secret)

    def bearer(self, secret: Secret, source: str, now: int) -> Identity | None:
        """The identity that a token proves by itself, where nobody claims a name (the API). The resources
        that the token is scoped to are not asked for here: the caller must."""
        if resembles(secret.reveal()):
            try:
                return self._issuers.prove(secret, self._identities, {}, now)
            except NotProven:
                return None
        token = self._tokens.get(hash_of(secret))
        name = "" if token is None else str(token.get("identity", ""))
        resources = [] if token is None else token.get("resources") or []
        return self.authenticate(Claim(name, resources[0] if resources else "", secret, source), now)

    def still_holds(self, identity: Identity, resource: str, now: int) -> Identity | None:
        """The identity as it is now, for a session that is open: None once its token or account no longer
        holds (revoked, expired, disabled, gone, out of scope), and with new groups if these changed."""
        if identity.proof is not None:
            try:
                return self._issuers.still_proves(identity, self._identities, now)
            except NotProven:
                return None
        account = self._identities.get(identity.name)
        token = None if identity.credential_id is None else self._token(identity.credential_id)
        if account is None or token is None:
            return None
        claim = Claim(identity.name, resource, _UNUSED, "", claimed=identity.claimed)
        return self._prove(claim, token, account, True, now)

    def _token(self, credential: str) -> Mapping[str, Any] | None:
        """The record with this id. The index is derived: checked on use, made anew when it misses."""
        for fresh in (False, True):
            if fresh:
                self._hashes = {str(fields.get("id")): key for key, fields in self._tokens.items()}
            fields = self._tokens.get(self._hashes.get(credential, ""))
            if fields is not None and fields.get("id") == credential:
                return fields
        return None

    def _prove(
        self, claim: Claim, token: Mapping[str, Any], account: Mapping[str, Any], found: bool, now: int
    ) -> Identity | None:
        try:
            expires, resources = token["expires"], token["resources"]
            proven = (
                found
                & _same(claim.identity, token["identity"])
                & (token["revoked"] is None)
                & (expires is None or now < expires)
                & (not resources or claim.resource in resources)
                & (account["disabled"] is None)
            )
            identity = Identity(
                name=claim.identity,
                subject=account["subject"],
                issuer=account["issuer"],
                kind=IdentityKind(account["kind"]),
                how="token",
                groups=frozenset(account["groups"]),
                credential_id=token["id"],
                valid_until=expires,
                claimed=claim.claimed,
            )
        except (KeyError, TypeError, ValueError, AttributeError):
            return None
        return identity if proven else None
