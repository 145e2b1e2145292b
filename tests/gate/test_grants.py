"""Sessions that rest on grants: opened by them, recorded with them, and over when they are."""

from typing import Any

import pytest

from gate.stage import HOUR, NOW, SECOND, Stage, cleared, facts, never, statement
from wicketgate.gate.desk import Desk
from wicketgate.model.clearance import Clearance
from wicketgate.model.decision import Denial
from wicketgate.model.session import Refused

ID = "01ARZ3NDEKTSV4RRFFQ69G5FAV"
REQUEST = """\
  - name: on request
    identities: {groups: [crew]}
    resources: [sales]
    account: reader
    permit: [read%s]
    on_request: {by: {groups: [dba]}}
"""
STANDING = """\
  - {name: standing, identities: {groups: [crew]}, resources: [sales], account: reader, permit: [read]}
"""
WRITE = facts("write", commands="insert")


def stage(rules: str = REQUEST % "", **grant: Any) -> Stage:
    made = Stage(rules)
    give(made, **grant)
    return made


def give(made: Stage, **other: Any) -> None:
    rules = made.policy().engine.policy.rules
    asked = next(each.on_request for each in rules if each.on_request is not None)
    fields: dict[str, Any] = {
        "identity": "bot",
        "issuer": "local",
        "rule": "on request",
        "resource": "sales",
        "account": "reader",
        "starts": NOW,
        "ends": NOW + HOUR,
        "terms": asked.terms,
        "behalf": None,
        "task": None,
        "break_glass": False,
        "extended": 0,
    }
    made.grants[ID] = fields | other
    made.changed_people()


def refused(desk: Desk, about: Any = None) -> Denial:
    found = desk.submit(statement("select 1", *([] if about is None else [about])), never)
    assert isinstance(found, Denial)
    return found


async def test_a_grant_opens_a_session_and_its_end_ends_it() -> None:
    made = stage()
    admission, desk = await made.admit()
    opened = made.journal.of("open")[-1]
    assert opened["i"]["grants"] == [ID]
    assert isinstance(cleared(desk), Clearance)
    assert made.gate.turning() == HOUR
    assert made.gate.readmit() == []
    made.now = NOW + HOUR - 1
    cleared(desk)
    assert made.gate.readmit() == []
    # at the very moment: before anybody looked, nothing passes; then it ends, and is told why
    made.now = NOW + HOUR
    refused(desk)
    [(session, denial)] = made.gate.readmit()
    assert session == admission.session
    assert denial.kind == "revoked"
    assert denial.message == 'Your access by the rule "on request" ended at 2027-01-15 09:00:00 UTC.'
    assert "token" not in denial.message
    assert denial.hint == "To ask for it again: wicket request sales"
    assert refused(desk) == denial
    assert made.gate.turning() is None
    assert isinstance(await made.gate.admit(made.claim()), Refused)


async def test_without_a_grant_the_refusal_is_as_ever() -> None:
    made = stage()
    made.grants.clear()
    made.changed_people()
    found = await made.gate.admit(made.claim())
    wrong = await made.gate.admit(made.claim(identity="nobody"))
    assert isinstance(found, Refused)
    assert isinstance(wrong, Refused)
    assert (found.denial.kind, found.denial.message, found.denial.hint) == (
        wrong.denial.kind,
        wrong.denial.message,
        wrong.denial.hint,
    )


CONNECTING = REQUEST.replace("on_request: {", "on_request: {by_connecting: true, ") % ""


async def test_who_connects_asks_if_the_rule_says_so() -> None:
    made = Stage(CONNECTING)
    made.control.requests = {"review": ID, "status": "pending", "link": "https://gw/reviews/x?k=1"}
    found = await made.gate.admit(made.claim())
    assert isinstance(found, Refused)
    assert found.denial.message == (
        f"access to sales is had on request: your request {ID} waits for an answer: "
        "connect again when it is approved"
    )
    assert found.denial.hint == "https://gw/reviews/x?k=1"
    [body] = [body for what, body in made.control.asked if what == "request"]
    assert (body["identity"], body["rule"], body["account"]) == ("bot", "on request", "reader")
    assert ID in made.journal.of("deny")[-1]["denial"]["cause"]
    # whoever does not prove who he is learns nothing, and asks for nothing
    made.control.asked.clear()
    secret, _ = Stage(CONNECTING).issue("bot")
    for attack in ({"secret": secret}, {"identity": "other"}, {"database": "nowhere"}, {"account": "writer"}):
        told = await made.gate.admit(made.claim(**attack))
        assert isinstance(told, Refused)
        assert (told.denial.message, told.denial.hint) == ("sign-in refused", None)
    assert not [body for what, body in made.control.asked if what == "request"]
    # where the control process does not agree, the refusal is as ever
    made.control.requests = None
    told = await made.gate.admit(made.claim())
    assert isinstance(told, Refused)
    assert (told.denial.message, told.denial.hint) == ("sign-in refused", None)


async def test_one_that_was_ended_early_ends_its_sessions() -> None:
    made = stage()
    _, desk = await made.admit()
    cleared(desk)
    made.grants.clear()
    made.changed_people()
    [(_, denial)] = made.gate.readmit()
    assert denial.message == 'Your access by the rule "on request" ended before its time.'
    assert refused(desk) == denial


async def test_a_session_that_stands_goes_on_with_what_stands() -> None:
    made = stage(REQUEST % ", write" + STANDING)
    _, desk = await made.admit()
    cleared(desk)
    cleared(desk, WRITE)
    made.now = NOW + HOUR
    assert refused(desk, WRITE).kind == "policy"
    cleared(desk)
    assert made.gate.readmit() == []
    assert made.gate.turning() is None
    cleared(desk)
    assert refused(desk, WRITE).kind == "policy"


async def test_a_grant_that_begins_later_begins_in_a_session_that_is_open() -> None:
    made = stage(REQUEST % ", write" + STANDING, starts=NOW + 60 * SECOND)
    admission, desk = await made.admit()
    assert "grants" not in made.journal.of("open")[-1]["i"]
    assert admission.read_only
    refused(desk, WRITE)
    assert made.gate.turning() == 60 * SECOND
    made.now += 60 * SECOND
    assert made.gate.readmit() == []
    cleared(desk, WRITE)
    assert made.gate.turning() == HOUR - 60 * SECOND


async def test_one_that_is_extended_goes_on() -> None:
    made = stage()
    _, desk = await made.admit()
    give(made, ends=NOW + 2 * HOUR)
    assert made.gate.readmit() == []
    made.now = NOW + HOUR
    cleared(desk)
    assert made.gate.readmit() == []
    assert made.gate.turning() == HOUR
    made.now = NOW + 2 * HOUR
    assert len(made.gate.readmit()) == 1


@pytest.mark.parametrize(
    "change",
    [
        REQUEST.replace("[dba]", "[others]") % "",
        REQUEST.replace("on request", "of another name") % "",
        REQUEST.replace("[crew]", "[others]") % "",
        REQUEST.replace("account: reader", "account: writer") % "",
        REQUEST.replace("on_request: {", "on_request: {schedule: {days: [sat], zone: UTC}, ") % "",
    ],
)
async def test_another_policy_ends_what_it_does_not_say(change: str) -> None:
    made = stage()
    _, desk = await made.admit()
    cleared(desk)
    made.change(change)
    assert len(made.gate.readmit()) == 1
    refused(desk)
    assert isinstance(await made.gate.admit(made.claim()), Refused)


@pytest.mark.parametrize(
    "forged", [{"ends": "9e99"}, {"identity": "other"}, {"terms": None}, {"account": "writer"}]
)
async def test_a_forged_entry_opens_nothing(forged: dict[str, Any]) -> None:
    made = stage(**forged)
    assert isinstance(await made.gate.admit(made.claim()), Refused)


async def test_a_clock_that_is_set_back_gives_no_session_time() -> None:
    made = stage()
    boot = 0
    made.gate._boot = lambda: boot
    _, desk = await made.admit()
    assert desk.due == HOUR
    made.now -= 3 * HOUR
    boot = HOUR - 1
    cleared(desk)
    assert made.gate.turning() == 1
    boot = HOUR
    refused(desk)
    [(_, denial)] = made.gate.readmit()
    assert denial.message == 'Your access by the rule "on request" ended at 2027-01-15 09:00:00 UTC.'


async def test_a_clock_that_is_set_forward_ends_it_and_back_again_opens_nothing_in_it() -> None:
    made = stage(REQUEST % ", write" + STANDING)
    boot = 0
    made.gate._boot = lambda: boot
    _, desk = await made.admit()
    cleared(desk, WRITE)
    made.now += 2 * HOUR
    assert refused(desk, WRITE).kind == "policy"
    assert made.gate.readmit() == []
    made.now -= 2 * HOUR
    made.changed_people()
    assert made.gate.readmit() == []
    assert refused(desk, WRITE).kind == "policy"


COMMIT = facts("session", commands="commit")


@pytest.mark.parametrize(
    "about",
    [
        COMMIT,
        facts("session", commands="fetch"),
        facts("session", commands="listen"),
        facts("session", commands="rollback"),
        WRITE,
    ],
)
async def test_nothing_passes_after_the_end_not_even_a_commit(about: Any) -> None:
    """Before anybody looked, and after: its session rests on the grant alone."""
    made = stage(REQUEST % ", write")
    _, desk = await made.admit()
    cleared(desk, WRITE)
    held = cleared(desk, about)
    made.now = NOW + HOUR
    refused(desk, about)
    assert desk.upheld(held, statement("x", about)) is not None
    made.gate.readmit()
    assert refused(desk, about).kind == "revoked"


async def test_what_was_done_by_the_grant_and_is_not_done_yet_ends_with_it() -> None:
    made = stage(REQUEST % ", write" + STANDING)
    admission, desk = await made.admit()
    _, other = await made.admit()
    cleared(desk, WRITE)
    cleared(other, COMMIT)
    assert made.gate.readmit() == []
    assert made.gate.lapsed() == []
    made.now = NOW + HOUR
    assert made.gate.readmit() == []
    # the other one did nothing by it
    [(session, denial)] = made.gate.lapsed()
    assert session == admission.session
    assert denial.message == 'Your access by the rule "on request" ended at 2027-01-15 09:00:00 UTC.'
    assert made.gate.lapsed() == []
    assert made.gate.readmit() == []
    assert made.gate.lapsed() == []


async def test_a_grant_that_another_of_the_same_rule_follows_has_not_lapsed() -> None:
    made = stage(REQUEST % ", write" + STANDING)
    _, desk = await made.admit()
    cleared(desk, WRITE)
    made.grants[ID[:-1] + "W"] = made.grants[ID] | {"starts": NOW + HOUR, "ends": NOW + 2 * HOUR}
    made.changed_people()
    assert made.gate.readmit() == []
    made.now = NOW + HOUR
    assert made.gate.readmit() == []
    assert made.gate.lapsed() == []
    cleared(desk, WRITE)


async def test_a_portal_in_parts_shows_no_more_than_is_revealed_now() -> None:
    revealing = REQUEST % "" + "    reveal: [email]\n"
    made = stage(revealing + STANDING)
    _, desk = await made.admit()
    about = facts("read", reads="public.customers", classes="email")
    asked = statement("select email", about)
    held = desk.submit(asked, never)
    assert isinstance(held, Clearance)
    assert held.decision.transform("email") == "reveal"
    assert desk.upheld(held, asked) is None
    made.now = NOW + HOUR
    denial = desk.upheld(held, asked)
    assert denial is not None
    assert denial.message == "What this may show has changed: send it again."
    assert cleared(desk, about).decision.transform("email") == "redact"
