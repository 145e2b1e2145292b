"""Access for a while, on the control process's side: what comes of approved requests, and how grants end.
It must never let a grant hold that is not recorded, nor one that its request was not approved for."""

import asyncio
import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from wicketgate.control.shared import GrantStore
from wicketgate.model.errors import GatewayError
from wicketgate.model.grant import Answered, Grant

FORGET_EVERY: Final = 1800
"""Looks at the store between two at what may be forgotten."""
DAY: Final = 86_400_000_000_000

Put = Callable[[str, str, Mapping[str, Any] | None], None]


class Grants:
    """rows: None: there are none. put: into what workers replicate, at once. record: a line of kind `grant`
    (HEAD, BODY members), on the disk when it returns; raises JournalFailed. count: adds to a metric.
    clock: wall ns. keep: days that grants are kept after their end."""

    def __init__(
        self,
        rows: GrantStore | None,
        put: Put,
        record: Callable[[str, bytes, bytes], None],
        count: Callable[[str, int], None],
        clock: Callable[[], int],
        log: Callable[[str], None],
        keep: int,
    ) -> None:
        self._rows = rows
        self._put = put
        self._record = record
        self._count = count
        self._clock = clock
        self._log = log
        self._keep = keep
        self._wake = asyncio.Event()
        self._failed = False

    async def hear(self) -> None:
        """A request may have been answered: look now, and again soon where that fails. Whoever tells of his
        own is not to fail by another's."""
        try:
            await self.settle()
        except Exception:  # told by `watch`, which looks again
            self._wake.set()

    async def watch(self, every: float) -> None:
        """Look for what was approved: when somebody tells of it, and every so many seconds."""
        for looks in range(1 << 62):
            try:
                await self.settle()
                if self._rows is not None:
                    await self._rows.tell_ends(self._clock())
                if looks % FORGET_EVERY == 0 and self._rows is not None:
                    await self._rows.forget(self._clock() - self._keep * DAY)
                self._failed = False
            except Exception as error:
                if not self._failed:
                    self._failed = True
                    self._log(f"grants: {getattr(error, 'detail', '') or type(error).__name__}")
            try:
                async with asyncio.timeout(every):
                    await self._wake.wait()
            except TimeoutError:
                pass
            self._wake.clear()

    async def settle(self) -> None:
        """Make what was approved hold. What a node that died left undone is done here, once."""
        rows, failed = self._rows, None
        for answered in () if rows is None else await rows.answered():
            try:
                await self._settle(answered)
            except Exception as error:  # one that can't be settled holds up no other
                failed = failed or error
        if failed is not None:
            raise failed

    async def _settle(self, answered: Answered) -> None:
        assert self._rows is not None
        request = answered.request
        what = "granted" if request.extends is None else "extended"

        def record(grant: Grant | None) -> None:
            if grant is None:
                body = members({"what": "lapsed", "request": request.id, "approved_by": answered.by})
                self._record("grant", b"", body)
                return
            self._record("grant", b"", told(what, grant, request=request.id, approved_by=answered.by))

        grant, done = await self._rows.settle(answered, self._clock(), record)
        if done and grant is not None:
            self._count(f"grants{{what={what}}}", 1)
            self._put("grants", grant.id, grant.replicated())

    async def glass(self, grant: Grant, reason: str) -> None:
        """Broken glass: recorded, told, and in force. Raises GatewayError, and then it is not."""
        if self._rows is None:
            raise GatewayError("there are no grants here")
        self._record("grant", b"", told("glass", grant, reason=reason))
        await self._rows.add(grant)
        self._count("grants{what=glass}", 1)
        self._log(
            f"BROKEN GLASS: {grant.identity} has {grant.account} on {grant.resource} by the rule "
            f"{grant.rule!r} ({grant.id})"
        )
        self._put("grants", grant.id, grant.replicated())

    async def end(self, grant_id: str, by: str, what: str) -> Grant | None:
        """End a grant now, and the sessions that rest on it. what: `returned` | `revoked`. None: none holds.

        It ends even where that can't be recorded, and the failure is raised after."""
        if self._rows is None:
            raise GatewayError("there are no grants here")
        now, before = self._clock(), await self._rows.grant(grant_id)
        if before is None or before.ended_by is not None or now >= before.ends:
            self._put("grants", grant_id, None)
            return None
        failed: GatewayError | None = None
        try:
            self._record("grant", b"", members({"what": what, "grant": grant_id, "by": by}))
        except GatewayError as error:
            failed = error
        grant = await self._rows.end(grant_id, by, now)
        if grant is not None:
            self._count(f"grants{{what={what}}}", 1)
        self._put("grants", grant_id, None)
        if failed is not None:
            raise failed
        return grant


def told(what: str, grant: Grant, **more: Any) -> bytes:
    """BODY members of a `grant` line: all that it gives."""
    fields = {
        "what": what,
        "grant": grant.id,
        "identity": grant.identity,
        "issuer": grant.issuer,
        "behalf": grant.behalf,
        "task": grant.task,
        "rule": grant.rule,
        "resource": grant.resource,
        "account": grant.account,
        "starts": grant.starts,
        "ends": grant.ends,
        **more,
    }
    return members({key: value for key, value in fields.items() if value is not None})


def members(fields: Mapping[str, Any]) -> bytes:
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":"))[1:-1].encode("utf-8", "replace")
