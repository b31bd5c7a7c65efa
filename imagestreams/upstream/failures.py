"""What the network libraries raise, told as errors of the client in words that users of registries know."""

from __future__ import annotations

import http.client
import socket
import ssl
from collections.abc import Iterator
from urllib.parse import urlsplit, urlunsplit

import requests
import urllib3.exceptions

from imagestreams.upstream.errors import Malformed, Unreachable, Untrusted, UpstreamError

UNKNOWN_AUTHORITY = frozenset({2, 18, 19, 20, 21})
"""OpenSSL's codes for a chain that does not lead to a trusted authority."""
EXPIRED, NOT_YET_VALID, WRONG_HOST, WRONG_ADDRESS = 10, 9, 62, 64
NO_TLS = frozenset({"WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "HTTP_REQUEST", "PACKET_LENGTH_TOO_LONG"})

UNREADABLE_URL = (
    requests.exceptions.InvalidURL,
    requests.exceptions.InvalidSchema,
    requests.exceptions.MissingSchema,
    urllib3.exceptions.LocationParseError,
)


def shown(url: str) -> str:
    """Return a URL as messages may show it: without user, query and fragment, where signatures and secrets hide."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "(a malformed URL)"
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def request_line(method: str, url: str) -> str:
    """Return how messages name a request: `Get "https://…"`."""
    return f'{method.capitalize()} "{shown(url)}"'


def failure_of(error: Exception, *, method: str, url: str) -> UpstreamError:
    """Return the client's error for one of requests, urllib3 or the operating system."""
    chain = list(_chain(error))
    words = request_line(method, url)
    host = urlsplit(url).netloc.rpartition("@")[2] if "://" in url else url
    for cause in chain:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return Untrusted(f"{words}: tls: failed to verify certificate: x509: {_certificate_fault(cause, host)}")
        if isinstance(cause, ssl.SSLError) and not isinstance(cause, ssl.SSLEOFError | ssl.SSLZeroReturnError):
            return Untrusted(f"{words}: {_tls_fault(cause)}")
    if any(isinstance(cause, UNREADABLE_URL) for cause in chain):
        return Malformed(f"{words}: the URL is malformed")
    if any(isinstance(cause, urllib3.exceptions.DecodeError) for cause in chain):
        return Malformed(f"{words}: the compressed body cannot be read")
    return _unreachable(chain, words, host)


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield an exception and all that it wraps, however the libraries keep it.

    What merely happened before (`__context__`) is left out: it may belong to another request.
    """
    seen: list[BaseException] = []
    waiting: list[object] = [error]
    while waiting:
        cause = waiting.pop(0)
        if not isinstance(cause, BaseException) or any(cause is other for other in seen):
            continue
        seen.append(cause)
        yield cause
        waiting += [*cause.args, getattr(cause, "reason", None), cause.__cause__]


def _certificate_fault(error: ssl.SSLCertVerificationError, host: str) -> str:
    if error.verify_code in UNKNOWN_AUTHORITY:
        return "certificate signed by unknown authority"
    if error.verify_code in (EXPIRED, NOT_YET_VALID):
        return "certificate has expired or is not yet valid"
    if error.verify_code in (WRONG_HOST, WRONG_ADDRESS):
        return f"certificate is not valid for {host}"
    return error.verify_message or "the certificate is not valid"


def _tls_fault(error: ssl.SSLError) -> str:
    if error.reason in NO_TLS:
        return "http: server gave HTTP response to HTTPS client"
    return f"tls: {(error.reason or 'handshake failure').lower().replace('_', ' ')}"


def _unreachable(chain: list[BaseException], words: str, host: str) -> Unreachable:
    def has(*kinds: type[BaseException]) -> bool:
        return any(isinstance(cause, kinds) for cause in chain)

    for cause in chain:
        if isinstance(cause, socket.gaierror):
            again = cause.errno == socket.EAI_AGAIN
            what = "server misbehaving" if again else "no such host"
            return Unreachable(f"{words}: dial tcp: lookup {_name(host)}: {what}", lost=again)
    if has(urllib3.exceptions.ProxyError):
        return Unreachable(f"{words}: proxyconnect: the proxy cannot be reached or refuses")
    # urllib3 counts every failure to connect as a timeout, so the other kind is asked for first.
    if has(urllib3.exceptions.NewConnectionError):
        return Unreachable(f"{words}: dial tcp {host}: connect: {_refusal(chain)}")
    if has(urllib3.exceptions.ConnectTimeoutError):
        return Unreachable(f"{words}: dial tcp {host}: i/o timeout")
    if has(TimeoutError, urllib3.exceptions.ReadTimeoutError):
        return Unreachable(f"{words}: net/http: timeout awaiting response", lost=True)
    if has(http.client.IncompleteRead, urllib3.exceptions.IncompleteRead):
        return Unreachable(f"{words}: unexpected EOF", lost=True)
    if has(http.client.RemoteDisconnected, ssl.SSLEOFError, ssl.SSLZeroReturnError):
        return Unreachable(f"{words}: EOF", lost=True)
    if has(ConnectionResetError, BrokenPipeError):
        return Unreachable(f"{words}: connection reset by peer", lost=True)
    return Unreachable(f"{words}: malformed HTTP response", lost=True)


def _name(host: str) -> str:
    return host.rpartition(":")[0] if ":" in host and not host.endswith("]") else host


def _refusal(chain: list[BaseException]) -> str:
    """Return the words of the operating system for a connection that could not be made."""
    for cause in chain:
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror.lower()
    return "cannot be reached"
