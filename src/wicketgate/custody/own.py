"""The vault of our own: secrets that the store keeps closed, each under a data key of its own (AES-256-GCM).
It must never give a secret to whoever administrates: there is a way in, and one out, to a target."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Final, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from wicketgate.custody.keys import NONCE, FileKeys, WrappingKeys
from wicketgate.model.credential import LONGEST, Credential, CredentialMissing
from wicketgate.model.errors import GatewayError, StoreFailed
from wicketgate.model.kept import KeptSecret, check_secret_name
from wicketgate.model.keyring import LENGTH
from wicketgate.model.secret import Secret

OWN: Final = ":"
"""How the names of the gateway's own keys begin: nobody can set, name or remove such a secret."""
TRIES: Final = 5
"""Times that a change is tried while others change the same secret."""
SLOWEST: Final = 5.0
"""Seconds for a secret, store and keys together."""


class Rows(Protocol):
    """The store's table of secrets. All raise StoreFailed (store/secrets.SecretRows)."""

    async def secrets(self) -> Sequence[KeptSecret]: ...
    async def secret(self, name: str) -> KeptSecret | None: ...
    async def add_secret(self, kept: KeptSecret) -> bool:
        """False: the name is taken."""
        ...

    async def replace_secret(self, kept: KeptSecret, old: KeptSecret) -> bool:
        """False: it is no longer as in `old`."""
        ...

    async def remove_secret(self, name: str) -> bool: ...


class Others(Protocol):
    """What else is closed with the same keys (custodian.Segments: the journal's)."""

    def any(self) -> bool:
        """Whether anything is: then no key may be made in the place of a missing one."""
        ...

    async def rewrap(self, keys: WrappingKeys) -> int:
        """Wrap all with the newest key: how many. Raises CredentialMissing."""
        ...

    def versions(self, keys: WrappingKeys) -> Mapping[str, int]:
        """Which keys have wrapped how many. Raises CredentialMissing."""
        ...


class OwnVault:
    """clock: wall ns. random: n bytes. others: what else the keys have wrapped."""

    def __init__(
        self,
        rows: Rows,
        keys: WrappingKeys,
        clock: Callable[[], int],
        random: Callable[[int], bytes],
        others: Others | None = None,
    ) -> None:
        self._others = others
        self._rows = rows
        self._keys = keys
        self._clock = clock
        self._random = random

    async def put(
        self,
        name: str,
        value: Secret,
        author: str,
        check: Callable[[KeptSecret | None], None] = lambda old: None,
    ) -> KeptSecret:
        """A new secret, or a new version of it. Raises ValueError for a name or value that can't be one,
        CredentialMissing where the keys are not at hand, and what check raises of the one before it."""
        check_secret_name(name)
        if not value or len(value.reveal()) > LONGEST:
            raise ValueError("a secret is 1 to 65536 bytes")
        for _ in range(TRIES):
            old = await self._rows.secret(name)
            check(old)
            now = self._clock()
            if old is None:
                if isinstance(self._keys, FileKeys) and await self._untouched():
                    self._keys.make()
                kept = KeptSecret(name, self._random(16).hex(), 1, now, now, author, b"", "")
                if await self._rows.add_secret(closed := await self._close(kept, value)):
                    return closed
            else:
                kept = replace(old, version=old.version + 1, changed=now, author=author)
                if await self._rows.replace_secret(closed := await self._close(kept, value), old):
                    return closed
        raise GatewayError(f"{name} is being changed by others: try again")

    async def rotate(self) -> tuple[int, bool]:
        """Close every secret under a new data key, wrapped with the newest key: (how many, whether that key
        was made now). Readers need not wait: what is not closed anew yet opens as before.

        Raises CredentialMissing where one can't be opened: those before it are closed anew.
        """
        kept = await self._rows.secrets()
        others = self._others is not None and await asyncio.to_thread(self._others.any)
        made = await self._keys.renew() if kept or others else False
        for old in kept:
            current: KeptSecret | None = old
            for _ in range(TRIES):
                if current is None:
                    break
                try:
                    closed = await self._close(current, await self._open(current))
                except CredentialMissing as error:
                    raise CredentialMissing(f"{old.name}: {error.detail}") from None
                if await self._rows.replace_secret(closed, current):
                    break
                current = await self._rows.secret(old.name)
            else:
                raise GatewayError(f"{old.name} is being changed by others: rotate again")
        return sum(not each.name.startswith(OWN) for each in kept), made

    async def rewrap(self) -> int:
        """After `rotate`: the journal's keys under the newest key; how many. Raises CredentialMissing."""
        return 0 if self._others is None else await self._others.rewrap(self._keys)

    async def segments(self) -> Mapping[str, int]:
        """The journal's keys: which keys have wrapped how many. Raises CredentialMissing."""
        return {} if self._others is None else await asyncio.to_thread(self._others.versions, self._keys)

    async def _untouched(self) -> bool:
        """Nothing was ever wrapped."""
        if self._others is not None and await asyncio.to_thread(self._others.any):
            return False
        return not await self._rows.secrets()

    async def first(self) -> None:
        """Make the file of keys, where there is none and nothing was ever wrapped. Raises CredentialMissing,
        StoreFailed."""
        if isinstance(self._keys, FileKeys) and self._keys.missing() and await self._untouched():
            self._keys.make()

    async def listed(self) -> list[tuple[KeptSecret, str]]:
        """All by name, each with the version of the key that wraps its data key."""
        return [
            (each, self._keys.version(each.wrapped))
            for each in await self._rows.secrets()
            if not each.name.startswith(OWN)
        ]

    async def remove(self, name: str) -> bool:
        """False: there was none."""
        return not name.startswith(OWN) and await self._rows.remove_secret(name)

    async def own_key(self, name: str) -> Secret:
        """A key of the gateway's own, the same on every node; made when it is first asked for, and closed
        anew by `rotate` as secrets are. Raises CredentialMissing, StoreFailed."""
        kept = await self._rows.secret(OWN + name)
        if kept is None:
            await self.first()
            now = self._clock()
            made = KeptSecret(OWN + name, self._random(16).hex(), 1, now, now, "gateway", b"", "")
            await self._rows.add_secret(await self._close(made, Secret(self._random(LENGTH))))
            kept = await self._rows.secret(OWN + name)
        if kept is None:
            raise CredentialMissing("custody: a key of the gateway's own was removed beside it")
        return await self._open(kept)

    @property
    def keep(self) -> float:
        """Seconds that what was opened may be used before it is asked for again."""
        return self._keys.keep

    async def close(self) -> None:
        await self._keys.close()

    async def credential(self, name: str) -> Credential:
        """For a target. Raises CredentialMissing."""
        kept = None if name.startswith(OWN) else await self._rows.secret(name)
        if kept is None:
            raise CredentialMissing(f"there is no secret {name!r}: set it with `wicket secret set`")
        return Credential(await self._open(kept), keep=self._keys.keep)

    async def _close(self, kept: KeptSecret, value: Secret) -> KeptSecret:
        key, nonce = Secret(self._random(LENGTH)), self._random(NONCE)
        sealed = nonce + AESGCM(key.reveal()).encrypt(nonce, value.reveal(), kept.context)
        return replace(kept, sealed=sealed, wrapped=await self._keys.wrap(key, kept.context))

    async def _open(self, kept: KeptSecret) -> Secret:
        key = await self._keys.unwrap(kept.wrapped, kept.context)
        try:
            value = AESGCM(key.reveal()).decrypt(kept.sealed[:NONCE], kept.sealed[NONCE:], kept.context)
        except (ValueError, InvalidTag):
            raise CredentialMissing(f"the secret {kept.name!r} was changed beside the gateway") from None
        return Secret(value)


class OwnSource:
    """The source `secret`. opened: the vault, made when it is first asked. close: ends what that opened.

    While the store is away, what was fetched before is given for `grace` more seconds: so long open sessions
    go on without it (new ones are refused by then). boot: monotonic ns.
    """

    def __init__(
        self,
        opened: Callable[[], Awaitable[OwnVault]],
        close: Callable[[], Awaitable[None]],
        boot: Callable[[], int],
        grace: float,
    ) -> None:
        self._opened = opened
        self._close = close
        self._boot = boot
        self._grace = int(grace * 1e9)
        self._last: dict[str, tuple[int, Credential]] = {}

    async def fetch(self, locator: str) -> Credential:
        """Raises CredentialMissing."""
        now = self._boot()
        for name in [name for name, (at, _) in self._last.items() if now - at >= self._grace]:
            del self._last[name]
        why = f"custody: no answer in {SLOWEST:.0f} s"
        try:
            async with asyncio.timeout(SLOWEST):
                found = await (await self._opened()).credential(locator)
        except TimeoutError:
            pass
        except StoreFailed as error:
            why = f"custody: {error.public}"
        except GatewayError as error:
            self._last.pop(locator, None)
            raise error if isinstance(error, CredentialMissing) else CredentialMissing(error.public) from None
        else:
            if self._grace:
                self._last[locator] = (now, found)
            return found
        if locator not in self._last:
            raise CredentialMissing(why)
        return self._last[locator][1]

    async def close(self) -> None:
        self._last.clear()
        await self._close()
