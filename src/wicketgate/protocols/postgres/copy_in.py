"""COPY … FROM STDIN: what the client sends while the server reads its data (compiled).
It must never let pass what belongs to no COPY, nor let what masks left become data."""

from typing import TYPE_CHECKING, Final

from wicketgate.protocols.postgres.frames import TERMINATE, FrameError, frame, run
from wicketgate.protocols.postgres.ledger import QUERY, Execution, State
from wicketgate.protocols.postgres.parameters import copied
from wicketgate.protocols.postgres.returned import WRITTEN, Carried, kept_by_copy, suspicious

if TYPE_CHECKING:
    from wicketgate.protocols.postgres.units import Units

LARGEST: Final = 64 << 20
"""Bytes of the largest frame taken from a client: a security limit (the server's own is 1 GB)."""
COPY_FAIL: Final = frame(b"f", b"wicketgate refused this data\0")


def copy_frame(units: "Units", data: bytes, at: int, end: int, kind: int) -> int:
    """The server reads COPY data: only what belongs to it passes."""
    state = units.state
    copying = state.copying
    if kind == 100 and copying is not None:
        end, _ = run(data, at, 100, LARGEST, 1 << 30)
        carried = copying.carried
        if carried is None:
            carried = copying.carried = Carried()
        if carried.take(data, at, end) or (suspicious(data[at:end]) and kept_by_copy(data, at, end)):
            return refuse_copy(state, copying, data, at, end)
        copying.record(copied(data, at, end, copying.shape.analysis), state.setting.kept)
        state.up.append(data[at:end])
        return end
    if kind == 99 or kind == 102:
        state.up.append(data[at:end])
        state.copying = None
        step = state.head()
        if step is not None and step.kind == QUERY:
            # another COPY of the same string may come: it would swallow what follows
            state.barrier = step
        return end
    if kind == 72 or kind == 83:  # the server ignores Flush and Sync while it reads COPY data
        return end
    if kind == 88:
        state.up.append(TERMINATE)
        units.finish("client", "08006")
        return end
    raise FrameError("unexpected message during COPY")


def refuse_copy(state: State, copying: Execution, data: bytes, at: int, end: int) -> int:
    """COPY data holds what masks left: the server is made to fail, and the client told why."""
    step = state.head()
    copying.record(copied(data, at, end, copying.shape.analysis), state.setting.kept)
    state.desk.refused(copying.statement, WRITTEN)
    copying.overflow = WRITTEN
    state.up.append(COPY_FAIL)
    state.copying = None
    if step is not None and step.kind == QUERY:
        state.barrier = step
    return end
