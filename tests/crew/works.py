"""A real CrewAI crew before a real gateway: told to wait, it asks, is approved, tries again and finishes;
denied, it takes the alternative. `make crew` runs it: CrewAI is 900 MB, and no part of `make test`."""

import json
import os
import ssl
import subprocess
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from corpus import worlds
from crew.model import NARROWER, RISKY, Model
from e2e.house import RULES, House
from e2e.watch import eventually
from servers import system
from servers.postgres import Postgres

ROOT = Path(__file__).resolve().parents[2]
REVIEWED = """\
  - {name: orders are kept, identities: {names: [writer]}, resources: any,
     when: 'statement.does("delete") && statement.writes("public.orders")',
     review: {by: {groups: [dba]}, within: 10m, mode: retry, message: Count the orders instead.}}
identities:
  ann: {groups: [dba]}
"""


@pytest.fixture(scope="module")
def house(postgres15: Postgres) -> Iterator[House]:
    worlds.build(postgres15)
    folder = system.folder("wicketgate-crew")
    port = system.free_port()
    more = f'  api: {{https: "127.0.0.1:{port}", url: "https://localhost:{port}"}}\n'
    made = House(folder, postgres15, rules=RULES + REVIEWED, more=more, databases=(worlds.ALPHA,))
    made.gateway.start()
    made.url = f"https://localhost:{port}"  # type: ignore[attr-defined]
    yield made
    made.gateway.stop()
    system.remove(folder)


def asked(house: House, method: str, path: str, body: Any = None) -> Any:
    """The API's answer to Ann."""
    content = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{house.url}/api/v1{path}", content, method=method)  # type: ignore[attr-defined]
    request.add_header("authorization", f"Bearer {house.token('ann')}")
    request.add_header("content-type", "application/json")
    trusted = ssl.create_default_context(cafile=str(house.ca))
    with urllib.request.urlopen(request, context=trusted, timeout=60) as answer:
        return json.loads(answer.read())


def crew(house: House, model: Model, storage: Path) -> str:
    """What the crew says in the end."""
    target = house.target("writer")
    environment = {
        **os.environ,
        "DATABASE_URL": f"postgresql+psycopg2://writer:{target.password}@localhost:{target.port}/alpha"
        f"?sslmode=verify-full&sslrootcert={target.ca}",
        "OPENAI_BASE_URL": model.url,
        "OPENAI_API_KEY": "nobody's",
        "CREW_MODEL": "openai/gpt-4o",
        "WICKET_URL": house.url,  # type: ignore[attr-defined]
        "WICKET_TOKEN": target.password,
        "WICKET_CA": str(target.ca),
        "CREWAI_DISABLE_TELEMETRY": "true",
        "CREWAI_DISABLE_TRACKING": "true",
        "OTEL_SDK_DISABLED": "true",
        "CREWAI_TRACING_ENABLED": "false",
        "CREWAI_STORAGE_DIR": str(storage),
    }
    command = [
        os.environ["CREW_PYTHON"],
        ROOT / "examples/crewai/approvals.py",
        "Remove the first two orders.",
    ]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


@pytest.mark.parametrize("answer", ["approve", "deny"])
@pytest.mark.timeout(400)
def test_a_crew_waits_for_people(house: House, tmp_path: Path, answer: str) -> None:
    def left() -> int:
        [(found,)] = house.server.sql("SELECT count(*) FROM orders WHERE id <= 2", database=worlds.ALPHA)
        return int(found)

    def answers() -> None:
        [review] = eventually(lambda: asked(house, "GET", "/reviews?status=pending"), "a review", 200)
        asked(house, "POST", f"/reviews/{review['id']}/{answer}", {"comment": "seen"})

    before = left()
    assert before
    person = threading.Thread(target=answers)
    person.start()
    with Model() as model:
        said = crew(house, model, tmp_path)
    person.join()
    calls = [
        json.loads(call["function"]["arguments"])
        for message in model.asked[-1]
        for call in message.get("tool_calls") or ()
    ]
    queries = [each["sql_query"] for each in calls if "sql_query" in each]
    assert sum("review" in each for each in calls) == 1
    if answer == "approve":
        assert queries == [RISKY, RISKY]
        assert left() == 0
        worlds.reset(house.server, worlds.ALPHA)
    else:
        assert queries == [RISKY, NARROWER]
        assert left() == before
        assert str(before) in said
