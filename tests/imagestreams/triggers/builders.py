"""Builders of moves, listeners and triggers, and consumers that really listen."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from imagestreams.api.imagetrigger import ImageTrigger, ImageTriggerSpec, SecretKeyReference, TriggerSource, Webhook
from imagestreams.triggers.match import Listener, TagMove
from registry_meta.kube.meta import ObjectMeta
from tests.imagestreams.builders import digest

NOW = datetime(2026, 1, 2, 3, 4, 5, 678900, tzinfo=UTC)
UID = "11111111-2222-4333-8444-555555555555"


def move(image: str = "b", previous: str = "a", *, tag: str = "latest", version: int = 7) -> TagMove:
    """Return a move of shop/app; images are given by the start of their digests, an empty one is none."""

    def reference(name: str) -> str:
        return f"quay.io/example/app@{digest(name)}" if name else ""

    return TagMove(
        "shop", "app", tag, digest(image) if image else "", reference(image), digest(previous) if previous else "",
        reference(previous), "imported", "jane", NOW, version,
    )  # fmt: skip


def listener(
    uid: str = UID, *, tag: str = "latest", since: int = 0, resumed: int = 0, paused: bool = False
) -> Listener:
    """Return what a trigger on a tag of shop/app listens to."""
    return Listener(uid, "shop", "app", tag, since, resumed, paused)


def trigger(
    url: str = "https://example.com/hook",
    *,
    name: str = "deploy",
    source: str = "app:latest",
    namespace: str = "",
    key: str = "",
    paused: bool = False,
    headers: dict[str, str] | None = None,
) -> ImageTrigger:
    """Return a trigger; with `key` it signs with that key of the secret `consumer`."""
    secret = SecretKeyReference(name="consumer", key=key) if key else None
    return ImageTrigger(
        metadata=ObjectMeta(name=name, namespace="shop"),
        spec=ImageTriggerSpec(
            from_=TriggerSource(kind="ImageStreamTag", namespace=namespace, name=source),
            paused=paused,
            webhook=Webhook(url=url, secret_ref=secret, headers=headers),
        ),
    )


@dataclass
class Consumer:
    """What a consumer was sent, and what it answers: the statuses in turn, the last one from then on."""

    statuses: list[int]
    headers: Mapping[str, str]
    delay: float
    bodies: list[bytes] = field(default_factory=list)
    requests: list[Mapping[str, str]] = field(default_factory=list)
    port: int = 0
    scheme: str = "http"

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"{self.scheme}://127.0.0.1:{self.port}/events?team=shop"


@contextmanager
def consumer(
    *statuses: int, headers: Mapping[str, str] | None = None, delay: float = 0, tls: ssl.SSLContext | None = None
) -> Iterator[Consumer]:
    """Run a consumer that answers with some statuses, 204 if none is given, after a delay in seconds."""
    state = Consumer(list(statuses) or [204], headers or {}, delay)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            state.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
            state.requests.append(dict(self.headers))
            time.sleep(state.delay)
            self.send_response(state.statuses.pop(0) if len(state.statuses) > 1 else state.statuses[0])
            for name, value in state.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.handle_error = lambda *_: None  # type: ignore[method-assign]  # a client that hangs up is no news here
    state.port = server.server_port
    if tls is not None:
        state.scheme = "https"
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def dripping(interval: float) -> Iterator[str]:
    """Run a consumer that sends its headers byte by byte and never ends; yields its URL."""
    listening = socket.create_server(("127.0.0.1", 0))
    over = threading.Event()

    def serve() -> None:
        connection, _ = listening.accept()
        with connection:
            try:
                while not over.wait(interval):
                    connection.sendall(b"H")
            except OSError:
                return

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/"
    finally:
        over.set()
        thread.join()
        listening.close()
