"""`wicket init`, `serve`, `check` and `ca`: what runs here, through the composition, without the API."""

import gc
import sys
from typing import Annotated

import typer

from wicketgate.cli.ending import NEGATIVE, USAGE, end
from wicketgate.cli.options import DEFAULT_CONFIG, Config, Json, readable
from wicketgate.cli.output import clean, note, say, say_json


def init(
    address: Annotated[
        str,
        typer.Argument(
            metavar="DSN",
            help="The address that works today. `-` reads it from standard input (others see arguments).",
        ),
    ],
    name: Annotated[
        str | None, typer.Option("--name", "-n", help="The resource's name; else the database's.")
    ] = None,
    identity: Annotated[str, typer.Option("--identity", help="The service account that is made.")] = "agent",
    group: Annotated[
        str, typer.Option("--group", help="Its group, which the first rule permits.")
    ] = "agents",
    host: Annotated[
        str, typer.Option("--host", help="The name that clients will reach this gateway by.")
    ] = "localhost",
    expires: Annotated[str, typer.Option("--expires", "-e", help="How long the token holds.")] = "90d",
    config: Config = DEFAULT_CONFIG,
    as_json: Json = False,
) -> None:
    """Turn a working address into a configuration: wicket.yaml, and a new address to use instead.

    The password moves into a file that only you can read (0600). Columns whose names sound sensitive are
    proposed in `sensitive:`; look them over. A service account is made, and a token for it.

    Examples:

      wicket init "postgresql://app:s3cret@db.internal:5432/sales?sslmode=verify-full"

      echo "$DATABASE_URL" | wicket init - --name sales --host gateway.internal
    """
    from wicketgate import newcomer
    from wicketgate.cli.tokens import lifetime

    if address == "-":
        address = sys.stdin.readline().strip()
    wanted = newcomer.Wanted(
        name=name, identity=identity, group=group, host=host, lifetime=lifetime(expires), config=config
    )
    try:
        made = newcomer.introduce(address, wanted)
    except newcomer.Unusable as error:
        end(error.public, USAGE)
    if as_json:
        say_json(made.facts())
        return
    note(f"{made.config}: written; the password lies in {made.credential or 'no file (none is needed)'}")
    note(
        f"{made.columns} columns of {made.relations} tables looked at, {len(made.sensitive)} seem sensitive:"
    )
    for column, data_class in sorted(made.sensitive.items()):
        note(f"  {clean(column):50} {data_class}")
    for warning in made.warnings:
        note(f"warning: {clean(warning)}")
    note("")
    note(f"Look over {made.config}, run `wicket check -c {made.config}` and `wicket serve -c {made.config}`,")
    note("and give your agent this address instead of the old one (it is shown this once):")
    note("")
    say(made.address)


def serve(config: Config = DEFAULT_CONFIG) -> None:
    """Run the gateway. Ctrl-C or SIGTERM drains and ends it; SIGHUP reads the policy anew.

    Example:  wicket serve -c /etc/wicket/wicket.yaml
    """
    readable(config)
    # nothing of what is loaded is ever garbage: not looked through a hundred times now, nor ever later
    gc.disable()
    from wicketgate.app import serve as run

    gc.freeze()
    gc.enable()
    code = run(config)
    raise typer.Exit(code if isinstance(code, int) else 0)


def check(
    offline: Annotated[bool, typer.Option("--offline", help="Only the file; reach for no target.")] = False,
    config: Config = DEFAULT_CONFIG,
    as_json: Json = False,
) -> None:
    """Check the configuration: the policy, with file and line; that targets are reached; what is risky there.

    Exit code 1 if there is an error; warnings alone leave it 0.

    Examples:

      wicket check

      wicket check -c staging.yaml --json
    """
    readable(config)
    from wicketgate.checkup import check as look

    findings = look(config, reach=not offline)
    errors = sum(1 for each in findings if each["level"] == "error")
    if as_json:
        say_json({"ok": not errors, "findings": findings})
    else:
        for each in findings:
            say(f"{each['level']}: {clean(each['text'])}")
        if not errors:
            say(f"{config} is good" if not findings else f"{config} can be served")
    if errors:
        raise typer.Exit(NEGATIVE)


def ca(
    path: Annotated[bool, typer.Option("--path", help="Print the file's path instead.")] = False,
    config: Config = DEFAULT_CONFIG,
    as_json: Json = False,
) -> None:
    """Print the certificate of the local CA: what clients need for verify-full (sslrootcert).

    Example:  wicket ca > wicket-ca.pem
    """
    readable(config)
    from wicketgate.office import authority

    try:
        file, text = authority(config)
    except OSError as error:
        end(f"the CA can't be read: {error.strerror}")
    if as_json:
        say_json({"path": str(file), "certificate": text})
    elif path:
        say(str(file))
    else:
        say(text.rstrip("\n"))
