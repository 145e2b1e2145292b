"""Signatures: of what we send (Standard Webhooks), and of what Slack sends us (its scheme v0). Pure.
A comparison must never tell by its time how much of a forged signature was right."""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Iterable, Sequence
from typing import Final

from wicketgate.model.secret import Secret

PREFIX: Final = b"whsec_"
SHORTEST: Final = 24
LONGEST: Final = 64
"""Bytes of a key, as the specification has it."""
FRESH: Final = 300
"""Seconds that a request of Slack's may be old, or ahead of our clock."""
_STAMP: Final = re.compile(r"[0-9]{1,12}")
_SIGNATURE: Final = re.compile(r"v0=[0-9a-f]{64}")


def key_of(secret: Secret) -> Secret:
    """The key that `whsec_` and base64 stand for. Raises ValueError, without a word of it."""
    text = secret.reveal().strip()
    if not text.startswith(PREFIX):
        raise ValueError("a webhook's secret must be written as whsec_ and the key in base64")
    try:
        key = base64.b64decode(text.removeprefix(PREFIX), validate=True)
    except (ValueError, binascii.Error):
        raise ValueError("behind whsec_ there must be base64") from None
    if not SHORTEST <= len(key) <= LONGEST:
        raise ValueError(f"a webhook's key must have {SHORTEST} to {LONGEST} bytes")
    return Secret(key)


def headers(keys: Sequence[Secret], event: str, seconds: int, body: bytes) -> dict[str, str]:
    """The three headers of Standard Webhooks. keys: each signs, so that one can be replaced. seconds: now."""
    signed = b".".join((event.encode("ascii"), str(seconds).encode("ascii"), body))
    made = (base64.b64encode(hmac.new(key.reveal(), signed, hashlib.sha256).digest()) for key in keys)
    return {
        "webhook-id": event,
        "webhook-timestamp": str(seconds),
        "webhook-signature": " ".join(f"v1,{each.decode('ascii')}" for each in made),
    }


def by_slack(secrets: Iterable[Secret], stamp: str, signature: str, body: bytes, seconds: int) -> bool:
    """Whether Slack sent this body. stamp, signature: of its headers. seconds: now."""
    if not _STAMP.fullmatch(stamp) or not _SIGNATURE.fullmatch(signature):
        return False
    if abs(seconds - int(stamp)) > FRESH:
        return False
    signed = b"v0:" + stamp.encode("ascii") + b":" + body
    good = False
    for secret in secrets:
        if not secret:
            continue
        made = hmac.new(secret.reveal().strip(), signed, hashlib.sha256).hexdigest()
        good |= hmac.compare_digest(f"v0={made}", signature)
    return good
