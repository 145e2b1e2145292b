"""A stage whose policy comes from the store: real revisions, a real store; workers are played."""

import asyncio
import concurrent.futures
import json
import os
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from api.stage import PlayedControl, Stage
from wicketgate import assay
from wicketgate.admin.ports import Office
from wicketgate.app import FilePolicy
from wicketgate.assay import Assay
from wicketgate.control.ports import LoadedPolicy, Standing
from wicketgate.model.errors import GatewayError, JournalFailed, PolicyError
from wicketgate.office import open_office
from wicketgate.policies import StoreOrigin, revisions
from wicketgate.protocols.registry import protocols
from wicketgate.settings import load_settings
from wicketgate.stores import StoreOfLoop
from wicketgate.workshop import rules_of

SETTINGS = """\
gateway:
  state: .
  # this node's own
  policy: {source: SOURCE}
"""
POLICY = """\
# what this gateway permits
identities:
  bot: {kind: agent, groups: [crew]}
  root-bot: {kind: service, groups: [admins]}
resources:
  sales:
    protocol: postgres
    address: 127.0.0.1:1
    databases: [sales]
    accounts: {reader: {username: ro, password: {env: WICKET_TEST_PASSWORD}}}  # read only
rules:
  - name: crews read sales
    identities: {groups: [crew]}
    resources: [sales]
    permit: [read]
"""
MORE = POLICY + "  - {name: nobody writes, resources: any, when: statement.has('write'), deny: No.}\n"
LOCKED = POLICY.replace("  root-bot: {kind: service, groups: [admins]}\n", "")


class Quick(Assay):
    """Looks texts over in this process: another one takes a second (tests/test_assay.py has those)."""

    def __init__(self, config: Path) -> None:
        super().__init__(config)
        self._config = config

    async def _execute(self, content: bytes) -> Mapping[str, Any]:
        wanted = json.loads(content)
        if "text" in wanted:
            return await asyncio.to_thread(assay.check, self._config, wanted["text"])
        return await asyncio.to_thread(lambda: assay.compare(**wanted))


class KeptControl(PlayedControl):
    """Keeps and adopts as the control process does, on the loop that asks."""

    held: LoadedPolicy | None = None
    error: str | None = None
    files: FilePolicy
    broken = False
    turn: asyncio.Lock

    def policy(self) -> LoadedPolicy:
        assert self.held is not None
        return self.held

    def standing(self) -> Standing:
        revision = None if self.held is None else self.held.revision
        return replace(super().standing(), policy_error=self.error, policy_revision=revision)

    def _record(self, body: bytes) -> None:
        if self.journal_full:
            raise JournalFailed("the journal can't be written", "ENOSPC")
        self.records.append(json.loads(b"{" + body + b"}"))

    def apply_policy(self, make: Any) -> "concurrent.futures.Future[Any]":
        async def apply() -> LoadedPolicy:
            async with self.turn:
                made: LoadedPolicy = await make(self._record)
                if self.broken:
                    raise GatewayError("it could not be made to hold")
                self.files.adopt(made)
                self.held = made
                return made

        return asyncio.run_coroutine_threadsafe(apply(), asyncio.get_running_loop())

    def reload_policy(self) -> "concurrent.futures.Future[LoadedPolicy]":
        async def load() -> LoadedPolicy:
            try:
                self.held = await self.files.load()
            except PolicyError as error:
                self.error = error.public
                raise
            self.files.adopt(self.held)
            return self.held

        return asyncio.run_coroutine_threadsafe(load(), asyncio.get_running_loop())


class Shelf(Stage):
    """source: of the configuration, which is written here with the policy."""

    def __init__(self, folder: Path, source: str = "store", policy: str = POLICY) -> None:
        super().__init__(folder, KeptControl())
        self.source = source
        self.config = folder / "wicket.yaml"
        self.config.write_text(SETTINGS.replace("SOURCE", source) + policy)

    @property
    def kept(self) -> KeptControl:
        assert isinstance(self.control, KeptControl)
        return self.control

    def office(self) -> Any:
        return self._office()

    @asynccontextmanager
    async def _office(self) -> AsyncIterator[Office]:
        late = StoreOfLoop(load_settings(self.config))
        origin = None
        if self.source == "store":
            origin = StoreOrigin(
                self.config,
                rules_of(protocols()),
                late.get,
                self.kept._record,
                self.logged.append,
                time.time_ns,
            )
        self.kept.turn = asyncio.Lock()
        files = self.kept.files = FilePolicy(self.config, protocols(), late, origin)
        self.kept.held = await files.load()
        files.adopt(self.kept.held)
        try:
            async with open_office(
                None,
                self.folder,
                lambda: late.filed,
                self.control,
                self.recordings,
                frozenset({"admins"}),
                self.recordings.audit,
                self.vault,
                time.time_ns,
                os.urandom,
                policies=revisions(
                    self.source, self.config, self.control, None if origin is None else files.keep
                ),
            ) as office:
                office.policies._assay = Quick(self.config)  # type: ignore[attr-defined]
                yield office
        finally:
            await late.close()
