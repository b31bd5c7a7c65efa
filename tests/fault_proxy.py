"""A way to a server on which faults can be put: it passes requests on as they are, until it is told otherwise."""

from __future__ import annotations

import http.client
import http.server
import re
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from tests.registries import Reply

HOP_BY_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "te", "trailer", "upgrade", "date", "server"})
PATIENCE = 30.0
CHALLENGE = re.compile(r'realm="[^"]*"')
RESET = struct.pack("ii", 1, 0)
"""SO_LINGER such that closing a socket resets the connection."""
PLAIN = "plain"
"""In place of TLS: none."""

Act = Callable[["Exchange"], None]
"""What a fault does with a request."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What happens to requests whose path, with the query, has a pattern in it; `times` is how often, None for ever."""

    act: Act
    where: str = ""
    times: int | None = None


class FaultProxy:
    """A way to the server at `target` (a URL), on a port of its own. Use as a context.

    Challenges of the server are passed on with `realm` in place of the one that they name. With `tls` it speaks https.
    Each connection carries one request, so that a fault never meets a connection of before.
    """

    def __init__(self, target: str, *, realm: str = "", tls: ssl.SSLContext | None = None) -> None:
        self.target = urlsplit(target)
        self.realm = realm
        self.met = 0
        """How many requests met a fault."""
        self.mended = threading.Event()
        self._tls = tls
        self._tls_now: ssl.SSLContext | str | None = tls
        self._fault: Fault | None = None
        self._lock = threading.Lock()
        self._listener: socket.socket | None = None
        self.port = 0

    @property
    def host(self) -> str:
        """The name of this way in pull specs."""
        return f"127.0.0.1:{self.port}"

    @property
    def alias(self) -> str:
        """Another name of it."""
        return f"localhost:{self.port}"

    @property
    def base(self) -> str:
        """The URL of this way."""
        return f"{'https' if self._tls else 'http'}://{self.host}"

    def __enter__(self) -> Self:
        self._bind()
        self._listen()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.mended.set()
        self._close()

    # --- faults

    def put(self, fault: Fault) -> None:
        """Let a fault happen from now on."""
        self.mended.clear()
        with self._lock:
            self._fault = fault

    def speak(self, tls: ssl.SSLContext | str) -> None:
        """Speak TLS by another identity, or not at all (`PLAIN`)."""
        self._tls_now = tls

    def refuse(self) -> None:
        """Refuse connections; the port stays taken, so that nobody else gets it."""
        self._close()
        self._bind()

    def mend(self) -> None:
        """Pass everything on again."""
        with self._lock:
            self._fault = None
        self._tls_now = self._tls
        self.mended.set()
        if self._listener is None:
            self._listen()

    def fault_for(self, path: str) -> Fault | None:
        """Return the fault that a request for a path meets, and count it."""
        with self._lock:
            fault = self._fault
            if (
                fault is None
                or not re.search(fault.where, path)
                or (fault.times is not None and self.met >= fault.times)
            ):
                return None
            self.met += 1
            return fault

    # --- connections

    def _bind(self) -> None:
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind(("127.0.0.1", self.port))
        self.port = self._socket.getsockname()[1]

    def _listen(self) -> None:
        self._socket.listen(128)
        self._listener = self._socket
        threading.Thread(target=self._accept, args=(self._socket,), daemon=True).start()

    def _close(self) -> None:
        self._listener = None
        with suppress(OSError):
            # Wakes the thread that accepts.
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, address = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection, address), daemon=True).start()

    def _serve(self, connection: socket.socket, address: object) -> None:
        connection.settimeout(PATIENCE)
        tls = self._tls_now
        with suppress(OSError), connection:
            if isinstance(tls, ssl.SSLContext):
                with tls.wrap_socket(connection, server_side=True) as wrapped:
                    Exchange(wrapped, address, self)
            else:
                Exchange(connection, address, self)


class Exchange(http.server.BaseHTTPRequestHandler):
    """A request on its way, and what faults can do with it."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def __init__(self, connection: socket.socket, address: object, proxy: FaultProxy) -> None:
        self.proxy = proxy
        self.sent = b""
        super().__init__(connection, address, proxy)  # type: ignore[arg-type]  # the base class only keeps them

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        self.sent = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.close_connection = True
        fault = self.proxy.fault_for(self.path)
        if fault is None:
            self.send(self.ask())
        else:
            fault.act(self)

    do_HEAD = do_POST = do_GET

    def ask(self, path: str = "") -> Reply:
        """Return the real answer, or that for another path."""
        target = self.proxy.target
        headers = {name: value for name, value in self.headers.items() if name.lower() not in HOP_BY_HOP}
        if target.scheme == "https":
            made: http.client.HTTPConnection = http.client.HTTPSConnection(
                target.netloc, timeout=PATIENCE, context=ssl._create_unverified_context()
            )
        else:
            made = http.client.HTTPConnection(target.netloc, timeout=PATIENCE)
        try:
            made.request(self.command, path or self.path, self.sent or None, headers)
            answer = made.getresponse()
            return Reply(answer.status, answer.read(), self._passed_on(answer.headers))
        finally:
            made.close()

    def _passed_on(self, headers: http.client.HTTPMessage) -> dict[str, str | list[str]]:
        found: dict[str, str | list[str]] = {}
        for name in set(headers) - {name for name in headers if name.lower() in HOP_BY_HOP}:
            values = headers.get_all(name) or []
            if name.lower() == "www-authenticate" and self.proxy.realm:
                values = [CHALLENGE.sub(f'realm="{self.proxy.realm}"', value) for value in values]
            found[name] = values
        return found

    def send(self, reply: Reply) -> None:
        """Send an answer, with the body unless it is one to HEAD."""
        data = reply.body.encode() if isinstance(reply.body, str) else reply.body
        self.begin(reply.status, reply.headers, length=len(data))
        if self.command != "HEAD":
            self.wfile.write(data)

    def begin(self, status: int, headers: Mapping[str, str | list[str]], *, length: int | None) -> None:
        """Send the head of an answer; without a length, that of one in chunks.

        What HEAD is told of the length is what the server said.
        """
        self.send_response(status)
        given = {name.lower() for name in headers}
        for name, value in headers.items():
            for one in value if isinstance(value, list) else [value]:
                if name.lower() != "content-length" or self.command == "HEAD":
                    self.send_header(name, one)
        if length is None:
            self.send_header("Transfer-Encoding", "chunked")
        elif self.command != "HEAD" or "content-length" not in given:
            self.send_header("Content-Length", str(length))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.flush()

    def reset(self) -> None:
        """Break the connection off, so that the client hears of it as an error."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        self.connection.close()

    def wait(self, seconds: float = PATIENCE) -> None:
        """Return when the fault is mended, or after some time."""
        self.proxy.mended.wait(seconds)
