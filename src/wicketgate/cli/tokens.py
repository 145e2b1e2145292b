"""`wicket token …`: issue, list and revoke. A token's text is printed once, by `issue`, and nowhere else."""

import asyncio
import re
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from wicketgate.cli.client import Unreachable
from wicketgate.cli.ending import USAGE, end
from wicketgate.cli.options import DEFAULT_CONFIG, Ca, Config, Json, TokenFile, Url, client
from wicketgate.cli.output import note, say, say_json, table, when

app = typer.Typer(no_args_is_help=True, help="Issue, list and revoke access tokens.")

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}


def lifetime(text: str | None) -> int | None:
    """`30d`, `12h`, `90m` -> seconds; None for None and `never`. Ends the command if it is none of these."""
    if text is None or text == "never":
        return None
    found = re.fullmatch(r"([1-9][0-9]{0,8})([smhdw])", text)
    if found is None:
        end("--expires takes a time such as 30d, 12h or 90m, or never", USAGE)
    return int(found[1]) * _UNITS[found[2]]


def _offline(config: Path, verb: str, *args: Any) -> Any:
    """The same verb straight on the store, where no gateway runs: it will know when it starts."""
    from wicketgate import offline

    answer = asyncio.run(offline.on_store(config, verb, *args))
    note("no gateway is running: this was done in its store")
    return answer


@app.command()
def issue(
    identity: Annotated[
        str | None, typer.Argument(help="The account that the token is for; --agent's, if left out.")
    ] = None,
    group: Annotated[
        list[str] | None, typer.Option("--group", "-g", help="Make the account, in this group. Repeatable.")
    ] = None,
    agent: Annotated[
        str | None,
        typer.Option("--agent", help="The AI agent: the account itself, or one that works by it on a task."),
    ] = None,
    resource: Annotated[
        list[str] | None, typer.Option("--resource", "-r", help="Good for this resource only. Repeatable.")
    ] = None,
    rule: Annotated[
        list[str] | None,
        typer.Option("--rule", help="Only this rule may permit; denials all hold. Repeatable."),
    ] = None,
    network: Annotated[
        list[str] | None,
        typer.Option("--from", help="Good from this network (CIDR) only. Repeatable."),
    ] = None,
    expires: Annotated[
        str | None,
        typer.Option(
            "--expires",
            "--ttl",
            "-e",
            help="How long it holds: 30d, 12h, 90m, never. Else 90d; for a task 15m, and a day at most.",
        ),
    ] = None,
    purpose: Annotated[
        str | None, typer.Option("--for-task", help="For one task, told in words; needs --on-behalf-of.")
    ] = None,
    behalf: Annotated[
        str | None, typer.Option("--on-behalf-of", help="The human behind the task: a local account.")
    ] = None,
    task: Annotated[str | None, typer.Option("--task", help="The task's name; made up if left out.")] = None,
    crew: Annotated[str | None, typer.Option("--crew", help="The crew that the agent is of.")] = None,
    effect: Annotated[
        list[str] | None, typer.Option("--effect", help="The task declares: only this effect. Repeatable.")
    ] = None,
    relation: Annotated[
        list[str] | None,
        typer.Option("--relation", help="The task declares: only this relation (schema.name). Repeatable."),
    ] = None,
    rows: Annotated[
        int | None, typer.Option("--rows", min=1, help="The task declares: at most so many rows.")
    ] = None,
    text: Annotated[str, typer.Option("--note", help="What it is for.")] = "",
    config: Config = DEFAULT_CONFIG,
    url: Url = None,
    token_file: TokenFile = None,
    ca: Ca = None,
    as_json: Json = False,
) -> None:
    """Issue a token, and print it: this is the only time that it can be seen.

    Examples:

      wicket token issue --agent crew-bot --group crew-agents

      wicket token issue crew-bot --resource sales --expires 8h --note "nightly report"

      wicket token issue crew-bot --for-task "weekly report" --on-behalf-of ana --resource sales --effect read

      wicket token issue crew-bot --resource sales --rule "crews read" --from 10.0.0.0/8 --ttl 15m
    """
    account = identity or agent
    if account is None:
        end("a token is for an account: name it, or --agent", USAGE)
    if agent is not None and purpose is None and agent != account:
        end("only for a task (--for-task) has an account's agent a name of its own", USAGE)
    of_task = {
        "behalf": behalf,
        "name": task,
        "crew": crew,
        "agent": agent if purpose is not None and agent != account else None,
        "effects": effect,
        "relations": relation,
        "rows": rows,
    }
    declared = {key: value for key, value in of_task.items() if value is not None}
    if (purpose is None and declared) or (purpose is not None and behalf is None):
        end("a token for a task needs --for-task and --on-behalf-of", USAGE)
    if expires is None:
        expires = "90d" if purpose is None else "15m"
    wanted = {
        "identity": account,
        "kind": "service" if agent is None else "agent",
        "groups": group or [],
        "resources": resource or [],
        "rules": rule or [],
        "networks": network or [],
        "task": None if purpose is None else {"purpose": purpose, **declared},
        "lifetime": lifetime(expires),
        "note": text,
        "create": bool(group) or (agent is not None and purpose is None),
    }
    api = client(config, url, token_file, ca)
    try:
        found = api.ask("POST", "/tokens", wanted)
    except Unreachable:
        if url is not None:
            raise
        found = _offline(config, "issue", wanted)
    if as_json:
        say_json(found)
        return
    say(found["token"])
    scope = _scope(found) or "all resources that the policy lets it open"
    note(f"token {found['id']} for {found['identity']}: {scope}; until {when(found['expires'])}")


def _scope(token: dict[str, Any]) -> str:
    """What a token is scoped to, in a line; empty: nothing."""
    task = token["task"]
    parts = [", ".join(token["resources"])]
    parts.append(f"for {task['behalf']}, task {task['name']}" if task else "")
    parts.append(f"by {', '.join(token['rules'])}" if token["rules"] else "")
    parts.append(f"from {', '.join(token['networks'])}" if token["networks"] else "")
    return " ".join(part for part in parts if part)


@app.command("list")
def list_tokens(
    identity: Annotated[str | None, typer.Argument(help="Only this identity's.")] = None,
    config: Config = DEFAULT_CONFIG,
    url: Url = None,
    token_file: TokenFile = None,
    ca: Ca = None,
    as_json: Json = False,
) -> None:
    """List tokens: whose, until when, when last used. Their text is kept nowhere.

    Example:  wicket token list crew-bot --json
    """
    api = client(config, url, token_file, ca)
    try:
        found = api.pages("/tokens", identity=identity)
    except Unreachable:
        if url is not None:
            raise
        found = _offline(config, "list", identity)
    if as_json:
        say_json(found)
        return
    now = time.time_ns()
    table(
        ("ID", "IDENTITY", "STATE", "CREATED", "EXPIRES", "LAST USED", "SCOPE", "NOTE"),
        [
            (
                each["id"],
                each["identity"],
                "revoked" if each["revoked"] else "expired" if (each["expires"] or now) < now else "good",
                when(each["created"]),
                when(each["expires"]),
                when(each["last_used"]),
                _scope(each) or "all",
                each["note"],
            )
            for each in found
        ],
    )


@app.command()
def revoke(
    token_id: Annotated[str, typer.Argument(metavar="ID", help="The token's id, as `list` shows it.")],
    config: Config = DEFAULT_CONFIG,
    url: Url = None,
    token_file: TokenFile = None,
    ca: Ca = None,
    as_json: Json = False,
) -> None:
    """Revoke a token. Sessions that were opened with it end at once.

    Example:  wicket token revoke 5f1c0d6e8a9b7c3d
    """
    if not re.fullmatch(r"[0-9a-f]{16}", token_id):
        end("a token's id is 16 hex digits, as `wicket token list` shows it", USAGE)
    api = client(config, url, token_file, ca)
    try:
        found = api.ask("DELETE", f"/tokens/{token_id}")
    except Unreachable:
        if url is not None:
            raise
        found = _offline(config, "revoke", token_id)
    if as_json:
        say_json(found)
    else:
        say(f"token {found['id']} of {found['identity']} is revoked")
