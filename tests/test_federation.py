"""SAML's composition: our own key, and what is said where something is missing."""

import importlib.util
import re
import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from identity.saml.idp import ISSUER, certificate, rsa_key
from wicketgate import federation
from wicketgate.checkup import check
from wicketgate.model.errors import GatewayError, PolicyError

CONFIG = """\
identity:
  saml:
    corp:
      entity_id: https://idp.example.com
      gateway: https://gw.example.com:18443
      groups: none
      metadata: {metadata}
"""


def test_our_key_is_made_once_for_us_alone(tmp_path: Path) -> None:
    path = tmp_path / "saml.pem"
    key, made = federation.own_key(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert key.key_size == 3072
    assert made.public_key() == key.public_key()
    assert federation.own_key(path)[1] == made
    assert [each.name for each in tmp_path.iterdir()] == ["saml.pem"]


def test_a_key_that_is_none_is_not_made_anew(tmp_path: Path) -> None:
    path = tmp_path / "saml.pem"
    key, other = rsa_key("ours"), certificate(rsa_key())
    text = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    text += certificate(key).public_bytes(Encoding.PEM)
    path.write_bytes(text)
    assert federation.own_key(path)[0].private_numbers() == key.private_numbers()
    private = text.partition(b"-----BEGIN CERTIFICATE")[0]
    for wrong in (b"", b"nothing", private, private + other.public_bytes(Encoding.PEM)):
        path.write_bytes(wrong)
        with pytest.raises(GatewayError, match="SAML's own key"):
            federation.own_key(path)
        assert path.read_bytes() == wrong


def test_the_extra_is_named_where_it_is_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    federation.need({}, "wicket.yaml")
    with pytest.raises(PolicyError, match=r"wicket\.yaml: .* pip install 'wicketgate\[saml\]'"):
        federation.need({"corp": ISSUER}, "wicket.yaml")
    config = tmp_path / "wicket.yaml"
    config.write_text(CONFIG.format(metadata="idp.xml"))
    assert any("wicketgate[saml]" in each["text"] for each in check(config, False))


def test_check_names_files_that_cannot_be_used(tmp_path: Path) -> None:
    config = tmp_path / "wicket.yaml"
    config.write_text(CONFIG.format(metadata="idp.xml"))

    def told() -> list[str]:
        return [each["text"] for each in check(config, False) if each["level"] == "error"]

    assert any("identity provider corp: " in each and "No such file" in each for each in told())
    (tmp_path / "idp.xml").write_text("<x/>")
    assert told() == ["identity provider corp: the metadata describes 0 entities with this entity_id"]
    (tmp_path / "idp.xml").write_text(" " * (1 << 21))
    assert told() == ["identity provider corp: the XML is larger than is taken"]


def test_only_who_reads_responses_loads_what_reads_xml() -> None:
    """Nobody else does so when he is loaded himself: it is an extra, and takes long."""
    source = Path(federation.__file__).parent
    loading = re.compile(r"^(?:from|import) (?:lxml|signxml|wicketgate\.identity\.saml)", re.MULTILINE)
    found = [
        path.relative_to(source).as_posix()
        for path in source.rglob("*.py")
        if "identity/saml/" not in path.as_posix() and loading.search(path.read_text())
    ]
    assert found == []
