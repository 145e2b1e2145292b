"""The description (OpenAPI): valid, whole, and true of what the API answers to whatever it allows."""

import json
import warnings
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from openapi_spec_validator import OpenAPIV31SpecValidator

from api.conftest import served
from api.stage import ROW, Stage, routes_of
from wicketgate.api.description import described
from wicketgate.api.routes import make

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import schemathesis
    from schemathesis.checks import not_a_server_error
    from schemathesis.specs.openapi.checks import (
        content_type_conformance,
        response_headers_conformance,
        response_schema_conformance,
        status_code_conformance,
        unsupported_method,
    )

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    unsupported_method,
]
CANARY = "c4nary-s3cret"


def test_it_is_valid_and_whole() -> None:
    app = make(None, print)
    document = described(app)
    OpenAPIV31SpecValidator(document).validate()
    listed = {(method.upper(), path) for path, each in document["paths"].items() for method in each}
    unlisted = {("GET", "/api/v1/openapi.json"), ("GET", "/.well-known/oauth-authorization-server")}
    pages = ("/reviews/", "/sign-in/")  # for browsers
    routes = {each for each in routes_of(app) if not each[1].startswith(pages)}
    assert listed == routes - unlisted
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            open_to_all = path in ("/api/v1/health", "/api/v1/ready") or path.startswith(
                ("/api/v1/saml/", "/api/v1/oauth/", "/api/v1/channels/{name}/slack")
            )
            assert ("security" in operation) != open_to_all, (method, path)
            for status, answer in operation["responses"].items():
                if int(status) >= 400 and not open_to_all:
                    assert set(answer["content"]) == {"application/problem+json"}, (method, path, status)
    assert "HTTPValidationError" not in json.dumps(document)


@pytest.fixture(scope="module", params=["chief", "prod-viewer"])
def driven(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """(a role, the schema, the role's token, the API's address, its CA, the stage)"""
    stage = Stage(tmp_path_factory.mktemp("driven"))
    stage.recordings.known[ROW.session] = []
    with served(stage) as remote:
        document = remote.ask("GET", "/api/v1/openapi.json", token=remote.issue("chief")).json
        token = remote.issue(request.param)
        for each in ("kept", "sales"):
            remote.ask("PUT", f"/api/v1/secrets/{each}", {"value": CANARY}, token=remote.issue("chief"))
        address = f"https://localhost:{remote.handle.port}"
        yield request.param, schemathesis.openapi.from_dict(document), token, address, remote.ca, stage


def test_it_is_true(driven: Any) -> None:
    """Schemathesis: what fits the description and what does not, for an admin and for a viewer."""
    role, schema, token, address, ca, stage = driven
    asked = 0
    statuses: Counter[int] = Counter()

    def drive(case: Any) -> None:
        nonlocal asked
        answer = case.call(
            base_url=address, headers={"authorization": f"Bearer {token}"}, verify=ca, timeout=10
        )
        case.validate_response(answer, checks=CHECKS)
        text = answer.content.decode("utf-8", "replace")
        assert CANARY not in text
        assert token not in text
        statuses[answer.status_code] += 1
        asked += 1

    for found in schema.get_all_operations():
        operation = found.ok()
        test = settings(
            max_examples=4 if role == "chief" else 2, deadline=None, database=None, derandomize=True,
            suppress_health_check=list(HealthCheck),
        )(_given(operation, drive))  # fmt: skip
        test()
    assert asked > 50
    assert {200, 422} <= set(statuses)
    assert not [each for each in stage.logged if "api:" in each]
    assert CANARY not in json.dumps(stage.control.records) + repr(stage.logged)


def _given(operation: Any, drive: Any) -> Any:
    from hypothesis import given
    from hypothesis import strategies as some
    from schemathesis import GenerationMode

    cases = some.one_of(
        operation.as_strategy(generation_mode=GenerationMode.POSITIVE),
        operation.as_strategy(generation_mode=GenerationMode.NEGATIVE),
    )
    return given(case=cases)(drive)
