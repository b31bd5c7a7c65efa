"""Scheduled tags with real registries: what a worker had begun that was killed, and a registry that goes away."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.postgres import Postgres, binaries
from tests.processes import Program, wait_until
from tests.redis_server import Redis
from tests.registries import Distribution
from tests.requirements import found
from tests.served import KINDS, SCALED
from tests.served.api import Api
from tests.served.stalls import Detour
from tests.served.tables import Row, rows
from tests.server import ROOT, Server

ENVIRONMENT = {"ALLOW_PRIVATE_NETWORKS": "true", "SCHEDULED_IMPORT_INTERVAL": "2"}
TAKEN_OVER = 60.0
PATIENCE = 30.0
TAGS = tuple(f"v{number}" for number in range(6))


@pytest.fixture(scope="module", params=KINDS)
def alone(request: pytest.FixtureRequest) -> Iterator[Server]:
    """A server of each kind in turn whose workers can be killed without troubling other tests."""
    with ExitStack() as stack:
        database_url = redis_url = ""
        if request.param == SCALED:
            if binaries() is None or not found("redis-server"):
                pytest.skip("PostgreSQL or Redis is not installed")
            database_url = stack.enter_context(Postgres()).create("schedule")
            redis_url = stack.enter_context(Redis()).url
        server = Server(database_url=database_url, redis_url=redis_url, environment=ENVIRONMENT)
        yield stack.enter_context(server)


def scheduled(api: Api) -> list[Row]:
    return rows(api.server, "imagestreams_scheduled_tag", namespace=api.namespace)


def second_worker(server: Server, folder: Path) -> Program:
    """Start another worker on the data of a server, and return it."""
    environ = {**server.environ, "REGISTRY_META_DATA_DIR": str(server.data_dir), "REGISTRY_META_LOG_LEVEL": "info"}
    worker = Program([sys.executable, ROOT / "manage.py", "worker"], log=folder / "log", environ=environ, cwd=ROOT)
    worker.wait_ready(lambda: "ready." in worker.tail())
    return worker


def test_what_a_killed_worker_had_begun_is_taken_over_and_done_once(
    alone: Server, registry: Distribution, tmp_path: Path
) -> None:
    api, repository = Api(alone), f"schedule/{alone.port}"
    with Detour(registry) as detour:
        detour.gate.set()
        old = {tag: registry.push(repository, tag, seed=f"old {tag}") for tag in TAGS}
        api.stream("app", {tag: f"{detour.host}/{repository}:{tag}" for tag in TAGS}, scheduled=True)
        wait_until(
            lambda: all(api.history("app", tag) == [old[tag]] for tag in TAGS), seconds=PATIENCE, what="all is there"
        )
        [survivor] = alone.pids()["worker"]
        victim = second_worker(alone, tmp_path)
        os.kill(survivor, signal.SIGSTOP)
        try:
            wait_until(lambda: not any(row["holder"] for row in scheduled(api)), seconds=45, what="nothing is held")
            detour.reached.clear()
            detour.gate.clear()
            new = {tag: registry.push(repository, tag, seed=f"new {tag}") for tag in TAGS}
            assert detour.reached.wait(PATIENCE)
            held = [row["tag"] for row in scheduled(api) if row["holder"]]
            victim.stop(signal.SIGKILL)
            killed = time.monotonic()
        finally:
            os.kill(survivor, signal.SIGCONT)
        detour.gate.set()

        wait_until(
            lambda: all(api.history("app", tag) == [new[tag], old[tag]] for tag in TAGS),
            seconds=TAKEN_OVER,
            what="the other worker has taken over",
        )

    assert held
    assert time.monotonic() - killed < TAKEN_OVER
    moves = rows(alone, "imagestreams_tag_event", namespace=api.namespace, stream="app")
    assert {tag: [move["digest"] for move in moves if move["tag"] == tag] for tag in TAGS} == {
        tag: [old[tag], new[tag]] for tag in TAGS
    }


def test_a_registry_that_goes_away_and_comes_back_loses_nothing(alone: Server) -> None:
    api, repository = Api(alone), "outage/app"
    with Distribution() as registry:
        old = registry.push(repository, "latest", seed="old")
        api.stream("scheduled", {"latest": registry.pullspec(repository, tag="latest")}, scheduled=True)
        wait_until(lambda: api.history("scheduled", "latest") == [old], seconds=PATIENCE, what="the tag is there")
        port = registry.port
        registry.stop()
        api.stream("once", {"latest": registry.pullspec(repository, tag="latest")})
        soon = ["InternalError", "Soon"]
        wait_until(lambda: reasons(api, "scheduled") == soon, seconds=PATIENCE, what="the tag says so")
        wait_until(lambda: reasons(api, "once") == soon, seconds=PATIENCE, what="the other tag says so")
        assert api.history("scheduled", "latest") == [old]

        registry.start(port)
        new = registry.push(repository, "latest", seed="new")

        wait_until(lambda: api.history("scheduled", "latest") == [new, old], seconds=60, what="the schedule goes on")
        wait_until(lambda: api.history("once", "latest") == [new], seconds=60, what="the import is done")
    assert reasons(api, "scheduled") == reasons(api, "once") == []
    wait_until(lambda: {row["stream"] for row in scheduled(api)} == {"scheduled"}, seconds=10, what="one is scheduled")


def reasons(api: Api, stream: str) -> list[str]:
    """Return the reasons of the conditions of the tag `latest`."""
    entries = api.get(api.place(f"imagestreams/{stream}"))["status"].get("tags") or []
    return [str(each["reason"]) for entry in entries for each in entry.get("conditions") or []]
