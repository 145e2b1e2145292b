"""Tokens: the same for the same, back to the value for who made them, and for nobody else."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wicketgate.masking.pseudonym import LONGEST, Pseudonyms, found_in

KEYS = {1: bytes(range(32)), 7: b"k" * 40}
SCOPE = b"identity:crew-bot"
OLD = Pseudonyms({1: KEYS[1]}, 1)
NEW = Pseudonyms(KEYS, 7)
SHAPE = re.compile(rb"wkp[17]_[A-Za-z0-9_-]+")


def token(value: bytes, data_class: str = "email", scope: bytes = SCOPE, maker: Pseudonyms = OLD) -> bytes:
    [made] = maker.tokens([value], data_class, scope)
    assert made is not None
    return made


TEXTS = st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=60).map(str.encode)


@given(TEXTS, st.sampled_from(["email", "payment-card", "größe", "a" * 64]), st.binary(max_size=40))
def test_there_and_back(value: bytes, data_class: str, scope: bytes) -> None:
    made = token(value, data_class, scope)
    assert SHAPE.fullmatch(made)
    assert token(value, data_class, scope) == made
    assert OLD.value_of(made, [b"other", scope]) == (data_class, value)
    assert NEW.value_of(made, [scope]) == (data_class, value)
    assert found_in(made) == [(0, len(made))]


def test_a_known_token() -> None:
    # what was given out once must be understood for as long as the key is kept
    assert (
        token(b"alice@example.com")
        == b"wkp1_ir-XoVWYXMkI3hX4R0gcyKrTslmPht6tft8l7i94KuqmSGo66HcJRPYosn6qkn-1"
    )


def test_columns() -> None:
    values = [
        b"a",
        None,
        b"b",
        b"a",
        b"",
        None,
        b"x" * LONGEST,
        b"x" * (LONGEST + 1),
        b"\0",
        b"a\0",
        b"\xff",
        "é".encode(),
    ]
    made = OLD.tokens(values, "email", SCOPE)
    assert [each is None for each in made] == [each is None for each in values]
    assert made[0] == made[3] != made[2]
    for index, value in enumerate(values):
        mine = made[index]
        if mine is None or value is None:
            continue
        if index in (7, 8, 9, 10):
            assert mine == b"[redacted:email]"
        else:
            assert OLD.value_of(mine, [SCOPE]) == ("email", value)
    assert OLD.tokens([], "email", SCOPE) == []
    assert OLD.tokens([None], "email", SCOPE) == [None]


@pytest.mark.parametrize("data_class", ["", "x" * 65, "a\0b"])
def test_classes_that_can_have_no_token(data_class: str) -> None:
    [made] = OLD.tokens([b"a"], data_class, SCOPE)
    assert made is not None
    assert made.startswith(b"[redacted")


def test_another_scope_class_version_or_key_is_another_token() -> None:
    made = {
        token(b"alice"),
        token(b"alicf"),
        token(b"alice", "phone"),
        token(b"alice", scope=b"all"),
        token(b"alice", maker=NEW),
        token(b"alice", maker=Pseudonyms({1: bytes(32)}, 1)),
        token(b"\0alice"[1:], "emai"),
    }
    assert len(made) == 7
    assert len({each[5:27] for each in made}) == 7
    mine = token(b"alice")
    assert OLD.value_of(mine, []) is None
    assert OLD.value_of(mine, [b"all", b"identity:crew", b"identity:crew-bot2"]) is None
    assert OLD.value_of(token(b"alice", maker=NEW), [SCOPE]) is None
    assert NEW.value_of(token(b"alice", maker=NEW), [SCOPE]) == ("email", b"alice")
    assert Pseudonyms({1: bytes(32)}, 1).value_of(mine, [SCOPE]) is None
    assert NEW.value_of(b"wkp7" + mine[4:], [SCOPE]) is None


def test_class_and_value_do_not_run_together() -> None:
    # the NUL between them stands in neither
    assert token(b"lx", "emai") != token(b"x", "email")


def test_every_changed_token_is_none() -> None:
    mine = token(b"alice@example.com")
    for index in range(len(mine)):
        for other in (b"A", b"B", b"-", b"_", b"9", b"=", b"\n", b"+", b"/", b"\xe9"):
            changed = mine[:index] + other + mine[index + 1 :]
            if changed != mine:
                assert OLD.value_of(changed, [SCOPE]) is None
        assert OLD.value_of(mine[:index], [SCOPE]) is None
    for glued in (
        mine + b"A",
        mine + b"=",
        mine + b"\n",
        mine + b"AAAAAAAAAAAAAAAA",
        b" " + mine,
        b"x" + mine,
        mine * 2,
        mine + b"-x",
    ):
        assert OLD.value_of(glued, [SCOPE]) is None
        assert found_in(glued)
    assert OLD.value_of(mine.swapcase(), [SCOPE]) is None
    for odd in (
        b"",
        b"wkp1_",
        b"wkp_",
        b"wkp01_" + mine[5:],
        b"wkp999999999_" + mine[5:],
        b"wkp1_" + b"A" * 100_000,
    ):
        assert OLD.value_of(odd, [SCOPE]) is None


@given(st.binary(min_size=36, max_size=120).map(lambda data: data[: len(data) // 12 * 12]))
def test_no_bytes_are_a_token_by_chance(sealed: bytes) -> None:
    import base64

    assert OLD.value_of(b"wkp1_" + base64.urlsafe_b64encode(sealed), [SCOPE, b"all"]) is None


def test_lengths_show_in_steps_only() -> None:
    lengths = [len(token(b"x" * size)) for size in range(LONGEST + 1)]
    assert lengths == sorted(lengths)
    assert len(set(lengths)) <= LONGEST // 12 + 2


@pytest.mark.parametrize(
    ("text", "count"),
    [
        (b"", 0),
        (b"nothing to see", 0),
        (b"wkp", 0),
        (b"wkp1_", 0),
        (b"LIKE 'wkp1_%'", 0),
        (b"wkp1_short", 0),
        (b"kwp1_AAAAAAAAAAAAAAAA", 0),
        (b"wkpx_AAAAAAAAAAAAAAAA", 0),
        (b"wkp1_AAAAAAAA", 1),
        (b"WKP1_AAAAAAAA", 1),
        (b"foowkp1_AAAAAAAAbar", 1),
        (b'{wkp1_AAAAAAAA,"wkp22_BBBBBBBB"}', 2),
        (b"\xff\xfewkp1_AAAAAAAA\xff", 1),
    ],
)
def test_what_looks_like_a_token(text: bytes, count: int) -> None:
    assert len(found_in(text)) == count


@pytest.mark.parametrize(
    ("keys", "newest"),
    [({}, 1), ({1: bytes(32)}, 2), ({1: bytes(31)}, 1), ({0: bytes(32)}, 0), ({10**9: bytes(32)}, 10**9)],
)
def test_keys_that_are_none(keys: dict[int, bytes], newest: int) -> None:
    with pytest.raises(ValueError, match=r"key|version"):
        Pseudonyms(keys, newest)


def test_a_repr_shows_no_key() -> None:
    assert repr(OLD) == "Pseudonyms(…)"


@pytest.fixture
def small() -> Pseudonyms:
    return Pseudonyms(KEYS, 1, most_known=20, window=8, most_scopes=3)


def test_forgetting_changes_no_token(small: Pseudonyms) -> None:
    for turn in range(60):
        values: list[bytes | None] = [b"%d" % ((turn * step) % 37) for step in range(5)] + [None]
        for scope in (b"a", b"b", b"c", b"d"):
            assert small.tokens(values, "email", scope) == OLD.tokens(values, "email", scope)


def test_all_distinct_and_then_repeated(small: Pseudonyms) -> None:
    column = small.of("email", b"a")
    distinct: list[bytes | None] = [b"%d" % number for number in range(400)]
    for at in range(0, 400, 4):
        assert column.tokens(distinct[at : at + 4]) == OLD.tokens(distinct[at : at + 4], "email", b"a")
    for _ in range(100):
        assert column.tokens(distinct[:4]) == OLD.tokens(distinct[:4], "email", b"a")
    assert small.remembered <= 20
