"""What one connection may hold, and how long one lasts whose peer is gone."""

from __future__ import annotations

import time

import pytest
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    Event,
    PingReceived,
    RemoteSettingsChanged,
    ResponseReceived,
    StreamEnded,
    StreamReset,
)
from h2.settings import SettingCodes

from registry_meta.management.commands.web import HEADERS, HTTP2, STREAMS
from tests.served.wire import asking, connect, http2, read, send
from tests.server import Server

TOO_MUCH = 1024 * 1024
"""Bytes of headers, far more than any client needs."""

PATIENCE = 10.0
PING = (HTTP2.keep_alive_interval or 0) / 1000


def code(events: list[Event]) -> int:
    """Return the status of the answer among events, 0 where there is none."""
    for event in events:
        if isinstance(event, ResponseReceived):
            return int({str(name): str(value) for name, value in event.headers}[":status"])
    return 0


def test_the_limits_of_a_connection_are_told(sqlite_server: Server) -> None:
    with http2(sqlite_server) as client:
        stream = client.request(asking(sqlite_server, path="/livez"))
        told: dict[int, int] = {}
        for event in client.events(seconds=PATIENCE):
            if isinstance(event, RemoteSettingsChanged):
                told |= {name: setting.new_value for name, setting in event.changed_settings.items()}
            if isinstance(event, StreamEnded) and event.stream_id == stream:
                break

    assert told[SettingCodes.MAX_CONCURRENT_STREAMS] == STREAMS
    assert told[SettingCodes.MAX_HEADER_LIST_SIZE] == HEADERS
    assert HEADERS <= 400 * 1024


@pytest.mark.parametrize("path", ["/", "/version", "/livez", "/apis/image.openshift.io/v1"])
def test_an_answer_to_head_has_no_content_over_http2(sqlite_server: Server, path: str) -> None:
    with http2(sqlite_server) as client:
        stream = client.request(asking(sqlite_server, method="HEAD", path=path))
        found: list[Event] = []
        for event in client.events(seconds=PATIENCE):
            found.append(event)
            if isinstance(event, StreamEnded) and event.stream_id == stream:
                break

    assert code(found) in (200, 403, 404)
    assert not any(event.data for event in found if isinstance(event, DataReceived))


def test_headers_without_end_are_refused_over_http2(sqlite_server: Server) -> None:
    with http2(sqlite_server) as client:
        # The client library would refuse to send more than the server said it takes.
        client.frames.remote_settings.update({SettingCodes.MAX_HEADER_LIST_SIZE: 2**31 - 1})
        huge = [(f"x-{number}", "v" * 8000) for number in range(TOO_MUCH // 8000)]
        client.request([*asking(sqlite_server, path="/livez"), *huge])
        found: list[Event] = []
        for event in client.events(seconds=PATIENCE):
            found.append(event)
            if isinstance(event, StreamReset | ConnectionTerminated | StreamEnded):
                break

    assert found
    assert code(found) in (0, 431)
    ended = any(isinstance(event, StreamReset | ConnectionTerminated) for event in found)
    assert client.closed or ended or code(found) == 431


def test_many_headers_that_fit_are_read_over_http2(sqlite_server: Server) -> None:
    with http2(sqlite_server) as client:
        many = [(f"x-{number}", "v" * 1000) for number in range(50)]
        client.request([*asking(sqlite_server, path="/livez"), *many])
        found: list[Event] = []
        for event in client.events(seconds=PATIENCE):
            found.append(event)
            if isinstance(event, StreamEnded):
                break

    assert code(found) == 200


def test_headers_without_end_are_refused_over_http1(sqlite_server: Server) -> None:
    huge = b"".join(b"X-%d: %s\r\n" % (number, b"v" * 8000) for number in range(TOO_MUCH // 8000))

    with connect(sqlite_server, "http/1.1") as sock:
        try:
            sock.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\n" + huge + b"\r\n")
            answer = read(sock)
        except OSError:  # closed while it was still being written to
            return

    assert answer.code in (0, 431)


def test_a_connection_whose_peer_is_gone_is_closed(sqlite_server: Server) -> None:
    with http2(sqlite_server) as client:
        began = time.monotonic()
        found = list(client.events(seconds=PING + HTTP2.keep_alive_timeout + PATIENCE, answers=False))
        took = time.monotonic() - began

    assert any(isinstance(event, PingReceived) for event in found)
    assert client.closed
    assert took < PING + HTTP2.keep_alive_timeout + PATIENCE - 1


def test_an_idle_connection_whose_peer_answers_stays(sqlite_server: Server) -> None:
    with http2(sqlite_server) as client:
        pings = [
            event
            for event in client.events(seconds=PING + HTTP2.keep_alive_timeout + 3)
            if isinstance(event, PingReceived)
        ]

        assert pings
        assert not client.closed


def test_a_client_that_begins_no_request_in_time_is_let_go(sqlite_server: Server) -> None:
    began = time.monotonic()

    answer = send(sqlite_server, b"GET /livez HTTP/1.1\r\nHost:")

    assert answer.code in (0, 408)
    assert time.monotonic() - began < 35
