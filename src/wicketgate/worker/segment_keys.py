"""A worker's keys for its journal, asked of the control process ahead of use.
It must never let a writer wait for one, nor do without."""

from wicketgate.journal.encrypt import LENGTH
from wicketgate.journal.keyfile import KeySupply, SegmentKey
from wicketgate.model.errors import GatewayError
from wicketgate.worker.ports import AskPort
from wicketgate.worker.tasks import Tasks

PAUSE = 10
"""Looks between two questions, where the first was not answered with a key (1 s)."""


class KeysAhead:
    """Fills a writer's supply: the first key before it is opened, each further one when it is due."""

    def __init__(self, asks: AskPort, node: str, writer: str) -> None:
        self._asks = asks
        self._asking = False
        self._pause = 0
        self.supply = KeySupply(node, writer)

    async def fetch(self) -> str | None:
        """Ask for the key that is wanted. Why there is none, or None."""
        segment = self.supply.wanted
        if segment is None:
            return None
        self._asking, self._pause = True, PAUSE
        try:
            answer = await self._asks.ask("segment", {"segment": segment})
            if answer.denial is not None:
                return answer.denial[2]
            wrapped = answer.body.get("wrapped")
            if answer.secret is None or not isinstance(wrapped, str) or not wrapped:
                return "the answer holds no key"
            if len(answer.secret.reveal()) != LENGTH:
                return "the answer holds no key of 32 bytes"
            self.supply.put(segment, SegmentKey(answer.secret, wrapped))
            self._pause = 0
        except GatewayError as error:
            return error.detail or error.public
        finally:
            self._asking = False
        return None

    def look(self, tasks: Tasks) -> None:
        """Called every 100 ms: ask, where a key is wanted and nobody asks yet."""
        if self.supply.wanted is None or self._asking:
            return
        if self._pause:
            self._pause -= 1
            return
        self._asking = True
        tasks.start(self._again(), "journal key")

    async def _again(self) -> None:
        await self.fetch()
