"""Finds keys and tokens by the forms that their issuers give them, JWTs and private keys (compiled).
It must never need to know whether a key works: its form is enough."""

import re
from binascii import Error, a2b_base64
from typing import Final

from mypy_extensions import i64

from wicketgate.masking.detect.classes import Found
from wicketgate.masking.detect.columns import Sense
from wicketgate.masking.detect.entropy import random_looking
from wicketgate.masking.detect.nearby import HASH, SECRET, near
from wicketgate.masking.detect.survey import LEAST_KEY as LEAST

_FORMS: Final = (
    # AWS: access key ids (the unique ids of users and roles are no secrets), Bedrock keys
    ("AKIA", r"(?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16}"),
    ("ABSK", r"ABSK[A-Za-z0-9+/]{60,}={0,2}"),
    # Google: API keys, OAuth secrets and tokens
    ("AIza", r"AIza[A-Za-z0-9_-]{35}"),
    ("GOCS", r"GOCSPX-[A-Za-z0-9_-]{28}"),
    ("ya29", r"ya29\.[A-Za-z0-9_.-]{20,}"),
    # GitHub, GitLab
    ("gh", r"gh[pousr]_[A-Za-z0-9]{36,255}"),
    ("gith", r"github_pat_[A-Za-z0-9_]{60,}"),
    ("gl", r"gl(?:pat|dt|rt|ptt|cbt|ft|soat|agent|oas|imt|ffct|feat)-[A-Za-z0-9_.-]{20,}"),
    ("GR13", r"GR1348941[A-Za-z0-9_-]{20,}"),
    # Slack
    ("xox", r"xox[abeoprs](?:\.xox[bp])?-[A-Za-z0-9-]{10,}"),
    ("xapp", r"xapp-[0-9]-[A-Za-z0-9-]{20,}"),
    # Stripe: what is published (pk_) is no secret
    ("sk_", r"sk_(?:live|test|prod)_[A-Za-z0-9]{10,}"),
    ("rk_", r"rk_(?:live|test|prod)_[A-Za-z0-9]{10,}"),
    ("whse", r"whsec_[A-Za-z0-9+/=]{24,}"),
    # OpenAI, Anthropic and others of their kind
    (
        "sk-",
        r"sk-(?:ant-(?:api|admin|sid|oat)[0-9]{2}-[A-Za-z0-9_-]{20,}|(?:proj|svcacct|admin|None|or-v1"
        r"|lf)-[A-Za-z0-9_-]{20,}|[A-Za-z0-9]{20,})",
    ),
    ("hf_", r"hf_[A-Za-z0-9]{30,}"),
    ("gsk_", r"gsk_[A-Za-z0-9]{40,}"),
    ("xai-", r"xai-[A-Za-z0-9]{60,}"),
    ("pplx", r"pplx-[A-Za-z0-9]{40,}"),
    ("r8_", r"r8_[A-Za-z0-9]{37}"),
    # registries, clouds, mail, telephony
    ("npm_", r"npm_[A-Za-z0-9]{36}"),
    ("pypi", r"pypi-AgE[A-Za-z0-9_-]{50,}"),
    ("dckr", r"dckr_pat_[A-Za-z0-9_-]{20,}"),
    ("do", r"do[oprt]_v1_[a-f0-9]{64}"),
    ("SG.", r"SG\.[A-Za-z0-9_-]{16,32}\.[A-Za-z0-9_-]{16,64}"),
    ("key-", r"key-[a-f0-9]{32}"),
    ("shp", r"shp(?:at|ca|pa|ss)_[a-fA-F0-9]{32}"),
    ("dapi", r"dapi[a-f0-9]{32}(?:-[0-9])?"),
    ("lin_", r"lin_api_[A-Za-z0-9]{32,}"),
    ("ntn_", r"ntn_[A-Za-z0-9]{40,}"),
    ("secr", r"secret_[A-Za-z0-9]{40,}"),
    ("PMAK", r"PMAK-[a-f0-9]{24}-[a-f0-9]{34}"),
    ("hvs.", r"hv[sbr]\.[A-Za-z0-9_-]{24,}"),
    ("glsa", r"glsa_[A-Za-z0-9]{32}_[a-fA-F0-9]{8}"),
    ("sntr", r"sntry[su]_[A-Za-z0-9+/=_-]{40,}"),
    ("EAAC", r"EAAC[A-Za-z0-9]{40,}"),
    ("sq0", r"sq0(?:atp|csp)-[A-Za-z0-9_-]{22,}"),
    ("AGE-", r"AGE-SECRET-KEY-1[QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L]{58}"),
    # our own
    ("wkt_", r"wkt_[A-Za-z0-9_-]{20,}"),
)
_OWN: Final = {prefix.encode(): re.compile(form.encode() + rb"(?![A-Za-z0-9])") for prefix, form in _FORMS}
_BY_PREFIX: Final = {
    **_OWN,
    **{each: _OWN[b"AKIA"] for each in (b"ASIA", b"ABIA", b"ACCA")},
    **{each: _OWN[b"hvs."] for each in (b"hvb.", b"hvr.")},
}
_FIRST: Final = bytes(1 if any(prefix[0] == code for prefix in _BY_PREFIX) else 0 for code in range(256))
_AZURE: Final = re.compile(rb"[A-Za-z0-9_~.-]{3}[78]Q~[A-Za-z0-9_~.-]{31,34}(?![A-Za-z0-9_~-])")
_JWT: Final = re.compile(
    rb"(ey[A-Za-z0-9_-]{8,4000})\.([A-Za-z0-9_-]*)\.[A-Za-z0-9_-]*(?:\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+)?"
)
_WEBHOOK: Final = re.compile(
    rb"hooks\.slack\.com/(?:services|workflows|triggers)/([A-Za-z0-9/_-]{20,})"
    rb"|discord(?:app)?\.com/api/webhooks/[0-9]+/([A-Za-z0-9_-]{40,})"
    rb"|(?<![0-9])([0-9]{8,10}:AA[A-Za-z0-9_-]{33})(?![A-Za-z0-9_-])"
)
_BEGIN: Final = re.compile(rb"-----BEGIN ([A-Z0-9 ]{0,30})PRIVATE KEY(?: BLOCK)?-----")
_END: Final = re.compile(rb"-----END [A-Z0-9 ]{0,30}PRIVATE KEY(?: BLOCK)?-----")
_PUTTY: Final = re.compile(rb"PuTTY-User-Key-File-[0-9]: ")

_BODY: Final = bytes(
    1 if 48 <= code <= 57 or 65 <= code <= 90 or 97 <= code <= 122 or code in b"_-./+=~:" else 0
    for code in range(256)
)
"""Characters that keys are made of, with those between their parts."""

_PLAIN: Final = bytes(
    1 if 48 <= code <= 57 or 65 <= code <= 90 or 97 <= code <= 122 else 0 for code in range(256)
)
_LEADING: Final = bytes(1 if code in b"_-./+=~:" else 0 for code in range(256))


def find(cell: bytes, sense: Sense, found: list[Found], first: i64) -> None:
    """Adds what it finds to `found`: runs of at least LEAST characters are looked at, from `first` on."""
    body = _BODY
    size: i64 = len(cell)
    at = first
    while at > 0 and body[cell[at - 1]] == 1:
        at -= 1
    hooks = False
    while at < size:
        if body[cell[at]] == 0:
            at += 1
            continue
        start = at
        while at < size and body[cell[at]] == 1:
            at += 1
        if at - start >= LEAST:
            hooks = _run(cell, start, at, sense, found) or hooks
    if hooks:
        _webhooks(cell, found)


def may_begin(data: bytes, at: i64) -> bool:
    """Whether a key may begin at the word that begins here; LEAST bytes at least follow."""
    code: i64 = data[at]
    if code == 101:
        return data[at + 1] == 121 or _FIRST[code] == 1
    return _FIRST[code] == 1 and (
        data[at : at + 4] in _BY_PREFIX or data[at : at + 3] in _BY_PREFIX or data[at : at + 2] in _BY_PREFIX
    )


def private_keys(cell: bytes, found: list[Found]) -> None:
    """PEM and PuTTY's: from BEGIN to END; where there is no END, all that follows."""
    if cell.find(b"PRIVATE KEY") >= 0 or cell.find(b"PuTTY-User") >= 0:
        _pem(cell, found)


def _run(cell: bytes, start: i64, end: i64, sense: Sense, found: list[Found]) -> bool:
    """Looks for keys at every beginning of a word. True where a webhook's address may stand in the run."""
    at = start
    fresh = True
    hooks = False
    tilde: i64 = -1
    plain = _PLAIN
    while at + LEAST <= end:
        code: i64 = cell[at]
        sort: i64 = plain[code]
        if not fresh and sort == 1:
            at += 1
            continue
        if fresh:
            if _FIRST[code] == 1:
                after = _key(cell, at, found)
                if after > 0:
                    at = after
                    continue
            if code == 101 and cell[at + 1] == 121:  # ey
                after = _jwt(cell, at, found)
                if after > 0:
                    at = after
                    continue
            if (code == 104 and cell[at + 1] == 111 and cell[at + 2] == 111 and cell[at + 3] == 107) or (
                code == 119 and cell[at + 1] == 101 and cell[at + 2] == 98 and cell[at + 3] == 104
            ):  # hook
                hooks = True
        fresh = sort == 0
        if code == 126 and tilde < 0 and at > start and cell[at - 1] == 81:  # Q~
            tilde = at
        elif code == 58 and cell[at + 1] == 65 and cell[at + 2] == 65:  # :AA
            hooks = True
        at += 1
    if tilde >= start + 5:
        azure = _AZURE.match(cell, tilde - 5)
        if azure is not None:
            found.append(("secret", tilde - 5, azure.end()))
    _contextual(cell, start, end, sense, found)
    return hooks


def _key(cell: bytes, at: i64, found: list[Found]) -> i64:
    """Where the key that starts here ends; -1 where there is none."""
    form = _BY_PREFIX.get(cell[at : at + 4])
    if form is None:
        form = _BY_PREFIX.get(cell[at : at + 3])
        if form is None:
            form = _BY_PREFIX.get(cell[at : at + 2])
            if form is None:
                return -1
    key = form.match(cell, at)
    if key is None:
        return -1
    if (
        cell[at : at + 3] == b"sk-"
        and cell[at + 3 : at + 7] not in (b"ant-", b"proj")
        and not random_looking(cell[at + 3 : key.end()], 3.0)
    ):
        return -1  # `sk-loading-container`, a class in a style sheet
    found.append(("secret", at, key.end()))
    return key.end()


def _jwt(cell: bytes, at: i64, found: list[Found]) -> i64:
    token = _JWT.match(cell, at)
    if token is None:
        return -1
    header = token.group(1)
    try:
        text = a2b_base64(header.replace(b"-", b"+").replace(b"_", b"/") + b"=" * (-len(header) % 4))
    except Error:
        return -1
    if text[:1] != b"{" or b'"' not in text[:8] or (b'"alg"' not in text and b'"typ"' not in text):
        return -1
    found.append(("secret", at, token.end()))
    return token.end()


def _webhooks(cell: bytes, found: list[Found]) -> None:
    for each in _WEBHOOK.finditer(cell):
        group = each.lastindex or 0
        found.append(("secret", each.start(group), each.end(group)))


def _pem(cell: bytes, found: list[Found]) -> None:
    at = 0
    while True:
        begin = _BEGIN.search(cell, at)
        if begin is None:
            break
        end = _END.search(cell, begin.end())
        at = len(cell) if end is None else end.end()
        found.append(("secret", begin.start(), at))
        if end is None:
            break
    putty = _PUTTY.search(cell)
    if putty is not None:
        found.append(("secret", putty.start(), len(cell)))


def _contextual(cell: bytes, start: i64, end: i64, sense: Sense, found: list[Found]) -> None:
    """What looks random, where words or the column speak of a secret and none of a checksum."""
    if end - start > 512 or (not sense.secret and start < 4):
        return
    while start < end and _LEADING[cell[start]] == 1:
        start += 1
    while end > start and (cell[end - 1] == 46 or cell[end - 1] == 58 or cell[end - 1] == 45):
        end -= 1
    if end - start < 20:
        return
    # what costs least is asked first
    if not (sense.secret or near(SECRET, cell, start, end)) or near(HASH, cell, start, end):
        return
    piece = cell[start:end]
    if piece.find(b"://") >= 0 or piece.count(b"/") > 3 or piece.count(b".") > 2:
        return
    if not random_looking(piece, 3.3):
        return
    if max([len(part) for part in piece.replace(b":", b".").replace(b"=", b".").split(b".")]) < LEAST:
        return
    found.append(("secret", start, end))
