"""COPY data from a client: what masks left is found wherever messages end."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from wicketgate.protocols.postgres.frames import frame
from wicketgate.protocols.postgres.returned import Carried, kept_by_copy

MARKS = (
    b"wkp1_" + b"Ab-_" * 12,
    b"[redacted:email]",
    b"[redacted]",
    b"a***@example.com",
    b"****-****-****-7738",
    b"a***z",
    "Fre…".encode(),
)
PLAIN = st.lists(st.sampled_from([b"1", b"wkp", b"[red", b"*", b"text", b"", b"x" * 2000]), max_size=4)


def refused(data: bytes, cuts: list[int], together: bool) -> bool:
    """Whether one of the messages is refused, each by itself or all that came in one read."""
    places = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    frames = [frame(b"d", data[at:end]) for at, end in pairwise(places)]
    carried = Carried()
    for each in [b"".join(frames)] if together else frames:
        if carried.take(each, 0, len(each)) or kept_by_copy(each, 0, len(each)):
            return True
    return False


@given(
    before=PLAIN,
    mark=st.sampled_from(MARKS),
    after=PLAIN,
    between=st.sampled_from([b"\t", b"\n", b",", b'","']),
    cuts=st.lists(st.integers(0, 3000), max_size=6),
    together=st.booleans(),
)
def test_a_mark_is_found_wherever_it_is_cut(
    before: list[bytes], mark: bytes, after: list[bytes], between: bytes, cuts: list[int], together: bool
) -> None:
    data = between.join([*before, mark, *after]) + b"\n"
    assert refused(data, [], False)
    assert refused(data, cuts, together)
    assert refused(data, list(range(len(data))) if len(data) < 300 else cuts, together)


@given(
    cells=PLAIN,
    between=st.sampled_from([b"\t", b"\n", b","]),
    cuts=st.lists(st.integers(0, 3000), max_size=6),
    together=st.booleans(),
)
def test_other_data_passes(cells: list[bytes], between: bytes, cuts: list[int], together: bool) -> None:
    data = between.join(cells) + b"\n"
    assert not refused(data, [], False)
    assert not refused(data, cuts, together)
