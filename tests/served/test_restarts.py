"""Ending the server and starting it again on the same data: quick, clean, and as if nothing had been."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from typing import Any

import pytest
import requests

from tests.processes import wait_until
from tests.registries import Distribution
from tests.served import KINDS
from tests.served.api import Api
from tests.served.consumers import Keeper
from tests.served.following import Follower
from tests.served.pace import within
from tests.server import Server

WATCHES = 20
LONGEST_END = 10.0
LONGEST_START = 5.0
PATIENCE = 30.0


@dataclass
class Watch:
    """A watch that stays open until the server ends it."""

    response: requests.Response
    lines: list[bytes] = field(default_factory=list)
    ended: bool = False

    def read(self) -> None:
        """Read to the end."""
        with suppress(requests.RequestException):
            for line in self.response.iter_lines(chunk_size=None):
                if line:
                    self.lines.append(line)
        self.ended = True


@dataclass(frozen=True)
class Restart:
    """A server that was ended with a delivery to be made and a watch on everything, and started again later."""

    api: Api
    keeper: Keeper
    before: list[dict[str, Any]]
    """The streams and the trigger just before the end."""
    follower: Follower
    watches: list[Watch]
    code: int
    end: float
    start: float
    digests: list[str]
    """What `app:latest` pointed to: before the trigger, before the end, and from the time between on."""


@pytest.fixture(scope="module", params=KINDS)
def restart(request: pytest.FixtureRequest, servers: dict[str, Server], registry: Distribution) -> Iterator[Restart]:
    """A restart of each kind of server in turn."""
    if request.param not in servers:
        pytest.skip("PostgreSQL or Redis is not installed")
    with ExitStack() as stack:
        yield perform(servers[request.param], registry, stack)


def perform(server: Server, registry: Distribution, stack: ExitStack) -> Restart:
    """End a server in the middle of things and start it again."""
    api = Api(server)
    repository = f"restarts/{server.port}"
    digests = [registry.push(repository, "latest", seed="0")]
    keeper = stack.enter_context(Keeper())
    streams = api.place("imagestreams")
    api.stream("app", {"latest": registry.pullspec(repository, tag="latest")}, scheduled=True)
    wait_until(lambda: api.history("app", "latest") == digests, seconds=PATIENCE, what="the first image is there")
    follower = stack.enter_context(Follower(api, streams))
    keeper.refusing = True
    api.trigger("app", "app:latest", keeper.url)
    digests.append(registry.push(repository, "latest", seed="1"))
    keeper.wait(1)
    wait_until(lambda: api.condition("app", "Delivered") == "Retrying", seconds=PATIENCE, what="it was refused")

    watches = [open_watch(api, api.place("secrets", prefix="api/v1"), stack) for _ in range(WATCHES)]
    readers = [threading.Thread(target=watch.read) for watch in watches]
    for reader in readers:
        reader.start()
    before = api.get(streams)["items"]
    started = time.monotonic()
    code = server.stop()
    end = time.monotonic() - started
    for reader in readers:
        reader.join(PATIENCE)

    digests.append(registry.push(repository, "latest", seed="2"))
    keeper.refusing = False
    started = time.monotonic()
    server.start()
    return Restart(api, keeper, before, follower, watches, code, end, time.monotonic() - started, digests)


def open_watch(api: Api, path: str, stack: ExitStack) -> Watch:
    session = stack.enter_context(api.server.client())
    response = session.get(api.url(path), params={"watch": "1"}, stream=True, timeout=PATIENCE)
    assert response.status_code == 200
    return Watch(stack.enter_context(response))


def test_the_end_is_clean_and_soon(restart: Restart) -> None:
    assert restart.code == 0
    within(restart.end, LONGEST_END, what="the end")


def test_open_watches_end_between_two_frames(restart: Restart) -> None:
    assert all(watch.ended for watch in restart.watches)
    assert all(json.loads(line)["type"] == "ADDED" for watch in restart.watches for line in watch.lines)


def test_the_second_start_is_quick(restart: Restart) -> None:
    within(restart.start, LONGEST_START, what="the second start")


def test_everything_is_there_and_goes_on(restart: Restart) -> None:
    api, digests = restart.api, restart.digests

    wait_until(lambda: len(api.history("app", "latest")) == 3, seconds=PATIENCE, what="the schedule goes on")

    assert api.history("app", "latest") == digests[::-1]
    after = api.get(api.place("imagestreams/app"))
    [before] = restart.before
    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    assert int(after["metadata"]["resourceVersion"]) > int(before["metadata"]["resourceVersion"])


def test_what_was_to_be_told_is_told(restart: Restart) -> None:
    first, second, third = restart.digests

    restart.keeper.wait(3, seconds=PATIENCE)
    wait_until(lambda: restart.api.condition("app", "Delivered") == "Delivered", seconds=PATIENCE, what="all is told")

    moves = [arrival.move for arrival in restart.keeper.arrivals]
    assert list(dict.fromkeys(moves)) == [(first, second), (second, third)]
    assert len({arrival.event["id"] for arrival in restart.keeper.arrivals}) == 2


def test_a_watch_resumes_where_it_was(restart: Restart) -> None:
    follower = restart.follower

    version = int(restart.api.stream("later", {})["metadata"]["resourceVersion"])
    wait_until(lambda: "later" in follower.names(), seconds=PATIENCE, what="the watch has come to the end")

    assert follower.errors == []
    assert follower.resumed > 0
    assert follower.events[-1] == ("ADDED", "later", version)
    # The trigger's first move, and what moved while nobody watched.
    assert follower.names() == ["app", "app", "later"]
