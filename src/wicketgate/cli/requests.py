"""`wicket request …` and `wicket requests`: access for a while, asked for and waited for.
It must never take a request for granted that the gateway does not call so."""

import datetime
import re
import time
from collections.abc import Mapping
from typing import Annotated, Any, Final

import typer

from wicketgate.cli.client import Client
from wicketgate.cli.ending import NEGATIVE, USAGE, end
from wicketgate.cli.options import DEFAULT_CONFIG, Ca, Config, Json, TokenFile, Url, client
from wicketgate.cli.output import clean, note, say, say_json, table, when

SECOND: Final = 1_000_000_000
WAIT: Final = 30
"""Seconds that one question to the gateway waits at most."""
_LENGTH: Final = re.compile(r"([1-9][0-9]{0,5})(s|m|h|d)")
_SIZES: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_TIME: Final = re.compile(r"[0-9]{2}:[0-9]{2}")

Reason = Annotated[str, typer.Option("--reason", "-m", help="Why: a ticket's number, in a few words.")]
Length = Annotated[str | None, typer.Option("--for", help="How long: 90m, 2h, 1d; else as long as can be.")]


def seconds_of(text: str | None) -> int | None:
    """`90m` in seconds. Ends the command where it is no length."""
    if text is None:
        return None
    found = _LENGTH.fullmatch(text)
    if found is None:
        end(f"{text!r} is no length of time: write 90m, 2h or 1d", USAGE)
    return int(found[1]) * _SIZES[found[2]]


def moment_of(text: str | None, what: str) -> int | None:
    """`22:00` (the next one, by this machine's clock), `2026-11-21T22:00` or with an offset, as wall ns."""
    if text is None:
        return None
    now = datetime.datetime.now().astimezone()
    try:
        if _TIME.fullmatch(text):
            hour, minute = (int(each) for each in text.split(":"))
            at = now.replace(hour=hour, minute=minute, second=0, microsecond=0)
            at = at if at > now else at + datetime.timedelta(days=1)
            at = datetime.datetime(at.year, at.month, at.day, hour, minute).astimezone()
        else:
            at = datetime.datetime.fromisoformat(text).astimezone()
    except (ValueError, OverflowError):
        end(f"{what} {text!r} is no time: write 22:00, or 2026-11-21T22:00+01:00", USAGE)
    return int(at.timestamp()) * SECOND


def request(
    resource: Annotated[str | None, typer.Argument(help="What access is asked for.")] = None,
    rule: Annotated[str | None, typer.Option("--rule", help="Which rule, where there are several.")] = None,
    account: Annotated[
        str | None, typer.Option("--account", help="Which account, where there are several.")
    ] = None,
    length: Length = None,
    reason: Reason = "",
    begins: Annotated[str | None, typer.Option("--from", help="From when: 22:00, 2026-11-21T22:00.")] = None,
    until: Annotated[str | None, typer.Option("--until", help="Until when at the latest.")] = None,
    break_glass: Annotated[
        bool, typer.Option("--break-glass", help="In force at once; somebody looks back at it.")
    ] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Wait until somebody has decided.")] = False,
    offers: Annotated[bool, typer.Option("--list", help="List what you can ask for.")] = False,
    config: Config = DEFAULT_CONFIG,
    url: Url = None,
    token_file: TokenFile = None,
    ca: Ca = None,
    as_json: Json = False,
) -> None:
    """Ask for access for a while. Who decides, and for how long at most, is the policy's to say.

    Examples:

      wicket request --list

      wicket request sales --for 2h --reason "INC-4711" --wait

      wicket request sales --from 22:00 --until 02:00 --reason "CHG-12"

      wicket request sales --break-glass --reason "INC-4711: the shop is down"
    """
    api = client(config, url, token_file, ca)
    if offers:
        _list(api, resource, as_json)
        return
    if resource is None:
        end("name the resource, or --list what you can ask for", USAGE)
    body: dict[str, Any] = {
        "resource": resource,
        "rule": rule,
        "account": account,
        "seconds": seconds_of(length),
        "reason": reason,
        "starts": moment_of(begins, "--from"),
        "ends": moment_of(until, "--until"),
        "break_glass": break_glass,
    }
    found = api.ask("POST", "/requests", {name: each for name, each in body.items() if each is not None})
    ended(api, found, wait, as_json)


def ended(api: Client, found: Mapping[str, Any], wait: bool, as_json: bool) -> None:
    """Tell what came of a request; wait for it, if so asked. Ends the command with 1 where it is refused."""
    if wait and found["status"] == "pending" and found["kind"] == "access":
        if not as_json:
            say_request(found)
            note("waiting for an answer; Ctrl-C stops waiting, and the request stays")
        while found["status"] == "pending":
            began = time.monotonic()
            found = api.ask("GET", f"/requests/{found['id']}", None, wait=f"{WAIT}s")
            if found["status"] == "pending":
                time.sleep(max(0.0, min(1.0, WAIT - (time.monotonic() - began))))
    if as_json:
        say_json(found)
    else:
        say_request(found)
    if found["status"] in ("denied", "expired", "withdrawn"):
        raise typer.Exit(NEGATIVE)


def say_request(found: Mapping[str, Any]) -> None:
    """A request in a line or two."""
    grant = found["grant"]
    what = f"{clean(found['rule'])} on {clean(found['resource'])} ({clean(found['account'])})"
    if grant is not None and found["extends"] is None:
        say(f"granted: {what} from {when(grant['starts'])} until {when(grant['ends'])}; grant {grant['id']}")
        if grant["break_glass"]:
            say("The glass is broken: it is told, and will be looked back at.")
        return
    if grant is not None and found["status"] in ("approved", "used"):
        say(f"extended: {what} until {when(grant['ends'])}; grant {grant['id']}")
        return
    say(f"{found['status']}: {what}; request {found['id']}")
    if found["status"] == "pending":
        say(f"It waits until {when(found['expires'])}.{' ' + clean(found['link']) if found['link'] else ''}")
    elif found["ended_by"]:
        say(clean(found["ended_by"]))


def _list(api: Client, resource: str | None, as_json: bool) -> None:
    found = api.ask("GET", "/requests/options", None, resource=resource)
    if as_json:
        say_json(found)
        return
    rows = [
        [
            each["resource"],
            each["account"],
            each["rule"],
            " ".join([*each["effects"], *(f"reveal:{name}" for name in each["reveals"])]),
            spoken(each["seconds"]),
            "at once" if each["break_glass"] else " ".join([*each["people"], *each["groups"]]),
            _hours(each["schedule"]),
        ]
        for each in found
    ]
    table(["resource", "account", "rule", "gives", "at most", "decided by", "when"], rows)


def _hours(schedule: Mapping[str, Any] | None) -> str:
    if schedule is None:
        return "always"
    begin, last = (f"{at // 60:02}:{at % 60:02}" for at in (schedule["begins"], schedule["ends"]))
    return f"{' '.join(schedule['days'])} {begin}-{last} {schedule['zone']}"


def spoken(seconds: int) -> str:
    """`90m`, `8h`."""
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds % size == 0:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def requests(
    mine: Annotated[
        bool, typer.Option("--mine", help="Only those that you may answer, and have not.")
    ] = False,
    pending: Annotated[bool, typer.Option("--pending", help="Only those that wait.")] = False,
    most: Annotated[
        int, typer.Option("--most", "-n", min=1, max=10_000, help="How many, newest first.")
    ] = 30,
    config: Config = DEFAULT_CONFIG,
    url: Url = None,
    token_file: TokenFile = None,
    ca: Ca = None,
    as_json: Json = False,
) -> None:
    """List access requests: yours, those that you may answer, and those that your roles let you see.

    Examples:

      wicket requests --mine

      wicket requests --pending --json
    """
    api = client(config, url, token_file, ca)
    found = api.pages("/requests", most, mine="true" if mine else None, status="pending" if pending else None)
    if as_json:
        say_json(found)
        return
    rows = [
        [
            each["id"],
            each["status"],
            each["identity"],
            each["resource"],
            each["rule"],
            "-" if each["seconds"] is None else spoken(each["seconds"]),
            when(each["created"]),
        ]
        for each in found
    ]
    table(["request", "status", "identity", "resource", "rule", "for", "asked"], rows)
