"""How namespaces begin and end."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection, connections

from authz import furnishing, lifecycle
from authz.api.secrets import SECRETS, Secret
from registry_meta.kube import meta, store
from registry_meta.kube.errors import StatusError
from registry_meta.kube.meta import ObjectMeta
from registry_meta.kube.request import SYSTEM, Context
from tests.authz.conftest import Api

NAMESPACES = "/api/v1/namespaces"


def test_a_namespace_begins_active_with_its_name_as_a_label(admin: Api) -> None:
    status, made = admin.post(
        NAMESPACES, {"metadata": {"name": "team", "labels": {"a": "b"}}, "status": {"phase": "X"}}
    )

    assert status == 201
    assert made["metadata"]["labels"] == {"a": "b", "kubernetes.io/metadata.name": "team"}
    assert (made["spec"], made["status"]) == ({"finalizers": ["kubernetes"]}, {"phase": "Active"})


@pytest.mark.parametrize("name", ["a.b", "A", "x" * 64, "-a", ""])
def test_a_namespace_has_the_name_of_a_host(admin: Api, name: str) -> None:
    status, answer = admin.post(NAMESPACES, {"metadata": {"name": name}})

    assert (status, answer["details"]["causes"][0]["field"]) == (422, "metadata.name")


def test_a_name_is_generated(admin: Api) -> None:
    status, made = admin.post(NAMESPACES, {"metadata": {"generateName": "team-"}})

    assert status == 201
    assert made["metadata"]["labels"]["kubernetes.io/metadata.name"] == made["metadata"]["name"]


def test_nothing_is_made_in_a_namespace_that_is_missing(admin: Api) -> None:
    status, answer = admin.post(f"{NAMESPACES}/none/secrets", {"metadata": {"name": "s"}})

    assert (status, answer["message"]) == (404, 'namespaces "none" not found')


def test_a_deleted_namespace_takes_nothing_more_and_goes_with_its_content(admin: Api, team: str) -> None:
    admin.post(f"{NAMESPACES}/{team}/secrets", {"metadata": {"name": "s"}})
    status, going = admin.delete(f"{NAMESPACES}/{team}")
    refused, why = admin.post(f"{NAMESPACES}/{team}/secrets", {"metadata": {"name": "late"}})

    went = lifecycle.sweep(meta.now())

    assert (status, going["status"]["phase"]) == (200, "Terminating")
    assert (refused, why["details"]["causes"][0]["reason"]) == (403, "NamespaceTerminating")
    assert went == 1
    assert admin.get(f"{NAMESPACES}/{team}")[0] == 404
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM kube_object WHERE namespace = %s", [team])
        assert cursor.fetchone() == (0,)


def test_a_namespace_waits_for_what_has_finalizers(admin: Api, team: str) -> None:
    secret = f"{NAMESPACES}/{team}/secrets/s"
    admin.post(f"{NAMESPACES}/{team}/secrets", {"metadata": {"name": "s", "finalizers": ["example.com/hold"]}})
    admin.delete(f"{NAMESPACES}/{team}")

    held = lifecycle.sweep(meta.now())
    conditions = admin.get(f"{NAMESPACES}/{team}")[1]["status"]["conditions"]
    admin.patch(secret, {"metadata": {"finalizers": None}})

    assert held == 0
    assert "example.com/hold in 1 objects" in conditions[0]["message"]
    assert lifecycle.sweep(meta.now()) == 1


def test_an_empty_namespace_goes_when_the_last_finalizer_is_taken_off(admin: Api, team: str) -> None:
    lifecycle_of_another = {"metadata": {"name": team}, "spec": {"finalizers": ["example.com/mine"]}}
    admin.put(f"{NAMESPACES}/{team}/finalize", lifecycle_of_another)
    admin.delete(f"{NAMESPACES}/{team}")
    stays = lifecycle.sweep(meta.now())

    admin.put(f"{NAMESPACES}/{team}/finalize", {"metadata": {"name": team}, "spec": {"finalizers": []}})

    assert stays == 0
    assert admin.get(f"{NAMESPACES}/{team}")[0] == 404


@pytest.mark.parametrize("name", ["default", "kube-system", "kube-public"])
def test_a_namespace_that_is_needed_stays(admin: Api, name: str) -> None:
    status, answer = admin.delete(f"{NAMESPACES}/{name}")

    assert (status, answer["message"]) == (403, f'namespaces "{name}" is forbidden: this namespace may not be deleted')


def test_namespaces_are_not_deleted_all_at_once(admin: Api) -> None:
    assert admin.delete(NAMESPACES)[0] == 405


def test_what_a_namespace_lacks_is_made_again(admin: Api, team: str) -> None:
    admin.delete(f"{NAMESPACES}/{team}/serviceaccounts/default")

    assert furnishing.furnish_all([team], now=meta.now()) == 1
    assert admin.get(f"{NAMESPACES}/{team}/serviceaccounts/default")[0] == 200


def test_many_namespaces_are_furnished_whatever_the_number_of_batches(
    admin: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(furnishing, "BATCH", 2)
    names = [f"n{number}" for number in range(5)]
    for name in names:
        admin.post("/api/v1/namespaces", {"metadata": {"name": name}})
        admin.delete(f"/api/v1/namespaces/{name}/serviceaccounts/builder")

    made = [furnishing.furnish_all(names[::-1], now=meta.now()) for _ in range(2)]

    assert made == [5, 0]
    assert furnishing.furnish_all([], now=meta.now()) == 0


@pytest.mark.django_db(transaction=True)
def test_no_object_outlives_its_namespace(admin: Api, team: str) -> None:
    def write(number: int) -> str:
        context = Context(SYSTEM, SECRETS, meta.now(), namespace=team)
        secret = Secret(metadata=ObjectMeta(name=f"s{number}"))
        try:
            store.create(SECRETS, secret, context=context, strategy=SECRETS.storage.strategy)
        except StatusError as error:
            return error.reason
        finally:
            connections.close_all()
        return "stored"

    with ThreadPoolExecutor(4) as pool:
        answers = pool.map(write, range(60))
        admin.delete(f"{NAMESPACES}/{team}")
        while not lifecycle.finish(team, now=meta.now()):
            pass
        reasons = set(answers)

    assert reasons <= {"stored", "Forbidden", "NotFound"}
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM kube_object WHERE namespace = %s", [team])
        assert cursor.fetchone() == (0,)
