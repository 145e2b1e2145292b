"""What the gate records, as members of a journal line (JOURNAL.md): HEAD's, with leading commas, and BODY's.
No secret may come here: texts that carry one arrive redacted."""

import base64
import hashlib
import hmac
from collections.abc import Mapping

import orjson

from wicketgate.model.decision import Decision, Denial
from wicketgate.model.identity import Identity
from wicketgate.model.session import Outcome
from wicketgate.model.statement import Facts


def _members(fields: dict[str, object]) -> bytes:
    """{"a":1} -> ,"a":1 ; nothing for no fields."""
    kept = {key: value for key, value in fields.items() if value not in (None, [], {})}
    return b"," + orjson.dumps(kept)[1:-1] if kept else b""


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
        "agent": identity.agent,
        "task": identity.task,
        "claimed": dict(identity.claimed),
    }
    return {key: value for key, value in fields.items() if value not in (None, [], {})}


def opened(identity: Identity, account: str, resource: str, database: str, policy: str, source: str) -> bytes:
    """HEAD of `open`."""
    return _members(
        {
            "i": who(identity) | {"resource": resource, "database": database, "source": source},
            "p": policy,
            "a": account,
        }
    )


def claimed(fields: Mapping[str, object], policy: str) -> bytes:
    """HEAD of a sign-in that was refused: what was claimed, nothing proven."""
    return _members({"i": {"claimed": dict(fields)}, "p": policy, "d": "deny"})


def closed(reason: str) -> bytes:
    """HEAD of `close`."""
    return _members({"o": {"tag": reason}})


def asked(decision: Decision, facts: Facts, catalog: str | None) -> bytes:
    """HEAD of `ask` or `deny`, but for what changes from statement to statement."""
    return _members(
        {
            "p": decision.policy,
            "c": catalog,
            "d": decision.verdict.value,
            "u": list(decision.rules),
            "e": sorted(effect.value for effect in facts.effects),
            "l": sorted(facts.reads | facts.writes),
        }
    )


def text_member(text: bytes, redact: bool, key: bytes) -> bytes:
    """BODY member of a statement's text. One that carries a secret leaves a keyed digest alone."""
    if redact:
        digest = hmac.new(key, text, hashlib.sha256).hexdigest()
        return b'"redacted":"' + digest.encode() + b'"'
    try:
        return b'"text":' + orjson.dumps(text.decode("utf-8"))
    except UnicodeDecodeError:
        return b'"text_base64":"' + base64.b64encode(text) + b'"'


def parameters_member(parameters: tuple[str | None, ...]) -> bytes:
    """BODY member of bind parameters."""
    return b'"parameters":' + orjson.dumps([_plain(value) for value in parameters])


def _plain(value: str | None) -> str | None:
    return None if value is None else value.encode("utf-8", "replace").decode("utf-8")


def denied(denial: Denial) -> bytes:
    """BODY member of why: the cause stands here and nowhere else."""
    return b'"denial":' + orjson.dumps(
        {"kind": denial.kind, "message": denial.message, "cause": _plain(denial.cause), "hint": denial.hint}
    )


def observed(q: int, rule: str, would: str) -> bytes:
    """HEAD of `observed`: what a rule that only observes would have done to the statement at `q`."""
    return b',"r":%d' % q + _members({"d": would, "u": [rule]})


def answered(q: int, outcome: Outcome, nanoseconds: int) -> bytes:
    """HEAD of `answer`."""
    head = b',"r":%d,"o":{"rows":%d,"bytes":%d,"ns":%d' % (q, outcome.rows, outcome.size, nanoseconds)
    if outcome.tag is not None:
        head += b',"tag":' + orjson.dumps(outcome.tag)
    if outcome.code is not None:
        head += b',"sqlstate":' + orjson.dumps(outcome.code)
    if outcome.masked:
        head += b',"masked":' + orjson.dumps(outcome.masked, option=orjson.OPT_SORT_KEYS)
    if outcome.length:
        head += b'},"b":{"len":%d,"kept":%d,"enc":"base64"' % (outcome.length, len(outcome.kept))
        if outcome.sha256 is not None:
            head += b',"sha":"' + outcome.sha256.encode() + b'"'
    return head + b"}"


def answer_body(kept: bytes) -> bytes:
    """BODY member of the answer as the client saw it."""
    return b'"bytes":"' + base64.b64encode(kept) + b'"'
