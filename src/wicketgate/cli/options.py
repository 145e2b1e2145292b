"""Options that several commands take, and how they find the API."""

import os
from pathlib import Path
from typing import Annotated

import typer

from wicketgate.cli.client import Client, Where, remote
from wicketgate.cli.ending import USAGE, end

DEFAULT_CONFIG = Path("wicket.yaml")

Config = Annotated[
    Path,
    typer.Option("--config", "-c", envvar="WICKET_CONFIG", help="The configuration file.", show_default=True),
]
Json = Annotated[bool, typer.Option("--json", help="Print facts as JSON, and nothing else.")]
Url = Annotated[
    str | None,
    typer.Option(
        "--url",
        envvar="WICKET_URL",
        help="A gateway elsewhere, https://host:port. Without it, the one on this machine.",
    ),
]
TokenFile = Annotated[
    Path | None,
    typer.Option("--token-file", help="A file with the token for --url; else WICKET_TOKEN is taken."),
]
Ca = Annotated[
    str | None,
    typer.Option(
        "--ca", envvar="WICKET_CA", help="What `wicket ca` prints there, to trust --url's certificate."
    ),
]
Journal = Annotated[
    Path | None,
    typer.Option("--journal", help="Read the journal's files in this folder, without any gateway."),
]


def readable(config: Path) -> None:
    """Ends the command where there is no configuration: the commonest first mistake gets the best answer."""
    if not os.access(config, os.R_OK):
        end(f"{config} can't be read: make one with `wicket init`, or name it with -c", USAGE)


def client(config: Path, url: str | None, token_file: Path | None, ca: str | None) -> Client:
    """The API: at --url, or on the socket that the configuration names."""
    if url is not None:
        return Client(remote(url, token_file, ca))
    readable(config)
    # the settings alone: the composition would load everything
    from wicketgate.settings import load_settings

    return Client(Where(socket=load_settings(config).api.socket))
