"""Deletions of whole collections, in batches."""

from __future__ import annotations

import json
import tracemalloc

import pytest
from django.http import StreamingHttpResponse
from django.test import Client

from authz import bootstrap
from authz.api.secrets import SECRETS, Secret
from registry_meta.kube import meta, store
from registry_meta.kube.deleted import Deleted
from registry_meta.kube.meta import ObjectMeta
from registry_meta.kube.pagination import BATCH
from registry_meta.kube.request import SYSTEM, Context
from tests import beginnings
from tests.authz.conftest import Api

pytestmark = pytest.mark.django_db

PATH = "/api/v1/namespaces/team/secrets"
TABLE = "application/json;as=Table;g=meta.k8s.io;v=v1"
MANY = BATCH + 20


@pytest.fixture
def api() -> Api:
    beginnings.begin()
    api = Api(bootstrap.administrator(""))
    assert api.post("/api/v1/namespaces", {"metadata": {"name": "team"}})[0] == 201
    return api


def fill(count: int) -> list[str]:
    """Create secrets with a label; return their names."""
    names = [f"s{number:05}" for number in range(count)]
    for name in names:
        context = Context(SYSTEM, SECRETS, meta.now(), namespace="team")
        secret = Secret(metadata=ObjectMeta(name=name, labels={"mine": "yes"}))
        store.create(SECRETS, secret, context=context, strategy=SECRETS.storage.strategy)
    return names


def names_of(body: dict[str, list[dict[str, dict[str, str]]]]) -> list[str]:
    return [item["metadata"]["name"] for item in body["items"]]


def test_more_than_a_batch_is_deleted_and_told(api: Api) -> None:
    names = fill(MANY)
    version = api.get(f"{PATH}?limit=1")[1]["metadata"]["resourceVersion"]

    answer = Client().delete(f"{PATH}?labelSelector=mine", HTTP_AUTHORIZATION=f"Bearer {api.token}")

    assert isinstance(answer, StreamingHttpResponse)
    body = json.loads(answer.getvalue())
    assert (body["kind"], body["apiVersion"]) == ("SecretList", "v1")
    assert body["metadata"] == {"resourceVersion": version}
    assert names_of(body) == names
    assert api.get(f"{PATH}?labelSelector=mine")[1]["items"] == []


def test_a_limit_is_kept_and_the_token_leads_on(api: Api) -> None:
    names = fill(MANY)
    limit = BATCH + 5

    status, first = api.send("DELETE", f"{PATH}?labelSelector=mine&limit={limit}&pretty=true", None)
    token = first["metadata"]["continue"]
    left = names_of(api.get(f"{PATH}?labelSelector=mine")[1])
    _, second = api.send("DELETE", f"{PATH}?labelSelector=mine&limit={limit}&continue={token}&pretty=true", None)

    assert (status, names_of(first), left) == (200, names[:limit], names[limit:])
    assert names_of(second) == names[limit:]
    assert "continue" not in second["metadata"]


def test_what_is_deleted_is_told_in_the_form_asked_for(api: Api) -> None:
    names = fill(2)

    _, table = api.send("DELETE", f"{PATH}?labelSelector=mine", None, HTTP_ACCEPT=TABLE)

    assert table["kind"] == "Table"
    assert [row["cells"][0] for row in table["rows"]] == names


def test_a_dry_run_ends_and_deletes_nothing(api: Api) -> None:
    names = fill(MANY)

    status, told = api.send("DELETE", f"{PATH}?labelSelector=mine&dryRun=All&pretty=true", None)

    assert (status, names_of(told)) == (200, names)
    assert names_of(api.get(f"{PATH}?labelSelector=mine")[1]) == names


def test_many_documents_take_little_memory() -> None:
    document = json.dumps({"metadata": {"name": "x" * 10_000}})
    tracemalloc.start()

    deleted = Deleted()
    for _ in range(3000):
        deleted.add(document)
    size = sum(map(len, deleted.items()))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert size == 3000 * (len(document) + 1) - 1
    assert peak < 4 * 1024 * 1024
