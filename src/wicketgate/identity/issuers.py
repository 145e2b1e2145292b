"""Who does a trusted issuer's token prove? The token, issuers, keys and time in; an Identity or a reason out.
It must never take a claim from a token whose signature it did not verify, nor read an absent claim as empty.

Source: OpenID Connect Core 1.0 section 3.1.3.7, RFC 7519, RFC 8725, RFC 9068. Pure: nothing is fetched here.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from wicketgate.identity.claims import LONGEST, groups_of, look, matches
from wicketgate.identity.jwt import NotProven, Token, members, resembles, take_apart
from wicketgate.identity.keys import Key, load
from wicketgate.identity.spiffe import Workloads
from wicketgate.model.identity import Identity, Proof
from wicketgate.model.issuer import Acceptance, Issuer, Unread
from wicketgate.model.saml import SamlIssuer, SignedInBy
from wicketgate.model.secret import Secret
from wicketgate.model.token import check_name, is_any
from wicketgate.model.workload import Mesh

SECOND: Final = 1_000_000_000

# What a token that fails early is checked against, so that all of them take the time of one verification.
_NOBODYS: Final = load(
    {
        "kty": "RSA",
        "e": "AQAB",
        "n": "v" + "_f3x" * 85 + "w",  # a number like a modulus: nobody has a key for it
    }
)


class IssuerTokens:
    """Proves by tokens of trusted issuers. Made anew when issuers or keys change.

    mesh: whose certificates prove somebody; None: nobody's.
    issuers: name -> Issuer. keys: name -> {"source", "until" (wall ns), "keys": members of its key set}.
    saml: name -> SAML identity provider: tokens of ours are given for what these prove.
    seen: a token's id -> {"source", "groups"}, as long as its issuer says that it still holds.
    """

    __slots__ = ("_by_url", "_fixed", "_issuers", "_keys", "_prefixes", "_seen", "saml", "workloads")

    def __init__(
        self,
        issuers: Mapping[str, Issuer],
        keys: Mapping[str, Mapping[str, Any]],
        saml: Mapping[str, SamlIssuer] | None = None,
        mesh: Mesh | None = None,
        seen: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> None:
        self._issuers = dict(issuers)
        self.saml = dict(saml or {})
        self._seen = {} if seen is None else seen
        self._by_url = {issuer.url: issuer for issuer in issuers.values()}
        self._keys: dict[str, tuple[int, tuple[Key, ...]]] = {}
        self._fixed = {
            each.identity: issuer.name
            for issuer in issuers.values()
            for each in issuer.accept
            if each.identity is not None
        }
        everyone: list[Issuer | SamlIssuer] = [*self._issuers.values(), *self.saml.values()]
        self._prefixes = {issuer.prefix: issuer.name for issuer in everyone}
        self.workloads = Workloads(mesh, self._given)
        if mesh is not None:
            self._fixed |= dict.fromkeys(mesh.fixed, "spiffe")
            self._prefixes |= dict.fromkeys(mesh.prefixes, "spiffe")
        for name, issuer in self._issuers.items():
            entry = keys.get(name)
            if entry is not None and entry.get("source") == issuer.source:
                self._keys[name] = (int(entry["until"]), tuple(load(each) for each in entry["keys"]))

    def prove(
        self, secret: Secret, local: Mapping[str, Any], claimed: Mapping[str, str], now: int
    ) -> Identity:
        """Whom the token proves at `now` (wall ns). local: names that accounts of this gateway have, which no
        issuer may prove. Raises NotProven: its text is for the journal alone."""
        return self._prove(secret, local, claimed, now, True)[1]

    def unread(self, secret: Secret, now: int) -> Unread | None:
        """What a sound token's issuer must be asked before it proves anybody; None where it need not be.
        Raises NotProven where the token is not sound."""
        if not any(issuer.reread is not None for issuer in self._issuers.values()):
            return None
        issuer, found = self._prove(secret, {}, {}, now, False)
        if issuer.reread is None or found.credential_id is None or found.valid_until is None:
            return None
        return Unread(issuer, found.subject, found.credential_id, found.name, found.valid_until)

    def _prove(
        self, secret: Secret, local: Mapping[str, Any], claimed: Mapping[str, str], now: int, read: bool
    ) -> tuple[Issuer, Identity]:
        text = secret.reveal()
        try:
            token = take_apart(text)
            issuer = self._issuer_of(token.claims)
            key = self._key_of(issuer, token, now)
        except NotProven:
            _NOBODYS.verifies("RS256", text[:1024], b"\0" * 256)
            raise
        if not key.verifies(token.algorithm, token.signed, token.signature):
            raise NotProven(f"{issuer.name}: the signature is not the issuer's")
        proof = Proof(issuer.name, key.thumbprint, token.payload)
        credential = "jwt-" + hashlib.sha256(text).hexdigest()[:16]
        found = self._identity(issuer, token.claims, proof, credential, local, claimed, now, read)
        return issuer, found

    def still_proves(self, identity: Identity, local: Mapping[str, Any], now: int) -> Identity:
        """The same for an open session, by what is trusted now. Raises NotProven."""
        proof = identity.proof
        issuer = self._issuers.get(proof.issuer) if proof is not None else None
        if proof is None or issuer is None:
            raise NotProven("the issuer is no longer trusted")
        until, keys = self._keys.get(issuer.name, (0, ()))
        if now >= until or proof.key not in {each.thumbprint for each in keys}:
            raise NotProven(f"{issuer.name}: the key that signed is no longer the issuer's")
        claims = members(proof.claims)
        if claims.get("iss") != issuer.url:
            raise NotProven("the issuer is no longer trusted")
        credential, claimed = identity.credential_id, identity.claimed
        again = self._identity(issuer, claims, proof, credential, local, claimed, now, True)
        if again.name != identity.name:
            raise NotProven(f"{issuer.name}: the token now proves another name")
        return again

    @property
    def issuers(self) -> Mapping[str, Issuer]:
        """Those that are trusted, by name."""
        return self._issuers

    def missing(self, secret: Secret) -> str | None:
        """The issuer of which a key is missing here that the token names; None where none is."""
        text = secret.reveal()
        if not resembles(text):
            return None
        try:
            token = take_apart(text)
            issuer = self._issuer_of(token.claims)
        except NotProven:
            return None
        _, keys = self._keys.get(issuer.name, (0, ()))
        if token.algorithm not in issuer.algorithms:
            return None
        known = any(token.key is None or each.name == token.key for each in keys)
        return None if known else issuer.name

    def told(self, secret: Secret, name: str, client: str, now: int) -> Token:
        """An ID token that this issuer made for a client of ours, and for nobody else: it says who has signed
        in, and proves nobody here. Raises NotProven."""
        token = take_apart(secret.reveal())
        issuer = self._issuer_of(token.claims)
        if issuer.name != name:
            raise NotProven("the ID token is another issuer's")
        if not self._key_of(issuer, token, now).verifies(token.algorithm, token.signed, token.signature):
            raise NotProven(f"{name}: the signature is not the issuer's")
        _meant_for(replace(issuer, audiences=frozenset({client}), parties=frozenset()), token.claims)
        _in_time(issuer, token.claims, now)
        return token

    # -- signature ------------------------------------------------------------------------------------------
    def _issuer_of(self, claims: Mapping[str, Any]) -> Issuer:
        url = claims.get("iss")
        issuer = self._by_url.get(url) if isinstance(url, str) else None
        if issuer is None:
            raise NotProven("the token is of an issuer that is not trusted")
        return issuer

    def _key_of(self, issuer: Issuer, token: Token, now: int) -> Key:
        """The one key that may have signed. Raises NotProven."""
        if token.algorithm not in issuer.algorithms:
            raise NotProven(f"{issuer.name}: the token's algorithm is not allowed")
        until, keys = self._keys.get(issuer.name, (0, ()))
        if now >= until:
            raise NotProven(f"{issuer.name}: the issuer's keys are not at hand")
        fitting = [
            each
            for each in keys
            if token.algorithm in each.algorithms and (token.key is None or each.name == token.key)
        ]
        if len(fitting) != 1:
            raise NotProven(f"{issuer.name}: no one key of the issuer's fits the token")
        return fitting[0]

    # -- claims ---------------------------------------------------------------------------------------------
    def _identity(
        self,
        issuer: Issuer,
        claims: Mapping[str, Any],
        proof: Proof,
        credential: str | None,
        local: Mapping[str, Any],
        claimed: Mapping[str, str],
        now: int,
        read: bool,
    ) -> Identity:
        try:
            _meant_for(issuer, claims)
            until = _in_time(issuer, claims, now)
            subject = claims.get("sub")
            if not isinstance(subject, str) or not 0 < len(subject) <= LONGEST or not subject.isprintable():
                raise NotProven("the token names no subject")
            accepted = _accepted(issuer, subject, claims)
            name = self._name(issuer, claims, accepted)
            groups = groups_of(issuer, claims)
            if read and issuer.reread is not None:
                # a reading takes away and never gives: a token may have been asked for with less than all
                groups &= self._read(issuer, credential)
            groups |= frozenset().union(*(each.groups for each in accepted))
        except NotProven as error:
            raise NotProven(f"{issuer.name}: {error}") from None
        if name in local:
            raise NotProven(f"{issuer.name}: the name is that of an account of this gateway")
        return Identity(
            name=name,
            subject=subject,
            issuer=issuer.url,
            kind=issuer.kind,
            how="oidc",
            groups=groups,
            credential_id=credential,
            valid_until=until,
            claimed=claimed,
            proof=proof,
        )

    def _read(self, issuer: Issuer, credential: str | None) -> frozenset[str]:
        entry = self._seen.get(credential or "")
        if entry is None or entry.get("source") != issuer.source:
            raise NotProven("the issuer does not say that the token still holds")
        return frozenset(entry["groups"])

    def _name(self, issuer: Issuer, claims: Mapping[str, Any], accepted: tuple[Acceptance, ...]) -> str:
        fixed = {each.identity for each in accepted if each.identity is not None}
        if len(fixed) > 1:
            raise NotProven("what is accepted gives the token several names")
        if fixed:
            return fixed.pop()
        parts = []
        for at, path in enumerate(issuer.names):
            part = look(claims, path)
            if not isinstance(part, str) or not part:
                raise NotProven(f"the token has no name at {path}")
            if at < len(issuer.names) - 1 and "." in part:
                # joined by dots, it could be somebody else's
                raise NotProven(f"the name at {path} has a dot")
            if not _verified(claims, path):
                raise NotProven("the token's email is not verified")
            parts.append(part)
        name = issuer.prefix + ".".join(parts)
        try:
            check_name(name)
        except ValueError:
            raise NotProven("the token's name can't name an identity here") from None
        if is_any(name):
            raise NotProven("the token's name is given to others")
        self.check_given(name, issuer.prefix)
        return name

    def check_given(self, name: str, prefix: str) -> None:
        """Whether an issuer with this prefix may give the name. Raises NotProven where it is another's."""
        if name in self._fixed:
            raise NotProven("the name is given to others")
        for other, owner in self._prefixes.items():
            if len(other) > len(prefix) and name.startswith(other):
                raise NotProven(f"the name is for {owner} to give")

    def _given(self, name: str, prefix: str) -> bool:
        """Whether a workload's name, which begins with this prefix, is an issuer's to give."""
        everyone: list[Issuer | SamlIssuer] = [*self._issuers.values(), *self.saml.values()]
        return any(
            each.identity == name for issuer in self._issuers.values() for each in issuer.accept
        ) or any(len(each.prefix) > len(prefix) and name.startswith(each.prefix) for each in everyone)

    def still_trusts(self, name: str, proven: SignedInBy, lifetime: int) -> bool:
        """Whether what an identity provider proved once would still be taken from it: that it is trusted, may
        give the name and the groups, and for so long (ns)."""
        issuer = self.saml.get(proven.issuer)
        if issuer is None or issuer.entity_id != proven.entity_id or lifetime > issuer.longest * SECOND:
            return False
        if not name.startswith(issuer.prefix) or (issuer.groups is None and proven.groups):
            return False
        try:
            self.check_given(name, issuer.prefix)
        except NotProven:
            return False
        return all(each.startswith(issuer.group_prefix) for each in proven.groups)


def _meant_for(issuer: Issuer, claims: Mapping[str, Any]) -> None:
    """Whether the token is for us, by one who may ask for it. Raises NotProven."""
    audience = claims.get("aud")
    audiences = [audience] if isinstance(audience, str) else audience
    if not isinstance(audiences, list) or not all(isinstance(each, str) for each in audiences):
        raise NotProven("the token names no audience")
    if issuer.audiences.isdisjoint(audiences):
        raise NotProven("the token is for another audience")
    if "events" in claims or "cnf" in claims:
        raise NotProven("the token is a notice, or bound to a key that was not shown")
    if issuer.parties is None:
        return
    party = claims.get("azp")
    if party is None and issuer.parties:
        # access tokens name the client otherwise: RFC 9068, Okta, Entra's first version
        party = next((claims[each] for each in ("client_id", "cid", "appid") if each in claims), None)
        if party is None:
            raise NotProven("the token does not say who asked for it")
    if party is not None and (
        not isinstance(party, str) or party not in (issuer.parties or issuer.audiences)
    ):
        raise NotProven("the token was asked for by another party")
    if party is None and not issuer.audiences.issuperset(audiences):
        raise NotProven("the token is for others too, and does not say who asked for it")


def _in_time(issuer: Issuer, claims: Mapping[str, Any], now: int) -> int:
    """When the token ends (wall ns). Raises NotProven where that is past, or it is not good yet."""
    ends, made = _moment(claims, "exp"), _moment(claims, "iat")
    if ends is None or made is None:
        raise NotProven("the token does not say when it was made, and when it ends")
    begins = _moment(claims, "nbf")
    if now >= ends:
        raise NotProven("the token has expired")
    ahead = now + issuer.skew * SECOND
    if made > ahead or (begins is not None and begins > ahead):
        raise NotProven("the token is not good yet")
    if ends - made > issuer.longest * SECOND:
        raise NotProven("the token is good for longer than is accepted")
    return ends


def _moment(claims: Mapping[str, Any], name: str) -> int | None:
    """A NumericDate as wall ns. Raises NotProven for what is none."""
    if name not in claims:
        return None
    value = claims[name]
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1 << 33:
        raise NotProven(f"the token's {name} is no time")
    return int(value * SECOND)


def _accepted(issuer: Issuer, subject: str, claims: Mapping[str, Any]) -> tuple[Acceptance, ...]:
    """The entries of `accept` that the token fits. Raises NotProven where it must fit one and fits none."""
    found = tuple(each for each in issuer.accept if _fits(each, subject, claims))
    if issuer.accept and not found:
        raise NotProven("the token's subject and claims are not accepted")
    return found


def _fits(acceptance: Acceptance, subject: str, claims: Mapping[str, Any]) -> bool:
    if acceptance.subject is not None and not matches(acceptance.subject, subject):
        return False
    return all(
        any(matches(pattern, look(claims, path)) for pattern in patterns) and _verified(claims, path)
        for path, patterns in acceptance.claims
    )


def _verified(claims: Mapping[str, Any], path: str) -> bool:
    """Whether the issuer answers for what it says at a path: an email may be what somebody typed."""
    verified = claims.get("email_verified")
    return path not in ("email", "/email") or verified is True or verified == "true"
