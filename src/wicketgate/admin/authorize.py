"""Who may do what through the API: `authorize(actor, action, thing)`, with which every verb begins.
It must never answer by a value that could be ignored: it raises or it does not.
"""

from dataclasses import dataclass
from enum import Enum

from wicketgate.model.errors import GatewayError
from wicketgate.model.token import TokenRecord


class Action(Enum):
    """Everything that can be done here. What is not listed below is for administrators alone."""

    SEE_SELF = "self.see"
    SEE_STANDING = "standing.see"
    SEE_METRICS = "metrics.see"
    RELOAD_POLICY = "policy.reload"
    LIST_NODES = "nodes.list"
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
    SET_SECRET = "secrets.set"  # noqa: S105 - an action's name
    LIST_SECRETS = "secrets.list"
    ROTATE_SECRETS = "secrets.rotate"
    LIST_SEGMENT_KEYS = "journal.keys"
    REMOVE_SECRET = "secrets.remove"  # noqa: S105 - an action's name
    SIGN_IN = "sign-in"
    SEE_ACCESS = "access.see"
    KEEP_ACCESS = "access.keep"
    SUGGEST_ACCESS = "access.suggest"


ANYONE = frozenset({Action.SEE_SELF, Action.SIGN_IN})
"""What every proven identity may do; and to sign in, who is not proven yet."""

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


LISTS = frozenset({Action.LIST_TOKENS, Action.LIST_SESSIONS})
"""Of the OWN: what is answered by a list, from which others' things and those out of scope are left out."""


@dataclass(frozen=True, slots=True)
class Actor:
    """Who asks. how: `local` (the same user, on our socket), `token`, `oidc` (a trusted issuer's token), or
    `saml` (a token of ours, given for a sign-in at an identity provider).

    administrator: local, or in the admin group by a token that neither resources, rules nor a task scope.
    scope: resources that the token is good for; empty: all. It binds here as it does on the wire.
    token: what is kept of the token that was shown, where it is one of ours. One that is scoped to rules or
    to a task sees and ends itself alone: recordings of its identity show what others of its tokens may see.
    """

    name: str
    how: str
    groups: frozenset[str] = frozenset()
    administrator: bool = False
    credential_id: str | None = None
    scope: frozenset[str] = frozenset()
    token: TokenRecord | None = None

    @property
    def narrow(self) -> bool:
        return self.token is not None and self.token.narrow

    def covers(self, resource: str | None) -> bool:
        """Whether the token is good for the resource. What belongs to none is outside every scope."""
        return not self.scope or resource in self.scope


@dataclass(frozen=True, slots=True)
class Thing:
    """What it is done to. owner: the identity whose it is; None: nobody's, or everybody's.
    resource: that it belongs to; None: to none. Of a list of sessions or tokens it is None: whoever makes
    the list leaves out what the actor's scope does not cover."""

    kind: str
    name: str = ""
    owner: str | None = None
    resource: str | None = None


class NotAllowed(GatewayError):
    """The actor may not. The message says nothing of whether the thing exists."""


def authorize(actor: Actor, action: Action, thing: Thing) -> None:
    """Returns if the actor may; raises NotAllowed otherwise. Whatever is not listed is not allowed."""
    if action in ANYONE or (actor.administrator and not actor.scope and not actor.narrow):
        return
    own = action in OWN and thing.owner is not None and thing.owner == actor.name
    if own and ((not actor.scope and not actor.narrow) or _in_scope(actor, action, thing)):
        return
    who = f"{actor.name} ({actor.how}{', scoped' if actor.scope or actor.narrow else ''})"
    raise NotAllowed(
        f"{action.value} is for administrators"
        + (" and owners" if action in OWN else "")
        + (", and a scoped token is for its resources alone" if actor.scope else ""),
        f"{who} asked for {action.value} of {thing.kind} {thing.name}",
    )


def _in_scope(actor: Actor, action: Action, thing: Thing) -> bool:
    """To what is its identity's, a scoped token may do: end itself, and act on sessions of its resources."""
    if action is Action.REVOKE_TOKEN:
        return actor.credential_id is not None and thing.name == actor.credential_id
    if actor.narrow:
        return action is Action.LIST_TOKENS
    return action in LISTS or (thing.kind == "session" and actor.covers(thing.resource))
