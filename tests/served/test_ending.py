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
from pathlib import Path

import pytest
import requests

from tests.processes import wait_until
from tests.served.api import Api
from tests.served.wire import asking, http2
from tests.server import Server

HEADERS = {"Content-Type": "application/json"}
PATIENCE = 20
WATCHES = 30
DELAY = 2
GRACE = 3
HEADERS_FRAME, PING, GOAWAY = 1, 6, 7


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A server that gives load balancers two seconds and requests three."""
    environment = {"SHUTDOWN_DELAY": str(DELAY), "SHUTDOWN_GRACE": str(GRACE), "WEB_WORKERS": "2"}
    with Server(environment=environment) as running:
        yield running


@pytest.fixture
def api(server: Server) -> Api:
    return Api(server)


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(WATCHES + 4) as threads:
        yield threads


def stop(server: Server, pool: ThreadPoolExecutor) -> Future[int]:
    """Begin to end a server and return the exit code to come."""
    return pool.submit(server.stop)


def read_to_the_end(response: requests.Response) -> bytes:
    """Return all of an answer; raises when it is cut before its last chunk."""
    with response:
        return b"".join(response.iter_content(chunk_size=None))


def body(name: str, *, pause: float, last: threading.Event) -> Iterator[bytes]:
    """Yield a stream's document in two pieces, of which the second comes a while after an event."""
    text = json.dumps({"metadata": {"name": name}}).encode()
    yield text[:10]
    last.wait(PATIENCE)
    time.sleep(pause)
    yield text[10:]


def create(server: Server, url: str, name: str, *, pause: float, last: threading.Event) -> requests.Response:
    """Create a stream slowly, on a connection of its own."""
    with server.client() as client:
        return client.post(url, data=body(name, pause=pause, last=last), headers=HEADERS, timeout=PATIENCE)


def test_watches_end_as_if_their_time_were_up(server: Server, api: Api, pool: ThreadPoolExecutor) -> None:
    url = api.url(api.place("imagestreams"))
    query = {"watch": "1", "allowWatchBookmarks": "1"}
    sessions = [server.client() for _ in range(WATCHES)]
    answers = [session.get(url, params=query, stream=True, timeout=PATIENCE) for session in sessions]
    assert {answer.status_code for answer in answers} == {200}
    readers = [pool.submit(read_to_the_end, answer) for answer in answers]
    time.sleep(0.5)

    started = time.monotonic()
    code = stop(server, pool)
    ends = [reader.result(PATIENCE) for reader in readers]

    assert time.monotonic() - started < DELAY + GRACE
    assert {json.loads(end.splitlines()[-1])["type"] for end in ends} == {"BOOKMARK"}
    assert code.result(PATIENCE) == 0


def test_a_server_that_ends_is_not_ready_and_answers(server: Server, api: Api, pool: ThreadPoolExecutor) -> None:
    code = stop(server, pool)

    wait_until(lambda: fresh(server, "readyz") == 500, seconds=1, what="it is not ready")
    others = [fresh(server, path) for path in ("livez", "healthz", api.place("imagestreams"))]

    assert others == [200, 200, 200]
    assert code.result(PATIENCE) == 0


def fresh(server: Server, path: str) -> int:
    """Return the code that a new connection is answered with."""
    with server.client() as client:
        return client.get(f"{server.url}/{path}", timeout=PATIENCE).status_code


def test_a_request_under_way_is_answered(server: Server, api: Api, pool: ThreadPoolExecutor) -> None:
    told = threading.Event()
    url = api.url(api.place("imagestreams"))
    answer = pool.submit(create, server, url, "slow", pause=DELAY + 1, last=told)
    time.sleep(0.5)

    code = stop(server, pool)
    told.set()

    assert answer.result(PATIENCE).status_code == 201
    assert code.result(PATIENCE) == 0


def test_a_request_that_does_not_end_is_cut(server: Server, api: Api, pool: ThreadPoolExecutor) -> None:
    never = threading.Event()
    url = api.url(api.place("imagestreams"))
    answer = pool.submit(create, server, url, "late", pause=0, last=never)
    time.sleep(0.5)

    started = time.monotonic()
    code = server.stop()
    seconds = time.monotonic() - started
    never.set()

    assert code == 0
    assert DELAY + GRACE - 0.5 < seconds < DELAY + GRACE + 3
    with pytest.raises(requests.RequestException):
        answer.result(PATIENCE)


def test_watches_end_in_order_when_processes_are_replaced(server: Server, api: Api, pool: ThreadPoolExecutor) -> None:
    url = api.url(api.place("imagestreams"))
    sessions = [server.client() for _ in range(WATCHES)]
    answers = [session.get(url, params={"watch": "1"}, stream=True, timeout=PATIENCE) for session in sessions]
    readers = [pool.submit(read_to_the_end, answer) for answer in answers]
    time.sleep(0.5)

    os.kill(server.family()[0], signal.SIGHUP)

    assert [reader.result(PATIENCE) for reader in readers] == [b""] * WATCHES


def test_clients_are_told_to_connect_anew(server: Server, api: Api, pool: ThreadPoolExecutor) -> None:
    before = api.session.get(f"{server.url}/livez", timeout=PATIENCE)

    code = stop(server, pool)
    wait_until(lambda: fresh(server, "readyz") == 500, seconds=1, what="it is not ready")
    after = api.session.get(f"{server.url}/livez", timeout=PATIENCE)

    assert "Connection" not in before.headers
    assert (after.status_code, after.headers["Connection"]) == (200, "close")
    assert code.result(PATIENCE) == 0


def test_http2_connections_are_ended_in_order(server: Server, pool: ThreadPoolExecutor) -> None:
    with http2(server) as client:
        client.request(asking(server, path="/livez"))
        code = stop(server, pool)
        found = list(frames(client.sock))

    assert found.index(HEADERS_FRAME) < found.index(GOAWAY)
    assert code.result(PATIENCE) == 0


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
