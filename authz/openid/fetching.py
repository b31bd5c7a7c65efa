"""Questions to OpenID providers over HTTPS: short, small, and never redirected."""

from __future__ import annotations

import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import msgspec
import urllib3
from django.db import connection
from requests.utils import DEFAULT_CA_BUNDLE_PATH, get_environ_proxies, select_proxy
from urllib3.exceptions import HTTPError

SECONDS = 5.0
"""How long a connection and the first byte may take together, and the whole answer."""

LIMIT = 1024 * 1024
CHUNK = 64 * 1024
FORM = "application/x-www-form-urlencoded"
CANNOT_CONNECT = "it cannot be reached, or its certificate is not trusted"


class FetchFailed(Exception):
    """A provider gave no answer that can be used; the message holds nothing that was sent."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The status and the JSON object of an answer; an error need not have one."""

    status: int
    content: dict[str, Any] = field(repr=False)


def leave_database() -> None:
    """Give back the connection to the database before this thread waits for others; in a transaction it is kept.

    There are few connections, and whoever makes a provider slow must not be able to hold them all.
    """
    if not connection.in_atomic_block:
        connection.close()


class Fetcher:
    """Asks one provider, whose certificate must be signed by given authorities, or else by those of the system."""

    def __init__(self, authorities: str = "", *, seconds: float = SECONDS, limit: int = LIMIT) -> None:
        self._context = trust(authorities)
        self._seconds = seconds
        self._limit = limit

    def get(self, url: str, *, headers: Mapping[str, str] | None = None) -> dict[str, Any]:
        """Return the JSON object at a URL; raises FetchFailed."""
        answer = self._ask("GET", url, None, headers or {})
        if answer.status != 200:
            raise FetchFailed(f"{shown(url)}: the answer is {answer.status}")
        return answer.content

    def post(self, url: str, form: Mapping[str, str], *, headers: Mapping[str, str]) -> Answer:
        """Return the answer to a form, whatever its status; raises FetchFailed."""
        return self._ask("POST", url, urlencode(form).encode(), {**headers, "Content-Type": FORM})

    def _ask(self, method: str, url: str, body: bytes | None, headers: Mapping[str, str]) -> Answer:
        if not is_https(url):
            raise FetchFailed(f"{shown(url)}: this is no https URL")
        leave_database()
        deadline = time.monotonic() + self._seconds
        sent = {"Accept": "application/json", "Accept-Encoding": "identity", **headers}
        try:
            with self._manager(url) as manager:
                response = manager.request(
                    method, url, body=body, headers=sent, redirect=False, retries=False, preload_content=False,
                    timeout=urllib3.Timeout(total=self._seconds),
                )  # fmt: skip
                return _answer(url, response.status, self._read(url, response, deadline))
        except (HTTPError, OSError, UnicodeError):
            # Not chained: what the library says may hold what was sent.
            raise FetchFailed(f"{shown(url)}: {CANNOT_CONNECT}") from None

    def _manager(self, url: str) -> urllib3.PoolManager:
        proxy = select_proxy(url, get_environ_proxies(url))
        return urllib3.ProxyManager(proxy, ssl_context=self._context) if proxy else self._direct()

    def _direct(self) -> urllib3.PoolManager:
        return urllib3.PoolManager(ssl_context=self._context)

    def _read(self, url: str, response: urllib3.BaseHTTPResponse, deadline: float) -> bytes:
        body = bytearray()
        while len(body) <= self._limit:
            if time.monotonic() > deadline:
                raise FetchFailed(f"{shown(url)}: the answer takes too long")
            # What is there, so that one who drips bytes cannot outlast the deadline.
            chunk = response.read1(min(CHUNK, self._limit + 1 - len(body)))
            if not chunk:
                return bytes(body)
            body += chunk
        raise FetchFailed(f"{shown(url)}: the answer is larger than {self._limit} bytes")


def trust(authorities: str) -> ssl.SSLContext:
    """Return what verifies certificates: by authorities in PEM, else by the system's, else by those of certifi."""
    if authorities:
        return ssl.create_default_context(cadata=authorities)
    system = ssl.get_default_verify_paths()
    if system.cafile or (system.capath and any(Path(system.capath).iterdir())):
        return ssl.create_default_context()
    return ssl.create_default_context(cafile=DEFAULT_CA_BUNDLE_PATH)


def _answer(url: str, status: int, body: bytes) -> Answer:
    try:
        return Answer(status, msgspec.json.decode(body, type=dict[str, Any]))
    except (msgspec.MsgspecError, UnicodeDecodeError):
        if status == 200:
            raise FetchFailed(f"{shown(url)}: the answer is no JSON object") from None
        return Answer(status, {})


def is_https(url: object) -> bool:
    """Return whether a value is an absolute https URL without a user, a query and a fragment of its own."""
    if not isinstance(url, str):
        return False
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018  # raises for what is no port
    except ValueError:
        return False
    return parts.scheme == "https" and bool(parts.hostname) and "@" not in parts.netloc and not parts.fragment


def shown(url: str) -> str:
    """Return a URL without what may be secret in it."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
