"""Columns that take over a data class because its values are copied into them: kept with the resource first.
It must never let the copy be made before the control process has said that it is kept."""

import asyncio
from collections.abc import Callable

from wicketgate.gate.ports import Asks
from wicketgate.model.decision import Denial
from wicketgate.model.errors import GatewayError
from wicketgate.model.statement import Inherits

Resume = Callable[[Denial | None], None]


class Inheritance:
    """What this worker knows to be kept."""

    def __init__(self, asks: Asks) -> None:
        self._asks = asks
        self._kept: dict[tuple[str, str], set[tuple[str, str]]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def kept(self, resource: str, database: str, inherits: Inherits) -> bool:
        """Whether all of these are kept already."""
        return self._kept.get((resource, database), set()).issuperset(inherits)

    def keep(self, resource: str, database: str, inherits: Inherits, resume: Resume) -> None:
        """Have these kept. Later resume(None) when they are, or the Denial."""
        task = asyncio.get_running_loop().create_task(
            self._keep(resource, database, inherits, resume), name=f"inherit {resource}/{database}"
        )
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _keep(self, resource: str, database: str, inherits: Inherits, resume: Resume) -> None:
        body = {"resource": resource, "database": database, "columns": [list(pair) for pair in inherits]}
        denial: Denial | None = None
        try:
            reply = await self._asks.ask("inherit", body)
            if reply.denial is not None:
                denial = _unkept(": ".join(str(part) for part in reply.denial))
            else:
                self._kept.setdefault((resource, database), set()).update(inherits)
        except GatewayError as error:
            denial = _unkept(type(error).__name__)
        resume(denial)


def _unkept(detail: str) -> Denial:
    return Denial(
        "unavailable",
        "It could not be kept which columns hold sensitive values from now on.",
        f"inherit: {detail}",
        "Try again later.",
    )
