"""Checkpoints render one way, and only the trusted key's are believed."""

from dataclasses import replace

import pytest

from wicketgate.journal.checkpoint import (
    FIRST,
    Checkpoint,
    CheckpointForged,
    Position,
    SigningKey,
    Trust,
    check_signature,
    parse_checkpoint,
    read_public_key,
)

KEY = SigningKey.load(
    b"-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f\n"
    b"-----END PRIVATE KEY-----\n"
)


def made(**changes: object) -> Checkpoint:
    one = KEY.sign(
        1, FIRST, "n1", [Position("b", 1, 9, "2" * 64), Position("a", 2, 5, "1" * 64)], {"n2": (4, "3" * 64)}
    )
    return replace(one, **changes)  # type: ignore[arg-type]


def test_a_checkpoint_renders_as_the_format_says() -> None:
    """Pinned byte for byte; Ed25519 signatures are the same every time."""
    one = made()
    assert one.render() == (
        b'{"number":1,"prev":"' + b"0" * 64 + b'","node":"n1","key":"56475aa75463474c","writers":[["a",2,5,"'
        + b"1" * 64 + b'"],["b",1,9,"' + b"2" * 64 + b'"]],"peers":{"n2":[4,"' + b"3" * 64
        + b'"]},"sig":"' + one.sig.encode() + b'"}'
    )  # fmt: skip
    assert parse_checkpoint(one.render()) == one
    check_signature(one, KEY.public)


@pytest.mark.parametrize(
    "changes",
    [
        {"number": 2}, {"prev": "1" * 64}, {"node": "n2"}, {"writers": ()}, {"peers": {}}, {"next": "0" * 64},
        {"sig": "0" * 128}, {"key": "0" * 16}, {"writers": (Position("a", 2, 5, "4" * 64),)},
    ],
)  # fmt: skip
def test_every_member_is_signed(changes: dict[str, object]) -> None:
    with pytest.raises(CheckpointForged):
        check_signature(made(**changes), KEY.public)
    with pytest.raises(CheckpointForged):
        Trust([KEY.public]).accept(made(**changes))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'{"number":1', b'{"number": 1'), (b'"number":1', b'"number":true'), (b'"number":1', b'"number":0'),
        (b'"number":1,', b""), (b'"node":"n1"', b'"node":1'), (b'"node":"n1"', b'"node":""'),
        (b'["a",2,5,', b'["a",2,'), (b'["a",2,5,', b'["a",2,"5",'), (b'"peers":{', b'"peers":['),
        (b'"key":"5', b'"key":"X'), (b'"key":"56', b'"key":"'), (b'"n2":[4,', b'"n2":['),
        (b'"sig"', b'"more"'),
        (b"{", b"["), (b"}", b""),
    ],
)  # fmt: skip
def test_another_shape_is_refused(old: bytes, new: bytes) -> None:
    data = made().render()
    assert old in data
    with pytest.raises(CheckpointForged):
        parse_checkpoint(data.replace(old, new, 1))


def test_a_key_is_read_in_any_of_its_forms() -> None:
    assert read_public_key(KEY.public) == KEY.public
    assert read_public_key(KEY.public_pem()) == KEY.public
    assert read_public_key(KEY.public.hex().encode() + b"\n") == KEY.public
    assert SigningKey.load(KEY.private_pem()).id == KEY.id
    for wrong in (b"", b"zz", b"00", KEY.private_pem()):
        with pytest.raises(ValueError, match=r"."):
            read_public_key(wrong)


def test_an_introduced_key_is_trusted_and_one_that_introduces_itself_is_not() -> None:
    new, evil = SigningKey.generate(), SigningKey.generate()
    one = KEY.sign(1, FIRST, "n1", [], None, new.public)
    two = new.sign(2, one.digest(), "n1", [])
    trust = Trust([KEY.public])
    with pytest.raises(CheckpointForged):
        trust.accept(two)
    trust.accept(one)
    trust.accept(two)
    with pytest.raises(CheckpointForged):
        trust.accept(evil.sign(3, two.digest(), "n1", [], None, evil.public))
    with pytest.raises(CheckpointForged):
        trust.accept(KEY.sign(3, two.digest(), "n1", []))


def test_no_key_is_in_a_repr() -> None:
    assert KEY.private_pem().decode().splitlines()[1] not in repr(KEY)
