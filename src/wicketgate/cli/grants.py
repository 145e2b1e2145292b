"""`wicket grants …`: access that was given for a while, seen, extended, given back, taken away."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from wicketgate.cli.options import DEFAULT_CONFIG, Ca, Config, Json, TokenFile, Url, client
from wicketgate.cli.output import clean, say, say_json, table, when
from wicketgate.cli.requests import Length, Reason, ended, seconds_of

app = typer.Typer(no_args_is_help=True, help="Access that was given for a while.")
Id = Annotated[str, typer.Argument(help="The grant's id.")]


@app.command("list")
def list_grants(
    identity: Annotated[str | None, typer.Argument(help="Only this identity's.")] = None,
    resource: Annotated[str | None, typer.Option("--resource", "-r", help="Only on this resource.")] = None,
    live: Annotated[bool, typer.Option("--live", help="Only those that have not ended.")] = False,
    most: Annotated[
        int, typer.Option("--most", "-n", min=1, max=10_000, help="How many, newest first.")
    ] = 30,
    config: Config = DEFAULT_CONFIG,
    url: Url = None,
    token_file: TokenFile = None,
    ca: Ca = None,
    as_json: Json = False,
) -> None:
    """List grants: yours, or those that your roles let you see.

    Examples:

      wicket grants list --live

      wicket grants list ana --resource sales --json
    """
    api = client(config, url, token_file, ca)
    found = api.pages("/grants", most, identity=identity, resource=resource, live="true" if live else None)
    if as_json:
        say_json(found)
        return
    rows = [
        [
            each["id"],
            each["identity"],
            each["resource"],
            each["account"],
            f"{each['rule']}{' (glass)' if each['break_glass'] else ''}",
            when(each["starts"]),
            when(each["ends"]),
            each["ended_by"] or "-",
        ]
        for each in found
    ]
    table(["grant", "identity", "resource", "account", "rule", "from", "until", "ended by"], rows)


@app.command("show")
def show_grant(
    grant: Id,
    config: Config = DEFAULT_CONFIG,
    url: Url = None,
    token_file: TokenFile = None,
    ca: Ca = None,
    as_json: Json = False,
) -> None:
    """Show one grant: whose, of what, why, and who said yes.

    Examples:

      wicket grants show 01ARZ3NDEKTSV4RRFFQ69G5FAV
    """
    found = client(config, url, token_file, ca).ask("GET", f"/grants/{grant}")
    if as_json:
        say_json(found)
    else:
        _say(found)


def _say(found: Mapping[str, Any]) -> None:
    times = ("starts", "ends", "created", "first_used", "last_used")
    for name, value in found.items():
        if value in (None, [], ""):
            continue
        told = when(value) if name in times else " ".join(value) if isinstance(value, list) else value
        say(f"{name.replace('_', ' ')}: {clean(told)}")


@app.command("extend")
def extend_grant(
    grant: Id,
    length: Length = None,
    reason: Reason = "",
    wait: Annotated[bool, typer.Option("--wait", help="Wait until somebody has decided.")] = False,
    config: Config = DEFAULT_CONFIG,
    url: Url = None,
    token_file: TokenFile = None,
    ca: Ca = None,
    as_json: Json = False,
) -> None:
    """Ask for a longer grant: those who decide are asked again.

    Examples:

      wicket grants extend 01ARZ3NDEKTSV4RRFFQ69G5FAV --for 1h --reason "still at it" --wait
    """
    api = client(config, url, token_file, ca)
    body: dict[str, Any] = {"seconds": seconds_of(length), "reason": reason}
    found = api.ask("POST", f"/grants/{grant}/extend", body)
    ended(api, found, wait, as_json)


@app.command("return")
def return_grant(
    grant: Id,
    config: Config = DEFAULT_CONFIG,
    url: Url = None,
    token_file: TokenFile = None,
    ca: Ca = None,
    as_json: Json = False,
) -> None:
    """Give a grant back early. Sessions that rest on it end at once.

    Examples:

      wicket grants return 01ARZ3NDEKTSV4RRFFQ69G5FAV
    """
    _end(grant, config, url, token_file, ca, as_json)


@app.command("revoke")
def revoke_grant(
    grant: Id,
    config: Config = DEFAULT_CONFIG,
    url: Url = None,
    token_file: TokenFile = None,
    ca: Ca = None,
    as_json: Json = False,
) -> None:
    """Take a grant away, as one of those who decide on it or as an administrator. Its sessions end at once.

    Examples:

      wicket grants revoke 01ARZ3NDEKTSV4RRFFQ69G5FAV
    """
    _end(grant, config, url, token_file, ca, as_json)


def _end(grant: str, config: Any, url: str | None, token_file: Any, ca: str | None, as_json: bool) -> None:
    found = client(config, url, token_file, ca).ask("DELETE", f"/grants/{grant}")
    if as_json:
        say_json(found)
    else:
        say(f"ended: {clean(found['rule'])} on {clean(found['resource'])} for {clean(found['identity'])}")
