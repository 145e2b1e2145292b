"""A sign-in that lacks nothing but a grant, by a rule that lets it be asked for by connecting.
It must never tell anybody of a request who did not prove whose it is."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from wicketgate.gate.ports import Asks
from wicketgate.model.identity import Identity
from wicketgate.model.secret import Secret
from wicketgate.model.workload import CERTIFICATE
from wicketgate.policy.offers import Offer

REFUSAL = "sign-in refused"


@dataclass(frozen=True, slots=True)
class Wanting:
    """Who is proven, and what could be asked for."""

    identity: Identity
    offer: Offer

    @property
    def cause(self) -> str:
        return f"no grant of the rule {self.offer.rule}"


async def ask_for(wanting: Wanting, presented: Secret, asks: Asks) -> tuple[str, str, str | None] | str:
    """What the client is told (message, cause, hint); or for the journal why nothing was asked for. The
    control process judges who asks again, by what was presented. Raises GatewayError."""
    identity, offer = wanting.identity, wanting.offer
    body = {
        "identity": identity.name,
        "credential": identity.credential_id,
        "resource": offer.resource,
        "account": offer.account,
        "rule": offer.rule,
    }
    proof = presented if identity.proof is not None else None
    if identity.proof is not None and identity.how == CERTIFICATE:
        proof = Secret(identity.proof.claims)
    reply = await asks.ask("request", body, proof)
    if reply.denial is not None:
        return f"{wanting.cause}; {': '.join(reply.denial)}"
    return _told(wanting, reply.body)


def _told(wanting: Wanting, body: Mapping[str, Any]) -> tuple[str, str, str | None]:
    number, status, link = str(body["review"]), str(body["status"]), str(body.get("link") or "")
    said = {
        "pending": "waits for an answer: connect again when it is approved",
        "approved": "is approved: connect again",
        "used": "is approved: connect again",
    }.get(status, f"is {status}")
    message = f"access to {wanting.offer.resource} is had on request: your request {number} {said}"
    return message, f"{wanting.cause}; request {number} is {status}", link or None
