"""The composition root: the only module (with office.py, its half for administration) that imports everyone.
It decides nothing and holds no logic of its own: it makes the parts and hands each to who needs it."""

import asyncio
import datetime
import os
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from wicketgate import administrator
from wicketgate.api.server import ApiSettings
from wicketgate.api.server import serve as serve_api
from wicketgate.audit import Audit
from wicketgate.control.ca import Authority
from wicketgate.control.credentials import LocalKey
from wicketgate.control.main import run as run_control
from wicketgate.control.ports import (
    ControlPort,
    ControlPorts,
    ControlSettings,
    Listen,
    LoadedPolicy,
    TlsFiles,
)
from wicketgate.control.segment_keys import SegmentKeys
from wicketgate.custodian import key_supply, sources, vault_of, wrapping
from wicketgate.federation import need, unreadable
from wicketgate.identity import keys
from wicketgate.identity.authenticate import Authenticator
from wicketgate.identity.issuers import IssuerTokens
from wicketgate.identity.service_accounts import unite
from wicketgate.journal.checkpoint import SigningKey
from wicketgate.journal.writer import Writer
from wicketgate.model.decision import Denial
from wicketgate.model.errors import GatewayError, PolicyError
from wicketgate.model.identity import Claim, Identity, IdentityKind
from wicketgate.model.secret import Secret
from wicketgate.office import kept, node_of, open_office, private_folder, pseudonym_keys, recordings, site
from wicketgate.policy.engine import Context, Engine
from wicketgate.policy.load import Policy, load_sources, read_sources
from wicketgate.protocols.base import ProtocolSpec
from wicketgate.protocols.registry import protocols
from wicketgate.settings import Settings, load_settings
from wicketgate.store.control import ControlStore
from wicketgate.store.db import MINUTE, Store, store_url
from wicketgate.store.exchanges import with_origins
from wicketgate.workshop import boot, log, rules_of

MOST_USED = 4096
"""Tokens whose last use is remembered, so that the store is not asked at each sign-in."""


# -- the control process -----------------------------------------------------------------------------------
class FilePolicy:
    """The policy from its file: loaded whole off the loop, and asked before a secret leaves."""

    def __init__(self, config: Path, specs: Mapping[str, ProtocolSpec], store: "StoreOfLoop") -> None:
        self._config = config
        self._rules = rules_of(specs)
        self._store = store
        self._loaded: dict[str, Policy] = {}
        self._engine: Engine | None = None
        self.keys: Callable[[], Mapping[str, Mapping[str, Any]]] = dict
        self._used: dict[str, int] = {}

    def read(self) -> Policy:
        """The policy that the file holds now. Raises PolicyError."""
        policy = load_sources(read_sources(self._config), self._rules)
        need(policy.saml, str(self._config))
        return policy

    async def load(self) -> LoadedPolicy:
        policy = await asyncio.to_thread(self.read)
        for line in await asyncio.to_thread(unreadable, policy.saml.values(), time.time_ns()):
            log(f"{line}: nobody signs in by it until that is mended")
        self._loaded = {policy.digest: policy}
        return LoadedPolicy(
            policy.shipped,
            str(self._config),
            policy.digest,
            policy.resources,
            policy.warnings,
            issuers=policy.issuers,
            permits=policy.permits,
            exchanges=_exchanging(policy),
        )

    def adopt(self, policy: LoadedPolicy) -> None:
        loaded = self._loaded[policy.digest]
        self._engine = Engine(loaded)
        self._store.filed = tuple(loaded.identities.values())

    def issuers(self) -> IssuerTokens:
        """What tokens of trusted issuers are judged by, as of now. For any thread."""
        engine = self._engine
        if engine is None:
            return IssuerTokens({}, {})
        policy = engine.policy
        return IssuerTokens(policy.issuers, self.keys(), policy.saml, policy.mesh)

    async def used(self, credential: str) -> None:
        now = time.time_ns()
        if now - self._used.get(credential, 0) >= MINUTE:
            if len(self._used) >= MOST_USED:
                self._used.clear()
            self._used[credential] = now
            await (await self._store.get()).used_token(credential, now)

    async def may_open(
        self,
        identity: str,
        credential: str | None,
        resource: str,
        database: str,
        account: str,
        proof: Secret | None = None,
    ) -> Denial | None:
        engine = self._engine
        if engine is None:
            return Denial("unavailable", "The target can't be reached.", "no policy holds")
        store = await self._store.get()
        record = await store.token(credential) if credential is not None and proof is None else None
        accounts = self._store.unite(await store.identities())
        names = {name: each.replicated() for name, each in accounts.items()}
        now = time.time_ns()
        proven = None
        if proof is not None:
            claim = Claim(identity, resource, proof, "")
            if credential is not None and credential.startswith("x509-"):
                claim = Claim(identity, resource, Secret(b""), "", certificate=proof.reveal())
            proven = Authenticator({}, names, self.issuers()).authenticate(claim, now)
        elif record is not None:
            proven = Authenticator(await with_origins(store, record), names, self.issuers()).still_holds(
                _claimed(identity, record.id), resource, now, None
            )
        found = engine.policy.resources.get(resource)
        if proven is None or found is None or database not in (found.databases or (database,)):
            return Denial("sign-in", "sign-in refused", "the secret was asked for by who may not have it")
        rules = engine.ruleset(proven, found, account, now)
        if rules is None or account not in engine.accounts(proven, found):
            return Denial("sign-in", "sign-in refused", "no rule permits this account")
        return rules.admission(Context(now=now, database=database))


def _exchanging(policy: Policy) -> Callable[[Identity], bool]:
    """Whether an agent may exchange tokens, by this policy."""
    found = policy.exchanging
    return found.match if found is not None else lambda agent: False


def _claimed(name: str, credential: str) -> Identity:
    """An identity as an open session holds it: enough to prove that its token still holds."""
    return Identity(name, name, "local", IdentityKind.SERVICE, "token", credential_id=credential)


class StoreOfLoop:
    """The store, opened on the loop that uses it.

    filed: the accounts that the policy in force declares. Replaced whole, so that any thread may read it.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._store: Store | None = None
        self.filed: tuple[Any, ...] = ()

    def unite(self, stored: Any) -> Any:
        return unite(self.filed, stored)

    async def get(self) -> Store:
        if self._store is None:
            self._store = await Store.open(store_url(self._settings.database_url, self._settings.state))
        return self._store

    async def close(self) -> None:
        """Close it, if it was opened."""
        store, self._store = self._store, None
        if store is not None:
            await store.close()


class LateStore:
    """control.ports.StorePort over a store that is opened when it is first asked."""

    def __init__(self, store: StoreOfLoop) -> None:
        self._store = store
        self._inner: ControlStore | None = None

    async def _get(self) -> ControlStore:
        if self._inner is None:
            self._inner = ControlStore(await self._store.get(), self._store.unite, time.time_ns)
        return self._inner

    async def node_number(self, node: str) -> int:
        return await (await self._get()).node_number(node)

    async def reserve(self, counted: Any, want: int, amount: int) -> int:
        return await (await self._get()).reserve(counted, want, amount)

    async def give_back(self, counted: Any, unspent: int) -> None:
        await (await self._get()).give_back(counted, unspent)

    async def keep_checkpoint(self, number: int, node: str, checkpoint: bytes) -> None:
        await (await self._get()).keep_checkpoint(number, node, checkpoint)

    async def last_checkpoint(self, node: str) -> tuple[int, bytes] | None:
        return await (await self._get()).last_checkpoint(node)

    async def replicated(self) -> Sequence[tuple[str, str, Mapping[str, Any]]]:
        return await (await self._get()).replicated()

    async def inherit(self, resource: str, database: str, inherits: Iterable[tuple[str, str]]) -> None:
        await (await self._get()).inherit(resource, database, inherits)

    async def inherited(self) -> Sequence[tuple[str, str, str, str]]:
        return await (await self._get()).inherited()

    async def ping(self) -> None:
        await (await self._get()).ping()

    async def close(self) -> None:
        self._inner = None
        await self._store.close()


def serve(config: Path) -> int:
    """Run the gateway until a signal ends it. The exit code; errors of the start are told in one line."""
    try:
        return _serve(config)
    except (PolicyError, GatewayError) as error:
        log(error.public)
        return 1
    except OSError as error:
        log(f"the gateway can't start: {error}")
        return 1


def _serve(config: Path) -> int:
    settings = load_settings(config)
    specs = protocols()
    state = settings.state
    journal = state / "journal"
    private_folder(state)
    private_folder(journal)
    store = StoreOfLoop(settings)
    policy = FilePolicy(config, specs, store)
    read = policy.read()
    store.filed = tuple(read.identities.values())
    _make_administrator(config, settings, read)
    node = node_of(state)
    signing = SigningKey.load(kept(state / "checkpoint.key", lambda: SigningKey.generate().private_pem()))
    (state / "checkpoint.pub").write_bytes(signing.public_pem())
    tls, renew = _tls(settings)
    writer = os.urandom(16).hex()
    supply = None
    if settings.journal.encrypt:
        supply = asyncio.run(key_supply(settings.keepers, settings.database_url, state, node, writer))
    ports = ControlPorts(
        policy=policy,
        store=LateStore(store),
        journal=Writer(
            journal, node, writer, time.time_ns, boot, os.urandom, settings.journal.synced, keys=supply
        ),
        signing=signing,
        protocols=specs,
        pseudonyms=pseudonym_keys(state),
        decrypt=LocalKey.load_or_make(state / "local.key").decrypt,
        clock=time.time_ns,
        boot=boot,
        token=os.urandom,
        log=log,
        sources=sources(settings.keepers, store.get, grace=settings.store_grace_seconds),
        key_sets=keys,
        segment_keys=None
        if supply is None
        else SegmentKeys(wrapping(settings.keepers), supply, os.urandom, log),
    )
    control = ControlSettings(
        node=node,
        listen=tuple(
            Listen(protocol, each.port, tuple(each.hosts), each.plain)
            for protocol, each in settings.listeners(specs).items()
        ),
        workers=settings.workers,
        command=(sys.executable, "-m", "wicketgate.workshop"),
        journal=journal,
        tls=tls,
        worker=settings.of_workers(),
        renew=renew,
        drain=settings.drain_seconds,
        sessions_per_identity=settings.limits.sessions_per_identity,
        store_grace=settings.store_grace_seconds,
    )
    handles: list[Any] = []

    def started(port: ControlPort) -> None:
        policy.keys = port.issuer_keys
        office = partial(
            open_office,
            settings.database_url,
            state,
            lambda: store.filed,
            port,
            recordings(journal, state, config),
            frozenset(settings.admin_groups),
            Audit(config),
            partial(vault_of, settings.keepers, journal),
            issuers=policy.issuers,
        )
        api = ApiSettings(
            settings.api.socket,
            settings.api.https,
            Path(tls.certificate),
            Path(tls.key),
            url=settings.api.url,
            client_ca=settings.tls.client_ca,
        )
        handles.append(serve_api(office, api, log))
        log(f"serving {', '.join(f'{each.protocol} on {each.port}' for each in control.listen)}")

    try:
        return run_control(control, ports, started)
    finally:
        for handle in handles:
            handle.stop()


def _make_administrator(config: Path, settings: Settings, read: Policy) -> None:
    """At the first start of a gateway of the embedded defaults, with nobody else to prove who people are."""
    others = read.issuers or read.saml or read.mesh is not None
    embedded = settings.database_url is None and not others
    if not embedded or not settings.admin_groups or administrator.begun(settings.state):
        return
    try:
        asyncio.run(
            administrator.make(site(config), settings.admin_groups[0], read.identities, time.time_ns(), log)
        )
    except OSError as error:
        log(f"no local administrator is made: {error.strerror}")


def _tls(settings: Settings) -> tuple[TlsFiles, Any]:
    """What workers terminate TLS with: the operator's files, or the local CA's, made at first start."""
    own = settings.tls
    client_ca = str(own.client_ca) if own.client_ca is not None else None
    if own.certificate is not None and own.key is not None:
        return TlsFiles(str(own.certificate), str(own.key), client_ca), None
    authority = Authority.load_or_make(
        settings.state / "ca", tuple(own.names), datetime.datetime.now(datetime.UTC), client_ca
    )
    return authority.files, lambda: authority.renew(datetime.datetime.now(datetime.UTC))
