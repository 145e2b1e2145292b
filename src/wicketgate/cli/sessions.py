"""`wicket sessions …`: list, show, replay, export, verify and terminate. With --journal, from files alone."""

import re
from pathlib import Path
from typing import Annotated, Any

import typer

from wicketgate.cli.client import Client
from wicketgate.cli.ending import NEGATIVE, UNWITNESSED, USAGE, end
from wicketgate.cli.options import DEFAULT_CONFIG, Ca, Config, Journal, Json, TokenFile, Url, client, readable
from wicketgate.cli.output import clean, lasting, note, say, say_json, table, when

app = typer.Typer(no_args_is_help=True, help="List, replay, export and verify sessions and their recordings.")

Session = Annotated[
    str, typer.Argument(metavar="SESSION", help="A session's id, as `list` shows it; 8 digits do.")
]


def _files(journal: Path, config: Path) -> Any:
    """The folder's files; the configuration says where the key lies, where they are encrypted."""
    from wicketgate import office

    if not journal.is_dir():
        end(f"{journal} is no folder", USAGE)
    return office.recordings(journal, config=config)


def _check_id(text: str) -> None:
    if not re.fullmatch(r"[0-9a-f]{4,32}", text):
        end("a session's id is 32 hex digits, as `wicket sessions list` shows it", USAGE)


def _whole_id(text: str, known: list[str]) -> str:
    """The one session whose id begins so."""
    _check_id(text)
    if len(text) == 32:
        return text
    found = [each for each in known if each.startswith(text)]
    if len(found) != 1:
        many = f"{len(found)} sessions' ids begin" if found else "no session's id begins"
        end(f"{many} with {text}")
    return found[0]


def _find(api: Client, text: str) -> str:
    _check_id(text)
    if len(text) == 32:
        return text
    return _whole_id(text, [each["session"] for each in api.pages("/sessions", 1000, begins=text)])


@app.command("list")
def list_sessions(
    identity: Annotated[str | None, typer.Argument(help="Only this identity's.")] = None,
    only_open: Annotated[bool, typer.Option("--open", help="Only those that are open.")] = False,
    most: Annotated[
        int, typer.Option("--most", "-n", min=1, max=10_000, help="How many, newest first.")
    ] = 30,
    journal: Journal = None,
    config: Config = DEFAULT_CONFIG,
    url: Url = None,
    token_file: TokenFile = None,
    ca: Ca = None,
    as_json: Json = False,
) -> None:
    """List sessions, newest first.

    Examples:

      wicket sessions list --open

      wicket sessions list crew-bot -n 5 --json
    """
    if journal is not None:
        rows = _files(journal, config).listed(identity, most)
    else:
        api = client(config, url, token_file, ca)
        rows = api.pages("/sessions", most, identity=identity, open="true" if only_open else None)
    if as_json:
        say_json(rows)
        return
    more = ("NODE",) if any(each.get("node") for each in rows) else ()
    table(
        ("SESSION", "STATE", "IDENTITY", "RESOURCE", "OPENED", "LASTED", "STATEMENTS", "ENDED BY", *more),
        [
            (
                each["session"],
                each["state"],
                each["identity"],
                each["resource"],
                when(each["opened"]),
                lasting(None if each["closed"] is None else each["closed"] - each["opened"]),
                "-" if each["statements"] is None else each["statements"],
                each["reason"] or "-",
                *(each.get(name.lower()) or "here" for name in more),
            )
            for each in rows
        ],
    )


@app.command()
def show(
    session: Session,
    journal: Journal = None,
    config: Config = DEFAULT_CONFIG,
    url: Url = None,
    token_file: TokenFile = None,
    ca: Ca = None,
    as_json: Json = False,
) -> None:
    """Show one session: whose, where, since when, how it ended.

    Example:  wicket sessions show 3f9c2a71
    """
    if journal is not None:
        files = _files(journal, config)
        rows = {each["session"]: each for each in files.listed(None, None)}
        whole = _whole_id(session, list(rows))
        found = rows.get(whole) or end(f"no session has the id {whole}")
    else:
        api = client(config, url, token_file, ca)
        found = api.ask("GET", f"/sessions/{_find(api, session)}")
    if as_json:
        say_json(found)
        return
    for name, value in found.items():
        if value is not None:
            say(f"{name:11} {when(value) if name in ('opened', 'closed') else clean(value)}")


@app.command()
def replay(
    session: Annotated[
        str | None, typer.Argument(help="A session's id, as `list` shows it; 8 digits do.")
    ] = None,
    exported: Annotated[
        Path | None, typer.Option("--export", help="Read an exported session's file, without any gateway.")
    ] = None,
    rows: Annotated[int, typer.Option("--rows", min=0, help="Rows of each answer that are shown.")] = 20,
    journal: Journal = None,
    config: Config = DEFAULT_CONFIG,
    url: Url = None,
    token_file: TokenFile = None,
    ca: Ca = None,
    as_json: Json = False,
) -> None:
    """Replay a session: each statement, the decision and its rule, and the answer as its client saw it.

    Examples:

      wicket sessions replay 3f9c2a71

      wicket sessions replay 3f9c2a71 --journal ./journal   (from files, no gateway needed)

      wicket sessions replay --export evidence.wicket   (verify it, too: this shows what the file says)
    """
    if (session is None) == (exported is None):
        end("name a session, or a file with --export", USAGE)
    if exported is not None:
        from wicketgate import office, recordings

        found = recordings.exported(exported, office.show, office.protocols_of(config))
    elif session is None:
        end("name a session", USAGE)
    elif journal is not None:
        from wicketgate import office

        files = _files(journal, config)
        whole = _whole_id(session, [each["session"] for each in files.listed(None, None)])
        found = files.replayed(whole, office.show, office.protocols_of(config)) or end(
            f"no session has the id {whole}"
        )
    else:
        api = client(config, url, token_file, ca)
        found = api.ask("GET", f"/sessions/{_find(api, session)}/recording")
    if as_json:
        say_json(found)
        return
    from wicketgate.cli.replay import tell

    tell(found, rows)


@app.command()
def export(
    session: Session,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Where to; SESSION.wicket if not said.")
    ] = None,
    journal: Journal = None,
    config: Config = DEFAULT_CONFIG,
    url: Url = None,
    token_file: TokenFile = None,
    ca: Ca = None,
    as_json: Json = False,
) -> None:
    """Export one session with its proof. Nobody else's lines are in the file.

    Example:  wicket sessions export 3f9c2a71 -o evidence.wicket
    """
    if journal is not None:
        files = _files(journal, config)
        whole = _whole_id(session, [each["session"] for each in files.listed(None, None)])
        content = files.export(whole) or end(f"no session has the id {whole}")
    else:
        api = client(config, url, token_file, ca)
        whole = _find(api, session)
        content = api.raw("GET", f"/sessions/{whole}/export")
    path = output if output is not None else Path(f"{whole}.wicket")
    from wicketgate.cli.files import write_new

    write_new(path, content)
    if as_json:
        say_json({"session": whole, "file": str(path), "bytes": len(content)})
    else:
        say(str(path))


@app.command()
def verify(
    files: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[EXPORT]...", help="Exported sessions; else the whole journal."),
    ] = None,
    journal: Journal = None,
    key: Annotated[
        Path | None, typer.Option("--key", help="The public key (PEM); else the configured one.")
    ] = None,
    expect: Annotated[
        Path | None, typer.Option("--expect", help="A checkpoint that was kept elsewhere: it must be met.")
    ] = None,
    config: Config = DEFAULT_CONFIG,
    as_json: Json = False,
) -> None:
    """Verify the journal, or exported sessions, from files, checkpoints and the public key alone.

    Exit code 0: sound; the newest lines of a gateway that runs may wait for their checkpoint. 1: something
    was changed, is missing or was added. 5: nothing is wrong, and not everything is proven: no checkpoint
    that the key signed vouches for it (or there is none at all), or an exported session has no end.

    Examples:

      wicket sessions verify

      wicket sessions verify evidence.wicket --key journal.pub

      wicket sessions verify --journal /backup/journal --key journal.pub --expect checkpoint.json
    """
    if journal is None and (key is None or not files):
        readable(config)
    from wicketgate import office

    found = office.verify(config, journal, key, expect, files or [])
    if as_json:
        say_json(found)
    else:
        for each in found["findings"]:
            say(clean(each))
        for name, value in found["facts"].items():
            say(f"{name.replace('_', ' '):20} {clean(value)}")
        newest = found["facts"].get("unwitnessed_lines", 0)
        if found["ok"] and newest:
            say(f"sound; the newest {newest} lines are not witnessed yet")
        else:
            say(found["verdict"] if found["ok"] else found["verdict"].upper())
    if not found["ok"]:
        raise typer.Exit(UNWITNESSED if found["verdict"] == "unwitnessed" else NEGATIVE)


@app.command()
def terminate(
    session: Session,
    config: Config = DEFAULT_CONFIG,
    url: Url = None,
    token_file: TokenFile = None,
    ca: Ca = None,
) -> None:
    """End an open session. Its client gets its protocol's own error.

    Example:  wicket sessions terminate 3f9c2a71
    """
    api = client(config, url, token_file, ca)
    whole = _find(api, session)
    api.raw("DELETE", f"/sessions/{whole}")
    note(f"session {whole} is ended")
