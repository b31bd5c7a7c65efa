"""Where a browser may be sent back to, and how an answer is put into that address (RFC 6749, RFC 8252); pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from urllib.parse import urlencode, urlsplit

LOOPBACK = re.compile(r"(http://(?:127\.0\.0\.1|\[::1\]))(/.*)?")
"""A registered address on the machine of the browser, which leaves the port to the program that listens there."""

PORT = r"(?::[0-9]{1,5})?"
HIGHEST_PORT = 65535


def is_registered(uri: str, registered: Iterable[str]) -> bool:
    """Return whether an address is one of those of a client: letter by letter, but for the port of a loopback."""
    return any(_covers(pattern, uri) for pattern in registered)


def _covers(registered: str, uri: str) -> bool:
    loopback = LOOPBACK.fullmatch(registered)
    if loopback is None:
        return uri == registered
    host, rest = loopback[1], loopback[2] or ""
    return bool(re.fullmatch(re.escape(host) + PORT + re.escape(rest), uri)) and _has_a_port_that_exists(uri)


def _has_a_port_that_exists(uri: str) -> bool:
    digits = re.match(r"http://[^/]*:([0-9]+)(?:/|$)", uri)
    return digits is None or 0 < int(digits[1]) <= HIGHEST_PORT


def is_native(uri: str) -> bool:
    """Return whether an address leads to a program beside the browser, where another one may listen (RFC 8252)."""
    parts = urlsplit(uri)
    if parts.scheme == "http":
        return parts.hostname in ("127.0.0.1", "::1", "localhost")
    return parts.scheme != "https"


def in_query(uri: str, answer: Mapping[str, str]) -> str:
    """Return an address with an answer in its query; what is empty is left out."""
    return f"{uri}{'&' if '?' in uri else '?'}{_encoded(answer)}"


def in_fragment(uri: str, answer: Mapping[str, str]) -> str:
    """Return an address with an answer in its fragment, which browsers keep to themselves."""
    return f"{uri}#{_encoded(answer)}"


def _encoded(answer: Mapping[str, str]) -> str:
    return urlencode(sorted((key, value) for key, value in answer.items() if value))


def form_target(uri: str) -> str:
    """Return the source expression of a Content-Security-Policy that lets a form lead to an address.

    Browsers hold to the policy of a form whatever its answer redirects to. The grammar has no IPv6 addresses.
    """
    parts = urlsplit(uri)
    if parts.scheme not in ("http", "https") or ":" in (parts.hostname or ""):
        return f"{parts.scheme}:"
    return f"{parts.scheme}://{parts.netloc}"


def is_own_path(path: str) -> bool:
    """Return whether a text is a path of this server, however browsers read it, and no way to another one."""
    return bool(re.fullmatch(r"/(?![/\\])[!-\[\]-~]*", path))
