"""What a channel may show: nothing that somebody wrote in free words, and nothing that pings or links."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from channels.formats import check_cloud_event, check_slack_message, check_slack_view, check_teams, texts
from channels.stage import CANARY, CHANGE, ID, LINK, NOW, REVIEW, SECOND, key
from wicketgate.channels import slack, teams, webhook
from wicketgate.channels.notice import UNNAMED, Notice, clean, notice, trial
from wicketgate.channels.signatures import key_of
from wicketgate.model.grant import Grant
from wicketgate.model.review import Kind, Panel, Review, ReviewEvent, Status
from wicketgate.model.secret import Secret

CHANGES = (
    "asked",
    "voted",
    "granted",
    "extended",
    "grant-ended",
    *(each.value for each in Status if each is not Status.PENDING),
)
SHOWS = ("none", "facts", "statement")
KEYS = [key_of(Secret(key()))]
HOSTILE = [
    "<!channel>",
    "<!here|x>",
    "<@U12345>",
    "<https://evil.example|x>",
    "@here",
    "[x](https://evil.example)",
    "<at>ana</at>",
    "{{DATE(2026-01-01T00:00:00Z)}}",
    "*bold* _i_ `c` ~s~",
    "a\u202eb\u2066c",
    "a\r\nb\x00\x1b[31m",
    "&lt;!channel&gt;",
    "x" * 10_000,
    "<" * 10_000,
    "😀" * 5000,
]


def rendered(made: Notice) -> list[Any]:
    """The same for each kind of channel, each checked against its format."""
    _, event = webhook.request(made, KEYS, 1)
    _, card = teams.request(made)
    message = {"channel": "C0123", **slack.message(made)}
    views = [slack.modal(made, approves, {"review": made.review}) for approves in (True, False)]
    assert len(card) <= teams.LARGEST
    check_cloud_event(json.loads(event))
    check_teams(json.loads(card))
    check_slack_message(message)
    for view in [*views, slack.told("no", made.link)]:
        check_slack_view(view)
    return [json.loads(event), json.loads(card), message, *views]


@pytest.mark.parametrize("shows", SHOWS)
@pytest.mark.parametrize("what", CHANGES)
@pytest.mark.parametrize("kind", list(Kind))
def test_nothing_that_may_be_a_value_is_shown(shows: str, what: str, kind: Kind) -> None:
    review = replace(REVIEW, kind=kind)
    grant = Grant(
        *(ID, "crew-bot", "local", "on request", "sales", "reader", NOW, NOW + 60 * SECOND, "t" * 32),
        ended_by="<!channel>\u202ebea",
        approved_by=("bea",),
    )
    for made in rendered(notice(replace(CHANGE, what=what), review, LINK, shows, grant)):
        text = "\n".join(texts(made))
        assert CANARY not in text
        assert "\u202e" not in text
        assert ("2027-01-15T08:01:00Z" in text) is (shows != "none" and made.get("type") != "modal") or (
            made.get("type") == "modal"
        )
        assert ID in text
        assert LINK in text or made.get("type") == "modal"


def test_what_each_setting_shows() -> None:
    none, facts, statement = (
        "\n".join(texts([message, card, event]))
        for event, card, message, *_ in (rendered(notice(CHANGE, REVIEW, LINK, each)) for each in SHOWS)
    )
    for word in ("crew-bot", "ana", "sales", "customers", "dba", "whole tables", "bea", "read"):
        assert word not in none, word
    for word in (
        "crew-bot",
        "ana",
        "analysts",
        "sales/shop",
        "public.customers",
        "whole tables",
        "approves: bea",
    ):
        assert word in facts, word
    assert "WHERE" not in facts
    assert "SELECT * FROM customers WHERE email = ?" in statement


@pytest.mark.parametrize("how", ["long", "unseen", "whole"])
def test_a_statement_that_is_not_shown_whole_says_so(how: str) -> None:
    more = {
        "long": {"statement": "SELECT " + "a, " * 3000 + "1"},
        "unseen": {"unseen": ["of $1"]},
        "whole": {},
    }
    review = replace(REVIEW, shown={**(REVIEW.shown or {}), **more[how]})
    for name in ("masked", "pretty") if how == "long" else ():
        review.shown.pop(name, None)  # type: ignore[union-attr]
    event, card, message, *_ = rendered(notice(CHANGE, review, LINK, "statement"))
    for made in (card, message):
        assert ("Not all of this statement is shown" in "\n".join(texts([made]))) is (how != "whole")
    assert event["data"]["unseen"] is (how != "whole")


def test_a_cloud_event_is_for_machines() -> None:
    event = webhook.event(notice(CHANGE, REVIEW, LINK, "facts"))
    assert (event["id"], event["subject"]) == (f"evt_{ID}_1", ID)
    assert event["type"] == "org.wicketgate.review.asked"
    assert event["source"] == "https://gateway.example:18443"
    assert event["time"] == "2027-01-15T08:00:00Z"
    data = event["data"]
    assert (data["identity"], data["behalf"], data["resource"]) == ("crew-bot", "ana", "sales")
    assert (data["effects"], data["relations"]) == (["read"], ["public.customers"])
    assert data["answers"] == [{"person": "bea", "approves": True}]
    assert (data["status"], data["quorum"]) == ("pending", 2)
    after = replace(REVIEW, kind=Kind.AFTER)
    assert webhook.event(notice(CHANGE, after, LINK, "facts"))["type"] == "org.wicketgate.review.break-glass"


def buttons(made: Notice) -> list[str]:
    return [each["action_id"] for each in slack.message(made)["blocks"][-1]["elements"]]


def test_buttons_stand_where_an_answer_can_be_given() -> None:
    both = ["wicket_approve", "wicket_deny", "wicket_open"]
    assert buttons(notice(CHANGE, REVIEW, LINK, "facts")) == both
    assert buttons(notice(CHANGE, replace(REVIEW, kind=Kind.AFTER), LINK, "facts")) == [both[0], both[2]]
    # nobody approves what he can't see, nor what is over
    assert buttons(notice(CHANGE, REVIEW, LINK, "none")) == ["wicket_open"]
    for status in Status:
        if status is not Status.PENDING:
            assert buttons(notice(CHANGE, replace(REVIEW, status=status), LINK, "statement")) == [
                "wicket_open"
            ]
    assert buttons(trial("ops", NOW, LINK)) == ["wicket_open"]
    rendered(trial("ops", NOW, LINK))


@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_text_neither_pings_nor_links(hostile: str) -> None:
    for made in _everywhere(hostile):
        for each in rendered(made):
            text = "\n".join(texts(each))
            assert not any(mark in text for mark in ("\u202e", "\u2066", "\x00", "\x1b"))


@given(st.text(max_size=400), st.text(max_size=80))
@settings(max_examples=25, deadline=None)
def test_any_text_fits_the_formats(long: str, short: str) -> None:
    for made in _everywhere(short + long):
        rendered(made)


def _everywhere(text: str) -> list[Notice]:
    """It stands wherever others write."""
    review: Review = replace(
        REVIEW,
        asker=replace(REVIEW.asker, identity=text, behalf=text, agent=text, crew=text, task=text),
        resource=text,
        database=text,
        account=text,
        panels=tuple(Panel(text, quorum=number) for number in range(1, 25)),
        shown={"statement": text, "effects": [text, "read"], "relations": [text] * 50},
        votes=tuple(replace(REVIEW.votes[0], person=f"{text}{number}") for number in range(25)),
    )
    change = ReviewEvent(1, ID, "asked", NOW, text)
    return [
        notice(change, each, LINK, shows)
        for shows in SHOWS
        for each in (review, replace(review, status=Status.DENIED))
    ]


@pytest.mark.parametrize(
    "name", ["4111111111111111", 'a"b', "ana@example.org", "<!channel>", "", "a b\nc", "x" * 300, "a..b"]
)
def test_a_relation_that_there_is_not_is_not_named(name: str) -> None:
    shown = {"relations": ["public.orders", name]}
    made = notice(CHANGE, replace(REVIEW, shown=shown), LINK, "facts")
    assert sorted(made.data["relations"]) == sorted(["public.orders", UNNAMED])
    assert "public.orders" in made.facts["Relations"]
    assert UNNAMED in made.facts["Relations"]


@pytest.mark.parametrize("shown", [None, {}, {"relations": 7, "effects": {"a": 1}, "statement": ["x"]}])
def test_what_is_not_understood_is_not_shown(shown: Any) -> None:
    made = notice(CHANGE, replace(REVIEW, shown=shown), LINK, "statement")
    assert made.statement is None
    assert "Relations" not in made.facts
    rendered(made)


def test_relations_and_texts_are_found_under_each_name_that_they_have() -> None:
    shown = {"reads": ["public.b"], "writes": ["public.a", "public.b"], "pretty": "SELECT\n  1", "text": "x"}
    made = notice(CHANGE, replace(REVIEW, shown=shown), LINK, "statement")
    assert made.data["relations"] == ["public.a", "public.b"]
    assert made.statement == "SELECT\n?"


def test_text_stays_in_its_line() -> None:
    assert clean("a\nb\tc\u2028d\x07e\u200ff") == "a b c?d?e?f"
    assert clean("x" * 500) == "x" * 199 + "…"


def test_a_review_without_an_end_tells_none() -> None:
    after = notice(CHANGE, replace(REVIEW, kind=Kind.AFTER), LINK, "facts")
    assert after.expires is None
    assert after.data["expires"] is None
    assert notice(CHANGE, REVIEW, LINK, "facts").expires == NOW + 600 * SECOND


def test_relations_are_named_as_reviews_have_them() -> None:
    """With what is done to them; and a name of the asker's own is none the better for such an end."""
    shown = {
        "relations": [
            "public.orders (read whole)",
            "public.orders (written)",
            "public.users (read)",
            "public.call 0171 2345678 (read)",
            "public.x (read) (read)",
            "public.<!channel> (written)",
        ]
    }
    made = notice(CHANGE, replace(REVIEW, shown=shown), LINK, "facts")
    known = ["public.orders (read whole)", "public.orders (written)", "public.users (read)"]
    assert sorted(made.data["relations"]) == sorted([*known, *[UNNAMED] * 3])
    assert "0171" not in made.facts["Relations"]


@pytest.mark.parametrize(
    "odd", ["\u00ad", "\u034f", "\u115f", "\u3164", "\ufe0f", "\U000e0041", "\u00a0", "\u2003"]
)
def test_nothing_is_in_a_name_that_is_not_seen(odd: str) -> None:
    assert clean(f"or{odd}ders") == "or?ders"
    made = notice(
        CHANGE, replace(REVIEW, shown={"statement": f"SELECT 1 FROM or{odd}ders"}), LINK, "statement"
    )
    assert made.statement is not None
    assert odd not in made.statement
