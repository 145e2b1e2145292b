"""Each class by a table of what is found and what is not; then what holds of every cell."""
# ruff: noqa: E501 (a row of a table is a line)

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wicketgate.masking.detect import CLASSES, USUAL, Detectors
from wicketgate.model.detector import Custom

ALL = Detectors(CLASSES)


def masked(text: str | bytes, column: str = "", as_json: bool = False, detectors: Detectors = ALL) -> str:
    value = text.encode() if isinstance(text, str) else text
    out = detectors.mask([value], column, frozenset(), {}, as_json)
    shown = value if out is None else out[0]
    assert shown is not None
    return shown.decode("utf-8", "replace")


FOUND = [
    # email
    ("", "write to alice@example.com.", "write to [redacted:email]."),
    ("", "<Alice.B+tag@Mail.Example.CO.UK>", "<[redacted:email]>"),
    ("", "o'brien@example.com", "[redacted:email]"),
    ("", "'alice@example.com'", "'[redacted:email]'"),
    ("", "josé@exämple.de", "[redacted:email]"),
    ("", "alice＠example．com", "[redacted:email]"),
    ("", "alice%40example.com&x=1", "[redacted:email]&x=1"),
    ("", "a@b.co,c@d.org;e@f.net", "[redacted:email],[redacted:email];[redacted:email]"),
    ("", "alice@\u200bexample.com", "[redacted:email]"),
    # payment-card
    ("", "4111111111111111", "[redacted:payment-card]"),
    ("", "4111 1111 1111 1111 and 5500-0000-0000-0004", "[redacted:payment-card] and [redacted:payment-card]"),
    ("", "3782 822463 10005", "[redacted:payment-card]"),
    ("", "4111\u00a01111\u20091111\u202f1111", "[redacted:payment-card]"),
    ("", "4111–1111–1111–1111", "[redacted:payment-card]"),
    ("", "４１１１１１１１１１１１１１１１", "[redacted:payment-card]"),
    ("", "٤١١١١١١١١١١١١١١١", "[redacted:payment-card]"),
    ("", "41 11 11 11 11 11 11 11", "[redacted:payment-card]"),
    ("", "card_4111111111111111_x", "card_[redacted:payment-card]_x"),
    ("", "2026-11-21 10:00 4111111111111111 ok", "2026-11-21 10:00 [redacted:payment-card] ok"),
    ("", "Visa 4222222222222", "Visa [redacted:payment-card]"),
    ("card_number", "30569309025904", "[redacted:payment-card]"),
    # national-id
    ("", "521-44-9031", "[redacted:national-id]"),
    ("ssn", "521449031", "[redacted:national-id]"),
    ("customer_ssn", "521 44 9031", "[redacted:national-id]"),
    ("", "his SSN is 521449031", "his SSN is [redacted:national-id]"),
    ("", "86095742719", "[redacted:national-id]"),
    ("", "65 180539 W 001", "[redacted:national-id]"),
    ("", "15070649C103", "[redacted:national-id]"),
    ("", "255081416802538", "[redacted:national-id]"),
    ("", "2 55 08 14 168 025 38", "[redacted:national-id]"),
    ("", "12345678Z y 12.345.678-Z y X1234567L", "[redacted:national-id] y [redacted:national-id] y [redacted:national-id]"),
    ("", "RSSMRA85T10A562S", "[redacted:national-id]"),
    ("", "rss mra 85t10 a562s", "[redacted:national-id]"),
    ("bsn", "111222333", "[redacted:national-id]"),
    ("", "PESEL 44051401359", "PESEL [redacted:national-id]"),
    ("", "529.982.247-25", "[redacted:national-id]"),
    ("", "Aadhaar: 2341 2341 2346", "Aadhaar: [redacted:national-id]"),
    # iban
    ("", "DE89370400440532013000", "[redacted:iban]"),
    ("", "de89 3704 0044 0532 0130 00.", "[redacted:iban]."),
    ("", "IBAN:GB82-WEST-1234-5698-7654-32", "IBAN:[redacted:iban]"),
    # phone
    ("", "+49 (0)30 123456", "[redacted:phone]"),
    ("", "(415) 555-2671 or 415.555.2671", "[redacted:phone] or [redacted:phone]"),
    ("phone", "030 1234567", "[redacted:phone]"),
    ("", "Tel. 030/1234567", "Tel. [redacted:phone]"),
    ("", "TÉL : 06 12 34 56 78", "TÉL : [redacted:phone]"),
    # addresses of machines
    ("", "from 10.1.2.3:443", "from [redacted:ip-address]:443"),
    ("", "10.1.2.0/24 via 10.1.2.1", "[redacted:ip-address]/24 via [redacted:ip-address]"),
    ("", "[2001:db8::8a2e:370:7334]:80", "[[redacted:ip-address]]:80"),
    ("", "::ffff:192.168.1.7", "[redacted:ip-address]"),
    ("", "fe80::1ff:fe23:4567:890a%eth0", "[redacted:ip-address]%eth0"),
    ("", "00:1b:44:11:3a:b7", "[redacted:mac-address]"),
    ("", "001b.4411.3ab7", "[redacted:mac-address]"),
    # by column or by words
    ("dob", "1990-05-04", "[redacted:birth-date]"),
    ("birth_date", "19900504", "[redacted:birth-date]"),
    ("", "born on May 4, 1990 in Rome", "born on [redacted:birth-date] in Rome"),
    ("", "née le 4 mai 1990", "née le [redacted:birth-date]"),
    ("first_name", "Ann", "[redacted:person-name]"),
    ("billing_address", "12 High Street", "[redacted:address]"),
    # secret
    ("password", "hunter2", "[redacted:secret]"),
    ("api_key", "0123456789abcdef", "[redacted:secret]"),
    ("", "password=hunter2 host=x", "password=[redacted:secret] host=x"),
    ("", "postgres://u:s3cr@t@h:5432/db", "postgres://u:[redacted:secret]@h:5432/db"),
    ("", "https://x/?a=1&access_token=abcdef123456&b=2", "https://x/?a=1&access_token=[redacted:secret]&b=2"),
    ("", "AKIAIOSFODNN7EXAMPLE", "[redacted:secret]"),
    ("", "Authorization: Basic dXNlcjpwYXNzd29yZA==", "Authorization: Basic [redacted:secret]"),
    ("", "x -----BEGIN RSA PRIVATE KEY-----\nMIIE", "x [redacted:secret]"),
    ("", "wkt_aB3dE5fG7hI9jK1lM3nO5pQ7rS9tU1vW3xY5zA7b", "[redacted:secret]"),
    ("", "the secret is kJ8sdfK2lLmN99x0QwErTy", "the secret is [redacted:secret]"),
]  # fmt: skip

KEPT = [
    ("", "git@github.com:org/x"), ("", "icon@2x.png"), ("", "lodash@4.17.21"), ("", "user@localhost"), ("", "https://user@host.example/x"),
    ("", "4111111111111112"), ("", "0.4111111111111111"), ("", "94111111111111111119"), ("tracking_number", "4111111111111111"), ("", "order no. 4111111111111111"), ("", "a4111111111111111"),
    ("", "000-12-3456"), ("", "666-12-3456"), ("", "123-00-4567"), ("", "987-49-4321"), ("", "521449031"), ("sku", "521-44-9031"), ("", "086095742719"), ("order_id", "86095742719"),
    ("", "12345678A"), ("", "111222333"), ("", "234123412346"), ("", "RSSMRA85T10A562T"), ("", "44051401358"),
    ("", "DE88370400440532013000"), ("", "XX89370400440532013000"), ("", "DE8937040044053201300"),
    ("build_id", "0301234567"), ("", "0301234567"), ("id", "4155552671"), ("", "+123"), ("", "UTC+10:30"), ("", "1.5e+1012345678"),
    ("version", "10.1.2.3"), ("", "v10.1.2.3"), ("", "Chrome/119.0.0.0"), ("", "1.2.3.4.5"), ("", "1.2.3.4"), ("", "127.0.0.1"), ("", "999.1.2.3"), ("", "01.02.03.04"),
    ("", "12:34:56"), ("", "std::vector"), ("", "Face::add"), ("", "::1"), ("", "23-10-11-12-34-56"), ("", "aa:bb:cc:dd:ee:ff:00:11:22:33"),
    ("", "1990-05-04"), ("", "born 1990"), ("created_at", "1990-05-04"), ("product_name", "Ann"), ("email_verified", "true"), ("first_name", "42"), ("password", "null"), ("token_count", "123456789"),
    ("", "password: must contain 8 characters"), ("", "password=None"), ("", "token = os.environ['X']"), ("", "password=*****"), ("", "secret = ${SECRET}"), ("", "password == other"), ("", "sk-loading-container"), ("", "eyJub3QiOiJhIGp3dCJ9"),
    ("", "123e4567-e89b-12d3-a456-426614174000"), ("", "2026-11-21 10:48:53.123+00"), ("", "9fceb02d0ae598e95dc970b74767f19372d61af8"),
    ("", "[redacted:email]"), ("", "[redacted]"), ("first_name", "[redacted:person-name]"), ("", "****-****-****-7738"), ("", "a***@example.com"), ("", ""),
]  # fmt: skip


@pytest.mark.parametrize(("column", "text", "shown"), FOUND)
def test_what_is_found(column: str, text: str, shown: str) -> None:
    assert masked(text, column) == shown


@pytest.mark.parametrize(("column", "text"), KEPT)
def test_what_is_left_alone(column: str, text: str) -> None:
    assert masked(text, column) == text


STRUCTURED = [
    ('{"a": "b\\u0040ex.com", "n": 4111111111111111}', '{"a": "[redacted:email]", "n": "[redacted:payment-card]"}'),
    ('{"password": "hunter2", "first_name": "Ann", "id": 521449031}', '{"password": "[redacted:secret]", "first_name": "[redacted:person-name]", "id": 521449031}'),
    ('{"ssn": 521449031, "tags": ["x", {"ssn": "521449031"}]}', '{"ssn": "[redacted:national-id]", "tags": ["x", {"ssn": "[redacted:national-id]"}]}'),
    ('{"alice@example.com": 1}', '{"[redacted:email]": 1}'),
    ('["4111\\u00201111 1111 1111"]', '["[redacted:payment-card]"]'),
    ('"a@b.co"', '"[redacted:email]"'),
    ('[4111,1111,1111,1111]', '[4111,1111,1111,1111]'),
    ('{"x": "{\\"mail\\": \\"a@b.co\\", \\"n\\": 4111111111111111}"}', '{"x": "{\\"mail\\": \\"[redacted:email]\\", \\"n\\": \\"[redacted:payment-card]\\"}"}'),
    ('{"x": "pass\\/word=\\"q\\" password=a\\"b"}', None),
]  # fmt: skip


@pytest.mark.parametrize(("text", "shown"), STRUCTURED)
def test_json_stays_json(text: str, shown: str | None) -> None:
    out = masked(text)
    assert shown is None or out == shown
    json.loads(out)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("{a@b.co,NULL,\"c d@e.org\"}", "{[redacted:email],NULL,\"c [redacted:email]\"}"),
        ('{{4111111111111111,x},{y,"pa\\\\ss"}}', '{{[redacted:payment-card],x},{y,"pa\\\\ss"}}'),
        ('{"{\\"e\\": \\"a@b.co\\"}"}', '{"{\\"e\\": \\"[redacted:email]\\"}"}'),
        ("\\x" + b"mail a@b.co".hex(), "\\x" + b"mail [redacted:email]".hex()),
        ("\\x" + b'{"n":4111111111111111}'.hex(), "\\x" + b'{"n":"[redacted:payment-card]"}'.hex()),
        ("\\xff" + b"a@b.co".hex(), "\\xff" + b"a@b.co".hex()),
        ('(1,a@b.co,"x y")', '(1,[redacted:email],"x y")'),
        ('"k"=>"a@b.co", "n"=>NULL', '"k"=>"[redacted:email]", "n"=>NULL'),
    ],
)  # fmt: skip
def test_arrays_bytea_and_composites_keep_their_form(text: str, shown: str) -> None:
    assert masked(text) == shown


def test_a_number_that_is_a_whole_json_cell_becomes_a_string() -> None:
    assert masked("4111111111111111", as_json=True) == '"[redacted:payment-card]"'
    assert masked("[4111111111111111]", as_json=True) == '["[redacted:payment-card]"]'
    assert masked("12", as_json=True) == "12"


def test_columns_are_masked_together_and_counted() -> None:
    counted: dict[str, int] = {}
    columns: list[list[bytes | None]] = [[b"1", None], [b"a@b.co", b"x"], [b"hi", None], [b"Ann", b"Bob"]]
    out = ALL.mask_columns(columns, ["id", "mail", "note", "first_name"], frozenset({"person-name"}), counted)
    assert out == [None, [b"[redacted:email]", b"x"], None, None]
    assert counted == {"email": 1}
    assert columns[1] == [b"a@b.co", b"x"], "what came in is left as it was"


def test_shown_classes_stay_unless_another_class_reaches_into_them() -> None:
    shown = frozenset({"email"})
    assert ALL.mask([b"a@b.co"], "", shown, {}) is None
    value = b"api_key=alice.k8Xq2@example.com and a@b.co"
    assert ALL.mask([value], "", shown, {}) == [b"api_key=[redacted:secret] and a@b.co"]
    assert masked("api_key=alice.k8Xq2@example.com") == "api_key=[redacted:secret]"


def test_only_the_wanted_classes_are_found() -> None:
    mails = Detectors(["email"])
    assert masked("a@b.co 4111111111111111", detectors=mails) == "[redacted:email] 4111111111111111"
    assert masked("Ann", "first_name", detectors=Detectors(USUAL)) == "Ann"
    with pytest.raises(ValueError, match="no data class phonee"):
        Detectors(["phonee"])


def test_texts_without_a_column() -> None:
    text = "duplicate key: (email)=(alice@example.com)"
    assert ALL.mask_text(text) == "duplicate key: (email)=([redacted:email])"
    clean = "relation does not exist"
    assert ALL.mask_text(clean) is clean
    assert ALL.mask_text("\udcff a@b.co") == "\udcff [redacted:email]"


def test_nothing_found_costs_no_copy() -> None:
    values: list[bytes | None] = [b"x", None, b"2026-01-01"]
    assert ALL.mask(values, "note", frozenset(), {}) is None
    assert ALL.scan(values, "note") == []


PIECES = st.sampled_from(
    ["alice@example.com", "4111 1111 1111 1111", "521-44-9031", "DE89370400440532013000", "+49 30 1234567", "10.1.2.3", "2001:db8::1:2", "password=hunter22", "postgres://u:pw1@h/d", "eyJhbGciOiJIUzI1NiJ9.e30.abc", "-----BEGIN PRIVATE KEY-----", "born 4 May 1990", "\u200b", "\u00a0", "％", "@", ":", "=", "{", "}", '"', "\\", "\\u0040", "[", "]", ",", " ", "-", "//", "Bearer ", "AKIAIOSFODNN7EXAMPLE", "é", "名", "1", "٣"]
)  # fmt: skip
TEXTS = st.one_of(
    st.text(max_size=80),
    st.lists(st.one_of(PIECES, st.text(max_size=6)), max_size=8).map("".join),
    st.recursive(st.one_of(PIECES, st.integers(), st.none()), lambda inner: st.lists(inner) | st.dictionaries(PIECES, inner), max_leaves=6).map(json.dumps),
)  # fmt: skip
COLUMNS = st.sampled_from(
    ["", "note", "ssn", "phone", "password", "first_name", "build_id", "dob", "version", "ünï"]
)


@given(TEXTS, COLUMNS, st.booleans())
def test_whatever_the_cell(text: str, column: str, as_json: bool) -> None:
    value = text.encode("utf-8", "surrogatepass")
    found = ALL.scan([value], column, as_json)
    out = ALL.mask([value], column, frozenset(), {}, as_json)
    if not found:
        assert out is None
        return
    [(at, spans)] = found
    assert at == 0
    end = 0
    for data_class, start, stop in spans:
        assert data_class in CLASSES
        assert end <= start < stop <= len(value)
        value[start:stop].decode("utf-8", "surrogatepass")  # whole characters
        end = stop
    assert out is not None
    assert out[0] is not None
    # once masked, nothing is found any more
    again = ALL.mask([out[0]], column, frozenset(), {}, as_json)
    assert again is None or again[0] == out[0], (value, out, again)
    try:
        json.loads(value)
    except ValueError:
        return
    if as_json or text.strip()[0] in '{["':
        json.loads(out[0])


@given(st.binary(max_size=80), COLUMNS)
def test_whatever_the_bytes(value: bytes, column: str) -> None:
    for _, spans in ALL.scan([value], column):
        assert all(0 <= start < stop <= len(value) for _, start, stop in spans)
    ALL.mask([value], column, frozenset(), {})


def test_time_is_linear() -> None:
    """No cell may cost more than its size: each of these is quadratic for a careless finder."""
    for piece in (
        "a@",
        "@a.",
        "1 ",
        "1-",
        "4111 ",
        "password=",
        "://u:",
        "-----BEGIN PRIVATE KEY-----",
        "ey",
        "eyJ.",
        "::",
        "a:",
        '{"a":',
        "[",
        "sk-",
        "AKIA",
        "born ",
        "%40",
        "\\",
        "x=",
        "é@",
    ):
        ALL.scan([(piece * (15_000 // len(piece))).encode()], "note")


CUSTOM = [
    Custom("employee-number", patterns=("EMP-[0-9]{5}", r"\bE[0-9]{7}\b")),
    Custom("project", words=("Manhattan", "Project Ö", "C++")),
    Custom("salary", columns=("*salary", "pay_?rade")),
    Custom("room", patterns=("[0-9]{3}",), context=("room", "Zimmer")),
    Custom("anchored", patterns=("^only this$",)),
    Custom("email", patterns=("(?i)@internal",)),
]


@pytest.mark.parametrize("fast", [True, False])
@pytest.mark.parametrize(
    ("column", "text", "shown"),
    [
        ("", "EMP-12345, emp-12345, E1234567, xE1234567", "[redacted:employee-number], emp-12345, [redacted:employee-number], xE1234567"),
        ("", "manhattan MANHATTANS project ö c++", "[redacted:project] MANHATTANS [redacted:project] [redacted:project]"),
        ("Base_Salary", "12000", "[redacted:salary]"),
        ("pay_grade", "x", "[redacted:salary]"),
        ("pay_grades", "x", "x"),
        ("", "room 123, then 456", "room [redacted:room], then [redacted:room]"),
        ("", "rooms 123", "rooms 123"),
        ("room_no", "123", "[redacted:room]"),
        ("", "only this", "[redacted:anchored]"),
        ("", "not only this", "not only this"),
        ("", '["only this", "EMP\\u002d12345"]', '["[redacted:anchored]", "[redacted:employee-number]"]'),
        ("", "bob@INTERNAL, a@b.co", "bob[redacted:email], [redacted:email]"),
    ],
)  # fmt: skip
def test_custom_classes(fast: bool, column: str, text: str, shown: str) -> None:
    detectors = Detectors([*CLASSES, *(each.name for each in CUSTOM)], CUSTOM, fast=fast)
    # among many others, which the joined search must not mix up
    values: list[bytes | None] = [b"nothing", None, b"", text.encode(), b"x" * 100]
    out = detectors.mask(values, column, frozenset(), {}) or values
    assert out[3] == shown.encode()
    if column == "":
        assert [*out[:3], out[4]] == [*values[:3], values[4]]


@given(
    st.lists(
        st.one_of(st.none(), st.text(alphabet='EMP-0123456789 nroom\néMahtX+cC\\"', max_size=24)), max_size=12
    )
)
def test_engines_agree(texts: list[str | None]) -> None:
    values = [None if text is None else text.encode() for text in texts]
    assert (
        FAST.scan(values)
        == SLOW.scan(values)
        == [(at, spans) for at, value in enumerate(values) for _, spans in SLOW.scan([value])]
    )


FAST, SLOW = (
    Detectors([*CLASSES, *(each.name for each in CUSTOM)], CUSTOM, fast=fast) for fast in (True, False)
)


def test_both_engines_are_really_there() -> None:
    def engines(detectors: Detectors) -> set[str]:
        assert detectors._maybe is not None
        return {type(engine).__name__ for engine in detectors._maybe.engines}

    assert "HyperscanEngine" in engines(FAST)
    assert engines(SLOW) == {"Re2Engine"}


MIXED = st.lists(
    st.one_of(PIECES, st.sampled_from(["abcdefgh", "Order Nr", " Z ", "X-1234567-L", "12345678 Z", "RSSMRA85T10A562S", "ghp_" + "aB3d" * 9, "DE", "89370400440532013000", "65 180539 W 001", "token", "password", "secret", "call ", "ssn "]), st.text(alphabet="abz AZ09-_./:=@%", max_size=9)), max_size=7
).map("".join)  # fmt: skip


@given(MIXED, COLUMNS)
def test_no_glance_passes_over_what_a_look_would_find(text: str, column: str) -> None:
    """Finders are asked only where a cell's bytes call for them: asking all of them finds nothing more."""
    if not text.isascii():
        return  # folded first, and then all are asked
    value = text.encode()
    named = ALL._sense(column)
    quick: list[tuple[str, int, int]] = []
    ALL._builtin.text(value, named, quick)
    every: list[tuple[str, int, int]] = []
    if len(value) >= 3:
        ALL._builtin._plain(value, named, every)
    missed = set(every) - set(quick)
    assert not missed or is_whole(text), (text, missed)


def is_whole(text: str) -> bool:
    """A UUID or a moment, in which nothing is looked for."""
    return (
        re.fullmatch(
            r"[0-9A-Za-z]{8}(-[0-9A-Za-z]{4}){3}-[0-9A-Za-z]{12}|\d{4}-\d\d-\d\d[ T][\d:.+TZ -]{8,21}", text
        )
        is not None
    )
