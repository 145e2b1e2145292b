"""A review as a page that works on a phone and runs nothing: HTML out of what a verb gave.
It must never put a text into a page that was not escaped here, nor load anything from anywhere.
"""

import base64
import hashlib
import html
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from fastapi.responses import HTMLResponse

from wicketgate.admin.reviews import COMMENT_MOST, Seen
from wicketgate.model.review import MINUTES_MOST, ROWS_MOST, Kind, Review, Status
from wicketgate.model.unseen import IN_LINES

STYLE: Final = (
    "body{font:16px/1.5 system-ui,sans-serif;margin:0 auto;max-width:44rem;padding:1rem;color:#1a1a1a;"
    "background:#fff}h1{font-size:1.25rem}dl{display:grid;grid-template-columns:auto 1fr;gap:.25rem .75rem}"
    "dt{color:#595959}dd{margin:0;overflow-wrap:anywhere}pre{background:#f3f3f3;padding:.75rem;"
    "white-space:pre-wrap;overflow-wrap:anywhere;max-height:24rem;overflow:auto}label{display:block;"
    "margin:.75rem 0}input,select,textarea{font:inherit;width:100%;box-sizing:border-box;padding:.5rem}"
    "button,.go{font:inherit;padding:.75rem 1.25rem;margin:.5rem .5rem 0 0;border:0;border-radius:.375rem;"
    "color:#fff;background:#1d5c2e;display:inline-block;text-decoration:none}button.no{background:#8c1d18}"
    ".note{color:#595959}@media(prefers-color-scheme:dark){body{background:#161616;color:#eee}"
    "pre{background:#262626}dt,.note{color:#b5b5b5}}"
)
_HASH: Final = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode("ascii")
HEADERS: Final = {
    "cache-control": "no-store",
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "content-security-policy": f"default-src 'none'; style-src 'sha256-{_HASH}'; form-action 'self';"
    " frame-ancestors 'none'; base-uri 'none'",
}


def _visible(found: "re.Match[str]") -> str:
    number = ord(found[0])
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


def safe(text: object) -> str:
    """Text from outside, as HTML: escaped, and what would not be seen, or turn what is, made visible."""
    shown = IN_LINES.sub(_visible, str(text))
    return html.escape(shown, quote=True)


def page(status: int, title: str, *parts: str, head: str = "") -> HTMLResponse:
    """parts, head: HTML."""
    whole = (
        "<!doctype html><html lang=en><head><meta charset=utf-8>"
        '<meta name=viewport content="width=device-width, initial-scale=1"><meta name=robots content=noindex>'
        f"<title>{safe(title)}</title><style>{STYLE}</style>{head}</head><body><main><h1>{safe(title)}</h1>"
        f"{''.join(parts)}</main></body></html>"
    )
    return HTMLResponse(whole, status, headers=HEADERS)


def told(status: int, title: str, text: str) -> HTMLResponse:
    """A page that says one thing."""
    return page(status, title, f"<p>{safe(text)}")


def onward(title: str, address: str) -> HTMLResponse:
    """A page that goes on to another of ours by itself: then it is we who send the browser there, and it
    takes cookies along that it keeps from other sites. It tells nobody where it comes from."""
    answer = page(
        200,
        title,
        f'<p><a href="{safe(address)}">Go on</a>',
        head=f'<meta http-equiv=refresh content="0; url={safe(address)}">',
    )
    answer.headers["referrer-policy"] = "no-referrer"
    return answer


def sign_in(review: str, mark: str, providers: Iterable[tuple[str, str]]) -> HTMLResponse:
    """What whoever comes sees first, whether there is such a review or not. providers: how the path to each
    begins, and its name."""
    ways = "".join(
        f'<p><a class=go href="/reviews/{safe(review)}/{safe(way)}/{safe(name)}?k={safe(mark)}">'
        f"Sign in with {safe(name)}</a>"
        for way, name in providers
    )
    return page(
        200,
        "Sign in to see a review",
        ways,
        f'<form method=post action="/reviews/{safe(review)}/sign-in?k={safe(mark)}">'
        "<label>A token of yours"
        "<input name=token type=password required autocomplete=off maxlength=8192></label>"
        "<button>Sign in</button></form>"
        "<p class=note>A token of the gateway, or of an issuer that it trusts. It is used for this page"
        " alone, and forgotten within minutes.",
    )


def _when(nanoseconds: int) -> str:
    return datetime.fromtimestamp(nanoseconds // 1_000_000_000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _listed(value: object) -> str:
    return ", ".join(str(each) for each in value) if isinstance(value, list | tuple) else ""


def _facts(seen: Seen) -> Sequence[tuple[str, object]]:
    review, shown = seen.review, seen.shown
    asker = review.asker
    facts: list[tuple[str, object]] = [
        ("Asked by", f"{asker.identity} ({asker.kind})"),
        ("For", asker.behalf),
        ("Agent", asker.agent),
        ("Crew", asker.crew),
        ("Task", asker.task),
        ("Purpose", asker.purpose),
        ("On", f"{review.resource}, database {review.database}, account {review.account}"),
        (_reason(shown), review.reason),
        ("The rule says", review.message),
        ("Rule", ", ".join(each.rule for each in review.panels)),
        ("Effects", _listed(shown.get("effects"))),
        ("Relations", _listed(shown.get("relations"))),
        ("Not known", "" if shown.get("complete", True) else "not all that it does could be told"),
        ("Beside it", beside(shown)),
        ("Estimate", shown.get("estimate")),
        ("Asked at", _when(review.created)),
    ]
    if review.kind is not Kind.AFTER:
        facts.append(("Until", _when(review.expires)))
    if review.mode == "retry" and isinstance(shown.get("usable"), int):
        facts.append(("Once approved", f"it can be used for {shown['usable']} s"))
    return facts


def _reason(shown: dict[str, Any]) -> str:
    return "Reason, as the asker wrote it" if shown.get("reason_claimed") else "Reason"


def beside(shown: dict[str, Any]) -> str:
    """What else there is to know of where it stands."""
    others, told = shown.get("beside"), []
    if isinstance(others, int) and others > 0:
        told.append(f"{others} other statement{'s' if others > 1 else ''} of the same string, not shown here")
    if shown.get("transaction"):
        told.append("it stands in an open transaction")
    return "; ".join(told)


def _statement(shown: dict[str, Any]) -> str:
    if "statement" not in shown:
        return "".join(f"<p>{safe(name)}: {safe(value)}" for name, value in sorted(shown.items()))
    parts = [f"<pre><bdi>{safe(shown.get('pretty') or shown['statement'])}</bdi></pre>"]
    if shown.get("pretty"):
        written = f"<pre><bdi>{safe(shown['statement'])}</bdi></pre>"
        parts.append(f"<details><summary>As it was written</summary>{written}</details>")
    parameters = shown.get("parameters") or ()
    if parameters:
        rows = "".join(
            f"<dt>${at}<dd><bdi>{'NULL' if each['value'] is None else safe(each['value'])}</bdi>"
            for at, each in enumerate(parameters, 1)
        )
        parts.append(f"<dl>{rows}</dl>")
    if unseen := shown.get("unseen"):
        parts.append(
            f"<p class=note><strong>Not all of this statement is shown: {safe('; '.join(unseen))}."
            " An approval is for all of it.</strong>"
        )
    if lately := shown.get("lately"):
        texts = "".join(f"<pre><bdi>{safe(each)}</bdi></pre>" for each in lately)
        parts.append(f"<details><summary>What its session asked before</summary>{texts}</details>")
    if shown.get("hides"):
        parts.append("<p class=note>Values that your policy does not show you are hidden.")
    return "".join(parts)


def _votes(review: Review) -> str:
    if not review.votes:
        return ""
    rows = "".join(
        f"<dt><bdi>{safe(each.person)}</bdi><dd>{'approved' if each.approves else 'denied'}"
        + (f": <bdi>{safe(each.comment)}</bdi>" if each.comment else "")
        for each in review.votes
    )
    return f"<dl>{rows}</dl>"


def of_review(seen: Seen, mark: str, proof: str, who: str) -> HTMLResponse:
    """A review for who has signed in. proof: that the form comes from this page."""
    review = seen.review
    rows = "".join(f"<dt>{name}<dd><bdi>{safe(value)}</bdi>" for name, value in _facts(seen) if value)
    title = {Kind.STATEMENT: "A statement", Kind.ACCESS: "An access request", Kind.AFTER: "A broken glass"}
    parts = [f"<dl>{rows}</dl>", _statement(seen.shown), _votes(review)]
    if review.status is not Status.PENDING:
        parts.append(f"<p>It is {review.status.value}: {safe(review.ended_by)}")
    elif seen.answerable:
        parts.append(f"<p>You can't answer it: {safe(seen.answerable)}.")
    else:
        parts.append(_form(review, mark, proof))
    parts.append(f"<p class=note>You are {safe(who)}.")
    return page(200, f"{title[review.kind]} waits for you", *parts)


def _form(review: Review, mark: str, proof: str) -> str:
    fields = [
        f'<form method=post action="/reviews/{safe(review.id)}/answer?k={safe(mark)}">'
        f'<input type=hidden name=proof value="{safe(proof)}">'
        f"<label>Comment<textarea name=comment rows=3 maxlength={COMMENT_MOST}></textarea></label>"
    ]
    if review.kind is Kind.STATEMENT:
        fields.append(
            "<label>How far an approval goes<select name=scope><option value=once>This statement, once"
            "<option value=session>This statement, as often as its session likes"
            "<option value=shape>Its shape, for some minutes</select></label>"
        )
    if review.kind is not Kind.AFTER:
        what = "Minutes, for its shape" if review.kind is Kind.STATEMENT else "Minutes at most"
        fields.append(f"<label>{what}<input name=minutes type=number min=1 max={MINUTES_MOST}></label>")
    if review.kind is Kind.STATEMENT:
        fields.append(
            "<label>Rows at most (of a shape: in each session, and a new one may have as many again)"
            f"<input name=rows type=number min=1 max={ROWS_MOST}></label>"
        )
        if review.mode == "retry":
            fields.append("<label>Only through the account<input name=account maxlength=63></label>")
    fields.append(
        "<button name=answer value=approve>Approve</button>"
        "<button class=no name=answer value=deny>Deny</button></form>"
    )
    return "".join(fields)


def answered(seen: Seen) -> HTMLResponse:
    """What came of an answer."""
    review = seen.review
    said = "Your answer is kept; it waits for others." if review.status is Status.PENDING else review.ended_by
    return page(200, f"It is {review.status.value}", f"<p>{safe(said)}", _votes(review))
