"""Questions about rights in the form of OpenShift, as `oc` asks them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.authz.conftest import Api, bind

OPENSHIFT = "/apis/authorization.openshift.io/v1"
LOCAL = f"{OPENSHIFT}/namespaces/team"
LAYERS = {"verb": "get", "resource": "imagestreams/layers", "resourceAPIGroup": ""}
SCOPES = "scopes.authorization.openshift.io"
SELF = "selfsubjectaccessreviews"


def answer(api: Api, path: str, body: dict[str, Any], status: int = 201) -> Any:
    code, document = api.post(path, body)
    assert code == status, document
    return document


def test_one_may_ask_about_oneself_without_a_right_to_ask_about_others(admin: Api, team: str) -> None:
    bind(admin, team, "view", "ann")
    ann = admin.acting_for("ann")
    # Whatever oc leaves empty it sends as null or as an empty text.
    empty = {"resourceAPIVersion": "", "resourceName": "", "path": "", "isNonResourceURL": False, "content": None}
    body = {**LAYERS, **empty, "namespace": team, "user": "", "groups": None, "scopes": None}

    allowed = answer(ann, f"{OPENSHIFT}/subjectaccessreviews", body)
    refused = answer(ann, f"{LOCAL}/localsubjectaccessreviews", {**LAYERS, "verb": "update"})

    assert allowed == {
        "kind": "SubjectAccessReviewResponse",
        "apiVersion": "authorization.openshift.io/v1",
        "namespace": "team",
        "allowed": True,
        "reason": 'RBAC: allowed by RoleBinding "b/team" of ClusterRole "view" to User "ann"',
    }
    assert (refused["namespace"], refused["allowed"]) == ("team", False)


@pytest.mark.parametrize("about", [{"user": "bob"}, {"groups": ["x"]}, {"user": "ann"}])
@pytest.mark.parametrize("path", [f"{OPENSHIFT}/subjectaccessreviews", f"{LOCAL}/localsubjectaccessreviews"])
def test_one_may_not_ask_about_others_without_the_right(
    admin: Api, team: str, path: str, about: dict[str, Any]
) -> None:
    bind(admin, team, "view", "ann")

    refusal = answer(admin.acting_for("ann"), path, {**LAYERS, **about}, 403)

    assert refusal["details"] == {"group": "authorization.openshift.io", "kind": path.rpartition("/")[2]}


def test_whoever_may_not_ask_about_himself_is_told_what_he_lacks(team: str) -> None:
    refusal = answer(Api(), f"{LOCAL}/localsubjectaccessreviews", {}, 403)

    assert refusal["message"] == (
        'selfsubjectaccessreviews.authorization.k8s.io is forbidden: User "system:anonymous" cannot create resource'
        ' "selfsubjectaccessreviews" in API group "authorization.k8s.io" in the namespace "team"'
    )


def test_the_administrator_of_a_project_asks_about_others_there_alone(admin: Api, team: str) -> None:
    bind(admin, team, "admin", "ann")
    bind(admin, team, "view", "bob", name="bob")
    ann = admin.acting_for("ann")

    here = answer(ann, f"{LOCAL}/localsubjectaccessreviews", {**LAYERS, "user": "bob"})
    there = f"{OPENSHIFT}/namespaces/default/localsubjectaccessreviews"

    assert here["allowed"] is True
    answer(ann, there, {**LAYERS, "user": "bob"}, 403)
    answer(ann, f"{OPENSHIFT}/subjectaccessreviews", {**LAYERS, "user": "bob", "namespace": team}, 403)


def test_a_right_to_ask_everywhere_needs_the_right_to_ask_in_the_namespace(admin: Api, team: str) -> None:
    rbac = "/apis/rbac.authorization.k8s.io/v1"
    rule = {"apiGroups": ["authorization.openshift.io"], "resources": ["subjectaccessreviews"], "verbs": ["create"]}
    admin.post(f"{rbac}/clusterroles", {"metadata": {"name": "asker"}, "rules": [rule]})
    subject = {"kind": "User", "name": "ann"}
    role = {"kind": "ClusterRole", "name": "asker"}
    admin.post(f"{rbac}/clusterrolebindings", {"metadata": {"name": "a"}, "roleRef": role, "subjects": [subject]})
    ann = admin.acting_for("ann")
    body = {**LAYERS, "user": "bob", "namespace": team}

    refusal = answer(ann, f"{OPENSHIFT}/subjectaccessreviews", body, 403)
    bind(admin, team, "admin", "ann")

    assert refusal["details"]["kind"] == "localsubjectaccessreviews"
    assert answer(ann, f"{OPENSHIFT}/subjectaccessreviews", body)["allowed"] is False


def test_paths_are_asked_about(admin: Api) -> None:
    body = {"verb": "get", "isNonResourceURL": True, "path": "/version", "groups": ["system:unauthenticated"]}

    assert answer(admin, f"{OPENSHIFT}/subjectaccessreviews", body)["allowed"] is True
    assert answer(admin, f"{OPENSHIFT}/subjectaccessreviews", {**body, "path": "/metrics"})["allowed"] is False


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"resource": "images"}, "verb"),
        ({"verb": "get"}, "resource"),
        ({"verb": "get", "isNonResourceURL": True}, "path"),
        ({**LAYERS, "namespace": "other"}, "namespace"),
    ],
)
@pytest.mark.parametrize("kind", ["localsubjectaccessreviews", "localresourceaccessreviews"])
def test_a_question_that_makes_no_sense_is_refused(
    admin: Api, team: str, kind: str, body: dict[str, Any], field: str
) -> None:
    refusal = answer(admin, f"{LOCAL}/{kind}", body, 422)

    assert [cause["field"] for cause in refusal["details"]["causes"]] == [field]


@pytest.mark.parametrize(
    ("scopes", "allowed"), [(None, True), ([], True), (["user:info"], False), (["role:view:team"], True)]
)
def test_scopes_of_a_question_about_another_are_those_it_names(
    admin: Api, team: str, scopes: list[str] | None, allowed: bool
) -> None:
    bind(admin, team, "view", "bob")
    body = {**LAYERS, "user": "bob", "scopes": scopes}

    assert answer(admin, f"{LOCAL}/localsubjectaccessreviews", body)["allowed"] is allowed


@pytest.mark.parametrize(("scopes", "allowed"), [(None, False), ([], True), (["user:full"], True)])
def test_scopes_of_a_question_about_oneself_are_one_s_own_unless_it_names_some(
    admin: Api, team: str, scopes: list[str] | None, allowed: bool
) -> None:
    bind(admin, team, "view", "ann")
    headers = {"HTTP_IMPERSONATE_EXTRA_SCOPES.AUTHORIZATION.OPENSHIFT.IO": "user:check-access"}

    status, found = admin.acting_for("ann").post(
        f"{LOCAL}/localsubjectaccessreviews", {**LAYERS, "scopes": scopes}, **headers
    )

    assert (status, found["allowed"]) == (201, allowed)


def test_who_can_is_answered_with_users_and_groups(admin: Api, team: str) -> None:
    bind(admin, team, "view", "zoe")
    bind(admin, team, "admin", "ann", name="admin")
    ann = admin.acting_for("ann")

    found = answer(ann, f"{LOCAL}/localresourceaccessreviews", LAYERS)

    assert (found["kind"], found["namespace"]) == ("ResourceAccessReviewResponse", team)
    assert {"ann", "zoe", "system:serviceaccount:team:builder"} <= set(found["users"])
    assert {"system:masters", "system:serviceaccounts:team", "system:cluster-readers"} <= set(found["groups"])
    assert (found["users"], found["groups"]) == (sorted(found["users"]), sorted(found["groups"]))
    assert found["evalutionError"] == ""
    answer(ann, f"{OPENSHIFT}/resourceaccessreviews", {**LAYERS, "namespace": team}, 403)
    answer(ann, f"{OPENSHIFT}/namespaces/default/localresourceaccessreviews", LAYERS, 403)


def test_who_can_everywhere_is_asked_by_the_administrator(admin: Api, team: str) -> None:
    bind(admin, team, "view", "zoe")

    everywhere = answer(admin, f"{OPENSHIFT}/resourceaccessreviews", LAYERS)
    here = answer(admin, f"{OPENSHIFT}/resourceaccessreviews", {**LAYERS, "namespace": team})

    assert "namespace" not in everywhere
    assert "zoe" not in everywhere["users"]
    assert "zoe" in here["users"]


def test_who_can_tells_of_roles_that_are_missing(admin: Api, team: str) -> None:
    rbac = "/apis/rbac.authorization.k8s.io/v1"
    role = {"kind": "ClusterRole", "name": "none"}
    body = {"metadata": {"name": "n"}, "roleRef": role, "subjects": [{"kind": "User", "name": "ann"}]}
    assert admin.post(f"{rbac}/namespaces/{team}/rolebindings", body)[0] == 201

    found = answer(admin, f"{LOCAL}/localresourceaccessreviews", LAYERS)

    assert 'clusterrole.rbac.authorization.k8s.io "none" not found' in found["evalutionError"]
    assert "ann" not in found["users"]


def test_rules_are_listed_for_oneself_and_for_others(admin: Api, team: str) -> None:
    bind(admin, team, "system:image-puller", "ann")
    layers = {"verbs": ["get"], "apiGroups": ["", "image.openshift.io"], "resources": ["imagestreams/layers"]}

    own = answer(admin.acting_for("ann"), f"{LOCAL}/selfsubjectrulesreviews", {"spec": {"scopes": None}})
    of_ann = answer(admin, f"{LOCAL}/subjectrulesreviews", {"spec": {"user": "ann"}})
    of_bob = answer(admin, f"{LOCAL}/subjectrulesreviews", {"spec": {"user": "bob"}})

    assert layers in own["status"]["rules"]
    assert of_ann["status"]["rules"] == [layers]
    assert of_bob["status"]["rules"] == []
    answer(admin.acting_for("ann"), f"{LOCAL}/subjectrulesreviews", {"spec": {"user": "bob"}}, 403)
    answer(admin, f"{LOCAL}/subjectrulesreviews", {"spec": {}}, 400)


@pytest.mark.parametrize(
    ("scopes", "expected"),
    [(["user:info"], 0), (["role:system:image-puller:team"], 1), (["role:system:image-puller:other"], 0), ([], 1)],
)
def test_rules_are_those_that_scopes_let_pass(admin: Api, team: str, scopes: list[str], expected: int) -> None:
    bind(admin, team, "system:image-puller", "bob")
    body = {"spec": {"user": "bob", "scopes": scopes}}

    assert len(answer(admin, f"{LOCAL}/subjectrulesreviews", body)["status"]["rules"]) == expected
