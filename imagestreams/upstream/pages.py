"""The pages of a tag list (distribution specification, "Listing Tags"; links as in RFC 8288)."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit, urlunsplit

from imagestreams.upstream import taglists
from imagestreams.upstream.answers import Answer
from imagestreams.upstream.errors import Malformed, Unreachable
from imagestreams.upstream.failures import request_line
from imagestreams.upstream.transport import join, origin
from imagestreams.upstream.tries import PAUSES

_LINK = re.compile(r"<([^>]*)>([^,<]*(?:\"[^\"]*\"[^,<]*)*)")
_NEXT = re.compile(r';\s*rel\s*=\s*"?(?:[^";]*\s)?next\b', re.IGNORECASE)


class Page:
    """One page of tags, opened when it is read; `url` and `following`, the URL of the next, are known then."""

    def __init__(self, fetch: Callable[[], Answer]) -> None:
        self._fetch = fetch
        self.url = ""
        self.following: str | None = None

    def __iter__(self) -> Iterator[str]:
        for pause in (*PAUSES, None):
            answer = self._fetch()
            self.url, self.following = answer.url, next_page(answer)
            try:
                yield from _names(answer)
            except Unreachable as error:
                if not error.is_worth_retrying or pause is None:
                    raise
                time.sleep(pause)
            else:
                return


def _names(answer: Answer) -> Iterator[str]:
    if answer.stream is None:
        raise AssertionError("a page of tags is asked for as a stream")
    line = request_line("GET", answer.url)
    with answer.stream as pieces:
        try:
            yield from taglists.names(pieces)
        except Malformed as fault:
            raise fault if fault.text.startswith(line) else Malformed(f"{line}: {fault.text}") from fault


def next_page(answer: Answer) -> str | None:
    """Return the URL of the page after one, or None after the last; raises Malformed."""
    links = _LINK.findall(answer.headers.get("Link") or "")
    if not links:
        return None
    target: str = next((target for target, parameters in links if _NEXT.search(parameters)), links[0][0])
    url = join(answer.url, target)
    # A registry behind a proxy that ends TLS may not know that its clients speak https.
    if origin(url)[1] == origin(answer.url)[1] and origin(answer.url)[0] == "https":
        parts, here = urlsplit(url), urlsplit(answer.url)
        if parts.scheme == "http":
            url = urlunsplit((here.scheme, here.netloc, parts.path, parts.query, ""))
    return url
