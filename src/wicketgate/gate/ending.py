"""Why a session ends that rested on grants: what its client is told.
It must never say of a grant that is in force that it ended."""

import datetime
from collections.abc import Collection, Sequence
from typing import Final

from wicketgate.model.decision import Denial
from wicketgate.model.grant import Grant

ENDED: Final = "the grant ended"
"""How a cause begins in the journal where a session's grant is over."""
SECOND: Final = 1_000_000_000
RESHOWN: Final = Denial(
    "policy",
    "What this may show has changed: send it again.",
    "what is masked is no longer what it was cleared with",
)


def ended(grants: Sequence[Grant], holding: Collection[str], now: int) -> Denial | None:
    """The denial of a session that rested on these grants, where one is not in force any more; else None."""
    over = next((each for each in grants if each.id not in holding), None)
    if over is None:
        return None
    when = "before its time"
    if now >= over.ends:
        when = (
            f"at {datetime.datetime.fromtimestamp(over.ends // SECOND, datetime.UTC):%Y-%m-%d %H:%M:%S} UTC"
        )
    return Denial(
        "revoked",
        f'Your access by the rule "{over.rule}" ended {when}.',
        f"{ENDED} {when}: {over.id}",
        f"To ask for it again: wicket request {over.resource}",
        (over.rule,),
    )


def leaning(before: Sequence[Grant], after: Sequence[Grant], leaned: set[str], now: int) -> Denial | None:
    """The denial of what a session did by a grant that is over. leaned: names of rules that its statements
    went by; those that are over are taken out."""
    kept = {(each.rule, each.identity, each.task) for each in after}
    over = [
        each for each in before if each.rule in leaned and (each.rule, each.identity, each.task) not in kept
    ]
    leaned.difference_update([each.rule for each in over])
    return ended(over, (), now)
