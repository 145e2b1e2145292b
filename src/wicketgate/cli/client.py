"""Speaks to the API, over the local socket or over HTTPS with a token. Standard library only: it loads fast.
It must never send a token over plain HTTP, nor follow a redirection with it."""

import http.client
import json
import os
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

from wicketgate.cli.ending import NEGATIVE, NOT_ALLOWED, UNREACHABLE, USAGE, Ended
from wicketgate.model.secret import Secret

TIMEOUT: Final = 120.0
"""Seconds: verifying a large journal takes a while."""

_CODES: Final = {401: NOT_ALLOWED, 403: NOT_ALLOWED, 422: USAGE, 503: UNREACHABLE}


class Unreachable(Ended):
    """Nobody answers there."""

    def __init__(self, message: str) -> None:
        super().__init__(message, UNREACHABLE)


@dataclass(frozen=True, slots=True)
class Where:
    """Where the API is: socket (local), or host, port and token. ca: PEM file to trust; None: the system."""

    socket: Path | None = None
    host: str = ""
    port: int = 443
    token: Secret | None = None
    ca: str | None = None

    def __str__(self) -> str:
        return str(self.socket) if self.socket is not None else f"https://{self.host}:{self.port}"


class _SocketConnection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=TIMEOUT)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(TIMEOUT)
        self.sock.connect(str(self._path))


def remote(url: str, token_file: Path | None, ca: str | None) -> Where:
    """The API at `https://host:port`. The token comes from a file or from WICKET_TOKEN, never from an
    argument: these are seen by everybody on the machine. Raises Ended."""
    where = unproven(url, ca)
    if token_file is not None:
        try:
            text = token_file.read_text("ascii").strip()
        except (OSError, UnicodeDecodeError):
            raise Ended(f"the token can't be read from {token_file}", USAGE) from None
    else:
        text = os.environ.get("WICKET_TOKEN", "").strip()
    if not text:
        raise Ended("a token is needed: set WICKET_TOKEN, or give --token-file", USAGE)
    return Where(None, where.host, where.port, Secret(text.encode("ascii", "replace")), ca)


def unproven(url: str, ca: str | None) -> Where:
    """The same, for who has no token yet. Raises Ended."""
    parts = urlsplit(url)
    try:
        port = parts.port or 443
    except ValueError:
        raise Ended("--url must be https://host:port", USAGE) from None
    if parts.scheme != "https" or not parts.hostname or parts.path.strip("/"):
        raise Ended("--url must be https://host:port", USAGE)
    return Where(None, parts.hostname, port, None, ca)


class Client:
    """One API. Every method raises Ended with the exit code that fits."""

    def __init__(self, where: Where) -> None:
        self.where = where

    def ask(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, **query: str | int | None
    ) -> Any:
        """One request below /api/v1; the answer's JSON, or None."""
        content = self.raw(method, path, body, **query)
        return json.loads(content) if content else None

    def raw(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, **query: str | int | None
    ) -> bytes:
        """The same, with the answer's bytes as they came."""
        chosen = {name: value for name, value in query.items() if value is not None}
        target = f"/api/v1{path}" + (f"?{urlencode(chosen)}" if chosen else "")
        headers = {"accept": "application/json"}
        if self.where.token is not None:
            headers["authorization"] = "Bearer " + self.where.token.reveal().decode("latin-1")
        if body is not None:
            headers["content-type"] = "application/json"
        connection = self._connection()
        try:
            connection.request(method, target, None if body is None else json.dumps(body), headers)
            answer = connection.getresponse()
            content = answer.read()
        except ssl.SSLCertVerificationError as error:
            raise Unreachable(
                f"{self.where} has a certificate that is not trusted ({error.verify_message}): give --ca, "
                "the file that `wicket ca` prints"
            ) from None
        except PermissionError:
            raise Ended(f"{self.where} belongs to another user", NOT_ALLOWED) from None
        except (FileNotFoundError, ConnectionRefusedError):
            raise Unreachable(f"no gateway answers at {self.where}: is `wicket serve` running?") from None
        except (OSError, http.client.HTTPException) as error:
            raise Unreachable(
                f"no gateway answers at {self.where}: {error or type(error).__name__}"
            ) from None
        finally:
            connection.close()
        if 200 <= answer.status < 300:
            return content
        raise Ended(_reason(answer.status, content), _CODES.get(answer.status, NEGATIVE))

    def _connection(self) -> http.client.HTTPConnection:
        if self.where.socket is not None:
            return _SocketConnection(self.where.socket)
        try:
            context = ssl.create_default_context(cafile=self.where.ca)
        except (OSError, ssl.SSLError):
            raise Ended(f"the CA can't be read from {self.where.ca}", USAGE) from None
        return http.client.HTTPSConnection(self.where.host, self.where.port, timeout=TIMEOUT, context=context)


def _reason(status: int, content: bytes) -> str:
    """A problem's text (RFC 9457), or the status alone."""
    try:
        found = json.loads(content)
        text = str(found["detail"])
        errors = found.get("errors") or []
    except (ValueError, KeyError, TypeError, AttributeError):
        return f"the gateway answered {status}"
    return "; ".join([text, *(str(each) for each in errors)]) if errors else text
