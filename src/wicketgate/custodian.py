"""The composition of what holds accounts' secrets outside of the configuration.
Like app.py it decides nothing; it must never fetch anything by being put together."""

import os
import time
from collections.abc import Mapping

from wicketgate.custody.kv import KvSource
from wicketgate.custody.server import Server
from wicketgate.custody.settings import VaultSettings
from wicketgate.model.credential import Source


def sources(vaults: Mapping[str, VaultSettings]) -> dict[str, Source]:
    """By the names that references give them. To be used, and closed, on one event loop."""
    servers = {name: Server(name, each, os.environ, time.monotonic_ns) for name, each in vaults.items()}
    return {"vault": KvSource(servers)}
