"""A secret leaves in one answer alone; whatever goes wrong on the way is a denial that holds none of it."""

from collections.abc import Mapping
from typing import Any

import pytest

from wicketgate.control.answers import Answers
from wicketgate.control.credentials import Credentials
from wicketgate.control.messages import Ask
from wicketgate.control.ports import LoadedPolicy
from wicketgate.model.credential import Credential, CredentialMissing
from wicketgate.model.decision import Denial
from wicketgate.model.errors import StoreFailed
from wicketgate.model.resource import Account, CredentialReference, Resource, TlsMode
from wicketgate.model.secret import Secret

CANARY = "c4nary s3cret"
BODY: Mapping[str, Any] = {
    "identity": "bot",
    "credential": "t",
    "resource": "sales",
    "database": "db",
    "account": "reader",
    "version": "1",
}


class Lender:
    """A source that gives, or raises."""

    def __init__(self, gives: Credential | Exception) -> None:
        self.gives = gives
        self.asked = 0

    async def fetch(self, locator: str) -> Credential:
        self.asked += 1
        if isinstance(self.gives, Exception):
            raise self.gives
        return self.gives

    async def close(self) -> None:
        return


class Decider:
    def __init__(self, denial: Denial | None) -> None:
        self.denial = denial

    async def may_open(self, *asked: str | None) -> Denial | None:
        return self.denial


async def answered(lender: Lender, denial: Denial | None = None, **changed: str) -> Any:
    account = Account("reader", "ro", CredentialReference("vault", "corp:db/sales#password"), "1")
    resource = Resource("sales", "echo", "h", 1, ("db",), TlsMode.DISABLE, {"reader": account})
    none: Any = None
    decider: Any = Decider(denial)
    answers = Answers(decider, Credentials(Secret, {}, {"vault": lender}), none, none, none, none, none, none)
    answers.policy_now = LoadedPolicy("", "f", "d", {"sales": resource})
    return await answers.answer(0, Ask(7, "secret", {**BODY, **changed}))


async def test_the_secret_is_in_no_other_part_of_its_answer() -> None:
    answer = await answered(Lender(Credential(Secret(CANARY.encode()))))
    assert (answer.denial, answer.body) == (None, {})
    assert answer.secret == Secret(CANARY.encode())
    assert CANARY not in repr(answer)


@pytest.mark.parametrize(
    ("gives", "cause"),
    [
        (CredentialMissing("vault corp: it is sealed, or not ready"), "it is sealed, or not ready"),
        (StoreFailed("the store does not answer", CANARY), "vault: StoreFailed"),
        (ValueError(CANARY), "vault: ValueError"),
        (KeyError(CANARY), "vault: KeyError"),
        (UnicodeDecodeError("utf-8", CANARY.encode(), 0, 1, CANARY), "vault: UnicodeDecodeError"),
        (Credential(None), "there is no secret"),
    ],
)
async def test_what_goes_wrong_is_a_denial(gives: Credential | Exception, cause: str) -> None:
    answer = await answered(Lender(gives))
    assert answer.secret is None
    kind, message, told = answer.denial
    assert (kind, message) == ("unavailable", "The target can't be reached.")
    assert cause in told
    assert CANARY not in repr(answer)


@pytest.mark.parametrize("changed", [{"version": "2"}, {"account": "writer"}, {"resource": "other"}])
async def test_no_source_is_asked_for_what_the_policy_has_not(changed: dict[str, str]) -> None:
    lender = Lender(Credential(Secret(CANARY.encode())))
    answer = await answered(lender, **changed)
    assert (answer.secret, answer.denial[0], lender.asked) == (None, "policy", 0)


async def test_no_source_is_asked_where_the_policy_denies() -> None:
    lender = Lender(Credential(Secret(CANARY.encode())))
    answer = await answered(lender, Denial("sign-in", "sign-in refused", "no rule"))
    assert (answer.secret, answer.denial[0], lender.asked) == (None, "sign-in", 0)
