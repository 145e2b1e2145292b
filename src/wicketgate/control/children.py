"""The worker processes: executed with a clean environment and inherited sockets, replaced when dead.
A worker must never inherit a secret, neither in its environment nor by a descriptor that is not its own.
"""

import asyncio
import os
import socket
from collections.abc import Callable, Mapping

from wicketgate.control.link import Link
from wicketgate.control.messages import UP, Message, Welcome

PASSED = ("PATH", "LANG", "PYTHONPATH")
"""Variables of the environment that a worker gets, where they are set."""
SOON = 10.0
"""A worker that lived shorter than this (seconds) is replaced only after a wait."""
WAITS = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
"""Seconds before a worker that died soon is replaced, the n-th time in a row."""
GRACE = 3.0
"""Seconds that a worker without a link has to end by itself."""


class Child:
    """One living worker. number: its small number. writer: its journal writer's id. holds: the last commit
    that it told to hold there."""

    __slots__ = ("holds", "link", "number", "pid", "process", "ready", "writer")

    link: Link

    def __init__(self, number: int, writer: str, process: asyncio.subprocess.Process) -> None:
        self.number = number
        self.writer = writer
        self.process = process
        self.pid = process.pid
        self.ready = False
        self.holds = 0


class Children:
    """Keeps `count` workers alive.

    welcome: (worker number, writer id) -> the first message. state: brings a new worker up to date.
    received, dead: told of messages, and of workers whose process has ended.
    """

    def __init__(
        self,
        command: tuple[str, ...],
        count: int,
        descriptors: Callable[[], list[int]],
        welcome: Callable[[int, str], Welcome],
        state: Callable[[Link], None],
        received: Callable[[Child, Message], None],
        dead: Callable[[Child], None],
        token: Callable[[int], bytes],
        clock: Callable[[], int],
        log: Callable[[str], None],
    ) -> None:
        self._command = command
        self._count = count
        self._descriptors = descriptors
        self._welcome = welcome
        self._state = state
        self._received = received
        self._dead = dead
        self._token = token
        self._clock = clock
        self._log = log
        self._keepers: list[asyncio.Task[None]] = []
        self._stopping = False
        self.living: dict[int, Child] = {}

    def start(self) -> None:
        """Start every worker; each has a task that owns it."""
        loop = asyncio.get_running_loop()
        self._keepers = [
            loop.create_task(self._keep(number), name=f"worker {number}") for number in range(self._count)
        ]

    def send(self, frames: bytes) -> None:
        """An encoded message to every worker."""
        for child in list(self.living.values()):
            child.link.send_encoded(frames)

    def stop(self) -> None:
        """Dead workers are not replaced any more."""
        self._stopping = True

    async def wait(self, seconds: float) -> None:
        """Wait until all workers have ended; kill those that have not in time."""
        if not self._keepers:
            return
        _, left = await asyncio.wait(self._keepers, timeout=seconds)
        for child in list(self.living.values()):
            self._log(f"worker {child.number} does not end: killed")
            child.process.kill()
        for keeper in left:
            if self.living or not keeper.done():
                await asyncio.wait([keeper], timeout=GRACE)
                keeper.cancel()
        await asyncio.gather(*self._keepers, return_exceptions=True)

    async def _keep(self, number: int) -> None:
        """One worker after another under one number."""
        quick = 0
        while not self._stopping:
            began = self._clock()
            try:
                code = await self._live(number)
                told = f"ended with {code}"
            except Exception as error:
                told = f"can't be started: {type(error).__name__}: {error}"
            if self._stopping:
                return
            self._log(f"worker {number} {told}; it is replaced")
            quick = quick + 1 if self._clock() - began < SOON * 1_000_000_000 else 0
            if quick:
                await asyncio.sleep(WAITS[min(quick, len(WAITS)) - 1])

    async def _live(self, number: int) -> int:
        """One worker from execution to its end. Its exit code."""
        ours, theirs = socket.socketpair()
        writer = self._token(16).hex()
        try:
            process = await asyncio.create_subprocess_exec(
                *self._command,
                str(theirs.fileno()),
                env=clean_environment(os.environ),
                pass_fds=[theirs.fileno(), *self._descriptors()],
                stdin=asyncio.subprocess.DEVNULL,
                start_new_session=True,
            )
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
        child = Child(number, writer, process)
        try:
            child.link = await Link.connect(
                ours, UP, lambda message: self._received(child, message), lambda why: None
            )
            self.living[number] = child
            child.link.send(self._welcome(number, writer))
            self._state(child.link)
            return await self._ended(child)
        finally:
            self.living.pop(number, None)
            if process.returncode is None:
                process.kill()
                await process.wait()
            if hasattr(child, "link"):
                child.link.close("done")
            self._dead(child)

    async def _ended(self, child: Child) -> int:
        """Wait for the process; a worker that lost its link and lives on is killed."""
        waiting = asyncio.get_running_loop().create_task(child.process.wait(), name="worker's end")
        while True:
            done, _ = await asyncio.wait([waiting], timeout=GRACE)
            if done:
                return waiting.result()
            if child.link.closed:
                self._log(f"worker {child.number} lost its link and lives on: killed")
                child.process.kill()


def clean_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """What a worker gets of our environment: nothing that could hold a secret."""
    return {name: environment[name] for name in PASSED if name in environment}
