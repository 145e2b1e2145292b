"""A policy's text looked over and compared for the API, in a process of its own, bounded in time and memory.
It must never change anything, hold the API's loop, nor let a text that takes long be tried by many at once.
"""

import asyncio
import os
import re
import resource
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import orjson

from wicketgate.admin.access import Refused
from wicketgate.control.children import clean_environment
from wicketgate.model.errors import GatewayError, PolicyError
from wicketgate.policy.document import Source, parse

MEMORY: Final = 2 << 30
"""Bytes of address space that the process may take."""
SECONDS: Final = 30
"""In which it must be done, by the clock and by the processor."""
NICE: Final = 10
AT_ONCE: Final = 2
WAITING: Final = 8
"""Requests that may wait for their turn."""
FINDINGS: Final = 200
LOADING: Final = 3.0
"""Seconds of processor time that loading may take: every worker stands still as long."""
CANDIDATE: Final = "policy"
"""What messages call a text that was sent."""
_PLACE: Final = re.compile(r"(?:(?P<line>\d+):(?P<column>\d+): )?(?P<message>.*)", re.DOTALL)


class Assay:
    """Texts for the gateway that `config` describes."""

    def __init__(self, config: Path) -> None:
        self._config = config.absolute()
        self._turn = asyncio.Semaphore(AT_ONCE)
        self._waiting = 0

    async def check(self, text: str) -> Mapping[str, Any]:
        """{"ok", "errors", "warnings", "digest", "resources", "rules"}; what is wrong, with line and column.

        Raises Refused where it takes too long or too many wait."""
        return await self._run({"text": text})

    async def compare(self, old: str, new: str, old_name: str, new_name: str) -> Mapping[str, Any]:
        """{"diff": unified text, "changes": [policy.differences.Difference]}. Raises Refused."""
        return await self._run({"old": old, "new": new, "old_name": old_name, "new_name": new_name})

    async def _run(self, wanted: Mapping[str, Any]) -> Mapping[str, Any]:
        if self._waiting >= WAITING:
            raise Refused("too many policies are being looked over: try again later")
        try:
            content = orjson.dumps(wanted)
        except (orjson.JSONEncodeError, UnicodeEncodeError):
            raise PolicyError(f"{CANDIDATE}: it is no text in UTF-8") from None
        self._waiting += 1
        try:
            async with self._turn:
                return await self._execute(content)
        finally:
            self._waiting -= 1

    async def _execute(self, content: bytes) -> Mapping[str, Any]:
        try:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "wicketgate.assay",
                str(self._config),
                env=clean_environment(os.environ),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                start_new_session=True,
            )
        except OSError as error:
            raise GatewayError("the policy can't be looked over", str(error)) from None
        try:
            async with asyncio.timeout(SECONDS):
                told, _ = await process.communicate(content)
        except TimeoutError:
            raise Refused(f"this policy takes longer than {SECONDS} s to be looked over") from None
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        if process.returncode != 0:
            raise Refused("this policy takes too long, or too much memory, to be looked over")
        found: dict[str, Any] = orjson.loads(told)
        if "refused" in found:
            raise PolicyError(found["refused"])
        return found


def check(config: Path, text: str, name: str = CANDIDATE) -> dict[str, Any]:
    """What Assay.check tells, here and now. Raises PolicyError where the configuration itself is wrong."""
    from wicketgate.policies import examine, source_of
    from wicketgate.protocols.registry import protocols
    from wicketgate.workshop import rules_of

    source = source_of(config, name, text)
    rules = rules_of(protocols())
    began = time.thread_time()
    try:
        policy = examine(source, config, rules)
        if (took := time.thread_time() - began) > LOADING:
            raise PolicyError(
                f"{source.file}: it takes {took:.1f} s to load, and no worker may stand still for more than "
                f"{LOADING:.0f} s: let fewer rules say it"
            )
    except PolicyError as error:
        return {
            "ok": False,
            "errors": _placed(error.public.split("\n"), source.file),
            "warnings": [],
            "digest": None,
            "resources": 0,
            "rules": 0,
        }
    closed = [f"{source.file}: resource {each} is closed: {why}" for each, why in policy.closed.items()]
    observing = [
        f"{source.file}: resource {each} has rules that only observe: {', '.join(names)}"
        for each, names in policy.observing.items()
    ]
    return {
        "ok": True,
        "errors": [],
        "warnings": _placed([*policy.warnings, *closed, *observing], source.file),
        "digest": policy.digest,
        "resources": len(policy.resources),
        "rules": len(policy.rules),
    }


def _placed(lines: Sequence[str], file: str) -> list[dict[str, Any]]:
    """`file:line:column: message` taken apart. line and column None: the text as a whole."""
    found = []
    for line in lines[:FINDINGS]:
        rest = line.removeprefix(f"{file}:").removeprefix(" ").replace(f"{file}:", "line ")
        parts = _PLACE.fullmatch(rest)
        assert parts is not None
        place = parts["line"], parts["column"]
        found.append(
            {
                "line": None if place[0] is None else int(place[0]),
                "column": None if place[1] is None else int(place[1]),
                "message": parts["message"],
            }
        )
    if len(lines) > FINDINGS:
        found.append({"line": None, "column": None, "message": f"and {len(lines) - FINDINGS} more"})
    return found


def compare(old: str, new: str, old_name: str, new_name: str) -> dict[str, Any]:
    """What Assay.compare tells, here and now. Raises PolicyError for a text that is no YAML."""
    from wicketgate.policy.differences import differences, unified

    trees = [parse(Source(name, text)) for name, text in ((old_name, old), (new_name, new))]
    return {
        "diff": unified(old, new, old_name, new_name),
        "changes": [asdict(each) for each in differences(*trees)],
    }


def main(arguments: Sequence[str]) -> int:
    """`python -m wicketgate.assay CONFIG`: takes one JSON object from standard input, and prints one."""
    if len(arguments) != 1:
        sys.stderr.write("this is executed by the gateway itself: use `wicket policy validate`\n")
        return 2
    os.nice(NICE)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    wanted = orjson.loads(sys.stdin.buffer.read())
    try:
        found = check(Path(arguments[0]), wanted["text"]) if "text" in wanted else compare(**wanted)
    except PolicyError as error:
        found = {"refused": error.public}
    except (MemoryError, RecursionError):
        return 3
    sys.stdout.buffer.write(orjson.dumps(found))
    sys.stdout.buffer.flush()
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
