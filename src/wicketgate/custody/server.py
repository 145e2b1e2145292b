"""A session with a HashiCorp Vault or OpenBao server: signs in, renews its token, signs in again.
It must never use a token that ended, nor let one into an error.
"""

import asyncio
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from wicketgate.custody.http import Line, Reply
from wicketgate.custody.settings import Lies, VaultSettings
from wicketgate.model.credential import LONGEST, CredentialMissing
from wicketgate.model.secret import Secret

SECOND: Final = 1_000_000_000
FRESH: Final = 5 * SECOND
"""A token younger than this is not thrown away because a path was refused to it."""
STALE: Final = 300 * SECOND
"""One older than this is, even if it still holds: by now a new one may be given more rights."""
SHORTEST: Final = 10
"""Seconds: a renewal that gives less is the token's end."""
UNENDING: Final = 3600
"""Seconds after which a token without an end is looked at again (its file may hold another)."""

_MEANINGS: Final[Mapping[int, str]] = {
    400: "it takes {path} for a wrong request",
    403: "permission denied for {path} (or another namespace)",
    404: "there is nothing at {path} (a wrong mount, path or namespace; a deleted version)",
    429: "it has too many requests",
    472: "it is a standby that serves no requests",
    473: "it is a standby that serves no requests",
    501: "it is not initialised",
    503: "it is sealed, or not ready",
}


class Server:
    """boot: monotonic ns. Bound to the event loop that first asks."""

    def __init__(
        self, name: str, settings: VaultSettings, environment: Mapping[str, str], boot: Callable[[], int]
    ) -> None:
        self.name = name
        self.settings = settings
        self._environment = environment
        self._boot = boot
        self._line = Line(name, settings.address, settings.ca_file)
        self._signing_in = asyncio.Lock()
        self._token: Secret | None = None
        self._since = 0
        self._renew_at = 0
        self._until: int | None = 0
        self._renewable = False
        self._failed: tuple[int, str] = (0, "")

    async def ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Mapping[str, Any]:
        """The answer's JSON object. Bounded by timeout_seconds, sign-in and all. Raises CredentialMissing."""
        try:
            async with asyncio.timeout(self.settings.timeout_seconds):
                token = await self._signed_in()
                reply = await self._send(method, path, body, token)
                if reply.status == 403 and await self._signed_in_anew(token):
                    reply = await self._send(method, path, body, await self._signed_in())
        except TimeoutError:
            raise self.failed(f"no answer in {self.settings.timeout_seconds:g} s") from None
        if reply.status not in (200, 204):
            raise self._refused(reply, path)
        return reply.content

    async def close(self) -> None:
        """Forget the token, and let go of connections. The token is left to expire: others may use it."""
        self._token = None
        await self._line.close()

    def failed(self, why: str) -> CredentialMissing:
        """The error to raise: this server's name and what is wrong."""
        return self._line.failed(why)

    # -- the token -------------------------------------------------------------------------------------------
    async def _signed_in(self) -> Secret:
        """A token that holds."""
        async with self._signing_in:
            now = self._boot()
            if self._token is not None and now < self._renew_at:
                return self._token
            if await self._renewed(now):
                assert self._token is not None
                return self._token
            return await self._sign_in(now)

    async def _signed_in_anew(self, refused: Secret) -> bool:
        """Whether there is another token to try than the one that was refused."""
        async with self._signing_in:
            if self._token is not refused:
                return True
            now = self._boot()
            if now - self._since < FRESH:
                return False
            if now - self._since < STALE:
                reply = await self._send("GET", "auth/token/lookup-self", None, refused)
                if reply.status == 200:
                    return False  # the path is refused; each sign-in for it would leave a token behind
            await self._sign_in(now)
            return True

    async def _renewed(self, now: int) -> bool:
        if self._token is None or not self._renewable or self._until is None or now >= self._until:
            return False
        try:
            reply = await self._send("POST", "auth/token/renew-self", {}, self._token)
        except CredentialMissing:
            self._renew_at = min(self._until, now + FRESH)  # it still holds: asked again soon
            return True
        auth = reply.content.get("auth")
        if reply.status != 200 or not isinstance(auth, dict) or _seconds(auth, "lease_duration") < SHORTEST:
            return False
        self._take(self._token, auth, "lease_duration", now)
        return True

    async def _sign_in(self, now: int) -> Secret:
        until, why = self._failed
        if now < until:
            raise CredentialMissing(why)
        self._token = None
        try:
            token, found, seconds = await self._proven()
        except CredentialMissing as error:
            self._failed = (self._boot() + 2 * SECOND, error.detail)
            raise
        self._since = now
        self._take(token, found, seconds, now)
        return token

    def _take(self, token: Secret, found: Mapping[str, Any], key: str, now: int) -> None:
        """Renewed after two thirds of its time."""
        seconds = _seconds(found, key)
        self._token = token
        self._renewable = found.get("renewable") is True
        self._until = now + seconds * SECOND if seconds else None
        self._renew_at = now + (seconds * 2 // 3 if seconds else UNENDING) * SECOND

    async def _proven(self) -> tuple[Secret, Mapping[str, Any], str]:
        """A new token, what the server said of it, and the key of its seconds there."""
        chosen = self.settings
        if chosen.token is not None:
            token = self._lying(chosen.token)
            reply = await self._send("GET", "auth/token/lookup-self", None, token)
            if reply.status == 403:
                raise self.failed("it does not accept the token (or the token may not look itself up)")
            found = reply.content.get("data")
            if reply.status != 200 or not isinstance(found, dict):
                raise self._refused(reply, "auth/token/lookup-self")
            return token, found, "ttl"
        if chosen.approle is not None:
            mount, body = chosen.approle.mount, {"role_id": chosen.approle.role_id}
            body["secret_id"] = _text(self._lying(chosen.approle.secret_id))
        else:
            assert chosen.kubernetes is not None
            mount, body = chosen.kubernetes.mount, {"role": chosen.kubernetes.role}
            body["jwt"] = _text(self._lying(Lies(file=chosen.kubernetes.jwt_file)))
        reply = await self._send("POST", f"auth/{mount}/login", body, None)
        if reply.status in (400, 403):
            raise self.failed(f"it refuses the sign-in by auth/{mount}")
        found = reply.content.get("auth")
        if reply.status != 200 or not isinstance(found, dict):
            raise self._refused(reply, f"auth/{mount}/login")
        text = found.get("client_token")
        if not isinstance(text, str) or not text:
            raise self.failed(f"auth/{mount} gave no token")
        return Secret(text.encode()), found, "lease_duration"

    def _lying(self, lies: Lies) -> Secret:
        if lies.env is not None:
            value = self._environment.get(lies.env, "").strip().encode("utf-8", "surrogateescape")
            if not value:
                raise self.failed(f"the environment has no {lies.env}")
        else:
            assert lies.file is not None
            value = self._read(lies.file)
        if not value.isascii() or not value.decode("ascii").isprintable():
            raise self.failed(f"{lies.env or lies.file} holds no token")
        return Secret(value)

    def _read(self, path: Path) -> bytes:
        try:
            with path.open("rb") as file:
                value = file.read(LONGEST).strip()
        except OSError as error:
            raise self.failed(f"{path}: {os.strerror(error.errno or 0)}") from None
        if not value:
            raise self.failed(f"{path} is empty")
        return value

    # -- requests --------------------------------------------------------------------------------------------
    async def _send(
        self, method: str, path: str, body: Mapping[str, Any] | None, token: Secret | None
    ) -> Reply:
        headers = {} if token is None else {"X-Vault-Token": _text(token)}
        if self.settings.namespace is not None:
            headers["X-Vault-Namespace"] = self.settings.namespace
        return await self._line.send(method, path, headers, body)

    def _refused(self, reply: Reply, path: str) -> CredentialMissing:
        if 300 <= reply.status < 400:
            return self.failed("it sends us elsewhere, where no token goes: name the active node's address")
        meaning = _MEANINGS.get(reply.status, "it answers {path} with " + str(reply.status))
        return self.failed(meaning.format(path=path))


def _seconds(found: Mapping[str, Any], key: str) -> int:
    value = found.get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 < value < 1 << 32 else 0


def _text(secret: Secret) -> str:
    return secret.reveal().decode("ascii")
