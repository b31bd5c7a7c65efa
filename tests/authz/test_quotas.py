"""How many objects a namespace may have: who is refused, what is counted, and when."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from authz import bootstrap, quotas
from registry_meta.kube import meta
from tests import beginnings
from tests.authz.conftest import Api

TEAM = "/api/v1/namespaces/team"
QUOTAS = f"{TEAM}/resourcequotas"
SECRETS = f"{TEAM}/secrets"
STREAMS = "/apis/image.openshift.io/v1/namespaces/team/imagestreams"
PLACES = 5
ASKING = 12


@pytest.fixture(autouse=True)
def recounted_everywhere() -> None:
    """The database is another one than that of the last test."""
    quotas.recount.forget()


def limit(admin: Api, name: str = "q", **spec: Any) -> dict[str, Any]:
    status, made = admin.post(QUOTAS, {"metadata": {"name": name}, "spec": spec})
    assert status == 201, made
    found: dict[str, Any] = made["status"]
    return found


def secret(admin: Api, name: str, query: str = "") -> tuple[int, Any]:
    return admin.post(SECRETS + query, {"metadata": {"name": name}})


def used(admin: Api, name: str = "q") -> dict[str, str]:
    found: dict[str, str] = admin.get(f"{QUOTAS}/{name}")[1]["status"]["used"]
    return found


def test_the_last_place_is_taken_and_the_next_refused(admin: Api, team: str) -> None:
    limit(admin, hard={"secrets": "1"})

    assert secret(admin, "a")[0] == 201
    status, answer = secret(admin, "b")

    assert (status, answer["reason"], answer["details"]) == (403, "Forbidden", {"name": "b", "kind": "secrets"})
    assert answer["message"] == (
        'secrets "b" is forbidden: exceeded quota: q, requested: secrets=1, used: secrets=1, limited: secrets=1'
    )
    assert used(admin) == {"secrets": "1"}


def test_all_names_of_a_kind_count_the_same(admin: Api, team: str) -> None:
    generic = "count/imagestreams.image.openshift.io"
    limit(admin, hard={"openshift.io/imagestreams": "2", generic: "1", "count/secrets": "3"})

    admin.post(STREAMS, {"metadata": {"name": "a"}})
    status, answer = admin.post(STREAMS, {"metadata": {"name": "b"}})

    assert used(admin) == {"openshift.io/imagestreams": "1", generic: "1", "count/secrets": "0"}
    assert status == 403
    assert answer["message"].endswith(f"requested: {generic}=1, used: {generic}=1, limited: {generic}=1")


def test_what_was_there_before_the_quota_counts(admin: Api, team: str) -> None:
    for name in "abc":
        secret(admin, name)

    status = limit(admin, hard={"secrets": "2", "resourcequotas": "5", "pods": "4"})

    assert status == {
        "hard": {"secrets": "2", "resourcequotas": "5", "pods": "4"},
        "used": {"secrets": "3", "resourcequotas": "1"},
    }
    assert secret(admin, "d")[0] == 403


def test_a_quota_that_is_changed_is_measured_anew(admin: Api, team: str) -> None:
    limit(admin, hard={"secrets": "1"})
    secret(admin, "a")

    _, changed = admin.patch(f"{QUOTAS}/q", {"spec": {"hard": {"secrets": "2", "configmaps": "7"}}})

    assert changed["status"]["hard"] == {"secrets": "2", "configmaps": "7"}
    assert changed["status"]["used"]["secrets"] == "1"
    assert [secret(admin, name)[0] for name in "bc"] == [201, 403]


def test_a_place_given_back_can_be_taken_at_once(admin: Api, team: str) -> None:
    limit(admin, hard={"secrets": "1"})
    secret(admin, "a")
    admin.delete(f"{SECRETS}/a")

    assert secret(admin, "b")[0] == 201
    assert used(admin) == {"secrets": "1"}


def test_a_sweep_shows_what_was_given_back(admin: Api, team: str) -> None:
    limit(admin, hard={"secrets": "3", "count/secrets": "3"})
    for name in "abc":
        secret(admin, name)
    quotas.recount.sweep(meta.now())
    for name in "ab":
        admin.delete(f"{SECRETS}/{name}")

    corrected = [quotas.recount.sweep(meta.now()) for _ in range(2)]

    assert corrected == [1, 0]
    assert used(admin) == {"secrets": "1", "count/secrets": "1"}


def test_a_status_that_somebody_wrote_is_corrected(admin: Api, team: str) -> None:
    limit(admin, hard={"secrets": "3"})
    secret(admin, "a")
    wrong = {"status": {"hard": {"secrets": "9"}, "used": {"secrets": "0"}}}

    status, written = admin.patch(f"{QUOTAS}/q/status", wrong)
    quotas.recount.sweep(meta.now())

    assert (status, written["status"]["used"], written["spec"]["hard"]) == (200, {"secrets": "0"}, {"secrets": "3"})
    assert admin.get(f"{QUOTAS}/q")[1]["status"] == {"hard": {"secrets": "3"}, "used": {"secrets": "1"}}


def test_a_dry_run_is_refused_like_a_creation_and_takes_nothing(admin: Api, team: str) -> None:
    limit(admin, hard={"secrets": "1"})

    assert secret(admin, "a", "?dryRun=All")[0] == 201
    assert used(admin) == {"secrets": "0"}
    secret(admin, "a")
    assert secret(admin, "b", "?dryRun=All")[0] == 403


def test_a_creation_that_fails_takes_nothing(admin: Api, team: str) -> None:
    limit(admin, hard={"secrets": "2"})
    secret(admin, "a")

    assert secret(admin, "a")[0] == 409
    assert used(admin) == {"secrets": "1"}


def test_each_quota_must_have_room(admin: Api, team: str) -> None:
    limit(admin, "wide", hard={"secrets": "5"})
    limit(admin, "narrow", hard={"secrets": "1"})

    answers = [secret(admin, name) for name in "ab"]

    assert [status for status, _ in answers] == [201, 403]
    assert "exceeded quota: narrow" in answers[1][1]["message"]
    assert (used(admin, "wide"), used(admin, "narrow")) == ({"secrets": "1"}, {"secrets": "1"})


def test_a_scoped_quota_is_about_pods(admin: Api, team: str) -> None:
    status = limit(admin, hard={"count/secrets": "0"}, scopes=["BestEffort"])

    assert status["used"] == {"count/secrets": "0"}
    assert secret(admin, "a")[0] == 201


def test_other_namespaces_have_places_of_their_own(admin: Api, team: str) -> None:
    limit(admin, hard={"secrets": "0"})
    admin.post("/api/v1/namespaces", {"metadata": {"name": "other"}})

    assert admin.post("/api/v1/namespaces/other/secrets", {"metadata": {"name": "a"}})[0] == 201


def test_a_tag_that_would_make_its_stream_is_refused_by_its_own_name(admin: Api, team: str) -> None:
    limit(admin, hard={"openshift.io/imagestreams": "0"})
    tags = f"{STREAMS[: -len('imagestreams')]}imagetags"
    spec = {"name": "x", "reference": True, "from": {"kind": "DockerImage", "name": "quay.io/example/app:1"}}

    status, answer = admin.post(tags, {"metadata": {"name": "c:x"}, "spec": spec})

    assert (status, answer["details"]["name"]) == (403, "c:x")
    assert answer["message"].startswith('imagetags.image.openshift.io "c:x" is forbidden: exceeded quota: q')


def test_an_import_into_a_new_stream_is_refused_before_anything_is_fetched(admin: Api, team: str) -> None:
    limit(admin, hard={"openshift.io/imagestreams": "0"})
    imports = f"{STREAMS[: -len('imagestreams')]}imagestreamimports"
    image = {"from": {"kind": "DockerImage", "name": "127.0.0.1:1/app:1"}, "to": {"name": "x"}}

    status, answer = admin.post(imports, {"metadata": {"name": "c"}, "spec": {"import": True, "images": [image]}})

    assert status == 403
    assert answer["message"].startswith('imagestreamimports.image.openshift.io "c" is forbidden: exceeded quota: q')


def test_the_table_shows_what_is_used(admin: Api, team: str) -> None:
    limit(admin, hard={"secrets": "2", "limits.cpu": "4", "pods": "1"})
    secret(admin, "a")

    _, table = admin.get(QUOTAS, HTTP_ACCEPT="application/json;as=Table;v=v1;g=meta.k8s.io")

    assert table["rows"][0]["cells"][:3] == ["q", "pods: 0/1, secrets: 1/2", "limits.cpu: 0/4"]


@pytest.mark.parametrize(
    ("spec", "wrong"),
    [
        ({"hard": {"things": "1"}}, ["spec.hard[things]"] * 2),
        ({"hard": {"storage": "1"}}, ["spec.hard[storage]"]),
        ({"hard": {"-/-": "1"}}, ["spec.hard[-/-]"] * 2),
        ({"hard": {"secrets": "-1"}}, ["spec.hard[secrets]"]),
        ({"hard": {"secrets": "1.5"}}, ["spec.hard[secrets]"]),
        ({"hard": {"openshift.io/imagestreams": "100m"}}, ["spec.hard[openshift.io/imagestreams]"]),
        ({"scopes": ["Weekends"]}, ["spec.scopes"]),
        ({"scopes": ["BestEffort", "NotBestEffort"]}, ["spec.scopes"]),
        ({"hard": {"secrets": "1"}, "scopes": ["BestEffort"]}, ["spec.scopes"]),
        ({"scopeSelector": {"matchExpressions": [{"scopeName": "PriorityClass", "operator": "In"}]}},
         ["spec.scopeSelector.matchExpressions.values"]),
        ({"scopeSelector": {"matchExpressions": [{"scopeName": "Terminating", "operator": "Is"}]}},
         ["spec.scopeSelector.matchExpressions.operator"] * 2),
    ],
)  # fmt: skip
def test_quotas_that_make_no_sense_are_refused(admin: Api, team: str, spec: dict[str, Any], wrong: list[str]) -> None:
    status, answer = admin.post(QUOTAS, {"metadata": {"name": "q"}, "spec": spec})

    assert (status, [cause["field"] for cause in answer["details"]["causes"]]) == (422, wrong), answer["message"]


def test_scopes_are_fixed(admin: Api, team: str) -> None:
    limit(admin, hard={"pods": "1"}, scopes=["BestEffort"])

    status, answer = admin.patch(f"{QUOTAS}/q", {"spec": {"scopes": ["Terminating"]}})

    assert (status, answer["details"]["causes"][0]["field"]) == (422, "spec.scopes")


@pytest.mark.django_db(transaction=True)
def test_those_who_ask_at_the_same_time_share_the_places_that_are_left() -> None:
    beginnings.begin()
    admin = Api(bootstrap.administrator(""))
    admin.post("/api/v1/namespaces", {"metadata": {"name": "team"}})
    limit(admin, hard={"openshift.io/imagestreams": str(PLACES)})
    limit(admin, "other", hard={"count/imagestreams.image.openshift.io": "100"})
    together = threading.Barrier(ASKING)

    def ask(number: int) -> int:
        together.wait(30)
        try:
            return admin.post(STREAMS, {"metadata": {"name": f"s{number}"}})[0]
        finally:
            connection.close()

    with ThreadPoolExecutor(ASKING) as pool:
        answers = list(pool.map(ask, range(ASKING)))

    assert sorted(answers) == [201] * PLACES + [403] * (ASKING - PLACES)
    assert used(admin) == {"openshift.io/imagestreams": str(PLACES)}
    assert used(admin, "other") == {"count/imagestreams.image.openshift.io": str(PLACES)}
    assert len(admin.get(STREAMS)[1]["items"]) == PLACES


@pytest.mark.django_db(transaction=True)
def test_a_creation_waits_for_the_one_that_may_take_the_last_place() -> None:
    beginnings.begin()
    admin = Api(bootstrap.administrator(""))
    admin.post("/api/v1/namespaces", {"metadata": {"name": "team"}})
    limit(admin, hard={"secrets": "1"})
    taken, commit = threading.Event(), threading.Event()

    def first() -> int:
        try:
            # In a transaction that stays open, as that of another process may.
            with transaction.atomic():
                status, _ = secret(admin, "a")
                taken.set()
                commit.wait(30)
                return status
        finally:
            connection.close()

    def second() -> int:
        try:
            return secret(admin, "b")[0]
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        earlier = pool.submit(first)
        assert taken.wait(30)
        later = pool.submit(second)
        done, _ = wait([later], timeout=0.5)
        commit.set()

        assert not done
        assert (earlier.result(30), later.result(30)) == (201, 403)
    assert used(admin) == {"secrets": "1"}


def test_a_sweep_without_changes_costs_one_statement(admin: Api, team: str) -> None:
    quotas.recount.sweep(meta.now())

    with CaptureQueriesContext(connection) as queries:
        quotas.recount.sweep(meta.now())

    assert len(queries) == 1
