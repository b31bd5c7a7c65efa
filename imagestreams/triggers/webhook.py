"""One guarded HTTP POST: to a checked address, within a total time, without following redirects."""

from __future__ import annotations

import ipaddress
import queue
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import partial
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests.structures import CaseInsensitiveDict
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import LocationParseError

SECONDS = 10.0
CONNECT_SECONDS = 5.0
PLAIN_HEADERS = {"User-Agent": "registry-meta", "Accept": "*/*", "Accept-Encoding": "identity"}
NAT64 = ipaddress.ip_network("64:ff9b::/96")

Address = tuple[socket.AddressFamily, tuple[Any, ...]]
"""A socket address with its family, as `socket.getaddrinfo` gives them."""


class WebhookError(Exception):
    """The consumer was not reached; the text says why and holds nothing of the URL but its host."""


class Unreachable(WebhookError):
    """There was no answer this time."""


class Refused(WebhookError):
    """Such a target is not spoken to."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a consumer answered; `retry_after` is in seconds, 0 when it names none."""

    status: int
    retry_after: int = 0


def post(
    url: str, content: bytes, headers: Mapping[str, str], *, allow_private: bool, seconds: float = SECONDS
) -> Answer:
    """Send a body and return the answer, whatever its status; its body is not read.

    Raises Refused for a target that may not be spoken to and Unreachable when no answer came in time.
    """
    with Dialer(allow_private=allow_private, seconds=seconds) as dialer, requests.Session() as session:
        session.headers = CaseInsensitiveDict(PLAIN_HEADERS)
        session.trust_env = False  # a proxy or .netrc of the server is no business of the consumer's
        session.mount("http://", _Adapter(dialer))
        session.mount("https://", _Adapter(dialer))
        try:
            response = session.post(
                url, data=content, headers={**headers, "Connection": "close"}, allow_redirects=False, stream=True,
                timeout=(CONNECT_SECONDS, seconds),
            )  # fmt: skip
        except (requests.RequestException, LocationParseError, UnicodeError) as error:
            raise Unreachable(_why(error, dialer, seconds)) from None  # the cause's text holds the URL
        with response:
            return Answer(response.status_code, _retry_after(response.headers.get("Retry-After", "")))


def check_target(url: str, *, allow_private: bool, seconds: float = CONNECT_SECONDS) -> None:
    """Raise Refused when a URL leads only to addresses that are not spoken to; one that leads nowhere may come yet."""
    parts = urlsplit(url)
    try:
        list(_allowed(parts.hostname or "", parts.port or 443, allow_private=allow_private, seconds=seconds))
    except (OSError, UnicodeError):
        return


def _why(error: Exception, dialer: Dialer, seconds: float) -> str:
    """Return why there was no answer, in words of ours."""
    if dialer.expired or isinstance(error, requests.Timeout):
        return f"the consumer did not answer within {seconds:g} seconds"
    if isinstance(error, requests.exceptions.SSLError):
        untrusted = "CERTIFICATE_VERIFY_FAILED" in str(error)
        return f"TLS failed: {'the certificate of the consumer is not trusted' if untrusted else 'no handshake'}"
    if isinstance(error, requests.ConnectionError):
        return f"there is no connection to the consumer: {dialer.failure or 'it was closed'}"
    return f"the request could not be sent: {type(error).__name__}"


def _retry_after(text: str) -> int:
    """Return the seconds of a Retry-After header (RFC 9110 §10.2.3): a number, or an HTTP date."""
    if text.strip().isascii() and text.strip().isdigit():
        return int(text.strip()[:9])
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return 0
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0, int((moment - datetime.now(UTC)).total_seconds()))


class Dialer:
    """Connects to allowed addresses only, and cuts every connection when the time is over."""

    def __init__(self, *, allow_private: bool, seconds: float) -> None:
        self.failure = ""
        self.expired = False
        self._allow_private = allow_private
        self._deadline = time.monotonic() + seconds
        self._open: list[socket.socket] = []
        self._timer = threading.Timer(seconds, self._cut)
        self._timer.daemon = True

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._timer.cancel()
        for duplicate in self._open:
            duplicate.close()

    def connect(self, host: str, port: int) -> socket.socket:
        """Return a connection to the first allowed address of a host that accepts one.

        Raises Refused when no address is allowed and OSError when none can be reached.
        """
        failure: OSError = OSError("its host name has no address")
        try:
            for family, address in _allowed(
                host, port, allow_private=self._allow_private, seconds=min(CONNECT_SECONDS, self._remaining())
            ):
                try:
                    return self._dial(family, address)
                except OSError as error:
                    failure = error
        except socket.gaierror as error:
            failure = error
        self.failure = failure.strerror or str(failure)
        raise failure

    def _dial(self, family: socket.AddressFamily, address: tuple[Any, ...]) -> socket.socket:
        connection = socket.socket(family, socket.SOCK_STREAM)
        try:
            connection.settimeout(min(CONNECT_SECONDS, self._remaining()))
            connection.connect(address)
            # The duplicate reaches the connection even after TLS has taken the socket over.
            self._open.append(connection.dup())
            if self.expired:
                raise TimeoutError("the time is over")
        except OSError:
            connection.close()
            raise
        return connection

    def _remaining(self) -> float:
        return max(0.001, self._deadline - time.monotonic())

    def _cut(self) -> None:
        self.expired = True
        for duplicate in self._open:
            try:
                duplicate.shutdown(socket.SHUT_RDWR)
            except OSError:  # it is closed already
                continue


def _allowed(host: str, port: int, *, allow_private: bool, seconds: float) -> Iterator[Address]:
    """Yield the addresses of a host that may be spoken to; raises Refused when there are addresses but none may."""
    refused = True
    for family, address in _addresses(host, port, seconds=seconds):
        if allow_private or is_public(str(address[0])):
            refused = False
            yield family, address
    if refused:
        raise Refused(f"{host} is a loopback, link-local, private or otherwise special address")


def is_public(address: str) -> bool:
    """Return whether an address, or the one that it embeds, is one of the public internet."""
    parsed = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(parsed, ipaddress.IPv6Address):
        embedded = [parsed.ipv4_mapped, parsed.sixtofour, *(parsed.teredo or ())]
        if parsed in NAT64:
            embedded.append(ipaddress.IPv4Address(int(parsed) & 0xFFFFFFFF))
        if any(inner is not None and not is_public(str(inner)) for inner in embedded):
            return False
        if parsed.ipv4_mapped is not None or parsed in NAT64:
            return True
    return parsed.is_global and not (parsed.is_multicast or parsed.is_reserved or parsed.is_unspecified)


def _addresses(host: str, port: int, *, seconds: float) -> list[Address]:
    """Return the addresses of a host; the resolver gets so many seconds, for it knows no limit of its own.

    Raises OSError when there are none in that time.
    """
    found: queue.SimpleQueue[list[Address] | Exception] = queue.SimpleQueue()

    def look_up() -> None:
        try:
            infos = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)
            found.put([(info[0], tuple(info[4])) for info in infos])
        except Exception as error:
            found.put(error)

    threading.Thread(target=look_up, name="resolver", daemon=True).start()
    try:
        result = found.get(timeout=seconds)
    except queue.Empty:
        raise TimeoutError("its host name was not resolved in time") from None
    if isinstance(result, Exception):
        raise result
    return result


class _HTTPConnection(HTTPConnection):
    def __init__(self, *args: Any, dialer: Dialer, **options: Any) -> None:
        super().__init__(*args, **options)
        self._dialer = dialer

    def _new_conn(self) -> socket.socket:
        return self._dialer.connect(self.host, self.port or 80)


class _HTTPSConnection(HTTPSConnection):
    def __init__(self, *args: Any, dialer: Dialer, **options: Any) -> None:
        super().__init__(*args, **options)
        self._dialer = dialer

    def _new_conn(self) -> socket.socket:
        return self._dialer.connect(self.host, self.port or 443)


class _HTTPPool(HTTPConnectionPool):
    ConnectionCls = _HTTPConnection


class _HTTPSPool(HTTPSConnectionPool):
    ConnectionCls = _HTTPSConnection


class _Adapter(HTTPAdapter):
    """Opens every connection through a dialer; certificates are checked against the name in the URL as ever."""

    def __init__(self, dialer: Dialer) -> None:
        self._dialer = dialer
        super().__init__(max_retries=0)

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        """Make the pools with connections of our own."""
        super().init_poolmanager(*args, **options)
        self.poolmanager.pool_classes_by_scheme = {
            "http": partial(_HTTPPool, dialer=self._dialer),
            "https": partial(_HTTPSPool, dialer=self._dialer),
        }
