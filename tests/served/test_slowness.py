"""Clients and databases that are slow: nobody else waits for them, and half a body is none."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import psycopg
import pytest
from h2.errors import ErrorCodes

from tests.postgres import Postgres, binaries
from tests.served.api import IMAGES, Api
from tests.served.wire import asking, connect, http2, read, send
from tests.server import Server

TIMEOUT = 3
PATIENCE = 20.0
SLOW_CLIENTS = 20
"""More than one process works on at a time, and more than it has connections to PostgreSQL."""


@pytest.fixture(scope="module")
def database() -> Iterator[str]:
    """The URL of a PostgreSQL database of its own; empty where PostgreSQL is not installed."""
    with ExitStack() as stack:
        yield stack.enter_context(Postgres()).create("slow") if binaries() is not None else ""


@pytest.fixture(scope="module")
def hasty(database: str) -> Iterator[Server]:
    """A server that gives requests three seconds."""
    environment = {"REQUEST_TIMEOUT": str(TIMEOUT), "WEB_WORKERS": "1"}
    with Server(database_url=database, environment=environment) as running:
        yield running


@pytest.fixture
def api(hasty: Server) -> Api:
    return Api(hasty)


def head(api: Api, *lines: str, method: str = "POST", path: str = "") -> bytes:
    """Return the head of a request over HTTP/1.1."""
    first = f"{method} /{path or api.place('imagestreams')} HTTP/1.1"
    given = [
        "Host: x",
        "Content-Type: application/json",
        f"Authorization: Bearer {api.server.token}",
        *lines,
    ]
    return "\r\n".join([first, *given, "", ""]).encode()


@pytest.mark.parametrize("reason", [ErrorCodes.CANCEL, ErrorCodes.INTERNAL_ERROR])
@pytest.mark.parametrize("length", ["", "100"])
def test_a_body_that_is_taken_back_is_none(api: Api, reason: ErrorCodes, length: str) -> None:
    server = api.server
    with http2(server) as client:
        path = f"/{api.place('imagestreams')}"
        headers = asking(server, "POST", path, authorization=f"Bearer {server.token}", content_type="application/json")
        stream = client.request([*headers, *([("content-length", length)] if length else [])], ends=False)
        client.frames.send_data(stream, b'{"metadata": {"name": "half"}}')
        client.flush()
        time.sleep(0.2)
        client.frames.reset_stream(stream, reason)
        client.flush()
        time.sleep(0.2)
        before = busy(server)
        time.sleep(1)

        assert busy(server) - before < 0.5, "a thread looks for what does not come"


def busy(server: Server) -> float:
    """Return the seconds of computing that the web processes have done."""
    spent = [Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split() for pid in server.pids()["web"]]
    return sum(int(fields[11]) + int(fields[12]) for fields in spent) / os.sysconf("SC_CLK_TCK")


def test_a_body_shorter_than_was_said_is_refused(api: Api) -> None:
    whole = json.dumps({"metadata": {"name": "short"}}).encode()

    answer = send(api.server, head(api, f"Content-Length: {len(whole) + 3}") + whole, half_close=True)

    # The server may also hang up on a client that has hung up.
    assert answer.code in (0, 400)
    if answer.code:
        assert "before its Content-Length" in json.loads(answer.body)["message"]
    time.sleep(0.5)
    assert api.get(api.place("imagestreams"))["items"] == []


def test_slow_bodies_keep_nobody_else_waiting(api: Api) -> None:
    with ExitStack() as stack:
        for _ in range(SLOW_CLIENTS):
            sock = stack.enter_context(connect(api.server, "http/1.1"))
            sock.sendall(head(api, "Content-Length: 100") + b"{")
        time.sleep(0.3)
        began = time.monotonic()

        api.post(api.place("imagestreams"), {"metadata": {"name": "quick"}})

        assert time.monotonic() - began < TIMEOUT - 1


def test_a_body_that_comes_late_is_read_when_it_comes_in_time(api: Api) -> None:
    whole = json.dumps({"metadata": {"name": "late"}}).encode()

    with connect(api.server, "http/1.1") as sock:
        sock.sendall(head(api, f"Content-Length: {len(whole)}") + whole[:5])
        time.sleep(1)
        sock.sendall(whole[5:])

        assert read(sock).code == 201


def test_a_statement_that_takes_too_long_is_given_up(api: Api, database: str) -> None:
    if not database:
        pytest.skip("PostgreSQL is not installed")
    body = json.dumps({"metadata": {"name": "locked"}}).encode()
    request = head(api, f"Content-Length: {len(body)}") + body
    with psycopg.connect(database) as other, other.transaction():
        other.execute("LOCK TABLE kube_counter IN ACCESS EXCLUSIVE MODE")
        began = time.monotonic()
        answers: list[int] = []
        asking_ = threading.Thread(target=lambda: answers.append(send(api.server, request).code))
        asking_.start()
        asking_.join(PATIENCE)
        took = time.monotonic() - began

    assert answers == [504]
    assert took < 2 * TIMEOUT + 3
    assert send(api.server, head(api, method="GET", path=f"{IMAGES}/images")).code == 200
