"""The end of a server as its clients see it: watches end in order, and what is under way is answered."""

from __future__ import annotations

import json
import os
import signal
import ssl
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field

import pytest
import requests

from tests.processes import wait_until
from tests.served.api import Api
from tests.served.wire import asking, http2
from tests.server import Server

HEADERS = {"Content-Type": "application/json"}
PATIENCE = 20
WATCHES = 30
DELAY = 4
GRACE = 3
HEADERS_FRAME, PING, GOAWAY = 1, 6, 7


ENVIRONMENT = {"SHUTDOWN_DELAY": str(DELAY), "SHUTDOWN_GRACE": str(GRACE), "WEB_WORKERS": "2"}
"""Load balancers are given four seconds, and requests three."""


@dataclass
class Slow:
    """A stream's document that is sent in two pieces, of which the second comes a while after an event."""

    name: str
    pause: float = 0.0
    sent: threading.Event = field(default_factory=threading.Event)
    """Set when the first piece is on its way."""
    last: threading.Event = field(default_factory=threading.Event)

    def pieces(self) -> Iterator[bytes]:
        text = json.dumps({"metadata": {"name": self.name}}).encode()
        yield text[:10]
        self.sent.set()
        self.last.wait(PATIENCE)
        time.sleep(self.pause)
        yield text[10:]

    def create(self, server: Server, url: str) -> int:
        """Create the stream on a connection of its own and return the status of the answer."""
        with server.client() as client:
            return client.post(url, data=self.pieces(), headers=HEADERS, timeout=PATIENCE).status_code

    def begin(self, pool: ThreadPoolExecutor, api: Api) -> Future[int]:
        """Create the stream in a thread, and return once the first piece is on its way."""
        answer = pool.submit(self.create, api.server, api.url(api.place("imagestreams")))
        assert self.sent.wait(PATIENCE)
        return answer


def watches(api: Api, pool: ThreadPoolExecutor, stack: ExitStack, **query: str) -> list[Future[tuple[bytes, float]]]:
    """Open watches on connections of their own; return what each gives until its end, and when that is."""
    url = api.url(api.place("imagestreams"))
    sessions = [stack.enter_context(api.server.client()) for _ in range(WATCHES)]
    answers = [session.get(url, params={"watch": "1", **query}, stream=True, timeout=PATIENCE) for session in sessions]
    assert {answer.status_code for answer in answers} == {200}
    return [pool.submit(read_to_the_end, answer) for answer in answers]


def read_to_the_end(response: requests.Response) -> tuple[bytes, float]:
    """Return all of an answer and when it ended; raises when it is cut before its last chunk."""
    with response:
        return b"".join(response.iter_content(chunk_size=None)), time.monotonic()


def fresh(server: Server, path: str) -> int:
    """Return the code that a new connection is answered with."""
    with server.client() as client:
        return client.get(f"{server.url}/{path}", timeout=PATIENCE).status_code


@dataclass(frozen=True)
class End:
    """What clients saw of the end of a server in the middle of its work."""

    code: int
    watches: list[bytes]
    watched: float
    """Seconds until the last watch had ended."""
    others: list[int]
    """What new connections were answered once the server was no longer ready."""
    slow: int
    before: requests.Response
    """What was answered on a connection before the end, and after it had begun."""
    after: requests.Response
    frames: list[int]
    """The types of the frames on a connection over HTTP/2."""


@pytest.fixture(scope="module")
def end() -> Iterator[End]:
    """The end of a server with watches, a request under way and connections of every kind."""
    with Server(environment=ENVIRONMENT) as server, ExitStack() as stack, ThreadPoolExecutor(WATCHES + 4) as pool:
        api = Api(server)
        streams = api.place("imagestreams")
        client = stack.enter_context(http2(server))
        open_watches = watches(api, pool, stack, allowWatchBookmarks="1")
        slow = Slow("slow", pause=DELAY + 1)
        answer = slow.begin(pool, api)
        client.request(asking(server, path="/livez"))
        told = pool.submit(lambda: list(frames(client.sock)))
        before = api.session.get(f"{server.url}/livez", timeout=PATIENCE)

        began = time.monotonic()
        code = pool.submit(server.stop)
        slow.last.set()
        wait_until(lambda: fresh(server, "readyz") == 500, seconds=DELAY, what="it is not ready")
        others = [fresh(server, path) for path in ("livez", "healthz", streams)]
        after = api.session.get(f"{server.url}/livez", timeout=PATIENCE)
        ends = [watch.result(PATIENCE) for watch in open_watches]
        yield End(
            code.result(PATIENCE), [text for text, _ in ends], max(when for _, when in ends) - began,
            others, answer.result(PATIENCE), before, after, told.result(PATIENCE),
        )  # fmt: skip


def test_watches_end_as_if_their_time_were_up(end: End) -> None:
    assert {json.loads(text.splitlines()[-1])["type"] for text in end.watches} == {"BOOKMARK"}
    assert end.code == 0
    assert end.watched < DELAY + GRACE


def test_a_server_that_ends_is_not_ready_and_answers(end: End) -> None:
    assert end.others == [200, 200, 200]


def test_a_request_under_way_is_answered(end: End) -> None:
    assert end.slow == 201


def test_clients_are_told_to_connect_anew(end: End) -> None:
    assert "Connection" not in end.before.headers
    assert (end.after.status_code, end.after.headers["Connection"]) == (200, "close")


def test_http2_connections_are_ended_in_order(end: End) -> None:
    assert end.frames.index(HEADERS_FRAME) < end.frames.index(GOAWAY)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with Server(environment=ENVIRONMENT) as running:
        yield running


@pytest.fixture
def api(server: Server) -> Api:
    return Api(server)


def test_watches_end_in_order_when_processes_are_replaced(api: Api) -> None:
    with ExitStack() as stack, ThreadPoolExecutor(WATCHES) as pool:
        readers = watches(api, pool, stack)

        os.kill(api.server.family()[0], signal.SIGHUP)

        assert [reader.result(PATIENCE)[0] for reader in readers] == [b""] * WATCHES


def test_a_request_that_does_not_end_is_cut(api: Api) -> None:
    late = Slow("late")
    with ThreadPoolExecutor(1) as pool:
        answer = late.begin(pool, api)

        started = time.monotonic()
        code = api.server.stop()
        seconds = time.monotonic() - started
        late.last.set()

        assert code == 0
        assert DELAY + GRACE - 0.5 < seconds < DELAY + GRACE + 3
        with pytest.raises(requests.RequestException):
            answer.result(PATIENCE)
    api.server.start()


def frames(sock: ssl.SSLSocket) -> Iterator[int]:
    """Yield the types of all frames until the end of a connection, and answer pings (RFC 9113, section 4.1)."""
    held = b""
    while piece := sock.recv(4096):
        held += piece
        while len(held) >= 9 + int.from_bytes(held[:3]):
            size, kind, flags, content = int.from_bytes(held[:3]), held[3], held[4], held[9:]
            if kind == PING and not flags:
                sock.sendall(bytes([0, 0, 8, PING, 1, 0, 0, 0, 0]) + content[:8])
            held = content[size:]
            yield kind
