"""Pages of lists: a cursor says where the next one begins, and Link where it is.
A cursor must never widen what is seen: it is a place in an order, and what is shown is decided anew."""

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from typing import Annotated, Final, TypeVar
from urllib.parse import urlencode

from fastapi import Query, Request, Response

from wicketgate.api.problems import NotValid

T = TypeVar("T")
Key = tuple[int, str]

USUAL: Final = 100
MOST: Final = 1000
HIGHEST: Final = (1 << 63) - 1
LONGEST: Final = 512

Limit = Annotated[int, Query(ge=1, le=MOST, description="How many at most; Link leads to those behind.")]
Cursor = Annotated[
    str | None,
    Query(max_length=LONGEST, description="Where to go on: as the Link of the page before has it."),
]


def read(cursor: str | None, name: str) -> Key | None:
    """The key behind which the list of this name goes on; None: from the beginning. Raises NotValid."""
    if cursor is None:
        return None
    try:
        found = json.loads(base64.b64decode(cursor.encode("ascii"), altchars=b"-_", validate=True))
        of, moment, text = found
        if of == name and type(moment) is int and 0 <= moment <= HIGHEST and type(text) is str:
            text.encode("utf-8")
            if "\0" not in text:
                return moment, text
    except (ValueError, TypeError, RecursionError, binascii.Error):
        pass
    raise NotValid("query.cursor: it is no cursor of this list")


def write(name: str, key: Key) -> str:
    text = json.dumps([name, *key], separators=(",", ":"))
    return base64.b64encode(text.encode("utf-8"), altchars=b"-_").decode("ascii")


def cut(
    found: Sequence[T],
    limit: int,
    name: str,
    key: Callable[[T], Key],
    request: Request,
    response: Response,
) -> Sequence[T]:
    """The page, of one more than it takes; where that is there, Link names the next one. The address is
    relative: what a client sent as Host is not repeated."""
    if len(found) <= limit:
        return found
    page = found[:limit]
    query = [each for each in request.query_params.multi_items() if each[0] != "cursor"]
    query.append(("cursor", write(name, key(page[-1]))))
    response.headers["link"] = f'<{request.scope["path"]}?{urlencode(query)}>; rel="next"'
    return page
