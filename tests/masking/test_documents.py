"""JSON redacted inside: structure stays, no scalar does, and keys only if they look like names."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wicketgate.masking.documents import DEEPEST, redact_document

MARK = "[redacted:email]"


def redact(text: str | bytes) -> str:
    raw = text.encode() if isinstance(text, str) else text
    return redact_document(raw, MARK.encode()).decode()


@pytest.mark.parametrize(
    ("document", "masked"),
    [
        ('{"a": 1, "b": ["x", true, null, {"c.d": -1.5e3}]}', '{"a":null,"b":["M",null,null,{"c.d":null}]}'),
        ('"alice"', '"M"'),
        ("12", "null"),
        (" [ ] ", "[]"),
        ("{}", "{}"),
        ('{"e-mail": "a\\"b\\\\", "$ref": "\\u0041"}', '{"e-mail":"M","$ref":"M"}'),
        ('{"alice@example.com": 1, "521-44-9031": 2}', '{"M":null,"M 2":null}'),
        ('{"line1": 1, "sha256": 2, "card4111": 3}', '{"line1":null,"sha256":null,"M":null}'),
        ('{"a\\u0062": 1}', '{"M":null}'),
        ('{"": 1}', '{"M":null}'),
        ('{"521": 1, "-a": 1, ".b": 1}', '{"M":null,"M 2":null,"M 3":null}'),
        ('{"größe": 1}', '{"M":null}'),
        ('{"' + "a" * 32 + '": 1, "' + "a" * 33 + '": 1}', '{"' + "a" * 32 + '":null,"M":null}'),
    ],
)
def test_documents(document: str, masked: str) -> None:
    assert redact(document) == masked.replace("M", MARK)


@pytest.mark.parametrize(
    "broken",
    [
        *(
            "",
            " ",
            '"',
            '"\\',
            '"\\"',
            "[1,2",
            "{",
            '{"a"}',
            '{"a":}',
            '{"a":1,}',
            "[,]",
            "[1 2]",
            '{"a":1]',
            "[]]",
        ),
        *("[1}", "{1:2}", '{"a" 1}', "1 2", '{"a":"b"', "\xff", "(1)", '["a"b]', "[" * (DEEPEST + 1), "'a'"),
        "[" * (DEEPEST + 1) + "]" * (DEEPEST + 1),
    ],
)
def test_what_is_no_document_is_redacted_whole(broken: str) -> None:
    assert redact(broken) == f'"{MARK}"'


def test_depth() -> None:
    deep = "[" * DEEPEST + "]" * DEEPEST
    assert redact(deep) == deep


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=20,
)


def shape(document: Any) -> Any:
    if isinstance(document, dict):
        return sorted(repr(shape(value)) for value in document.values())
    if isinstance(document, list):
        return [shape(value) for value in document]
    return MARK if isinstance(document, str) else None


@given(JSON, st.booleans(), st.sampled_from([None, 2]))
def test_structure_stays_and_scalars_go(document: Any, ascii_only: bool, indent: int | None) -> None:
    masked = json.loads(redact(json.dumps(document, ensure_ascii=ascii_only, indent=indent)))
    assert shape(masked) == shape(document)


@given(st.text(alphabet='{}[]",:\\ ab1', max_size=30) | st.text(max_size=30))
def test_any_text_gives_a_document(text: str) -> None:
    json.loads(redact(text))
