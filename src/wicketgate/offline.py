"""The verbs on accounts and tokens where no gateway runs: straight on the store, recorded by an own writer.
Composition like office.py. It must never make a token that was not recorded, nor touch another's writer."""

import os
import time
from collections.abc import Mapping
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from typing import Any, Final

from wicketgate.admin import access
from wicketgate.admin import identities as accounts
from wicketgate.admin import secrets as verbs
from wicketgate.admin.authorize import Action, Actor, Thing
from wicketgate.admin.ports import Office
from wicketgate.audit import Audit
from wicketgate.custodian import key_supply, vault_of
from wicketgate.identity import tokens
from wicketgate.journal.keyfile import KeySupply
from wicketgate.journal.writer import Writer
from wicketgate.model.errors import GatewayError, JournalFailed
from wicketgate.model.grant import Grant
from wicketgate.model.secret import Secret
from wicketgate.model.token import ServiceAccount, TokenRecord
from wicketgate.office import Site, node_of, open_office, recordings, site
from wicketgate.policy.load import Policy
from wicketgate.store.address import store_url
from wicketgate.store.db import Store
from wicketgate.workshop import boot

RESERVE: Final = 1 << 14
"""Bytes that the writer holds back: it has no sessions to close on a full disk."""
READING: Final = frozenset({"list", "secret-list", "secret-segments", "identity-list", "identity-show"})
"""Verbs that record nothing."""
LOCAL: Final = Actor("local", "local", administrator=True)


class OwnJournal:
    """A writer that is made when there is something to record: one command, one writer, sealed when it ends.

    No control process is told of its seals, so no checkpoint witnesses them.
    """

    def __init__(self, found: Site) -> None:
        self._site = found
        self._writer: Writer | None = None
        self._id = os.urandom(16).hex()
        self._keys: KeySupply | None = None

    async def prepare(self) -> None:
        """Before the first line: the key to encrypt with, where that is wanted. Raises GatewayError."""
        if self._site.encrypt:
            self._keys = await key_supply(
                self._site.keepers, self._site.database_url, self._site.state, self._node(), self._id
            )

    def _node(self) -> str:
        try:
            return node_of(self._site.state)
        except OSError as error:
            raise JournalFailed("the journal can't be written", f"node: {error}") from None

    def record(self, body: bytes | None, head: bytes = b"") -> None:
        """An `admin` line, on the disk when this returns. Raises JournalFailed."""
        if self._writer is None:
            self._writer = Writer(
                self._site.journal,
                self._node(),
                self._id,
                time.time_ns,
                boot,
                os.urandom,
                sync=True,
                reserve=RESERVE,
                keys=self._keys or (KeySupply(self._node(), self._id) if self._site.encrypt else None),
            )
        self._writer.line("admin", None, head, body)
        self._writer.flush()

    def close(self) -> None:
        """Seal and let go. Raises JournalFailed."""
        if self._writer is not None:
            self._writer.close()


class _NoGateway:
    """The control process where none runs: what is put in the store is read when one starts."""

    def __init__(self, policy: Policy | None, journal: OwnJournal) -> None:
        self._policy = policy
        self._journal = journal

    def sessions(self) -> list[Any]:
        return []

    def standing(self) -> Any:
        raise GatewayError("no gateway is running")

    def policy(self) -> Any:
        return self._policy

    def end_session(self, session: str, reason: str = "terminated") -> "Future[bool]":
        return _done(False)

    def reload_policy(self) -> "Future[Any]":
        return _done(self._policy)

    def apply_policy(self, make: Any) -> "Future[Any]":
        raise GatewayError("no gateway is running that could take a policy")

    def put(self, section: str, key: str, value: Mapping[str, Any] | None) -> "Future[None]":
        return _done(None)

    def record(self, head: bytes, body: bytes | None) -> "Future[None]":
        self._journal.record(body, head)
        return _done(None)

    def ask_issuer(self, issuer: str) -> "Future[None]":
        return _done(None)

    def reread(self, secret: Secret) -> "Future[None]":
        return _done(None)

    def attempt(self, outcome: str, source: str, identity: str | None) -> "Future[int]":
        return _done(0)

    def heard_review(self, review: str) -> "Future[None]":
        return _done(None)

    def break_glass(self, grant: Grant, reason: str) -> "Future[None]":
        raise GatewayError("no gateway is running")

    def end_grant(self, grant: str, by: str, what: str) -> "Future[Grant | None]":
        raise GatewayError("no gateway is running")

    def settle_grants(self) -> "Future[None]":
        return _done(None)


def _done(value: Any) -> "Future[Any]":
    future: Future[Any] = Future()
    future.set_result(value)
    return future


def _prepare(found: Site) -> None:
    """Make the state folder. Raises GatewayError where another user's gateway keeps its state there: it could
    not read what we would leave."""
    found.prepare()
    node = found.state / "node"
    if (node if node.exists() else found.state).stat().st_uid != os.geteuid():
        raise GatewayError(f"{found.state} is another user's: run this as the user that runs the gateway")


async def new_account(
    found: Site, account: ServiceAccount, lifetime: int | None, now: int
) -> tuple[Secret, TokenRecord]:
    """A service account and its first token, straight into the store. lifetime: seconds, None: no end."""
    _prepare(found)
    store = await Store.open(store_url(found.database_url, found.state))
    journal = OwnJournal(found)
    try:
        await journal.prepare()
        expires = None if lifetime is None else now + lifetime * 1_000_000_000
        secret, record = tokens.issue(account.name, now, os.urandom, expires=expires, note="made by init")
        thing = Thing("identity", account.name, account.name)
        journal.record(
            access.admin_line(
                LOCAL, Action.ISSUE_TOKEN, thing, token=record.id, expires=expires, created=True
            )
        )
        await store.put_identity(account, now)
        await store.add_token(record)
    finally:
        journal.close()
        await store.close()
    return secret, record


async def on_store(config: Path, verb: str, argument: Any) -> Any:
    """The verbs on tokens, straight on the store: `issue` (as POST /tokens takes it), `list` (an identity or
    None), `revoke` (an id); on secrets: `secret-set` (name and value), `secret-list` (None), `secret-rotate`
    (None), `secret-segments` (None), `secret-remove` (a name); on accounts: `identity-list` (a group or
    None), `-show` (a name), `-add` (as POST takes it), `-change` (name and what PATCH takes), `-remove` (a
    name). Answers as the API does. Only for whoever may read the store's file."""
    from wicketgate.api import shapes
    from wicketgate.policies import held_policy

    found = site(config)
    if verb in READING:
        found.prepare()
    else:
        _prepare(found)
    policy = await held_policy(config)
    journal = OwnJournal(found)
    try:
        if verb not in READING:
            await journal.prepare()
        async with open_office(
            found.database_url,
            found.state,
            policy.identities.values,
            _NoGateway(policy, journal),
            recordings(found.journal, found.state, config),
            frozenset(),
            Audit(config),
            partial(vault_of, found.keepers, found.journal),
        ) as office:
            if verb.startswith("secret"):
                return await _on_secrets(office, verb, argument)
            if verb.startswith("identity"):
                return await _on_identities(office, verb, argument)
            now = office.clock()
            if verb == "issue":
                issued = await shapes.issue(office, LOCAL, shapes.TokenWanted.model_validate(argument))
                return issued.model_dump()
            if verb == "revoke":
                revoked = await access.revoke_token(office, LOCAL, argument)
                return shapes.TokenShown.of(revoked, now).model_dump()
            listed = await access.list_tokens(office, LOCAL, argument)
            return [shapes.TokenShown.of(each, now).model_dump() for each in listed]
    finally:
        journal.close()


async def _on_secrets(office: Office, verb: str, argument: Any) -> Any:
    from wicketgate.api import secrets

    if verb == "secret-set":
        name, value = argument
        try:
            wanted = secrets.SecretWanted.model_validate({"value": value})
        except ValueError:
            raise access.Refused(f"a secret is 1 to {secrets.LONGEST} characters") from None
        return (await secrets.put(office, LOCAL, name, wanted)).model_dump()
    if verb == "secret-remove":
        return await verbs.remove_secret(office, LOCAL, argument)
    if verb == "secret-rotate":
        return (await secrets.rotated(office, LOCAL)).model_dump()
    if verb == "secret-segments":
        return [each.model_dump() for each in await secrets.segment_keys(office, LOCAL)]
    return [each.model_dump() for each in await secrets.listed(office, LOCAL)]


async def _on_identities(office: Office, verb: str, argument: Any) -> Any:
    from wicketgate.api import identities

    match verb:
        case "identity-list":
            found = await accounts.list_identities(office, LOCAL, group=argument)
            return [identities.IdentityShown.of(each).model_dump() for each in found]
        case "identity-add":
            wanted = identities.IdentityWanted.model_validate(argument)
            made = await accounts.make_identity(office, LOCAL, wanted.account)
        case "identity-change":
            name, change = argument
            wanted_change = identities.IdentityChange.model_validate(change)
            made = await accounts.change_identity(office, LOCAL, name, wanted_change.change)
        case "identity-remove":
            await accounts.remove_identity(office, LOCAL, argument)
            return None
        case _:
            made = await accounts.show_identity(office, LOCAL, argument)
    return identities.IdentityShown.of(made).model_dump()
