"""Watches of projects on a real server: what comes and goes with rights, labels and namespaces."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from tests.server import Server
from tests.watching import Frame, Watching, steps, watching

RBAC = "apis/rbac.authorization.k8s.io/v1"
END = "k8s.io/initial-events-end"
MERGE = {"Content-Type": "application/merge-patch+json"}
SOON = 1.0
"""Within how many seconds a right that is given and taken away is seen to be."""

numbers = itertools.count(1)


class Place:
    """Namespaces of its own on a server, and somebody who may see some of them."""

    def __init__(self, server: Server, client: requests.Session) -> None:
        self.server = server
        self.client = client
        self.word = f"seen-{next(numbers)}"
        self.user = f"user-{self.word}"
        self.made: list[str] = []
        self.watcher = server.client()
        self.watcher.headers["Impersonate-User"] = self.user

    @property
    def projects(self) -> str:
        return f"{self.server.url}/apis/project.openshift.io/v1/projects"

    def name(self, suffix: str) -> str:
        return f"{self.word}-{suffix}"

    def make(self, suffix: str) -> None:
        body = {"metadata": {"name": self.name(suffix), "labels": {"letter": suffix}}}
        self.client.post(f"{self.server.url}/api/v1/namespaces", json=body).raise_for_status()
        self.made.append(suffix)

    def delete(self, suffix: str) -> None:
        self.client.delete(f"{self.server.url}/api/v1/namespaces/{self.name(suffix)}").raise_for_status()

    def label(self, suffix: str, value: str) -> None:
        url = f"{self.server.url}/api/v1/namespaces/{self.name(suffix)}"
        patch = {"metadata": {"labels": {"letter": value}}}
        self.client.patch(url, json=patch, headers=MERGE).raise_for_status()

    def bindings(self, suffix: str) -> str:
        return f"{self.server.url}/{RBAC}/namespaces/{self.name(suffix)}/rolebindings"

    def give(self, suffix: str, role: str = "view") -> None:
        body = {
            "metadata": {"name": "given"},
            "roleRef": {"kind": "ClusterRole", "name": role},
            "subjects": [{"kind": "User", "name": self.user}],
        }
        self.client.post(self.bindings(suffix), json=body).raise_for_status()

    def take(self, suffix: str) -> None:
        self.client.delete(f"{self.bindings(suffix)}/given").raise_for_status()

    def short(self, frames: list[Frame]) -> list[str]:
        """Return frames as `ADDED a`."""
        return [f"{type_} {name.removeprefix(self.word + '-')}".strip() for type_, name in steps(frames)]

    def next(self, watch: Watching, count: int = 1) -> list[str]:
        return self.short(watch.take(count))

    def version(self, suffix: str) -> str:
        found: dict[str, Any] = self.client.get(f"{self.projects}/{self.name(suffix)}").json()
        version: str = found["metadata"]["resourceVersion"]
        return version


@pytest.fixture
def place(server: Server, administrator: requests.Session) -> Iterator[Place]:
    made = Place(server, administrator)
    made.make("a")
    made.make("b")
    made.give("a")
    yield made
    for suffix in made.made:
        made.client.delete(f"{server.url}/api/v1/namespaces/{made.name(suffix)}")
    made.watcher.close()


def test_a_watch_from_the_start_begins_with_what_one_sees(place: Place) -> None:
    with watching(place.watcher, place.projects, resourceVersion="0") as watch:
        first = watch.take(1)[0]
        place.label("b", "x")
        place.label("a", "x")
        then = watch.take(1)[0]

    assert place.short([first, then]) == ["ADDED a", "MODIFIED a"]
    assert (first["object"]["kind"], then["object"]["metadata"]["labels"]["letter"]) == ("Project", "x")


def test_a_watch_without_a_version_begins_with_what_comes_next(place: Place) -> None:
    with watching(place.watcher, place.projects) as watch:
        time.sleep(0.5)
        place.label("a", "x")

        assert place.next(watch) == ["MODIFIED a"]


def test_rights_bring_projects_and_take_them_within_a_second(place: Place) -> None:
    waited: list[float] = []
    with watching(place.watcher, place.projects, resourceVersion="0") as watch:
        assert place.next(watch) == ["ADDED a"]
        for _ in range(3):
            began = time.monotonic()
            place.give("b")
            assert place.next(watch) == ["ADDED b"]
            place.take("b")
            gone = watch.take(1)
            waited.append(time.monotonic() - began)

    assert place.short(gone) == ["DELETED b"]
    assert gone[0]["object"]["metadata"].keys() == {"name", "resourceVersion"}
    # The machine may be busy with something else for once.
    assert min(waited) < SOON


def test_a_right_that_shows_nothing_is_not_told(place: Place) -> None:
    with watching(place.watcher, place.projects, resourceVersion="0") as watch:
        assert place.next(watch) == ["ADDED a"]
        place.give("b", role="system:image-puller")
        place.label("b", "x")
        place.label("a", "x")

        assert place.next(watch) == ["MODIFIED a"]


def test_a_project_that_is_requested_shows_to_its_requester_and_goes(place: Place) -> None:
    place.watcher.headers["Impersonate-Group"] = "system:authenticated:oauth"
    with watching(place.watcher, place.projects, resourceVersion="0") as watch:
        assert place.next(watch) == ["ADDED a"]
        place.made.append("new")
        url = place.projects.replace("projects", "projectrequests")
        place.watcher.post(url, json={"metadata": {"name": place.name("new")}}).raise_for_status()
        assert place.next(watch) == ["ADDED new"]
        place.watcher.delete(f"{place.projects}/{place.name('new')}").raise_for_status()

        # With the project goes the right to see it, perhaps before its end is told.
        told = place.short(watch.until(lambda frames: frames[-1]["type"] == "DELETED"))
        assert told in (["MODIFIED new", "DELETED new"], ["DELETED new"])


def test_a_label_brings_a_project_into_a_selection_and_out(place: Place) -> None:
    with watching(place.watcher, place.projects, resourceVersion="0", labelSelector="letter=x") as watch:
        place.label("a", "x")
        assert place.next(watch) == ["ADDED a"]
        place.label("a", "y")

        assert place.next(watch) == ["DELETED a"]


def test_initial_events_end_with_a_bookmark_from_which_a_watch_goes_on(place: Place) -> None:
    query = {"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan", "allowWatchBookmarks": "true"}
    with watching(place.watcher, place.projects, **query) as watch:
        first, end = watch.take(2)
    place.label("b", "x")
    place.label("a", "x")
    place.make("c")
    version = end["object"]["metadata"]["resourceVersion"]

    assert place.short([first]) == ["ADDED a"]
    assert end["object"]["metadata"]["annotations"] == {END: "true"}
    with watching(place.watcher, place.projects, resourceVersion=version) as watch:
        assert place.next(watch) == ["MODIFIED a"]


def test_a_watch_does_not_go_on_from_before_a_right_changed(place: Place) -> None:
    version = place.version("a")
    place.give("b")

    with watching(place.watcher, place.projects, resourceVersion=version) as watch:
        expired = watch.take(1)[0]

    assert (expired["type"], expired["object"]["code"]) == ("ERROR", 410)


def test_a_watch_goes_on_with_what_changed_meanwhile(place: Place) -> None:
    place.label("a", "1")
    version = place.version("a")
    place.label("b", "2")
    place.label("a", "3")
    place.label("a", "4")
    with watching(place.watcher, place.projects, resourceVersion=version, labelSelector="letter notin (1)") as watch:
        frames = watch.take(2)

    assert place.short(frames) == ["ADDED a", "MODIFIED a"]
    assert [frame["object"]["metadata"]["labels"]["letter"] for frame in frames] == ["3", "4"]


def test_the_administrator_watches_all(place: Place) -> None:
    url = place.projects
    with watching(place.client, url, resourceVersion="0", labelSelector=f"letter=z{place.word}") as watch:
        place.label("b", f"z{place.word}")
        assert place.next(watch) == ["ADDED b"]
        place.delete("b")

        assert place.next(watch, 2) == ["MODIFIED b", "DELETED b"]


def test_a_watch_of_one_project_is_of_that_alone(place: Place) -> None:
    place.give("b")
    selector = f"metadata.name={place.name('b')}"
    with watching(place.watcher, place.projects, resourceVersion="0", fieldSelector=selector) as watch:
        assert place.next(watch) == ["ADDED b"]
        place.label("a", "x")
        place.label("b", "x")

        assert place.next(watch) == ["MODIFIED b"]


def test_frames_can_be_tables(place: Place) -> None:
    headers = {"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io"}
    place.watcher.headers.update(headers)
    with watching(place.watcher, place.projects, resourceVersion="0") as watch:
        [added] = watch.take(1)
        place.take("a")
        [gone] = watch.take(1)

    assert added["object"]["rows"][0]["cells"] == [place.name("a"), "", "Active"]
    assert (gone["type"], gone["object"]["rows"][0]["cells"][0]) == ("DELETED", place.name("a"))
