"""The planner's estimate of a statement's rows, on a connection of the gateway's own (law 9's exception).
It must never run the statement, nor plan one whose functions are not all known to be pure.
"""

import json
from collections.abc import Mapping
from typing import Any, Final

import asyncpg

from wicketgate.model.errors import UpstreamFailed
from wicketgate.protocols.base import CatalogAccess
from wicketgate.protocols.postgres.catalog import close, connect

_MILLISECONDS: Final = 2000
_MOST_PARAMETERS: Final = 1000


async def estimate(access: CatalogAccess, plan: Mapping[str, Any]) -> int | None:
    """Rows that the planner expects. plan: `text` of one statement, `path` (search_path's names),
    `parameters`: how many it has. None where it can't be told. Raises UpstreamFailed."""
    text, count = str(plan["text"]), int(plan["parameters"])
    if count > _MOST_PARAMETERS:
        return None
    connection = await connect(access)
    try:
        async with connection.transaction(readonly=True):
            await connection.execute(f"SET LOCAL statement_timeout = {_MILLISECONDS:d}")
            await connection.execute(f"SET LOCAL lock_timeout = {_MILLISECONDS:d}")
            await connection.execute("SET LOCAL plan_cache_mode = force_generic_plan")
            path = ", ".join('"' + str(name).replace('"', '""') + '"' for name in plan["path"])
            await connection.fetchval("SELECT pg_catalog.set_config('search_path', $1, true)", path)
            explained = text
            if count:
                # a string of one command alone passes here: it is prepared, not sent as it is
                await connection.fetch(f"PREPARE wicketgate_estimate AS {text}")
                explained = f"EXECUTE wicketgate_estimate({', '.join(['NULL'] * count)})"
            found = await connection.fetchval(f"EXPLAIN (FORMAT JSON) {explained}")
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError) as error:
        raise UpstreamFailed("the statement could not be planned", type(error).__name__) from None
    finally:
        await close(connection)
    return _rows(json.loads(found))


def _rows(told: Any) -> int | None:
    """Of the topmost node that is not only a writer of what comes from below."""
    node = told[0]["Plan"]
    while node["Node Type"] == "ModifyTable" and node.get("Plans"):
        if len(node["Plans"]) > 1:
            return sum(int(each["Plan Rows"]) for each in node["Plans"])
        node = node["Plans"][0]
    return int(node["Plan Rows"])
