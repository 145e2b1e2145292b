"""A value is found wherever it stands: eight bytes are read at once, and they begin anywhere in it."""

import pytest

from wicketgate.masking.detect import USUAL, Detectors
from wicketgate.masking.detect import nearby as words
from wicketgate.masking.detect.nearby import Words, before, behind, near

USUALLY = Detectors(USUAL)
VALUES = {
    "email": b"ann.lee7@example.com",
    "payment-card": b"4111 1111 1111 1111",
    "national-id": b"521-44-9031",
    "phone": b"+49 30 5550123",
    "iban": b"DE89370400440532013000",
    "ip-address": b"198.51.100.7",
    "mac-address": b"00:1b:44:11:3a:b7",
    "secret": b"AKIAIOSFODNN7EXAMPLE",
}


@pytest.mark.parametrize("name", VALUES)
@pytest.mark.parametrize("word", [b"", b"note ", b"Note 12 A ", b"see a4b ", b"B "])
def test_at_every_place(name: str, word: bytes) -> None:
    detectors = Detectors([name])
    value = VALUES[name]
    for blanks in range(9):
        for more in range(9):
            start = len(word) + blanks
            text = word + b" " * blanks + value + b" " * more
            found = detectors.scan([text], "note")
            assert found == [(0, [(name, start, start + len(value))])], text


def test_cells_that_come_again_are_masked_and_counted_again() -> None:
    texts = [
        b"paid with " + VALUES["payment-card"],
        b"nothing to be seen in this one",
        b"password=hunter2hunter2",
        b"mail " + VALUES["email"] + b" and " + VALUES["ip-address"],
        b"short",
    ]
    many: list[bytes | None] = [texts[at % len(texts)] for at in range(400)]
    many[200:200] = [None, *(b"mail user%d@example.com once" % number for number in range(300))]
    counted: dict[str, int] = {}
    masked = USUALLY.mask(many, "note", frozenset(), counted)
    alone: dict[str, int] = {}
    assert masked is not None
    for value, seen in zip(many, masked, strict=True):
        one = USUALLY.mask([value], "note", frozenset(), alone)
        assert seen == (value if one is None else one[0])
    assert counted == alone


LISTS = {name: listed for name, listed in vars(words).items() if isinstance(listed, Words)}


@pytest.mark.parametrize("name", LISTS)
def test_each_listed_word_counts(name: str) -> None:
    listed = LISTS[name]
    for word in sorted(listed.ones | listed.pairs):
        text = b"a " + word + b": 123"
        assert before(listed, text, len(text) - 3, 48), word
        assert near(listed, text, len(text) - 3, len(text)), word
        assert near(listed, b"123 " + word, 0, 3), word
        assert near(listed, text.upper(), len(text) - 3, len(text)) or not word.isascii(), word
        if word in listed.ones:
            assert behind(listed, text, len(text) - 3), word
    for text in (b"a zzyzx: 123", b"[redacted:" + min(listed.ones) + b"] 123"):
        assert not near(listed, text, len(text) - 3, len(text)), text
