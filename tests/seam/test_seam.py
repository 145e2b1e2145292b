"""A protocol that the gateway never heard of comes in through the seam: the rest works on it unchanged."""

import base64
from pathlib import Path

import pytest

from seam.house import Client, House, Target, opened
from wicketgate.journal.parse import Line

RULES = """\
  - name: crews read
    identities: {groups: [crew]}
    resources: [notes]
    account: reader
    permit: [read]
    mask: {phone: last4}
"""
DROP = """\
  - name: never drop
    when: statement.does("drop")
    deny: Dropping is not done here.
"""


def test_the_toy_is_small() -> None:
    lines = (Path(__file__).parent / "toy.py").read_text().splitlines()
    assert len(lines) <= 150


async def test_a_session_is_identified_decided_masked_and_recorded(tmp_path: Path) -> None:
    async with Target() as target:
        async with opened(tmp_path, target.port, RULES + DROP) as house:
            answers = set()
            for wrong in ({"name": "nobody"}, {"token": "wrong"}, {"resource": "nowhere"}):
                client, answer = await house.sign_in(**wrong)
                answers.add(answer)
                await client.close()
            assert answers == {"! sign-in: sign-in refused"}

            client = await house.client()
            assert await client.ask("get people 2") == [
                "0 [redacted:email] ****5670",
                "1 [redacted:email] ****5671",
                ".",
            ]
            assert await client.ask("get things 1") == ["0 ann0@example.com 12345670", "."]
            (dropped,) = await client.ask("drop people")
            assert dropped.startswith("! policy: ")
            assert "Dropping is not done here." in dropped
            assert (await client.ask("put people"))[0].startswith("! policy: ")
            assert (await client.ask("what is this"))[0].startswith("! policy: ")
            assert (await client.ask("get people 1"))[-1] == "."  # the connection went on
            await client.close()
            await house.until(lambda: not house.control.rows)
        assert target.seen == ["get people 2", "get things 1", "get people 1"]

    report = house.verified()
    assert report.sound, report.faults
    (lines,) = house.recorded()
    kinds = [line.kind for line in lines]
    assert kinds == "open ask answer ask answer deny deny deny ask answer close".split()
    assert [line.q for line in lines] == list(range(1, len(lines) + 1))
    told(lines)


def told(lines: list[Line]) -> None:
    """What the lines say."""
    opening, asked, answer = lines[0].members, lines[1].members, lines[2].members
    assert (opening["i"]["name"], opening["i"]["resource"], opening["a"]) == ("bot", "notes", "reader")
    assert (asked["d"], asked["u"], asked["e"], asked["l"]) == (
        "permit",
        ["crews read"],
        ["read"],
        ["people"],
    )
    assert lines[1].content()["text"] == "get people 2"  # type: ignore[index]
    assert answer["o"]["rows"] == 2
    assert answer["o"]["masked"] == {"email": 2, "phone": 2}
    kept = base64.b64decode(lines[2].content()["bytes"])  # type: ignore[index]
    assert kept.startswith(b"0 [redacted:email] ")
    assert b"ann" not in kept
    denied = [line for line in lines if line.kind == "deny"]
    assert [line.members.get("u") for line in denied] == [["never drop"], None, ["never drop"]]
    assert lines[-1].members["o"] == {"tag": "client"}


async def test_rows_and_statements_of_a_session_are_limited(tmp_path: Path) -> None:
    limits = "    limits: {rows: 10 per session, statements: 4 per session}\n"
    async with Target() as target, opened(tmp_path, target.port, RULES + limits) as house:
        client = await house.client()
        assert len(await client.ask("get things 7")) == 8
        *rows, end = await client.ask("get things 7")
        assert len(rows) == 3
        assert end == "! limit: The limit of 10 rows per session of rule 'crews read' is used up."
        assert (await client.ask("get things 0"))[0] == end
        await client.close()
        fresh = await house.client()
        for _ in range(4):
            assert await fresh.ask("get things 1") == ["0 ann0@example.com 12345670", "."]
        (denied,) = await fresh.ask("get things 1")
        assert denied == "! limit: The limit of 4 statements per session of rule 'crews read' is used up."
        await fresh.close()


async def spread(house: House, workers: int) -> list[Client]:
    """Clients on every worker, two or more in all."""
    clients: list[Client] = []
    while len(house.workers()) < workers or len(clients) < 2:
        clients.append(await house.client())
        await house.until(lambda: len(house.control.rows) == len(clients))
        assert len(clients) < 60
    return clients


@pytest.mark.parametrize("what", ["rows", "statements"])
async def test_an_hour_s_limit_holds_over_two_workers(tmp_path: Path, what: str) -> None:
    amount = 300 if what == "rows" else 60
    limits = f"    limits: {{{what}: {amount} per hour}}\n"
    async with Target() as target, opened(tmp_path, target.port, RULES + limits, workers=2) as house:
        clients = await spread(house, 2)
        left = list(clients)
        rows = statements = 0
        while left:
            for client in list(left):
                *got, end = await client.ask("get things 7")
                rows += len(got)
                statements += end == "."
                if end != ".":
                    assert end.startswith(f"! limit: The limit of {amount} {what} per hour")
                    left.remove(client)
        # What one worker leased and did not use is not there for the other: never more, and all in the end.
        assert (rows if what == "rows" else statements) == amount
        for client in clients:
            await client.close()
