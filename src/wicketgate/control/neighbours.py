"""Other nodes on the same store: which keys they agree on, what is asked of them, which sessions they see.
It must never do what a message says: what is asked stands in the store, which only nodes write.
"""

import asyncio
import hashlib
import hmac
from collections.abc import Callable, Mapping
from typing import Any, Final

from wicketgate.control.messages import Cancel
from wicketgate.control.ports import SessionRow
from wicketgate.control.shared import NodesPort
from wicketgate.model.errors import GatewayError, NodeSilent
from wicketgate.model.keyring import Keyring
from wicketgate.model.session import CLOSE_REASONS

SHARE_EVERY: Final = 0.5
"""Seconds between two times that others are told of sessions; what is shorter they may never see."""
LOOK_EVERY: Final = 5.0
"""Seconds between looks who the other nodes are."""
SWEEP_EVERY: Final = 60.0
CANCELS: Final = 64
"""Cancels for other nodes that wait. Anybody may ask for a cancel, so that more are dropped."""
CANCEL_EVERY: Final = 0.05
"""Seconds between two times that cancels are sent."""
ANSWER: Final = 3.0
"""Seconds that another node has to take what it is asked."""
PSEUDONYMS: Final = "pseudonyms"


def fingerprint(key: bytes, name: str) -> str:
    """Tells whether two keys are the same, and nothing of them."""
    return hmac.new(key, b"wicketgate fingerprint of " + name.encode(), hashlib.sha256).hexdigest()[:32]


class Neighbours:
    """nodes: None where there can be no other. node: this one's random id. number: its small number.

    rows: the sessions that are open here. end: (session, reason) ends one that is. cancel: for one of ours.
    token: n random bytes.
    """

    def __init__(
        self,
        nodes: NodesPort | None,
        node: str,
        pseudonyms: Keyring,
        rows: Mapping[str, SessionRow],
        end: Callable[[str, str], bool],
        cancel: Callable[[Cancel], None],
        boot: Callable[[], int],
        token: Callable[[int], bytes],
        log: Callable[[str], None],
    ) -> None:
        self._nodes = nodes
        self._node = node
        self._prints = {
            version: fingerprint(key.reveal(), PSEUDONYMS) for version, key in pseudonyms.keys.items()
        }
        self._rows = rows
        self._end = end
        self._cancel = cancel
        self._boot = boot
        self._token = token
        self._log = log
        self._told: set[str] = set()
        self._changed: set[str] = set()
        self._anew = True
        self._known: dict[int, tuple[str, str]] = {}
        self._cancels: dict[tuple[int, str], str] = {}
        self._sending = asyncio.Event()

    # -- life ------------------------------------------------------------------------------------------------
    async def begin(self) -> None:
        """Agree on keys with those who were there before. Raises GatewayError where they have others."""
        if self._nodes is None or not await self._nodes.shared():
            self._nodes = None
            return
        if faults := await self._compare():
            raise GatewayError("\n".join(faults))
        await self._see(self._nodes)

    async def leave(self) -> None:
        """This node ends. Raises GatewayError."""
        if self._nodes is not None:
            await self._nodes.leave(self._node)

    async def work(self) -> None:
        """Tell others of our sessions, and see who they are, again and again."""
        looked = swept = self._boot()
        while (nodes := self._nodes) is not None:
            await asyncio.sleep(SHARE_EVERY)
            now = self._boot()
            try:
                await self._share(nodes)
                if now - looked >= LOOK_EVERY * 1e9:
                    looked = now
                    await self._see(nodes)
                if now - swept >= SWEEP_EVERY * 1e9:
                    swept = now
                    await nodes.sweep()
            except Exception:
                self._anew = True  # what was told, or not, is told again

    async def _see(self, nodes: NodesPort) -> None:
        self._known = {
            each.number: (each.node, each.name)
            for each in await nodes.nodes()
            if each.alive and each.node != self._node
        }

    # -- keys ------------------------------------------------------------------------------------------------
    async def agree(self) -> None:
        """Another node told of keys. Raises GatewayError."""
        for fault in await self._compare():
            if fault not in self._told:
                self._told.add(fault)
                self._log(fault)

    async def _compare(self) -> list[str]:
        """What makes tokens of this node strange to others, or theirs to this one."""
        if self._nodes is None:
            return []
        faults = []
        for version, (found, who) in sorted(
            (await self._nodes.agree(self._node, PSEUDONYMS, self._prints)).items()
        ):
            mine = self._prints.get(version)
            if mine is None:
                wrong = f"lacks version {version}, which node {who[:8]} on this store has"
            elif not hmac.compare_digest(mine, found):
                wrong = f"is not the one (version {version}) that node {who[:8]} on this store has"
            else:
                continue
            faults.append(f"pseudonym.keys {wrong}: copy that node's into the state folder")
        return faults

    # -- sessions --------------------------------------------------------------------------------------------
    def changed(self, session: str) -> None:
        """It was opened here, or closed."""
        if self._nodes is not None:
            self._changed.add(session)

    async def _share(self, nodes: NodesPort) -> None:
        if not self._changed and not self._anew:
            return
        anew, self._anew = self._anew, False
        changed, self._changed = self._changed, set()
        opened = [
            {
                "session": row.session,
                "identity": row.identity,
                "resource": row.resource,
                "database": row.database,
                "account": row.account,
                "source": row.source,
                "opened": row.opened,
            }
            for row in list(self._rows.values())
            if anew or row.session in changed
        ]
        await nodes.share(self._node, opened, changed - self._rows.keys(), anew)

    async def end(self, session: str, reason: str) -> bool:
        """End a session that is open on another node. False: there is none.

        Raises NodeSilent where its node does not take the order in time."""
        nodes = self._nodes
        found = None if nodes is None else next(iter(await nodes.elsewhere(self._node, session)), None)
        if nodes is None or found is None:
            return False
        errand = self._token(16).hex()
        await nodes.send([(errand, found.node, "end", {"session": session, "reason": reason})])
        until = self._boot() + int(ANSWER * 1e9)
        while self._boot() < until:
            if await nodes.taken(errand):
                return True
            await asyncio.sleep(0.05)
        if await nodes.withdraw(errand):
            raise NodeSilent(f"node {found.node_name or found.node[:8]} does not answer: end it there")
        return True

    # -- cancels ---------------------------------------------------------------------------------------------
    def cancel(self, cancel: Cancel) -> None:
        """For a session of another node, if there is such a node."""
        known = self._known.get(cancel.number >> 23)
        if self._nodes is not None and known is not None and len(self._cancels) < CANCELS:
            self._cancels[cancel.number, cancel.proof] = known[0]
            self._sending.set()

    async def send(self) -> None:
        """Send on what clients ask to cancel on other nodes."""
        while (nodes := self._nodes) is not None:
            await self._sending.wait()
            self._sending.clear()
            cancels, self._cancels = self._cancels, {}
            try:
                await nodes.send(
                    (self._token(16).hex(), node, "cancel", {"number": number, "proof": proof})
                    for (number, proof), node in cancels.items()
                )
            except Exception as error:
                self._log(f"cancels for other nodes are lost: {type(error).__name__}")
            await asyncio.sleep(CANCEL_EVERY)

    # -- errands ---------------------------------------------------------------------------------------------
    async def take(self) -> None:
        """Do what other nodes ask. Raises GatewayError where the store is away."""
        nodes = self._nodes
        for errand in () if nodes is None else await nodes.take(self._node):
            body: Mapping[str, Any] = errand.body if isinstance(errand.body, Mapping) else {}
            match errand.kind, dict(body):
                case "end", {"session": str(session), "reason": str(reason)} if reason in CLOSE_REASONS:
                    self._end(session, reason)
                case "cancel", {"number": int(number), "proof": str(proof)} if len(proof) <= 512:
                    self._cancel(Cancel(number, proof))
                case _:
                    self._log("another node asks for what is not known here: it may be newer")
