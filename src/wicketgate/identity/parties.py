"""The two that an exchanged token rests on, as they are now: by the ids of their tokens, or what they said.
It must never take one for proven whose own token would no longer sign in.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from wicketgate.identity.issuers import IssuerTokens
from wicketgate.identity.jwt import NotProven
from wicketgate.model.exchange import Exchange, Party
from wicketgate.model.identity import Identity, IdentityKind


@dataclass(frozen=True, slots=True)
class Parties:
    """What they are judged by. identities: local accounts. token: id -> a token of ours as replicated."""

    identities: Mapping[str, Mapping[str, Any]]
    token: Callable[[str], Mapping[str, Any] | None]
    issuers: IssuerTokens

    def human(self, name: str, exchange: Exchange | None, now: int) -> Identity | None:
        """Whom a task is done for, as he is now: a human that may sign in, or None. exchange None: somebody
        else vouches for it that he wants it, and he has an account here."""
        found = (
            self._account(name, frozenset()) if exchange is None else self.party(name, exchange.human, now)
        )
        return found if found is not None and found.kind is IdentityKind.HUMAN else None

    def party(self, name: str, party: Party, now: int) -> Identity | None:
        """One of the two by this name, or None. Raises what a record that can't be read raises."""
        if party.proof is not None:
            stands = Identity(name, "", "", IdentityKind.SERVICE, "oidc", proof=party.proof)
            try:
                return self.issuers.still_proves(stands, self.identities, now)
            except NotProven:
                return None
        token = self.token(party.credential)
        if token is None or token["identity"] != name or token["task"] is not None:
            return None
        expires = token["expires"]
        if token["revoked"] is not None or (expires is not None and now >= expires):
            return None
        return self._account(name, frozenset(token["rules"]))

    def _account(self, name: str, rules: frozenset[str]) -> Identity | None:
        account = self.identities.get(name)
        if account is None or account["disabled"] is not None:
            return None
        found = Identity(
            name=name,
            subject=account["subject"],
            issuer=account["issuer"],
            kind=IdentityKind(account["kind"]),
            how="token",
            groups=frozenset(account["groups"]),
            rules=rules,
        )
        return found
