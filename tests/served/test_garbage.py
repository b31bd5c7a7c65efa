"""What a running server does for objects whose owners go, also when its worker dies in the middle."""

from __future__ import annotations

import time

import pytest

from tests.processes import wait_until
from tests.served.api import Api, Json
from tests.server import Server

DEPENDENTS = 300


@pytest.fixture
def api(spare: Server) -> Api:
    return Api(spare)


def make(api: Api, name: str, owner: Json | None = None, **reference: bool) -> Json:
    """Create a secret, perhaps one that belongs to another."""
    metadata: Json = {"name": name}
    if owner is not None:
        known = {"name": owner["metadata"]["name"], "uid": owner["metadata"]["uid"]}
        metadata["ownerReferences"] = [{"apiVersion": "v1", "kind": "Secret", **known, **reference}]
    return api.post(api.place("secrets", prefix="api/v1"), {"metadata": metadata})


def delete(api: Api, name: str, **options: str) -> Json:
    place = f"{api.place('secrets', prefix='api/v1')}/{name}"
    answer = api.session.delete(api.url(place), json=options, timeout=30)
    answer.raise_for_status()
    body: Json = answer.json()
    return body


def left(api: Api, beginning: str) -> list[str]:
    """Return the names of the secrets that begin so."""
    listed = api.get(api.place("secrets", prefix="api/v1"))["items"]
    return [item["metadata"]["name"] for item in listed if item["metadata"]["name"].startswith(beginning)]


def test_a_dependent_follows_its_owner_at_once(api: Api) -> None:
    make(api, "soon-dependent", make(api, "soon"))

    begin = time.monotonic()
    delete(api, "soon")
    wait_until(lambda: not left(api, "soon"), seconds=20, what="the dependent is gone")

    assert time.monotonic() - begin < 5


def test_a_worker_that_dies_leaves_no_dependents(api: Api) -> None:
    owner = make(api, "many")
    for number in range(DEPENDENTS):
        make(api, f"many-{number}", owner, blockOwnerDeletion=True)

    going = delete(api, "many", propagationPolicy="Foreground")
    wait_until(lambda: len(left(api, "many")) <= DEPENDENTS, seconds=20, what="the first dependents are gone")
    api.server.kill("worker")
    between = left(api, "many")
    wait_until(lambda: not left(api, "many"), seconds=60, what="the owner and its dependents are gone")

    assert going["metadata"]["finalizers"] == ["foregroundDeletion"]
    assert not between or "many" in between
