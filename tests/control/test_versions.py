"""Workers are told when a credential changes, and nobody waits for a source that hangs."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from wicketgate.control import versions
from wicketgate.control.credentials import Credentials
from wicketgate.control.versions import Versions
from wicketgate.model.credential import Credential, CredentialMissing
from wicketgate.model.resource import Account, CredentialReference, Resource, TlsMode
from wicketgate.model.secret import Secret


def resource(name: str, source: str, locator: str) -> Resource:
    account = Account("reader", "ro", CredentialReference(source, locator), "1")
    return Resource(name, "echo", "localhost", 1, ("db",), TlsMode.DISABLE, {"reader": account})


class Hanging:
    async def fetch(self, locator: str) -> Credential:
        if locator == "broken":
            raise CredentialMissing("vault corp: it is sealed, or not ready")
        await asyncio.Event().wait()
        return Credential(Secret(b"never"))

    async def close(self) -> None:
        return


async def test_a_change_is_told_once(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("one")
    puts: list[tuple[str, Any]] = []
    log: list[str] = []
    found = Versions(Credentials(Secret, {}), lambda key, value: puts.append((key, value)), log.append)
    first = await found.adopt([resource("sales", "file", str(file))])
    watching = asyncio.create_task(found.watch(0.01), name="watch")
    await asyncio.sleep(0.1)
    assert puts == []
    file.write_text("two")
    await asyncio.sleep(0.1)
    assert [key for key, _ in puts] == ["sales/reader"]
    assert puts[0][1]["version"] not in ("", first["sales/reader"]["version"])
    file.unlink()
    await asyncio.sleep(0.1)
    assert puts[1:] == [("sales/reader", {"version": ""})]
    file.write_text("one")
    await asyncio.sleep(0.1)
    assert puts[2:] == [("sales/reader", first["sales/reader"])]
    watching.cancel()
    assert log == [
        "sales/reader: its credential changed",
        f"sales/reader: no credential: {file}: No such file or directory",
        "sales/reader: its credential is there",
    ]


async def test_a_source_that_hangs_holds_no_policy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(versions, "READ", 0.05)
    log: list[str] = []
    credentials = Credentials(Secret, {"GOOD": "x"}, {"vault": Hanging()})
    found = Versions(credentials, lambda key, value: None, log.append)
    resources = [resource(f"r{n}", "vault", str(n)) for n in range(40)]
    resources += [resource("good", "env", "GOOD"), resource("bad", "vault", "broken")]
    entries = await found.adopt(resources[::-1])
    assert len(entries) == 42
    assert {key for key, value in entries.items() if value["version"]} == {"good/reader"}
    assert "bad/reader: no credential: vault corp: it is sealed, or not ready" in log
    await credentials.close()
