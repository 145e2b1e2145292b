"""The certificate that workers terminate TLS with: has it renewed in time, and tells workers where it lies.
It must never read a key: workers do, by the file's name.
"""

import asyncio
from collections.abc import Callable
from typing import Any, Final

from wicketgate.control.ports import TlsFiles

RENEW_EVERY: Final = 43_200.0
"""Seconds between looks whether a certificate is to be renewed."""


class Certificates:
    """renew: makes new files where it is time, else None; blocking. None: the files are the operator's own.
    put: into the replicated dictionary. clock: wall ns."""

    def __init__(
        self,
        files: TlsFiles,
        renew: Callable[[], TlsFiles | None] | None,
        put: Callable[[str, str, Any], None],
        clock: Callable[[], int],
    ) -> None:
        self._files = files
        self._renew = renew
        self._put = put
        self._clock = clock

    def told(self) -> dict[str, Any]:
        """As workers are told of it."""
        return self._files.told()

    async def watch(self) -> None:
        """Look again and again."""
        while self._renew is not None:
            await asyncio.sleep(RENEW_EVERY)
            files = await asyncio.to_thread(self._renew)
            if files is not None:
                self._files = files
                self._put("tls", "files", self.told() | {"renewed": self._clock()})
