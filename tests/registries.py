"""Registries that tests import from: CNCF Distribution for what it accepts, small servers for everything else."""

from __future__ import annotations

# What fills the registries is shared with the recorded conversations and has no annotations.
# mypy: allow-untyped-calls
import http.server
import ssl
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import parse_qsl, urlsplit

import requests

from tests.authorities import Authority, Identity
from tests.conformance import registry_content as content
from tests.conformance.odd_registry import Memory, Odd, Tokens, odd_content, schema1, token_content
from tests.conformance.peers import PASSWORDS, ROBOT
from tests.processes import Program, answers, free_port

__all__ = [
    "PASSWORDS",
    "ROBOT",
    "Distribution",
    "Guard",
    "Reply",
    "Request",
    "StandIn",
    "memory_registry",
    "odd",
    "token_guarded",
]

AUTHENTICATION = "{{htpasswd: {{realm: tests, path: {folder}/passwords}}}}"
CONFIGURATION = """
version: 0.1
log: {{level: error, accesslog: {{disabled: true}}}}
storage: {{filesystem: {{rootdirectory: {folder}/content}}, delete: {{enabled: true}}}}
http: {{addr: 127.0.0.1:{port}{tls}}}
{authentication}
"""

KINDS: Mapping[str, Callable[..., dict[str, object]]] = {
    "image": content.image,
    "thin": partial(content.image, layers=1),
    "oci": partial(content.image, oci=True),
    "index": content.index,
    "list": partial(content.index, oci=False),
    "artifact": content.artifact,
}


@dataclass(frozen=True, slots=True)
class Guard:
    """What lets people into a registry: the `auth` of its configuration, and how pushes are authorised."""

    configuration: str
    login: requests.auth.AuthBase


class Distribution:
    """CNCF Distribution on a port of 127.0.0.1, empty at first; `base` is its URL, `host` its name in pull specs."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="distribution-", ignore_cleanup_errors=True)
        self._program: Program | None = None
        self._registry = content.Registry("")
        self._scheme = "http"
        self.port = 0

    @property
    def host(self) -> str:
        """The name of the registry in pull specs."""
        return f"127.0.0.1:{self.port}"

    @property
    def base(self) -> str:
        """The URL of the registry."""
        return f"{self._scheme}://{self.host}"

    def start(
        self,
        port: int = 0,
        *,
        htpasswd: str | None = None,
        login: tuple[str, str] = ROBOT,
        guard: Guard | None = None,
        tls: tuple[Authority, Identity] | None = None,
    ) -> Self:
        """Start the registry and wait until it answers.

        With the text of a password file, `login` is who pushes; with a guard, the guard says. With `tls` it speaks
        https, by an identity and for those who trust its authority.
        """
        folder = Path(self._folder.name)
        self.port = port or free_port()
        self._scheme = "https" if tls else "http"
        (folder / "passwords").write_text(htpasswd or "")
        if htpasswd:
            guard = Guard(AUTHENTICATION.format(folder=folder), requests.auth.HTTPBasicAuth(*login))
        files = f", tls: {{certificate: {tls[1].certificate}, key: {tls[1].key}}}" if tls else ""
        authentication = f"auth: {guard.configuration}" if guard else ""
        text = CONFIGURATION.format(folder=folder, port=self.port, tls=files, authentication=authentication)
        (folder / "config.yml").write_text(text)
        self._program = Program(["docker-registry", "serve", folder / "config.yml"], log=folder / "log")
        self._program.wait_ready(lambda: answers(self.port))
        self._registry = content.Registry(self.base)
        if guard:
            self._registry.http.auth = guard.login
        if tls:
            self._registry.http.verify = str(tls[0].file)
        return self

    def stop(self) -> None:
        """Stop the registry; what was pushed is still there when it is started again."""
        if self._program is not None:
            self._program.stop()
            self._program = None
        self._registry.http.close()

    def close(self) -> None:
        """Stop the registry and remove what was pushed."""
        try:
            self.stop()
        finally:
            self._folder.cleanup()

    def __enter__(self) -> Self:
        return self if self._program else self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def pullspec(self, repository: str, *, tag: str = "", digest: str = "") -> str:
        """Return the pull spec of a repository, or of a tag or digest in it."""
        return f"{self.host}/{repository}" + (f"@{digest}" if digest else f":{tag}" if tag else "")

    def push(self, repository: str, tag: str | None, *, seed: str, kind: str = "image") -> str:
        """Push content of a kind, made of a seed, and return the digest of its manifest."""
        return str(KINDS[kind](self._registry, repository, tag, seed=seed)["digest"])

    def push_blob(self, repository: str, data: bytes) -> str:
        """Push a blob and return its digest."""
        return str(self._registry.push_blob(repository, data)["digest"])


# --- stand-ins


@dataclass(frozen=True, slots=True)
class Request:
    """A request that a stand-in got; names of headers are in lower case."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Reply:
    """What a stand-in answers; a header may be given several times, as a list."""

    status: int = 200
    body: bytes | str = b""
    headers: Mapping[str, str | list[str]] = field(default_factory=dict)


Answerer = Callable[[Request], Reply | None]


class StandIn:
    """A web server on a free port that answers as a function says; None means 404. It keeps what it was asked.

    With `tls`, paths of a certificate and its key, it speaks https.
    """

    def __init__(self, answer: Answerer, *, tls: tuple[Path, Path] | None = None) -> None:
        self.requests: list[Request] = []
        self._answer = answer
        self._server = _QuietServer(("127.0.0.1", 0), partial(_StandInHandler, self))
        self._scheme = "https" if tls else "http"
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*tls)
            self._server.socket = context.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})

    @property
    def host(self) -> str:
        """The name of the server in pull specs."""
        return f"127.0.0.1:{self._server.server_address[1]}"

    @property
    def base(self) -> str:
        """The URL of the server."""
        return f"{self._scheme}://{self.host}"

    @property
    def connections(self) -> int:
        """How many connections were made so far."""
        return self._server.connections

    def asked(self, start: str = "/") -> list[str]:
        """Return method and path of the requests below a path, in order."""
        return [f"{request.method} {request.path}" for request in self.requests if request.path.startswith(start)]

    def reply(self, request: Request) -> Reply:
        """Keep a request and return the answer to it."""
        self.requests.append(request)
        return self._answer(request) or Reply(404, "not found", {"Content-Type": "text/plain"})

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        _end(self._server, self._thread)


class _QuietServer(http.server.ThreadingHTTPServer):
    """A server that counts connections and says nothing of those that break off."""

    daemon_threads = True
    connections = 0

    def process_request(self, request: object, client_address: object) -> None:
        self.connections += 1
        super().process_request(request, client_address)  # type: ignore[arg-type]  # whatever the base class gave

    def handle_error(self, request: object, client_address: object) -> None:
        pass


class _StandInHandler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def __init__(self, site: StandIn, *arguments: object) -> None:
        self._site = site
        super().__init__(*arguments)  # type: ignore[arg-type]  # as http.server calls it

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        reply = self._site.reply(Request(self.command, url.path, dict(parse_qsl(url.query)), headers, body))
        data = reply.body.encode() if isinstance(reply.body, str) else reply.body
        self.send_response(reply.status)
        fields = {"Content-Length": str(len(data)), **reply.headers}
        for name, value in fields.items():
            for one in value if isinstance(value, list) else [value]:
                self.send_header(name, one)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    do_HEAD = do_POST = do_PUT = do_GET


def _end(server: http.server.ThreadingHTTPServer, thread: threading.Thread) -> None:
    server.shutdown()
    thread.join()
    server.server_close()


@contextmanager
def _served(handler: type[http.server.BaseHTTPRequestHandler], store: Memory) -> Iterator[str]:
    server = _QuietServer(("127.0.0.1", 0), handler)
    server.store = store  # type: ignore[attr-defined]  # where the handlers look
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_address[1]}"
    finally:
        _end(server, thread)


@contextmanager
def odd() -> Iterator[str]:
    """Serve the registry that answers oddly, and yield its `host:port`."""
    with _served(Odd, odd_content()) as host:
        yield host


@contextmanager
def token_guarded() -> Iterator[str]:
    """Serve a registry behind a token service, and yield its `host:port`; ROBOT may read `private/…`."""
    with _served(Tokens, token_content()) as host:
        yield host


@contextmanager
def memory_registry() -> Iterator[tuple[str, Memory]]:
    """Serve a registry that takes any manifest, and yield its `host:port` and what it holds."""
    store = Memory()
    schema1(store, "old/signed", "latest")
    with _served(Odd, store) as host:
        yield host, store
