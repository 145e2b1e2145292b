"""Who may do what, as a committed picture: a change of it is a change of matrix.txt."""

import os
from pathlib import Path

import pytest

from wicketgate.admin.authorize import ANYONE, Action, Actor, NotAllowed, Thing, authorize

PICTURE = Path(__file__).with_name("matrix.txt")
ACTORS = {
    "administrator": Actor("root-bot", "token", frozenset({"admins"}), administrator=True),
    "owner": Actor("bot", "token", frozenset({"crew"})),
    "other": Actor("stranger", "token", frozenset({"crew", "admins-not"})),
    "nameless": Actor("", "token"),
    # never made, but a scope must win over whatever else is said of an actor
    "scoped": Actor("bot", "token", administrator=True, credential_id="t", scope=frozenset({"sales"})),
    "out of scope": Actor("bot", "token", credential_id="t", scope=frozenset({"other"})),
}


def may(actor: Actor, action: Action, thing: Thing) -> bool:
    try:
        authorize(actor, action, thing)
    except NotAllowed:
        return False
    return True


def picture() -> str:
    lines = ["action               " + " ".join(f"{name:14}" for name in ACTORS)]
    for action in Action:
        thing = Thing("session", "x", "bot", "sales")
        marks = " ".join(f"{'✔' if may(actor, action, thing) else '✘':14}" for actor in ACTORS.values())
        lines.append(f"{action.value:20} {marks}".rstrip())
    return "\n".join(line.rstrip() for line in lines) + "\n"


def test_the_picture_is_the_committed_one() -> None:
    """WICKET_REWRITE=1 writes it anew."""
    if os.environ.get("WICKET_REWRITE") == "1":
        PICTURE.write_text(picture())
    assert picture() == PICTURE.read_text()


@pytest.mark.parametrize("action", Action)
def test_nobody_owns_what_has_no_owner(action: Action) -> None:
    for name in ("owner", "other", "nameless", "scoped", "out of scope"):
        allowed = may(ACTORS[name], action, Thing("thing"))
        assert allowed == (action in ANYONE)


def test_what_anyone_may() -> None:
    """Of access for a while: see what he can ask for, and ask. What that is, the verbs ask the policy."""
    own = {Action.SEE_SELF, Action.SIGN_IN, Action.EXCHANGE_TOKEN}
    assert own | {Action.SEE_OFFERS, Action.REQUEST_ACCESS} == ANYONE


def test_a_scoped_token_ends_itself_alone() -> None:
    for token, allowed in (("t", True), ("u", False), ("", False)):
        assert may(ACTORS["scoped"], Action.REVOKE_TOKEN, Thing("token", token, "bot")) is allowed
    assert not may(ACTORS["scoped"], Action.REVOKE_TOKEN, Thing("token", "t", "other"))


def test_a_refusal_says_nothing_of_the_thing() -> None:
    told = set()
    for thing in (Thing("token", "there", "somebody"), Thing("token", "not-there")):
        with pytest.raises(NotAllowed) as caught:
            authorize(ACTORS["other"], Action.REVOKE_TOKEN, thing)
        told.add(caught.value.public)
    assert len(told) == 1
    for thing in (Thing("session", "there", "bot", "other"), Thing("session", "not-there")):
        with pytest.raises(NotAllowed) as caught:
            authorize(ACTORS["scoped"], Action.SHOW_SESSION, thing)
        told.add(caught.value.public)
    assert len(told) == 2
