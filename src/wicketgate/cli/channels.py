"""`wicket channels`: where people are told of reviews, whether it arrives, and what did not."""

from typing import Annotated, Any

import typer

from wicketgate.cli.ending import NEGATIVE, Ended
from wicketgate.cli.options import DEFAULT_CONFIG, Ca, Config, Json, TokenFile, Url, client
from wicketgate.cli.output import clean, say, say_json, table, when

app = typer.Typer(
    no_args_is_help=True, help="Where people are told of reviews: list, test, and what did not arrive."
)
Name = Annotated[str, typer.Argument(metavar="CHANNEL", help="As `gateway: channels:` names it.")]


@app.command("list")
def list_channels(
    config: Config = DEFAULT_CONFIG,
    url: Url = None,
    token_file: TokenFile = None,
    ca: Ca = None,
    as_json: Json = False,
) -> None:
    """List channels: where they lead, what they show, what waits and what was given up.

    Example:  wicket channels list
    """
    found = client(config, url, token_file, ca).ask("GET", "/channels")
    if as_json:
        say_json(found)
        return
    table(
        ("CHANNEL", "KIND", "PLACE", "SHOWS", "PENDING", "DEAD", "DELIVERED", "LAST ERROR"),
        [
            (
                each["name"],
                each["kind"],
                clean(each["place"]),
                each["shows"],
                str(each["pending"]),
                str(each["dead"]),
                when(each["delivered"]),
                clean(each["error"]) or "-",
            )
            for each in found
        ],
    )


@app.command("test")
def send_test(
    name: Name,
    config: Config = DEFAULT_CONFIG,
    url: Url = None,
    token_file: TokenFile = None,
    ca: Ca = None,
    as_json: Json = False,
) -> None:
    """Send a channel a message that says that this is a test, once, and tell whether it arrived.

    Example:  wicket channels test ops
    """
    found = client(config, url, token_file, ca).ask("POST", f"/channels/{name}/test")
    if as_json:
        say_json(found)
    elif found["ok"]:
        say(f"{name}: it arrived")
    if not found["ok"]:
        raise Ended(f"{name}: it did not arrive: {found['error']}", NEGATIVE)


@app.command()
def dead(
    name: Name,
    config: Config = DEFAULT_CONFIG,
    url: Url = None,
    token_file: TokenFile = None,
    ca: Ca = None,
    as_json: Json = False,
) -> None:
    """List what was given up: refused, or not delivered in a day.

    Example:  wicket channels dead ops
    """
    api = client(config, url, token_file, ca)
    found: list[Any] = []
    while True:
        after = found[-1]["number"] if found else 0
        page = api.ask("GET", f"/channels/{name}/dead", after=after, limit=1000)
        found += page
        if len(page) < 1000:
            break
    if as_json:
        say_json(found)
        return
    table(
        ("NUMBER", "REVIEW", "WHAT", "AT", "ATTEMPTS", "WHY"),
        [
            (
                str(each["number"]),
                each["review"],
                each["what"],
                when(each["at"]),
                str(each["attempts"]),
                clean(each["error"]),
            )
            for each in found
        ],
    )


@app.command()
def replay(
    name: Name,
    numbers: Annotated[
        list[int] | None, typer.Argument(metavar="[NUMBER]...", help="As `dead` lists them; none: all.")
    ] = None,
    config: Config = DEFAULT_CONFIG,
    url: Url = None,
    token_file: TokenFile = None,
    ca: Ca = None,
    as_json: Json = False,
) -> None:
    """Have what was given up tried again, for another day.

    Examples:

      wicket channels replay ops

      wicket channels replay ops 4711 4712
    """
    body = {"numbers": numbers} if numbers else {}
    found = client(config, url, token_file, ca).ask("POST", f"/channels/{name}/replay", body)
    if as_json:
        say_json(found)
    else:
        say(f"{name}: {found['replayed']} are tried again")
