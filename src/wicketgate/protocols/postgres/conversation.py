"""One PostgreSQL session, sans I/O: units (the client's side) and answers (the server's side).
It never forwards what the gate has not cleared, and never shows what has not been recorded."""

from wicketgate.model.decision import Denial
from wicketgate.protocols.base import Setting
from wicketgate.protocols.postgres.answers import Answers
from wicketgate.protocols.postgres.frames import TERMINATE
from wicketgate.protocols.postgres.ledger import State
from wicketgate.protocols.postgres.messages import error_frame
from wicketgate.protocols.postgres.names import Names
from wicketgate.protocols.postgres.units import VERDICT, Units
from wicketgate.sql.path import read_path


class PostgresConversation:
    """See protocols.base.Conversation."""

    def __init__(
        self, setting: Setting, names: Names, cancel_packet: bytes, welcome: bytes, search_path: str | None
    ) -> None:
        self.state = State(setting, names)
        self.units = Units(self.state)
        self.answers = Answers(self.state, self.units)
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
        return self.units.waiting != 0 and self.units.size > self.buffer

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
        self._settle("client")
        if self.state.over is None:
            self.state.up.append(TERMINATE)
            self.state.over = "client"

    def upstream_gone(self, detail: str) -> None:
        if self.state.over is None:
            denial = Denial("upstream", "The database closed the connection.", detail)
            self.state.down.append(error_frame(denial, "FATAL"))
            self.state.over = "upstream"
        self._settle("08006")

    def end(self, denial: Denial, reason: str) -> None:
        if self.state.over is None:
            self.state.down.append(error_frame(denial, "FATAL"))
            self.state.up.append(TERMINATE)
            self.state.over = reason
        self._settle("57P01")

    def cancel(self) -> bool:
        return bool(self.state.steps) and self.units.waiting != VERDICT

    def cancel_request(self) -> bytes:
        return self.packet

    def idle(self) -> bool:
        return not self.state.steps and self.state.transaction == b"I" and not self.units.waiting

    def _settle(self, code: str) -> None:
        """Whatever was forwarded and not answered ends here."""
        state = self.state
        while state.steps:
            step = state.steps.popleft()
            open_ones = step.executions[step.index :] if step.executions else []
            if step.execution is not None:
                open_ones = [step.execution]
            for execution in open_ones:
                if not execution.clearance.settled:
                    outcome = execution.outcome(code, None)
                    state.desk.settle(execution.clearance, outcome)
