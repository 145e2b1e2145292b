"""Accounts of the file and of the store, united."""

from wicketgate.identity.service_accounts import ServiceAccount, replicated, unite
from wicketgate.model.identity import IdentityKind


def test_the_file_names_groups_and_the_store_may_still_disable() -> None:
    stored = [
        ServiceAccount("bot", IdentityKind.SERVICE, frozenset({"dba"}), "store", disabled=7),
        ServiceAccount("other"),
    ]
    united = unite([ServiceAccount("bot", IdentityKind.AGENT, frozenset({"crew"}), "file")], stored)
    assert united["bot"] == ServiceAccount("bot", IdentityKind.AGENT, frozenset({"crew"}), "file", 7)
    assert united["other"].origin == "store"
    assert replicated(united)["bot"] == {
        "kind": "agent",
        "groups": ["crew"],
        "subject": "bot",
        "issuer": "local",
        "disabled": 7,
    }
