"""A certificate authority for tests: throw-away keys, files that servers and clients are pointed at."""

from dataclasses import dataclass
from pathlib import Path

import trustme


@dataclass(frozen=True, slots=True)
class ServerCertificate:
    """Paths to PEM files: a server's certificate chain and its key."""

    chain: Path
    key: Path


class Authority:
    """A test CA. `root` is the PEM file that clients verify against."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.root = folder / "ca.pem"
        self._ca = trustme.CA(organization_name="Wicketgate tests")
        self._ca.cert_pem.write_to_path(str(self.root))
        self.root.chmod(0o644)

    def issue(self, name: str, *hosts: str) -> ServerCertificate:
        """A certificate for the hosts (default: localhost and both loopback addresses), in files so named."""
        leaf = self._ca.issue_cert(*(hosts or ("localhost", "127.0.0.1", "::1")))
        chain, key = self.folder / f"{name}.pem", self.folder / f"{name}.key"
        chain.write_bytes(b"".join(part.bytes() for part in leaf.cert_chain_pems))
        leaf.private_key_pem.write_to_path(str(key))
        key.chmod(0o600)
        return ServerCertificate(chain, key)
