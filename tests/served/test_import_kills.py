"""Processes that are killed at any point of an import: what is left in the end is what is there without a kill."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field

import pytest

from tests.postgres import Postgres, binaries
from tests.redis_server import Redis
from tests.registries import memory_registry
from tests.requirements import found
from tests.served import EMBEDDED, SCALED
from tests.served.api import Json
from tests.served.consumers import Keeper
from tests.served.killing import Deaths, Shop
from tests.server import Server

LIVES = {
    EMBEDDED: (
        ("change-read", "row-noted", "message-taken", "row-claimed"),
        ("manifest-fetched", "all-fetched", "members-stored", "images-stored"),
        ("stream-written", "row-done"),
    ),
    SCALED: (("row-noted", "row-claimed", "members-stored", "stream-written"),),
}
"""Where workers die, in one life of the server after the other: it gives up when one dies five times in a minute.

Between two lives all of its processes are killed."""

ASKED = {
    EMBEDDED: ("manifest-fetched", "all-fetched", "members-stored", "images-stored"),
    SCALED: ("images-stored",),
}
"""Where web processes die while they answer an ImageStreamImport."""

CASES = [(kind, point) for kind, lives in LIVES.items() for life in lives for point in life]
REQUESTS = [(kind, point) for kind, points in ASKED.items() for point in points]


@dataclass
class Story:
    """What was left of each import, by the point at which its process was killed; empty for none."""

    wished: dict[str, Json] = field(default_factory=dict)
    asked: dict[str, Json] = field(default_factory=dict)
    told: dict[str, int] = field(default_factory=dict)
    """How often the consumer heard of an import on request."""


def play(
    server: Server, lives: Sequence[Sequence[str]], asked: Sequence[str], *, redis: Redis | None, stack: ExitStack
) -> Story:
    """Let processes of a server die at each point, and return what came of the imports."""
    host, store = stack.enter_context(memory_registry())
    keeper = stack.enter_context(Keeper())
    deaths = stack.enter_context(Deaths())
    deaths.arm(server)
    stack.enter_context(server)
    shop = Shop(server, host, store, keeper)
    names = {point: f"wish-{number:02}" for number, point in enumerate(["", *(p for life in lives for p in life)])}
    shop.wish(names[""])
    for number, life in enumerate(lives):
        if number:
            cut_power(server)
            server.kill("clock")
        for point in life:
            deaths.ask(point, names[point])
            shop.wish(names[point])
            deaths.wait(point, names[point])
            if redis is not None:
                redis.stop()  # with every message that there was
                redis.start()
    demands = {point: f"asks-{number:02}" for number, point in enumerate(["", *asked])}
    for point, stream in demands.items():
        if point:
            deaths.ask(point, stream)
        shop.demand(stream)
        if point:
            deaths.wait(point, stream)
    for stream in (*names.values(), *demands.values()):
        shop.settle(stream)
    told = [arrival.request.path.rpartition("/")[2] for arrival in keeper.arrivals]
    return Story(
        {point: shop.state(stream) for point, stream in names.items()},
        {point: shop.state(stream) for point, stream in demands.items()},
        {point: told.count(stream) for point, stream in demands.items()},
    )


def cut_power(server: Server) -> None:
    """Kill every process of a server at once, and start it again."""
    for pid in server.family():
        with suppress(ProcessLookupError):  # the others end with the first
            os.kill(pid, signal.SIGKILL)
    server.stop()
    server.start()


@pytest.fixture(scope="module")
def stories() -> Iterator[Mapping[str, Future[Story]]]:
    """What happened on each kind of server, played at the same time: most of it is waiting for leases to run out."""
    with ExitStack() as stack, ThreadPoolExecutor(2) as pool:
        environment = {"ALLOW_PRIVATE_NETWORKS": "true"}
        servers: dict[str, tuple[Server, Redis | None]] = {EMBEDDED: (Server(environment=environment), None)}
        if binaries() is not None and found("redis-server"):
            database = stack.enter_context(Postgres()).create("kills")
            redis = stack.enter_context(Redis())
            servers[SCALED] = Server(database_url=database, redis_url=redis.url, environment=environment), redis
        yield {
            kind: pool.submit(play, server, LIVES[kind], ASKED[kind], redis=redis, stack=stack)
            for kind, (server, redis) in servers.items()
        }


def story(stories: Mapping[str, Future[Story]], kind: str) -> Story:
    """Return what happened on a kind of server."""
    if kind not in stories:
        pytest.skip("PostgreSQL or Redis is not installed")
    return stories[kind].result()


@pytest.mark.parametrize(("kind", "point"), CASES)
def test_an_import_whose_worker_was_killed_ends_as_if_nothing_had_been(
    stories: Mapping[str, Future[Story]], kind: str, point: str
) -> None:
    states = story(stories, kind).wished

    assert states[point] == states[""]


@pytest.mark.parametrize(("kind", "point"), REQUESTS)
def test_an_import_on_request_whose_process_was_killed_ends_as_if_nothing_had_been_once_it_is_asked_again(
    stories: Mapping[str, Future[Story]], kind: str, point: str
) -> None:
    states = story(stories, kind).asked

    assert states[point] == states[""]


@pytest.mark.parametrize("kind", [EMBEDDED, SCALED])
def test_each_tag_of_a_killed_import_moved_once(stories: Mapping[str, Future[Story]], kind: str) -> None:
    told = story(stories, kind)

    for state in (*told.wished.values(), *told.asked.values()):
        assert [move[0] for move in state["moves"]] == ["index", "stable"]
        assert len(state["images"]) == 4
        assert [tag["tag"] for tag in state["stream"]["status"]["tags"]] == ["gone", "index", "stable"]
        assert [len(tag.get("items") or []) for tag in state["stream"]["status"]["tags"]] == [0, 1, 1]
        assert (state["deliveries"], state["imports"]) == ([["index", "delivered"]], 0)
    assert set(told.told.values()) == {1}
