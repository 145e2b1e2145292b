"""Sign-ins: who is let in, and that every refusal looks the same from outside."""

import asyncio
import json
from dataclasses import replace

import pytest

from gate.stage import HOUR, NOW, READ, RESOURCES, SECOND, Stage, cleared, never, statement, submitted
from wicketgate.gate.gate import NOT_SIGNED_IN
from wicketgate.identity.authenticate import Authenticator
from wicketgate.identity.tokens import hash_of
from wicketgate.model.decision import Denial
from wicketgate.model.errors import JournalFailed
from wicketgate.model.identity import Claim, Identity, IdentityKind
from wicketgate.model.secret import Secret
from wicketgate.model.session import Refused
from wicketgate.model.token import ServiceAccount

TWO_ACCOUNTS = (
    READ
    + """\
  - name: crews write
    identities: {groups: [crew]}
    resources: [sales]
    account: writer
    permit: [read, write]
"""
)
NONE = READ.replace("[crew]", "[dba]")


async def test_who_may_is_let_in_and_recorded_before() -> None:
    stage = Stage()
    admission, desk = await stage.admit(claimed={"application_name": "psql"})
    assert (admission.identity.name, admission.account.name) == ("bot", "reader")
    assert (admission.resource.name, admission.database, admission.read_only) == ("sales", "sales", True)
    assert len(bytes.fromhex(admission.session)) == 16
    (line,) = stage.journal.lines
    assert (line["k"], line["s"], line["q"], line["a"]) == ("open", admission.session, 1, "reader")
    assert line["p"] == stage.gate.policy.digest
    assert line["i"] == {
        "name": "bot",
        "subject": "bot",
        "issuer": "local",
        "how": "token",
        "groups": ["crew"],
        "credential": stage.record.id,
        "claimed": {"application_name": "psql"},
        "resource": "sales",
        "database": "sales",
        "source": "10.0.0.1",
    }
    assert stage.touched
    assert stage.control.attempts() == ["begin", "good"]
    assert desk.admission is admission


WRONG = {
    "an unknown identity": ({"identity": "nobody"}, "not authenticated"),
    "a wrong token": ({"secret": Secret(b"wrong")}, "not authenticated"),
    "no token": ({"secret": Secret(b"")}, "not authenticated"),
    "another's token": ({"identity": "other"}, "not authenticated"),
    "an unknown resource": ({"resource": "nowhere"}, "no such resource"),
    "both": ({"resource": "nowhere", "secret": Secret(b"")}, "not authenticated; no such resource"),
    "a database that is not listed": ({"database": "postgres"}, "the database is not listed"),
    "an empty database": ({"database": ""}, "the database is not listed"),
    "a resource that is not permitted": ({"resource": "notes"}, "no rule permits a session"),
    "an account that is not permitted": ({"account": "writer"}, "no rule permits this account"),
    "an account that is not there": ({"account": "root"}, "no rule permits this account"),
}


@pytest.mark.parametrize("name", WRONG)
async def test_every_refusal_looks_the_same(name: str) -> None:
    claim, cause = WRONG[name]
    stage = Stage()
    stage.identities["other"] = ServiceAccount("other", IdentityKind.AGENT, frozenset({"crew"})).replicated()
    found = await stage.gate.admit(stage.claim(**claim))
    assert isinstance(found, Refused)
    assert (found.denial.kind, found.denial.message, found.denial.hint) == ("sign-in", NOT_SIGNED_IN, None)
    assert stage.control.attempts() == ["begin", "failed"]
    (line,) = stage.journal.lines
    assert (line["k"], line["d"], line["denial"]["cause"]) == ("deny", "deny", cause)
    assert "s" not in line
    assert stage.touched == 1


async def test_several_accounts_are_never_guessed() -> None:
    stage = Stage(TWO_ACCOUNTS)
    found = await stage.gate.admit(stage.claim())
    assert isinstance(found, Refused)
    assert found.denial.message == NOT_SIGNED_IN
    assert stage.journal.lines[-1]["denial"]["cause"] == "several accounts, and none is named"
    assert (await stage.admit(account="writer"))[0].account.name == "writer"
    admission, _ = await stage.admit(account="reader")
    assert admission.account.username == "ro"
    assert admission.read_only


async def test_a_listed_database_may_be_named() -> None:
    stage = Stage()
    assert (await stage.admit(database="archive"))[0].database == "archive"


async def test_rules_of_time_are_asked() -> None:
    night = READ + '    when: now < timestamp("2027-01-15T08:30:00Z")\n'
    stage = Stage(night)
    await stage.admit()
    stage.now += HOUR
    assert isinstance(await stage.gate.admit(stage.claim()), Refused)
    assert stage.journal.lines[-1]["denial"]["cause"] == "no rule permits a session now"


async def test_a_deny_that_needs_no_statement_refuses_the_session() -> None:
    deny = READ + "  - {name: not from there, when: session.source == '10.0.0.1', deny: Not from there.}\n"
    stage = Stage(deny)
    found = await stage.gate.admit(stage.claim())
    assert isinstance(found, Refused)
    assert found.denial.message == NOT_SIGNED_IN
    assert stage.journal.lines[-1]["denial"]["cause"].startswith("denied: ")
    assert (await stage.admit(source="10.0.0.2"))[0].identity.name == "bot"


async def test_too_many_attempts_are_stopped_before_anything_is_looked_at() -> None:
    stage = Stage()
    stage.control.allowed = False
    found = await stage.gate.admit(stage.claim())
    assert isinstance(found, Refused)
    assert found.denial.kind == "limit"
    stranger = await stage.gate.admit(stage.claim(identity="nobody", secret=Secret(b"")))
    assert isinstance(stranger, Refused)
    assert stranger.denial == found.denial
    assert stage.control.attempts() == ["begin", "begin"]


@pytest.mark.parametrize("allowed", [None, 0, 1, "yes"])
async def test_only_a_plain_yes_is_one(allowed: object) -> None:
    stage = Stage()
    stage.control.allowed = allowed
    assert isinstance(await stage.gate.admit(stage.claim()), Refused)


async def test_without_the_control_process_nobody_is_let_in() -> None:
    stage = Stage()
    stage.control.away = True
    found = await stage.gate.admit(stage.claim())
    assert isinstance(found, Refused)
    assert found.denial.kind == "unavailable"
    assert stage.journal.lines[-1]["denial"]["cause"] == "the control link is closed"
    assert "link" not in found.denial.message


async def test_without_a_journal_nobody_is_let_in() -> None:
    stage = Stage()
    gate = stage.make(None)
    found = await gate.admit(stage.claim())
    assert isinstance(found, Refused)
    assert found.denial.kind == "unavailable"
    assert stage.control.asked == []
    assert gate.readmit() == []
    stage.journal.failed = True
    assert isinstance(await stage.gate.admit(stage.claim()), Refused)


@pytest.mark.parametrize("secret", [None, Secret(b"wrong")])
async def test_a_journal_that_fails_on_the_way_refuses(secret: Secret | None) -> None:
    stage = Stage()

    def fail(what: str) -> None:
        stage.journal.failed = True

    stage.control.on_ask = fail
    found = await stage.gate.admit(stage.claim(secret=secret or stage.secret))
    assert isinstance(found, Refused)
    assert found.denial.kind == "unavailable"
    assert stage.gate.readmit() == []


async def test_a_policy_or_token_that_changes_meanwhile_counts() -> None:
    for change in ("policy", "tokens"):
        stage = Stage()
        stage.control.gate = asyncio.Event()
        admitting = asyncio.create_task(stage.gate.admit(stage.claim()))
        while not stage.control.asked:  # noqa: ASYNC110
            await asyncio.sleep(0)
        stage.control.gate.set()

        def end(what: str, stage: Stage = stage, change: str = change) -> None:
            if stage.control.attempts() != ["begin", "good"]:
                return
            if change == "policy":
                stage.change(rules=NONE)
            else:
                stage.tokens.clear()
                stage.changed_people()

        stage.control.on_ask = end
        assert isinstance(await admitting, Refused), change
        assert [line["k"] for line in stage.journal.lines] == ["deny"]


async def test_no_credential_is_recorded_wherever_it_was_typed() -> None:
    stage = Stage()
    token = stage.secret.reveal().decode()
    for claim in (
        {"identity": token},
        {"resource": token},
        {"database": f"x{token}"},
        {"account": token},
        {"identity": "hunter2", "secret": Secret(b"hunter2")},
        {"claimed": {"application_name": token}},
        {"identity": "\udce4", "resource": "x" * 1000},
    ):
        await stage.gate.admit(stage.claim(**claim))
    assert len(stage.journal.lines) == 7
    assert token.encode() not in stage.journal.raw
    assert b"hunter2" not in stage.journal.raw
    assert max(len(json.dumps(line)) for line in stage.journal.lines) < 1500


# -- admitted again ----------------------------------------------------------------------------------------
async def test_nothing_changed_is_nothing_done() -> None:
    stage = Stage()
    await stage.admit()
    stage.tokens.clear()  # nobody said so
    assert stage.gate.readmit() == []
    stage.changed_people()
    assert len(stage.gate.readmit()) == 1


def _change_identities(stage: Stage) -> None:
    stage.identities["bot"] = ServiceAccount("bot", IdentityKind.AGENT, frozenset({"visitors"})).replicated()
    stage.changed_people()


def _disable(stage: Stage) -> None:
    stage.identities["bot"] = ServiceAccount("bot", groups=frozenset({"crew"}), disabled=NOW).replicated()
    stage.changed_people()


def _revoke(stage: Stage) -> None:
    del stage.tokens[stage.record.hash]
    stage.changed_people()


ENDING = {
    "revoked token": (_revoke, "revoked", "the identity or its credential no longer holds"),
    "disabled identity": (_disable, "revoked", "the identity or its credential no longer holds"),
    "other groups": (_change_identities, "policy", "no rule permits this account"),
    "removed rule": (lambda s: s.change(rules=NONE), "policy", "no rule permits this account"),
    "other account": (
        lambda s: s.change(resources=RESOURCES.replace("username: ro,", "username: ro2,")),
        "policy",
        "the account changed",
    ),
    "other credential": (
        lambda s: s.change(resources=RESOURCES.replace("SALES_RO", "SALES_RO_2")),
        "policy",
        "the account changed",
    ),
    "no such account": (
        lambda s: s.change(
            rules=READ.replace("reader", "writer"),
            resources=RESOURCES.replace("      reader: {username: ro, password: {env: SALES_RO}}\n", ""),
        ),
        "policy",
        "the account changed",
    ),
    "no such resource": (
        lambda s: s.change(
            rules=READ.replace("sales", "notes"), resources=RESOURCES.replace("  sales:\n", "  shop:\n")
        ),
        "policy",
        "the resource is gone",
    ),
    "database no longer listed": (
        lambda s: s.change(
            resources=RESOURCES.replace("[sales, archive]", "[archive]").replace(
                "sales: {pub", "archive: {pub"
            )
        ),
        "policy",
        "the resource is gone",
    ),
    "other host": (
        lambda s: s.change(resources=RESOURCES.replace("db.internal:5432", "db2.internal:5432")),
        "policy",
        "the target changed",
    ),
    "other port": (
        lambda s: s.change(resources=RESOURCES.replace("5432", "5433")),
        "policy",
        "the target changed",
    ),
    "other tls": (
        lambda s: s.change(
            resources=RESOURCES.replace("    databases: [sales", "    tls: require\n    databases: [sales")
        ),
        "policy",
        "the target changed",
    ),
    "other ca": (
        lambda s: s.change(
            resources=RESOURCES.replace(
                "    databases: [sales", "    ca_file: /ca.pem\n    databases: [sales"
            )
        ),
        "policy",
        "the target changed",
    ),
    "other settings": (
        lambda s: s.change(
            resources=RESOURCES.replace(
                "    databases: [sales", "    settings: {a: b}\n    databases: [sales"
            )
        ),
        "policy",
        "the target changed",
    ),
    "no longer read-only": (
        lambda s: s.change(rules=READ.replace("[read]", "[read, write]")),
        "policy",
        "what is permitted needs another kind of session",
    ),
    "a deny": (
        lambda s: s.change(
            rules=READ + "  - {name: closed, when: session.database == 'sales', deny: Closed.}\n"
        ),
        "policy",
        "denied: ",
    ),
}


@pytest.mark.parametrize("name", ENDING)
async def test_what_ends_a_session_ends_it_at_once(name: str) -> None:
    change, kind, cause = ENDING[name]
    stage = Stage()
    admission, desk = await stage.admit()
    cleared(desk)
    change(stage)
    ((session, denial),) = stage.gate.readmit()
    assert session == admission.session
    assert denial.kind == kind
    assert denial.cause.startswith(cause)
    assert cause not in denial.message
    assert desk.submit(statement(), never) == denial  # nothing passes until the worker has ended it
    assert stage.gate.readmit() == [(session, denial)]
    stage.gate.close(admission, kind)
    assert stage.gate.readmit() == []


async def test_what_does_not_concern_a_session_leaves_it() -> None:
    stage = Stage()
    admission, desk = await stage.admit()
    stage.change(
        rules=READ + "  - {name: never drop, when: statement.does('drop'), deny: No.}\n",
        resources=RESOURCES.replace("db.internal\n", "db9.internal\n"),
    )
    stage.identities["bot"] = ServiceAccount("bot", groups=frozenset({"crew", "more"})).replicated()
    stage.changed_people()
    assert stage.gate.readmit() == []
    cleared(desk)
    stage.gate.close(admission, "client")
    assert stage.journal.lines[-1]["o"] == {"tag": "client"}


async def test_a_token_s_end_ends_the_session_to_the_nanosecond() -> None:
    stage = Stage()
    secret, _ = stage.issue("bot", expires=NOW + SECOND)
    admission, desk = await stage.admit(secret=secret)
    stage.now = NOW + SECOND - 1
    cleared(desk)
    assert stage.gate.readmit() == []
    stage.now += 1
    denial = desk.submit(statement(), never)
    assert isinstance(denial, Denial)
    assert denial.kind == "revoked"
    ((session, told),) = stage.gate.readmit()
    assert (session, told) == (admission.session, denial)


async def test_time_alone_ends_a_session_that_rules_of_time_permit() -> None:
    stage = Stage(READ + '    when: now < timestamp("2027-01-15T08:30:00Z")\n')
    await stage.admit()
    stage.now += HOUR // 4
    assert stage.gate.readmit() == []
    stage.now += HOUR
    ((_, denial),) = stage.gate.readmit()
    assert denial.kind == "policy"


async def test_an_error_in_admitting_again_ends_the_session() -> None:
    stage = Stage()
    await stage.admit()

    class Faulty(Authenticator):
        def still_holds(self, *_: object) -> Identity | None:
            raise RuntimeError("a bug")

    stage.gate.authenticator = Faulty(stage.tokens, stage.identities)
    ((_, denial),) = stage.gate.readmit()
    assert "RuntimeError" in denial.cause


async def test_close_after_the_journal_failed_forgets_the_session() -> None:
    stage = Stage(READ + "    limits: {rows: 100 per hour}\n")
    admission, desk = await stage.admit()
    await submitted(desk)
    stage.journal.failed = True
    with pytest.raises(JournalFailed):
        stage.gate.close(admission, "journal")
    stage.gate.close(admission, "journal")  # nothing is left to close
    assert stage.gate.readmit() == []
    assert not stage.control.out


async def test_keys_that_are_missing_are_asked_for_before_anything_is_judged() -> None:
    stage = Stage()
    steps: list[str] = []

    class Waiting(Authenticator):
        def missing(self, secret: Secret) -> str | None:
            steps.append("missing")
            return "main"

        def authenticate(self, claim: Claim, now: int) -> Identity | None:
            steps.append("authenticate")
            return super().authenticate(claim, now)

    stage.gate.authenticator = Waiting(stage.tokens, stage.identities)
    stage.control.on_ask = steps.append
    await stage.gate.admit(stage.claim())
    assert steps == ["attempt", "missing", "issuer", "authenticate", "attempt"]


async def test_a_token_that_another_node_issued_a_moment_ago_is_looked_for() -> None:
    """By its hash alone; nothing is looked for that has not the form of a token."""
    stage = Stage()
    claim = stage.claim()
    [(known, fields)] = [(key, value) for key, value in stage.tokens.items() if key == hash_of(claim.secret)]
    del stage.tokens[known]

    def heard(what: str) -> None:
        if what == "token":
            stage.tokens[known] = fields

    stage.control.on_ask = heard
    assert not isinstance(await stage.gate.admit(claim), Refused)
    assert ("token", {"hash": known}) in stage.control.asked
    stage.control.asked.clear()
    assert isinstance(await stage.gate.admit(replace(claim, secret=Secret(b"guess"))), Refused)
    assert [what for what, _ in stage.control.asked] == ["attempt", "attempt"]
