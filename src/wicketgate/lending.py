"""What of a node's own a policy from the store may name as a password: whoever applies one from afar says
which target gets it. It must never be a key, a token or a file of the gateway itself.
"""

import os
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final

from wicketgate.control.credentials import LocalKey
from wicketgate.model.credential import CredentialMissing
from wicketgate.model.resource import CredentialReference
from wicketgate.policy.document import Node, Problems, Source, parse
from wicketgate.policy.load import Policy
from wicketgate.settings import Settings

OWN: Final = ("AWS_*", "VAULT_*", "BAO_*", "WICKET_TOKEN", "WICKET_DEBUG", "PYTHON*", "LD_*")
"""Variables that are the gateway's own, beside those that its settings name."""


def check_lent(source: Source, policy: Policy, settings: Settings, inline: bool) -> None:
    """Raises PolicyError for each password that a policy of the store may not have. inline: the gateway's key
    must open what is encrypted in the text: what it does not may be in clear."""
    problems = Problems()
    root: Node | None = None
    rules: dict[str, Callable[[Settings, str], str]] = {"file": _file, "env": _variable, "secret": _secret}
    if inline:
        rules["inline"] = _inline
    for found, *path in _lent(policy):
        if found.source not in rules or not (why := rules[found.source](settings, found.locator)):
            continue
        root = root or parse(source)
        problems.add(root.get(*path, found.source) or root, why)
    problems.raise_any()


def _lent(policy: Policy) -> Iterator[tuple[CredentialReference, *tuple[str, ...]]]:
    """Every secret that a policy names, and where in it."""
    for resource in policy.resources.values():
        for account in resource.accounts.values():
            yield account.credential, "resources", resource.name, "accounts", account.name, "password"
    for issuer in policy.issuers.values():
        if issuer.sign_in is not None and issuer.sign_in.secret is not None:
            yield issuer.sign_in.secret, "identity", "issuers", issuer.name, "sign_in", "client_secret"


def _file(settings: Settings, path: str) -> str:
    real = Path(os.path.realpath(path))
    if any(real == Path(os.path.realpath(each)) for each in _of_channels(settings, "file")):
        return "this file is a channel's secret, and no target's password"
    folders = [settings.state / "credentials", *settings.policy.files]
    if any(real.is_relative_to(os.path.realpath(folder)) for folder in folders):
        return ""
    return (
        "a policy of the store may name files in `credentials` of the state folder, and in folders that the "
        "settings list (gateway: policy: files)"
    )


def _variable(settings: Settings, name: str) -> str:
    if name in set(_named(settings)) or any(fnmatchcase(name.upper(), own) for own in OWN):
        return "this variable is the gateway's own, and no target's password"
    return ""


def _secret(settings: Settings, name: str) -> str:
    if name in _of_channels(settings, "secret"):
        return "this secret is a channel's, and no target's password"
    return ""


def _of_channels(settings: Settings, source: str) -> frozenset[str]:
    """What channels name as their secrets."""
    references = (each for channel in settings.channels.values() for each in channel.references)
    return frozenset(each.locator for each in references if each.source == source)


def _named(settings: Settings) -> Iterator[str]:
    yield from _of_channels(settings, "env")
    key = settings.custody.key
    store = settings.database_url
    found = [None if key is None else key.env, None if store is None else store.env]
    for vault in settings.vaults.values():
        found += [
            None if vault.token is None else vault.token.env,
            None if vault.approle is None else vault.approle.secret_id.env,
        ]
    yield from (name for name in found if name is not None)


def _inline(settings: Settings, ciphertext: str) -> str:
    key = settings.state / "local.key"
    try:
        if key.exists():
            LocalKey.load_or_make(key).decrypt(ciphertext)
            return ""
    except CredentialMissing:
        pass
    return "the gateway's key opens no such ciphertext"
