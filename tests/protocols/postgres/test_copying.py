"""COPY under a mask: every format, however the server cuts its frames, against what PostgreSQL writes."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.postgres import playbook as p
from servers.postgres import Postgres
from wicketgate.protocols.postgres.copy_format import BINARY, CSV, TEXT, CopyFormat, format_of
from wicketgate.protocols.postgres.copying import SIGNATURE, Copying, CopyPlan
from wicketgate.protocols.postgres.frames import FrameError, frame
from wicketgate.protocols.postgres.maskers import Mark, Masker, Texts
from wicketgate.sql.parse import parse

PLAIN = CopyFormat(TEXT, 9, b"\\N", 34, 34, False)
COMMA = CopyFormat(CSV, 44, b"", 34, 34, False)
BYTES = CopyFormat(BINARY, 9, b"\\N", 34, 34, False)


class Keep(Masker):
    """Shows every value as it is, and notes them."""

    def __init__(self) -> None:
        self.seen: list[bytes | None] = []

    def mask(self, values: list[bytes | None]) -> list[bytes | None]:
        self.seen += values
        return values


def plan(form: CopyFormat, width: int, columns: dict[int, Masker]) -> CopyPlan:
    return CopyPlan(form, width, list(columns), list(columns.values()), ["email"] * len(columns))


def fed(made: CopyPlan, *payloads: bytes, counted: dict[str, int] | None = None) -> list[bytes]:
    """The payloads of the frames that come out."""
    copying = Copying(made)
    counts = counted if counted is not None else {}
    out = b""
    for payload in payloads:
        data = b"x" + frame(b"d", payload)
        out += copying.feed(data, 1, len(data), counts)
    out += copying.finish(counts)
    found = []
    while out:
        assert out[:1] == b"d"
        size = int.from_bytes(out[1:5], "big")
        found.append(out[5 : 1 + size])
        out = out[1 + size :]
    return found


MARK = Mark(b"[redacted:email]")


@pytest.mark.parametrize(
    ("form", "given_row", "masked"),
    [
        (PLAIN, b"1\talice\tx\n", b"1\t[redacted:email]\tx\n"),
        (PLAIN, b"1\t\\N\tx\n", b"1\t\\N\tx\n"),
        (PLAIN, b"\\t\t\\\\N\t\\N\n", b"\\t\t[redacted:email]\t\\N\n"),
        (PLAIN, b"\\\\\t\\\n\tx\n", b"\\\\\t[redacted:email]\tx\n"),
        (CopyFormat(TEXT, 124, b"", 34, 34, False), b"a\\|b||c\n", b"a\\|b||c\n"),
        (CopyFormat(TEXT, 124, b"\\N", 34, 34, False), b"a\\|b||c\n", b"a\\|b|[redacted:email]|c\n"),
        (COMMA, b"1,alice,x\n", b"1,[redacted:email],x\n"),
        (COMMA, b"1,,x\n", b"1,,x\n"),
        (COMMA, b'1,"",x\n', b"1,[redacted:email],x\n"),
        (COMMA, b'"a,""b\n","x\n,""",\n', b'"a,""b\n",[redacted:email],\n'),
        (CopyFormat(CSV, 44, b"[redacted:email]", 34, 34, False), b"1,a,\n", b'1,"[redacted:email]",\n'),
        (CopyFormat(CSV, 58, b"", 34, 34, False), b"1:a:\n", b'1:"[redacted:email]":\n'),
        (
            CopyFormat(CSV, 44, b"", 39, 92, False),
            b"'\\'\\\\,',',\\'',x\n",
            b"'\\'\\\\,',[redacted:email],x\n",
        ),
        # what is asked for is what quotes go by, and what the mask holds
        (CopyFormat(CSV, 44, b"", 34, 34, False, True), b'"1","alice",\n', b'"1","[redacted:email]",\n'),
        (CopyFormat(CSV, 44, b"", 53, 53, False), b"1,555x5,\n", b"1,[redacted:email],\n"),
        (CopyFormat(CSV, 44, b"", 97, 97, False), b"1,x,\n", b"1,a[redaacted:emaail]a,\n"),
        (CopyFormat(CSV, 44, b"alice", 34, 34, False), b'1,"alice",x\n', b"1,[redacted:email],x\n"),
    ],
)
def test_rows(form: CopyFormat, given_row: bytes, masked: bytes) -> None:
    made = plan(form, 3, {1: MARK})
    assert fed(made, given_row) == [masked]
    assert fed(made, given_row + given_row, given_row) == [masked] * 3
    assert fed(made, *[given_row[at : at + 1] for at in range(len(given_row))]) == [masked]


def test_counts_and_nulls() -> None:
    counted: dict[str, int] = {}
    made = plan(PLAIN, 2, {0: MARK, 1: Masker()})
    assert fed(made, b"a\tb\n", b"\\N\tb\n", counted=counted) == [b"[redacted:email]\t\\N\n", b"\\N\t\\N\n"]
    assert counted == {"email": 3}


def test_a_header_passes() -> None:
    made = plan(CopyFormat(CSV, 44, b"", 34, 34, True), 2, {1: MARK})
    assert fed(made, b'id,"e\nmail"\n', b"1,a\n") == [b'id,"e\nmail"\n', b"1,[redacted:email]\n"]
    assert fed(made, b'id,"e\n', b'mail"\n1,a\n') == [b'id,"e\nmail"\n', b"1,[redacted:email]\n"]
    assert fed(made) == []
    assert fed(made, b"id,email\n") == [b"id,email\n"]


HEADER = SIGNATURE + bytes(8)


def cells(*values: bytes | None) -> bytes:
    out = len(values).to_bytes(2, "big")
    for value in values:
        out += b"\xff\xff\xff\xff" if value is None else len(value).to_bytes(4, "big") + value
    return out


def test_binary_rows() -> None:
    made = plan(BYTES, 2, {1: MARK})
    rows = [HEADER + cells(b"1", b"a"), cells(None, None), cells(b"", b""), b"\xff\xff"]
    masked = [
        HEADER + cells(b"1", b"[redacted:email]"),
        cells(None, None),
        cells(b"", b"[redacted:email]"),
        b"\xff\xff",
    ]
    assert fed(made, *rows) == masked
    assert fed(made, b"".join(rows)) == masked
    text = b"".join(rows)
    assert fed(made, *[text[at : at + 1] for at in range(len(text))]) == masked
    assert fed(made, HEADER, *rows[1:]) == [HEADER + masked[1], *masked[2:]]
    assert fed(made, HEADER + b"\xff\xff") == [HEADER + b"\xff\xff"]
    assert (
        fed(made, SIGNATURE + b"\0\0\0\0\0\0\0\2xy" + rows[1], rows[3])[0]
        == SIGNATURE + b"\0\0\0\0\0\0\0\2xy" + rows[1]
    )


@pytest.mark.parametrize(
    ("form", "payloads"),
    [
        (PLAIN, [b"1\n"]),
        (PLAIN, [b"1\t2\t3\n"]),
        (PLAIN, [b"1\t2"]),
        (PLAIN, [b"1\t\\"]),
        (PLAIN, [b"1\t\\101\n"]),
        (PLAIN, [b"1\t\\x41\n"]),
        (PLAIN, [b"\n"]),
        (COMMA, [b'1,"a"b\n']),
        (COMMA, [b'1,a"b\n']),
        (COMMA, [b'1,"a\n']),
        (COMMA, [b"1,2,3\n"]),
        (COMMA, [b"1\n"]),
        (BYTES, [b"PGCOPX"]),
        (BYTES, [b"1\t2\n"]),
        (BYTES, [SIGNATURE + b"\0\1\0\0\0\0\0\0" + cells(b"1", b"2") + b"\xff\xff"]),
        (BYTES, [SIGNATURE + b"\0\0\0\0\xff\xff\xff\xff" + cells(b"1", b"2") + b"\xff\xff"]),
        (BYTES, [HEADER + cells(b"1", b"2")]),
        (BYTES, [HEADER]),
        (BYTES, []),
        (BYTES, [HEADER + cells(b"1") + b"\xff\xff"]),
        (BYTES, [HEADER + cells(b"1", b"2")[:-1]]),
        (BYTES, [HEADER + b"\0\2\xff\xff\xff\xfe\0\0\0\0\xff\xff"]),
        (BYTES, [HEADER + b"\xff\xff", b"\xff\xff"]),
        (BYTES, [HEADER + b"\xff\xff" + cells(b"1", b"2")]),
        (BYTES, [HEADER + b"\xff\xff", cells(b"1", b"2")]),
        (BYTES, [HEADER + b"\xff\xfe"]),
    ],
)
def test_what_is_no_row_does_not_pass(form: CopyFormat, payloads: list[bytes]) -> None:
    with pytest.raises(FrameError):
        fed(plan(form, 2, {1: MARK}), *payloads)


TEXTS = st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=8) | st.text(
    alphabet="\t\n\r\\N,\"'|.a\x01", max_size=8
)
ROWS = st.lists(st.lists(st.none() | TEXTS.map(str.encode), min_size=3, max_size=3), max_size=5)
FORMS = st.sampled_from(
    [
        PLAIN,
        COMMA,
        CopyFormat(TEXT, 124, b"\\N", 34, 34, False),
        CopyFormat(TEXT, 1, b"\\N", 34, 34, False),
        CopyFormat(CSV, 9, b"\\N", 39, 92, False),
        CopyFormat(CSV, 44, b"a", 34, 39, False),
        CopyFormat(CSV, 44, b"", 34, 34, True),
    ]
)


def written(rows: list[list[bytes | None]], form: CopyFormat) -> bytes:
    """As PostgreSQL's copyto.c writes them."""
    lines = [b"a,b,c\n"] if form.header else []
    escapes = dict(
        zip(b"\b\f\n\r\t\v\\", (b"\\b", b"\\f", b"\\n", b"\\r", b"\\t", b"\\v", b"\\\\"), strict=True)
    )
    for row in rows:
        line = []
        for value in row:
            if value is None:
                line.append(form.null)
            elif form.kind == TEXT:
                delimiter = {form.delimiter: b"\\" + bytes([form.delimiter])}
                line.append(b"".join([{**delimiter, **escapes}.get(code, bytes([code])) for code in value]))
            else:
                special = {form.delimiter, form.quote, 10, 13}
                if value == form.null or value == b"\\." or special & set(value):
                    escape = bytes([form.escape])
                    inner = b"".join(
                        [escape + bytes([c]) if c in (form.quote, form.escape) else bytes([c]) for c in value]
                    )
                    value = bytes([form.quote]) + inner + bytes([form.quote])
                line.append(value)
        lines.append(bytes([form.delimiter]).join(line) + b"\n")
    return b"".join(lines)


@given(ROWS, FORMS, st.integers(1, 40))
def test_cells_are_read_and_written_as_the_server_does(
    rows: list[list[bytes | None]], form: CopyFormat, step: int
) -> None:
    keep = Keep()
    text = written(rows, form)
    out = fed(
        plan(form, 3, {0: Masker(), 1: keep}), *[text[at : at + step] for at in range(0, len(text), step)]
    )
    assert keep.seen == [row[1] for row in rows]
    assert b"".join(out) == written([[None, *row[1:]] for row in rows], form)
    assert len(out) == len(rows) + (1 if form.header else 0)


@given(
    st.binary(max_size=60) | st.text(alphabet='a,"\n\\', max_size=30).map(str.encode), FORMS | st.just(BYTES)
)
def test_any_bytes_end_in_rows_or_an_error(text: bytes, form: CopyFormat) -> None:
    import contextlib

    with contextlib.suppress(FrameError):
        out = fed(plan(form, 3, {0: MARK, 1: MARK, 2: MARK}), HEADER + text if form is BYTES else text)
        if not form.header:
            assert b"b" not in b"".join(out).replace(b"[redacted:email]", b"")


@pytest.mark.parametrize(
    ("options", "form"),
    [
        ("", (TEXT, b"\t", b"\\N", b'"', b'"', False)),
        ("(FORMAT text, DELIMITER '|', NULL '')", (TEXT, b"|", b"", b'"', b'"', False)),
        ("WITH DELIMITER '|' NULL AS '\\N'", (TEXT, b"|", b"\\N", b'"', b'"', False)),
        ("CSV HEADER", (CSV, b",", b"", b'"', b'"', True)),
        ("(FORMAT csv, HEADER off, QUOTE '''')", (CSV, b",", b"", b"'", b"'", False)),
        ("(FORMAT CSV, HEADER 1, ESCAPE '\\', NULL 'x')", (CSV, b",", b"x", b'"', b"\\", True)),
        ("(FORMAT csv, FORCE_QUOTE *, ENCODING 'UTF-8')", (CSV, b",", b"", b'"', b'"', False)),
        ("(FORMAT csv, FORCE_QUOTE (a))", (CSV, b",", b"", b'"', b'"', False)),
        ("CSV FORCE QUOTE a, b", (CSV, b",", b"", b'"', b'"', False)),
        ("BINARY", (BINARY, b"\t", b"\\N", b'"', b'"', False)),
        ("(FORMAT 'CSV')", None),
        ("(FORMAT xml)", None),
        ("(NULL 'alice@example.com')", None),
        ("(NULL 'x')", None),
        ("(DELIMITER 'ab')", None),
        ("(DELIMITER 'é')", None),
        ("(FORMAT csv, QUOTE '')", None),
        ("(FORMAT csv, QUOTE)", None),
        ("(ENCODING 'LATIN1')", None),
        ("(ENCODING)", None),
        ("(FORMAT csv, FORMAT text)", None),
        ("(HEADER match)", None),
        ("(HEADER 2)", None),
        ("(something 'new')", None),
    ],
)
def test_options(options: str, form: tuple[Any, ...] | None) -> None:
    [member] = parse(f"COPY t TO STDOUT {options}".encode()).members
    found = format_of(member.body)
    if form is None:
        assert found is None
        return
    assert found is not None
    read = (
        found.kind,
        bytes([found.delimiter]),
        found.null,
        bytes([found.quote]),
        bytes([found.escape]),
        found.header,
    )
    assert read == form
    assert found.forced == ("FORCE" in options)


def test_an_announcement_must_agree() -> None:
    made = plan(COMMA, 2, {1: MARK})
    assert made.agrees(b"\0\0\2\0\0\0\0")
    for body in (b"\1\0\2\0\1\0\1", b"\0\0\3\0\0\0\0\0\0", b"", b"\0\0"):
        assert not made.agrees(body)
    assert plan(BYTES, 2, {1: MARK}).agrees(b"\1\0\2\0\1\0\1")


QUERY = """(VALUES (1, 'alice@example.com', 'x'), (2, NULL, ''), (3, '', E'a\\tb\\\\c\\nd'), (4, '\\N', NULL),
 (5, E'qu"ote,\\r|', '\\.'), (6, repeat('ü', 3000), '"'))"""


@pytest.mark.parametrize(
    "options",
    [
        "",
        "(FORMAT text, DELIMITER '|')",
        "CSV HEADER",
        "(FORMAT csv, FORCE_QUOTE *, NULL 'NULL')",
        "(FORMAT csv, QUOTE '''', ESCAPE '\\', DELIMITER E'\\t')",
        "(FORMAT csv, DELIMITER 'e')",
        "BINARY",
    ],
)
def test_a_real_server_reads_what_was_masked(postgres: Postgres, options: str) -> None:
    text = f"COPY {QUERY} TO STDOUT {options}"
    form = format_of(parse(text.encode()).members[0].body)
    assert form is not None
    with postgres.connect(database=postgres.database()) as connection:
        connection.execute("CREATE TABLE t (id int, email text, note text)")
        with connection.cursor().copy(text) as copy:
            payloads = [bytes(payload) for payload in copy]
        made = plan(form, 3, {1: Texts("partial", "email", 0, False)})
        masked = fed(made, *payloads)
        assert len(masked) == len(payloads)
        with connection.cursor().copy(f"COPY t FROM STDIN {options.replace(', FORCE_QUOTE *', '')}") as copy:
            for payload in masked:
                copy.write(payload)
        rows = connection.execute("SELECT email, note FROM t ORDER BY id").fetchall()
        mark = "[redacted:email]"
        assert [email for email, _ in rows] == ["a***@example.com", None, mark, mark, "q***|", mark]
        assert [note for _, note in rows] == ["x", "", "a\tb\\c\nd", None, "\\.", '"']


def test_lineage_tells_the_columns() -> None:
    from protocols.postgres.test_plan import ENVIRONMENT, LAST4, REVEAL
    from wicketgate.protocols.postgres.copy_plan import copy_plan_for
    from wicketgate.sql.resolve import resolve

    def told(text: str, decision: Any = LAST4) -> list[tuple[int, type[Masker]]] | None:
        [member] = parse(text.encode()).members
        found = copy_plan_for(member, resolve(member, ENVIRONMENT), p.CATALOG, decision)
        return None if found is None else list(zip(found.columns, map(type, found.maskers), strict=True))

    assert told("COPY customers TO STDOUT") == [(1, Texts)]
    assert told("COPY customers TO STDOUT", p.PERMIT) == [(1, Mark)]
    assert told("COPY customers TO STDOUT", REVEAL) == []
    assert told("COPY customers (email, id) TO STDOUT BINARY") == [(0, Texts)]
    assert told("COPY (SELECT id, email FROM customers) TO STDOUT CSV") == [(1, Texts)]
    assert told("COPY (SELECT x FROM (SELECT email AS x FROM customers) s) TO STDOUT CSV") == [(0, Texts)]
    assert told("COPY (SELECT coalesce(email, '') FROM customers) TO STDOUT CSV") == [(0, Masker)]
    assert told("COPY customers TO STDOUT (NULL 'alice@example.com')") is None
    assert told("COPY customers TO STDOUT (ENCODING 'LATIN1')") is None
    assert told("COPY customers TO '/tmp/x'") is None
    assert told("COPY customers TO PROGRAM 'cat'") is None
