"""A policy's text apart from settings: what is cut, what is kept as written, and what looks secret."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wicketgate.model.errors import PolicyError
from wicketgate.policy.document import Source, parse
from wicketgate.policy.texts import NOTHING, apart, credentials, joined, without_credentials

GATEWAY = """\
gateway:
  # a node's own
  workers: 2

  database_url: postgresql://w:hunter2@db/w
"""
APART = {
    "before": (GATEWAY + "# rules\nrules: []  # none\n", "# rules\nrules: []  # none\n"),
    "behind": ("rules: []\n" + GATEWAY, "rules: []\n"),
    "between": (f"resources: {{}}\n{GATEWAY}\n# of rules\n\nrules:\n- {{name: a}}\n",
                "resources: {}\n\n# of rules\n\nrules:\n- {name: a}\n"),
    "in one line": ("gateway: {workers: 2}\nrules: []\n", "rules: []\n"),
    "in quotes": ('"gateway": {workers: 2}\nrules: []\n', "rules: []\n"),
    "behind a marker": ("---\n" + GATEWAY + "rules: []\n", "---\nrules: []\n"),
    "none": ("rules: [] # gateway: x\n", "rules: [] # gateway: x\n"),
    "a rule's name": ("rules:\n- name: 'gateway:'\n", "rules:\n- name: 'gateway:'\n"),
    "in a block of text": ("rules:\n- name: |\n    gateway: x\n", "rules:\n- name: |\n    gateway: x\n"),
}  # fmt: skip


@pytest.mark.parametrize("where", APART)
def test_settings_are_cut_and_nothing_else(where: str) -> None:
    whole, wanted = APART[where]
    assert apart(Source("f", whole)) == wanted
    placed = apart(Source("f", whole), placed=True)
    assert placed.count("\n") == whole.count("\n")
    for line, (one, other) in enumerate(zip(placed.split("\n"), whole.split("\n"), strict=True)):
        assert one in ("", other), line
    assert "hunter2" not in wanted + placed


@pytest.mark.parametrize(
    "text",
    [
        "{gateway: {workers: 2}, rules: []}",
        "? gateway\n: {workers: 2}\nrules: []",
        "{rules: [],\ngateway: {}}",
    ],
)
def test_what_can_not_be_cut_is_refused(text: str) -> None:
    with pytest.raises(PolicyError, match=r"section of its own lines"):
        apart(Source("f", text))


def test_files_make_one_text_or_none() -> None:
    one, two = Source("a", GATEWAY + "resources: {}\n"), Source("b", "rules: []")
    assert joined([one, two]) == "# a\nresources: {}\n\n# b\nrules: []\n"
    assert joined([Source("a", GATEWAY)]) == NOTHING
    assert joined([Source("a", GATEWAY), Source("b", "# none\n")]) == NOTHING
    with pytest.raises(PolicyError, match=r"do not make one: .*'rules' is given twice"):
        joined([two, Source("c", "rules: []")])


FOUND = [
    "# password: hunter2",
    "x: 1 #   PASSWORD = 'hunter2'",
    '# reader: {username: ro, password: "hunter2"}',
    "# api_key:hunter2",
    "# secret: secret: hunter2",
    "address: postgres://u:hunter2@h/d",
    "# https://:hunter2@h",
    "note: wkt_hunter2hunter2hunter2xx",
    "k: -----BEGIN PRIVATE KEY-----hunter2",
]
CLEAN = [
    "# password: {env: NAME}",
    "# password: '{file: x}'",
    "# token: short-lived ones only",
    "# the secret of it",
    "password: {env: X}  # from the environment",
    "url: https://id.internal:8443/realms/a@b",
    "# the wkt_ prefix",
    "pattern: '[a-z]+://[^:/]+:[^@]+@'",
    "pattern: '-----BEGIN [A-Z ]*PRIVATE KEY-----|wkt_[0-9A-Za-z]{36}'",
    "when: statement.reads('public.password') # looks",
]


@pytest.mark.parametrize("line", FOUND)
def test_what_looks_secret(line: str) -> None:
    found = credentials(Source("f", f"a: 1\n{line}\nb: 2"))
    assert [place.line for place, _ in found] == [2]
    assert "hunter2" not in found[0][1]
    assert "hunter2" not in without_credentials(Source("f", f"a: 1\n{line}\nb: 2"))


@pytest.mark.parametrize("line", CLEAN)
def test_what_does_not(line: str) -> None:
    assert credentials(Source("f", line)) == []


@pytest.mark.parametrize(
    "line",
    ["# password:" * 50_000, "a.b-" * 100_000, "://:" * 100_000, "#" * 400_000, "# token:" + " " * 400_000],
)
def test_long_lines_take_no_time(line: str) -> None:
    """A second at most; they would take minutes if looking were not linear."""
    credentials(Source("f", line))


sections = st.lists(
    st.sampled_from(
        [
            "resources: {}",
            "rules:\n- {name: a}",
            "rules:\n  # why\n  - name: a",
            "enforce: observe",
            GATEWAY.rstrip(),
            "",
        ]
    ),
    max_size=5,
)


@given(sections, st.sampled_from(["\n", "\n\n", "\n# a remark\n"]))
def test_what_is_left_says_the_same(parts: list[str], between: str) -> None:
    text = between.join(dict.fromkeys(part for part in parts if part)) + "\n"
    names = re.findall(r"^([a-z]+):", text, re.MULTILINE)
    if len(set(names)) != len(names):
        return
    whole = parse(Source("f", text)).content()
    assert parse(Source("f", apart(Source("f", text)))).content() == {
        key: value for key, value in whole.items() if key != "gateway"
    }
