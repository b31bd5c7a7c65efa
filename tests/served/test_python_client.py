"""The Python `kubernetes` client, typed and dynamic, and a control loop that lives through a restart."""

from __future__ import annotations

import itertools
import os
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path
from typing import Any

import pytest
import urllib3
from kubernetes import client, config, dynamic, watch
from kubernetes.client.exceptions import ApiException
from kubernetes.dynamic.exceptions import NotFoundError

from tests.processes import wait_until
from tests.served.api import Api
from tests.server import Server

RBAC = "rbac.authorization.k8s.io"
LOOP_SECONDS = float(os.environ.get("LOOP_SECONDS", "4"))
"""How long the control loops run at least; `LOOP_SECONDS=600` is a long run."""

EVENTS = 12
"""How many events each loop is told before its server is started again, and then again."""

PAUSE = 0.2
"""Seconds until a client tries again."""

PATIENCE = 30.0
CUT = (urllib3.exceptions.HTTPError, HTTPException, ConnectionError)


@contextmanager
def connected(server: Server) -> Iterator[client.ApiClient]:
    """Connect as users do, with the kubeconfig that the server wrote."""
    settings = client.Configuration()
    config.load_kube_config(config_file=str(server.kubeconfig), client_configuration=settings)
    settings.retries = False
    with client.ApiClient(settings) as api_client:
        yield api_client


@pytest.fixture
def api(served: Server) -> Api:
    return Api(served)


@pytest.fixture
def api_client(served: Server) -> Iterator[client.ApiClient]:
    """The client of each kind of server in turn."""
    with connected(served) as api_client:
        yield api_client


@pytest.fixture
def kinds(api_client: client.ApiClient, tmp_path: Path) -> dynamic.DynamicClient:
    """The dynamic client, which finds kinds by discovery."""
    return dynamic.DynamicClient(api_client, cache_file=str(tmp_path / "discovery.json"))


class Life:
    """What a watch of the typed client tells of one object, from the moment at which this is made."""

    def __init__(self, call: Any, *place: str) -> None:
        self._call = call
        self._place = place
        self._version = call(*place).metadata.resource_version

    def of(self, name: str) -> list[str]:
        """Return the types of the events of an object up to its end."""
        stream: Any = watch.Watch()
        options = {"resource_version": self._version, "timeout_seconds": int(PATIENCE)}
        types: list[str] = []
        for event in stream.stream(self._call, *self._place, **options):
            if event["object"].metadata.name == name:
                types.append(event["type"])
                if event["type"] == "DELETED":
                    stream.stop()
        return types


def test_namespaces_come_and_go(api_client: client.ApiClient, kind: str) -> None:
    core = client.CoreV1Api(api_client)
    name = f"typed-{kind}"
    life = Life(core.list_namespace)

    made: Any = core.create_namespace(client.V1Namespace(metadata=client.V1ObjectMeta(name=name)))
    core.patch_namespace(name, {"metadata": {"labels": {"team": "shop"}}})
    found: Any = core.list_namespace(label_selector="team=shop").items
    core.delete_namespace(name)

    assert made.status.phase == "Active"
    assert [(each.metadata.name, each.metadata.uid) for each in found] == [(name, made.metadata.uid)]
    types = life.of(name)
    assert (types[:2], types[-1]) == (["ADDED", "MODIFIED"], "DELETED")


def test_secrets_come_and_go(api: Api, api_client: client.ApiClient) -> None:
    core = client.CoreV1Api(api_client)
    metadata = client.V1ObjectMeta(name="pull")
    life = Life(core.list_namespaced_secret, api.namespace)

    core.create_namespaced_secret(api.namespace, client.V1Secret(metadata=metadata, string_data={"key": "one"}))
    core.patch_namespaced_secret("pull", api.namespace, {"stringData": {"key": "two"}})
    read = core.read_namespaced_secret("pull", api.namespace)
    core.delete_namespaced_secret("pull", api.namespace)

    assert life.of("pull") == ["ADDED", "MODIFIED", "DELETED"]
    assert (read.type, read.data) == ("Opaque", {"key": "dHdv"})
    with pytest.raises(ApiException) as caught:
        core.read_namespaced_secret("pull", api.namespace)
    assert (caught.value.status, caught.value.reason) == (404, "Not Found")


def test_role_bindings_come_and_go(api: Api, api_client: client.ApiClient) -> None:
    rbac = client.RbacAuthorizationV1Api(api_client)
    binding = client.V1RoleBinding(
        metadata=client.V1ObjectMeta(name="viewers"),
        role_ref=client.V1RoleRef(api_group=RBAC, kind="ClusterRole", name="view"),
        subjects=[client.RbacV1Subject(api_group=RBAC, kind="User", name="jane")],
    )
    life = Life(rbac.list_namespaced_role_binding, api.namespace)

    rbac.create_namespaced_role_binding(api.namespace, binding)
    more = {"subjects": [{"apiGroup": RBAC, "kind": "Group", "name": "shop"}]}
    rbac.patch_namespaced_role_binding("viewers", api.namespace, more)
    found: Any = rbac.list_namespaced_role_binding(api.namespace).items
    rbac.delete_namespaced_role_binding("viewers", api.namespace)

    subjects = {each.metadata.name: [subject.name for subject in each.subjects] for each in found}
    assert subjects["viewers"] == ["shop"]
    assert life.of("viewers") == ["ADDED", "MODIFIED", "DELETED"]


def test_image_streams_come_and_go(api: Api, kinds: dynamic.DynamicClient) -> None:
    streams = kinds.resources.get(api_version="image.openshift.io/v1", kind="ImageStream")
    place = {"namespace": api.namespace}
    start = streams.get(**place).metadata.resourceVersion

    streams.create({"metadata": {"name": "app"}}, **place)
    merge = "application/merge-patch+json"
    streams.patch({"metadata": {"labels": {"team": "shop"}}}, name="app", content_type=merge, **place)
    found = streams.get(label_selector="team=shop", **place).items
    streams.delete(name="app", **place)

    assert [each.metadata.name for each in found] == ["app"]
    with pytest.raises(NotFoundError):
        streams.get(name="app", **place)
    seen = streams.watch(resource_version=start, timeout=1, **place)
    assert [(each["type"], each["object"].metadata.name) for each in seen] == [
        ("ADDED", "app"),
        ("MODIFIED", "app"),
        ("DELETED", "app"),
    ]


# --- a control loop


@dataclass
class Loop:
    """A list and a watch that resumes, and writers beside it; `known` is what a controller would think there is."""

    api: Api
    known: dict[str, str] = field(default_factory=dict)
    seen: list[tuple[str, str, str]] = field(default_factory=list)
    written: set[tuple[str, str]] = field(default_factory=set)
    lists: int = 0
    cuts: int = 0
    writing: threading.Event = field(default_factory=threading.Event)
    watching: threading.Event = field(default_factory=threading.Event)

    def follow(self) -> None:
        """List, and watch from there; list again only when the server says that the version is no longer kept."""
        with connected(self.api.server) as api_client:
            custom = client.CustomObjectsApi(api_client)
            version = ""
            while not self.watching.is_set():
                try:
                    version = version or self._list(custom)
                    version = self._watch(custom, version)
                except ApiException as error:
                    version = "" if error.status == 410 else version
                except CUT:
                    self.cuts += 1
                    time.sleep(PAUSE)

    def _place(self) -> tuple[str, str, str, str]:
        return "image.openshift.io", "v1", self.api.namespace, "imagestreams"

    def _list(self, custom: client.CustomObjectsApi) -> str:
        found: Any = custom.list_namespaced_custom_object(*self._place())
        self.lists += 1
        self.known = {item["metadata"]["name"]: item["metadata"]["resourceVersion"] for item in found["items"]}
        return str(found["metadata"]["resourceVersion"])

    def _watch(self, custom: client.CustomObjectsApi, version: str) -> str:
        stream: Any = watch.Watch()
        try:
            events = stream.stream(
                custom.list_namespaced_custom_object, *self._place(), resource_version=version, timeout_seconds=2
            )
            for event in events:
                version = self._take(event)
        except CUT:
            self.cuts += 1
            time.sleep(PAUSE)
        return version

    def _take(self, event: Any) -> str:
        """Do what a controller does with an event, and return its version."""
        metadata = event["object"]["metadata"]
        name, version = metadata["name"], str(metadata["resourceVersion"])
        self.seen.append((event["type"], name, version))
        if event["type"] == "DELETED":
            del self.known[name]
        else:
            self.known[name] = version
        return version

    def write(self, writer: int) -> None:
        """Create, change and delete streams until it is enough; what the server answered is in `written`."""
        with connected(self.api.server) as api_client:
            custom = client.CustomObjectsApi(api_client)
            for number in itertools.count():
                name = f"w{writer}-{number}"
                self._do(custom.create_namespaced_custom_object, *self._place(), {"metadata": {"name": name}})
                note = {"metadata": {"annotations": {"number": str(number)}}}
                self._do(custom.patch_namespaced_custom_object, *self._place(), name, note)
                if number % 2:
                    self._do(custom.delete_namespaced_custom_object, *self._place(), name)
                # Writers that never pause leave the machine no time to start a server.
                if self.writing.wait(PAUSE):
                    return

    def _do(self, call: Any, *arguments: Any) -> None:
        """Make a call until it is answered; that it was done already, before a cut, is an answer too."""
        while True:
            try:
                answer = call(*arguments, _request_timeout=10)
            except CUT:
                time.sleep(PAUSE)
            except ApiException as error:
                if error.status == 0:  # how the client tells of a connection that was cut in TLS
                    time.sleep(PAUSE)
                    continue
                if error.status not in (404, 409):
                    raise
                return
            else:
                if "metadata" in answer and "name" in answer["metadata"]:
                    self.written.add((answer["metadata"]["name"], answer["metadata"]["resourceVersion"]))
                return


@pytest.fixture(scope="module")
def loops(servers: dict[str, Server]) -> dict[str, Loop]:
    """A loop on each server, all at once, in the middle of which each server is started again."""
    running = {kind: Loop(Api(server)) for kind, server in servers.items()}
    writers = [threading.Thread(target=loop.write, args=(number,)) for loop in running.values() for number in range(2)]
    watchers = [threading.Thread(target=loop.follow) for loop in running.values()]

    def go_on() -> None:
        """Wait for half of the time, and for events of each loop."""
        time.sleep(LOOP_SECONDS / 2)
        enough = {kind: len(loop.seen) + EVENTS for kind, loop in running.items()}
        wait_until(
            lambda: all(len(loop.seen) >= enough[kind] for kind, loop in running.items()),
            seconds=PATIENCE,
            what="the loops are told of events",
        )

    with ExitStack() as stack:
        for loop in running.values():
            stack.callback(loop.watching.set)
            stack.callback(loop.writing.set)
        for thread in watchers:
            thread.start()
        wait_until(lambda: all(loop.lists for loop in running.values()), seconds=PATIENCE, what="all is listed")
        for thread in writers:
            thread.start()
        go_on()
        for server in servers.values():
            server.restart()
        go_on()
        for loop in running.values():
            loop.writing.set()
        for thread in writers:
            thread.join(PATIENCE)
        for loop in running.values():
            loop.api.stream("last", {})

        def is_over() -> bool:
            return all("last" in loop.known for loop in running.values())

        wait_until(is_over, seconds=PATIENCE, what="the loops have come to the end")
    for thread in watchers:
        thread.join(PATIENCE)
    return running


@pytest.fixture
def loop(kind: str, loops: dict[str, Loop]) -> Loop:
    """The loop on each kind of server in turn."""
    return loops[kind]


def test_a_loop_knows_what_there_is(loop: Loop) -> None:
    items = loop.api.get(loop.api.place("imagestreams"))["items"]

    assert loop.known == {item["metadata"]["name"]: item["metadata"]["resourceVersion"] for item in items}
    assert len(loop.known) > 10


def test_a_loop_is_told_everything_once(loop: Loop) -> None:
    told = [(name, version) for _, name, version in loop.seen]

    assert loop.written <= set(told)
    assert len(told) == len(set(told))
    versions = [int(version) for _, version in told]
    assert versions == sorted(versions)
    assert (loop.lists, loop.cuts > 0) == (1, True)


def test_a_loop_is_told_each_life_in_order(loop: Loop) -> None:
    lives: dict[str, list[str]] = {}
    for type_, name, _ in loop.seen:
        lives.setdefault(name, []).append(type_)

    assert {tuple(life) for life in lives.values()} <= {
        ("ADDED",),
        ("ADDED", "MODIFIED"),
        ("ADDED", "MODIFIED", "DELETED"),
    }
