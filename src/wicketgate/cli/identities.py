"""`wicket identity …`: list, show, add, change and remove local accounts.
It must never print a token or a secret."""

import asyncio
import re
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from wicketgate.cli.client import Client, Unreachable
from wicketgate.cli.ending import USAGE, end
from wicketgate.cli.options import DEFAULT_CONFIG, Ca, Config, Json, TokenFile, Url, client
from wicketgate.cli.output import clean, note, say, say_json, table, when

app = typer.Typer(no_args_is_help=True, help="Local accounts: list, show, add, change, remove.")

Name = Annotated[str, typer.Argument(metavar="NAME", help="The account's name.")]
_NAME: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._@-]{0,61}[A-Za-z0-9])?")


def _ask(api: Client, config: Path, url: str | None, verb: str, argument: Any, *request: Any) -> Any:
    """The request; where no gateway runs, the same verb straight on the store."""
    try:
        return api.pages(request[1], **request[2]) if request[0] == "LIST" else api.ask(*request)
    except Unreachable:
        if url is not None:
            raise
    from wicketgate import offline

    answer = asyncio.run(offline.on_store(config, f"identity-{verb}", argument))
    note("no gateway is running: this was done in its store")
    return answer


def _check(name: str) -> None:
    if not _NAME.fullmatch(name):
        end("a name is up to 63 letters, digits and ._@-", USAGE)


def _state(account: dict[str, Any]) -> str:
    return "enabled" if account["disabled"] is None else f"disabled {when(account['disabled'])}"


@app.command("list")
def list_identities(
    group: Annotated[str | None, typer.Option("--group", "-g", help="Only members of this group.")] = None,
    config: Config = DEFAULT_CONFIG,
    url: Url = None,
    token_file: TokenFile = None,
    ca: Ca = None,
    as_json: Json = False,
) -> None:
    """List local accounts: those of the configuration file and those that were made here.

    Example:  wicket identity list --group crew-agents --json
    """
    api = client(config, url, token_file, ca)
    found = _ask(api, config, url, "list", group, "LIST", "/identities", {"group": group})
    if as_json:
        say_json(found)
        return
    table(
        ("NAME", "KIND", "GROUPS", "FROM", "STATE"),
        [
            (each["name"], each["kind"], ", ".join(each["groups"]) or "-", each["origin"], _state(each))
            for each in found
        ],
    )


@app.command()
def show(
    name: Name,
    config: Config = DEFAULT_CONFIG,
    url: Url = None,
    token_file: TokenFile = None,
    ca: Ca = None,
    as_json: Json = False,
) -> None:
    """Show one account.

    Example:  wicket identity show crew-bot
    """
    _check(name)
    api = client(config, url, token_file, ca)
    _tell(_ask(api, config, url, "show", name, "GET", f"/identities/{name}"), as_json)


@app.command()
def add(
    name: Name,
    kind: Annotated[str, typer.Option("--kind", "-k", help="human, service or agent.")] = "service",
    group: Annotated[
        list[str] | None, typer.Option("--group", "-g", help="A group that it is in. Repeatable.")
    ] = None,
    config: Config = DEFAULT_CONFIG,
    url: Url = None,
    token_file: TokenFile = None,
    ca: Ca = None,
    as_json: Json = False,
) -> None:
    """Make an account; `wicket token issue` gives it a token.

    Example:  wicket identity add crew-bot --kind agent --group crew-agents
    """
    _check(name)
    _check_kind(kind)
    wanted = {"name": name, "kind": kind, "groups": group or []}
    api = client(config, url, token_file, ca)
    _tell(_ask(api, config, url, "add", wanted, "POST", "/identities", wanted), as_json)


@app.command()
def change(
    name: Name,
    kind: Annotated[str | None, typer.Option("--kind", "-k", help="human, service or agent.")] = None,
    group: Annotated[
        list[str] | None,
        typer.Option("--group", "-g", help="A group that it is in from now on, in place of all. Repeatable."),
    ] = None,
    no_groups: Annotated[bool, typer.Option("--no-groups", help="It is in no group any more.")] = False,
    config: Config = DEFAULT_CONFIG,
    url: Url = None,
    token_file: TokenFile = None,
    ca: Ca = None,
    as_json: Json = False,
) -> None:
    """Change an account's kind or groups. Open sessions follow at once.

    Example:  wicket identity change crew-bot --group crew-agents --group support
    """
    if kind is not None:
        _check_kind(kind)
    if group and no_groups:
        end("--group and --no-groups can't be said together", USAGE)
    wanted = {"kind": kind, "groups": [] if no_groups else group or None}
    told = {key: value for key, value in wanted.items() if value is not None}
    if not told:
        end("say what to change: --kind, --group or --no-groups", USAGE)
    _change(name, told, config, url, token_file, ca, as_json)


@app.command()
def disable(
    name: Name,
    config: Config = DEFAULT_CONFIG,
    url: Url = None,
    token_file: TokenFile = None,
    ca: Ca = None,
    as_json: Json = False,
) -> None:
    """Let an account sign in no more, one of the configuration file too. Its sessions end at once.

    Example:  wicket identity disable crew-bot
    """
    _change(name, {"disabled": True}, config, url, token_file, ca, as_json)


@app.command()
def enable(
    name: Name,
    config: Config = DEFAULT_CONFIG,
    url: Url = None,
    token_file: TokenFile = None,
    ca: Ca = None,
    as_json: Json = False,
) -> None:
    """Let an account that was disabled sign in again.

    Example:  wicket identity enable crew-bot
    """
    _change(name, {"disabled": False}, config, url, token_file, ca, as_json)


@app.command()
def remove(
    name: Name,
    config: Config = DEFAULT_CONFIG,
    url: Url = None,
    token_file: TokenFile = None,
    ca: Ca = None,
) -> None:
    """Remove an account. Its tokens are revoked, and its sessions end at once.

    Example:  wicket identity remove crew-bot
    """
    _check(name)
    api = client(config, url, token_file, ca)
    _ask(api, config, url, "remove", name, "DELETE", f"/identities/{name}")
    say(f"{name} is removed")


def _change(
    name: str,
    told: dict[str, Any],
    config: Path,
    url: str | None,
    token_file: Path | None,
    ca: str | None,
    as_json: bool,
) -> None:
    _check(name)
    api = client(config, url, token_file, ca)
    _tell(_ask(api, config, url, "change", (name, told), "PATCH", f"/identities/{name}", told), as_json)


def _check_kind(kind: str) -> None:
    if kind not in ("human", "service", "agent"):
        end("--kind takes human, service or agent", USAGE)


def _tell(account: dict[str, Any], as_json: bool) -> None:
    if as_json:
        say_json(account)
        return
    groups = ", ".join(account["groups"]) or "no groups"
    say(f"{clean(account['name'])}: {account['kind']}, {clean(groups)}, {_state(account)}")
