"""Processes that are killed in the middle of their work: what they had begun is finished, and nothing is done twice."""

from __future__ import annotations

import itertools
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest
import requests

from tests.processes import wait_until
from tests.registries import Distribution
from tests.served.api import Api
from tests.served.consumers import Keeper
from tests.served.following import Follower
from tests.served.stalls import Detour
from tests.served.tables import Row, rows
from tests.server import Server

LEASE = 30.0
"""Seconds for which a worker that died holds what it worked on."""

PATIENCE = LEASE + 45.0
LEDGER = "imagestreams_tag_event"
STREAMS = "imagestreams.image.openshift.io"


@dataclass(frozen=True)
class Accident:
    """A worker that was killed while it waited for a registry and for a consumer."""

    api: Api
    digests: list[str]
    """What the tag `told:latest` pointed to, in order; the first before there was a trigger."""
    telling: Keeper
    """The consumer that the worker was speaking to."""
    slow: str
    """What the registry held back of the tag `slow:latest`."""
    hearing: Keeper
    """The consumer of that tag."""

    def moves(self, stream: str) -> list[Row]:
        """Return what the ledger has of a stream."""
        return rows(self.api.server, LEDGER, namespace=self.api.namespace, stream=stream)

    def deliveries(self, stream: str) -> list[Row]:
        """Return the deliveries of a stream."""
        return rows(self.api.server, "imagestreams_delivery", namespace=self.api.namespace, stream=stream)


@pytest.fixture(scope="module", autouse=True)
def accidents(servers: dict[str, Server], registry: Distribution) -> Iterator[dict[str, Accident]]:
    """An accident on each server, at once and before the other tests here: it takes half a minute to recover."""
    with ExitStack() as stack:
        yield {kind: happen(server, registry, stack) for kind, server in servers.items()}


@pytest.fixture
def accident(kind: str, accidents: dict[str, Accident]) -> Accident:
    """The accident on each kind of server in turn."""
    return accidents[kind]


def happen(server: Server, registry: Distribution, stack: ExitStack) -> Accident:
    """Let a worker begin an import and a delivery, and kill it."""
    api = Api(server)
    repository = f"crashes/{server.port}"
    digests = [registry.push(repository, f"v{number}", seed=f"{number}") for number in range(4)]
    slow = registry.push(f"{repository}/slow", "latest", seed="slow")
    telling, hearing = stack.enter_context(Keeper()), stack.enter_context(Keeper())
    detour = stack.enter_context(Detour(registry))
    api.bring_in("told", {"latest": registry.pullspec(repository, tag="v0")})
    api.trigger("told", "told:latest", telling.url)
    api.trigger("slow", "slow:latest", hearing.url)

    telling.gate.clear()
    api.bring_in("told", {"latest": registry.pullspec(repository, tag="v1")})
    api.stream("slow", {"latest": f"{detour.host}/{repository}/slow:latest"})
    telling.wait(1)
    assert detour.reached.wait(PATIENCE)
    server.kill("worker")

    for number in (2, 3):
        api.bring_in("told", {"latest": registry.pullspec(repository, tag=f"v{number}")})
    telling.gate.set()
    detour.gate.set()
    return Accident(api, digests, telling, slow, hearing)


# --- web processes


class Writer:
    """Creates streams in a thread, one after another, each until it is there; `answered` holds what was answered."""

    def __init__(self, api: Api, number: int) -> None:
        self.answered: dict[str, str] = {}
        self.unsure: list[str] = []
        self._api = api
        self._number = number
        self._session = api.server.client()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._write)
        self._thread.start()

    def end(self) -> None:
        """Let it finish what it has begun."""
        self._ended.set()
        self._thread.join()
        self._session.close()

    def _write(self) -> None:
        for number in itertools.count():
            if self._ended.is_set():
                return
            name = f"w{self._number}-{number}"
            while not self._create(name):
                time.sleep(0.05)

    def _create(self, name: str) -> bool:
        url = self._api.url(self._api.place("imagestreams"))
        try:
            answer = self._session.post(url, json={"metadata": {"name": name}}, timeout=20)
        except requests.RequestException:
            self.unsure.append(name)
            return False
        if answer.status_code == 201:
            self.answered[name] = answer.json()["metadata"]["resourceVersion"]
        else:
            assert (answer.status_code, name in self.unsure) == (409, True), answer.text
        return True


def kill_web(server: Server, *, place: int) -> None:
    """Kill a web process, the first or one below it, and wait until there are as many again."""
    before = server.pids()["web"]
    os.kill(before[place], signal.SIGKILL)

    def is_back() -> bool:
        after = server.pids()["web"]
        return len(after) == len(before) and before[place] not in after

    wait_until(is_back, seconds=30, what="the web processes are back")


def test_what_a_killed_web_process_answered_is_there(served: Server) -> None:
    api = Api(served)
    place = api.place("imagestreams")

    with Follower(api, place) as follower:
        writers = [Writer(api, number) for number in range(4)]
        wait_until(lambda: len(follower.events) > 20, seconds=30, what="there is something to lose")
        kill_web(served, place=1)
        kill_web(served, place=0)
        so_far = len(follower.events)
        wait_until(lambda: len(follower.events) > so_far + 20, seconds=30, what="it goes on")
        for writer in writers:
            writer.end()
        last = api.stream("last", {})["metadata"]["name"]
        wait_until(lambda: last in follower.names(), seconds=30, what="the watch has come to the end")

    items = {item["metadata"]["name"]: item["metadata"]["resourceVersion"] for item in api.get(place)["items"]}
    answered = {name: version for writer in writers for name, version in writer.answered.items()}
    assert answered.items() <= items.items()
    assert follower.errors == []
    assert follower.resumed > 0
    changes = rows(served, "kube_change", resource=STREAMS, namespace=api.namespace)
    assert follower.events == [(each["type"], each["name"], each["version"]) for each in changes]
    assert {name: str(version) for _, name, version in follower.events} == items
    assert len(follower.events) == len(items)


# --- the worker


def test_an_import_whose_worker_died_is_done(accident: Accident) -> None:
    api = accident.api

    wait_until(lambda: api.history("slow", "latest") != [], seconds=PATIENCE, what="the import is done")
    wait_until(
        lambda: not rows(api.server, "imagestreams_due_import", namespace=api.namespace),
        seconds=10,
        what="nothing is left to import",
    )

    assert api.history("slow", "latest") == [accident.slow]
    assert [(row["previous_digest"], row["digest"]) for row in accident.moves("slow")] == [("", accident.slow)]
    arrivals = accident.hearing.wait(1)
    assert [arrival.move for arrival in arrivals] == [("", accident.slow)]


def test_a_delivery_whose_worker_died_is_made(accident: Accident) -> None:
    arrivals = accident.telling.wait(4, seconds=PATIENCE)

    # The first was under way when the worker died: it comes again, and is the same to the last byte.
    assert arrivals[0].request.body == arrivals[1].request.body
    assert [arrival.move for arrival in arrivals[1:]] == list(itertools.pairwise(accident.digests))
    wait_until(
        lambda: all(row["state"] == "delivered" for row in accident.deliveries("told")),
        seconds=10,
        what="all is accepted",
    )


def test_the_ledger_the_history_and_the_deliveries_agree(accident: Accident) -> None:
    accident.telling.wait(4, seconds=PATIENCE)
    accident.hearing.wait(1, seconds=PATIENCE)

    for stream, first, keeper in (("told", 1, accident.telling), ("slow", 0, accident.hearing)):
        moves = accident.moves(stream)
        assert [row["digest"] for row in reversed(moves)] == accident.api.history(stream, "latest")
        told = {row["version"]: (row["previous_digest"], row["digest"]) for row in moves[first:]}
        made = {row["version"]: (row["previous_digest"], row["digest"]) for row in accident.deliveries(stream)}
        assert made == told
        ids = dict.fromkeys(int(arrival.event["id"].rpartition(".")[2]) for arrival in keeper.arrivals)
        assert list(ids) == list(told)


def test_the_log_has_no_gap(accident: Accident) -> None:
    versions = [row["version"] for row in rows(accident.api.server, "kube_change")]

    assert versions == list(range(versions[0], versions[0] + len(versions)))
