"""Signatures: against the published examples, and whoever forges them."""

import base64
import hashlib
import hmac

import pytest

from channels.stage import key
from wicketgate.channels.signatures import FRESH, by_slack, headers, key_of
from wicketgate.model.secret import Secret


def test_the_example_of_standard_webhooks() -> None:
    """From the specification's own libraries: a known key, id, time and body."""
    secret = key_of(Secret(b"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"))
    made = headers([secret], "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert made == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


def test_several_keys_sign_so_that_one_can_be_replaced() -> None:
    keys = [key_of(Secret(key(each))) for each in "ab"]
    both = headers(keys, "evt_1", 7, b"{}")["webhook-signature"].split(" ")
    assert both == [headers([each], "evt_1", 7, b"{}")["webhook-signature"] for each in keys]
    assert len(set(both)) == 2


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"secret",
        b"whsec_",
        b"whsec_!!!",
        b"whsec_" + base64.b64encode(b"x" * 23),
        b"whsec_" + b"A" * 100,
    ],
)
def test_weak_or_misread_keys_are_refused_without_being_told(text: bytes) -> None:
    with pytest.raises(ValueError, match=r"whsec_|bytes") as caught:
        key_of(Secret(text))
    assert text.decode() not in str(caught.value) or len(text) < 8


SLACK = Secret(b"8f742231b10e8888abcd99yyyzzz85a5")
BODY = (
    b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&"
    b"channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&"
    b"response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&"
    b"trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
)
STAMP, SIGNATURE = "1531420618", "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"
THEN = 1531420618


def test_the_example_of_slack() -> None:
    assert by_slack([SLACK], STAMP, SIGNATURE, BODY, THEN)
    assert by_slack([Secret(b"old"), SLACK], STAMP, SIGNATURE, BODY, THEN + FRESH)


@pytest.mark.parametrize(
    ("stamp", "signature", "body", "now"),
    [
        (STAMP, SIGNATURE, BODY + b"&", THEN),
        (STAMP, SIGNATURE[:-1] + "4", BODY, THEN),
        (STAMP, SIGNATURE.upper(), BODY, THEN),
        (STAMP, "", BODY, THEN),
        (STAMP, "v0=", BODY, THEN),
        (STAMP, "v1" + SIGNATURE[2:], BODY, THEN),
        (STAMP, SIGNATURE + "\u00e9", BODY, THEN),
        ("", SIGNATURE, BODY, THEN),
        ("1531420619", SIGNATURE, BODY, THEN),
        ("-1531420618", SIGNATURE, BODY, THEN),
        ("１５３１４２０６１８", SIGNATURE, BODY, THEN),
        ("9" * 400, SIGNATURE, BODY, THEN),
        (STAMP, SIGNATURE, BODY, THEN + FRESH + 1),
        (STAMP, SIGNATURE, BODY, THEN - FRESH - 1),
    ],
)
def test_forged_stale_or_odd_ones_are_not_slacks(stamp: str, signature: str, body: bytes, now: int) -> None:
    assert not by_slack([SLACK], stamp, signature, body, now)


def test_an_empty_secret_proves_nothing() -> None:
    empty = hmac.new(b"", b"v0:7:x", hashlib.sha256).hexdigest()
    assert not by_slack([Secret(b"")], "7", f"v0={empty}", b"x", 7)
    assert not by_slack([], "7", f"v0={empty}", b"x", 7)
