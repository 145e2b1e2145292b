"""`wicket discover`: proposes what is sensitive in a database, from names and a sample of values."""

import sys
import time
from typing import Annotated

import typer

from wicketgate.cli.ending import USAGE, end
from wicketgate.cli.options import DEFAULT_CONFIG, Config, Json, readable
from wicketgate.cli.output import clean, note, say, say_json


def discover(
    resource: Annotated[str, typer.Argument(metavar="RESOURCE", help="A resource of the configuration.")],
    database: Annotated[
        list[str] | None, typer.Option("--database", "-d", help="Only this database (may be repeated).")
    ] = None,
    account: Annotated[
        str | None, typer.Option("--account", "-a", help="The account to look with; else the first.")
    ] = None,
    rows: Annotated[int, typer.Option("--rows", min=1, max=10_000, help="Rows of a table to look at.")] = 200,
    seconds: Annotated[
        int, typer.Option("--timeout", min=1, max=3600, help="Seconds that one table may take.")
    ] = 10,
    config: Config = DEFAULT_CONFIG,
    as_json: Json = False,
) -> None:
    """Propose `sensitive:` for a resource: from column names and a sample of values.

    Reads with the gateway's own account, in read-only transactions, a bounded number of rows of each table.
    Prints YAML to look over and paste; comments say how many sampled values speak for it, never a value.

    Examples:

      wicket discover sales

      wicket discover sales --database archive --rows 1000 --json
    """
    readable(config)
    from wicketgate import discovery

    wanted = discovery.Wanted(resource, account, tuple(database) if database else None, rows, seconds)
    try:
        reports = discovery.discover(config, wanted, Progress())
    except discovery.Unknown as error:
        end(error.public, USAGE)
    if as_json:
        say_json(discovery.facts(reports))
    else:
        say(clean(discovery.render(reports), lines=True))


class Progress:
    """Tells how far it is: on a terminal in one line that is written over, else now and then a line."""

    def __init__(self) -> None:
        self._terminal = sys.stderr.isatty()
        self._every = 0.2 if self._terminal else 5.0
        self._told = time.monotonic()

    def __call__(self, database: str, done: int, every: int) -> None:
        if self._terminal and done == every:
            sys.stderr.write("\r\x1b[K")
            return
        if time.monotonic() - self._told < self._every:
            return
        self._told = time.monotonic()
        text = f"{clean(database)}: {done} of {every} tables"
        if self._terminal:
            sys.stderr.write(f"\r\x1b[K{text}")
            sys.stderr.flush()
        else:
            note(text)
