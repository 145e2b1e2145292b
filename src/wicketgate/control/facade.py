"""The control process's face to other threads (control.ports.ControlPort).
It must never touch the main loop's state from another thread but to copy it.
"""

import asyncio
import concurrent.futures
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any

from wicketgate.control.ports import LoadedPolicy, MakePolicy, SessionRow, Standing
from wicketgate.model.errors import GatewayError
from wicketgate.model.grant import Grant
from wicketgate.model.secret import Secret
from wicketgate.model.session import CLOSE_REASONS

if TYPE_CHECKING:
    from wicketgate.control.main import Control

MESSAGES = {
    "terminated": "An operator ended this session.",
    "revoked": "Your access was revoked.",
    "policy": "The policy no longer allows this session.",
}
"""What a client is told, by reason."""


def message_of(reason: str) -> str:
    """What a client is told of the end of its session."""
    return MESSAGES.get(reason, "This session was ended.")


class Facade:
    """See control.ports.ControlPort."""

    def __init__(self, control: "Control") -> None:
        self._control = control

    def sessions(self) -> list[SessionRow]:
        return list(self._control.rows.values())

    def policy(self) -> LoadedPolicy | None:
        return self._control.policy

    def standing(self) -> Standing:
        control = self._control
        living = dict(control.children.living)
        return Standing(
            addresses=tuple(
                (protocol, *listening.getsockname()[:2]) for listening, protocol, _ in list(control.sockets)
            ),
            live=sum(child.ready for child in living.values()),
            wanted=control.settings.workers,
            pids={number: child.pid for number, child in living.items()},
            policy=control.policy.digest if control.policy is not None else "",
            policy_error=control.policy_error,
            store_away=control.watch.away,
            draining=control.draining,
            catalogs=control.catalogs.closed(),
            counters=dict(control.counters),
            policy_revision=control.policy.revision if control.policy is not None else None,
        )

    def end_session(self, session: str, reason: str = "terminated") -> "concurrent.futures.Future[bool]":
        if reason not in CLOSE_REASONS:
            raise ValueError(f"not a reason: {reason}")

        async def end() -> bool:
            here = self._control.end_session(session, reason, message_of(reason))
            return here or await self._control.neighbours.end(session, reason)

        return self.call(end)

    def reload_policy(self) -> "concurrent.futures.Future[LoadedPolicy]":
        return self.call(self._control.adoption.reload)

    def apply_policy(self, make: MakePolicy) -> "concurrent.futures.Future[LoadedPolicy]":
        async def apply() -> LoadedPolicy:
            made: LoadedPolicy | None
            made, error = await asyncio.shield(self._control.start(self._apply(make), "policy"))
            if error is not None:
                raise error
            assert made is not None
            return made

        return self.call(apply)

    async def _apply(self, make: MakePolicy) -> tuple[LoadedPolicy | None, GatewayError | None]:
        try:
            return await self._control.adoption.apply(make), None
        except GatewayError as error:
            return None, error

    def poke_policy(self) -> None:
        self._control.loop.call_soon_threadsafe(self._control.adoption.poke)

    def put(
        self, section: str, key: str, value: Mapping[str, Any] | None
    ) -> "concurrent.futures.Future[None]":
        if section not in ("tokens", "identities", "revoked"):
            raise ValueError(f"not a section for others to put into: {section}")

        async def put() -> None:
            self._control.watch.put(section, key, value)

        return self.call(put)

    def break_glass(self, grant: Grant, reason: str) -> "concurrent.futures.Future[None]":
        return self.call(lambda: self._control.grants.glass(grant, reason))

    def end_grant(self, grant: str, by: str, what: str) -> "concurrent.futures.Future[Grant | None]":
        return self.call(lambda: self._control.grants.end(grant, by, what))

    def settle_grants(self) -> "concurrent.futures.Future[None]":
        return self.call(self._control.grants.hear)

    def record(self, head: bytes, body: bytes | None) -> "concurrent.futures.Future[None]":
        async def record() -> None:
            self._control.notary.record("admin", head, body)

        return self.call(record)

    def issuer_keys(self) -> Mapping[str, Mapping[str, Any]]:
        return self._control.issuers.entries

    def ask_issuer(self, issuer: str) -> "concurrent.futures.Future[None]":
        async def ask() -> None:
            await self._control.issuers.wanted(issuer)

        return self.call(ask)

    def seen(self) -> Mapping[str, Mapping[str, Any]]:
        return self._control.rereading.entries

    def reread(self, secret: Secret) -> "concurrent.futures.Future[None]":
        async def ask() -> None:
            await self._control.rereading.asked(secret)
            self._control.state.commit_changes()

        return self.call(ask)

    def attempt(self, outcome: str, source: str, identity: str | None) -> "concurrent.futures.Future[int]":
        async def tell() -> int:
            return await self._control.attempts.tell(outcome, source, identity)

        return self.call(tell)

    def heard_review(self, review: str) -> "concurrent.futures.Future[None]":
        async def tell() -> None:
            self._control.reviews.heard(review)
            await self._control.grants.hear()

        return self.call(tell)

    def call(self, thing: Callable[[], Awaitable[Any]]) -> "concurrent.futures.Future[Any]":
        async def run() -> Any:
            return await thing()

        return asyncio.run_coroutine_threadsafe(run(), self._control.loop)
