"""The listener of trusted proxies: WSGI under ASGI, which tells headers as they came.

Under WSGI `X_Remote_User`, which a proxy passes on from its client, looks like the `X-Remote-User` of the proxy itself.
"""

from __future__ import annotations

import asyncio
import io
import sys
import threading
from collections.abc import Awaitable, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import unquote_to_bytes
from wsgiref.types import WSGIApplication

from authz.frontproxy import KEY, PREFIX, Headers
from registry_meta.kube.arrival import LONGEST

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


class Bridge:
    """An ASGI application that has a WSGI application answer in threads."""

    def __init__(self, application: WSGIApplication, *, threads: int, seconds: float) -> None:
        self._application = application
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="proxied")
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; a body that does not come in time is answered 408, one that is too long 413."""
        try:
            body = await asyncio.wait_for(_body(receive), self._seconds)
        except TimeoutError:
            return await _refuse(send, 408)
        if body is None:
            return None
        if len(body) > LONGEST:
            return await _refuse(send, 413)
        loop = asyncio.get_running_loop()
        gone = threading.Event()
        waiting = loop.create_task(_disconnected(receive, gone))
        answer = Answer(loop, send, gone)
        try:
            await loop.run_in_executor(self._pool, answer.give, self._application, environ_of(scope, body))
        finally:
            waiting.cancel()
        return None


class Answer:
    """What a WSGI application answers, sent from a thread."""

    def __init__(self, loop: asyncio.AbstractEventLoop, send: Send, gone: threading.Event) -> None:
        self._loop = loop
        self._send = send
        self._gone = gone
        self._head: dict[str, Any] = {}

    def give(self, application: WSGIApplication, environ: dict[str, Any]) -> None:
        """Have the application answer, piece by piece until the client is gone."""
        pieces: Iterable[bytes] = application(environ, self._start)
        try:
            self._tell(self._head)
            # The web server sends the head with the first piece, which a watch may not have for long.
            self._tell({"type": "http.response.body", "body": b"", "more_body": True})
            for piece in pieces:
                if self._gone.is_set():
                    return
                self._tell({"type": "http.response.body", "body": piece, "more_body": True})
            self._tell({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            close = getattr(pieces, "close", None)
            if close is not None:
                close()

    def _start(self, status: str, headers: list[tuple[str, str]], *more: Any) -> Any:
        lines = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]
        self._head = {"type": "http.response.start", "status": int(status[:3]), "headers": lines}

    def _tell(self, message: dict[str, Any]) -> None:
        asyncio.run_coroutine_threadsafe(_sent(self._send, message), self._loop).result()


def environ_of(scope: Scope, body: bytes) -> dict[str, Any]:
    """Return the WSGI environ of a request, in which the headers of a proxy are apart from all others."""
    headers: Headers = [(name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in scope["headers"]]
    raw: bytes = scope.get("raw_path") or scope["path"].encode()
    environ: dict[str, Any] = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(raw.partition(b"?")[0]).decode("latin-1"),
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "SERVER_NAME": str(scope["server"][0]),
        "SERVER_PORT": str(scope["server"][1]),
        "REMOTE_ADDR": str(scope["client"][0]),
        "wsgi.url_scheme": scope["scheme"],
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": sys.stderr,
        "wsgi.version": (1, 0),
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
        KEY: [(name, value) for name, value in headers if name.startswith(PREFIX)],
    }
    for name, value in headers:
        if "_" in name or name.startswith(PREFIX) or name in ("content-length", "transfer-encoding"):
            continue
        key = "CONTENT_TYPE" if name == "content-type" else f"HTTP_{name.upper().replace('-', '_')}"
        environ[key] = f"{environ[key]},{value}" if key in environ else value
    environ["CONTENT_LENGTH"] = str(len(body))
    return environ


async def _body(receive: Receive) -> bytes | None:
    """Return a body, of a longer one no more than is needed to see that; None when the client has left."""
    body = bytearray()
    while len(body) <= LONGEST:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    return bytes(body)


async def _disconnected(receive: Receive, gone: threading.Event) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    gone.set()


async def _sent(send: Send, message: dict[str, Any]) -> None:
    await send(message)


async def _refuse(send: Send, status: int) -> None:
    await send({"type": "http.response.start", "status": status, "headers": []})
    await send({"type": "http.response.body", "body": b"", "more_body": False})
