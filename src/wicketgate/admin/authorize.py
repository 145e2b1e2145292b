"""Who may do what through the API: `authorize(actor, action, thing)`, with which every verb begins.
It must never answer by a value that could be ignored: it raises or it does not.
"""

from dataclasses import dataclass
from enum import Enum

from wicketgate.model.errors import GatewayError


class Action(Enum):
    """Everything that can be done here. What is not listed below is for administrators alone."""

    SEE_SELF = "self.see"
    SEE_STANDING = "standing.see"
    SEE_METRICS = "metrics.see"
    RELOAD_POLICY = "policy.reload"
    LIST_RESOURCES = "resources.list"
    ISSUE_TOKEN = "tokens.issue"  # noqa: S105 - an action's name
    LIST_TOKENS = "tokens.list"
    REVOKE_TOKEN = "tokens.revoke"  # noqa: S105 - an action's name
    LIST_SESSIONS = "sessions.list"
    SHOW_SESSION = "sessions.show"
    REPLAY_SESSION = "sessions.replay"
    EXPORT_SESSION = "sessions.export"
    TERMINATE_SESSION = "sessions.terminate"
    VERIFY_JOURNAL = "journal.verify"


ANYONE = frozenset({Action.SEE_SELF})
"""What every proven identity may do."""

OWN = frozenset(
    {
        Action.LIST_TOKENS,
        Action.REVOKE_TOKEN,
        Action.LIST_SESSIONS,
        Action.SHOW_SESSION,
        Action.REPLAY_SESSION,
        Action.TERMINATE_SESSION,
    }
)
"""What an identity may do to what is its own. Nobody issues tokens to himself: a leaked one would breed."""


@dataclass(frozen=True, slots=True)
class Actor:
    """Who asks. how: `local` (the same user, on our socket) or `token`.

    administrator: local, or in the admin group by a token that no resource scopes.
    """

    name: str
    how: str
    groups: frozenset[str] = frozenset()
    administrator: bool = False
    credential_id: str | None = None


@dataclass(frozen=True, slots=True)
class Thing:
    """What it is done to. owner: the identity whose it is; None: nobody's, or everybody's."""

    kind: str
    name: str = ""
    owner: str | None = None


class NotAllowed(GatewayError):
    """The actor may not. The message says nothing of whether the thing exists."""


def authorize(actor: Actor, action: Action, thing: Thing) -> None:
    """Returns if the actor may; raises NotAllowed otherwise. Whatever is not listed is not allowed."""
    if actor.administrator or action in ANYONE:
        return
    if action in OWN and thing.owner is not None and thing.owner == actor.name:
        return
    raise NotAllowed(
        f"{action.value} is for administrators" + (" and owners" if action in OWN else ""),
        f"{actor.name} ({actor.how}) asked for {action.value} of {thing.kind} {thing.name}",
    )
