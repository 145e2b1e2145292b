"""Who is this? A claim and the replicated dictionaries in, a proven Identity or nothing out.
It must never answer faster or otherwise for a name that exists than for one that does not."""

import hashlib
import hmac
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

from wicketgate.identity.issuers import IssuerTokens
from wicketgate.identity.jwt import NotProven, resembles
from wicketgate.identity.parties import Parties
from wicketgate.identity.tokens import hash_of, parse
from wicketgate.model.exchange import Exchange, exchange_of
from wicketgate.model.grant import grants_of
from wicketgate.model.identity import Claim, Identity, IdentityKind, Proof
from wicketgate.model.network import within
from wicketgate.model.saml import signed_in_by
from wicketgate.model.secret import Secret
from wicketgate.model.task import DRIFT, Task, task_of
from wicketgate.model.workload import CERTIFICATE

_UNUSED = Secret(b"")
_BEHIND = "the human behind the task is gone or disabled"
_NO_LONGER = "what proved the human at the exchange no longer holds"
_NO_AGENT = "what proved the agent at the exchange no longer holds"
_NO_CREW = "the agent is no longer in the group of its task's crew"
_NOBODY: Mapping[str, Any] = {
    "id": "0" * 16,
    "identity": "",
    "created": 0,
    "expires": 0,
    "resources": [],
    "revoked": 0,
    "rules": [],
    "networks": [],
    "task": None,
    "proven": None,
    "exchange": None,
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
    grants: id -> Grant.replicated(); whoever is proven gets those that are his.
    """

    __slots__ = ("_grants", "_hashes", "_identities", "_issuers", "_parties", "_tokens")

    def __init__(
        self,
        tokens: Mapping[str, Mapping[str, Any]],
        identities: Mapping[str, Mapping[str, Any]],
        issuers: IssuerTokens | None = None,
        grants: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> None:
        self._grants = {} if grants is None else grants
        self._tokens = tokens
        self._identities = identities
        self._issuers = IssuerTokens({}, {}) if issuers is None else issuers
        self._hashes: dict[str, str] = {}
        self._parties = Parties(identities, self._token, self._issuers)

    def authenticate(self, claim: Claim, now: int) -> Identity | None:
        """The identity that the claim proves at `now` (wall clock ns), or None. Never says why not.

        Every step is taken whatever the ones before it found. A record that can't be read proves nothing.
        """
        if resembles(claim.secret.reveal()) or claim.certificate is not None:
            try:
                return self._given(self._by_issuer(claim, now), now)
            except NotProven:
                return None
        return self._given(self._by_token(claim, now)[0], now)

    def _given(self, identity: Identity | None, now: int) -> Identity | None:
        """Whoever was proven, with the grants that are his, and those of the human behind him."""
        if identity is None or not self._grants:
            return identity
        human = identity.human
        if human is not None:
            human = replace(human, grants=grants_of(self._grants, human, now))
        return replace(identity, grants=grants_of(self._grants, identity, now), human=human)

    def _by_token(self, claim: Claim, now: int) -> tuple[Identity | None, str]:
        """By a token of ours: the identity, or None and why."""
        formed = parse(claim.secret)
        token = self._tokens.get(hash_of(claim.secret))
        account = self._account(claim.identity, token, now)
        found = formed & (token is not None) & (account is not None)
        identity, why = self._prove(
            claim,
            _NOBODY if token is None else token,
            _NO_IDENTITY if account is None else account,
            found,
            now,
            claim.source,
        )
        if identity is None and not why and token is not None and token.get("proven") is not None:
            why = "the sign-in that the token was given for is not accepted for this name"
        return identity, why

    def _by_issuer(self, claim: Claim, now: int) -> Identity:
        """By a trusted issuer's token, by a certificate, or by both if both are shown. Raises NotProven."""
        workload = None
        if claim.certificate is not None:
            workload = self._issuers.workloads.prove(claim.certificate, self._identities, claim.claimed, now)
        found = workload
        if found is None or claim.secret.reveal():
            found = self._issuers.prove(claim.secret, self._identities, claim.claimed, now)
        if workload is not None and found.name != workload.name:
            raise NotProven("the token proves another name than the certificate")
        if not _same(claim.identity, found.name):
            shown = "token" if workload is None else "certificate"
            raise NotProven(f"the {shown} proves another name than the one claimed")
        return found

    def reason(self, claim: Claim, now: int) -> str:
        """For the journal: why a claim that proves nobody does not, as far as that is known."""
        if resembles(claim.secret.reveal()) or claim.certificate is not None:
            try:
                self._by_issuer(claim, now)
            except NotProven as error:
                return str(error)
            return ""
        return self._by_token(claim, now)[1]

    def unknown(self, secret: Secret) -> str | None:
        """The hash of what has the form of a token of ours, and is not known here; else None."""
        if not parse(secret):
            return None
        found = hash_of(secret)
        return None if found in self._tokens else found

    def missing(self, secret: Secret) -> str | None:
        """The trusted issuer that must be asked for its keys before this can be judged, or None."""
        return self._issuers.missing(secret)

    def unread(self, secret: Secret, now: int) -> bool:
        """Whether this is a sound token of an issuer that is to be asked again before it proves anybody."""
        if not resembles(secret.reveal()):
            return False
        try:
            return self._issuers.unread(secret, now) is not None
        except NotProven:
            return False

    def bearer(
        self, secret: Secret, source: str, now: int, certificate: bytes | None = None
    ) -> Identity | None:
        """The identity that a token proves by itself, where nobody claims a name (the API); a workload's
        certificate does where there is no token, and where there is one must prove the same. The resources
        that the token is scoped to are not asked for here: the caller must."""
        workload = None
        if certificate is not None and self.shows_workload(certificate):
            try:
                workload = self._issuers.workloads.prove(certificate, self._identities, {}, now)
            except NotProven:
                return None
            if not secret.reveal():
                return workload
        found = self._of_bearer(secret, source, now)
        return found if workload is None or found is None or found.name == workload.name else None

    def _of_bearer(self, secret: Secret, source: str, now: int) -> Identity | None:
        if resembles(secret.reveal()):
            try:
                return self._issuers.prove(secret, self._identities, {}, now)
            except NotProven:
                return None
        token = self._tokens.get(hash_of(secret))
        name = "" if token is None else str(token.get("identity", ""))
        resources = [] if token is None else token.get("resources") or []
        return self.authenticate(Claim(name, resources[0] if resources else "", secret, source), now)

    def still_holds(self, identity: Identity, resource: str, now: int, source: str | None) -> Identity | None:
        """The identity as it is now, for a session that is open: None once its token or account no longer
        holds (revoked, expired, disabled, gone, out of scope, its human gone), and with new groups if these
        changed. source: None where only the worker knows it; networks are not asked for then."""
        return self._given(self._still(identity, resource, now, source), now)

    def _still(self, identity: Identity, resource: str, now: int, source: str | None) -> Identity | None:
        if identity.proof is not None:
            try:
                if identity.how == CERTIFICATE:
                    return self._still_shown(identity, identity.proof, now)
                return self._issuers.still_proves(identity, self._identities, now)
            except NotProven:
                return None
        token = None if identity.credential_id is None else self._token(identity.credential_id)
        account = self._account(identity.name, token, now)
        if account is None or token is None:
            return None
        claim = Claim(identity.name, resource, _UNUSED, "", claimed=identity.claimed)
        return self._prove(claim, token, account, True, now, source)[0]

    def _still_shown(self, identity: Identity, proof: Proof, now: int) -> Identity:
        """By the certificate that opened the session, and what is accepted now. Raises NotProven."""
        workloads = self._issuers.workloads
        again = workloads.prove(proof.claims, self._identities, identity.claimed, now)
        if again.name != identity.name:
            raise NotProven("the certificate now proves another name")
        return again

    def shows_workload(self, certificate: bytes) -> bool:
        """Whether a client's certificate is one to sign in with."""
        return self._issuers.workloads.shows(certificate)

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
        self,
        claim: Claim,
        token: Mapping[str, Any],
        account: Mapping[str, Any],
        found: bool,
        now: int,
        source: str | None,
    ) -> tuple[Identity | None, str]:
        """The identity, or None and for the journal why."""
        try:
            expires, resources, networks = token["expires"], token["resources"], token["networks"]
            task = None if token["task"] is None else task_of(token["task"])
            exchange = None if token["exchange"] is None else exchange_of(token["exchange"])
            human = None if task is None else self._parties.human(task.behalf, exchange, now)
            checks = (
                (found, ""),
                (_same(claim.identity, token["identity"]), ""),
                (token["revoked"] is None, "the token was revoked"),
                (expires is None or now < expires, "the token has expired"),
                (not resources or claim.resource in resources, _beyond(task)),
                (
                    not networks or source is None or within(source, networks),
                    "the token is not for this source network",
                ),
                (account["disabled"] is None, "the account is disabled"),
                (task is None or human is not None, _BEHIND if exchange is None else _NO_LONGER),
                (self._acts(claim.identity, exchange, now), _NO_AGENT),
                (exchange is None or _of_crew(task, account["groups"]), _NO_CREW),
            )
            identity = Identity(
                name=claim.identity,
                subject=account["subject"],
                issuer=account["issuer"],
                kind=IdentityKind(account["kind"]),
                how=_how(token),
                groups=frozenset(account["groups"]),
                credential_id=token["id"],
                valid_until=expires,
                claimed=claim.claimed,
                rules=frozenset(token["rules"]),
            )
            if task is not None:
                identity = _acting(identity, task, human)
        except (KeyError, TypeError, ValueError, AttributeError):
            return None, "the token's record or its account can't be read"
        failed = [why for holds, why in checks if not holds]
        return (None, failed[0]) if failed else (identity, "")

    def _account(self, name: str, token: Mapping[str, Any] | None, now: int) -> Mapping[str, Any] | None:
        """Who a token's identity is: its account here; what an issuer said of it when it was exchanged; or
        whom an identity provider proved when it was given."""
        try:
            if token is not None and token["proven"] is not None:
                return self._signed_in(name, token)
            exchange = None if token is None or not token["exchange"] else exchange_of(token["exchange"])
            if exchange is None or exchange.agent.proof is None:
                return self._identities.get(name)
            found = self._parties.party(name, exchange.agent, now)
        except (KeyError, TypeError, ValueError, AttributeError):
            return None
        if found is None:
            return None
        return {
            "kind": found.kind.value,
            "groups": sorted(found.groups),
            "subject": found.subject,
            "issuer": found.issuer,
            "disabled": None,
        }

    def _signed_in(self, name: str, token: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """As the provider said, as long as that one is trusted, and never by a name that is ours."""
        proven = signed_in_by(token["proven"])
        lifetime = token["expires"] - token["created"]
        if name in self._identities or not self._issuers.still_trusts(name, proven, lifetime):
            return None
        return {
            "kind": IdentityKind.HUMAN.value,
            "groups": proven.groups,
            "subject": proven.subject,
            "issuer": proven.entity_id,
            "disabled": None,
        }

    def _acts(self, name: str, exchange: Exchange | None, now: int) -> bool:
        """Whether the agent's own token, that was exchanged, still holds."""
        return exchange is None or self._parties.party(name, exchange.agent, now) is not None


def _of_crew(task: Task | None, groups: Collection[str]) -> bool:
    """Whether an agent that named its crew itself may still name it."""
    return task is None or task.crew is None or task.crew in groups


def _how(token: Mapping[str, Any]) -> str:
    """How a token of ours came to be."""
    if token["exchange"] is not None:
        return "exchange"
    return "token" if token["proven"] is None else "saml"


def _beyond(task: Task | None) -> str:
    """Why a token is not for a resource."""
    if task is None:
        return "the token is not for this resource"
    return f"{DRIFT}: the task {task.name} did not declare this resource"


def _acting(identity: Identity, task: Task, human: Identity | None) -> Identity:
    """The agent in its task. Conditions are told the same of the task by both halves."""
    told: dict[str, Any] = {
        "behalf": task.behalf,
        "agent": task.agent,
        "crew": task.crew,
        "task": task.name,
        "purpose": task.purpose,
    }
    return replace(identity, declared=task, human=None if human is None else replace(human, **told), **told)
