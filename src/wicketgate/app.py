"""The composition root: the only module (with office.py, its half for administration) that imports everyone.
It decides nothing and holds no logic of its own: it makes the parts and hands each to who needs it."""

import asyncio
import datetime
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from wicketgate import administrator
from wicketgate.admin.policies import Draft
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
from wicketgate.custodian import key_supply, sealing, sources, vault_of, wrapping
from wicketgate.federation import unreadable
from wicketgate.identity import keys, userinfo
from wicketgate.identity.authenticate import Authenticator
from wicketgate.identity.issuers import IssuerTokens
from wicketgate.journal.checkpoint import SigningKey
from wicketgate.journal.writer import Writer
from wicketgate.model.decision import Denial
from wicketgate.model.errors import GatewayError, PolicyError, StoreFailed
from wicketgate.model.identity import Claim, Identity, IdentityKind
from wicketgate.model.issuer import Unread
from wicketgate.model.secret import Secret
from wicketgate.notices import telling
from wicketgate.office import kept, node_of, open_office, private_folder, pseudonym_keys, recordings, site
from wicketgate.policies import FileOrigin, Found, Origin, StoreOrigin, read_file, recorder, revisions
from wicketgate.policy.engine import Context, Engine
from wicketgate.policy.load import Policy, Source, load_sources
from wicketgate.policy.offers import offers
from wicketgate.policy.revealing import reveals
from wicketgate.protocols.base import ProtocolSpec
from wicketgate.protocols.registry import protocols
from wicketgate.requesting import ByConnecting
from wicketgate.settings import Settings, load_settings
from wicketgate.signing_in import browsing
from wicketgate.store.bus import Bus
from wicketgate.store.db import MINUTE
from wicketgate.store.exchanges import with_origins
from wicketgate.store.grants import GrantRows
from wicketgate.store.nodes import NodeRows
from wicketgate.store.reviews import Reviews
from wicketgate.stores import LateHistory, LateStore, StoreOfLoop
from wicketgate.workshop import boot, log, rules_of

MOST_USED = 4096
"""Tokens whose last use is remembered, so that the store is not asked at each sign-in."""


# -- the control process -----------------------------------------------------------------------------------
class FilePolicy:
    """The policy from its file, or from another origin: loaded whole off the loop, and asked before a secret
    leaves."""

    def __init__(
        self,
        config: Path,
        specs: Mapping[str, ProtocolSpec],
        store: "StoreOfLoop",
        origin: "StoreOrigin | None" = None,
    ) -> None:
        self._config = config
        self._rules = rules_of(specs)
        self._kept = origin
        self._origin: Origin = FileOrigin(config, self._rules) if origin is None else origin
        self._store = store
        self._loaded: tuple[LoadedPolicy, Found, Engine] | None = None
        self._engine: Engine | None = None
        self.keys: Callable[[], Mapping[str, Mapping[str, Any]]] = dict
        self.seen: Callable[[], Mapping[str, Mapping[str, Any]]] = dict
        self._used: dict[str, int] = {}
        self.connecting: ByConnecting | None = None

    def read(self) -> Policy:
        """The policy that the file holds now. Raises PolicyError."""
        return read_file(self._config, self._rules)

    def sources(self) -> tuple[Source, ...]:
        """The texts of the policy that holds. For any thread, as `compile` is."""
        engine = self._engine
        return () if engine is None else engine.policy.sources

    def reveals(self, identity: Identity, resource: str, data_class: str) -> bool:
        """Whether the policy that holds shows him the class there. For any thread."""
        engine = self._engine
        return engine is not None and reveals(engine.policy, identity, resource, data_class)

    def compile(self, sources: Sequence[Source]) -> Policy:
        return load_sources(sources, self._rules)

    async def load(self) -> LoadedPolicy:
        return await self._made(await self._origin.load())

    async def newest(self) -> int | None:
        return await self._origin.newest()

    async def keep(self, draft: Draft, record: Callable[[bytes], None]) -> LoadedPolicy:
        """Keep a draft in the store (control.ports.MakePolicy). Raises GatewayError."""
        if self._kept is None:
            raise GatewayError("the policy comes from its file")
        return await self._made(await self._kept.keep(draft, record))

    async def _made(self, found: Found) -> LoadedPolicy:
        policy = found.policy
        for line in await asyncio.to_thread(unreadable, policy.saml.values(), time.time_ns()):
            log(f"{line}: nobody signs in by it until that is mended")
        engine = Engine(policy)
        made = LoadedPolicy(
            policy.shipped,
            found.place,
            policy.digest,
            policy.resources,
            policy.warnings,
            issuers=policy.issuers,
            permits=policy.permits,
            exchanges=_exchanging(policy),
            revision=None if found.revision is None else found.revision.number,
            offers=partial(offers, Engine(policy)),
        )
        self._loaded = made, found, engine
        return made

    def adopt(self, policy: LoadedPolicy) -> None:
        assert self._loaded is not None
        loaded, found, self._engine = self._loaded
        assert loaded is policy
        self._origin.adopted(found)
        self._store.filed = tuple(found.policy.identities.values())

    def issuers(self) -> IssuerTokens:
        """What tokens of trusted issuers are judged by, as of now. For any thread."""
        engine = self._engine
        if engine is None:
            return IssuerTokens({}, {})
        policy = engine.policy
        return IssuerTokens(policy.issuers, self.keys(), policy.saml, policy.mesh, self.seen())

    def unread(self, secret: Secret) -> Unread | None:
        return self.issuers().unread(secret, time.time_ns())

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
        now = time.time_ns()
        proven = await self._proven(identity, credential, resource, proof, now)
        found = engine.policy.resources.get(resource)
        if proven is None or found is None or database not in (found.databases or (database,)):
            return Denial("sign-in", "sign-in refused", "the secret was asked for by who may not have it")
        rules = engine.ruleset(proven, found, account, now)
        if rules is None or account not in engine.accounts(proven, found, now):
            return Denial("sign-in", "sign-in refused", "no rule permits this account")
        denial = rules.admission(Context(now=now, database=database))
        if denial is None and rules.grants and account not in engine.accounts(proven, found):
            # what stands opens it as well: then what is done in it tells whether the grant was of use
            with suppress(GatewayError):  # when it was last used is worth no refusal
                await GrantRows(self._store.get).used([each.id for each in rules.grants], now)
        return denial

    async def request(self, asked: Mapping[str, Any], proof: Secret | None) -> Mapping[str, Any]:
        now, engine = time.time_ns(), self._engine
        resource, account, rule = (str(asked[key]) for key in ("resource", "account", "rule"))
        credential = asked["credential"]
        proven = await self._proven(str(asked["identity"]), credential, resource, proof, now)
        if engine is None or proven is None or self.connecting is None:
            raise GatewayError("sign-in refused", "it was asked for by who is not proven")
        return await self.connecting.ask(engine, proven, resource, account, rule, now)

    async def _proven(
        self, identity: str, credential: str | None, resource: str, proof: Secret | None, now: int
    ) -> Identity | None:
        """Who a worker says that it has, proven again by the store."""
        store = await self._store.get()
        record = await store.token(credential) if credential is not None and proof is None else None
        accounts = self._store.unite(await store.identities())
        names = {name: each.replicated() for name, each in accounts.items()}
        given = {each.id: each.replicated() for each in await GrantRows(self._store.get).live(now)}
        proven = None
        if proof is not None:
            claim = Claim(identity, resource, proof, "")
            if credential is not None and credential.startswith("x509-"):
                claim = Claim(identity, resource, Secret(b""), "", certificate=proof.reveal())
            proven = Authenticator({}, names, self.issuers(), given).authenticate(claim, now)
        elif record is not None:
            origins = await with_origins(store, record)
            proven = Authenticator(origins, names, self.issuers(), given).still_holds(
                _claimed(identity, record.id), resource, now, None
            )
        return proven


def _exchanging(policy: Policy) -> Callable[[Identity], bool]:
    """Whether an agent may exchange tokens, by this policy."""
    found = policy.exchanging
    return found.match if found is not None else lambda agent: False


def _claimed(name: str, credential: str) -> Identity:
    """An identity as an open session holds it: enough to prove that its token still holds."""
    return Identity(name, name, "local", IdentityKind.SERVICE, "token", credential_id=credential)


def serve(config: Path) -> int:
    """Run the gateway until a signal ends it. The exit code; errors of the start are told in one line."""
    try:
        return _serve(config)
    except StoreFailed as error:
        # the policy may lie there as well: without the store nothing is served
        log(f"the gateway can't start: {error.public}{f' ({error.detail})' if error.detail else ''}")
        return 1
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
    _make_administrator(config, settings, lambda: read_file(config, rules_of(specs)))
    node = node_of(state)
    signing = SigningKey.load(kept(state / "checkpoint.key", lambda: SigningKey.generate().private_pem()))
    (state / "checkpoint.pub").write_bytes(signing.public_pem())
    tls, renew = _tls(settings)
    writer = os.urandom(16).hex()
    supply = None
    if settings.journal.encrypt:
        supply = asyncio.run(key_supply(settings.keepers, settings.database_url, state, node, writer))
    written = Writer(
        journal, node, writer, time.time_ns, boot, os.urandom, settings.journal.synced, keys=supply
    )
    origin = None
    if settings.policy.source == "store":
        origin = StoreOrigin(config, rules_of(specs), store.get, recorder(written), log)
    policy = FilePolicy(config, specs, store, origin)
    if origin is None:
        store.filed = tuple(policy.read().identities.values())
    closing = sealing(settings.keepers, journal, store.get, settings.api.public_url)
    reviews = Reviews(store.get, closing)
    policy.connecting = ByConnecting(store.get, reviews, closing.link, node)
    ports = ControlPorts(
        policy=policy,
        store=LateStore(store),
        journal=written,
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
        bus=None if store.url().get_backend_name() == "sqlite" else Bus(store.url, log),
        nodes=NodeRows(store.get, time.time_ns),
        segment_keys=None
        if supply is None
        else SegmentKeys(wrapping(settings.keepers), supply, os.urandom, log),
        userinfo=userinfo,
        history=LateHistory(store),
        grants=GrantRows(store.get),
        reviews=reviews,
        link=closing.link,
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
        history_days=settings.history_days,
    )
    handles: list[Any] = []

    def started(port: ControlPort) -> None:
        policy.keys, policy.seen = port.issuer_keys, port.seen
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
            seats=settings.roles.seats,
            rate=settings.api.rate.rate,
            policies=revisions(settings.policy.source, config, port, None if origin is None else policy.keep),
            node=node,
            texts=policy,
            reveals=policy.reveals,
            public_url=settings.api.public_url,
            telling=telling(settings.channels, settings.keepers, node, log),
            browsing=browsing(policy.issuers, settings.keepers, settings.api.public_url, ports.decrypt),
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


def _make_administrator(config: Path, settings: Settings, filed: Callable[[], Policy]) -> None:
    """At the first start of a gateway of the embedded defaults, with nobody else to prove who people are."""
    if settings.database_url is not None or not settings.admin_groups or administrator.begun(settings.state):
        return
    read = filed()
    if read.issuers or read.saml or read.mesh is not None:
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
