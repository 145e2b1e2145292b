"""SASL OAUTHBEARER: exact bytes of success and failure, in pieces, and responses that are refused."""

import json
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.postgres.rehearsal import SIZES, error_of, frames, pieces, startup
from wicketgate.model.decision import Denial
from wicketgate.model.secret import Secret
from wicketgate.protocols.base import Greeting, GreetingFailed, SignedIn
from wicketgate.protocols.postgres import oauthbearer
from wicketgate.protocols.postgres.frames import frame
from wicketgate.protocols.postgres.greet import Greeter, greet
from wicketgate.protocols.postgres.settings import StartupRefused

WHERE = "https://id.example.com/.well-known/openid-configuration"
ASK = frame(b"R", b"\0\0\0\x0aOAUTHBEARER\0\0")
DENIAL = Denial("sign-in", "sign-in refused", "the cause")
TOKEN = "eyJh.eyJp._-"
GOOD = f"n,,\x01auth=Bearer {TOKEN}\x01\x01".encode()


def greeter(secure: bool = True) -> Greeter:
    return greet(Greeting(secure, False, "192.0.2.7", issuers={"main": WHERE}))


def asking(**more: str) -> bytes:
    names = {"user": "ana@example.com", "database": "sales", "options": "-c wicketgate.issuer=main", **more}
    return startup(*names.items())


def initial(response: bytes | None, mechanism: bytes = b"OAUTHBEARER") -> bytes:
    length = -1 if response is None else len(response)
    return frame(b"p", mechanism + b"\0" + struct.pack(">i", length) + (response or b""))


def challenge(data: bytes) -> dict[str, str]:
    """The JSON of the SASLContinue that a stream begins with."""
    kind, body = frames(data)[0]
    assert (kind, body[:4]) == ("R", b"\0\0\0\x0b")
    found: dict[str, str] = json.loads(body[4:])
    return found


TOLD = {"status": "invalid_token", "openid-configuration": WHERE, "scope": "openid"}


@pytest.mark.parametrize("size", SIZES)
def test_a_token_signs_in(size: int) -> None:
    one = greeter()
    for piece in pieces(asking(), size):
        one.receive(piece)
    assert one.bytes_to_send() == ASK
    for piece in pieces(initial(GOOD), size):
        one.receive(piece)
    assert isinstance(one.outcome, SignedIn)
    assert (one.outcome.claim.identity, one.outcome.claim.secret) == (
        "ana@example.com",
        Secret(TOKEN.encode()),
    )
    assert one.outcome.startup.parameters == {}
    assert one.bytes_to_send() == b""


@pytest.mark.parametrize("size", SIZES)
def test_a_refusal_waits_for_the_clients_last_word(size: int) -> None:
    one = greeter()
    one.receive(asking() + initial(GOOD))
    one.bytes_to_send()
    told = one.refuse(DENIAL)
    assert challenge(told) == TOLD
    assert len(frames(told)) == 1
    for piece in pieces(frame(b"p", b"\x01"), size):
        assert one.parting
        assert one.bytes_to_send() == b""
        one.receive(piece)
    assert not one.parting
    assert error_of(one.bytes_to_send())["M"] == "sign-in refused"
    assert TOKEN.encode() not in told


def test_a_client_that_did_not_wait() -> None:
    one = greeter()
    one.receive(asking() + initial(GOOD) + frame(b"p", b"\x01"))
    told = one.refuse(DENIAL)
    assert not one.parting
    assert [kind for kind, _ in frames(told)][-2:] == ["R", "E"]


def test_an_endless_last_word() -> None:
    one = greeter()
    one.receive(asking() + initial(GOOD))
    one.refuse(DENIAL)
    one.receive(b"p\x7f\xff\xff\xff")
    assert not one.parting


def test_without_a_token_it_says_where_to_get_one() -> None:
    one = greeter()
    one.receive(asking())
    assert one.bytes_to_send() == ASK
    one.receive(initial(b"n,,\x01auth=\x01\x01"))
    assert challenge(one.bytes_to_send()) == TOLD
    assert one.outcome is None
    one.receive(frame(b"p", b"\x01"))
    assert error_of(one.bytes_to_send())["C"] == "28000"
    assert isinstance(one.outcome, GreetingFailed)


def test_a_response_that_comes_later() -> None:
    one = greeter()
    one.receive(asking() + initial(None))
    assert one.bytes_to_send() == ASK + frame(b"R", b"\0\0\0\x0b")
    one.receive(frame(b"p", GOOD))
    assert isinstance(one.outcome, SignedIn)


def test_a_password_is_asked_for_without_the_setting() -> None:
    one = greeter()
    one.receive(startup(("user", "a"), ("database", "sales")))
    assert one.bytes_to_send() == frame(b"R", b"\0\0\0\3")
    direct = greeter()
    direct.receive(startup(("user", "a"), ("database", "sales"), ("wicketgate.issuer", "main")))
    assert direct.bytes_to_send() == ASK


def test_an_issuer_that_is_not_trusted_and_plain_text() -> None:
    one = greeter()
    one.receive(asking(options="-c wicketgate.issuer=other"))
    assert error_of(one.bytes_to_send())["C"] == "28000"
    plain = greeter(secure=False)
    plain.receive(asking())
    assert error_of(plain.bytes_to_send())["C"] == "28000"


BAD = {
    "another mechanism": initial(GOOD, b"SCRAM-SHA-256"),
    "a longer length": frame(b"p", b"OAUTHBEARER\0" + struct.pack(">i", len(GOOD) + 1) + GOOD),
    "a shorter length": frame(b"p", b"OAUTHBEARER\0" + struct.pack(">i", len(GOOD) - 1) + GOOD),
    "a negative length": frame(b"p", b"OAUTHBEARER\0" + struct.pack(">i", -2) + GOOD),
    "no length": frame(b"p", b"OAUTHBEARER\0"),
    "a password": frame(b"p", b"wkt_x\0"),
    "channel binding": initial(b"p=tls-unique" + GOOD[1:]),
    "another's name": initial(b"n,a=root," + GOOD[3:]),
    "a name with a wild escape": initial(b"n,a=ana=40example.com," + GOOD[3:]),
    "no header": initial(GOOD[3:]),
    "no end": initial(GOOD[:-1]),
    "something behind the end": initial(GOOD + b"x"),
    "auth twice": initial(GOOD[:-1] + b"auth=Bearer x\x01\x01"),
    "no auth": initial(b"n,,\x01host=x\x01\x01"),
    "nothing": initial(b""),
    "basic": initial(b"n,,\x01auth=Basic eDp5\x01\x01"),
    "a token with a space": initial(b"n,,\x01auth=Bearer a b\x01\x01"),
    "a token with a NUL": initial(b"n,,\x01auth=Bearer a\0b\x01\x01"),
    "a token with a newline": initial(b"n,,\x01auth=Bearer a\n\x01\x01"),
    "bearer alone": initial(b"n,,\x01auth=Bearer\x01\x01"),
    "a query": frame(b"Q", b"SELECT 1\0"),
}


@pytest.mark.parametrize("bad", BAD)
def test_responses_that_are_refused(bad: str) -> None:
    one = greeter()
    one.receive(asking() + BAD[bad])
    assert isinstance(one.outcome, GreetingFailed)
    assert error_of(one.bytes_to_send())["C"] == "08P01"


def test_names_and_other_members() -> None:
    for response in (
        b"n,a=ana@example.com,\x01host=h\x01port=15432\x01auth=bearer  x.y\x01\x01",
        b"y,,\x01auth=BEARER x.y\x01\x01",
    ):
        assert oauthbearer.token(response, "ana@example.com") == Secret(b"x.y")
    assert oauthbearer.token(b"n,a=a=2Cb=3Dc,\x01auth=Bearer x\x01\x01", "a,b=c") == Secret(b"x")


@given(st.one_of(st.binary(max_size=60), st.binary(max_size=20).map(lambda each: GOOD[:20] + each)))
def test_any_response_is_a_token_or_refused(response: bytes) -> None:
    try:
        found = oauthbearer.token(response, "ana@example.com")
    except StartupRefused:
        return
    assert found is None or found.reveal() in response
