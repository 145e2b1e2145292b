"""`gateway.vaults`: what is read, and what stops the start."""

import re
from pathlib import Path

import pytest

from wicketgate.checkup import load_policy
from wicketgate.model.errors import PolicyError
from wicketgate.settings import Settings, load_settings


def read(folder: Path, vault: str) -> Settings:
    file = folder / "wicket.yaml"
    file.write_text(f"gateway:\n  vaults:\n    corp: {vault}\n")
    return load_settings(file)


def test_paths_are_from_the_configurations_folder(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        "{address: 'https://v:8200/', ca_file: ca.pem, approle: {role_id: r, secret_id: {file: keys/s}}}",
    ).vaults["corp"]
    assert (found.address, found.mount, found.namespace) == ("https://v:8200", "secret", None)
    assert (found.timeout_seconds, found.cache_seconds) == (5.0, 30.0)
    assert found.ca_file == tmp_path / "ca.pem"
    assert found.approle is not None
    assert (found.approle.secret_id.file, found.approle.mount) == (tmp_path / "keys/s", "approle")
    kube = read(tmp_path, "{address: 'http://127.0.0.1:8200', kubernetes: {role: r}}").vaults["corp"]
    assert kube.kubernetes is not None
    assert kube.kubernetes.jwt_file == Path("/var/run/secrets/kubernetes.io/serviceaccount/token")
    token = read(tmp_path, "{address: 'http://[::1]:8200', token: {env: T}, cache_seconds: 0}").vaults["corp"]
    assert token.token is not None
    assert (token.token.env, token.token.file) == ("T", None)


@pytest.mark.parametrize(
    ("vault", "said"),
    [
        ("{address: 'https://v:8200'}", "takes one of token, approle and kubernetes"),
        (
            "{address: 'https://v:8200', token: {env: T}, kubernetes: {role: r}}",
            "takes one of token, approle and kubernetes",
        ),
        ("{token: {env: T}}", "address"),
        ("{address: 'http://v:8200', token: {env: T}}", "must be https"),
        ("{address: 'http://127.0.0.1.evil:8200', token: {env: T}}", "must be https"),
        ("{address: 'https://user:c4nary@v:8200', token: {env: T}}", "must be https://host:port"),
        ("{address: 'https://v:8200/v1', token: {env: T}}", "must be https://host:port"),
        ("{address: 'https://v:99999', token: {env: T}}", "must be https://host:port"),
        ("{address: 'https://v?c4nary', token: {env: T}}", "must be https://host:port"),
        ("{address: 'v:8200', token: {env: T}}", "must be https://host:port"),
        ("{address: 'https://v:8200', token: c4nary}", "token"),
        ("{address: 'https://v:8200', token: {env: T, file: f}}", "takes one of env and file"),
        ("{address: 'https://v:8200', token: {}}", "takes one of env and file"),
        ("{address: 'https://v:8200', token: {value: c4nary}}", "there is no such key"),
        ("{address: 'https://v:8200', token: {env: T}, mount: ../sys}", "must be letters"),
        ("{address: 'https://v:8200', token: {env: T}, mount: 'a b'}", "must be letters"),
        ("{address: 'https://v:8200', token: {env: T}, namespace: \"a\\r\\nX-E: 1\"}", "must be letters"),
        ("{address: 'https://v:8200', token: {env: T}, verify: false}", "there is no such key"),
        ("{address: 'https://v:8200', token: {env: T}, cache_seconds: -1}", "greater than or equal to 0"),
        ("{address: 'https://v:8200', token: {env: T}, timeout_seconds: 60}", "less than or equal to 20"),
    ],
)
def test_what_stops_the_start(tmp_path: Path, vault: str, said: str) -> None:
    with pytest.raises(PolicyError) as told:
        read(tmp_path, vault)
    assert said in told.value.public
    assert "c4nary" not in told.value.public
    assert "wicket.yaml:" in told.value.public


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("custody: {key: {transit: {vault: corp, key: k}}}", "vaults has no server 'corp'"),
        ("custody: {key: {kms: {key: k}}}", "a key of kms needs `aws`"),
        ("custody: {key: {file: k, env: K}}", "takes one of env, file, transit and kms"),
        ("custody: {key: {}}", "takes one of env, file, transit and kms"),
        ("custody: {key: c4nary}", "custody.key"),
        ("aws: {}", "region"),
        ("aws: {region: 'a b'}", "aws.region"),
        ("aws: {region: r, kms_url: 'http://kms:1'}", "must be https"),
        ("aws: {region: r, access_key: c4nary}", "there is no such key"),
    ],
)
def test_what_our_vault_and_aws_can_not_be(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "wicket.yaml"
    file.write_text(f"gateway:\n  {text}\n")
    with pytest.raises(PolicyError) as told:
        load_settings(file)
    assert said in told.value.public
    assert "c4nary" not in told.value.public


def test_the_key_lies_in_the_state_folder_unless_told(tmp_path: Path) -> None:
    file = tmp_path / "wicket.yaml"
    for text, path in (("{}", "s/custody.keys"), ("{key: {file: k/c}}", "k/c"), ("{key: {env: K}}", None)):
        file.write_text(f"gateway:\n  state: s\n  custody: {text}\n")
        key = load_settings(file).keepers.custody.key
        assert key is not None
        assert key.file == (tmp_path / path if path else None)


def test_the_documents_examples_load(tmp_path: Path) -> None:
    text = (Path(__file__).parents[2] / "docs" / "custody.md").read_text()
    blocks = re.findall(r"^```yaml\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    assert blocks
    for block in blocks:
        file = tmp_path / "wicket.yaml"
        file.write_text(block)
        assert load_settings(file).vaults
        assert load_policy(file).resources
