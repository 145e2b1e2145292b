"""What the verbs of signing in by an issuer, with a browser, need of others. No adapter lives here."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from wicketgate.model.issuer import Issuer
from wicketgate.model.secret import Secret
from wicketgate.model.sign_in import Redeemed


class CodePort(Protocol):
    """The authorization code flow (signing_in.CodeFlow). What proves nobody raises SignInRefused."""

    def names(self) -> Sequence[str]:
        """Of the issuers that people sign in by with a browser."""
        ...

    def issuer(self, name: str) -> Issuer | None: ...
    async def address(self, issuer: Issuer, state: str, nonce: str, verifier: str) -> str:
        """Where a browser is sent."""
        ...

    async def redeem(self, issuer: Issuer, answer: Mapping[str, str], verifier: Secret) -> Redeemed:
        """What the issuer gives for what a browser brought back."""
        ...

    async def check(self, issuer: Issuer, given: Redeemed, nonce: str, subject: str, now: int) -> None:
        """Whether what was given is of this very sign-in, and about that subject. now: wall ns."""
        ...
