"""`wicket access …`: who may reach what and what of it is used, and a narrower policy as a difference.
It must never print a cell that a spreadsheet would run, nor apply what it suggests."""

import csv
import io
import re
import sys
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final

import typer

from wicketgate.cli.ending import USAGE, end
from wicketgate.cli.options import DEFAULT_CONFIG, Ca, Config, Json, TokenFile, Url, client
from wicketgate.cli.output import clean, note, say, say_json, table, when

app = typer.Typer(no_args_is_help=True, help="Who may reach what, and what of it is used.")

Days = Annotated[int, typer.Option("--days", "-d", min=1, max=3660, help="How far back use counts.")]
COLUMNS: Final = (
    "identity",
    "issuer",
    "resource",
    "account",
    "rule",
    "effects",
    "conditional",
    "databases",
    "standing",
    "status",
    "used",
    "unused",
    "count",
    "first",
    "last",
    "relations",
    "others",
)
_RUN: Final = re.compile(r"^[=+\-@\t\r]")


def cell(value: object) -> str:
    """A value for a table that may be opened by a spreadsheet: no formula, no control character."""
    if isinstance(value, list):
        text = " ".join(str(each) for each in value)
    else:
        text = "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
    text = clean(text)
    return f"'{text}" if _RUN.match(text) else text


@app.command()
def report(
    days: Days = 90,
    identity: Annotated[str | None, typer.Option("--identity", "-i", help="Only this identity.")] = None,
    resource: Annotated[str | None, typer.Option("--resource", "-r", help="Only this resource.")] = None,
    keep: Annotated[
        bool, typer.Option("--keep", help="Keep it: the next report tells what changed since.")
    ] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="What is granted, as CSV.")] = False,
    config: Config = DEFAULT_CONFIG,
    url: Url = None,
    token_file: TokenFile = None,
    ca: Ca = None,
    as_json: Json = False,
) -> None:
    """Tell who may reach what by which rule, what of it was used, and what changed since the last report.

    Examples:

      wicket access report --days 30

      wicket access report --identity crew-bot --csv > access.csv

      wicket access report --keep
    """
    if as_csv and as_json:
        end("--csv and --json: one of them", USAGE)
    if keep and (identity is not None or resource is not None):
        end("--keep keeps the whole report: leave --identity and --resource out", USAGE)
    api = client(config, url, token_file, ca)
    if keep:
        found = api.ask("POST", "/access/report", None, days=days)
    else:
        found = api.ask("GET", "/access/report", None, days=days, identity=identity, resource=resource)
    if as_json:
        say_json(found)
    elif as_csv:
        _csv(found["granted"])
    else:
        _tell(found)
    _caution(found)


def _csv(rows: Sequence[Mapping[str, Any]]) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in rows:
        times = {"first": when(row["first"]), "last": when(row["last"])}
        writer.writerow([cell({**row, **times}[name]) for name in COLUMNS])
    sys.stdout.write(text.getvalue())


def _tell(found: Mapping[str, Any]) -> None:
    standing = [row for row in found["granted"] if row["standing"]]
    asked = [row for row in found["granted"] if not row["standing"]]
    say(f"Granted by policy {found['policy'][:12]}, standing:")
    _granted(standing)
    if asked:
        say("\nHad on request alone:")
        _granted(asked)
    if found.get("grants"):
        say("\nGiven for a while, in this time:")
        _given(found["grants"])
    if found["former"]:
        say("\nUsed in this time, and granted no more:")
        _former(found["former"])
    if found["groups"]:
        say("\nGroups that changed in this time:")
        for each in found["groups"]:
            marks = [f"+{name}" for name in each["added"]] + [f"-{name}" for name in each["removed"]]
            gone = " (no account any more)" if each["gone"] else ""
            say(f"  {when(each['at'])}  {clean(each['identity'])}  {clean(' '.join(marks))}{gone}")
    _since(found["changed"])


def _given(rows: Sequence[Mapping[str, Any]]) -> None:
    table(
        ("IDENTITY", "RESOURCE", "ACCOUNT", "RULE", "FROM", "UNTIL", "BY", "USED"),
        [
            (
                row["identity"],
                row["resource"],
                row["account"],
                row["rule"],
                when(row["starts"]),
                when(row["ends"]),
                "broken glass" if row["break_glass"] else " ".join(row["approved_by"]),
                when(row["last_used"]) if row["used"] else "never",
            )
            for row in rows
        ],
    )


def _granted(rows: Sequence[Mapping[str, Any]]) -> None:
    table(
        ("IDENTITY", "RESOURCE", "ACCOUNT", "RULE", "USED", "UNUSED", "TIMES", "LAST", "RELATIONS"),
        [
            (
                row["identity"],
                row["resource"],
                row["account"],
                f"{row['rule']} (if)" if row["conditional"] else row["rule"],
                " ".join(row["used"]) or "-",
                " ".join(row["unused"]) or "-",
                row["count"],
                when(row["last"]),
                " ".join(row["relations"]) + (" …" if row["others"] else ""),
            )
            for row in rows
        ],
    )


def _former(rows: Sequence[Mapping[str, Any]]) -> None:
    table(
        ("IDENTITY", "RESOURCE", "ACCOUNT", "BY", "EFFECTS", "TIMES", "LAST"),
        [
            (
                row["identity"],
                row["resource"],
                row["account"],
                ", ".join(row["rules"]) or "-",
                " ".join(row["effects"]),
                row["count"],
                when(row["last"]),
            )
            for row in rows
        ],
    )


def _since(changed: Mapping[str, Any] | None) -> None:
    if changed is None:
        say("\nNo report was kept before: --keep keeps one to compare with.")
        return
    policy = "the policy changed" if changed["policy_changed"] else "the policy is the same"
    say(f"\nSince the report of {when(changed['at'])} (kept by {clean(changed['author'])}) {policy}:")
    for sign, rows in (("+", changed["added"]), ("-", changed["removed"])):
        for row in rows:
            what = f"{row['effect']} {row['resource']}/{row['account']}"
            say(f"  {sign} {clean(row['identity'])}  {clean(what)}  {clean(row['rule'])}")
    if not changed["added"] and not changed["removed"]:
        say("  nothing that is granted changed")


def _caution(found: Mapping[str, Any]) -> None:
    """What limits the report, beside it."""
    if found.get("lost"):
        note(f"note: {found['lost']} uses in this time were not told apart: `unused` may be wrong")
    if found["begins"] is None:
        note("note: nothing was recorded in this time")
    elif found["begins"] > found["since"]:
        note(f"note: the history begins at {when(found['begins'])}, later than this report")


@app.command()
def suggest(
    days: Days = 90,
    config: Config = DEFAULT_CONFIG,
    url: Url = None,
    token_file: TokenFile = None,
    ca: Ca = None,
    as_json: Json = False,
) -> None:
    """Suggest a narrower policy, as a difference: what nobody used in this time is left out.

    It loads, permits all that was used, and nothing that was not permitted before. Nothing is changed here.

    Example:  wicket access suggest --days 60 > narrower.diff
    """
    found = client(config, url, token_file, ca).ask("GET", "/access/suggestion", None, days=days)
    if as_json:
        say_json(found)
    elif found["difference"]:
        sys.stdout.write(clean(found["difference"], lines=True))
        for line in found["left_out"]:
            note(clean(line))
    else:
        note("all that the policy permits was used, or can't be left out")
    _caution(found)
