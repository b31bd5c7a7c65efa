"""The way to a registry: redirects, limits, time, connections, and tries."""

from __future__ import annotations

import gzip
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from imagestreams.upstream import media
from imagestreams.upstream.client import Limits, RepositoryClient, UpstreamClient
from imagestreams.upstream.errors import (
    Limited,
    Malformed,
    NotARegistry,
    NotFound,
    Refused,
    Rejected,
    ServerFault,
    Unreachable,
    UpstreamError,
)
from imagestreams.upstream.values import Credential, Deadline, Repository
from tests.imagestreams.upstream.conftest import TLS, Connect
from tests.registries import ROBOT, Reply, Request, StandIn

LOGIN = Credential(*ROBOT)
BLOB = b'{"config": {}}'
DIGEST = media.digest(BLOB)
UNREAD = {"errors": [{"code": "PAGINATION_NUMBER_INVALID", "message": "invalid number of results requested"}]}


def registry(replies: Mapping[str, Reply | Callable[[Request], Reply]], *, basic: bool = False) -> StandIn:
    """Return a registry that answers below `/v2/team/app/` as told."""

    def answer(request: Request) -> Reply | None:
        if basic and "authorization" not in request.headers and request.path.startswith("/v2/"):
            return Reply(401, "", {"WWW-Authenticate": 'Basic realm="r"'})
        if request.path == "/v2/":
            return Reply(200, "{}")
        reply = replies.get(request.path.removeprefix("/v2/team/app/"))
        return reply(request) if callable(reply) else reply

    return StandIn(answer)


def repository(
    server: StandIn, *, limits: Limits | None = None, insecure: bool = True, deadline: Deadline | None = None
) -> RepositoryClient:
    client = UpstreamClient(limits=limits or Limits(), allow_private=True)
    return client.repository(Repository(server.host, "team/app"), insecure=insecure, deadline=deadline)


@contextmanager
def raw_server(serve: Callable[[socket.socket], None]) -> Iterator[str]:
    """Serve single connections, after their request came, byte by byte as a function says."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def run() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    connection.settimeout(5)
                    # A broken connection is what some of these servers are for.
                    try:
                        if connection.recv(65536).startswith(b"GET"):
                            serve(connection)
                    except OSError:
                        continue

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        yield f"127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)
    thread.join(10)


# --- redirects


def test_a_redirect_to_another_host_gets_no_authorization(connect: Connect) -> None:
    with StandIn(lambda request: Reply(200, BLOB)) as store:
        away = Reply(307, "", {"Location": f"{store.base}/store?signature=abc"})
        with registry({f"blobs/{DIGEST}": away}, basic=True) as server:
            body = connect(f"{server.host}/team/app", LOGIN).blob(DIGEST, limit=100)

            assert body == BLOB
            assert server.requests[-1].headers["authorization"] == LOGIN.basic()
        assert ["authorization" in request.headers for request in store.requests] == [False]


def test_a_redirect_on_the_same_host_keeps_the_authorization(connect: Connect) -> None:
    replies = {f"blobs/{DIGEST}": Reply(302, "", {"Location": "other"}), "blobs/other": Reply(200, BLOB)}
    with registry(replies, basic=True) as server:
        assert connect(f"{server.host}/team/app", LOGIN).blob(DIGEST, limit=100) == BLOB


def test_an_authorization_that_was_dropped_does_not_come_back(connect: Connect) -> None:
    places: dict[str, str] = {}
    with StandIn(lambda request: Reply(307, "", {"Location": places["home"]})) as other:
        away = Reply(307, "", {"Location": f"{other.base}/back"})
        with registry({f"blobs/{DIGEST}": away}, basic=True) as server:
            places["home"] = f"{server.base}/v2/team/app/blobs/home"
            with pytest.raises(UpstreamError):
                connect(f"{server.host}/team/app", LOGIN).blob(DIGEST, limit=100)

            returned = [request for request in server.requests if request.path.endswith("/home")]
            assert returned
            assert not [request for request in returned if "authorization" in request.headers]


@pytest.mark.parametrize(
    ("location", "kind", "text"),
    [
        ("again", Malformed, "stopped after 10 redirects"),
        ("", Malformed, "302 response missing Location header"),
        ("ftp://127.0.0.1/x", Malformed, "no HTTP URL"),
        ("http://[::1", Malformed, "malformed"),
    ],
)
def test_a_redirect_that_leads_nowhere_is_malformed(
    connect: Connect, location: str, kind: type[UpstreamError], text: str
) -> None:
    away = Reply(302, "", {"Location": location} if location else {})
    with registry({f"blobs/{DIGEST}": away, "blobs/again": away}) as server, pytest.raises(kind, match=text):
        connect(f"{server.host}/team/app").blob(DIGEST, limit=100)


def test_no_redirect_gives_up_encryption(tls: TLS) -> None:
    def answer(request: Request) -> Reply:
        if request.path == "/v2/":
            return Reply(200, "{}")
        return Reply(307, "", {"Location": "http://127.0.0.1:1/x?signature=abc"})

    with StandIn(answer, tls=tls.server) as server:
        client = UpstreamClient(limits=Limits(), allow_private=True, ca_bundle=tls.authority)
        with pytest.raises(Refused) as caught:
            client.repository(Repository(server.host, "team/app")).blob(DIGEST, limit=100)

        assert "which is not encrypted" in caught.value.text
        assert "abc" not in caught.value.text
        client.close()


# --- limits


@pytest.mark.parametrize("encoded", [False, True])
def test_an_answer_that_is_too_large_is_not_read(encoded: bool) -> None:
    body = json.dumps({"tags": ["a" * 1000] * 100}).encode()
    headers = {"Content-Encoding": "gzip"} if encoded else {}
    with registry({"tags/list": Reply(200, gzip.compress(body) if encoded else body, headers)}) as server:
        assert list(repository(server).tags()) == ["a" * 1000] * 100
        with pytest.raises(Malformed, match="larger than 1000 bytes"):
            list(repository(server, limits=Limits(tags_page_bytes=1000)).tags())


def test_the_body_of_an_error_is_cut() -> None:
    with (
        registry({"manifests/v1": Reply(404, b"x" * 1_000_000)}) as server,
        pytest.raises(NotFound, match="error parsing HTTP 404") as caught,
    ):
        repository(server).manifest("v1")

    assert len(caught.value.text) < 2000


def test_a_page_size_that_is_refused_is_left_out() -> None:
    def tags(request: Request) -> Reply:
        return Reply(400, json.dumps(UNREAD)) if "n" in request.query else Reply(200, '{"tags": ["a"]}')

    with registry({"tags/list": tags}) as server:
        assert list(repository(server).tags()) == ["a"]
        assert [request.query for request in server.requests[-2:]] == [{"n": "1000"}, {}]


@pytest.mark.parametrize(
    ("body", "link", "text"),
    [
        ('{"tags": ["a"]}', '<list?n=1000>; rel="next"', "lead back"),
        ('{"tags": ["a"]}', "</v2/team/app/tags/list?page={}>", "more than 3 pages"),
        ('{"tags": [1]}', "", "no list of names"),
        ('{"name": ' + "[" * 100_000, "", "exceeded max depth"),
    ],
)
def test_tags_that_never_end_or_are_none_are_malformed(body: str, link: str, text: str) -> None:
    def tags(request: Request) -> Reply:
        page = int(request.query.get("page", "0")) + 1
        return Reply(200, body, {"Link": link.format(page)} if link else {})

    with registry({"tags/list": tags}) as server, pytest.raises(Malformed, match=text):
        list(repository(server, limits=Limits(tag_pages=3)).tags())


def test_a_link_to_another_host_gets_no_authorization(connect: Connect) -> None:
    with StandIn(lambda request: Reply(200, '{"tags": ["b"]}')) as other:
        first = Reply(200, '{"tags": ["a"]}', {"Link": f'<{other.base}/more>; rel="next"'})
        with registry({"tags/list": first}, basic=True) as server:
            assert list(connect(f"{server.host}/team/app", LOGIN).tags()) == ["a", "b"]

        assert ["authorization" in request.headers for request in other.requests] == [False]


# --- what is no registry, and what is down


def test_a_web_server_is_no_registry() -> None:
    with StandIn(lambda request: None) as server, pytest.raises(NotARegistry) as caught:
        repository(server).manifest("v1")

    assert caught.value.text == f'endpoint "{server.base}" does not support v2 API (got 404 Not Found)'


def test_a_registry_says_what_it_is_in_a_header() -> None:
    def answer(request: Request) -> Reply:
        if request.path == "/v2/":
            return Reply(404, "", {"Docker-Distribution-Api-Version": "registry/2.0"})
        return Reply(200, '{"tags": ["a"]}')

    with StandIn(answer) as server:
        assert list(repository(server).tags()) == ["a"]


def test_http_is_for_insecure_registries_only() -> None:
    with registry({"tags/list": Reply(200, '{"tags": ["a"]}')}) as server:
        with pytest.raises(UpstreamError, match="server gave HTTP response to HTTPS client"):
            list(repository(server, insecure=False).tags())

        assert list(repository(server).tags()) == ["a"]


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_a_fault_that_passes_is_not_noticed(status: int) -> None:
    replies = [Reply(status), Reply(200, '{"tags": ["a"]}')]
    with registry({"tags/list": lambda request: replies.pop(0)}) as server:
        assert list(repository(server).tags()) == ["a"]


def test_a_fault_that_stays_is_told_after_three_tries() -> None:
    with registry({"tags/list": Reply(503)}) as server:
        with pytest.raises(ServerFault, match="received unexpected HTTP status: 503 Service Unavailable"):
            list(repository(server).tags())

        assert len(server.asked("/v2/team")) == 3


@pytest.mark.parametrize(("wait", "tries"), [("1", 2), ("60", 1)])
def test_a_short_wait_is_waited_and_a_long_one_left_to_others(wait: str, tries: int) -> None:
    body = json.dumps({"errors": [{"code": "TOOMANYREQUESTS", "message": "slow down please"}]})
    replies = [Reply(429, body, {"Retry-After": wait}), Reply(200, '{"tags": ["a"]}')]
    with registry({"tags/list": lambda request: replies.pop(0)}) as server:
        if tries == 1:
            with pytest.raises(Limited, match="toomanyrequests: slow down please") as caught:
                list(repository(server).tags())
            assert caught.value.retry_after == 60
        else:
            assert list(repository(server).tags()) == ["a"]

        assert len(server.asked("/v2/team")) == tries


@pytest.mark.parametrize("status", [400, 404, 410])
def test_a_refusal_is_not_tried_again(status: int) -> None:
    with registry({"manifests/v1": Reply(status)}) as server:
        with pytest.raises((Rejected, NotFound)):
            repository(server).manifest("v1")

        assert len(server.asked("/v2/team")) == 1


def test_a_method_that_is_not_allowed_says_nothing_of_the_digest() -> None:
    with registry({"manifests/v1": Reply(405)}) as server:
        assert repository(server).head("v1") is None


# --- time


def test_a_server_that_drips_does_not_outlast_the_deadline() -> None:
    def drip(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\nDocker-Distribution-Api-Version: 2\r\n\r\n")
        for _ in range(100):
            connection.sendall(b"x")
            time.sleep(0.05)

    with raw_server(drip) as host:
        client = UpstreamClient(limits=Limits(), allow_private=True)
        started = time.monotonic()
        with pytest.raises(Unreachable, match="deadline exceeded"):
            client.repository(Repository(host, "a/b"), insecure=True, deadline=Deadline(0.5)).manifest("v1")
        client.close()

    assert time.monotonic() - started < 2.5


@pytest.mark.parametrize(
    ("sent", "text"),
    [
        (b"", "EOF"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", "unexpected EOF"),
        (b"SSH-2.0-OpenSSH\r\n", "malformed HTTP response"),
    ],
)
def test_a_connection_that_breaks_is_unreachable(sent: bytes, text: str) -> None:
    with raw_server(lambda connection: connection.sendall(sent)) as host:
        client = UpstreamClient(limits=Limits(), allow_private=True)
        with pytest.raises(Unreachable, match=text):
            client.repository(Repository(host, "a/b"), insecure=True).manifest("v1")
        client.close()


def test_a_call_after_its_deadline_asks_nobody() -> None:
    with registry({}) as server:
        with pytest.raises(Unreachable, match="deadline exceeded"):
            repository(server, deadline=Deadline(0)).manifest("v1")

        assert server.requests == []


# --- connections


def test_connections_are_kept_and_shared() -> None:
    with registry({"tags/list": Reply(200, '{"tags": []}'), "manifests/v1": Reply(404, "{}")}) as server:
        one = repository(server)
        for _ in range(5):
            list(one.tags())
            with pytest.raises(NotFound):
                one.head("v1")

        # One for the attempt to speak TLS, one for everything else.
        assert server.connections == 2
        assert server.asked("/v2/").count("GET /v2/") == 1


@pytest.mark.parametrize("places", [1, 3])
def test_no_more_requests_than_allowed_run_at_one_host(places: int) -> None:
    running, most = 0, 0
    lock = threading.Lock()

    def blob(request: Request) -> Reply:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.05)
        with lock:
            running -= 1
        return Reply(200, BLOB)

    with registry({f"blobs/{DIGEST}": blob}) as server:
        one = repository(server, limits=Limits(per_host=places))
        with ThreadPoolExecutor(8) as pool:
            bodies = list(pool.map(lambda _: one.blob(DIGEST, limit=100), range(9)))

        assert bodies == [BLOB] * 9
        assert most == places
        assert server.connections <= places + 1


def test_cookies_are_not_kept() -> None:
    with registry({"tags/list": Reply(200, '{"tags": []}', {"Set-Cookie": "session=1"})}) as server:
        one = repository(server)
        for _ in range(2):
            list(one.tags())

        assert not [request for request in server.requests if "cookie" in request.headers]
