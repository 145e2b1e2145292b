"""Where the policy comes from, the file or the store: composition like app.py, which uses it.
It must never take a revision that is not as it was written, nor keep one that could not be loaded.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final, Protocol

from wicketgate.admin.access import Refused
from wicketgate.admin.policies import Draft, Moved
from wicketgate.admin.ports import Control
from wicketgate.assay import Assay
from wicketgate.federation import need
from wicketgate.journal.writer import Writer
from wicketgate.lending import check_lent
from wicketgate.model.errors import PolicyError, StoreFailed
from wicketgate.model.revision import MESSAGE_MOST, Revision, revise
from wicketgate.policy.document import Source, parse
from wicketgate.policy.joining import merge
from wicketgate.policy.load import Keepers, Policy, ProtocolRules, keepers_of, load_sources, read_sources
from wicketgate.policy.texts import NOTHING, apart, check_kept, joined, without_credentials
from wicketgate.settings import load_settings
from wicketgate.store.db import Store
from wicketgate.store.revisions import RevisionRows

IMPORTED: Final = "the file's import"
PLACE: Final = "the store"
"""Of every revision: workers that have the same policy already need not load it again."""


@dataclass(frozen=True, slots=True)
class Found:
    """A policy that was loaded whole. place: where it stands, for messages. revision: None: in a file."""

    policy: Policy
    place: str
    revision: Revision | None = None


class Origin(Protocol):
    """Where the policy comes from."""

    async def load(self) -> Found:
        """The policy as it is there now. Raises GatewayError."""
        ...

    async def newest(self) -> int | None:
        """control.ports.PolicyPort.newest."""
        ...

    def adopted(self, found: Found) -> None:
        """That is what holds now."""
        ...


class FileOrigin:
    """The configuration's own file, or folder."""

    def __init__(self, config: Path, rules: Mapping[str, ProtocolRules]) -> None:
        self._config = config
        self._rules = rules

    async def load(self) -> Found:
        return Found(await asyncio.to_thread(read_file, self._config, self._rules), str(self._config))

    async def newest(self) -> int | None:
        return None

    def adopted(self, found: Found) -> None:
        pass


def read_file(config: Path, rules: Mapping[str, ProtocolRules]) -> Policy:
    """The policy that the file holds now. Raises PolicyError."""
    return trusted(load_sources(read_sources(config), rules), str(config))


def trusted(policy: Policy, file: str) -> Policy:
    """The same policy. Raises PolicyError where it trusts what this installation can't read."""
    need(policy.saml, file)
    return policy


def text_of(path: Path) -> str:
    """The policy of a file or a folder as one text, without settings. Raises PolicyError."""
    return joined(read_sources(path))


def without_settings(name: str, text: str) -> tuple[str, str]:
    """A text without `gateway`: with its lines where they were, and as it is kept. Raises PolicyError."""
    source = Source(name, text)
    return apart(source, placed=True), apart(source)


def recorder(journal: Writer) -> Callable[[bytes], None]:
    """Writes `admin` lines (BODY members), on the disk when it returns. Raises JournalFailed."""

    def record(body: bytes) -> None:
        journal.line("admin", None, b"", body)
        journal.flush()

    return record


def source_of(config: Path, name: str, text: str) -> Source:
    """A text from elsewhere, whose relative paths are those of the configuration's folder."""
    return Source(str((config if config.is_dir() else config.parent) / name), text)


def settings_of(config: Path) -> Keepers:
    """What the configuration's settings say of where passwords may lie. Raises PolicyError."""
    return keepers_of(merge([parse(source) for source in read_sources(config)]))


def examine(source: Source, config: Path, rules: Mapping[str, ProtocolRules]) -> Policy:
    """The policy of a text that is to be kept in the store. Raises PolicyError."""
    check_kept(source)
    policy = load_sources((source,), rules, settings_of(config))
    check_lent(source, policy, load_settings(config), inline=True)
    return trusted(policy, source.file)


class StoreOrigin:
    """The store's newest revision; at the very first start the file's policy, which is kept as the first.

    One load or keep at a time (control.adoption has a lock). store: opened on the loop that uses this.
    record: writes an `admin` line (BODY members), on the disk when it returns."""

    def __init__(
        self,
        config: Path,
        rules: Mapping[str, ProtocolRules],
        store: Callable[[], Awaitable[Store]],
        record: Callable[[bytes], None],
        log: Callable[[str], None],
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        self._config = config
        self._rules = rules
        self._store = store
        self._record = record
        self._log = log
        self._clock = clock
        self._holds: Found | None = None

    async def newest(self) -> int | None:
        return await RevisionRows(await self._store()).number()

    def adopted(self, found: Found) -> None:
        self._holds = found

    async def load(self) -> Found:
        rows = RevisionRows(await self._store())
        newest = await rows.newest()
        if newest is None and self._holds is None:
            newest = await self._import(rows)
        await self._check(rows, newest)
        assert newest is not None
        policy = await asyncio.to_thread(self._read, newest)
        if self._holds is None:
            await asyncio.to_thread(self._compare, newest)
        return Found(policy, PLACE, newest)

    async def _check(self, rows: RevisionRows, newest: Revision | None) -> None:
        """Raises PolicyError where what the store holds is not what was written, or is not all of it."""
        held = None if self._holds is None else self._holds.revision
        if newest is None or (held is not None and newest.number < held.number):
            gone = "the revisions are" if newest is None or held is None else f"revision {held.number} is"
            raise PolicyError(f"{gone} gone from the store: what held before goes on")
        before = await rows.revision(newest.number - 1, text=False) if newest.number > 1 else None
        if not newest.sealed or not newest.follows(before):
            raise PolicyError(
                f"revision {newest.number} is not as it was written: somebody changed it in the store; it is "
                "not loaded"
            )
        if held is None:
            return
        same = newest if held.number == newest.number else await rows.revision(held.number, text=False)
        if same is None or same.seal != held.seal:
            raise PolicyError(
                f"revision {held.number} in the store is not the one that holds: revision {newest.number} "
                "is not loaded"
            )

    def _read(self, revision: Revision) -> Policy:
        source = source_of(self._config, f"revision {revision.number}", revision.text or "")
        policy = load_sources((source,), self._rules, settings_of(self._config))
        check_lent(source, policy, load_settings(self._config), inline=False)
        trusted(policy, source.file)
        if policy.digest != revision.digest:
            self._log(
                f"revision {revision.number} says something else to this version of the gateway than to the "
                f"one that kept it: digest {policy.digest[:12]} instead of {revision.digest[:12]}"
            )
        return policy

    async def _import(self, rows: RevisionRows) -> Revision:
        """The file's policy, once: as revision 1. Another node's may be there first. Raises PolicyError."""
        text = await asyncio.to_thread(lambda: joined(read_sources(self._config)))
        source = source_of(self._config, self._config.name, text)
        policy = await asyncio.to_thread(examine, source, self._config, self._rules)
        made = revise(
            None,
            text,
            policy.digest,
            IMPORTED,
            "import",
            f"from {self._config}"[:MESSAGE_MOST],
            self._clock(),
        )
        line = Draft(text, 0, made.author, "import", made.message).line(None, made)
        if await rows.add(made, lambda: self._record(line)):
            self._log(f"the policy of {self._config} is kept in the store, as revision 1")
        newest = await rows.newest()
        if newest is None:
            raise StoreFailed("the store does not answer", "a revision that was kept is not there")
        return newest

    def _compare(self, newest: Revision) -> None:
        """Warn where the file has a policy that is not what holds: its author may think that it does."""
        try:
            text = joined(read_sources(self._config))
            if text in (NOTHING, newest.text):
                return
            policy = load_sources(
                (source_of(self._config, self._config.name, text),), self._rules, settings_of(self._config)
            )
            if policy.digest == newest.digest:
                return
            what = f"digest {policy.digest[:12]}"
        except PolicyError:
            what = "which does not load"
        self._log(
            f"the policy in {self._config} ({what}) is not read: revision {newest.number} of the store holds "
            f"(digest {newest.digest[:12]})"
        )

    async def keep(self, draft: Draft, record: Callable[[bytes], None]) -> Found:
        """Keep a draft as the next revision: loaded, then recorded, then there for all to read.

        Raises Moved where the newest revision is not the draft's base, PolicyError, Refused."""
        rows = RevisionRows(await self._store())
        newest = await rows.newest()
        await self._check(rows, newest)
        assert newest is not None
        if newest.number != draft.base:
            raise Moved(newest.number)
        number = newest.number + 1
        source = source_of(self._config, f"revision {number}", draft.text)
        policy = await asyncio.to_thread(examine, source, self._config, self._rules)
        held = self._holds
        if draft.guard is not None:
            draft.guard(None if held is None else held.policy, policy)
        made = revise(
            newest,
            draft.text,
            policy.digest,
            draft.author,
            draft.how,
            draft.message,
            self._clock(),
            draft.restores,
        )
        line = draft.line(newest, made)
        if not await rows.add(made, lambda: record(line)):
            raise Moved(number)
        return Found(policy, PLACE, made)


class Revisions:
    """admin.ports.PolicyDesk. store: the API's own. apply: keeps a draft and makes it hold."""

    def __init__(
        self,
        source: str,
        config: Path,
        store: Store,
        apply: Callable[[Draft], Awaitable[None]] | None,
    ) -> None:
        self.source = source
        self.config = str(config)
        self._path = config
        self._rows = RevisionRows(store)
        self._apply = apply
        self._assay = Assay(config)

    async def newest(self) -> Revision | None:
        return await self._rows.newest() if self.source == "store" else None

    async def revision(self, number: int, text: bool = True) -> Revision | None:
        return await self._rows.revision(number, text) if self.source == "store" else None

    async def revisions(self, before: int | None, most: int) -> Sequence[Revision]:
        return await self._rows.revisions(before, most) if self.source == "store" else []

    async def filed(self) -> str:
        return await asyncio.to_thread(shown_file, self._path)

    async def check(self, text: str) -> Mapping[str, Any]:
        return await self._assay.check(text)

    async def compare(self, old: str, new: str, old_name: str, new_name: str) -> Mapping[str, Any]:
        return await self._assay.compare(old, new, old_name, new_name)

    async def apply(self, draft: Draft) -> None:
        if self._apply is None:
            raise Refused("no gateway is running that could take a policy")
        await self._apply(draft)


def shown_file(config: Path) -> str:
    """The policy part of the file as it is now, to be shown. Raises PolicyError."""
    sources = read_sources(config)
    try:
        text = joined(sources)
    except PolicyError:
        if len(sources) == 1:
            raise
        text = "\n".join(f"# {each.file}\n{apart(each)}" for each in sources)
    return without_credentials(Source(str(config), text))


def revisions(source: str, config: Path, control: Control, keep: Any) -> Callable[[Store], Revisions]:
    """What makes the API's desk. keep: app.FilePolicy.keep, run on the main loop; None in file mode."""

    async def apply(draft: Draft) -> None:
        await asyncio.wrap_future(control.apply_policy(partial(keep, draft)))

    return lambda store: Revisions(source, config, store, None if keep is None else apply)


async def held_policy(config: Path) -> Policy:
    """The policy as a gateway that starts now would have it, for the verbs that need none to run: the file's,
    or the store's newest revision; where the store has none yet, the file's. Raises GatewayError."""
    from wicketgate.checkup import load_policy
    from wicketgate.protocols.registry import protocols
    from wicketgate.store.db import store_url
    from wicketgate.workshop import rules_of

    settings = load_settings(config)
    if settings.policy.source == "file":
        return await asyncio.to_thread(load_policy, config)
    store = await Store.open(store_url(settings.database_url, settings.state))
    try:
        newest = await RevisionRows(store).newest()
    finally:
        await store.close()
    if newest is None:
        return await asyncio.to_thread(load_policy, config)
    if not newest.sealed:
        raise PolicyError(
            f"revision {newest.number} is not as it was written: somebody changed it in the store"
        )
    source = source_of(config, f"revision {newest.number}", newest.text or "")
    return await asyncio.to_thread(load_sources, (source,), rules_of(protocols()), settings_of(config))
