"""More watches than a web process holds: the rest are sent away, and everything else is answered as ever."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
import requests

from tests.processes import wait_until
from tests.served.api import Api
from tests.server import Server

THREADS = 8
WATCHES = 6
PATIENCE = 10


@pytest.fixture(scope="module")
def crowded() -> Iterator[Server]:
    """A server that has eight threads, of which watches may have six."""
    with Server(environment={"WEB_WORKERS": "1", "WEB_THREADS": str(THREADS)}) as running:
        yield running


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as opened:
        yield opened


def watch(api: Api, stack: ExitStack, *, seconds: int) -> requests.Response:
    """Open a watch on a connection of its own."""
    session = stack.enter_context(api.server.client())
    query = {"watch": "1", "timeoutSeconds": str(seconds)}
    answer = session.get(api.url(api.place("imagestreams")), params=query, stream=True, timeout=PATIENCE)
    return stack.enter_context(answer)


def test_watches_beyond_the_limit_are_sent_away_and_requests_are_answered(crowded: Server, stack: ExitStack) -> None:
    api = Api(crowded)
    opened = [watch(api, stack, seconds=4) for _ in range(WATCHES)]
    assert [answer.status_code for answer in opened] == [200] * WATCHES

    refused = [watch(api, stack, seconds=4) for _ in range(3)]
    began = time.monotonic()
    created = [api.stream(f"beside-{number}", {}) for number in range(10)]

    assert time.monotonic() - began < 2
    assert len(created) == 10
    for answer in refused:
        assert (answer.status_code, answer.headers["Retry-After"]) == (429, "5")
        assert (answer.json()["reason"], answer.json()["details"]) == ("TooManyRequests", {"retryAfterSeconds": 5})
    assert all(answer.content for answer in opened)
    wait_until(lambda: watch(api, stack, seconds=1).status_code == 200, seconds=PATIENCE, what="there is room again")


def test_connections_that_wait_for_nothing_hold_no_thread(crowded: Server, stack: ExitStack) -> None:
    api = Api(crowded)
    sessions = [stack.enter_context(crowded.client()) for _ in range(2 * THREADS)]

    codes = {session.get(api.url("readyz"), timeout=PATIENCE).status_code for session in [*sessions, *sessions]}

    assert codes == {200}
