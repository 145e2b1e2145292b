"""Where a browser comes back to after a sign-in: one address on loopback, for one answer.
It must never take an answer with another state than the sign-in's, nor log what a browser asked for.
"""

import http.server
import time
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

from wicketgate.cli.ending import USAGE, end

PATIENCE: Final = 300.0
"""Seconds that somebody has to sign in."""


class Door(http.server.HTTPServer):
    """Where the browser comes back to, on loopback: takes the one answer that has our state."""

    timeout = 1.0

    def __init__(self, port: int) -> None:
        self.answer: dict[str, str] | None = None
        self.state = ""
        try:
            super().__init__(("127.0.0.1", port), _Caller)
        except OSError as error:
            end(f"port {port} can't be taken: {error.strerror}", USAGE)

    def wait(self, state: str) -> dict[str, str]:
        """What the browser came back with. state: of the sign-in; what has another one is no answer."""
        self.state = state
        ends = time.monotonic() + PATIENCE
        while self.answer is None:
            if time.monotonic() > ends:
                end("nobody signed in in time")
            self.handle_request()
        return self.answer


class _Caller(http.server.BaseHTTPRequestHandler):
    server: Door
    timeout = 5

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        pairs = parse_qsl(parts.query)
        found = dict(pairs)
        good = (
            parts.path == "/callback" and len(found) == len(pairs) and found.get("state") == self.server.state
        )
        if good:
            self.server.answer = found
        text = b"You may close this window.\n" if good else b"Nothing here.\n"
        self.send_response(200 if good else 404)
        self.send_header("content-type", "text/plain")
        self.send_header("content-length", str(len(text)))
        self.send_header("connection", "close")
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, format: str, *args: Any) -> None:
        """What a browser asked for holds a code: not a word."""
