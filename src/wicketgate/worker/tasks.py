"""A worker's tasks: each has a name, an owner (this set) and an end.
A task's failure must never go unseen.
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any


class Tasks:
    """Owns tasks until they are done. log: told of a task that failed."""

    def __init__(self, log: Callable[[str], None]) -> None:
        self._log = log
        self._running: set[asyncio.Task[Any]] = set()

    def start(self, work: Coroutine[Any, Any, Any], name: str) -> asyncio.Task[Any]:
        """Run a coroutine under a name."""
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._running.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._log(f"{task.get_name()}: {type(error).__name__}: {error}")

    async def end(self) -> None:
        """Cancel what still runs, and wait for it."""
        running = list(self._running)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
