"""SCRAM against the example of RFC 7677, and passwords as SASLprep writes them."""

import pytest

from wicketgate.model.secret import Secret
from wicketgate.protocols.postgres.scram import Exchange, Keys, ScramError, derive, prepare

FIRST = b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"


def example() -> Exchange:
    # the RFC's client names a user; ours, as PostgreSQL wants it, does not, so only the proof differs
    exchange = Exchange("SCRAM-SHA-256", "n,,", b"", "rOprNGfwEbeRWgbNEkqO")
    assert exchange.first() == b"n,,n=,r=rOprNGfwEbeRWgbNEkqO"
    exchange._bare = "n=user,r=rOprNGfwEbeRWgbNEkqO"
    exchange.challenge(FIRST)
    return exchange


def test_the_rfc_s_example() -> None:
    exchange = example()
    keys = derive(b"pencil", exchange.salt, exchange.iterations)
    assert exchange.final(keys) == (
        b"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
        b"p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
    )
    exchange.verify(b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=")
    exchange.verify(b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=,ext=1")
    for wrong in (
        b"v=7rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
        b"v=",
        b"",
        b"e=invalid-proof",
        b"v=\xff",
    ):
        with pytest.raises(ScramError):
            exchange.verify(wrong)


def test_nothing_verifies_before_the_proof() -> None:
    with pytest.raises(ScramError):
        example().verify(b"v=")


def test_keys_are_not_shown() -> None:
    assert repr(Keys(Secret(b"one"), Secret(b"two"))) == "Keys(client=Secret(…), server=Secret(…))"


@pytest.mark.parametrize(
    ("password", "prepared"),
    [
        ("plain", "plain"),
        ("\x07bell", "\x07bell"),  # ASCII goes as it is
        ("I\u00adX", "IX"),
        ("\u2168", "IX"),
        ("\u00aa", "a"),
        ("a\u00a0b", "a b"),
        ("a\u200bb", "a b"),  # as in PostgreSQL; RFC 4013 would drop it
        ("\u00e4", "\u00e4"),
        ("a\u0308", "\u00e4"),
        ("\u0007\u00e4", "\u0007\u00e4"),  # prohibited: unchanged
        ("\u0627\u0031", "\u0627\u0031"),  # right-to-left, ends otherwise: unchanged
        ("\u00ad", "\u00ad"),  # nothing would be left: unchanged
        ("\U000e0001\u00aa", "\U000e0001\u00aa"),
    ],
)
def test_prepare(password: str, prepared: str) -> None:
    assert prepare(password.encode()) == prepared.encode()


def test_prepare_bytes_that_are_no_text() -> None:
    assert prepare(b"\xff\xfe") == b"\xff\xfe"
