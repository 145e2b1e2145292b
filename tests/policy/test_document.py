"""YAML: places, what is not taken, and that both parsers see the same."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml.error import YAMLError

from wicketgate.model.errors import PolicyError
from wicketgate.policy.document import (
    Node,
    Place,
    Problems,
    Source,
    _build,
    parse,
    read_sources,
    resolve,
    restore,
)

REFUSED = [
    ("a: 1\n# x\u2028rules: []", "f:2:4: the character U+2028 is not taken"),
    ("a: \u202eb", "f:1:4: the character U+202E is not taken"),
    ("\ufeffa: 1", "f:1:1: the character U+FEFF is not taken"),
    ("a: [1", "f:1:6: expected ',' or ']'"),
    ("a: b: c", "f:1:5: mapping values are not allowed"),
    ("a: 1\n---\nb: 2", "f:3:1: a second document"),
    ("a: 1\n...\nb", "f:3:1: a second document"),
    ("a: &x 1\nb: *x", "f:1:4: anchors and aliases"),
    ("a: &x [*x]", "f:1:4: anchors and aliases"),
    ("&k a: 1", "f:1:1: a key must be plain text"),
    ("a: *x", "f:1:4: anchors and aliases"),
    ("\ta: 1", "f:1:1: found character"),
    ("a: \x00", "f: it is not YAML"),
    ("a: !!python/object/apply:os.system [x]", "f:1:4: the tag"),
    ("a: !!binary aGVsbG8=", "f:1:4: the tag"),
    ("!!int a: 1", "f:1:1: a key must be plain text"),
    ("? [a]\n: b", "f:1:3: a key must be text"),
    ("a: 1\nb: 2\na: 3", "f:3:1: 'a' is given twice; first in line 1"),
    ("a: {b: 1, 'b': 2}", "f:1:11: 'b' is given twice"),
    ("[" * 200, "nested deeper than 24"),
    ("a: 'x", "f:1:6: found unexpected end"),
    ("a:\n - b\n  c: d", "f:3:4: mapping values"),
]


@pytest.mark.parametrize(("text", "message"), REFUSED)
def test_what_is_refused(text: str, message: str) -> None:
    with pytest.raises(PolicyError) as told:
        parse(Source("f", text))
    assert told.value.public.startswith(message) or message in told.value.public


SCALARS = [
    ("10:30", "10:30"),
    ("yes", "yes"),
    ("on", "on"),
    ("NO", "NO"),
    ("017", "017"),
    ("0o17", "0o17"),
    ("0x1f", "0x1f"),
    ("1_000", "1_000"),
    ("1e3", "1e3"),
    ("2024-01-01", "2024-01-01"),
    ("5", 5),
    ("-7", -7),
    ("1.5", 1.5),
    ("true", True),
    ("False", False),
    ("~", None),
    ("null", None),
    ("", None),
    (".inf", ".inf"),
    ("99999999999999999999999", "99999999999999999999999"),
]


@pytest.mark.parametrize(("written", "meant"), SCALARS)
def test_what_a_scalar_means(written: str, meant: object) -> None:
    assert resolve(written) == meant
    assert parse(Source("f", f"a: {written}\n")).content() == {"a": meant}
    assert parse(Source("f", f'a: "{written}"\n')).content() == {"a": written}


ALIKE = [
    "a: {b: [1, 2, {c: d}], e: 'f'}\n",
    "a: |\n  one\n  two\nb: >\n  folded\n  text\n\nc: x\n",
    "- a\n-   b: c\n    d: e\n- - f\n",
    "\"a\": \"\\u00e9\\n\"\nb: 'it''s'\n",
    "# comment\na: b # more\n\n\nc: d\n",
    "a: plain text over\n  two lines\n",
    "a: http://x.y/z\nb: a#b\nc: -x\n",
    "é: ☃\n",
    "<<: {a: 1}\n",
    "a: !  b\n",
    "rules:\n  - name: x\n    when: statement.does(\"drop\") || statement.reads('a.b')\n",
]


def shape(node: Node) -> object:
    place = (node.place.line, node.place.column)
    if isinstance(node.value, dict):
        return place, {
            key: (where.line, where.column, shape(each)) for key, (where, each) in node.value.items()
        }
    if isinstance(node.value, list):
        return place, [shape(each) for each in node.value]
    return place, node.value


@pytest.mark.parametrize("text", ALIKE)
def test_both_parsers_see_the_same(text: str) -> None:
    assert shape(_build(Source("f", text), pure=False)) == shape(_build(Source("f", text), pure=True))


TOKENS = [
    *"ab:-{}[],'\"#|>?!%@`é*&+1",
    *("<<", "x:y", "true", "\\n", "---", "..."),
    *("''", "\n", "\t", "\r\n", " ", "\n  ", "\n- ", ": ", " #", "|\n", ">\n", "|-", "\xa0"),
]


@settings(max_examples=400)
@given(st.lists(st.sampled_from(TOKENS), max_size=14))
def test_what_libyaml_takes_means_the_same_to_both(tokens: list[str]) -> None:
    """Where the map that a file is can be read by libyaml at all: it is asked first."""
    source = Source("f", "k: " + "".join(tokens))
    try:
        quick = _build(source, pure=False)
    except (PolicyError, YAMLError, ValueError):
        return
    try:
        slow = _build(source, pure=True)
    except (PolicyError, YAMLError, ValueError):
        return  # ruamel refuses some tabs that libyaml takes
    assert quick.content() == slow.content()


def test_what_only_yaml_1_2_takes() -> None:
    """libyaml stops at the colon; the other parser then answers."""
    assert parse(Source("f", "a: {b: host:5432, c: [x:1]}")).content() == {
        "a": {"b": "host:5432", "c": ["x:1"]}
    }


def test_places() -> None:
    root = parse(Source("f", "a:\n  - b: 1\n    c: 'x'\n"))
    found = root.get("a", 0, "c")
    assert found is not None
    assert str(found.place) == "f:3:8"
    assert root.get("a", 1) is None
    assert root.get("b") is None
    assert not found.plain


def test_an_empty_text_is_an_empty_map() -> None:
    assert parse(Source("f", "# nothing\n")).content() == {}


def test_too_large() -> None:
    with pytest.raises(PolicyError, match="larger than 8 MiB"):
        parse(Source("f", "#" * (8 << 20) + "#"))


def test_problems_are_told_in_order_and_once() -> None:
    problems = Problems()
    problems.add(Place("f", 3, 1), "late")
    problems.add(Place("f", 1, 2), "early")
    problems.add(Place("f", 3, 1), "late")
    assert len(problems) == 2
    with pytest.raises(PolicyError) as told:
        problems.raise_any()
    assert told.value.public == "f:1:2: early\nf:3:1: late"


def test_files_and_folders(tmp_path: Path) -> None:
    (tmp_path / "b.yaml").write_text("b: 1")
    (tmp_path / "a.yml").write_text("a: 1")
    (tmp_path / "c.txt").write_text("c: 1")
    assert [source.text for source in read_sources(tmp_path)] == ["a: 1", "b: 1"]
    assert read_sources(tmp_path / "b.yaml")[0].text == "b: 1"
    (tmp_path / "b.yaml").write_bytes(b"\xff")
    for path, message in (
        (tmp_path / "none", "No such file"),
        (tmp_path / "b.yaml", "not UTF-8"),
    ):
        with pytest.raises(PolicyError, match=message):
            read_sources(path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(PolicyError, match=r"no \.yaml file"):
        read_sources(tmp_path / "empty")


def test_restored_is_the_same() -> None:
    content = {"a": [1, "b", None, True], "c": {"d": 1.5}}
    assert restore("f", content).content() == content
