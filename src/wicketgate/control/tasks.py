"""The tasks that the control process owns: each has a name, and a failure of one is told.
It must never let one be forgotten: what was started is waited for at the end.
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any


class Tasks:
    """log: one line for the operator. running: those that have not ended."""

    def __init__(self, log: Callable[[str], None]) -> None:
        self._log = log
        self.running: set[asyncio.Task[Any]] = set()

    def start(self, work: Coroutine[Any, Any, Any], name: str) -> asyncio.Task[Any]:
        """Run a coroutine that this process owns; a failure is told."""
        task = asyncio.get_running_loop().create_task(work, name=name)
        self.running.add(task)
        task.add_done_callback(self._done)
        return task

    async def end(self) -> None:
        """Cancel all but what closes dead workers' journals, and wait for all."""
        for task in list(self.running):
            if not task.get_name().startswith("dead"):
                task.cancel()
        await asyncio.gather(*self.running, return_exceptions=True)

    def _done(self, task: asyncio.Task[Any]) -> None:
        self.running.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._log(f"{task.get_name()}: {type(error).__name__}: {error}")
