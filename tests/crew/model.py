"""A model server that speaks OpenAI's wire format and plays a clerk who heeds what the gateway tells him.
It must never say by itself what a review came to: it reads that in the conversation."""

import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

RISKY = "DELETE FROM orders WHERE id <= 2"
NARROWER = "SELECT count(*) AS found FROM orders WHERE id <= 2"
_REVIEW = re.compile(r'"review":\s*"([0-9A-Za-z]{26})"')


def turn(messages: list[dict[str, Any]], tools: list[str]) -> dict[str, Any]:
    """The assistant's next message: a tool call, or the answer. tools: as they are offered to it."""
    [sql] = [each for each in tools if "sql" in each.lower()]
    said = [str(each.get("content")) for each in messages if each["role"] == "tool"]
    last = said[-1] if said else ""
    if not said:
        return _call(sql, {"sql_query": RISKY})
    waited = "usable_until" in last or '"status":' in last
    if waited and re.search(r'"status":\s*"approved"', last):
        return _call(sql, {"sql_query": RISKY})
    if waited and re.search(r'"status":\s*"(denied|expired|withdrawn)"', last):
        return _call(sql, {"sql_query": NARROWER})
    held = _REVIEW.search(last)
    if held is not None:
        return _call("wait_for_review", {"review": held[1]})
    return {"role": "assistant", "content": f"Thought: I know.\nFinal Answer: {last[:300]}"}


def _call(name: str, arguments: dict[str, Any]) -> dict[str, Any]:
    function = {"name": name, "arguments": json.dumps(arguments)}
    return {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"id": "call_1", "type": "function", "function": function}],
    }


class Model:
    """The server, on a free port. asked: the conversations as they came."""

    def __init__(self) -> None:
        model = self
        self.asked: list[list[dict[str, Any]]] = []

        class Answers(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                model.asked.append(body["messages"])
                names = [each["function"]["name"] for each in body["tools"]]
                message = turn(body["messages"], names)
                told = {
                    "id": "chatcmpl-1",
                    "object": "chat.completion",
                    "created": 0,
                    "model": body["model"],
                    "choices": [
                        {
                            "index": 0,
                            "message": message,
                            "finish_reason": "tool_calls" if "tool_calls" in message else "stop",
                        }
                    ],
                    "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
                }
                written = json.dumps(told).encode()
                self.send_response(200)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(written)))
                self.end_headers()
                self.wfile.write(written)

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
        self.url = f"http://127.0.0.1:{self._server.server_port}/v1"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
