"""A control process of its own, to be killed: prints its port and its workers' ids once they are ready."""

import asyncio
import sys
from pathlib import Path

import uvloop

from control.node import FilePolicy, MemoryStore, make_control
from wicketgate.control.ports import ControlPort


async def serve(folder: Path) -> int:
    """Serve until a signal."""
    policy = FilePolicy(folder / "wicket.json")

    def log(line: str) -> None:
        print(f"control: {line}", file=sys.stderr, flush=True)

    control = make_control(folder, 2, log, MemoryStore(), policy)

    def started(face: ControlPort) -> None:
        control.start(tell(face), "tell")

    return await control.serve(started)


async def tell(face: ControlPort) -> None:
    """Wait for the workers."""
    while face.standing().live < 2:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    standing = face.standing()
    print(standing.addresses[0][2], *standing.pids.values(), flush=True)


if __name__ == "__main__":
    sys.exit(uvloop.run(serve(Path(sys.argv[1]))))
