"""Connections byte by byte: what clients of no library may send, over HTTP/1.1 and HTTP/2."""

from __future__ import annotations

import contextlib
import socket
import ssl
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import Event

from tests.server import Server

PATIENCE = 40.0
Headers = Sequence[tuple[str, str]]


def context(ca: Path, *protocols: str) -> ssl.SSLContext:
    """Return how to trust a server of this authority."""
    made = ssl.create_default_context(cafile=str(ca))
    made.set_alpn_protocols(protocols)
    return made


@contextlib.contextmanager
def connect(server: Server, *protocols: str, port: int = 0) -> Iterator[ssl.SSLSocket]:
    """A TLS connection that speaks the first of these protocols that the server knows."""
    with (
        socket.create_connection(("127.0.0.1", port or server.port), timeout=PATIENCE) as plain,
        context(server.ca, *protocols).wrap_socket(plain, server_hostname="127.0.0.1") as wrapped,
    ):
        yield wrapped


class Answer:
    """The answer to one request over HTTP/1.1, as it came until the connection was closed or enough was there."""

    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        head, _, body = raw.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        self.code = int(first.split(" ")[1]) if first else 0
        self.headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        self.body = _joined(body) if self.headers.get("transfer-encoding") == "chunked" else body


def send(server: Server, raw: bytes, *, half_close: bool = False, port: int = 0) -> Answer:
    """Return what the server answers to these bytes on a connection of their own."""
    with connect(server, "http/1.1", port=port) as sock:
        sock.sendall(raw)
        if half_close:
            socket.socket.shutdown(sock, socket.SHUT_WR)  # that of TLS would take the connection for one in the clear
        return read(sock)


def read(sock: ssl.SSLSocket) -> Answer:
    """Return one answer: to the end of its length, or of the connection."""
    raw = b""
    while True:
        head, found, body = raw.partition(b"\r\n\r\n")
        if found and _is_whole(head, body):
            return Answer(raw)
        try:
            piece = sock.recv(65536)
        except (ConnectionError, ssl.SSLError):
            piece = b""
        if not piece:
            return Answer(raw)
        raw += piece


def _joined(chunks: bytes) -> bytes:
    """Return what chunks hold (RFC 9112, section 7.1)."""
    found = b""
    while chunks:
        size, _, rest = chunks.partition(b"\r\n")
        length = int(size, 16)
        found += rest[:length]
        chunks = rest[length + 2 :] if length else b""
    return found


def _is_whole(head: bytes, body: bytes) -> bool:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return len(body) >= int(line.partition(b":")[2])
        if line.startswith(b"transfer-encoding:"):
            return body.endswith(b"0\r\n\r\n")
    return False


class Http2:
    """One HTTP/2 connection, frame by frame."""

    def __init__(self, sock: ssl.SSLSocket) -> None:
        self.sock = sock
        self.closed = False
        self.frames = H2Connection(H2Configuration(client_side=True, header_encoding="utf-8"))
        self.frames.initiate_connection()
        self.flush()

    def flush(self) -> None:
        """Send what is to be sent."""
        with contextlib.suppress(OSError):
            self.sock.sendall(self.frames.data_to_send())

    def request(self, headers: Headers, *, ends: bool = True) -> int:
        """Begin a request and return its stream."""
        stream = self.frames.get_next_available_stream_id()
        self.frames.send_headers(stream, headers, end_stream=ends)
        self.flush()
        return stream

    def events(self, *, seconds: float, answers: bool = True) -> Iterator[Event]:
        """Yield what happens until the connection is closed or the time is up; without `answers` say nothing to it."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            self.sock.settimeout(left)
            try:
                data = self.sock.recv(65536)
            except TimeoutError:
                return
            except (ConnectionError, ssl.SSLError):
                data = b""
            if not data:
                self.closed = True
                return
            found = self.frames.receive_data(data)
            if answers:
                self.flush()
            yield from found


@contextlib.contextmanager
def http2(server: Server) -> Iterator[Http2]:
    """An HTTP/2 connection to a server."""
    with connect(server, "h2") as sock:
        assert sock.selected_alpn_protocol() == "h2"
        yield Http2(sock)


def asking(server: Server, method: str = "GET", path: str = "/version", **more: str) -> list[tuple[str, str]]:
    """Return the headers of a request over HTTP/2."""
    return [
        (":method", method),
        (":path", path),
        (":scheme", "https"),
        (":authority", f"127.0.0.1:{server.port}"),
        *((name.replace("_", "-"), value) for name, value in more.items()),
    ]
