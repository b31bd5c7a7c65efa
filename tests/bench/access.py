"""What access control costs where there are many roles, bindings and namespaces, and how soon a change counts.

Ten thousand namespaces have the accounts and bindings that every namespace has, so that there are 35,000 bindings in
all: the 5,000 that somebody made, and three for each namespace.
"""

from __future__ import annotations

import gc
import statistics
import time
import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import msgspec
import requests

from authz import grants
from authz.grants import Grants
from authz.rules import GROUP, Attributes, account_groups
from registry_meta.kube.request import Actor
from tests.bench import seed, timing
from tests.bench.bulk import Rows
from tests.pinned import EachProcess, Pinned
from tests.processes import wait_until
from tests.server import Server

NAMESPACES = 10_000
ROLES, CLUSTER_ROLES = 1500, 500
BINDINGS, CLUSTER_BINDINGS = 4500, 500
GROUPS = 50
MODEL = "access-model"
MARKS = ("policy",)
RBAC = "/apis/rbac.authorization.k8s.io/v1"
STREAM = f"{seed.API}/namespaces/{seed.NAMESPACES[0]}/imagestreams/{seed.stream_name(7)}"
ELSEWHERE = f"{seed.API}/namespaces/{seed.NAMESPACES[1]}/imagestreams/{seed.stream_name(7)}"
ACCOUNT = "ordinary"
TURNS, READS = 12, 40
CHANGES = 10
DECISIONS = 2000

Document = dict[str, Any]


def fill(server: Server) -> None:
    """Make the namespaces with what each of them has, the roles and the bindings."""
    rows = Rows(server)
    with server.client() as client:
        seed.make_namespace(client, server, MODEL)
        furniture = f"{server.url}{RBAC}/namespaces/{MODEL}/rolebindings"
        wait_until(lambda: len(client.get(furniture).json()["items"]) == 3, seconds=60, what="the model is furnished")
    names = [namespace(number) for number in range(NAMESPACES)]
    for key in (grants.ROLE_BINDINGS, "serviceaccounts", "namespaces"):
        models = [text for _, place, name, text in rows.objects([key]) if MODEL in (place, name)]
        copies = (text.replace(MODEL, name) for name in names for text in models)
        rows.insert(key, [_anew(copy) for copy in copies], marks=MARKS if key == grants.ROLE_BINDINGS else ())
    rows.insert(grants.CLUSTER_ROLES, [_role(number, "") for number in range(CLUSTER_ROLES)], marks=MARKS)
    rows.insert(grants.ROLES, [_role(number, namespace(number * 3)) for number in range(ROLES)], marks=MARKS)
    everywhere = [_binding(number, "") for number in range(CLUSTER_BINDINGS)]
    rows.insert(grants.CLUSTER_ROLE_BINDINGS, everywhere, marks=MARKS)
    within = [_binding(number, namespace(number * 2)) for number in range(BINDINGS)]
    rows.insert(grants.ROLE_BINDINGS, within, marks=MARKS)
    rows.settle()


def namespace(number: int) -> str:
    """Return the name of one of the many namespaces."""
    return f"access-{number:05d}"


def _anew(text: str) -> Document:
    document: Document = msgspec.json.decode(text)
    document["metadata"]["uid"] = str(uuid4())
    return document


def _metadata(name: str, place: str) -> Document:
    found = {"name": name, "uid": str(uuid4()), "creationTimestamp": "2026-01-01T00:00:00Z"}
    return {**found, **({"namespace": place} if place else {})}


def _role(number: int, place: str) -> Document:
    rules = [
        {"apiGroups": ["", "image.openshift.io"], "resources": [resource], "verbs": ["get", "list", "watch"]}
        for resource in ("imagestreams", "imagestreamtags", "imagestreams/layers", "secrets", f"widgets-{number}")
    ]
    return {"metadata": _metadata(f"access-role-{number}", place), "rules": rules}


def _binding(number: int, place: str) -> Document:
    subjects = [
        {"apiGroup": GROUP, "kind": "User", "name": f"user-{number}"},
        {"apiGroup": GROUP, "kind": "Group", "name": f"group-{number % 1000}"},
        {"kind": "ServiceAccount", "name": "default", "namespace": namespace(number)},
    ]
    is_local = place and number % 3 == 0
    role = {"kind": "Role", "name": f"access-role-{number // 3 * 2}"} if is_local else _cluster_role(number)
    reference = {"apiGroup": GROUP, **role}
    return {"metadata": _metadata(f"access-binding-{number}", place), "subjects": subjects, "roleRef": reference}


def _cluster_role(number: int) -> Document:
    return {"kind": "ClusterRole", "name": f"access-role-{number % CLUSTER_ROLES}"}


class Ordinary:
    """An account that may read one namespace, by a RoleBinding; `token` is what it shows."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self.username = f"system:serviceaccount:{seed.NAMESPACES[0]}:{ACCOUNT}"
        with server.client() as client:
            place = f"{server.url}/api/v1/namespaces/{seed.NAMESPACES[0]}/serviceaccounts"
            client.post(place, json={"metadata": {"name": ACCOUNT}}).raise_for_status()
            self.bind(client, seed.NAMESPACES[0], "ordinary")
        self.token = self.new_token()

    def new_token(self) -> str:
        """Return a token of the account."""
        place = f"/api/v1/namespaces/{seed.NAMESPACES[0]}/serviceaccounts/{ACCOUNT}/token"
        with self._server.client() as client:
            answer = client.post(f"{self._server.url}{place}", json={"spec": {"expirationSeconds": 7200}})
        answer.raise_for_status()
        token: str = answer.json()["status"]["token"]
        return token

    def bind(self, client: requests.Session, place: str, name: str) -> str:
        """Let the account read a namespace; return the URL of the binding."""
        subject = {"kind": "User", "name": self.username}
        reference = {"kind": "ClusterRole", "name": "view"}
        url = f"{self._server.url}{RBAC}/namespaces/{place}/rolebindings"
        client.post(url, json={"metadata": {"name": name}, "roleRef": reference, "subjects": [subject]})
        return f"{url}/{name}"


def beside_administrator(server: Server, ordinary: Ordinary) -> tuple[float, float]:
    """Return the medians (ms) of a GET of one stream by the account and by the administrator, measured in turns."""
    url = f"{server.url}{STREAM}"
    with server.client(ordinary.token) as one, server.client() as other:
        timing.median(one, url, turns=READS)
        timing.median(other, url, turns=READS)
        turns = [(timing.median(one, url, turns=READS), timing.median(other, url, turns=READS)) for _ in range(TURNS)]
    return statistics.median(turn[0] for turn in turns), statistics.median(turn[1] for turn in turns)


@dataclass(frozen=True, slots=True)
class Change:
    """What came of changed bindings (ms): until each process went by it at the latest, and its first answer."""

    in_force: float
    first_answer: float


def changes(server: Server, ordinary: Ordinary) -> Change:
    """Give and take a right several times, and ask each web process until it knows."""
    late: list[float] = []
    first: list[float] = []
    with server.client() as client, EachProcess(server) as each:
        for number in range(CHANGES):
            url = ordinary.bind(client, seed.NAMESPACES[1], f"change-{number}")
            late.append(_until(each.connections, ordinary.token, 200, first))
            client.delete(url).raise_for_status()
            late.append(_until(each.connections, ordinary.token, 403, first))
    return Change(max(late), statistics.median(first))


def _until(connections: list[Pinned], token: str, status: int, first: list[float]) -> float:
    """Return the milliseconds until each connection has given an answer; add those of the first answer of each."""
    started = time.perf_counter()
    for connection in connections:
        began = time.perf_counter()
        found, _ = connection.send("GET", ELSEWHERE, token)
        first.append((time.perf_counter() - began) * 1000)
        while found != status:
            if time.perf_counter() - started > 30:
                raise RuntimeError(f"a web process still answers {found} where {status} was to come")
            found, _ = connection.send("GET", ELSEWHERE, token)
    return (time.perf_counter() - started) * 1000


def served_after_revocation(server: Server) -> int:
    """Return how many requests, one by each process, were served with a token whose account was gone."""
    accounts = f"{server.url}/api/v1/namespaces/{seed.NAMESPACES[0]}/serviceaccounts"
    served = 0
    with server.client() as client, EachProcess(server) as each:
        for number in range(CHANGES):
            name = f"short-lived-{number}"
            client.post(accounts, json={"metadata": {"name": name}}).raise_for_status()
            token = client.post(f"{accounts}/{name}/token", json={"spec": {}}).json()["status"]["token"]
            before = [connection.send("GET", "/api", token)[0] for connection in each.connections]
            if set(before) != {200}:
                raise RuntimeError(f"a token that is good was answered {before}")
            client.delete(f"{accounts}/{name}").raise_for_status()
            after = [connection.send("GET", "/api", token)[0] for connection in each.connections]
            served += sum(status != 401 for status in after)
    return served


@dataclass(frozen=True, slots=True)
class Held:
    """The policy in a process of its own: how many bindings, until it was read (ms), and what it takes (MB)."""

    bindings: int
    reading: float
    memory: float


def held(server: Server) -> tuple[Held, Grants]:
    """Read the policy as a process does at its start."""
    rows = Rows(server)
    began = time.perf_counter()
    known = grants.grants(0, rows.objects(grants.KEYS))
    reading = (time.perf_counter() - began) * 1000
    del known
    found = rows.objects(grants.KEYS)
    count = sum("bindings" in row[0] for row in found)
    gc.collect()
    tracemalloc.start()
    known = grants.grants(0, iter(found))
    gc.collect()
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return Held(count, reading, size / 1e6), known


def decisions(known: Grants, ordinary: Ordinary) -> Iterator[tuple[str, float]]:
    """Yield questions and the median of the microseconds that a decision on them takes."""
    place, group = seed.NAMESPACES[0], "image.openshift.io"
    account = Actor(ordinary.username, (*account_groups(ordinary.username), "system:authenticated"))
    many = Actor("user-7", (*(f"group-{number}" for number in range(GROUPS)), "system:authenticated"))
    seen = Attributes("get", place, group, "v1", "imagestreams", "s")
    denied = Attributes("delete", place, group, "v1", "imagestreams", "s")
    crowded = Attributes("delete", namespace(14), group, "v1", "imagestreams", "s")
    yield "decision, allowed by a RoleBinding", _microseconds(lambda: known.decide(account, seen).allowed, True)
    yield "decision, denied", _microseconds(lambda: known.decide(account, denied).allowed, False)
    yield (
        f"decision, denied to one of {GROUPS} groups",
        _microseconds(lambda: known.decide(many, crowded).allowed, False),
    )


def _microseconds(decide: Callable[[], bool], expected: bool) -> float:
    taken = []
    for _ in range(DECISIONS):
        began = time.perf_counter_ns()
        found = decide()
        taken.append(time.perf_counter_ns() - began)
        if found is not expected:
            raise RuntimeError(f"a decision was {found} instead of {expected}")
    return statistics.median(taken) / 1000


def projects(server: Server, ordinary: Ordinary) -> float | None:
    """Return the milliseconds of the list of projects of an account that sees three; None where there is none."""
    url = f"{server.url}/apis/project.openshift.io/v1/projects"
    with server.client() as client:
        for number in (17, 5017):
            ordinary.bind(client, namespace(number), "ordinary")
    with server.client(ordinary.token) as client:
        answer = client.get(url)
        if answer.status_code == 404:
            return None
        if len(answer.json()["items"]) != 3:
            raise RuntimeError(f"the account sees {len(answer.json()['items'])} projects instead of three")
        return timing.median(client, url, turns=READS)
