"""`wicket secret …`: set, list, rotate and remove what targets are signed in to with. It never shows one, and
takes one from standard input or a hidden prompt alone: arguments are seen by everybody on the machine."""

import asyncio
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from wicketgate.cli.client import Unreachable
from wicketgate.cli.ending import USAGE, end
from wicketgate.cli.options import DEFAULT_CONFIG, Ca, Config, Json, TokenFile, Url, client
from wicketgate.cli.output import note, say, say_json, table, when

app = typer.Typer(
    no_args_is_help=True,
    help="Secrets in the gateway's own vault: set, list, rotate, remove. There is no get.",
)

Name = Annotated[str, typer.Argument(metavar="NAME", help="As accounts name it: password: {secret: NAME}.")]


def _offline(config: Path, verb: str, argument: Any) -> Any:
    """The same verb straight on the store, where no gateway runs: it will know when it starts."""
    from wicketgate import offline

    answer = asyncio.run(offline.on_store(config, verb, argument))
    note("no gateway is running: this was done in its store")
    return answer


def _value() -> str:
    """One value, without the line's end."""
    if sys.stdin.isatty():
        return str(typer.prompt("Value", hide_input=True, confirmation_prompt=True, err=True))
    value = sys.stdin.read().removesuffix("\n").removesuffix("\r")
    if not value:
        end("standard input holds no value", USAGE)
    return value


@app.command("set")
def set_secret(
    name: Name,
    config: Config = DEFAULT_CONFIG,
    url: Url = None,
    token_file: TokenFile = None,
    ca: Ca = None,
    as_json: Json = False,
) -> None:
    """Set a secret: make it, or give it a new value. The value is read from standard input, or asked for.

    Examples:

      wicket secret set sales-reader

      pass show db/sales | wicket secret set sales-reader
    """
    from wicketgate.model.kept import check_secret_name

    try:
        check_secret_name(name)
    except ValueError as error:
        end(str(error), USAGE)
    api = client(config, url, token_file, ca)
    value = _value()
    try:
        found = api.ask("PUT", f"/secrets/{name}", {"value": value})
    except Unreachable:
        if url is not None:
            raise
        found = _offline(config, "secret-set", (name, value))
    if as_json:
        say_json(found)
    else:
        say(f"{found['name']} is set: version {found['version']}")


@app.command("list")
def list_secrets(
    config: Config = DEFAULT_CONFIG,
    url: Url = None,
    token_file: TokenFile = None,
    ca: Ca = None,
    as_json: Json = False,
) -> None:
    """List secrets: names, versions, who set them, and under which key they are closed. Never their values.

    Example:  wicket secret list --json
    """
    api = client(config, url, token_file, ca)
    try:
        found = api.ask("GET", "/secrets")
    except Unreachable:
        if url is not None:
            raise
        found = _offline(config, "secret-list", None)
    if as_json:
        say_json(found)
        return
    table(
        ("NAME", "VERSION", "CREATED", "CHANGED", "BY", "KEY"),
        [
            (
                each["name"],
                str(each["version"]),
                when(each["created"]),
                when(each["changed"]),
                each["author"],
                each["key"],
            )
            for each in found
        ],
    )


@app.command()
def rotate(
    config: Config = DEFAULT_CONFIG,
    url: Url = None,
    token_file: TokenFile = None,
    ca: Ca = None,
    as_json: Json = False,
) -> None:
    """Close every secret under a new data key, and these under the newest key-encryption key; where that lies
    in a file of the gateway's, a new one is added first. Values stay as they are, and nobody waits. The keys
    of an encrypted journal's segments are wrapped anew with it, too; the segments are not touched.

    Example:  wicket secret rotate
    """
    api = client(config, url, token_file, ca)
    try:
        found = api.ask("POST", "/secrets/rotate")
    except Unreachable:
        if url is not None:
            raise
        found = _offline(config, "secret-rotate", None)
    if as_json:
        say_json(found)
    else:
        segments = (
            f", {found['segments']} segments of the journal under the newest" if found["segments"] else ""
        )
        say(f"{found['secrets']} secrets are under new keys{segments}")


@app.command()
def segments(
    config: Config = DEFAULT_CONFIG,
    url: Url = None,
    token_file: TokenFile = None,
    ca: Ca = None,
    as_json: Json = False,
) -> None:
    """Tell under which keys the segments of an encrypted journal lie: of this node, by number.

    Example:  wicket secret segments
    """
    api = client(config, url, token_file, ca)
    try:
        found = api.ask("GET", "/journal/keys")
    except Unreachable:
        if url is not None:
            raise
        found = _offline(config, "secret-segments", None)
    if as_json:
        say_json(found)
    else:
        table(("KEY", "SEGMENTS"), [(each["key"], str(each["segments"])) for each in found])


@app.command()
def remove(
    name: Name,
    config: Config = DEFAULT_CONFIG,
    url: Url = None,
    token_file: TokenFile = None,
    ca: Ca = None,
) -> None:
    """Remove a secret, for good. Targets that need it are refused within seconds.

    Example:  wicket secret remove sales-reader
    """
    from wicketgate.model.kept import check_secret_name

    try:
        check_secret_name(name)
    except ValueError as error:
        end(str(error), USAGE)
    api = client(config, url, token_file, ca)
    try:
        api.ask("DELETE", f"/secrets/{name}")
    except Unreachable:
        if url is not None:
            raise
        _offline(config, "secret-remove", name)
    say(f"{name} is removed")
