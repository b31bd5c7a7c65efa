"""Servers that mean harm: none holds a thread past its deadline, and none makes the client hold much memory."""

from __future__ import annotations

import gzip
import itertools
import resource
import socket
import time
import zlib
from collections.abc import Callable, Iterator

import pytest

from imagestreams.upstream.client import Limits, UpstreamClient
from imagestreams.upstream.errors import Malformed, Unreachable, UpstreamError
from imagestreams.upstream.values import Deadline, Repository
from tests.imagestreams.upstream.test_transport import raw_server, registry, repository
from tests.registries import Reply

OK = b"HTTP/1.1 200 OK\r\n"
V2 = b"Docker-Distribution-Api-Version: 2\r\n"


def dripping(
    start: bytes, drops: Callable[[], Iterator[bytes]], pause: float = 0.02
) -> Callable[[socket.socket], None]:
    def serve(connection: socket.socket) -> None:
        connection.sendall(start)
        for drop in drops():
            connection.sendall(drop)
            time.sleep(pause)

    return serve


@pytest.mark.parametrize(
    ("start", "drop"),
    [
        (b"HTTP/1.1 200 O", b"K"),
        (OK + b"X-Slow: ", b"x"),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        (OK + V2 + b"Transfer-Encoding: chunked\r\n\r\n", b"0"),
        (OK + V2 + b"Transfer-Encoding: chunked\r\n\r\n1;", b"x"),
        (OK + V2 + b"Transfer-Encoding: chunked\r\n\r\n0\r\n", b"T"),
        (OK + V2 + b"\r\n", b"x"),
    ],
)
def test_no_server_outlasts_a_deadline_however_it_drips(start: bytes, drop: bytes) -> None:
    with raw_server(dripping(start, lambda: itertools.repeat(drop))) as host:
        client = UpstreamClient(limits=Limits(), allow_private=True)
        started = time.monotonic()
        with pytest.raises(Unreachable, match="deadline exceeded"):
            client.repository(Repository(host, "a/b"), insecure=True, deadline=Deadline(0.6)).manifest("v1")
        client.close()

    assert time.monotonic() - started < 3


@pytest.mark.parametrize(
    "flood",
    [
        OK + b"".join(b"X-%d: x\r\n" % number for number in range(10_000)) + b"\r\n",
        OK + b"X-Long: " + b"x" * 10_000_000,
        b"HTTP/1.1 " + b"2" * 10_000_000,
    ],
)
def test_a_flood_of_headers_is_no_answer(flood: bytes) -> None:
    with raw_server(lambda connection: connection.sendall(flood)) as host:
        client = UpstreamClient(limits=Limits(), allow_private=True)
        with pytest.raises(UpstreamError):
            client.repository(Repository(host, "a/b"), insecure=True, deadline=Deadline(5)).manifest("v1")
        client.close()


def test_chunks_that_never_end_are_left_at_the_limit() -> None:
    chunk = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"

    def serve(connection: socket.socket) -> None:
        connection.sendall(OK + V2 + b"Transfer-Encoding: chunked\r\n\r\n")
        while True:
            connection.sendall(chunk)

    with raw_server(serve) as host:
        client = UpstreamClient(limits=Limits(), allow_private=True)
        with pytest.raises(Malformed, match="larger than"):
            client.repository(Repository(host, "a/b"), insecure=True, deadline=Deadline(30)).manifest("v1")
        client.close()


def bomb(mebibytes: int) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    zeros = bytes(1024 * 1024)
    return b"".join(packer.compress(zeros) for _ in range(mebibytes)) + packer.flush()


@pytest.mark.parametrize("times", [1, 2])
def test_what_unpacks_to_very_much_is_left_at_the_limit(times: int) -> None:
    body = bomb(256) if times == 1 else gzip.compress(bomb(256))
    headers = {"Content-Encoding": ", ".join(["gzip"] * times)}
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    with registry({"manifests/v1": Reply(200, body, headers)}) as server, pytest.raises(Malformed, match="larger than"):
        repository(server).manifest("v1")

    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 * 1024


def test_what_says_to_be_packed_and_is_not_is_malformed() -> None:
    with (
        registry({"manifests/v1": Reply(200, b"{}" * 100, {"Content-Encoding": "gzip"})}) as server,
        pytest.raises(Malformed, match="compressed body"),
    ):
        repository(server).manifest("v1")
