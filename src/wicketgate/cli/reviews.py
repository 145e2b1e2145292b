"""`wicket reviews` and `wicket review …`: see what waits for people, answer it, take it back, wait for it.
It must never print what a review shows without making its control characters visible."""

import re
import time
from collections.abc import Mapping
from typing import Annotated, Any, Final

import typer

from wicketgate.cli.client import Client
from wicketgate.cli.ending import NEGATIVE, OK, USAGE, end
from wicketgate.cli.options import DEFAULT_CONFIG, Ca, Config, Json, TokenFile, Url, client
from wicketgate.cli.output import clean, note, say, say_json, table, when

DENIED: Final = 10
EXPIRED: Final = 11
WITHDRAWN: Final = 12
WAITING: Final = 13
CODES: Final[Mapping[str, int]] = {
    "approved": OK,
    "used": OK,
    "closed": OK,
    "denied": DENIED,
    "expired": EXPIRED,
    "withdrawn": WITHDRAWN,
    "pending": WAITING,
}
"""How `wicket review wait` ends, for scripts."""
STATUSES: Final = tuple(CODES)
POLL: Final = 30
"""Seconds that one request waits."""
_SPAN: Final = re.compile(r"([0-9]{1,6})(s|m|h)")
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600}

app = typer.Typer(no_args_is_help=True, help="One review: show, approve, deny, withdraw it, or wait for it.")

Id = Annotated[str, typer.Argument(metavar="REVIEW", help="A review's id; its beginning does.")]
Comment = Annotated[str, typer.Option("--comment", "-m", help="Why, for the asker and the record.")]


def _span(text: str) -> int:
    """Seconds of `90s`, `15m`, `2h`. Ends the command otherwise."""
    found = _SPAN.fullmatch(text)
    if found is None:
        end(f"{text!r} is no time span: write 90s, 15m or 2h", USAGE)
    return int(found[1]) * _SECONDS[found[2]]


def _find(api: Client, text: str) -> str:
    """The one review whose id begins so."""
    given = text.upper()
    if not re.fullmatch(r"[0-9A-Z]{4,26}", given):
        end("a review's id is 26 letters and digits, as `wicket reviews` shows it", USAGE)
    if len(given) == 26:
        return given
    found = [each["id"] for each in api.pages("/reviews", 1000) if each["id"].startswith(given)]
    if len(found) != 1:
        many = f"{len(found)} reviews' ids begin" if found else "no review's id begins"
        end(f"{many} with {text}", NEGATIVE)
    return str(found[0])


def _asker(found: Mapping[str, Any]) -> str:
    """Who asks, and in whose name."""
    parts = [str(found["identity"])]
    if found["behalf"]:
        parts.append(f"for {found['behalf']}")
    if found["task"]:
        parts.append(f"in {found['task']}")
    return " ".join(parts)


def _left(found: Mapping[str, Any]) -> str:
    """How long it may still be answered, or used."""
    until = found["usable_until"] if found["status"] == "approved" else found["expires"]
    if found["status"] not in ("pending", "approved") or (
        found["kind"] == "after" and found["status"] == "pending"
    ):
        return "-"
    seconds = max(0, (int(until) - time.time_ns()) // 1_000_000_000)
    return f"{seconds // 60} min" if seconds >= 120 else f"{seconds} s"


def _enough(found: Mapping[str, Any]) -> str:
    approved = sum(1 for each in found["votes"] if each["approves"])
    wanted = max((int(each["quorum"]) for each in found["panels"]), default=1)
    return f"{approved} of {wanted}"


def reviews(
    status: Annotated[
        list[str] | None, typer.Option("--status", help="Only these: pending, approved, denied, expired …")
    ] = None,
    mine: Annotated[
        bool, typer.Option("--mine", help="Only those that you may answer, and have not.")
    ] = False,
    resource: Annotated[str | None, typer.Option("--resource", help="Only on this resource.")] = None,
    identity: Annotated[str | None, typer.Option("--identity", help="Only what this identity asked.")] = None,
    most: Annotated[int, typer.Option("--most", "-n", min=1, max=10_000, help="How many at most.")] = 30,
    config: Config = DEFAULT_CONFIG,
    url: Url = None,
    token_file: TokenFile = None,
    ca: Ca = None,
    as_json: Json = False,
) -> None:
    """List reviews, newest first: what waits for people, and what became of it.

    Examples:

      wicket reviews --mine

      wicket reviews --status pending --status approved --json
    """
    for each in status or ():
        if each not in STATUSES:
            end(f"there is no status {each!r}: {', '.join(STATUSES)}", USAGE)
    rows: list[Any] = []
    asked: dict[str, str | int | None] = {"resource": resource, "identity": identity}
    asked["mine"] = "true" if mine else None
    api = client(config, url, token_file, ca)
    wanted: list[str | None] = [*dict.fromkeys(status)] if status else [None]
    for name in wanted:
        rows += api.pages("/reviews", most, status=name, **asked)
    rows = sorted(rows, key=lambda found: (found["created"], found["id"]), reverse=True)[:most]
    if as_json:
        say_json(rows)
        return
    table(
        ("REVIEW", "STATUS", "KIND", "ASKED BY", "RESOURCE", "RULE", "APPROVED", "LEFT"),
        [
            (
                each["id"],
                each["status"],
                each["kind"],
                _asker(each),
                each["resource"],
                ", ".join(panel["rule"] for panel in each["panels"]),
                _enough(each),
                _left(each),
            )
            for each in rows
        ],
    )


@app.command()
def show(
    review: Id,
    config: Config = DEFAULT_CONFIG,
    url: Url = None,
    token_file: TokenFile = None,
    ca: Ca = None,
    as_json: Json = False,
) -> None:
    """Show one review: who asks, for whom, what, why, and until when.

    Example:  wicket review show 7K2M
    """
    api = client(config, url, token_file, ca)
    found = api.ask("GET", f"/reviews/{_find(api, review)}")
    if as_json:
        say_json(found)
    else:
        _say(found)


@app.command()
def approve(
    review: Id,
    comment: Comment = "",
    once: Annotated[bool, typer.Option("--once", help="This statement, once. The default.")] = False,
    session: Annotated[
        bool, typer.Option("--session", help="This statement, as often as its session likes.")
    ] = False,
    shape: Annotated[
        str | None, typer.Option("--shape", help="It with other constants too, for a while: 15m, 2h.")
    ] = None,
    rows: Annotated[
        int | None,
        typer.Option("--rows", min=1, help="At most so many rows leave; of a --shape, in each session."),
    ] = None,
    account: Annotated[str | None, typer.Option("--account", help="Only through this account.")] = None,
    minutes: Annotated[
        int | None, typer.Option("--minutes", min=1, help="An access request's: for so long at most.")
    ] = None,
    config: Config = DEFAULT_CONFIG,
    url: Url = None,
    token_file: TokenFile = None,
    ca: Ca = None,
    as_json: Json = False,
) -> None:
    """Approve a review, as it is or narrower. It needs a token of your own: --url, and --token-file.

    Examples:

      wicket review approve 7K2M --comment "after lunch, please"

      wicket review approve 7K2M --shape 15m --rows 100
    """
    if once + session + (shape is not None) > 1:
        end("--once, --session or --shape: one of them", USAGE)
    conditions: dict[str, Any] = {"scope": "session" if session else "once"}
    if shape is not None:
        conditions = {"scope": "shape", "minutes": -(-_span(shape) // 60)}
    for name, value in (("rows", rows), ("account", account), ("minutes", minutes)):
        if value is not None:
            conditions[name] = value
    body = {"comment": comment, "conditions": conditions}
    _answered(client(config, url, token_file, ca), review, "approve", body, as_json)


@app.command()
def deny(
    review: Id,
    comment: Comment = "",
    config: Config = DEFAULT_CONFIG,
    url: Url = None,
    token_file: TokenFile = None,
    ca: Ca = None,
    as_json: Json = False,
) -> None:
    """Deny a review. One denial is enough.

    Example:  wicket review deny 7K2M --comment "use the nightly export"
    """
    _answered(client(config, url, token_file, ca), review, "deny", {"comment": comment}, as_json)


@app.command()
def withdraw(
    review: Id,
    config: Config = DEFAULT_CONFIG,
    url: Url = None,
    token_file: TokenFile = None,
    ca: Ca = None,
    as_json: Json = False,
) -> None:
    """Take back what you asked, or an approval of yours that was not used yet.

    Example:  wicket review withdraw 7K2M
    """
    _answered(client(config, url, token_file, ca), review, "withdraw", {}, as_json)


@app.command()
def wait(
    review: Id,
    timeout: Annotated[
        str | None, typer.Option("--timeout", help="Give up after so long: 90s, 15m. Without it: never.")
    ] = None,
    config: Config = DEFAULT_CONFIG,
    url: Url = None,
    token_file: TokenFile = None,
    ca: Ca = None,
    as_json: Json = False,
) -> None:
    """Wait until a review is answered. Ends with 0 when it is approved, 10 denied, 11 expired, 12 withdrawn,
    13 still waiting.

    Example:  wicket review wait 7K2M --timeout 10m && psql -f change.sql
    """
    api = client(config, url, token_file, ca)
    number = _find(api, review)
    until = None if timeout is None else time.monotonic() + _span(timeout)
    while True:
        left = POLL if until is None else max(0, min(POLL, int(until - time.monotonic())))
        began = time.monotonic()
        found = api.ask("GET", f"/reviews/{number}", wait=f"{left}s")
        if found["status"] != "pending" or (until is not None and time.monotonic() >= until - 1):
            break
        if time.monotonic() - began < 1:  # too many wait there: it answers at once
            time.sleep(2)
    if as_json:
        say_json(found)
    else:
        _say_end(found)
    raise typer.Exit(CODES[found["status"]])


def _answered(api: Client, review: str, what: str, body: Mapping[str, Any], as_json: bool) -> None:
    found = api.ask("POST", f"/reviews/{_find(api, review)}/{what}", body)
    if as_json:
        say_json(found)
        return
    _say_end(found)


def _say_end(found: Mapping[str, Any]) -> None:
    """How it stands, in a line or a few."""
    said = f"{found['id']} is {found['status']}"
    if found["status"] == "pending":
        said += f": {_enough(found)} have approved"
    elif found["ended_by"]:
        said += f": {clean(found['ended_by'])}"
    say(said)
    for vote in found["votes"]:
        if vote["comment"]:
            say(f"  {clean(vote['person'])}: {clean(vote['comment'])}")
    for line in _conditions(found):
        say(f"  {line}")


def _conditions(found: Mapping[str, Any]) -> list[str]:
    given = found["conditions"]
    if given is None:
        return []
    scopes = {
        "once": "this statement, once",
        "session": "this statement, in its session",
        "shape": f"its shape, for {given['minutes']} minutes",
    }
    said = [scopes[given["scope"]]] if found["kind"] == "statement" else []
    if found["kind"] == "access" and given["minutes"] is not None:
        said.append(f"for {given['minutes']} minutes at most")
    if given["rows"] is not None:
        each = (
            " in each session: who connects anew may have as many again" if given["scope"] == "shape" else ""
        )
        said.append(f"{given['rows']} rows at most{each}")
    if given["account"] is not None:
        said.append(f"through the account {clean(given['account'])} only: sign in with it")
    if found["usable_until"] is not None:
        said.append(f"to be used until {when(found['usable_until'])}")
    return said


def _beside(shown: Mapping[str, Any]) -> str:
    """What else there is to know of where it stands."""
    told = [f"{shown['beside']} more in the same string, not shown here"] if shown.get("beside") else []
    return "; ".join([*told, "in an open transaction"] if shown.get("transaction") else told)


def _lasts(seconds: object) -> str:
    return f"can be used for {seconds} s after it is approved" if isinstance(seconds, int) else ""


def _say(found: Mapping[str, Any]) -> None:
    """Everything, for people."""
    shown = found["shown"]
    _say_end(found)
    where = f"{found['resource']}, database {found['database']}, account {found['account']}"
    facts = (
        ("asked by", f"{_asker(found)} ({found['identity_kind']})"),
        ("agent", found["agent"]),
        ("crew", found["crew"]),
        ("purpose", found["purpose"]),
        ("on", where),
        ("claimed" if shown.get("reason_claimed") else "reason", found["reason"]),
        ("rule says", found["message"]),
        ("effects", ", ".join(shown.get("effects") or ())),
        ("relations", ", ".join(shown.get("relations") or ())),
        ("not known", "" if shown.get("complete", True) else "not all that it does could be told"),
        ("beside it", _beside(shown)),
        ("estimate", "" if shown.get("estimate") is None else f"{shown['estimate']} rows"),
        ("asked at", when(found["created"])),
        ("until", when(found["expires"])),
        ("then", _lasts(shown.get("usable")) if found["mode"] == "retry" else ""),
        ("page", found["link"]),
    )
    for name, value in facts:
        if value:
            say(f"{name:10} {clean(value)}")
    for panel in found["panels"]:
        who = [*panel["people"], *(f"group {each}" for each in panel["groups"])]
        of_each = ", one of each group" if panel["all_groups"] else ""
        done = " (done)" if panel["satisfied"] else ""
        wanted = f"{panel['quorum']} of {clean(', '.join(who))}{of_each}{done}"
        say(f"{'rule':10} {clean(panel['rule'])}: {wanted}")
    if "statement" in shown:
        say()
        say(clean(shown.get("pretty") or shown["statement"], lines=True))
        for at, each in enumerate(shown.get("parameters") or (), 1):
            value = "NULL" if each["value"] is None else clean(each["value"])
            say(f"  ${at} = {value}" + (f"  ({clean(each['class'])})" if each["class"] else ""))
        for at, text in enumerate(shown.get("lately") or ()):
            say(("asked before\n" if not at else "") + f"  {clean(' '.join(text.split()))}")
        if unseen := shown.get("unseen"):
            said = f"NOT ALL OF THIS STATEMENT IS SHOWN: {clean('; '.join(unseen))}."
            say(f"{said} AN APPROVAL IS FOR ALL OF IT.")
        if shown.get("hides"):
            note("Values that your policy does not show you are hidden.")
    if found["status"] == "pending":
        say()
        say(
            f"You can't answer it: {clean(found['answerable'])}"
            if found["answerable"]
            else f"wicket review approve {found['id']}   or   wicket review deny {found['id']}"
        )
