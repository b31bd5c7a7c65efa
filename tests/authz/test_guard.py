"""Nobody gives more than he holds."""

from __future__ import annotations

from typing import Any

import pytest

from tests.authz.conftest import RBAC, Api, bind

KEEPER = {
    "metadata": {"name": "keeper"},
    "rules": [
        {"apiGroups": ["rbac.authorization.k8s.io"], "resources": ["roles", "rolebindings"], "verbs": ["*"]},
        {"apiGroups": ["image.openshift.io"], "resources": ["imagestreams"], "verbs": ["get"]},
    ],
}
NARROW = ["get", "list", "create", "update", "patch", "delete"]


@pytest.fixture
def keeper(admin: Api, team: str) -> Api:
    """A user who may write roles and bindings, and read image streams."""
    rules = [{**KEEPER["rules"][0], "verbs": NARROW}, KEEPER["rules"][1]]  # type: ignore[index]  # plain JSON
    admin.post(f"{RBAC}/namespaces/{team}/roles", {"metadata": {"name": "keeper"}, "rules": rules})
    bind(admin, team, "keeper", "ann", kind="Role")
    return admin.acting_for("ann")


def role(name: str, *verbs: str) -> dict[str, Any]:
    rule = {"apiGroups": ["image.openshift.io"], "resources": ["imagestreams"], "verbs": list(verbs)}
    return {"metadata": {"name": name}, "rules": [rule]}


def test_a_role_of_what_one_holds_may_be_written(keeper: Api, team: str) -> None:
    assert keeper.post(f"{RBAC}/namespaces/{team}/roles", role("r", "get"))[0] == 201


@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_a_role_of_more_may_not(keeper: Api, team: str, method: str) -> None:
    path = f"{RBAC}/namespaces/{team}/roles" + ("/r" if method == "PUT" else "")
    status, answer = keeper.send(method, path, role("r", "get", "delete"))

    assert status == 403
    assert answer["message"].splitlines() == [
        'roles.rbac.authorization.k8s.io "r" is forbidden: user "ann" (groups=["system:authenticated"]) is attempting'
        " to grant RBAC permissions not currently held:",
        '{APIGroups:["image.openshift.io"], Resources:["imagestreams"], Verbs:["delete"]}',
    ]


def test_a_stronger_role_cannot_even_be_labelled_but_be_weakened(admin: Api, keeper: Api, team: str) -> None:
    path = f"{RBAC}/namespaces/{team}/roles/strong"
    admin.post(f"{RBAC}/namespaces/{team}/roles", role("strong", "get", "delete"))

    assert keeper.patch(path, {"metadata": {"labels": {"a": "b"}}})[0] == 403
    assert keeper.patch(path, {"metadata": {"finalizers": ["example.com/wait"]}})[0] == 200
    assert keeper.patch(path, role("strong", "get"))[0] == 200


def test_a_stronger_role_cannot_be_bound(admin: Api, keeper: Api, team: str) -> None:
    body = {"metadata": {"name": "x"}, "roleRef": {"kind": "ClusterRole", "name": "view"}, "subjects": []}

    assert keeper.post(f"{RBAC}/namespaces/{team}/rolebindings", body)[0] == 403


def test_a_role_that_may_be_bound_can(admin: Api, keeper: Api, team: str) -> None:
    rule = {"apiGroups": ["rbac.authorization.k8s.io"], "resources": ["clusterroles"], "verbs": ["bind"]}
    binder = {"metadata": {"name": "binder"}, "rules": [{**rule, "resourceNames": ["view"]}]}
    admin.post(f"{RBAC}/namespaces/{team}/roles", binder)
    bind(admin, team, "binder", "ann", kind="Role", name="binder")
    bodies = [{"metadata": {"name": r}, "roleRef": {"kind": "ClusterRole", "name": r}} for r in ("view", "edit")]

    assert [keeper.post(f"{RBAC}/namespaces/{team}/rolebindings", body)[0] for body in bodies] == [201, 403]


def test_the_role_of_a_binding_is_fixed(admin: Api, team: str) -> None:
    bind(admin, team, "view", "ann")
    path = f"{RBAC}/namespaces/{team}/rolebindings/b"

    status, answer = admin.patch(path, {"roleRef": {"name": "edit"}})

    assert (status, answer["details"]["causes"][0]["field"]) == (422, "roleRef")
    assert admin.patch(path, {"subjects": None})[0] == 200


def test_only_who_may_do_everything_makes_a_sum(admin: Api, team: str) -> None:
    rule = {"apiGroups": ["rbac.authorization.k8s.io"], "resources": ["clusterroles"], "verbs": NARROW}
    admin.post(f"{RBAC}/clusterroles", {"metadata": {"name": "writer"}, "rules": [rule]})
    reference, subject = {"kind": "ClusterRole", "name": "writer"}, {"kind": "User", "name": "ann"}
    admin.post(f"{RBAC}/clusterrolebindings", {"metadata": {"name": "w"}, "roleRef": reference, "subjects": [subject]})
    body = {"metadata": {"name": "sum"}, "aggregationRule": {"clusterRoleSelectors": [{"matchLabels": {"a": "b"}}]}}

    status, answer = admin.acting_for("ann").post(f"{RBAC}/clusterroles", body)

    assert status == 403
    assert "must have cluster-admin privileges to use the aggregationRule" in answer["message"]


def part(name: str, resource: str, label: str = "a") -> dict[str, Any]:
    rule = {"apiGroups": [""], "resources": [resource], "verbs": ["get"]}
    return {"metadata": {"name": name, "labels": {label: "yes"}}, "rules": [rule]}


def total(name: str, label: str, **labels: str) -> dict[str, Any]:
    selectors = [{"matchLabels": {label: "yes"}}]
    return {"metadata": {"name": name, "labels": labels}, "aggregationRule": {"clusterRoleSelectors": selectors}}


def resources(admin: Api, name: str) -> list[str]:
    rules = admin.get(f"{RBAC}/clusterroles/{name}")[1]["rules"] or []
    return [rule["resources"][0] for rule in rules]


def test_a_sum_follows_its_parts(admin: Api) -> None:
    path = f"{RBAC}/clusterroles"
    admin.post(path, part("p2", "two"))
    admin.post(path, total("sum", "a", b="yes"))
    admin.post(path, total("sum-of-sums", "b"))
    seen = [resources(admin, "sum-of-sums")]
    admin.post(path, part("p1", "one"))
    seen.append(resources(admin, "sum-of-sums"))
    admin.patch(f"{path}/sum", {"rules": []})
    seen.append(resources(admin, "sum-of-sums"))
    admin.patch(f"{path}/p2", {"metadata": {"labels": None}})
    seen.append(resources(admin, "sum-of-sums"))
    admin.delete(f"{path}/p1")
    seen.append(resources(admin, "sum-of-sums"))

    assert seen == [["two"], ["one", "two"], ["one", "two"], ["one"], []]
