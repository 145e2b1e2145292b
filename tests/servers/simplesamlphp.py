"""A running SimpleSAMLphp (Debian's, on PHP's own server): the tests' independent SAML identity provider."""

from __future__ import annotations

import datetime
import os
import signal
import urllib.request
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from servers import system

HOME = Path("/usr/share/simplesamlphp")

_CONFIG = """<?php
$config = [
    'baseurlpath' => 'http://127.0.0.1:{port}/',
    'certdir' => '{folder}/cert/', 'loggingdir' => '{folder}/', 'datadir' => '{folder}/',
    'tempdir' => '{folder}/tmp', 'metadatadir' => '{folder}/metadata',
    'secretsalt' => 'played-played-played-played', 'auth.adminpassword' => 'played',
    'technicalcontact_email' => 'na@example.org', 'timezone' => 'UTC',
    'logging.handler' => 'file', 'logging.level' => SimpleSAML\\Logger::INFO, 'logging.logfile' => 'saml.log',
    'enable.saml20-idp' => true, 'store.type' => 'phpsession',
    'session.phpsession.savepath' => '{folder}/tmp',
    'session.cookie.secure' => false, 'session.phpsession.httponly' => true,
    'module.enable' => ['exampleauth' => true, 'core' => true, 'saml' => true],
    'language.default' => 'en', 'theme.use' => 'default',
    'metadata.sources' => [['type' => 'flatfile', 'directory' => '{folder}/metadata']],
];
"""
_SOURCES = """<?php
$config = [
    'people' => ['exampleauth:UserPass',
        'ana:ana' => ['mail' => ['ana@example.com'], 'groups' => ['readers', 'staff']],
        'eve:eve' => ['mail' => ['eve@example.com'], 'groups' => []],
    ],
    'admin' => ['core:AdminPassword'],
];
"""
_HOSTED = """<?php
$metadata['{entity}'] = [
    'host' => '__DEFAULT__', 'privatekey' => 'idp.key', 'certificate' => 'idp.crt', 'auth' => 'people',
    'signature.algorithm' => 'http://www.w3.org/2001/04/xmldsig-more#rsa-sha256',
    'NameIDFormat' => 'urn:oasis:names:tc:SAML:2.0:nameid-format:persistent',
    'simplesaml.nameidattribute' => 'mail',
    'authproc' => [1 => ['class' => 'saml:AttributeNameID', 'attribute' => 'mail',
        'Format' => 'urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress']],
];
"""
_REMOTE = """<?php
$metadata['{entity}'] = [
    'AssertionConsumerService' => '{acs}',
    'NameIDFormat' => 'urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress',
    {more}
];
"""


class SimpleSamlPhp:
    """`php -S` on a free port, in a folder of its own. people: ana and eve; the name is the password."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = system.free_port()
        self.base = f"http://127.0.0.1:{self.port}"
        self.entity_id = f"{self.base}/saml2/idp/metadata.php"
        for name in ("config", "cert", "metadata", "tmp"):
            (folder / name).mkdir()
        self._make_key()
        self._write("config/config.php", _CONFIG.replace("{port}", str(self.port)))
        self._write("config/authsources.php", _SOURCES)
        self._write("metadata/saml20-idp-hosted.php", _HOSTED.replace("{entity}", self.entity_id))
        for path in (folder, *folder.rglob("*")):
            system.give(path)
        with (folder / "php.log").open("wb") as log:
            self._process = system.start(
                # without its cache: a file that a test writes again within a second would not count
                ["php", "-d", "opcache.enable=0", "-S", f"127.0.0.1:{self.port}", "-t", str(HOME / "www")],
                log,
                ends_by=signal.SIGKILL,
                environment={"SIMPLESAMLPHP_CONFIG_DIR": f"{folder}/config"},
            )
        system.wait_for_port(self.port, self._process)

    def _write(self, name: str, text: str) -> None:
        path = self.folder / name
        path.write_text(text.replace("{folder}", str(self.folder)))
        system.give(path)

    def _make_key(self) -> None:
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "simplesamlphp")])
        now = datetime.datetime.now(datetime.UTC)
        made = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(1)
            .not_valid_before(now - datetime.timedelta(hours=1))
            .not_valid_after(now + datetime.timedelta(days=2))
            .sign(key, hashes.SHA256())
        )
        private = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption(),
        )
        (self.folder / "cert" / "idp.key").write_bytes(private)
        (self.folder / "cert" / "idp.crt").write_bytes(made.public_bytes(serialization.Encoding.PEM))

    @property
    def certificate(self) -> Path:
        return self.folder / "cert" / "idp.crt"

    def know(self, entity: str, acs: str, more: str = "") -> None:
        """Give assertions to this service provider from now on. more: further lines of its metadata (PHP)."""
        text = _REMOTE.replace("{entity}", entity).replace("{acs}", acs).replace("{more}", more)
        path = self.folder / "metadata" / "saml20-sp-remote.php"
        fresh = path.with_suffix(".new")
        fresh.write_text(text)
        system.give(fresh)
        os.replace(fresh, path)

    def metadata(self) -> bytes:
        """Its own, as an administrator downloads it."""
        with urllib.request.urlopen(self.entity_id, timeout=20) as answer:
            return bytes(answer.read())

    def log(self) -> str:
        """What it wrote of itself, for a failure's message."""
        return "".join(path.read_text(errors="replace")[-4000:] for path in sorted(self.folder.glob("*.log")))

    def stop(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()
