"""What `oc` sends for its commands about projects and rights, command by command, and what it reads of the answers."""

from __future__ import annotations

from typing import Any

import pytest

from authz import lifecycle
from registry_meta.kube import meta
from tests.authz.conftest import RBAC, Api

PROJECT = "/apis/project.openshift.io/v1"
OPENSHIFT = "/apis/authorization.openshift.io/v1"
ACCESS = "/apis/authorization.k8s.io/v1"
ACTION: dict[str, Any] = {
    "resourceAPIGroup": "", "resourceAPIVersion": "", "resourceName": "", "path": "", "isNonResourceURL": False,
    "content": None,
}  # fmt: skip
"""What oc sends along with every question in OpenShift's group."""


@pytest.fixture
def dora(admin: Api) -> Api:
    """Somebody who logged in."""
    return admin.acting_for("dora", "system:authenticated", "system:authenticated:oauth")


def new_project(api: Api, name: str) -> None:
    """Do what `oc new-project` does."""
    assert api.get(f"{PROJECT}/projectrequests")[1]["status"] == "Success"
    head = {"kind": "ProjectRequest", "apiVersion": "project.openshift.io/v1"}
    body = {**head, "metadata": {"name": name}, "displayName": "D", "description": "X"}
    status, made = api.post(f"{PROJECT}/projectrequests", body)
    assert (status, made["kind"], made["metadata"]["name"]) == (201, "Project", name)


def review(api: Api, path: str, **action: Any) -> Any:
    """Ask a question as oc puts it."""
    kinds = {"subjectaccessreviews": "SubjectAccessReview", "localresourceaccessreviews": "LocalResourceAccessReview"}
    head = {"kind": kinds[path.rpartition("/")[2]], "apiVersion": "authorization.openshift.io/v1", "metadata": {}}
    status, answer = api.post(f"{OPENSHIFT}/{path}", {**head, "namespace": "", **ACTION, **action})
    assert status == 201, answer
    return answer


def add_role(api: Api, namespace: str, role: str, user: str) -> None:
    """Do what `oc policy add-role-to-user` does."""
    status, bindings = api.get(f"{RBAC}/namespaces/{namespace}/rolebindings")
    assert status == 200
    taken = {binding["metadata"]["name"] for binding in bindings["items"]}
    assert api.get(f"{RBAC}/clusterroles/{role}")[0] == 200
    body = {
        "metadata": {"name": f"{role}-0" if role in taken else role},
        "subjects": [{"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": user}],
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
    }
    assert api.post(f"{RBAC}/namespaces/{namespace}/rolebindings", body)[0] == 201


def names(api: Api) -> list[str]:
    """Do what `oc projects` does."""
    return [item["metadata"]["name"] for item in api.get(f"{PROJECT}/projects")[1]["items"]]


def test_new_project_and_project_and_projects(dora: Api) -> None:
    new_project(dora, "shop")

    status, project = dora.get(f"{PROJECT}/projects/shop")
    user = dora.post("/apis/authentication.k8s.io/v1/selfsubjectreviews", {})[1]["status"]["userInfo"]

    assert (status, project["metadata"]["annotations"]["openshift.io/display-name"]) == (200, "D")
    assert user["username"] == "dora"
    assert names(dora) == ["shop"]
    assert dora.get(f"{PROJECT}/projects/other")[0] == 403


def test_delete_project_waits_until_it_is_gone(admin: Api, dora: Api) -> None:
    new_project(dora, "shop")

    status, answer = dora.delete(f"{PROJECT}/projects/shop", {"propagationPolicy": "Background"})
    going = dora.get(f"{PROJECT}/projects/shop")[1]["status"]["phase"]
    lifecycle.sweep(meta.now())

    assert (status, answer["status"], going) == (200, "Success", "Terminating")
    # The right to look went with the project, and oc takes that for the end of it.
    assert dora.get(f"{PROJECT}/projects/shop")[0] == 403
    assert admin.get(f"{PROJECT}/projects/shop")[1]["message"] == 'namespaces "shop" not found'
    assert names(dora) == []


def test_add_role_and_remove_it(admin: Api, dora: Api) -> None:
    new_project(dora, "shop")
    bob = admin.acting_for("bob")
    bindings = f"{RBAC}/namespaces/shop/rolebindings"

    add_role(dora, "shop", "view", "bob")
    seen = names(bob)
    add_role(dora, "shop", "admin", "bob")
    two = dora.get(f"{bindings}/admin-0")[0]
    found = dora.get(f"{bindings}/view")[1]
    found["subjects"].append({"kind": "Group", "apiGroup": "rbac.authorization.k8s.io", "name": "devs"})
    put = dora.put(f"{bindings}/view", found)[0]
    found["subjects"] = found["subjects"][1:]
    found["metadata"].pop("resourceVersion")
    without = dora.put(f"{bindings}/view", found)[0]
    deleted = [dora.delete(f"{bindings}/{name}")[0] for name in ("admin-0", "view")]

    assert (seen, two, put, without, deleted) == (["shop"], 200, 200, 200, [200, 200])
    assert names(bob) == []


def test_who_can(dora: Api) -> None:
    new_project(dora, "shop")

    answer = review(dora, "namespaces/shop/localresourceaccessreviews", verb="get", resource="imagestreams/layers")

    assert (answer["kind"], answer["namespace"]) == ("ResourceAccessReviewResponse", "shop")
    assert {"dora", "system:serviceaccount:shop:builder"} <= set(answer["users"])
    assert "system:serviceaccounts:shop" in answer["groups"]
    assert answer["evalutionError"] == ""


def test_can_i(admin: Api, dora: Api) -> None:
    new_project(dora, "shop")

    def can(api: Api, verb: str, resource: str) -> bool:
        asked = {"namespace": "shop", "verb": verb, "group": "image.openshift.io", "resource": resource}
        body = {"spec": {"resourceAttributes": asked}}
        allowed: bool = api.post(f"{ACCESS}/selfsubjectaccessreviews", body)[1]["status"]["allowed"]
        return allowed

    rules = dora.post(f"{ACCESS}/selfsubjectrulesreviews", {"spec": {"namespace": "shop"}})[1]["status"]

    assert can(dora, "create", "imagestreams")
    assert not can(admin.acting_for("bob"), "create", "imagestreams")
    assert [rule for rule in rules["resourceRules"] if "imagestreams" in rule["resources"]]


@pytest.mark.parametrize(("logged_in", "may"), [(True, True), (False, False)])
def test_status_and_login_ask_whether_one_may_request_projects(admin: Api, logged_in: bool, may: bool) -> None:
    groups = ["system:authenticated", *(["system:authenticated:oauth"] if logged_in else [])]
    ann = admin.acting_for("ann", *groups)
    own: dict[str, Any] = {"user": "", "groups": None, "scopes": None, "resource": "projectrequests"}

    listing = review(ann, "subjectaccessreviews", verb="list", **own)
    creating = review(ann, "subjectaccessreviews", verb="create", **own)

    assert (listing["kind"], listing["allowed"], creating["allowed"]) == ("SubjectAccessReviewResponse", True, may)


def test_adm_new_project_makes_one_for_somebody_else(admin: Api) -> None:
    assert admin.get(f"{PROJECT}/projects/made")[0] == 404
    annotations = {"openshift.io/description": "X", "openshift.io/display-name": "D"}
    body = {"metadata": {"name": "made", "annotations": annotations}, "spec": {}, "status": {}}
    assert admin.post(f"{PROJECT}/projects", body)[0] == 201
    asked: dict[str, Any] = {
        "namespace": "made",
        "verb": "get",
        "resource": "projects",
        "user": "carl",
        "groups": [],
        "scopes": [],
    }

    before = review(admin, "subjectaccessreviews", **asked)
    add_role(admin, "made", "admin", "carl")
    after = review(admin, "subjectaccessreviews", **asked)

    assert (before["allowed"], after["allowed"]) == (False, True)
    assert names(admin.acting_for("carl")) == ["made"]


def test_adm_policy_adds_cluster_roles(admin: Api) -> None:
    ann = admin.acting_for("ann")
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-reader"}
    subject = {"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": "ann"}
    body = {"metadata": {"name": "cluster-reader"}, "subjects": [subject], "roleRef": role}
    none = names(ann)

    assert admin.get(f"{RBAC}/clusterrolebindings")[0] == 200
    assert admin.post(f"{RBAC}/clusterrolebindings", body)[0] == 201
    everything = names(ann)
    assert admin.delete(f"{RBAC}/clusterrolebindings/cluster-reader")[0] == 200

    assert (none, names(ann)) == ([], [])
    assert {"default", "kube-system", "openshift"} <= set(everything)
