"""Passwords that a policy of the store tries to name: never what is the gateway's own."""

from pathlib import Path

import pytest

from api.shelf import POLICY
from wicketgate.control.credentials import LocalKey
from wicketgate.lending import check_lent
from wicketgate.model.errors import PolicyError
from wicketgate.model.secret import Secret
from wicketgate.policies import settings_of, source_of
from wicketgate.policy.load import load_sources
from wicketgate.protocols.registry import protocols
from wicketgate.settings import load_settings
from wicketgate.workshop import rules_of

SETTINGS = """\
gateway:
  database_url: {env: STORE}
  policy: {source: store, files: [lent]}
  custody: {key: {env: MASTER}}
  vaults:
    corp: {address: "https://v:8200", token: {env: CORP}}
    more: {address: "https://w:8200", approle: {role_id: r, secret_id: {env: ROLE}}}
  channels:
    ops: {kind: webhook, url: {file: lent/hook}, secrets: [{env: HOOK}, {secret: hook-key}]}
"""
RULES = rules_of(protocols())


def lend(folder: Path, password: str, inline: bool = True) -> None:
    config = folder / "wicket.yaml"
    config.write_text(SETTINGS)
    source = source_of(config, "revision 2", POLICY.replace("{env: WICKET_TEST_PASSWORD}", password))
    check_lent(source, load_sources((source,), RULES, settings_of(config)), load_settings(config), inline)


def test_an_issuer_s_client_is_told_nothing_else(tmp_path: Path) -> None:
    """Its secret goes to where the policy says: it is lent as a password is."""
    more = POLICY + (
        "identity:\n  issuers:\n    main:\n      url: https://id.example.com\n      audiences: [w]\n"
        "      sign_in: {client_id: page, client_secret: SECRET}\n"
    )
    config = tmp_path / "wicket.yaml"
    config.write_text(SETTINGS)
    for secret, good in (
        ("{secret: sso}", True),
        ("{env: STORE}", False),
        ("{secret: hook-key}", False),
        ("{file: state/local.key}", False),
    ):
        text = more.replace("{env: WICKET_TEST_PASSWORD}", "{env: SALES}").replace("SECRET", secret, 1)
        source = source_of(config, "revision 2", text)
        policy = load_sources((source,), RULES, settings_of(config))
        if good:
            check_lent(source, policy, load_settings(config), True)
        else:
            with pytest.raises(PolicyError, match=rf"revision 2:{len(text.splitlines())}:\d+: "):
                check_lent(source, policy, load_settings(config), True)


@pytest.mark.parametrize(
    "password",
    [
        "{file: state/custody.keys}",
        "{file: state/local.key}",
        "{file: state/ca/ca.key}",
        "{file: state/credentials/../local.key}",
        "{file: state/credentials-not}",
        "{file: /etc/passwd}",
        "{file: /proc/self/environ}",
        "{file: wicket.yaml}",
        "{file: lent/out}",
        "{file: lent/../wicket.yaml}",
        "{env: MASTER}",
        "{env: CORP}",
        "{env: ROLE}",
        "{env: STORE}",
        "{env: AWS_SECRET_ACCESS_KEY}",
        "{env: Aws_Session_Token}",
        "{env: VAULT_TOKEN}",
        "{env: WICKET_TOKEN}",
        "{inline: aHVudGVyMg}",
        "{env: HOOK}",
        "{file: lent/hook}",
        "{file: lent/./hook}",
        "{secret: hook-key}",
    ],
)
def test_what_is_the_gateways_own(tmp_path: Path, password: str) -> None:
    (tmp_path / "lent").mkdir()
    (tmp_path / "lent" / "out").symlink_to(tmp_path / "wicket.yaml")
    with pytest.raises(PolicyError, match=r"revision 2:10:\d+: "):
        lend(tmp_path, password)


def test_what_is_not(tmp_path: Path) -> None:
    for password in (
        "{file: state/credentials/sales-app}",
        "{file: lent/sales}",
        "{env: SALES_PASSWORD}",
        "{secret: sales}",
        "{vault: 'corp:a#b'}",
    ):
        lend(tmp_path, password)
    key = LocalKey.load_or_make(tmp_path / "local.key")
    lend(tmp_path, f"{{inline: {key.encrypt(Secret(b'x'))}}}", inline=False)
    with pytest.raises(PolicyError, match="opens no such ciphertext"):
        lend(tmp_path, f"{{inline: {key.encrypt(Secret(b'x'))}}}")
