"""Keys by version: what is read back is what was written, and nothing of them is shown."""

import pytest

from wicketgate.model.keyring import Keyring
from wicketgate.model.secret import Secret

ONE, TWO = bytes(range(32)), bytes(32)


def test_what_is_written_is_read() -> None:
    ring = Keyring.parse(Keyring({2: Secret(TWO), 10: Secret(ONE)}).written())
    assert ring.newest == 10
    assert {version: key.reveal() for version, key in ring.keys.items()} == {2: TWO, 10: ONE}


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"1 " + ONE.hex().encode()[:-2],
        b"0 " + ONE.hex().encode(),
        b"1 " + ONE.hex().encode() + b"\n1 " + TWO.hex().encode(),
        b"\xff\xfe",
    ],
)
def test_what_holds_no_key_is_refused_in_silence(text: bytes) -> None:
    with pytest.raises(ValueError, match="key") as caught:
        Keyring.parse(text)
    assert ONE.hex()[:8] not in str(caught.value)


def test_it_has_no_text() -> None:
    assert ONE.hex()[:8] not in repr(Keyring({1: Secret(ONE)})) + str(Keyring({1: Secret(ONE)}))
