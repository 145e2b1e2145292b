"""The command `wicket`. It must load fast: what a verb needs is imported when that verb runs.
It must never show a traceback, nor print a secret but the token that was asked for."""

import os
import sys
from typing import Annotated, Final

import typer

from wicketgate.cli import (
    access,
    channels,
    discover,
    grants,
    identities,
    keys,
    login,
    node,
    nodes,
    policy,
    requests,
    reviews,
    secrets,
    sessions,
    setup,
    tokens,
)
from wicketgate.cli.ending import NEGATIVE, NOT_ALLOWED, UNREACHABLE, USAGE, Ended
from wicketgate.cli.output import clean, note, say

EPILOGUE: Final = """
Exit codes: 0 done, or yes; 1 no (a check failed, the thing is not there); 2 wrong usage; 3 the gateway does
not answer; 4 not allowed; 6 somebody else changed it meanwhile.
"""

app = typer.Typer(
    name="wicket",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    epilog=EPILOGUE,
    help="Wicketgate stands between AI agents and the databases, hosts and APIs that they reach.",
)


def _version(asked: bool) -> None:
    if asked:
        from wicketgate import __version__

        say(f"wicket {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Wicketgate stands between AI agents and the databases, hosts and APIs that they reach.

    Start:  wicket init DSN, then wicket check, then wicket serve.
    """


app.command(epilog=None)(setup.init)
app.command()(setup.serve)
app.command()(setup.check)
app.command()(setup.ca)
app.command()(discover.discover)
app.add_typer(tokens.app, name="token")
app.add_typer(identities.app, name="identity")
app.add_typer(sessions.app, name="sessions")
app.add_typer(policy.app, name="policy")
app.add_typer(keys.app, name="keys")
app.add_typer(secrets.app, name="secret")
app.add_typer(access.app, name="access")
app.add_typer(channels.app, name="channels")
app.command()(requests.request)
app.command()(requests.requests)
app.add_typer(grants.app, name="grants")
app.command()(reviews.reviews)
app.add_typer(reviews.app, name="review")
app.command()(login.login)
app.command()(node.whoami)
app.command()(node.status)
app.command()(nodes.nodes)
app.command()(node.completion)
app.command()(node.version)


def main() -> None:
    """The entry point: runs the command, and turns every end into an exit code."""
    sys.exit(run())


def run() -> int:
    """The same, with the code as the answer. Reads sys.argv."""
    try:
        app(standalone_mode=True)
    except SystemExit as ended:
        return _flushed(ended.code if isinstance(ended.code, int) else int(ended.code is not None))
    except Ended as ended:
        note(f"wicket: {clean(ended.message)}")
        return _flushed(ended.code)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        return _quiet()
    except Exception as error:
        return _flushed(_failed(error))
    return _flushed(0)


def _failed(error: Exception) -> int:
    """One line for what no verb foresaw. WICKET_DEBUG=1 shows where it came from."""
    if os.environ.get("WICKET_DEBUG") == "1":
        raise error
    from wicketgate.model.errors import GatewayError, PolicyError, StoreFailed

    if isinstance(error, GatewayError):
        detail = f" ({clean(error.detail)})" if error.detail and not isinstance(error, PolicyError) else ""
        note(f"wicket: {clean(error.public)}{detail}")
        return UNREACHABLE if isinstance(error, StoreFailed) else NEGATIVE
    if isinstance(error, PermissionError):
        note(f"wicket: not allowed: {clean(error.filename or error.strerror)}")
        return NOT_ALLOWED
    if isinstance(error, FileNotFoundError):
        note(f"wicket: no such file: {clean(error.filename)}")
        return USAGE
    note(f"wicket: this failed ({type(error).__name__}); WICKET_DEBUG=1 shows where")
    return NEGATIVE


def _flushed(code: int) -> int:
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        return _quiet()
    return code


def _quiet() -> int:
    """Whoever read us stopped: not worth a word, and Python must not try to write again at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 141


if __name__ == "__main__":
    main()
