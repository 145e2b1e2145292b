"""One PostgreSQL session, sans I/O: units (the client's side) and answers (the server's side) (compiled).
It never forwards what the gate has not cleared, and never shows what has not been recorded."""

from wicketgate.model.decision import Denial
from wicketgate.protocols.conversing import Conversation, Setting
from wicketgate.protocols.postgres.answers import Answers
from wicketgate.protocols.postgres.frames import TERMINATE
from wicketgate.protocols.postgres.ledger import State
from wicketgate.protocols.postgres.messages import error_frame
from wicketgate.protocols.postgres.names import Names
from wicketgate.protocols.postgres.types import Names as Tokens
from wicketgate.protocols.postgres.units import DEPTH, Units
from wicketgate.sql.path import read_path


class PostgresConversation(Conversation):
    """See protocols.conversing.Conversation."""

    def __init__(
        self,
        setting: Setting,
        names: Names,
        cancel_packet: bytes,
        welcome: bytes,
        search_path: str | None,
        tokens: Tokens | None = None,
    ) -> None:
        self.state = State(setting, names, tokens)
        self.units = Units(self.state)
        self.answers = Answers(self.state, self.units)
        self.units.answers = self.answers
        self.packet = cancel_packet
        self.state.down.append(welcome)
        self.buffer = setting.buffer
        if search_path is not None:
            names.reported = read_path(search_path)
            if names.reported is not None:
                names.path(names.reported)

    @property
    def over(self) -> str | None:
        return self.state.over

    @property
    def pause_client(self) -> bool:
        units = self.units
        return units.waiting != 0 and (units.size > self.buffer or units.waiting == DEPTH)

    @property
    def pause_upstream(self) -> bool:
        return self.answers.paused

    def receive_client(self, data: bytes) -> None:
        self.units.receive(data)

    def receive_upstream(self, data: bytes) -> None:
        self.answers.receive(data)

    def to_client(self) -> bytes:
        down = self.state.down
        if not down:
            return b""
        taken = down[0] if len(down) == 1 else b"".join(down)
        down.clear()
        return taken

    def to_upstream(self) -> bytes:
        up = self.state.up
        if not up:
            return b""
        taken = up[0] if len(up) == 1 else b"".join(up)
        up.clear()
        return taken

    def client_gone(self) -> None:
        if self.state.over is None:
            self.state.up.append(TERMINATE)
        self.units.finish("client", "08006")

    def upstream_gone(self, detail: str) -> None:
        self._last_word(Denial("upstream", "The database closed the connection.", detail))
        self.units.finish("upstream", "08006")

    def end(self, denial: Denial, reason: str) -> None:
        state = self.state
        if state.over is None:
            state.up.append(TERMINATE)
            if state.steps:
                # The server reads no Terminate while it works.
                state.host.cancel_upstream()
        self._last_word(denial)
        self.units.finish(reason, "57P01")

    def cancel(self) -> bool:
        if self.state.over is not None:
            return False
        return self.answers.rows.cancel() or self.units.cancel()

    def cancel_request(self) -> bytes:
        return self.packet

    def idle(self) -> bool:
        state = self.state
        return state.fresh and not state.steps and state.transaction == b"I" and not self.units.waiting

    def _last_word(self, denial: Denial) -> None:
        """Why the session ends, unless it has ended, or stands in the middle of a row."""
        if self.state.over is None and not self.answers.rows.through:
            self.state.down.append(error_frame(denial, "FATAL"))
