"""The API's description (OpenAPI 3.1), put right where the framework's own says what is not so.
It must never describe an error as anything but a problem, or a page for browsers."""

from typing import Any, Final

from fastapi import FastAPI

from wicketgate.api.problems import MEDIA_TYPE, Problem

_PROBLEM: Final = {"schema": {"$ref": "#/components/schemas/Problem"}}
_METHODS: Final = ("get", "put", "post", "patch", "delete")
_HEADERS: Final = {
    "ETag": "The representation's tag, for If-None-Match and If-Match.",
    "Link": "Where a list goes on: rel=next, relative.",
    "Location": "What was made.",
    "RateLimit": "How many requests are left, and in how many seconds all are.",
    "RateLimit-Policy": "How many requests there are in how many seconds.",
    "Retry-After": "Seconds until it is worth trying again.",
}
_SENT: Final = {
    "If-None-Match": "Tags that the client has: where one is it, the answer is 304 without a body.",
    "If-Match": "Tags: the write is done only where one of them is the thing's.",
    "Idempotency-Key": "Done once for a day, however often it is sent with this key (1 to 255 characters).",
}
_PAGES: Final = ("/api/v1/saml/{name}/login", "/api/v1/saml/{name}/acs")
"""Where a browser is told in its own way that it is refused."""
_OAUTH: Final = "/api/v1/oauth/token"
"""Whose errors are as RFC 6749 has them (section 5.2)."""
_REFUSED: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["error", "error_description"],
    "properties": {"error": {"type": "string"}, "error_description": {"type": "string"}},
}
_CONDITIONAL: Final = {
    ("put", "/api/v1/secrets/{name}"),
    ("patch", "/api/v1/identities/{name}"),
    ("delete", "/api/v1/identities/{name}"),
    ("put", "/api/v1/policy"),
    ("post", "/api/v1/policy/rollback"),
}
_UNSTORED: Final = ("/api/v1/policy",)
"""What GET answers under a tag, and never with 304."""


_MADE: Final[list[dict[str, Any]]] = []


def described(app: FastAPI) -> dict[str, Any]:
    """The document. Made once a process, which takes seconds: each application has the same routes."""
    if not _MADE:
        document = app.openapi()
        components = document.setdefault("components", {})
        schemas = components.setdefault("schemas", {})
        for name in ("HTTPValidationError", "ValidationError"):
            schemas.pop(name, None)
        schemas["Problem"] = Problem.model_json_schema()
        components["headers"] = {
            name: {"description": text, "schema": {"type": "string"}} for name, text in _HEADERS.items()
        }
        for path, operations in document["paths"].items():
            for method in _METHODS:
                if method in operations:
                    _put_right(path, method, operations[method])
        _MADE.append(document)
    return _MADE[0]


def _put_right(path: str, method: str, operation: dict[str, Any]) -> None:
    responses = operation["responses"]
    secured = "security" in operation
    if secured:
        operation["security"] = [{"HTTPBearer": []}]
    for status, answer in responses.items():
        if path == _OAUTH:
            if int(status) >= 400:
                answer["content"] = {"application/json": {"schema": _REFUSED}}
                answer["content"] |= {MEDIA_TYPE: _PROBLEM} if status in ("429", "503") else {}
            continue
        page = status == "403" and path in _PAGES
        if int(status) >= 400 and not page and not (path.endswith("/ready") and status == "503"):
            answer["content"] = {MEDIA_TYPE: _PROBLEM}
        if status in ("429", "503") and secured:
            _header(answer, "Retry-After")
        elif int(status) < 400 and secured:
            _header(answer, "RateLimit", "RateLimit-Policy")
    success = responses.get("200", {})
    is_json = "application/json" in success.get("content", {})
    if method == "get" and path in _UNSTORED:
        _header(success, "ETag")
    elif method == "get" and is_json and secured and not path.endswith("/recording"):
        _header(success, "ETag")
        _parameter(operation, "If-None-Match")
        responses["304"] = {"description": "The client has it already"}
    if method == "get" and any(each["name"] == "cursor" for each in operation.get("parameters", ())):
        _header(success, "Link")
    if method == "post" and secured:
        _parameter(operation, "Idempotency-Key")
        if "201" in responses:
            _header(responses["201"], "Location")
    if (method, path) in _CONDITIONAL:
        _parameter(operation, "If-Match")


def _header(answer: dict[str, Any], *names: str) -> None:
    for name in names:
        answer.setdefault("headers", {})[name] = {"$ref": f"#/components/headers/{name}"}


def _parameter(operation: dict[str, Any], name: str) -> None:
    schema: dict[str, Any] = {"type": "string"}
    if name == "Idempotency-Key":
        schema |= {"minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"}
    operation.setdefault("parameters", []).append(
        {"name": name, "in": "header", "required": False, "schema": schema, "description": _SENT[name]}
    )
