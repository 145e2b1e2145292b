"""The composition of what administrates: store, journal and protocols, for the API's verbs and the CLI's.
Like app.py it may import everyone; like app.py it decides nothing."""

import asyncio
import datetime
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wicketgate.admin.history import Texts
from wicketgate.admin.ports import Control, Office, PolicyDesk, Recordings
from wicketgate.admin.rate import Rate
from wicketgate.admin.roles import Seat
from wicketgate.admin.waiting import Waiting
from wicketgate.custody.own import OwnVault
from wicketgate.custody.seal import Sealing
from wicketgate.federation import Federation
from wicketgate.identity import tokens
from wicketgate.identity.issuers import IssuerTokens
from wicketgate.identity.service_accounts import unite
from wicketgate.journal.checkpoint import Checkpoint, parse_checkpoint
from wicketgate.journal.decrypt import Opener
from wicketgate.journal.report import Verdict
from wicketgate.model.errors import GatewayError
from wicketgate.model.identity import Identity
from wicketgate.model.keyring import LENGTH, Keyring
from wicketgate.model.secret import Secret
from wicketgate.model.token import ServiceAccount
from wicketgate.notices import Telling, silent
from wicketgate.protocols.shown import Shown
from wicketgate.proving import prover
from wicketgate.recordings import JournalRecordings, read_expected, read_keys, verify_file, worst
from wicketgate.signing_in import Browsing, unseen
from wicketgate.store.accounts import Accounts
from wicketgate.store.address import StoreAddress, store_url
from wicketgate.store.db import Store
from wicketgate.store.exchanges import holding
from wicketgate.store.grants import GrantRows
from wicketgate.store.history import HistoryRows
from wicketgate.store.nodes import NodeRows
from wicketgate.store.once import Answers
from wicketgate.store.reviews import Reviews
from wicketgate.store.saml import SignInRows

if TYPE_CHECKING:
    from wicketgate.custody.settings import Keepers
    from wicketgate.settings import Settings


def show(protocol: str, answer: bytes) -> Shown:
    """An answer's recorded bytes, by its protocol's own hook. Unknown protocols show nothing."""
    from wicketgate.protocols.registry import protocols

    known = protocols()
    spec = known.get(protocol) or (next(iter(known.values())) if len(known) == 1 else None)
    if spec is None or spec.show is None:
        return Shown((), (f"{len(answer)} bytes of an unknown protocol",), False)
    return spec.show(answer)


@asynccontextmanager
async def open_office(
    database_url: StoreAddress | None,
    state: Path,
    filed: Callable[[], Iterable[ServiceAccount]],
    control: Control,
    recordings: Recordings,
    admin_groups: frozenset[str],
    audit: Callable[[], Awaitable[Mapping[str, Any]]],
    vault: Callable[[Store], OwnVault],
    clock: Callable[[], int] = time.time_ns,
    random: Callable[[int], bytes] = os.urandom,
    issuers: Callable[[], IssuerTokens] = lambda: IssuerTokens({}, {}),
    seats: tuple[Seat, ...] = (),
    rate: Rate | None = None,
    policies: Callable[[Store], PolicyDesk] | None = None,
    node: str = "",
    texts: Texts | None = None,
    reveals: Callable[[Identity, str, str], bool] = lambda identity, resource, data_class: False,
    public_url: str | None = None,
    telling: Telling = silent,
    browsing: Browsing = unseen,
) -> AsyncIterator[Office]:
    """What the API's verbs are given; opened on the API's own loop.

    filed: asked at each use, from that loop's thread: the accounts that the policy in force declares.
    vault: the vault of our own, with its rows in this store.
    issuers: the same, for what tokens of trusted issuers are judged by. seats, rate: see Office.
    policies: where the policy comes from; None: from a file that is not shown here.
    node: this one's random id. reveals: see Office. public_url: where people reach the API with a browser.
    telling: what channels there are. browsing: how people sign in with a browser by an issuer.
    """
    from wicketgate.policies import Revisions

    store = await Store.open(store_url(database_url, state))

    def together(stored: Iterable[ServiceAccount]) -> Mapping[str, ServiceAccount]:
        return unite(filed(), stored)

    async def opened() -> Store:
        return store

    secrets = vault(store)

    async def source() -> OwnVault:
        return secrets

    sealing = Sealing(source, time.monotonic_ns, clock, random, public_url)
    reviews = Reviews(opened, sealing)
    try:
        async with (
            telling(store, reviews, sealing.link, control.policy) as channels,
            browsing(store, control) as codes,
        ):
            yield Office(
                store=store,
                vault=secrets,
                control=control,
                recordings=recordings,
                unite=together,
                issue=tokens.issue,
                prove=prover(store, together, clock, control, issuers),
                holding=partial(holding, store),
                show=show,
                audit=audit,
                admin_groups=admin_groups,
                policies=Revisions("file", Path(), store, None) if policies is None else policies(store),
                clock=clock,
                random=random,
                accounts=Accounts(store),
                once=Answers(store),
                seats=seats,
                rate=rate or Rate(),
                node=node,
                others=NodeRows(opened, clock) if store.shared else None,
                saml=Federation(state, issuers, SignInRows(store)),
                history=HistoryRows(store),
                texts=texts,
                reviews=reviews,
                grants=GrantRows(opened),
                waiting=Waiting(reviews.statuses),
                links=sealing,
                reveals=reveals,
                channels=channels,
                codes=codes,
            )
    finally:
        await secrets.close()
        await store.close()


# -- the places of one gateway ---------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Site:
    """Where one gateway's things lie, by its configuration. ports: protocol -> the port it listens on.
    source: where its policy comes from, `file` or `store`."""

    config: Path
    state: Path
    socket: Path
    database_url: StoreAddress | None
    names: tuple[str, ...]
    own_certificate: bool
    ports: Mapping[str, int]
    keepers: "Keepers"
    encrypt: bool
    source: str = "file"

    def prepare(self) -> None:
        """Make the state folder, and the journal's in it, for us alone."""
        private_folder(self.state)
        with suppress(OSError):  # who writes there says so; reading needs no journal
            private_folder(self.journal)

    @property
    def journal(self) -> Path:
        return self.state / "journal"

    @property
    def public_key(self) -> Path:
        return self.state / "checkpoint.pub"


def private_folder(folder: Path) -> None:
    """Make a folder that is ours alone, whatever the umask; one that is there stays as it is. OSError."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        if not folder.is_dir():
            raise
    else:
        folder.chmod(0o700)


def site(config: Path) -> Site:
    """By the settings in a configuration. Raises PolicyError."""
    from wicketgate.settings import load_settings

    return _site(config, load_settings(config))


def default_site(config: Path) -> Site:
    """The same for a configuration that is yet to be written, and sets nothing."""
    from wicketgate.settings import default_settings

    return _site(config, default_settings(config))


def _site(config: Path, settings: "Settings") -> Site:
    from wicketgate.protocols.registry import protocols

    listeners = settings.listeners(protocols())
    return Site(
        config=config,
        state=settings.state,
        socket=settings.api.socket,
        database_url=settings.database_url,
        names=tuple(settings.tls.names),
        own_certificate=settings.tls.certificate is not None,
        ports={protocol: each.port for protocol, each in listeners.items()},
        keepers=settings.keepers,
        encrypt=settings.journal.encrypt,
        source=settings.policy.source,
    )


def authority(config: Path) -> tuple[Path, str]:
    """The local CA's certificate: its file and its text (PEM). Made where there is none yet.

    Raises GatewayError where the operator's own certificates are set: their CA is not ours to print."""
    from wicketgate.control.ca import Authority

    found = site(config)
    if found.own_certificate:
        raise GatewayError(
            "this gateway has certificates of its own (tls.certificate): clients need their CA"
        )
    found.prepare()
    made = Authority.load_or_make(found.state / "ca", found.names, datetime.datetime.now(datetime.UTC))
    return found.state / "ca" / "ca.pem", made.certificate_pem.decode("ascii")


# -- the journal -----------------------------------------------------------------------------------------
def recordings(folder: Path, state: Path | None = None, config: Path | None = None) -> JournalRecordings:
    """A journal's folder. state: of its gateway; else the folder's own parent, where the public key lies.
    config: says where the key lies that opens what is encrypted; read when that is met."""
    key = (state if state is not None else folder.parent) / "checkpoint.pub"
    unwrap = None
    if config is not None and config.exists():
        from wicketgate.custodian import unwrapper

        unwrap = unwrapper(lambda: site(config).keepers)
    return JournalRecordings(
        folder,
        keys=lambda: read_keys(key) if key.exists() else (),
        opener=Opener(unwrap, time.monotonic_ns),
    )


async def _stored_checkpoints(found: Site) -> tuple[list[Checkpoint], list[str]]:
    """The store's checkpoints, and a fault for each that can't be read: it must not vanish quietly."""
    store = await Store.open(store_url(found.database_url, found.state))
    checkpoints, faults = [], []
    try:
        for each in await store.checkpoints():
            try:
                checkpoints.append(parse_checkpoint(each.line.encode()))
            except ValueError:
                place = f"number {each.number} of node {each.node}"
                faults.append(f"FAULT checkpoint-forged: {place} in the store is no checkpoint")
    finally:
        await store.close()
    return checkpoints, faults


def verify(
    config: Path, journal: Path | None, key: Path | None, expect: Path | None, files: list[Path]
) -> dict[str, Any]:
    """Exported sessions, or a whole journal, from files: {"ok", "verdict", "findings", "facts"}.

    Without a folder, the configured journal, with the store's checkpoints, as far as it answers.
    """
    found = site(config) if journal is None and (key is None or not files) else None
    expected = read_expected(expect) if expect is not None else None
    notes: list[str] = []
    faults: list[str] = []
    if key is not None:
        keys = read_keys(key)
    else:
        keys = read_keys(
            found.public_key if found is not None else (journal or Path()).parent / "checkpoint.pub"
        )
    if files:
        reports = [(f"{path}: ", verify_file(path, keys, expected)) for path in files]
    else:
        checkpoints: list[Checkpoint] = []
        if found is not None:
            try:
                checkpoints, faults = asyncio.run(_stored_checkpoints(found))
            except GatewayError as error:
                notes.append(f"note: the store's checkpoints are not at hand ({error.public})")
        folder = journal if journal is not None else found.journal if found is not None else Path()
        reader = JournalRecordings(folder, keys=lambda: keys, checkpoints=lambda: checkpoints)
        reports = [("", reader.verify(expected))]
    facts: dict[str, Any] = {}
    for _, report in reports:
        for name, value in report.items():
            if name not in ("ok", "verdict", "findings"):
                facts[name] = facts.get(name, 0) + value
    findings = [f"{prefix}{each}" for prefix, report in reports for each in report["findings"]]
    verdict = worst(report["verdict"] for _, report in reports) if not faults else Verdict.BROKEN
    return {
        "ok": verdict is Verdict.SOUND,
        "verdict": verdict.value,
        "findings": notes + faults + findings,
        "facts": facts,
    }


def protocols_of(config: Path) -> dict[str, str]:
    """Resource -> its protocol's name, by the policy; nothing where it can't be read: show() then guesses."""
    from wicketgate.policies import held_policy

    try:
        policy = asyncio.run(held_policy(config))
        return {name: each.protocol for name, each in policy.resources.items()}
    except (GatewayError, OSError):
        return {}


# -- keys and ids of one gateway -------------------------------------------------------------------------
def kept(path: Path, make: Callable[[], bytes]) -> bytes:
    """A small file of the state folder, made with mode 0600 where it is missing."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        content = make()
        number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with os.fdopen(number, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        return content


def node_of(state: Path) -> str:
    """This node's random id, made where there is none yet."""
    return kept(state / "node", lambda: os.urandom(16).hex().encode()).decode()


def pseudonym_keys(state: Path) -> Keyring:
    """The keys of pseudonyms, made where there are none. Raises GatewayError for a file without any."""
    path = state / "pseudonym.keys"
    try:
        return Keyring.parse(kept(path, lambda: Keyring({1: Secret(os.urandom(LENGTH))}).written()))
    except ValueError as error:
        raise GatewayError(f"{path}: {error}") from None


def forget_pseudonyms(config: Path) -> int:
    """Forget the fingerprints of pseudonym keys that nodes agreed on. Raises GatewayError while one runs."""
    place = site(config)

    async def forget() -> int:
        store = await Store.open(store_url(place.database_url, place.state))

        async def opened() -> Store:
            return store

        try:
            return await NodeRows(opened, time.time_ns).forget_keys("pseudonyms")
        finally:
            await store.close()

    return asyncio.run(forget())


def rotate_pseudonyms(config: Path) -> Keyring:
    """Add a key of pseudonyms: new tokens are made with it, old ones are still known. It holds from the next
    start. Raises GatewayError, OSError."""
    place = site(config)
    place.prepare()
    ring = pseudonym_keys(place.state)
    added = Keyring({**ring.keys, ring.newest + 1: Secret(os.urandom(LENGTH))})
    fresh = place.state / "pseudonym.keys.new"
    fresh.unlink(missing_ok=True)
    kept(fresh, added.written)
    fresh.replace(place.state / "pseudonym.keys")
    return added
