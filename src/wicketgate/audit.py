"""The journal's verification for the API, in a process of its own: it reads and hashes all that was recorded.
It must never hold the control process's loops, nor grow its memory: sign-ins and commits go on meanwhile."""

import asyncio
import os
import resource
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import orjson

from wicketgate.admin.access import Refused
from wicketgate.control.children import clean_environment
from wicketgate.model.errors import GatewayError

MEMORY: Final = 2 << 30
"""Bytes of address space that the process may take."""
NICE: Final = 10
"""It yields the processor to those who carry traffic."""
FINDINGS: Final = 1000
"""Findings that are told at most: a journal that is wrong in every line must not fill the API's memory."""
_TOO_LARGE: Final = 3


class Audit:
    """Verifies the journal of the gateway that `config` describes, with the store's checkpoints."""

    def __init__(self, config: Path) -> None:
        self._config = config.absolute()
        self._running = False

    async def __call__(self) -> Mapping[str, Any]:
        """{"ok": bool, "findings": [text], "facts"}; office.verify. One at a time: another one is Refused.

        Cancelled, it ends the process. Raises GatewayError where that fails.
        """
        if self._running:
            raise Refused("a verification is under way")
        self._running = True
        try:
            return await self._run()
        finally:
            self._running = False

    async def _run(self) -> Mapping[str, Any]:
        try:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "wicketgate.audit",
                str(self._config),
                env=clean_environment(os.environ),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                start_new_session=True,
            )
        except OSError as error:
            raise GatewayError("the journal can't be verified", str(error)) from None
        try:
            told, _ = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        if process.returncode == _TOO_LARGE:
            raise Refused("the journal is too large to be verified here: use `wicket sessions verify`")
        if process.returncode != 0:
            raise GatewayError(
                "the journal can't be verified", f"the process ended with {process.returncode}"
            )
        found: dict[str, Any] = orjson.loads(told)
        if "refused" in found:
            raise Refused(found["refused"])
        return found


def shortened(findings: Sequence[str]) -> list[str]:
    """The first of them, faults before notes, and how many there are besides."""
    if len(findings) <= FINDINGS:
        return list(findings)
    ordered = sorted(findings, key=lambda each: "note " in each[:5])
    return [*ordered[:FINDINGS], f"note: {len(findings) - FINDINGS} more findings are not shown"]


def main(arguments: Sequence[str]) -> int:
    """`python -m wicketgate.audit CONFIG`: how the API verifies. Prints one JSON object."""
    from wicketgate.office import verify

    if len(arguments) != 1:
        sys.stderr.write("this is executed by the gateway itself: use `wicket sessions verify`\n")
        return 2
    os.nice(NICE)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    try:
        try:
            found = verify(Path(arguments[0]), None, None, None, [])
            found["findings"] = shortened(found["findings"])
        except GatewayError as error:
            found = {"refused": error.public}
        sys.stdout.buffer.write(orjson.dumps(found))
        sys.stdout.buffer.flush()
    except MemoryError:
        return _TOO_LARGE
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
