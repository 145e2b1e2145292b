"""One statement's way: the proof that it may go, the rows it may bring, how it ended (compiled)."""

from typing import Final

from wicketgate.model.decision import Decision


class Allowance:
    """Rows that may still leave before more must be leased. Shared by all statements under one lease.

    `left` is counted down by the row loop; at nought the protocol asks its desk for more.
    """

    __slots__ = ("left",)

    def __init__(self, left: int) -> None:
        self.left = left


UNLIMITED: Final = 1 << 62


class Clearance:
    """Proof that one statement may be forwarded. Only the gate makes one.

    q: the session's line number of the `ask` that recorded it.
    allowance: rows that may leave.
    """

    __slots__ = ("allowance", "decision", "q", "settled", "started")

    def __init__(self, q: int, decision: Decision, allowance: Allowance, started: int) -> None:
        self.q = q
        self.decision = decision
        self.allowance = allowance
        self.started = started
        self.settled = False


class Outcome:
    """How a statement ended.

    rows: that reached the client. size: bytes of answer that reached the client.
    masked: data class -> number of cells masked.
    code: the protocol's error code (SQLSTATE), None on success. tag: the protocol's completion tag.
    kept: the answer's bytes as the client saw them up to the recording limit; length and sha256 (hex) are of
        the whole answer.
    """

    __slots__ = ("code", "kept", "length", "masked", "rows", "sha256", "size", "tag")

    def __init__(
        self,
        rows: int = 0,
        size: int = 0,
        masked: dict[str, int] | None = None,
        code: str | None = None,
        tag: str | None = None,
        kept: bytes = b"",
        length: int = 0,
        sha256: str | None = None,
    ) -> None:
        self.rows = rows
        self.size = size
        self.masked: dict[str, int] = {} if masked is None else masked
        self.code = code
        self.tag = tag
        self.kept = kept
        self.length = length
        self.sha256 = sha256
