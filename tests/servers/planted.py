"""The sensitive values of planted.sql, and a search for them in whatever a client received."""

import base64
import re
from collections.abc import Iterable

CUSTOMERS: tuple[tuple[int, str, str, str], ...] = (
    (1, "alice.planted@quince-mail.test", "521-44-9031", "4929130000017738"),
    (2, "bob.planted@quince-mail.test", "646-82-1957", "5425230000014417"),
    (3, "carol.planted@quince-mail.test", "773-15-2846", "374245000001752"),
    (4, "dave.planted@quince-mail.test", "318-69-7402", "6011000000017715"),
    (5, "erin.planted@quince-mail.test", "905-27-3168", "3566000000017727"),
)
"""(id, email, ssn, card) as they stand in public.customers."""

SENSITIVE: dict[str, str] = {
    "public.customers.email": "email",
    "public.customers.ssn": "national-id",
    "public.customers.card": "payment-card",
    "public.people.ssn": "national-id",
    "public.events.email": "email",
    "s2.t.value": "national-id",
}
"""The `sensitive:` map of wicket.yaml that belongs to planted.sql."""

PLANTED: tuple[str, ...] = tuple(value for row in CUSTOMERS for value in row[1:])


def _forms(value: str) -> Iterable[bytes]:
    bare = re.sub(r"[^0-9A-Za-z]", "", value)
    for text in {value, value.upper(), bare, value[::-1], value.partition("@")[0]}:
        raw = text.encode()
        yield raw
        yield raw.hex().encode()
        yield raw.hex().upper().encode()
        yield base64.b64encode(raw).rstrip(b"=")
        yield b",".join(str(byte).encode() for byte in raw)
    if bare.isdigit():
        number = int(bare)
        yield number.to_bytes(8, "big")
        if number < 1 << 31:
            yield number.to_bytes(4, "big")
        groups = bare if len(bare) % 4 == 0 else "0" * (4 - len(bare) % 4) + bare
        yield b"".join(int(groups[at : at + 4]).to_bytes(2, "big") for at in range(0, len(groups), 4))


_FORMS: dict[bytes, str] = {form: value for value in PLANTED for form in _forms(value) if len(form) >= 4}


def leaks(data: bytes) -> list[str]:
    """The planted values that stand in data, plain or in the usual encodings (hex, base64, reversed, binary
    integers and numerics). Empty when there is none."""
    return sorted({value for form, value in _FORMS.items() if form in data})
