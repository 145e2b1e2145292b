"""A CrewAI crew whose SQL tool goes through Wicketgate: nothing in it knows of a gateway but DATABASE_URL.

With a model of your own (OPENAI_API_KEY or whatever CrewAI finds) it answers a question. With --scripted a
model that only plays a script takes its place, so that the example runs without any.
"""

import json
import os
import sys
from typing import Any

from crewai import Agent, BaseLLM, Crew, Task
from crewai_tools import NL2SQLTool

QUESTION = "Which three cities have the most customers, and how do we reach the newest customer there?"


class Scripted(BaseLLM):
    """Plays two tool calls and an answer made of what the tool said."""

    _queries = (
        "SELECT city, count(*) AS customers FROM customers GROUP BY city ORDER BY 2 DESC LIMIT 3",
        "SELECT name, email FROM customers ORDER BY joined DESC LIMIT 1",
        "DELETE FROM customers WHERE city = 'Cork'",
    )

    def __init__(self) -> None:
        super().__init__(model="scripted")
        self._asked = 0

    def call(self, messages: Any, *arguments: Any, **more: Any) -> str:
        if self._asked < len(self._queries):
            query = self._queries[self._asked]
            self._asked += 1
            action = json.dumps({"sql_query": query})
            return f"Thought: I ask the database.\nAction: NL2SQLTool\nAction Input: {action}"
        seen = (
            messages if isinstance(messages, str) else "\n".join(str(one.get("content")) for one in messages)
        )
        observed = [
            line for line in seen.splitlines() if line.startswith(("Observation: [", "Observation: B"))
        ]
        return "Thought: I know now.\nFinal Answer: " + "\n".join(observed)

    def supports_function_calling(self) -> bool:
        return False


def main() -> None:
    tool = NL2SQLTool(
        db_uri=os.environ["DATABASE_URL"], allow_dml=True
    )  # what is allowed, the gateway decides
    more: dict[str, Any] = {"llm": Scripted()} if "--scripted" in sys.argv else {}
    analyst = Agent(
        role="Sales analyst",
        goal="Answer questions from the sales database",
        backstory="You write plain SQL and believe what the database says.",
        tools=[tool],
        **more,
    )
    task = Task(description=QUESTION, expected_output="A short answer", agent=analyst)
    print(Crew(agents=[analyst], tasks=[task]).kickoff())


if __name__ == "__main__":
    main()
