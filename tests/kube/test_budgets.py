"""How many SQL statements each verb of a stored kind costs, so that none is added unnoticed.

The counts leave out what begins and ends a transaction. The first statement of each request asks whether what is
remembered of tokens, of roles and of the configuration of the cluster is current.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from authz import bootstrap
from tests import beginnings
from tests.authz.conftest import Api

pytestmark = pytest.mark.django_db(transaction=True)

TRANSACTIONS = ("BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT", "RELEASE SAVEPOINT")
SECRETS = "/api/v1/namespaces/team/secrets"
STREAMS = "/apis/image.openshift.io/v1/namespaces/team/imagestreams"
OWNER = {"apiVersion": "v1", "kind": "Secret", "name": "x", "uid": "x"}
LABEL = {"metadata": {"labels": {"c": "d"}}}

Act = Callable[[Api, str], tuple[int, Any]]
BUDGETS: dict[str, tuple[Act, int, int, int]] = {
    "get": (lambda api, path: api.get(f"{path}/a"), 200, 2, 2),
    "get what is missing": (lambda api, path: api.get(f"{path}/none"), 404, 2, 2),
    "list": (lambda api, path: api.get(path), 200, 2, 2),
    "list again": (lambda api, path: (api.get(path), api.get(path))[1], 200, 4, 3),
    "list a page": (lambda api, path: api.get(f"{path}?limit=1"), 200, 3, 3),
    "list what a selector wants": (lambda api, path: api.get(f"{path}?labelSelector=x%3Dy"), 200, 2, 2),
    "create": (lambda api, path: api.post(path, {"metadata": {"name": "new"}}), 201, 6, 6),
    "create what is there": (lambda api, path: api.post(path, {"metadata": {"name": "a"}}), 409, 3, 3),
    "create a dependent": (
        lambda api, path: api.post(path, {"metadata": {"name": "new", "ownerReferences": [OWNER]}}), 201, 7, 7,
    ),
    "update": (lambda api, path: api.put(f"{path}/a", _labelled(api, path)), 200, 7, 7),
    "patch": (lambda api, path: api.patch(f"{path}/a", LABEL), 200, 5, 5),
    "patch without effect": (lambda api, path: api.patch(f"{path}/a", {}), 200, 2, 2),
    "delete": (lambda api, path: api.delete(f"{path}/a"), 200, 7, 6),
    "delete in the foreground": (
        lambda api, path: api.delete(f"{path}/a", {"propagationPolicy": "Foreground"}), 200, 6, 6,
    ),
    "delete what is missing": (lambda api, path: api.delete(f"{path}/none"), 404, 2, 2),
}  # fmt: skip
"""What is done, the answer to it, and what it costs: for secrets and for image streams."""


def _labelled(api: Api, path: str) -> dict[str, Any]:
    """Return an object with a label more; the two statements of reading it count, too."""
    found: dict[str, Any] = api.get(f"{path}/a")[1]
    return {**found, "metadata": {**found["metadata"], **LABEL["metadata"]}}


@pytest.mark.parametrize("path", [SECRETS, STREAMS], ids=["secrets", "imagestreams"])
@pytest.mark.parametrize("verb", BUDGETS)
def test_a_verb_costs_no_more_than_it_did(verb: str, path: str) -> None:
    act, answer, *costs = BUDGETS[verb]
    beginnings.begin()
    api = Api(bootstrap.administrator(""))
    api.post("/api/v1/namespaces", {"metadata": {"name": "team"}})
    for name in ("a", "b"):
        api.post(path, {"metadata": {"name": name}})
    api.get(f"{path}/a")

    with CaptureQueriesContext(connection) as queries:
        status, _ = act(api, path)

    statements = [query["sql"] for query in queries.captured_queries if not query["sql"].startswith(TRANSACTIONS)]
    assert status == answer
    assert len(statements) == costs[path == STREAMS], "\n".join(statements)


@pytest.mark.parametrize("kind", ["imagestreamtags", "imagetags"])
def test_a_tag_costs_no_more_than_a_stream_when_its_image_is_that_of_the_last_time(kind: str) -> None:
    bootstrap.begin()
    api = Api(bootstrap.administrator(""))
    api.post("/api/v1/namespaces", {"metadata": {"name": "team"}})
    api.post(STREAMS, {"metadata": {"name": "app"}})

    def costs() -> list[int]:
        found = []
        for _ in range(2):
            with CaptureQueriesContext(connection) as queries:
                assert api.get(f"/apis/image.openshift.io/v1/namespaces/team/{kind}/app:x")[0] == 200
            found.append(len(queries))
        return found

    push(api, "app", tag="x", image="sha256:" + "a" * 64)
    assert costs() == [3, 2]
    push(api, "app", tag="x", image="sha256:" + "b" * 64)
    assert costs() == [3, 2]


def push(api: Api, stream: str, *, tag: str, image: str) -> None:
    """Bring an image into a stream, as an image registry does after a push."""
    body = {
        "metadata": {"name": stream},
        "tag": tag,
        "image": {"metadata": {"name": image}, "dockerImageReference": f"registry.example.com/team/{stream}@{image}"},
    }
    assert api.post(f"{STREAMS.removesuffix('s')}mappings", body)[0] == 201


def test_a_quota_costs_those_alone_who_have_one() -> None:
    beginnings.begin()
    api = Api(bootstrap.administrator(""))
    api.post("/api/v1/namespaces", {"metadata": {"name": "team"}})
    quota = {"metadata": {"name": "q"}, "spec": {"hard": {"secrets": "9"}}}
    api.post("/api/v1/namespaces/team/resourcequotas", quota)
    api.post(STREAMS, {"metadata": {"name": "first"}})

    def cost(path: str) -> int:
        with CaptureQueriesContext(connection) as queries:
            assert api.post(path, {"metadata": {"name": "new"}})[0] == 201
        return sum(not query["sql"].startswith(TRANSACTIONS) for query in queries.captured_queries)

    # One to lock the quotas; for what they count, one to count and four to write the status.
    assert (cost(STREAMS), cost(SECRETS)) == (7, 12)
