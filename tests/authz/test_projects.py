"""Projects: namespaces as those see them who may see them."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from authz.api.namespaces import NAMESPACES, Namespace
from registry_meta.kube import meta, store
from registry_meta.kube.meta import ObjectMeta
from registry_meta.kube.request import SYSTEM, Context
from tests.authz.conftest import RBAC, Api, bind

PROJECTS = "/apis/project.openshift.io/v1/projects"
REQUESTS = "/apis/project.openshift.io/v1/projectrequests"
WORDS = {"openshift.io/display-name": "The Team", "openshift.io/description": "What it does"}
LOGGED_IN = "system:authenticated:oauth"
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"


def make(name: str, **labels: str) -> None:
    """Make a namespace, without the accounts and bindings that others have."""
    obj = Namespace(metadata=ObjectMeta(name=name, labels=labels or None))
    context = Context(SYSTEM, NAMESPACES, meta.now())
    store.create(NAMESPACES, obj, context=context, strategy=NAMESPACES.storage.strategy)


def names(answer: tuple[int, Any]) -> list[str]:
    status, body = answer
    assert status == 200, body
    return [item["metadata"]["name"] for item in body["items"]]


def causes(answer: tuple[int, Any]) -> tuple[int, list[str]]:
    status, body = answer
    return status, [cause["field"] for cause in body["details"]["causes"]]


@pytest.fixture
def ann(admin: Api) -> Api:
    """Somebody who may read two of four namespaces, one of them as a member of a group."""
    for name in ("a", "b", "c", "d"):
        make(name, letter=name)
    bind(admin, "a", "view", "ann")
    bind(admin, "c", "system:image-puller", "ann")
    body = {
        "metadata": {"name": "team"},
        "roleRef": {"kind": "ClusterRole", "name": "admin"},
        "subjects": [{"kind": "Group", "name": "team"}],
    }
    assert admin.post(f"{RBAC}/namespaces/b/rolebindings", body)[0] == 201
    return admin.acting_for("ann", "team")


def test_a_list_holds_the_projects_that_one_sees(admin: Api, ann: Api) -> None:
    listed = ann.get(PROJECTS)

    assert names(listed) == ["a", "b"]
    assert listed[1]["metadata"] == {}
    assert names(admin.acting_for("bob").get(PROJECTS)) == []
    assert {"a", "b", "c", "d", "default"} <= set(names(admin.get(PROJECTS)))


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("labelSelector=letter%3Db", ["b"]),
        ("labelSelector=letter%3Dd", []),
        ("fieldSelector=metadata.name%3Da", ["a"]),
        ("fieldSelector=metadata.name!%3Da", ["b"]),
        ("fieldSelector=metadata.name%3Dd", []),
        ("fieldSelector=status.phase%3DActive", ["a", "b"]),
        ("fieldSelector=status.phase%3DTerminating", []),
    ],
)
def test_a_list_is_selected_from(ann: Api, query: str, found: list[str]) -> None:
    assert names(ann.get(f"{PROJECTS}?{query}")) == found


@pytest.mark.parametrize("who", ["ann", "admin"])
def test_pages_together_are_the_list(admin: Api, ann: Api, who: str) -> None:
    api = ann if who == "ann" else admin
    found: list[str] = []
    token = ""
    while True:
        answer = api.get(f"{PROJECTS}?limit=1&continue={token}")
        found += names(answer)
        token = answer[1]["metadata"].get("continue", "")
        if not token:
            break

    assert found == names(api.get(PROJECTS))


def test_a_table_has_the_words_of_the_project(admin: Api, ann: Api) -> None:
    admin.patch("/api/v1/namespaces/a", {"metadata": {"annotations": WORDS}})

    _, table = ann.get(PROJECTS, HTTP_ACCEPT=TABLE)

    body = table if isinstance(table, dict) else {}
    assert [column["name"] for column in body["columnDefinitions"]] == ["Name", "Display Name", "Status"]
    assert [row["cells"] for row in body["rows"]] == [["a", "The Team", "Active"], ["b", "", "Active"]]


def test_a_project_is_read_where_one_may_read_it(admin: Api, ann: Api) -> None:
    status, project = ann.get(f"{PROJECTS}/a")
    refused, why = ann.get(f"{PROJECTS}/c")
    missing, what = admin.get(f"{PROJECTS}/none")

    assert (status, project["kind"], project["status"]) == (200, "Project", {"phase": "Active"})
    assert project["metadata"]["uid"] == admin.get("/api/v1/namespaces/a")[1]["metadata"]["uid"]
    assert (refused, why["details"]) == (403, {"name": "c", "group": "project.openshift.io", "kind": "projects"})
    assert (missing, what["message"]) == (404, 'namespaces "none" not found')


def test_a_project_is_made_with_both_finalizers(admin: Api) -> None:
    status, made = admin.post(PROJECTS, {"metadata": {"name": "team", "annotations": WORDS}})

    assert (status, made["kind"]) == (201, "Project")
    assert made["spec"]["finalizers"] == ["openshift.io/origin", "kubernetes"]
    assert admin.get("/api/v1/namespaces/team")[1]["metadata"]["annotations"] == WORDS
    assert admin.get("/api/v1/namespaces/team/serviceaccounts/builder")[0] == 200
    assert admin.post(PROJECTS, {"metadata": {"name": "team"}})[0] == 409


@pytest.mark.parametrize("name", ["x", "A", "a.b", ""])
def test_a_project_has_the_name_of_a_host(admin: Api, name: str) -> None:
    assert causes(admin.post(PROJECTS, {"metadata": {"name": name}})) == (422, ["metadata.name"])


def test_the_words_of_a_project_are_changed_by_its_administrator(admin: Api, ann: Api) -> None:
    admin.patch("/api/v1/namespaces/b", {"metadata": {"annotations": {"kept": "yes"}}})

    patched = ann.patch(f"{PROJECTS}/b", {"metadata": {"annotations": WORDS}})
    project = patched[1]
    project["metadata"]["annotations"].pop("openshift.io/description")
    put = ann.put(f"{PROJECTS}/b", project)

    assert (patched[0], put[0]) == (200, 200)
    expected = {"kept": "yes", "openshift.io/display-name": "The Team"}
    assert put[1]["metadata"]["annotations"] == expected
    assert admin.get("/api/v1/namespaces/b")[1]["metadata"]["annotations"] == expected
    assert ann.put(f"{PROJECTS}/b", project)[0] == 409


def test_who_may_only_read_a_project_may_not_change_it(ann: Api) -> None:
    assert ann.patch(f"{PROJECTS}/a", {"metadata": {"annotations": WORDS}})[0] == 403
    assert ann.delete(f"{PROJECTS}/a")[0] == 403


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"metadata": {"labels": {"letter": "x"}}}, "metadata.labels[letter]"),
        ({"metadata": {"labels": {"new": "x"}}}, "metadata.labels[new]"),
        ({"metadata": {"labels": {"letter": None}}}, "metadata.labels[letter]"),
        ({"metadata": {"annotations": {"other": "x"}}}, "metadata.annotations[other]"),
        ({"metadata": {"finalizers": ["example.com/x"]}}, "metadata.finalizers"),
        ({"metadata": {"resourceVersion": None}}, "metadata.resourceVersion"),
        ({"spec": {"finalizers": ["example.com/x"]}}, "spec.finalizers"),
        ({"status": {"phase": "Terminating"}}, "status"),
        (
            {"metadata": {"annotations": {"openshift.io/display-name": "two\nlines"}}},
            "metadata.annotations[openshift.io/display-name]",
        ),
    ],
)
def test_nothing_else_of_a_project_is_changed(admin: Api, ann: Api, change: dict[str, Any], field: str) -> None:
    before = admin.get("/api/v1/namespaces/b")

    assert causes(ann.patch(f"{PROJECTS}/b", change)) == (422, [field])
    assert admin.get("/api/v1/namespaces/b") == before


def test_a_project_is_deleted_by_its_administrator(admin: Api, ann: Api) -> None:
    status, answer = ann.delete(f"{PROJECTS}/b", {"propagationPolicy": "Background"})

    assert (status, answer["kind"], answer["status"]) == (200, "Status", "Success")
    assert admin.get("/api/v1/namespaces/b")[1]["status"]["phase"] == "Terminating"
    assert admin.delete(f"{PROJECTS}/none")[1]["message"] == 'namespaces "none" not found'
    assert admin.delete(f"{PROJECTS}/default")[0] == 403


def test_a_project_that_is_requested_has_its_requester_as_administrator(admin: Api) -> None:
    dora = admin.acting_for("dora", LOGGED_IN)
    body = {"metadata": {"name": "shop", "labels": {"not": "taken"}}, "displayName": "Shop", "description": "Sells"}

    status, project = dora.post(REQUESTS, body)
    binding = dora.get(f"{RBAC}/namespaces/shop/rolebindings/admin")[1]

    assert (status, project["kind"]) == (201, "Project")
    assert project["metadata"]["annotations"] == {
        "openshift.io/description": "Sells",
        "openshift.io/display-name": "Shop",
        "openshift.io/requester": "dora",
    }
    assert project["metadata"]["labels"] == {"kubernetes.io/metadata.name": "shop"}
    assert (binding["roleRef"]["name"], binding["subjects"][0]["name"]) == ("admin", "dora")
    assert names(dora.get(PROJECTS)) == ["shop"]
    assert dora.get("/api/v1/namespaces/shop/serviceaccounts/builder")[0] == 200
    assert dora.get(f"{RBAC}/namespaces/shop/rolebindings/system:image-pullers")[0] == 200
    assert admin.acting_for("bob", LOGGED_IN).get(f"{PROJECTS}/shop")[0] == 403


def test_a_request_that_is_refused_makes_nothing(admin: Api) -> None:
    dora = admin.acting_for("dora", LOGGED_IN)
    make("taken")

    refusals = {name: dora.post(REQUESTS, {"metadata": {"name": name}}) for name in ("taken", "kube-x", "openshift")}

    assert {name: status for name, (status, _) in refusals.items()} == {"taken": 409, "kube-x": 403, "openshift": 403}
    assert admin.get(f"{RBAC}/namespaces/taken/rolebindings/admin")[0] == 404
    assert admin.get(f"{PROJECTS}/kube-x")[0] == 404


def test_a_request_that_is_tried_out_makes_nothing(admin: Api) -> None:
    dora = admin.acting_for("dora", LOGGED_IN)

    assert dora.post(f"{REQUESTS}?dryRun=All", {"metadata": {"name": "shop"}})[0] == 201
    assert admin.get(f"{PROJECTS}/shop")[0] == 404


def test_the_setting_says_why_one_may_not_request(admin: Api, settings: Any) -> None:
    words = "Ask the help desk for a project."
    settings.ENVIRONMENT = type(settings.ENVIRONMENT)(project_request_message=words)

    status, answer = admin.acting_for("ann").get(REQUESTS)

    assert (status, answer["message"]) == (403, words)
    assert answer["details"]["causes"] == [{"message": words}]


@pytest.mark.django_db(transaction=True)
def test_a_list_of_three_among_many_reads_three(admin: Api) -> None:
    for number in range(300):
        make(f"other-{number:03}")
    for name in ("one", "two", "three"):
        make(name)
        bind(admin, name, "view", "ann")
    ann = admin.acting_for("ann")
    ann.get(PROJECTS)

    with CaptureQueriesContext(connection) as queries:
        found = names(ann.get(PROJECTS))

    statements = [query["sql"] for query in queries.captured_queries]
    assert found == ["one", "three", "two"]
    # The counters for who asks, those for what he sees, and the rows themselves by their names.
    assert len(statements) == 3, "\n".join(statements)
    assert "name IN ('one', 'three', 'two')" in statements[-1]


def test_the_documents_say_what_a_request_is_answered_with(admin: Api) -> None:
    paths = admin.get("/openapi/v3/apis/project.openshift.io/v1")[1]["paths"]
    place = paths["/apis/project.openshift.io/v1/projectrequests"]

    def answer(method: str, code: str) -> str:
        schema: str = place[method]["responses"][code]["content"]["application/json"]["schema"]["$ref"]
        return schema.rpartition(".")[2]

    assert (answer("get", "200"), answer("post", "201")) == ("Status", "Project")
