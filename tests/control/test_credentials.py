"""Credentials come from where they lie, and from nowhere else."""

from pathlib import Path

import pytest

from wicketgate.control.credentials import CredentialMissing, Credentials, LocalKey
from wicketgate.model.resource import Account, CredentialReference
from wicketgate.model.secret import Secret


def credentials(tmp_path: Path, **environment: str) -> Credentials:
    return Credentials(LocalKey.load_or_make(tmp_path / "local.key").decrypt, environment)


async def test_from_the_environment(tmp_path: Path) -> None:
    found = credentials(tmp_path, SALES="s3cret")
    assert await found.fetch(CredentialReference("env", "SALES")) == Secret(b"s3cret")
    with pytest.raises(CredentialMissing, match=r"can't be reached"):
        await found.fetch(CredentialReference("env", "OTHER"))


async def test_from_a_file_without_its_line_end(tmp_path: Path) -> None:
    (tmp_path / "password").write_bytes(b" s3cret \n")
    found = credentials(tmp_path)
    assert await found.fetch(CredentialReference("file", str(tmp_path / "password"))) == Secret(b" s3cret ")
    (tmp_path / "empty").write_bytes(b"\n")
    for name in ("empty", "missing"):
        with pytest.raises(CredentialMissing):
            await found.fetch(CredentialReference("file", str(tmp_path / name)))


async def test_inline_needs_the_local_key(tmp_path: Path) -> None:
    key = LocalKey.load_or_make(tmp_path / "local.key")
    text = key.encrypt(Secret(b"s3cret"))
    assert "s3cret" not in text
    assert (tmp_path / "local.key").stat().st_mode & 0o777 == 0o600
    assert await credentials(tmp_path).fetch(CredentialReference("inline", text)) == Secret(b"s3cret")
    other = LocalKey.load_or_make(tmp_path / "other.key")
    for wrong in (text[:-8] + "AAAAAAAA", "", "!", "ü"):
        with pytest.raises(CredentialMissing):
            key.decrypt(wrong)
    with pytest.raises(CredentialMissing):
        other.decrypt(text)


def test_a_readable_key_is_refused(tmp_path: Path) -> None:
    LocalKey.load_or_make(tmp_path / "local.key")
    (tmp_path / "local.key").chmod(0o640)
    with pytest.raises(CredentialMissing) as error:
        LocalKey.load_or_make(tmp_path / "local.key")
    assert "chmod 600" in error.value.detail


async def test_none_means_trust(tmp_path: Path) -> None:
    assert await credentials(tmp_path).fetch(CredentialReference("none", "")) is None


async def test_a_version_follows_the_value_and_tells_nothing(tmp_path: Path) -> None:
    account = Account("reader", "ro", CredentialReference("file", str(tmp_path / "password")), "1")
    (tmp_path / "password").write_bytes(b"one")
    found, other = credentials(tmp_path), credentials(tmp_path)
    one = await found.version(account)
    assert one == await found.version(account) != await other.version(account)
    (tmp_path / "password").write_bytes(b"two")
    assert await found.version(account) != one
    (tmp_path / "password").unlink()
    with pytest.raises(CredentialMissing):
        await found.version(account)
