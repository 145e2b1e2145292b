"""What the gate records, as members of a journal line (JOURNAL.md): HEAD's, with leading commas, and BODY's.
No secret may come here: texts that carry one arrive marked, and leave a keyed digest alone. Compiled."""

import hashlib
import hmac
from binascii import b2a_base64
from typing import Final

import orjson

from wicketgate.model.clearance import Outcome
from wicketgate.model.decision import Denial
from wicketgate.model.identity import Claim, Identity
from wicketgate.model.statement import Facts

LONGEST: Final = 200
"""Characters of anything that an unproven client says of itself."""
OURS: Final = "wkt_"
"""How our tokens begin: one that was typed into the wrong field must not be recorded."""


def _members(fields: dict[str, object]) -> bytes:
    """{"a":1} -> ,"a":1 ; nothing for no fields."""
    kept = {key: value for key, value in fields.items() if value is not None and value != [] and value != {}}
    return b"," + orjson.dumps(kept)[1:-1] if kept else b""


def plain(value: str) -> str:
    """The text as UTF-8 can hold it."""
    return value.encode("utf-8", "replace").decode("utf-8")


def _said(value: str, secret: str) -> str:
    """What a client says of itself: cut, and never its credential."""
    if OURS in value or (secret and secret in value):
        return "(a credential)"
    return plain(value[:LONGEST])


# -- sessions ----------------------------------------------------------------------------------------------
def who(identity: Identity) -> dict[str, object]:
    """The identity as the `open` line holds it."""
    fields: dict[str, object] = {
        "name": identity.name,
        "subject": identity.subject,
        "issuer": identity.issuer,
        "how": identity.how,
        "groups": sorted(identity.groups),
        "credential": identity.credential_id,
        "behalf": identity.behalf,
        "behalf_issuer": _issuer_of(identity.human),
        "agent": identity.agent,
        "crew": identity.crew,
        "task": identity.task,
        "purpose": identity.purpose,
        "rules": sorted(identity.rules),
        "claimed": {_said(key, ""): _said(value, "") for key, value in identity.claimed.items()},
    }
    return {key: value for key, value in fields.items() if value is not None and value != [] and value != {}}


def _issuer_of(human: Identity | None) -> str | None:
    """Who proved him; nothing for an account of this gateway."""
    return None if human is None or human.issuer == "local" else human.issuer


def opened(
    identity: Identity,
    account: str,
    resource: str,
    database: str,
    policy: str,
    source: str,
    grants: tuple[str, ...] = (),
) -> bytes:
    """HEAD of `open`. grants: ids of those that it rests on."""
    told = who(identity)
    told["resource"] = resource
    told["database"] = database
    told["source"] = source
    if grants:
        told["grants"] = list(grants)
    return _members({"i": told, "p": policy, "a": account})


def turned_away(claim: Claim, policy: str) -> bytes:
    """HEAD of a sign-in that was refused: what was claimed, nothing proven."""
    secret = claim.secret.reveal().decode("utf-8", "replace")
    told = {
        "identity": _said(claim.identity, secret),
        "account": _said(claim.account or "", secret),
        "resource": _said(claim.resource, secret),
        "database": _said(claim.database or "", secret),
        "source": claim.source,
    }
    return _members(
        {"i": {"claimed": {key: value for key, value in told.items() if value}}, "p": policy, "d": "deny"}
    )


def closed(reason: str) -> bytes:
    """HEAD of `close`."""
    return _members({"o": {"tag": reason}})


# -- statements --------------------------------------------------------------------------------------------
def judged(verdict: str, rules: tuple[str, ...], facts: Facts) -> bytes:
    """HEAD of `ask` or `deny`, but for what `basis` says and what changes from statement to statement."""
    return _members(
        {
            "d": verdict,
            "u": list(rules),
            "e": sorted([effect.value for effect in facts.effects]),
            "l": sorted([plain(name) for name in facts.reads | facts.writes]),
        }
    )


def reviewed(review: str, by: str = "") -> bytes:
    """HEAD member of what a review was about: its id, and who approved."""
    told: dict[str, object] = {"id": review}
    if by:
        told["by"] = plain(by)
    return _members({"review": told})


def basis(policy: str | None, catalog: str | None) -> bytes:
    """HEAD members that hold until a later line of the session says otherwise."""
    return _members({"p": policy, "c": catalog})


def text_member(text: bytes, redact: bool, key: bytes) -> bytes:
    """BODY member of a statement's text. One that carries a secret leaves a keyed digest alone."""
    if redact:
        return b'"redacted":"' + hmac.new(key, text, hashlib.sha256).hexdigest().encode() + b'"'
    try:
        return b'"text":' + orjson.dumps(text.decode("utf-8"))
    except UnicodeDecodeError:
        return b'"text_base64":"' + b2a_base64(text, newline=False) + b'"'


def parameters_member(parameters: tuple[str | None, ...]) -> bytes:
    """BODY member of bind parameters."""
    try:
        return b'"parameters":' + orjson.dumps(parameters)
    except TypeError:
        told = [None if value is None else plain(value) for value in parameters]
        return b'"parameters":' + orjson.dumps(told)


def denied(denial: Denial, quiet: bool = False) -> bytes:
    """BODY member of why: the cause stands here and nowhere else. quiet: its words may repeat a secret."""
    fields: dict[str, object] = {"kind": denial.kind}
    if not quiet:
        fields["message"] = plain(denial.message)
        fields["cause"] = plain(denial.cause)
        fields["hint"] = None if denial.hint is None else plain(denial.hint)
    return b'"denial":' + orjson.dumps(fields)


def observed(q: int, rule: str, would: str) -> bytes:
    """HEAD of `observed`: what a rule that only observes would have done to the statement at `q`."""
    return b',"r":%d' % q + _members({"d": would, "u": [rule]})


def revealed(q: int, classes: tuple[str, ...]) -> bytes:
    """HEAD of `revealed`: data classes whose values the statement at `q` may show as they are."""
    return b',"r":%d' % q + _members({"o": {"classes": list(classes)}})


def answered(q: int, outcome: Outcome, nanoseconds: int) -> bytes:
    """HEAD of `answer`. Its formats are literals, which compile to copies: it stands on the hot path."""
    tag, code, sha, masked = outcome.tag, outcome.code, outcome.sha256, outcome.masked
    length = outcome.length
    told = b""
    if tag is not None:
        said = _TAGS.get(tag)
        told = _tag(tag) if said is None else said
    if code is not None:
        told += b',"sqlstate":' + orjson.dumps(code)
    if masked:
        told += b',"masked":' + orjson.dumps(masked, option=orjson.OPT_SORT_KEYS)
    bytes_told = b""
    if length:
        cut = b"" if sha is None else b',"sha":"%b"' % sha.encode()
        bytes_told = b',"b":{"len":%d,"kept":%d,"enc":"base64"%b}' % (length, len(outcome.kept), cut)
    return b',"r":%d,"o":{"rows":%d,"bytes":%d,"ns":%d%b}%b' % (
        q, outcome.rows, outcome.size, nanoseconds, told, bytes_told,
    )  # fmt: skip


_TAGS: Final[dict[str, bytes]] = {}
_MOST_TAGS: Final = 256


def _tag(tag: str) -> bytes:
    """The tag's member; few tags make up nearly all answers."""
    made = b',"tag":' + orjson.dumps(tag)
    if len(_TAGS) < _MOST_TAGS and len(tag) < 32:
        _TAGS[tag] = made
    return made


def answer_body(kept: bytes) -> bytes:
    """BODY member of the answer as the client saw it."""
    return b'"bytes":"' + b2a_base64(kept, newline=False) + b'"'
