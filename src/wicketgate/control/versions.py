"""Keeps workers told which version of its credential each account has, so that a rotated one is noticed.
It must never let a source that hangs hold the policy: what was not read in time counts as missing.
"""

import asyncio
import contextlib
from collections.abc import Callable, Iterable
from typing import Any, Final

from wicketgate.control.credentials import Credentials
from wicketgate.model.errors import GatewayError
from wicketgate.model.resource import Account, Resource

READ: Final = 10.0
"""Seconds that one reading of all accounts may take."""
AT_ONCE: Final = 16


class Versions:
    """put: a changed version, `resource/account` and value, for workers. log: one line for the operator."""

    def __init__(
        self, credentials: Credentials, put: Callable[[str, Any], None], log: Callable[[str], None]
    ) -> None:
        self._credentials = credentials
        self._put = put
        self._log = log
        self._accounts: dict[str, Account] = {}
        self._versions: dict[str, str] = {}
        self._why: dict[str, str] = {}
        self._reading = asyncio.Lock()
        self._stale = asyncio.Event()

    async def adopt(self, resources: Iterable[Resource]) -> dict[str, Any]:
        """The policy's accounts from now on: all entries of the section `account`."""
        async with self._reading:
            self._accounts = {
                f"{resource.name}/{account.name}": account
                for resource in resources
                for account in resource.accounts.values()
            }
            self._versions = await self._read()
            self._why = {key: why for key, why in self._why.items() if key in self._accounts}
            return {key: {"version": version} for key, version in self._versions.items()}

    def stale(self) -> None:
        """Secrets of our own may have changed: look at once."""
        self._credentials.forget("secret")
        self._stale.set()

    async def watch(self, every: float) -> None:
        """Look again and again, every so many seconds and when asked to, and tell what changed."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(every):
                    await self._stale.wait()
            self._stale.clear()
            await self._look()

    async def _look(self) -> None:
        async with self._reading:
            for key, version in (await self._read()).items():
                if version != self._versions[key]:
                    if version and self._versions[key]:
                        self._log(f"{key}: its credential changed")
                    self._versions[key] = version
                    self._put(key, {"version": version})

    async def _read(self) -> dict[str, str]:
        """`resource/account` -> version; empty where it can't be fetched, and why is told once."""
        slots = asyncio.Semaphore(AT_ONCE)
        tasks = {
            key: asyncio.get_running_loop().create_task(self._one(account, slots), name=f"version {key}")
            for key, account in self._accounts.items()
        }
        try:
            if tasks:
                await asyncio.wait(tasks.values(), timeout=READ)
        finally:
            late = {key for key, task in tasks.items() if task.cancel()}
        found: dict[str, str] = {}
        for key, task in tasks.items():
            version, why = ("", f"not read in {READ:.0f} s") if key in late else task.result()
            found[key] = version
            if why != self._why.get(key, ""):
                self._log(f"{key}: no credential: {why}" if why else f"{key}: its credential is there")
            self._why[key] = why
        return found

    async def _one(self, account: Account, slots: asyncio.Semaphore) -> tuple[str, str]:
        async with slots:
            try:
                return await self._credentials.version(account), ""
            except GatewayError as error:
                return "", error.detail or error.public
            except Exception as error:
                return "", type(error).__name__  # its text may hold what was read
