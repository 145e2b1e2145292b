"""A browser, played: goes where it is sent, keeps cookies, fills in whatever form comes, and runs nothing."""

from __future__ import annotations

import html
import http.cookiejar
import re
import ssl
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlencode, urljoin


class Browser:
    """One person's. fills: what is typed into fields by their names. ca: PEM to trust beside nothing else."""

    def __init__(self, fills: Mapping[str, str], ca: Path | None = None) -> None:
        self.fills = dict(fills)
        self.cookies = http.cookiejar.CookieJar()
        self.sent: list[tuple[str, dict[str, str]]] = []
        """The forms that it sent: where to, and what."""
        context = ssl.create_default_context(cafile=str(ca) if ca is not None else None)
        self._opener = urllib.request.build_opener(
            urllib.request.HTTPCookieProcessor(self.cookies), urllib.request.HTTPSHandler(context=context)
        )

    def open(self, address: str, data: bytes | None = None, until: str | None = None) -> str:
        """Go there, and on, until there is nothing to fill in. until: stops before a form is sent to an
        address with this in it, and leaves it in `sent`. The last page's text."""
        for _ in range(12):
            page, address = self.fetch(address, data)
            form = re.search(r"<form(.*?)>(.*?)</form>", page, re.DOTALL)
            onward = re.search(r"http-equiv=.?refresh.? content=\"0; url=(.*?)\"", page)
            if form is not None:
                fields = self._fill(form[2])
                action = re.search(r'action="(.*?)"', form[1])
                address = urljoin(address, html.unescape(action[1]) if action is not None else "")
                self.sent.append((address, fields))
                if until is not None and until in address:
                    return page
                data = urlencode(fields).encode()
            elif onward is not None:
                address, data = html.unescape(onward[1]), None
            else:
                return page
        raise AssertionError("a form came again and again")

    def fetch(self, address: str, data: bytes | None = None) -> tuple[str, str]:
        """One page and where it came from, whatever its status."""
        request = urllib.request.Request(address, data)
        try:
            with self._opener.open(request, timeout=20) as answer:
                return answer.read().decode(), answer.geturl()
        except urllib.error.HTTPError as answer:
            return answer.read().decode(), address

    def _fill(self, form: str) -> dict[str, str]:
        fields = {}
        for tag in re.findall(r"<(?:input|button)(.*?)/?>", form, re.DOTALL):
            name = re.search(r'name="(.*?)"', tag)
            value = re.search(r'value="(.*?)"', tag, re.DOTALL)
            if name is not None:
                typed = self.fills.get(name[1])
                fields[name[1]] = typed or (html.unescape(value[1]) if value is not None else "")
        return fields
