"""The pages of a tag list (distribution specification, "Listing Tags"; links as in RFC 8288)."""

from __future__ import annotations

import re
from urllib.parse import urlsplit, urlunsplit

from imagestreams.upstream.answers import Answer, parsed
from imagestreams.upstream.errors import Malformed
from imagestreams.upstream.failures import request_line
from imagestreams.upstream.transport import join, origin

_LINK = re.compile(r"<([^>]*)>([^,<]*(?:\"[^\"]*\"[^,<]*)*)")
_NEXT = re.compile(r';\s*rel\s*=\s*"?(?:[^";]*\s)?next\b', re.IGNORECASE)


def tag_names(answer: Answer) -> list[str]:
    """Return the tags on a page; raises Malformed."""
    try:
        document = parsed(answer.body)
    except Malformed as fault:
        raise Malformed(f"{request_line('GET', answer.url)}: {fault.text}") from fault
    names = document.get("tags") if isinstance(document, dict) else None
    if names is None and isinstance(document, dict):
        return []
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise Malformed(f"{request_line('GET', answer.url)}: the list of tags is no list of names")
    return names


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
