"""How a policy comes to hold: loaded whole, put to workers, and waited for until each of them has it.
It must never leave half of a policy in force, nor take an older one for the newest.
"""

import asyncio
import contextlib
from typing import TYPE_CHECKING, Final

from wicketgate.control.ports import LoadedPolicy, MakePolicy
from wicketgate.model.errors import GatewayError, PolicyError

if TYPE_CHECKING:
    from wicketgate.control.main import Control

TAKEN: Final = 15_000_000_000
"""Nanoseconds in which a worker must have taken a policy; one that has not is ended, and replaced."""
LOOKS: Final = 15
"""Looks at the store before a revision that could not be loaded is tried again."""


class Adoption:
    """One at a time. Everything runs on the main loop. heard: set when a worker tells what it holds."""

    def __init__(self, control: "Control") -> None:
        self._control = control
        self._port = control.ports.policy
        self._lock = asyncio.Lock()
        self._looking: asyncio.Task[None] | None = None
        self._again = False
        self._failed: int | None = None
        self._wait = 0
        self.heard = asyncio.Event()

    def hang_up(self) -> None:
        """SIGHUP: load the policy anew."""
        self._control.start(self._quietly(), "reload")

    async def _quietly(self) -> None:
        with contextlib.suppress(GatewayError):
            await self.reload()

    async def reload(self) -> LoadedPolicy:
        """Load the policy whole, or keep the one that holds and raise PolicyError."""
        async with self._lock:
            return await self._reload()

    async def _reload(self) -> LoadedPolicy:
        try:
            policy = await self._port.load()
        except GatewayError as error:
            self._fail(error.public)
            raise
        return await self._adopt(policy)

    async def apply(self, make: MakePolicy) -> LoadedPolicy:
        """The policy that `make` keeps and gives, adopted; what it raises leaves all as it was."""
        control = self._control
        async with self._lock:
            policy = await make(lambda body: control.notary.record("admin", b"", body))
            try:
                return await self._adopt(policy)
            except Exception as error:
                # it is kept: the next look at the store tries again
                self._fail(f"revision {policy.revision} is kept, and does not hold: {type(error).__name__}")
                raise GatewayError(
                    f"revision {policy.revision} is kept, but could not be made to hold; the policy from "
                    "before goes on",
                    str(error),
                ) from error

    async def watch(self, every: float) -> None:
        """Look every so many seconds whether the store has another policy."""
        while True:
            await asyncio.sleep(every)
            self.poke()

    def poke(self) -> None:
        """Look whether the store has another policy: every few seconds, or when somebody heard of one."""
        if self._looking is not None and not self._looking.done():
            self._again = True
            return
        self._looking = self._control.start(self._look(), "policy of the store")

    async def _look(self) -> None:
        while True:
            self._again = False
            with contextlib.suppress(GatewayError):  # told already, by whoever found it
                await self._take_newer()
            if not self._again:
                return

    async def _take_newer(self) -> None:
        newest = await self._port.newest()
        if newest is None or newest == self._holds():
            return
        if newest == self._failed and self._wait > 0:
            self._wait -= 1
            return
        async with self._lock:
            if newest == self._holds():
                return
            try:
                await self._reload()
            except PolicyError:
                self._failed, self._wait = newest, LOOKS
                raise

    def _holds(self) -> int | None:
        policy = self._control.policy
        return None if policy is None else policy.revision

    def _fail(self, why: str) -> None:
        if why != self._control.policy_error:
            self._control.ports.log(f"the policy is not loaded: {why}")
        self._control.policy_error = why

    async def _adopt(self, policy: LoadedPolicy) -> LoadedPolicy:
        control = self._control
        versions = await control.versions.adopt(policy.resources.values())
        self._port.adopt(policy)
        # The accounts that it declares, or no more, hold with it; without the store, once that is back.
        with contextlib.suppress(GatewayError):
            await control.watch.resync(commit=False)
        control.policy, control.policy_error = policy, None
        control.answers.policy_now = policy
        control.state.replace("account", versions)
        control.issuers.adopt(policy.issuers)
        control.rereading.adopt(policy.issuers)
        for section, key, value in policy.replicate:
            control.state.put(section, key, value)
        control.state.put(
            "policy", "text", {"text": policy.text, "file": policy.file, "digest": policy.digest}
        )
        control.state.commit()
        control.catalogs.adopt(policy.resources)
        for warning in policy.warnings:
            control.ports.log(warning)
        named = "" if policy.revision is None else f" (revision {policy.revision})"
        control.ports.log(f"policy {policy.digest[:12]}{named} holds")
        await self._taken(control.state.number)
        return policy

    async def _taken(self, number: int) -> None:
        """Wait until all that was committed up to this number holds on every living worker."""
        children, boot = self._control.children, self._control.ports.boot
        ends = boot() + TAKEN
        while late := [
            child
            for child in list(children.living.values())
            if child.holds < number and not child.link.closed  # one without a link is ending
        ]:
            if boot() >= ends:
                # one that is not ready carries nothing yet, and takes what was sent in its order
                for child in (each for each in late if each.ready):
                    self._control.ports.log(f"worker {child.number} did not take the policy: it is ended")
                    child.link.close("it did not take the policy")
                return
            self.heard.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.25):
                    await self.heard.wait()
