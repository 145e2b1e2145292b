"""Where the store is: what an address may say, how it is verified, and that it is never repeated."""

import ssl
import traceback
from pathlib import Path

import pytest

from servers.postgres import ADMINISTRATOR, Postgres, password
from wicketgate.model.errors import StoreFailed
from wicketgate.model.secret import Secret
from wicketgate.store.address import SESSION, StoreAddress, connecting, parameters, store_url
from wicketgate.store.db import Store

HIDDEN = "hunter2"


@pytest.mark.parametrize(
    ("text", "mode"),
    [
        ("postgresql://u:hunter2@db.internal/w", "verify-full"),
        ("postgresql://u:hunter2@127.0.0.1/w", "prefer"),
        ("postgres://u:hunter2@localhost/w", "prefer"),
        ("postgresql://u@/w?host=/run/postgresql", "prefer"),
        ("postgresql://u@/w?host=db.internal", "verify-full"),
        ("postgresql://u:hunter2@db.internal/w?sslmode=require", "require"),
        ("postgresql://u:hunter2@db.internal/w?sslmode=disable", "disable"),
    ],
)
def test_what_is_not_near_is_verified_unless_it_is_said(text: str, mode: str, tmp_path: Path) -> None:
    url = store_url(text, tmp_path)
    assert url.query["sslmode"] == mode
    tls = connecting(url)[1]["ssl"]
    if mode == "verify-full":
        assert isinstance(tls, ssl.SSLContext)
        assert (tls.verify_mode, tls.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert HIDDEN not in repr(url) + str(url) + repr(connecting(url)[1])


@pytest.mark.parametrize(
    "text",
    [
        "mysql://u:hunter2@h/w",
        "hunter2://",
        "://hunter2",
        "postgresql://u:hunter2@h:port/w",
        "postgresql://u:hunter2@h/w?sslmode=maybe",
        "postgresql://u:hunter2@h/w?options=-csearch_path%3Dx",
        "postgresql://u:hunter2@h/w?sslmode=require&sslmode=disable",
        "postgresql://u:hunter2@h/w?password=hunter2",
        "postgresql://u:hunter2@h/w?sslrootcert=/nowhere/ca.pem",
    ],
)
async def test_a_wrong_address_is_refused_and_never_repeated(text: str, tmp_path: Path) -> None:
    with pytest.raises(StoreFailed) as caught:
        await Store.open(store_url(text, tmp_path))
    told = "".join(traceback.format_exception(caught.value)) + caught.value.public + caught.value.detail
    assert HIDDEN not in told.replace(text, "")
    assert HIDDEN not in caught.value.public + caught.value.detail


async def test_a_server_that_is_not_there_tells_no_password(tmp_path: Path) -> None:
    refused = store_url("postgresql://u:hunter2@127.0.0.1:1/w", tmp_path)
    with pytest.raises(StoreFailed) as caught:
        await Store.open(refused)
    assert HIDDEN not in "".join(traceback.format_exception(caught.value)) + caught.value.detail


def test_it_comes_from_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = "postgresql://u:hunter2@h/w?sslrootcert=ca.pem"
    file = tmp_path / "address"
    file.write_text(said + "\n")
    monkeypatch.setenv("STATE_URL", said)
    for address in (
        StoreAddress(url=Secret(said.encode()), folder=tmp_path),
        StoreAddress(env="STATE_URL", folder=tmp_path),
        StoreAddress(file=file, folder=tmp_path),
    ):
        found = store_url(address, tmp_path)
        assert (found.password, found.query["sslrootcert"]) == (HIDDEN, str(tmp_path / "ca.pem"))
        assert HIDDEN not in repr(address) + str(address)
    monkeypatch.delenv("STATE_URL")
    for content in ("", f"{said} {said}", "x" * 9000):
        file.write_text(content)
        for address in (StoreAddress(env="STATE_URL"), StoreAddress(file=file)):
            with pytest.raises(StoreFailed, match="database_url: "):
                store_url(address, tmp_path)


async def test_certificates_are_verified(postgres15: Postgres, tmp_path: Path) -> None:
    port, root = postgres15.port, postgres15.authority.root
    (tmp_path / "other.pem").write_text((root.parent / root.name).read_text())
    from servers.certificates import Authority

    (tmp_path / "stranger").mkdir()
    stranger = Authority(tmp_path / "stranger").root
    secret = password(ADMINISTRATOR)

    async def opens(host: str, more: str) -> None:
        url = store_url(f"postgresql://{ADMINISTRATOR}:{secret}@{host}:{port}/postgres?{more}", tmp_path)
        import asyncpg

        connection = await asyncpg.connect(**parameters(url))
        try:
            assert await connection.fetchval(
                "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
            ) is not ("disable" in more)
            for name, value in SESSION.items():
                assert (await connection.fetchval(f"SHOW {name}")).removesuffix("s") in (value, "15")
        finally:
            await connection.close()

    await opens("localhost", f"sslmode=verify-full&sslrootcert={root}")
    await opens("localhost", "sslmode=require")
    await opens("127.0.0.1", "sslmode=disable")
    for host, more in (
        ("localhost", "sslmode=verify-full"),
        ("localhost", f"sslmode=verify-full&sslrootcert={stranger}"),
        ("localhost", f"sslmode=require&sslrootcert={stranger}"),
        ("localhost", f"sslmode=verify-ca&sslrootcert={stranger}"),
    ):
        with pytest.raises(ssl.SSLError):
            await opens(host, more)
        with pytest.raises(StoreFailed) as caught:
            await Store.open(
                store_url(f"postgresql://{ADMINISTRATOR}:{secret}@{host}:{port}/postgres?{more}", tmp_path)
            )
        assert secret not in "".join(traceback.format_exception(caught.value)) + caught.value.detail
