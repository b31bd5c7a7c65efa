"""Questions about rights, and their answers."""

from __future__ import annotations

from typing import Any

import pytest

from tests.authz.conftest import Api, bind

ACCESS = "/apis/authorization.k8s.io/v1"
AUTHENTICATION = "/apis/authentication.k8s.io/v1"
LAYERS = {"namespace": "team", "verb": "get", "group": "image.openshift.io", "resource": "imagestreams/layers"}


def review(api: Api, kind: str, **spec: Any) -> tuple[int, Any]:
    return api.post(f"{ACCESS}/{kind}", {"spec": spec})


def test_one_may_ask_about_oneself(admin: Api, team: str) -> None:
    bind(admin, team, "view", "ann")
    ann = admin.acting_for("ann")

    status, allowed = review(ann, "selfsubjectaccessreviews", resourceAttributes=LAYERS)
    refused = review(ann, "selfsubjectaccessreviews", resourceAttributes={**LAYERS, "verb": "update"})[1]

    assert status == 201
    assert allowed["status"] == {
        "allowed": True,
        "reason": 'RBAC: allowed by RoleBinding "b/team" of ClusterRole "view" to User "ann"',
    }
    assert refused["status"] == {"allowed": False}


def test_a_subresource_may_be_named_apart(admin: Api, team: str) -> None:
    bind(admin, team, "view", "ann")
    apart = {**LAYERS, "resource": "imagestreams", "subresource": "layers"}

    answer = review(admin, "subjectaccessreviews", resourceAttributes=apart, user="ann")[1]

    assert answer["status"]["allowed"] is True


@pytest.mark.parametrize(
    ("kind", "spec", "field"),
    [
        ("selfsubjectaccessreviews", {}, "spec.resourceAttributes"),
        (
            "selfsubjectaccessreviews",
            {"resourceAttributes": {}, "nonResourceAttributes": {}},
            "spec.nonResourceAttributes",
        ),
        ("subjectaccessreviews", {"resourceAttributes": LAYERS}, "spec.user"),
        ("subjectaccessreviews", {"user": "ann"}, "spec.resourceAttributes"),
    ],
)
def test_a_question_that_makes_no_sense_is_refused(admin: Api, kind: str, spec: dict[str, Any], field: str) -> None:
    status, answer = review(admin, kind, **spec)

    assert (status, answer["details"]["causes"][0]["field"]) == (422, field)


@pytest.mark.parametrize(
    ("spec", "metadata", "field"),
    [
        ({"resourceAttributes": {**LAYERS, "namespace": "other"}}, {}, "spec.resourceAttributes.namespace"),
        ({"nonResourceAttributes": {"path": "/", "verb": "get"}}, {}, "spec.nonResourceAttributes"),
        ({"resourceAttributes": LAYERS}, {"name": "x"}, "metadata"),
    ],
)
def test_a_local_question_stays_in_its_namespace(
    admin: Api, spec: dict[str, Any], metadata: dict[str, Any], field: str
) -> None:
    path = f"{ACCESS}/namespaces/team/localsubjectaccessreviews"
    status, answer = admin.post(path, {"spec": {"user": "ann", **spec}, "metadata": metadata})

    assert (status, answer["details"]["causes"][0]["field"]) == (422, field)


def test_rules_are_listed_for_a_namespace(admin: Api, team: str) -> None:
    bind(admin, team, "system:image-puller", "ann")
    ann = admin.acting_for("ann")

    here = review(ann, "selfsubjectrulesreviews", namespace="team")[1]["status"]
    there = review(ann, "selfsubjectrulesreviews", namespace="default")[1]["status"]
    layers = {"verbs": ["get"], "apiGroups": ["", "image.openshift.io"], "resources": ["imagestreams/layers"]}

    assert layers in here["resourceRules"]
    assert layers not in there["resourceRules"]
    assert there["incomplete"] is False
    assert there["nonResourceRules"]


def test_rules_that_scopes_cut_short_are_said_to_be_incomplete(admin: Api) -> None:
    path = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews"
    spec = {"spec": {"namespace": "default"}}

    def incomplete(scope: str) -> tuple[bool, str]:
        headers = {"HTTP_IMPERSONATE_USER": "ann", "HTTP_IMPERSONATE_USER_SCOPE": scope}
        answer = admin.post(path, spec, **headers)[1]["status"]
        return answer["incomplete"], answer.get("evaluationError", "")

    why = "rules of which the scopes [user:check-access] let pass a part may be missing"
    assert incomplete("user:check-access") == (True, why)
    assert incomplete("user:full") == (False, "")


def test_rules_of_no_namespace_are_not_listed(admin: Api) -> None:
    assert review(admin, "selfsubjectrulesreviews")[1]["message"] == "no namespace on request"


def test_a_token_is_reviewed(admin: Api, team: str) -> None:
    path = f"/api/v1/namespaces/{team}/serviceaccounts/default/token"
    token = admin.post(path, {"spec": {"audiences": ["elsewhere"]}})[1]["status"]["token"]

    def status(**spec: Any) -> Any:
        return admin.post(f"{AUTHENTICATION}/tokenreviews", {"spec": spec})[1]["status"]

    assert status(token=token) == {"user": {}, "error": "invalid bearer token"}
    known = status(token=token, audiences=["x", "elsewhere"])
    assert (known["authenticated"], known["audiences"]) == (True, ["elsewhere"])
    assert known["user"]["username"] == "system:serviceaccount:team:default"


@pytest.mark.parametrize(("seconds", "why"), [(599, "less than 10 minutes"), (2**33, "larger than 2^32 seconds")])
def test_a_token_lasts_neither_too_short_nor_too_long(admin: Api, team: str, seconds: int, why: str) -> None:
    path = f"/api/v1/namespaces/{team}/serviceaccounts/default/token"

    status, answer = admin.post(path, {"spec": {"expirationSeconds": seconds}})

    assert status == 422
    assert why in answer["message"]
