"""OAuth 2.0 token exchange (RFC 8693): two tokens come in, one goes out. Errors are as RFC 6749 has them.
It must never read a token from an address, nor tell why one proves nobody.
"""

import json
from collections.abc import Mapping
from typing import Annotated, Any, Final
from urllib.parse import parse_qsl

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse

from wicketgate.admin.authorize import NotAllowed
from wicketgate.admin.exchange import ExchangeRefused, Proven, TooManyHold, Wanted, exchange_token
from wicketgate.admin.ports import Office
from wicketgate.api.people import actor_of_proven, bearer, proven
from wicketgate.api.problems import SignInNeeded, TooManyAttempts
from wicketgate.model.errors import GatewayError
from wicketgate.model.statement import Effect

GRANT: Final = "urn:ietf:params:oauth:grant-type:token-exchange"
ACCESS: Final = "urn:ietf:params:oauth:token-type:access_token"
TYPES: Final = frozenset(
    {ACCESS, *(f"urn:ietf:params:oauth:token-type:{each}" for each in ("jwt", "id_token"))}
)
RESOURCE: Final = "urn:wicketgate:resource:"
"""How a resource is named where it must be a URI (`resource`, RFC 8707); `audience` is its name alone."""
SEVERAL: Final = frozenset({"resource", "audience"})
"""What a form may hold several times."""
FORM: Final = "application/x-www-form-urlencoded"
PATH: Final = "/api/v1/oauth/token"
METADATA: Final = "/.well-known/oauth-authorization-server"
DEFAULT_SECONDS: Final = 15 * 60
_KNOWN: Final = """grant_type subject_token subject_token_type actor_token actor_token_type
    requested_token_type client_id resource audience scope purpose task crew relations rows rules
    networks ttl""".split()
_NEEDED: Final = ("grant_type", "subject_token", "subject_token_type", "purpose")

router = APIRouter(tags=["tokens"])


def _office(request: Request) -> Office:
    office: Office = request.app.state.office
    return office


@router.post(
    "/oauth/token",
    summary="Exchange a human's token and an agent's for one that acts for him (RFC 8693)",
    responses={
        400: {"description": "RFC 6749 section 5.2: error, error_description"},
        401: {"description": "The bearer proves nobody (invalid_client)"},
        429: {"description": "Too many attempts, or tokens that hold (temporarily_unavailable)"},
        503: {"description": "Store or journal is away (temporarily_unavailable)"},
    },
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                FORM: {
                    "schema": {
                        "type": "object",
                        "required": list(_NEEDED),
                        "properties": {name: {"type": "string"} for name in _KNOWN},
                    }
                }
            },
        }
    },
)
async def token(request: Request, office: Annotated[Office, Depends(_office)]) -> JSONResponse:
    try:
        return await _exchange(request, office)
    except ExchangeRefused as error:
        return _error(400, error.code, error.public)
    except SignInNeeded:
        return _error(401, "invalid_client", "the bearer proves nobody")
    except NotAllowed as error:
        return _error(400, "unauthorized_client", error.public)
    except TooManyAttempts as error:
        answer = _error(429, "temporarily_unavailable", error.public)
        answer.headers["retry-after"] = str(error.wait)
        return answer
    except TooManyHold as error:
        return _error(429, "temporarily_unavailable", error.public)
    except GatewayError as error:
        return _error(503, "temporarily_unavailable", error.public)


def metadata(url: str) -> dict[str, Any]:
    """What RFC 8414 has a client know of this authorization server. url: where others reach the API."""
    return {
        "issuer": url,
        "token_endpoint": url + PATH,
        "grant_types_supported": [GRANT],
        "response_types_supported": [],
        "token_endpoint_auth_methods_supported": ["none"],
        "scopes_supported": sorted(
            each.value for each in Effect if each not in (Effect.SESSION, Effect.UNKNOWN)
        ),
    }


async def _exchange(request: Request, office: Office) -> JSONResponse:
    fields = await _form(request)
    for name in _NEEDED:
        if name == "grant_type" and fields.get(name, GRANT) != GRANT:
            raise ExchangeRefused("unsupported_grant_type", "tokens are exchanged here, and nothing else")
        if name not in fields:
            raise _invalid(f"{name} is missing")
    _check_secrets(fields)
    if fields.get("requested_token_type", ACCESS) != ACCESS:
        raise _invalid("only access tokens are given out")
    wanted = _wanted(fields)
    source = request.client.host if request.client is not None else ""
    agent = await _agent(request, fields, office, source)
    human = await _presented(office, fields, "subject", source)
    if "client_id" in fields and fields["client_id"] != agent.identity.name:
        raise ExchangeRefused("unauthorized_client", "client_id is not who the actor's token proves")
    actor = actor_of_proven(office, agent.identity, agent.token)
    made = await exchange_token(office, actor, agent, human, wanted)
    task = made.record.task
    answer = {
        "access_token": made.secret.reveal().decode("ascii"),
        "issued_token_type": ACCESS,
        "token_type": "Bearer",
        "expires_in": made.seconds,
        "scope": " ".join(sorted(wanted.effects)),
        # beyond the RFC: what was understood, and by what name one signs in
        "identity": made.record.identity,
        "token_id": made.record.id,
        "resources": sorted(made.record.resources),
        "rules": sorted(made.record.rules),
        "networks": sorted(made.record.networks),
        "task": None if task is None else task.replicated(),
    }
    if not wanted.effects:
        del answer["scope"]
    return JSONResponse(answer, headers=_UNKEPT)


_UNKEPT: Final = {"cache-control": "no-store", "pragma": "no-cache"}


def _error(status: int, code: str, description: str) -> JSONResponse:
    # RFC 6749: no quotes, no backslashes, ASCII alone
    plain = "".join(each if " " <= each <= "~" and each not in '"\\' else "'" for each in description)
    headers = dict(_UNKEPT)
    if status == 401:
        headers["www-authenticate"] = 'Bearer realm="wicketgate", error="invalid_token"'
    return JSONResponse({"error": code, "error_description": plain}, status, headers=headers)


def _invalid(description: str) -> ExchangeRefused:
    return ExchangeRefused("invalid_request", description)


# -- who -----------------------------------------------------------------------------------------------------
async def _agent(request: Request, fields: Mapping[str, str], office: Office, source: str) -> Proven:
    """By actor_token, or by the bearer: one of them."""
    if ("actor_token" in fields) == ("authorization" in request.headers):
        raise _invalid("the agent shows its token once: as actor_token, or as bearer")
    if "actor_token" in fields:
        return await _presented(office, fields, "actor", source)
    if "actor_token_type" in fields:
        raise _invalid("actor_token_type without actor_token")
    shown = bearer(request)
    found = await proven(office, shown, source) if shown else None
    if found is None:
        raise SignInNeeded("the bearer proves nobody")
    return Proven(*found)


async def _presented(office: Office, fields: Mapping[str, str], whose: str, source: str) -> Proven:
    shown, kind = fields[f"{whose}_token"], fields.get(f"{whose}_token_type")
    if kind not in TYPES or (kind != ACCESS and "." not in shown):
        raise _invalid(f"{whose}_token_type is not what the token is: access_token, jwt or id_token")
    found = await proven(office, shown, source)
    if found is None:
        raise _invalid(f"{whose}_token proves nobody")
    return Proven(*found)


# -- what ----------------------------------------------------------------------------------------------------
async def _form(request: Request) -> dict[str, str]:
    """The form's fields, each once, but for resources: `audience` has them all then. Empty ones are none."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != FORM:
        raise _invalid(f"the body is a form ({FORM})")
    body = await request.body()
    try:
        pairs = parse_qsl(
            body.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=True,
            max_num_fields=100,
            errors="strict",
        )
    except ValueError:
        raise _invalid("the form can't be read") from None
    found: dict[str, str] = {}
    targets: list[str] = []
    for name, value in pairs:
        if not value:
            continue
        if name == "resource":
            if not value.startswith(RESOURCE):
                raise ExchangeRefused(
                    "invalid_target", f"a resource is {RESOURCE}NAME, an audience NAME alone"
                )
            targets.append(value.removeprefix(RESOURCE))
        elif name == "audience":
            targets.append(value)
        elif name in found:
            raise _invalid("a field is given twice")
        else:
            found[name] = value
    found["audience"] = json.dumps(targets)
    return found


def _check_secrets(fields: Mapping[str, str]) -> None:
    """A credential in a field that is recorded would be recorded. Raises ExchangeRefused."""
    secrets = ("subject_token", "actor_token")
    shown = [fields[name] for name in secrets if name in fields]
    for name, value in fields.items():
        if name not in secrets and ("wkt_" in value or any(each in value for each in shown)):
            raise _invalid("a token stands in a field that is for something else")


def _wanted(fields: Mapping[str, str]) -> Wanted:
    return Wanted(
        purpose=fields["purpose"],
        resources=_listed(fields, "audience"),
        seconds=_number(fields, "ttl", 86_400) or DEFAULT_SECONDS,
        task=fields.get("task"),
        crew=fields.get("crew"),
        effects=frozenset(fields.get("scope", "").split()),
        relations=_listed(fields, "relations"),
        rows=_number(fields, "rows", (1 << 53) - 1),
        rules=_listed(fields, "rules"),
        networks=_listed(fields, "networks"),
    )


def _listed(fields: Mapping[str, str], name: str) -> frozenset[str]:
    """Words between spaces; or JSON, for names with spaces."""
    text = fields.get(name, "")
    if not text.startswith("["):
        found: Any = text.split(" ") if text else []
    else:
        try:
            found = json.loads(text)
        except (ValueError, RecursionError):
            found = None
    if (
        not isinstance(found, list)
        or len(found) > 256
        or not all(isinstance(each, str) and each for each in found)
    ):
        raise _invalid(f"{name} is a list of names: words between spaces, or JSON")
    return frozenset(found)


def _number(fields: Mapping[str, str], name: str, most: int) -> int | None:
    text = fields.get(name)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 16 and 0 < int(text) <= most):
        raise _invalid(f"{name} is a whole number from 1 to {most}")
    return int(text)
