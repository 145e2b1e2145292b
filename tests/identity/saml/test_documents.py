"""The reader of XML and of responses never does else than prove or refuse, whatever comes."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from identity.saml.idp import ISSUER, NOW, assertion, encrypt, good, provider, response, rsa_key, sign
from wicketgate.identity.jwt import NotProven
from wicketgate.identity.saml.documents import parse
from wicketgate.identity.saml.responses import Proven, prove

SEEDS = Path(__file__).parent / "seeds"
GOOD = good()
BOTH = sign(response(sign(assertion()))).encode()
HIDDEN = response(encrypt(sign(assertion()), rsa_key("ours").public_key())).encode()
TOKENS = st.sampled_from(
    [
        *(
            b"<",
            b">",
            b"/>",
            b"&",
            b"<!--x-->",
            b"<![CDATA[x]]>",
            b"<?x?>",
            b'ID="_a1"',
            b' xml:id="x"',
            b"\0",
        ),
        *(
            b"<!DOCTYPE x>",
            b"saml:",
            b"samlp:",
            b"ds:",
            b"_a1",
            b"_r1",
            b"2.0",
            b"Z",
            b'"',
            b"'",
            b"\xff",
            b" ",
        ),
        *(b"<saml:Assertion>", b"</saml:Assertion>", b"<ds:Signature/>", b"xmlns:saml=''", b"&#x0;", b"#"),
    ]
)


def outcome(text: bytes) -> Proven | None:
    """What it proves. Anything but a Proven or a NotProven is a fault of ours."""
    try:
        return prove(text, ISSUER, provider(), (rsa_key("ours"),), "_request1", NOW)
    except NotProven:
        return None


EXPECTED = outcome(GOOD)


@st.composite
def changed(draw: st.DrawFn) -> bytes:
    """A good response, with bytes cut out, put in, doubled or exchanged."""
    text = draw(st.sampled_from([GOOD, BOTH, HIDDEN]))
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(text)))
        to = min(len(text), at + draw(st.integers(0, 60)))
        piece = draw(st.one_of(TOKENS, st.binary(max_size=6), st.just(text[at:to]), st.just(text[at:to] * 2)))
        text = text[:at] + piece + text[to:]
    return text


@given(changed())
@settings(deadline=None)
@example(GOOD)
def test_no_change_proves_anybody_else(text: bytes) -> None:
    """What was signed may survive a change of what was not; nothing else is ever proven."""
    found = outcome(text)
    assert found is None or found == EXPECTED


@given(st.binary(max_size=400))
@settings(deadline=None)
def test_any_bytes_are_judged(text: bytes) -> None:
    assert outcome(text) is None


@given(st.lists(TOKENS, max_size=40))
@settings(deadline=None)
def test_any_pieces_are_judged(pieces: list[bytes]) -> None:
    assert outcome(b"".join(pieces)) is None


@pytest.mark.parametrize("seed", sorted(each.name for each in SEEDS.iterdir()))
def test_the_seeds(seed: str) -> None:
    """Responses as makers send them, and what was tried against readers: each is judged, none proves anybody
    here, since none is for us."""
    text = (SEEDS / seed).read_bytes()
    assert outcome(text) is None
    source = random.Random(seed)
    for _ in range(20):
        at = source.randrange(len(text))
        assert outcome(text[:at] + os.urandom(2) + text[at + source.randrange(40) :]) is None


def test_whitespace_and_prefixes_do_not_matter() -> None:
    for text in (b"\n\n" + GOOD + b"\n", b'<?xml version="1.0" encoding="UTF-8"?>\n' + GOOD):
        if text.startswith(b"\n"):
            assert outcome(text) == EXPECTED
        assert outcome(text) in (EXPECTED, None)


def test_metadata_may_have_comments() -> None:
    with pytest.raises(NotProven, match="comment"):
        parse(b"<a><!-- x --></a>")
    assert parse(b"<!-- x --><a>b<!-- y -->c</a>", comments=True).text == "bc"
    with pytest.raises(NotProven, match="document type"):
        parse(b"<!DOCTYPE a [<!ENTITY x 'y'>]><a>&x;</a>", comments=True)
