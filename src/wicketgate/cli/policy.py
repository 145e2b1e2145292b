"""`wicket policy …`: show, validate, apply, diff, history, rollback and export. Speaks to the API.
It must never send a configuration's section `gateway`: a node's settings may hold a password.
"""

import re
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from wicketgate.cli.client import Client, Unreachable
from wicketgate.cli.ending import NEGATIVE, USAGE, end
from wicketgate.cli.options import DEFAULT_CONFIG, Ca, Config, Json, TokenFile, Url, client, readable
from wicketgate.cli.output import clean, note, say, say_json, table, when

app = typer.Typer(
    no_args_is_help=True,
    help="The policy: show, validate and export it; where the store keeps it, apply, compare and roll back.",
)

File = Annotated[
    Path,
    typer.Argument(metavar="FILE", help="The policy's file, or a folder of files; - is standard input."),
]
Revision = Annotated[
    int, typer.Argument(metavar="REV", min=1, help="A revision's number, as `history` shows.")
]
Message = Annotated[
    str, typer.Option("--message", "-m", help="Why: one line, which is kept with the revision.")
]
Base = Annotated[
    int | None,
    typer.Option(
        "--base", min=1, help="The revision that this was made from; refused where it is not the newest."
    ),
]
Force = Annotated[
    bool, typer.Option("--force", help="Also where nobody could administrate over the API any more.")
]


def _read(file: Path) -> tuple[str, str, str]:
    """(name, the text with its lines where they were, the text to keep), both without `gateway`."""
    if str(file) == "-":
        try:
            name, text = "standard input", sys.stdin.buffer.read().decode("utf-8")
        except UnicodeDecodeError:
            end("standard input is not UTF-8 text", USAGE)
    elif file.is_dir():
        from wicketgate.policies import text_of

        whole = text_of(file)
        return str(file), whole, whole
    else:
        readable(file)
        try:
            name, text = str(file), file.read_bytes().decode("utf-8")
        except UnicodeDecodeError:
            end(f"{file} is not UTF-8 text", USAGE)
    if re.search(r"^\s*[{'\"]*\s*gateway\b", text, re.MULTILINE):
        from wicketgate.policies import without_settings

        return name, *without_settings(name, text)
    return name, text, text


def _check(api: Client, config: Path, local: bool, name: str, text: str) -> dict[str, Any]:
    """What is wrong with a text, by the gateway; by this machine, where none runs here."""
    found: dict[str, Any]
    try:
        found = api.ask("POST", "/policy/validate", {"text": text})
    except Unreachable:
        if not local:
            raise
        from wicketgate.assay import check

        found = check(config, text)
        note("no gateway is running: this machine looked the policy over")
    return found


def _tell(name: str, found: dict[str, Any]) -> None:
    for level, listed in (("error", found["errors"]), ("warning", found["warnings"])):
        for each in listed:
            place = "" if each["line"] is None else f":{each['line']}:{each['column']}"
            note(f"{level}: {clean(name)}{place}: {clean(each['message'])}")


@app.command()
def show(
    revision: Annotated[
        int | None, typer.Argument(metavar="[REV]", min=1, help="Else what holds.", show_default=False)
    ] = None,
    config: Config = DEFAULT_CONFIG,
    url: Url = None,
    token_file: TokenFile = None,
    ca: Ca = None,
    as_json: Json = False,
) -> None:
    """Show the policy that holds, or a revision: its text, and on standard error whose it is.

    Examples:

      wicket policy show

      wicket policy show 7 --json
    """
    api = client(config, url, token_file, ca)
    found = api.ask("GET", "/policy" if revision is None else f"/policy/revisions/{revision}")
    if as_json:
        say_json(found)
        return
    made = found if revision is not None else found["made"]
    if made is None:
        note(f"from the file; digest {clean(found['digest'])[:12]}")
    else:
        _tell_revision(made)
    if revision is None:
        if found["newest"] is not None and found["newest"] != found["revision"]:
            note(f"revision {found['newest']} is newer, and does not hold here")
        if found["error"]:
            note(f"the newest can't be loaded: {clean(found['error'])}")
    if found["text"] is None:
        end("the store does not have its text as it was written")
    _say_text(found["text"])


def _tell_revision(made: dict[str, Any]) -> None:
    note(f"revision {made['revision']}, {when(made['created'])}, by {clean(made['author'])} ({made['how']})")
    note(f"digest {made['digest'][:12]}: {clean(made['message'])}")
    if not made["intact"]:
        note("it is NOT as it was written: somebody changed it in the store")


def _say_text(text: str) -> None:
    sys.stdout.write(clean(text, lines=True) + ("" if text.endswith("\n") else "\n"))


@app.command()
def validate(
    file: File,
    config: Config = DEFAULT_CONFIG,
    url: Url = None,
    token_file: TokenFile = None,
    ca: Ca = None,
    as_json: Json = False,
) -> None:
    """Look a policy over as the gateway would, line by line; nothing changes. Exit code 1: it does not load.

    Examples:

      wicket policy validate policy.yaml

      git show main:policy.yaml | wicket policy validate - --json
    """
    name, placed, _ = _read(file)
    found = _check(client(config, url, token_file, ca), config, url is None, name, placed)
    if as_json:
        say_json(found)
    else:
        _tell(name, found)
        if found["ok"]:
            say(f"{clean(name)} can be applied: {found['rules']} rules on {found['resources']} resources")
    if not found["ok"]:
        raise typer.Exit(NEGATIVE)


@app.command()
def apply(
    file: File,
    message: Message,
    base: Base = None,
    force: Force = False,
    config: Config = DEFAULT_CONFIG,
    url: Url = None,
    token_file: TokenFile = None,
    ca: Ca = None,
    as_json: Json = False,
) -> None:
    """Apply a policy: it is kept as the next revision, and holds on every worker when this ends.

    Exit code 1: it does not load, or would leave no administrator; 6: somebody else applied one meanwhile.

    Examples:

      wicket policy apply policy.yaml -m "crews may read invoices"

      wicket policy apply policy.yaml -m "as reviewed" --base 7 --url https://gateway:18443
    """
    name, placed, text = _read(file)
    api = client(config, url, token_file, ca)
    newest = base if base is not None else _newest(api)
    found = api.ask("POST", "/policy/validate", {"text": placed})
    _tell(name, found)
    if not found["ok"]:
        end(f"{name} is not applied; what holds goes on")
    wanted = {"text": text, "message": message, "force": force}
    _applied(api.against(f'"{newest}"').ask("PUT", "/policy", wanted), as_json)


@app.command()
def rollback(
    revision: Revision,
    message: Annotated[
        str | None, typer.Option("--message", "-m", help="Why: one line, which is kept with the revision.")
    ] = None,
    base: Base = None,
    force: Force = False,
    config: Config = DEFAULT_CONFIG,
    url: Url = None,
    token_file: TokenFile = None,
    ca: Ca = None,
    as_json: Json = False,
) -> None:
    """Apply an earlier revision's text again, as a new revision. Nothing is taken out of the history.

    Example:  wicket policy rollback 7 -m "the new rule was too wide"
    """
    api = client(config, url, token_file, ca)
    newest = base if base is not None else _newest(api)
    wanted = {"revision": revision, "message": message or f"back to revision {revision}", "force": force}
    _applied(api.against(f'"{newest}"').ask("POST", "/policy/rollback", wanted), as_json)


def _newest(api: Client) -> int:
    """The newest revision's number; 1 where the policy comes from a file: the gateway says what to do."""
    return int(api.ask("GET", "/policy")["newest"] or 1)


def _applied(found: dict[str, Any], as_json: bool) -> None:
    if as_json:
        say_json(found)
        return
    made = found["made"]
    told = "holds" if found["changed"] else "holds already: nothing was changed"
    say(f"revision {made['revision']} {told} (digest {made['digest'][:12]})")


@app.command()
def diff(
    first: Annotated[
        str | None,
        typer.Argument(
            metavar="[REV|FILE]", help="A revision, or a file that might be applied.", show_default=False
        ),
    ] = None,
    second: Annotated[
        int | None,
        typer.Argument(metavar="[REV]", min=1, help="Another revision; else the newest.", show_default=False),
    ] = None,
    exit_code: Annotated[bool, typer.Option("--exit-code", help="End with 1 where they differ.")] = False,
    config: Config = DEFAULT_CONFIG,
    url: Url = None,
    token_file: TokenFile = None,
    ca: Ca = None,
    as_json: Json = False,
) -> None:
    """Show what differs, in what policies say and line by line. Of a file: what applying it would change.

    Without arguments: what the newest revision changed.

    Examples:

      wicket policy diff policy.yaml

      wicket policy diff 6 7

      wicket policy diff 6 --exit-code
    """
    api = client(config, url, token_file, ca)
    if first is not None and not re.fullmatch(r"[1-9][0-9]{0,8}", first):
        _, _, text = _read(Path(first))
        found = api.ask("POST", "/policy/diff", {"text": text}, old=second)
    elif first is not None:
        found = api.ask("GET", "/policy/diff", old=first, new=second)
    else:
        newest = _newest(api)
        found = api.ask("GET", "/policy/diff", old=max(newest - 1, 1), new=newest)
    if as_json:
        say_json(found)
    else:
        for each in found["changes"]:
            keys = f" ({', '.join(each['keys'])})" if each["keys"] else ""
            note(clean(f"{each['change']:8} {each['section']}: {each['name']}{keys}"))
        sys.stdout.write(clean(found["diff"], lines=True))
    if exit_code and (found["diff"] or found["changes"]):
        raise typer.Exit(NEGATIVE)


@app.command()
def history(
    most: Annotated[int, typer.Option("--most", "-n", min=1, help="How many, newest first.")] = 30,
    config: Config = DEFAULT_CONFIG,
    url: Url = None,
    token_file: TokenFile = None,
    ca: Ca = None,
    as_json: Json = False,
) -> None:
    """List revisions, newest first: whose they are, when and why they were made.

    Example:  wicket policy history -n 5
    """
    api = client(config, url, token_file, ca)
    found = api.pages("/policy/revisions", most)
    if as_json:
        say_json(found)
        return
    table(
        ("REV", "DIGEST", "MADE", "BY", "HOW", "MESSAGE"),
        [
            (
                each["revision"],
                each["digest"][:12] if each["intact"] else "CHANGED",
                when(each["created"]),
                each["author"],
                each["how"],
                each["message"],
            )
            for each in found
        ],
    )
    if found and found[-1]["revision"] > 1:
        note("there are older ones: -n")


@app.command()
def export(
    revision: Annotated[
        int | None, typer.Argument(metavar="[REV]", min=1, help="Else what holds.", show_default=False)
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="A new file; else standard output.")
    ] = None,
    config: Config = DEFAULT_CONFIG,
    url: Url = None,
    token_file: TokenFile = None,
    ca: Ca = None,
    as_json: Json = False,
) -> None:
    """Write a policy's text as it was written: to change it, to keep it elsewhere, to go back to a file.

    Example:  wicket policy export -o policy.yaml
    """
    api = client(config, url, token_file, ca)
    found = api.ask("GET", "/policy" if revision is None else f"/policy/revisions/{revision}")
    if found["text"] is None:
        end("the store does not have its text as it was written")
    if output is not None:
        from wicketgate.cli.files import write_new

        write_new(output, found["text"].encode("utf-8"))
    if as_json:
        facts = {"revision": found["revision"], "digest": found["digest"]}
        say_json(facts | ({"text": found["text"]} if output is None else {"file": str(output)}))
    elif output is not None:
        say(str(output))
    elif sys.stdout.isatty():
        _say_text(found["text"])
    else:
        sys.stdout.write(found["text"])
