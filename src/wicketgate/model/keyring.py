"""Keys by version, of which the newest is used and the older ones still open what they closed.
It must never be shown: it has no text but its versions."""

import re
from collections.abc import Mapping

from wicketgate.model.secret import Secret

LENGTH = 32
"""Bytes of a key."""
_LINE = re.compile(r"([1-9][0-9]{0,8}) ([0-9a-f]{64})")


class Keyring:
    """keys: version -> key, at least one."""

    __slots__ = ("keys", "newest")

    def __init__(self, keys: Mapping[int, Secret]) -> None:
        if not keys:
            raise ValueError("a keyring holds at least one key")
        self.keys = dict(keys)
        self.newest = max(self.keys)

    @classmethod
    def parse(cls, text: bytes) -> "Keyring":
        """A line `version key` for each, the key in 64 hex digits. Raises ValueError that repeats none."""
        keys: dict[int, Secret] = {}
        for number, line in enumerate(text.decode("ascii", "replace").splitlines(), 1):
            written = _LINE.fullmatch(line.strip())
            if written is None or int(written[1]) in keys:
                raise ValueError(f"line {number} holds no key, or its version is there twice")
            keys[int(written[1])] = Secret(bytes.fromhex(written[2]))
        return cls(keys)

    def written(self) -> bytes:
        """What `parse` reads. For the file and the control link only."""
        lines = [f"{version} {key.reveal().hex()}\n" for version, key in sorted(self.keys.items())]
        return "".join(lines).encode()

    def __repr__(self) -> str:
        return f"Keyring(versions {sorted(self.keys)})"
