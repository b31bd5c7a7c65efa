"""Watches of a real server: what they begin with, what they show, and how many there may be."""

from __future__ import annotations

import itertools
import signal
import time
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from tests.bench.fanout import Readers
from tests.processes import wait_until
from tests.server import TEST_NAMESPACE, Server
from tests.watching import Frame, steps, watching

PATH = f"/apis/image.openshift.io/v1/namespaces/{TEST_NAMESPACE}/imagestreams"
END = "k8s.io/initial-events-end"
MERGE = {"Content-Type": "application/merge-patch+json"}
WATCHERS = 200
numbers = itertools.count(1)


class Streams:
    """Image streams with a label of their own."""

    def __init__(self, server: Server, client: requests.Session) -> None:
        self.client = client
        self.server = server
        self.url = f"{server.url}{PATH}"
        self.word = f"watch-{next(numbers)}"

    def create(self, suffix: str, **labels: str) -> dict[str, Any]:
        """Create a stream."""
        metadata = {"name": f"{self.word}-{suffix}", "labels": {"test": self.word, **labels}}
        body = {"kind": "ImageStream", "apiVersion": "image.openshift.io/v1", "metadata": metadata}
        answer = self.client.post(self.url, json=body)
        assert answer.status_code == 201, answer.text
        created: dict[str, Any] = answer.json()
        return created

    def label(self, suffix: str, **labels: str | None) -> None:
        """Change the labels of a stream."""
        patch = {"metadata": {"labels": labels}}
        self.client.patch(f"{self.url}/{self.word}-{suffix}", json=patch, headers=MERGE).raise_for_status()

    def delete(self, suffix: str) -> None:
        """Delete a stream."""
        self.client.delete(f"{self.url}/{self.word}-{suffix}").raise_for_status()

    @property
    def selector(self) -> str:
        """What selects these streams."""
        return f"test={self.word}"

    def version(self) -> str:
        """Return the version of the collection now."""
        listed = self.client.get(self.url, params={"labelSelector": self.selector}).json()
        version: str = listed["metadata"]["resourceVersion"]
        return version

    def short(self, frames: list[Frame]) -> list[str]:
        """Return frames as `ADDED a`."""
        return [f"{type_} {name.removeprefix(self.word + '-')}".strip() for type_, name in steps(frames)]


@pytest.fixture
def streams(server: Server, administrator: requests.Session) -> Iterator[Streams]:
    made = Streams(server, administrator)
    yield made
    administrator.delete(made.url, params={"labelSelector": made.selector})


def test_a_watch_without_a_version_begins_with_what_exists(streams: Streams) -> None:
    streams.create("a")
    streams.create("b")

    with watching(streams.client, streams.url, labelSelector=streams.selector) as watch:
        existing = watch.take(2)
        streams.delete("a")
        [gone] = watch.take(1)

    assert sorted(streams.short(existing)) == ["ADDED a", "ADDED b"]
    assert streams.short([gone]) == ["DELETED a"]


def test_a_watch_list_ends_its_beginning_with_a_bookmark(streams: Streams) -> None:
    streams.create("a")
    streams.create("b")
    query = {
        "sendInitialEvents": "true",
        "resourceVersionMatch": "NotOlderThan",
        "allowWatchBookmarks": "true",
        "labelSelector": streams.selector,
    }

    with watching(streams.client, streams.url, **query) as watch:
        beginning = watch.until(lambda frames: frames[-1]["type"] == "BOOKMARK")
        created = streams.create("c")
        [later] = watch.take(1)

    assert streams.short(beginning) == ["ADDED a", "ADDED b", "BOOKMARK"]
    bookmark = beginning[-1]["object"]
    assert bookmark["kind"] == "ImageStream"
    assert bookmark["metadata"]["annotations"] == {END: "true"}
    assert int(bookmark["metadata"]["resourceVersion"]) < int(created["metadata"]["resourceVersion"])
    assert later == {"type": "ADDED", "object": created}


def test_objects_enter_and_leave_a_selection(streams: Streams) -> None:
    query = {"labelSelector": f"{streams.selector},tier=gold", "resourceVersion": streams.version()}

    with watching(streams.client, streams.url, **query) as watch:
        streams.create("a", tier="silver")
        streams.label("a", tier="gold")
        streams.label("a", colour="red")
        streams.label("a", tier=None)
        streams.label("a", tier="gold")
        streams.delete("a")
        frames = watch.take(5)

    assert streams.short(frames) == ["ADDED a", "MODIFIED a", "DELETED a", "ADDED a", "DELETED a"]
    assert frames[2]["object"]["metadata"]["labels"]["tier"] == "gold"


def test_a_field_selector_watches_one_object(streams: Streams) -> None:
    query = {"fieldSelector": f"metadata.name={streams.word}-b", "resourceVersion": streams.version()}

    with watching(streams.client, streams.url, **query) as watch:
        streams.create("a")
        streams.create("b")
        streams.delete("a")
        streams.delete("b")
        frames = watch.take(2)

    assert streams.short(frames) == ["ADDED b", "DELETED b"]


def test_a_watch_resumes_where_another_ended(streams: Streams) -> None:
    seen = streams.create("a")["metadata"]["resourceVersion"]
    streams.create("b")
    streams.label("b", colour="red")
    streams.delete("a")

    with watching(
        streams.client, streams.url, labelSelector=streams.selector, resourceVersion=seen, timeoutSeconds=1
    ) as watch:
        frames = list(watch)

    assert streams.short(frames) == ["ADDED b", "MODIFIED b", "DELETED a"]


def test_a_watch_ends_when_its_time_is_up(streams: Streams) -> None:
    started = time.monotonic()

    with watching(streams.client, streams.url, resourceVersion=streams.version(), timeoutSeconds=1) as watch:
        list(watch)

    assert 0.9 < time.monotonic() - started < 4


def test_many_watchers_all_hear_of_a_change(streams: Streams) -> None:
    path = f"{PATH}?watch=1&resourceVersion={streams.version()}&timeoutSeconds=60"

    with Readers(streams.server, path, WATCHERS) as readers:
        readers.expect(f"{streams.word}-heard")
        streams.create("heard")
        arrivals = readers.arrivals()
        answer = streams.client.get(streams.url, params={"limit": "1"}, timeout=5)

    assert len(arrivals) == WATCHERS
    assert answer.status_code == 200


def test_a_watch_that_lost_its_process_goes_on_from_its_last_version(streams: Streams) -> None:
    server = streams.server
    with watching(
        streams.client, streams.url, labelSelector=streams.selector, resourceVersion=streams.version()
    ) as watch:
        streams.create("a")
        [first] = watch.take(1)
        before = server.pids()["web"]
        server.kill("web", signal.SIGKILL)
        wait_until(lambda: is_back(server, before), seconds=20, what="the web processes are back")

    seen = first["object"]["metadata"]["resourceVersion"]
    with server.client() as again:
        streams.client = again
        streams.create("b")
        with watching(again, streams.url, labelSelector=streams.selector, resourceVersion=seen) as watch:
            frames = watch.take(1)

    assert streams.short(frames) == ["ADDED b"]


def is_back(server: Server, before: list[int]) -> bool:
    """Return whether other web processes than before answer."""
    now = server.pids()["web"]
    if not now or set(now) & set(before):
        return False
    try:
        with server.client() as fresh:
            return fresh.get(f"{server.url}/readyz", timeout=5).status_code == 200
    except requests.RequestException:
        return False
