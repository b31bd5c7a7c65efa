"""Web processes that are killed in the middle of their work: what they answered is there, and no watcher misses it."""

from __future__ import annotations

import itertools
import os
import signal
import threading
import time

import requests

from tests.processes import wait_until
from tests.served.api import Api
from tests.served.following import Follower
from tests.served.tables import rows
from tests.server import Server

STREAMS = "imagestreams.image.openshift.io"


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
