"""Answers what workers ask: a secret, a lease, whether an attempt may be made.
It must never hand out a secret on a worker's word alone: the policy decides again first.
"""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from wicketgate.control.attempts import Attempts
from wicketgate.control.catalogs import Catalogs
from wicketgate.control.credentials import Credentials
from wicketgate.control.issuers import IssuerKeys
from wicketgate.control.leases import Leases
from wicketgate.control.messages import Answer, Ask
from wicketgate.control.ports import LoadedPolicy, PolicyPort
from wicketgate.control.rereading import Rereading
from wicketgate.control.reviews import Refused, Reviews
from wicketgate.control.segment_keys import SegmentKeys
from wicketgate.model.errors import GatewayError
from wicketgate.model.keyring import Keyring
from wicketgate.model.secret import Secret


class Answers:
    """policy_now: the policy that holds, or None. look_for: a token by its hash, in the store."""

    def __init__(
        self,
        policy: PolicyPort,
        credentials: Credentials,
        leases: Leases,
        attempts: Attempts,
        catalogs: Catalogs,
        pseudonyms: Keyring,
        issuers: IssuerKeys,
        reviews: Reviews,
        segment_keys: SegmentKeys | None = None,
        rereading: Rereading | None = None,
        look_for: Callable[[str], Awaitable[None]] | None = None,
    ) -> None:
        self._policy = policy
        self._credentials = credentials
        self._leases = leases
        self._attempts = attempts
        self._catalogs = catalogs
        self._pseudonyms = pseudonyms
        self._issuers = issuers
        self._reviews = reviews
        self._segment_keys = segment_keys
        self._rereading = rereading
        self._look_for = look_for
        self.policy_now: LoadedPolicy | None = None

    async def answer(self, worker: int, ask: Ask, writer: str = "") -> Answer:
        """Never raises: whatever goes wrong is a denial. writer: the id of the worker's own writer."""
        try:
            match ask.what:
                case "secret":
                    return await self._secret(ask.id, ask.body, ask.secret)
                case "lease":
                    return await self._lease(worker, ask.id, ask.body)
                case "attempt":
                    return await self._attempt(ask.id, ask.body)
                case "inherit":
                    return await self._inherit(ask.id, ask.body)
                case "token":
                    if self._look_for is not None:
                        await self._look_for(str(ask.body["hash"]))
                    return Answer(ask.id, {})
                case "issuer":
                    await self._issuers.wanted(str(ask.body["issuer"]))
                    return Answer(ask.id, {})
                case "reread" if self._rereading is not None and ask.secret is not None:
                    await self._rereading.asked(ask.secret)
                    return Answer(ask.id, {})
                case "keys":
                    return Answer(ask.id, {}, None, Secret(self._pseudonyms.written()))
                case "segment":
                    return await self._segment(ask.id, int(ask.body["segment"]), writer)
                case "request":
                    return await self._request(ask.id, ask.body, ask.secret)
                case "review":
                    return Answer(ask.id, await self._reviews.ask(worker, ask.body))
                case "reviews":
                    return Answer(ask.id, await self._reviews.ask_all(worker, ask.body))
                case "reviewed":
                    return Answer(ask.id, await self._reviews.answered(worker, ask.body))
                case "withdraw":
                    return Answer(ask.id, await self._reviews.withdraw(worker, ask.body))
                case _:
                    return _deny(ask.id, "unavailable", "The gateway can't decide now.", "unknown question")
        except Refused as refused:
            return _deny(ask.id, *refused.denial)
        except GatewayError as error:
            return _deny(ask.id, "unavailable", error.public, error.detail)
        except Exception as error:
            return _deny(
                ask.id, "unavailable", "The gateway can't decide now.", f"{ask.what}: {type(error).__name__}"
            )

    async def _secret(self, number: int, body: dict[str, Any], proof: Secret | None) -> Answer:
        policy = self.policy_now
        resource = policy.resources.get(body["resource"]) if policy is not None else None
        account = resource.accounts.get(body["account"]) if resource is not None else None
        if account is None or account.version != body["version"]:
            return _deny(number, "policy", "Access is not allowed.", "the policy changed while it was opened")
        denial = await self._policy.may_open(
            body["identity"], body["credential"], body["resource"], body["database"], body["account"], proof
        )
        if denial is not None:
            return _deny(number, denial.kind, denial.message, denial.cause)
        secret = await self._credentials.fetch(account.credential)
        if secret is None:
            return _deny(
                number, "unavailable", "The target can't be reached.", "it asks, but there is no secret"
            )
        return Answer(number, {}, None, secret)

    async def _request(self, number: int, body: dict[str, Any], proof: Secret | None) -> Answer:
        """Access asked for by connecting. Whose request it is, is judged again; raises GatewayError."""
        return Answer(number, dict(await self._policy.request(body, proof)))

    async def _lease(self, worker: int, number: int, body: dict[str, Any]) -> Answer:
        lease = await self._leases.lease(
            worker,
            str(body["identity"]),
            str(body["rule"]),
            str(body["what"]),
            str(body["per"]),
            int(body["amount"]),
            int(body["want"]),
        )
        return Answer(number, {"lease": lease.number, "granted": lease.granted, "until": lease.until})

    async def _inherit(self, number: int, body: dict[str, Any]) -> Answer:
        inherits = [(str(column), str(data_class)) for column, data_class in body["columns"]]
        await self._catalogs.inherit(str(body["resource"]), str(body["database"]), inherits)
        return Answer(number, {})

    async def _segment(self, number: int, segment: int, writer: str) -> Answer:
        """A new key for a segment of the worker's own, and how it lies beside it. None is opened here."""
        if self._segment_keys is None or not writer or segment < 1:
            return _deny(number, "unavailable", "The gateway can't decide now.", "journals are not encrypted")
        made = await self._segment_keys.key(writer, segment)
        return Answer(number, {"wrapped": made.wrapped}, None, made.key)

    async def _attempt(self, number: int, body: dict[str, Any]) -> Answer:
        wait = await self._attempts.tell(str(body["outcome"]), str(body["source"]), str(body["identity"]))
        credential = body.get("credential")
        if body["outcome"] == "good" and isinstance(credential, str):
            with suppress(GatewayError):  # when it was last used is worth no refusal
                await self._policy.used(credential)
        return Answer(number, {"allowed": not wait, "wait": wait})


def _deny(number: int, kind: str, message: str, cause: str) -> Answer:
    return Answer(number, {}, [kind, message, cause])
