"""A notice as a CloudEvent (1.0, structured mode), for whoever can read JSON over HTTPS. Pure.
It must never be sent unsigned: who receives it could not tell it from anybody's."""

import json
from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import urlsplit

from wicketgate.channels.notice import Notice, moment
from wicketgate.channels.signatures import headers
from wicketgate.model.secret import Secret

MEDIA_TYPE: Final = "application/cloudevents+json; charset=utf-8"
TYPES: Final = "org.wicketgate."


def event(notice: Notice) -> dict[str, Any]:
    """As JSON values."""
    where = urlsplit(notice.link)
    return {
        "specversion": "1.0",
        "id": notice.id,
        "source": f"{where.scheme}://{where.netloc}" if notice.link else "urn:wicketgate",
        "type": TYPES + ("channel.test" if notice.what == "test" else f"review.{notice.what}"),
        "subject": notice.review,
        "time": moment(notice.at),
        "datacontenttype": "application/json",
        "data": dict(notice.data),
    }


def request(notice: Notice, keys: Sequence[Secret], seconds: int) -> tuple[dict[str, str], bytes]:
    """Headers and body. keys: of the channel, each signs. seconds: now."""
    body = json.dumps(event(notice), ensure_ascii=True, separators=(",", ":")).encode("ascii")
    return {"content-type": MEDIA_TYPE, **headers(keys, notice.id, seconds, body)}, body
