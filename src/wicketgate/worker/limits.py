"""What a worker is told to bound itself by: Welcome.settings, typed and read once."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class WorkerLimits:
    """Times in seconds, sizes in bytes.

    handshake: for one, whole. handshakes: under way at once, of all and of one source. sessions: open in
    this worker at most. hold, end: without a commit so long, new work waits, and sessions end. journal_retry:
    a worker without a journal refuses sessions so long before it ends, to be replaced. kept: of an answer,
    in the journal. buffer: what a conversation may hold.
    """

    handshake: float = 10.0
    handshakes: int = 1024
    handshakes_per_source: int = 256
    sessions: int = 20_000
    sessions_per_identity: int = 1000
    dial: float = 10.0
    hold: float = 3.0
    end: float = 15.0
    journal_retry: float = 5.0
    kept: int = 65_536
    buffer: int = 1 << 20

    @classmethod
    def read(cls, settings: Mapping[str, Any]) -> "WorkerLimits":
        """From the settings as the control process sends them (JSON); what it leaves out has its default.

        Raises ValueError, TypeError for a value that is no number.
        """
        usual = cls()
        return cls(
            handshake=float(settings.get("handshake_seconds", usual.handshake)),
            handshakes=int(settings.get("handshakes", usual.handshakes)),
            handshakes_per_source=int(settings.get("handshakes_per_source", usual.handshakes_per_source)),
            sessions=int(settings.get("sessions", usual.sessions)),
            sessions_per_identity=int(settings.get("sessions_per_identity", usual.sessions_per_identity)),
            dial=float(settings.get("dial_seconds", usual.dial)),
            hold=float(settings.get("hold_seconds", usual.hold)),
            end=float(settings.get("end_seconds", usual.end)),
            journal_retry=float(settings.get("journal_retry", usual.journal_retry)),
            kept=int(settings.get("kept", usual.kept)),
            buffer=int(settings.get("buffer", usual.buffer)),
        )
