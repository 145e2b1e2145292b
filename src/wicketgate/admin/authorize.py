"""Who may do what through the API: `authorize(actor, action, thing)`, with which every verb begins.
It must never answer by a value that could be ignored: it raises or it does not.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from wicketgate.admin.roles import Reach, Role
from wicketgate.model.errors import GatewayError
from wicketgate.model.identity import Identity, IdentityKind
from wicketgate.model.token import TokenRecord


class Action(Enum):
    """Everything that can be done here. What is not listed below is for administrators alone."""

    SEE_SELF = "self.see"
    SEE_STANDING = "standing.see"
    SEE_METRICS = "metrics.see"
    RELOAD_POLICY = "policy.reload"
    SEE_POLICY = "policy.see"
    VALIDATE_POLICY = "policy.validate"
    APPLY_POLICY = "policy.apply"
    ROLL_BACK_POLICY = "policy.rollback"
    LIST_NODES = "nodes.list"
    LIST_RESOURCES = "resources.list"
    SHOW_RESOURCE = "resources.show"
    ISSUE_TOKEN = "tokens.issue"  # noqa: S105 - an action's name
    LIST_TOKENS = "tokens.list"
    EXCHANGE_TOKEN = "tokens.exchange"  # noqa: S105 - an action's name
    SHOW_TOKEN = "tokens.show"  # noqa: S105 - an action's name
    REVOKE_TOKEN = "tokens.revoke"  # noqa: S105 - an action's name
    LIST_IDENTITIES = "identities.list"
    SHOW_IDENTITY = "identities.show"
    MAKE_IDENTITY = "identities.make"
    CHANGE_IDENTITY = "identities.change"
    REMOVE_IDENTITY = "identities.remove"
    LIST_SESSIONS = "sessions.list"
    SHOW_SESSION = "sessions.show"
    REPLAY_SESSION = "sessions.replay"
    EXPORT_SESSION = "sessions.export"
    TERMINATE_SESSION = "sessions.terminate"
    VERIFY_JOURNAL = "journal.verify"
    SET_SECRET = "secrets.set"  # noqa: S105 - an action's name
    LIST_SECRETS = "secrets.list"
    SHOW_SECRET = "secrets.show"  # noqa: S105 - an action's name
    ROTATE_SECRETS = "secrets.rotate"
    LIST_SEGMENT_KEYS = "journal.keys"
    REMOVE_SECRET = "secrets.remove"  # noqa: S105 - an action's name
    SIGN_IN = "sign-in"
    SEE_ACCESS = "access.see"
    KEEP_ACCESS = "access.keep"
    SUGGEST_ACCESS = "access.suggest"
    LIST_REVIEWS = "reviews.list"
    SHOW_REVIEW = "reviews.show"
    ANSWER_REVIEW = "reviews.answer"
    WITHDRAW_REVIEW = "reviews.withdraw"
    LIST_CHANNELS = "channels.list"
    TEST_CHANNEL = "channels.test"
    LIST_DELIVERIES = "channels.dead"
    REPLAY_DELIVERIES = "channels.replay"
    SEE_OFFERS = "requests.options"
    REQUEST_ACCESS = "requests.ask"
    LIST_GRANTS = "grants.list"
    SHOW_GRANT = "grants.show"
    EXTEND_GRANT = "grants.extend"
    END_GRANT = "grants.end"


ANYONE = frozenset(
    {
        Action.SEE_SELF,
        Action.SIGN_IN,
        Action.EXCHANGE_TOKEN,
        Action.SEE_OFFERS,
        Action.REQUEST_ACCESS,
    }
)
"""What every proven identity may do; and to sign in, who is not proven yet. An exchange needs a human's proof
besides, and the policy's leave: its verb asks for both. What can be asked for is the policy's to say, as far
as the token is good for it: the verbs see to that."""

OWN = frozenset(
    {
        Action.SHOW_IDENTITY,
        Action.LIST_TOKENS,
        Action.SHOW_TOKEN,
        Action.REVOKE_TOKEN,
        Action.LIST_SESSIONS,
        Action.SHOW_SESSION,
        Action.REPLAY_SESSION,
        Action.TERMINATE_SESSION,
        Action.LIST_REVIEWS,
        Action.SHOW_REVIEW,
        Action.ANSWER_REVIEW,
        Action.WITHDRAW_REVIEW,
        Action.LIST_GRANTS,
        Action.SHOW_GRANT,
        Action.EXTEND_GRANT,
        Action.END_GRANT,
    }
)
"""What an identity may do to what is its own; of reviews also to those that it is on the panel of: who of
these may answer is for the verb to say. Nobody issues tokens to himself: a leaked one would breed."""


LISTS = frozenset({Action.LIST_TOKENS, Action.LIST_SESSIONS, Action.LIST_REVIEWS, Action.LIST_GRANTS})
"""Of the OWN: what is answered by a list, from which others' things and those out of scope are left out."""

REVIEWS: Final = frozenset(
    {Action.LIST_REVIEWS, Action.SHOW_REVIEW, Action.ANSWER_REVIEW, Action.WITHDRAW_REVIEW}
)
"""Of the OWN: what a token for a task may do too, with what its task asked for; but never answer."""

GRANTS: Final = frozenset({Action.LIST_GRANTS, Action.SHOW_GRANT, Action.EXTEND_GRANT, Action.END_GRANT})
"""Of the OWN: what a scoped token may do too, with what it was given itself. Who decides on a grant may see
and end it."""

FACTS: Final = frozenset(
    {
        Action.SEE_STANDING,
        Action.LIST_RESOURCES,
        Action.SHOW_RESOURCE,
        Action.LIST_SESSIONS,
        Action.SHOW_SESSION,
        Action.SEE_METRICS,
    }
)
"""What every role may see: no statement, no recording, no token, no identity but a session's."""

BY_ROLE: Final[Mapping[Role, frozenset[Action]]] = {
    Role.VIEWER: FACTS,
    Role.REVIEWER: FACTS | {Action.LIST_REVIEWS, Action.SHOW_REVIEW, Action.LIST_GRANTS, Action.SHOW_GRANT},
    Role.AUDITOR: FACTS
    | {
        Action.LIST_REVIEWS,
        Action.SHOW_REVIEW,
        Action.LIST_GRANTS,
        Action.SHOW_GRANT,
        Action.REPLAY_SESSION,
        Action.EXPORT_SESSION,
        Action.VERIFY_JOURNAL,
        Action.LIST_SEGMENT_KEYS,
        Action.SEE_POLICY,
        Action.SEE_ACCESS,
        Action.LIST_NODES,
        Action.LIST_TOKENS,
        Action.SHOW_TOKEN,
        Action.LIST_IDENTITIES,
        Action.SHOW_IDENTITY,
    },
}
"""What a role may do to what it reaches; none of it changes anything. An admin may do everything."""

PICKED: Final = frozenset(
    {Action.SEE_STANDING, Action.LIST_RESOURCES, Action.LIST_SESSIONS, Action.LIST_REVIEWS}
)
"""Of BY_ROLE: what is answered in parts, from which that out of reach is left out. What is not, and belongs
to no resource, needs a role over everything."""


@dataclass(frozen=True, slots=True)
class Actor:
    """Who asks. how: `local` (the same user, on our socket), `token`, `exchange` (one made of two), `saml`
    (one given for a sign-in at an identity provider), `oidc` (a trusted issuer's token), `spiffe` (a
    workload's certificate), or `slack` (a verified e-mail there, mapped to a person: admin/chat.py; for
    answers to reviews alone).

    administrator: local, or in the admin group by a token that neither resources, rules nor a task scope.
    duties: the other roles that its groups have, each with the resources that it reaches; none by such.
    scope: resources that the token is good for; empty: all. It binds here as it does on the wire.
    token: what is kept of the token that was shown, where it is one of ours. One that is scoped to rules or
    to a task sees and ends itself alone: recordings of its identity show what others of its tokens may see.
    identity: what was proven; None: nobody by name (our socket).
    """

    name: str
    how: str
    groups: frozenset[str] = frozenset()
    administrator: bool = False
    credential_id: str | None = None
    scope: frozenset[str] = frozenset()
    token: TokenRecord | None = None
    duties: Mapping[Role, Reach] = field(default_factory=dict)
    identity: Identity | None = None

    @property
    def person(self) -> bool:
        """Whether it is a human by name, proven in person: by a token of its own that nothing scopes, or by
        an identity provider. Only such a one counts as a pair of eyes."""
        found = self.identity
        return (
            found is not None
            and found.name == self.name
            and found.kind is IdentityKind.HUMAN
            and found.declared is None
            and self.how in ("token", "oidc", "saml", "slack")
            and not self.bound
        )

    @property
    def narrow(self) -> bool:
        return self.token is not None and self.token.narrow

    @property
    def bound(self) -> bool:
        """Whether its token may do less than its identity: then it has no role."""
        return bool(self.scope) or self.narrow

    def covers(self, resource: str | None) -> bool:
        """Whether the token is good for the resource. What belongs to none is outside every scope."""
        return not self.scope or resource in self.scope

    def reaches(self, action: Action, resource: str | None) -> bool:
        """Whether a role lets it do that to what belongs to the resource (None: to none)."""
        if self.bound:
            return False
        return self.administrator or any(
            action in BY_ROLE.get(role, frozenset()) and (reach is None or resource in reach)
            for role, reach in self.duties.items()
        )

    def oversees(self, action: Action) -> bool:
        """Whether a role lets it do that to anything of others."""
        if self.bound:
            return False
        return self.administrator or any(
            action in BY_ROLE.get(role, frozenset()) and (reach is None or action in PICKED)
            for role, reach in self.duties.items()
        )


@dataclass(frozen=True, slots=True)
class Thing:
    """What it is done to. owner: the identity whose it is; None: nobody's, or everybody's.
    resource: that it belongs to; None: to none. Of a list of sessions or tokens it is None: whoever makes
    the list leaves out what the actor's scope does not cover, and what its roles do not reach."""

    kind: str
    name: str = ""
    owner: str | None = None
    resource: str | None = None


class NotAllowed(GatewayError):
    """The actor may not. The message says nothing of whether the thing exists."""

    def __init__(self, public: str, detail: str, actor: Actor, action: Action, thing: Thing) -> None:
        super().__init__(public, detail)
        self.actor = actor
        self.action = action
        self.thing = thing


def authorize(actor: Actor, action: Action, thing: Thing) -> None:
    """Returns if the actor may; raises NotAllowed otherwise. Whatever is not listed is not allowed."""
    if action in ANYONE or (actor.administrator and not actor.bound):
        return
    if actor.oversees(action) if action in PICKED else actor.reaches(action, thing.resource):
        return
    own = action in OWN and thing.owner is not None and thing.owner == actor.name
    if own and (not actor.bound or _in_scope(actor, action, thing)):
        return
    roles = sorted(role.value for role, actions in BY_ROLE.items() if action in actions)
    raise NotAllowed(
        f"{action.value} is for administrators"
        + (f", {', '.join(f'{role}s' for role in roles)} of the resource" if roles else "")
        + (" and owners" if action in OWN else "")
        + (", and for people whom its rule names" if action in REVIEWS else "")
        + (", and a scoped token is for its resources alone" if actor.scope else ""),
        f"{actor.name} ({actor.how}{', scoped' if actor.bound else ''})"
        f" asked for {action.value} of {thing.kind} {thing.name}",
        actor,
        action,
        thing,
    )


def _in_scope(actor: Actor, action: Action, thing: Thing) -> bool:
    """To what is its identity's, a scoped token may do: see and end itself, and act on sessions of its
    resources."""
    if action in (Action.REVOKE_TOKEN, Action.SHOW_TOKEN):
        return actor.credential_id is not None and thing.name == actor.credential_id
    if action in REVIEWS:
        return action is not Action.ANSWER_REVIEW and (action in LISTS or actor.covers(thing.resource))
    if action in GRANTS:
        return action in LISTS or actor.covers(thing.resource)
    if actor.narrow:
        return action is Action.LIST_TOKENS
    return action in LISTS or (thing.kind == "session" and actor.covers(thing.resource))
