"""A CrewAI crew whose risky statement waits for a person: it is told so, waits, and goes on by the answer.

DATABASE_URL=postgresql://crew-bot:wkt_…@gateway:15432/sales?sslmode=verify-full&sslrootcert=ca.pem
WICKET_URL=https://gateway:18443  WICKET_TOKEN=wkt_…  WICKET_CA=ca.pem  OPENAI_API_KEY=…
python examples/crewai/approvals.py "Close the accounts of the customers in Cork who never ordered."
"""

import os
import ssl
import sys
import time
import urllib.request
from typing import Any

from crewai import Agent, Crew, Task
from crewai.tools import BaseTool
from crewai_tools import NL2SQLTool
from pydantic import BaseModel, Field

ADVICE = """A statement may be held for a person's approval. The error then carries a JSON object with
"review", the review's id, and "alternatives". Wait for the review with wait_for_review. When it is approved,
run the very same statement again, unchanged. When it is denied, expired or withdrawn, never ask for the same
again: take one of the alternatives, or say that it was not allowed."""


class Waited(BaseModel):
    review: str = Field(description="The review's id, from the error")


class WaitForReview(BaseTool):
    """Asks the gateway's API, which answers as soon as somebody has decided."""

    name: str = "wait_for_review"
    description: str = "Waits until people have answered a review, and tells its status."
    args_schema: type[BaseModel] = Waited
    patience: int = 3600

    def _run(self, review: str) -> str:
        until = time.monotonic() + self.patience
        trusted = ssl.create_default_context(cafile=os.environ.get("WICKET_CA"))
        while time.monotonic() < until:
            request = urllib.request.Request(
                f"{os.environ['WICKET_URL']}/api/v1/reviews/{review}?wait=30s",
                headers={"authorization": f"Bearer {os.environ['WICKET_TOKEN']}"},
            )
            with urllib.request.urlopen(request, context=trusted, timeout=60) as answer:
                told = answer.read().decode()
            if '"status":"pending"' not in told.replace(" ", ""):
                return told
        return '{"status": "pending"}'


def main() -> None:
    more: dict[str, Any] = {"llm": os.environ["CREW_MODEL"]} if "CREW_MODEL" in os.environ else {}
    clerk = Agent(
        role="Sales clerk",
        goal="Do what is asked on the sales database, by plain SQL",
        backstory=ADVICE,
        tools=[NL2SQLTool(db_uri=os.environ["DATABASE_URL"], allow_dml=True), WaitForReview()],
        **more,
    )
    task = Task(description=sys.argv[1], expected_output="What was done, in a sentence", agent=clerk)
    print(Crew(agents=[clerk], tasks=[task]).kickoff())


if __name__ == "__main__":
    main()
