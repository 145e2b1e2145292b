"""A replay on a terminal: each statement, its decision and rule, and its answer as the client saw it.
Whatever was recorded is printed through `clean`: it came from a client or a server, and may be hostile."""

import os
import sys
from collections.abc import Mapping
from typing import Any, Final

from wicketgate.cli.output import clean, lasting, say, table, when

_COLOURS: Final = {"permit": "32", "deny": "31", "review": "33", "dim": "2", "bold": "1"}


def _paint(text: str, style: str) -> str:
    if not sys.stdout.isatty() or "NO_COLOR" in os.environ:
        return text
    return f"\x1b[{_COLOURS.get(style, '0')}m{text}\x1b[0m"


def tell(found: Mapping[str, Any], most_rows: int) -> None:
    """Print a replay (api/shapes.ReplayShown as JSON)."""
    place = "/".join(part for part in (found["resource"], found["database"]) if part)
    say(_paint(f"session {clean(found['session'])}", "bold"))
    say(
        f"  {clean(found['identity'])} on {clean(place)} as {clean(found['account'])}"
        + (f" from {clean(found['source'])}" if found["source"] else "")
    )
    say(
        f"  opened {when(found['opened'])}"
        + (f", groups {clean(', '.join(found['groups']))}" if found["groups"] else "")
    )
    if found["acting"]:
        say("  " + ", ".join(f"{key} {clean(text)}" for key, text in found["acting"].items()))
    for event in found["events"]:
        say()
        _event(event, found["opened"], most_rows)
    say()
    if found["closed"] is None:
        say("not closed: it is open, or its worker died")
    else:
        span = lasting(found["closed"] - found["opened"])
        say(f"closed after {span} by {clean(found['reason'] or '?')}")
    if not found["whole"] and found["closed"] is not None:
        say("lines are missing: verify the journal")


def _event(event: Mapping[str, Any], opened: int, most_rows: int) -> None:
    decision = event["decision"]
    head = f"[{event['q']}] +{lasting(event['at'] - opened)} "
    if event["kind"] not in ("ask", "deny"):
        head += f"{event['kind']} "
    if decision:
        head += _paint(str(decision).upper(), str(decision))
    if event["rules"]:
        head += " by " + clean(", ".join(event["rules"]))
    if event["effects"]:
        head += _paint(f"  ({clean(', '.join(event['effects']))})", "dim")
    say(head)
    if event["text"] is not None:
        for line in clean(event["text"], lines=True).splitlines():
            say(f"    {line}")
    elif event["erased"]:
        say("    (erased)")
    if event["parameters"]:
        shown = ", ".join(
            f"${at} = {'NULL' if value is None else clean(value)}"
            for at, value in enumerate(event["parameters"], 1)
        )
        say(f"    {shown}")
    if event["message"]:
        say(f"    -> {clean(event['message'])}")
    if event["cause"] and event["cause"] != event["message"]:
        say(_paint(f"    cause: {clean(event['cause'])}", "dim"))
    for each in event["tables"]:
        _table(each, most_rows)
    for text in event["notes"]:
        say(f"    ! {clean(text)}")
    if event["answered"]:
        say(_paint(f"    {_outcome(event)}", "dim"))
    elif event["kind"] == "ask" and decision == "permit" and event["tag"] != "PARSE":
        say("    (no answer was recorded)")


def _table(found: Mapping[str, Any], most_rows: int) -> None:
    rows, columns = found["rows"], found["columns"]
    if not rows and not columns:
        return
    width = max([len(columns), *(len(row) for row in rows)])
    # a client that did not ask for the columns' names did not see any
    names = [*columns, *(f"column {at}" for at in range(len(columns) + 1, width + 1))]
    shown = [
        ["NULL" if cell is None else cell for cell in row] + [""] * (width - len(row))
        for row in rows[:most_rows]
    ]
    table(names, shown, indent="      ", most=40)
    if len(rows) > most_rows:
        say(f"      … {len(rows) - most_rows} more rows are recorded")


def _outcome(event: Mapping[str, Any]) -> str:
    parts = [clean(event["tag"] or event["code"] or "ended")]
    if event["code"] and event["tag"]:
        parts.append(clean(event["code"]))
    if event["rows"]:
        parts.append(f"{event['rows']} rows")
    if event["masked"]:
        parts.append(
            "masked " + ", ".join(f"{clean(name)} × {count}" for name, count in event["masked"].items())
        )
    if event["truncated"]:
        parts.append(f"the answer was longer than what is kept: {event['length']} bytes in all")
    parts.append(lasting(event["duration"]))
    return ", ".join(parts)
