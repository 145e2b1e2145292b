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
