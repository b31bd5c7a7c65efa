"""Scopes: they let pass some of what an actor may do, and give nothing by themselves."""

from __future__ import annotations

import pytest

from authz import scopes
from authz.grants import CLUSTER_ROLE_BINDINGS, CLUSTER_ROLES, Grants
from authz.rules import Attributes, Decision
from registry_meta.kube.request import Actor
from tests.authz.conftest import Api

REVIEWS = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
IMAGES = "image.openshift.io"
EDIT = (
    '{"rules":[{"verbs":["get","create"],"apiGroups":["","rbac.authorization.k8s.io"],'
    '"resources":["configmaps","secrets","rolebindings"]},'
    '{"verbs":["get"],"apiGroups":["image.openshift.io"],"resources":["imagestreams","imagestreams/secrets"]},'
    '{"verbs":["*"],"apiGroups":["build.openshift.io"],"resources":["builds"]}]}'
)
EVERYTHING = '{"rules":[{"verbs":["*"],"apiGroups":["*"],"resources":["*"]},{"verbs":["*"],"nonResourceURLs":["*"]}]}'
TO_ANN = (
    '{"roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":"ClusterRole","name":"all"},'
    '"subjects":[{"kind":"User","name":"ann"}]}'
)


@pytest.fixture
def grants() -> Grants:
    """A policy in which ann may do everything, and a role that scopes name."""
    found = Grants(0)
    found.put(CLUSTER_ROLES, "", "all", EVERYTHING)
    found.put(CLUSTER_ROLES, "", "edit", EDIT)
    found.put(CLUSTER_ROLE_BINDINGS, "", "b", TO_ANN)
    return found


def ann(*limits: str, groups: tuple[str, ...] = ()) -> Actor:
    return Actor("ann", groups, extra={scopes.EXTRA: limits})


MYSELF = Attributes("get", group="user.openshift.io", version="v1", resource="users", name="~")
ME = Attributes("create", group="authentication.k8s.io", version="v1", resource="selfsubjectreviews")
CHECK = Attributes("create", group="authorization.k8s.io", version="v1", resource="selfsubjectaccessreviews")
PROJECTS = Attributes("list", group="project.openshift.io", version="v1", resource="projects")
SPACE = Attributes("get", "ns", "", "v1", "namespaces", "ns")
STREAM = Attributes("get", "ns", IMAGES, "v1", "imagestreams", "app")
STREAM_SECRETS = Attributes("get", "ns", IMAGES, "v1", "imagestreams/secrets", "app")
ELSEWHERE = Attributes("get", "other", IMAGES, "v1", "imagestreams", "app")
SECRET = Attributes("get", "ns", "", "v1", "secrets", "s")
BINDING = Attributes("create", "ns", "rbac.authorization.k8s.io", "v1", "rolebindings")
BUILD = Attributes("get", "ns", "build.openshift.io", "v1", "builds", "b")
PATH = Attributes("get", path="/metrics")
DISCOVERY = Attributes("get", path="/apis")
ALL = {MYSELF, ME, CHECK, PROJECTS, SPACE, STREAM, STREAM_SECRETS, ELSEWHERE, SECRET, BINDING, BUILD, PATH}


@pytest.mark.parametrize(
    ("limits", "passing"),
    [
        (("user:full",), ALL),
        (("user:info",), {MYSELF, ME}),
        (("user:check-access",), {CHECK}),
        (("user:list-projects",), {PROJECTS, SPACE}),
        (("user:list-scoped-projects",), {PROJECTS}),
        (("user:info", "user:check-access"), {MYSELF, ME, CHECK}),
        (("role:edit:ns",), {STREAM}),
        (("role:edit:ns:!",), {STREAM, STREAM_SECRETS, SECRET, BINDING, BUILD}),
        (("role:edit:*",), {STREAM, ELSEWHERE}),
        (("role:all:*",), set()),
        (("role:all:*:!",), ALL),
        (("role:none:ns",), set()),
        (("user:everything",), set()),
        ((), ALL),
    ],
)
def test_scopes_let_pass_what_they_name(grants: Grants, limits: tuple[str, ...], passing: set[Attributes]) -> None:
    assert {asked for asked in ALL if grants.decide(ann(*limits), asked).allowed} == passing
    assert grants.decide(ann(*limits), DISCOVERY).allowed


def test_a_refusal_names_the_scopes(grants: Grants) -> None:
    decision = grants.decide(ann("user:info", "user:check-access"), STREAM)

    assert decision == Decision(False, "scopes [user:info user:check-access] prevent this action", denied=True)


def test_masters_are_limited_like_everybody(grants: Grants) -> None:
    assert not grants.decide(ann("user:info", groups=("system:masters",)), STREAM).allowed


def test_scopes_give_nothing(grants: Grants) -> None:
    bob = Actor("bob", extra={scopes.EXTRA: ("user:full", "role:edit:ns:!")})

    assert grants.decide(bob, STREAM) == Decision(False)


def test_a_role_that_changes_changes_its_scopes(grants: Grants) -> None:
    before = grants.decide(ann("role:edit:ns"), STREAM)
    grants.put(CLUSTER_ROLES, "", "edit", '{"rules":[]}')

    assert before.allowed
    assert not grants.decide(ann("role:edit:ns"), STREAM).allowed


@pytest.mark.parametrize(
    ("scope", "parts"),
    [
        ("role:admin:ns", ("admin", "ns", False)),
        ("role:admin:*:!", ("admin", "*", True)),
        ("role:system:image-puller:ns", ("system:image-puller", "ns", False)),
    ],
)
def test_the_namespace_of_a_role_is_behind_the_last_colon(scope: str, parts: tuple[str, str, bool]) -> None:
    assert scopes.role_scope(scope) == scopes.RoleScope(*parts)


@pytest.mark.parametrize(
    ("scope", "why"),
    [
        ("user:everything", "unrecognized scope: user:everything"),
        ("role:admin", "bad format for scope role:admin"),
        ("role::ns", "bad format for scope role::ns"),
        ("role:admin:", "bad format for scope role:admin:"),
        ("role:admin:!", "bad format for scope role:admin:!"),
        ("openid", "no scope handler found"),
        ('user:"', "34 not allowed"),
        ("user:info user:full", "32 not allowed"),
    ],
)
def test_other_texts_are_no_scopes(scope: str, why: str) -> None:
    [problem] = scopes.problems([scope], "scopes")

    assert problem.field == "scopes[0]"
    assert problem.message.endswith(why)


def test_a_request_beyond_its_scopes_is_refused_in_the_words_of_kubernetes(admin: Api) -> None:
    limited = {"HTTP_IMPERSONATE_USER": "ann", "HTTP_IMPERSONATE_EXTRA_SCOPES.AUTHORIZATION.OPENSHIFT.IO": "user:info"}

    status, answer = admin.get("/api/v1/namespaces/default/secrets/s", **limited)

    assert status == 403
    assert answer["message"] == (
        'secrets "s" is forbidden: User "ann" cannot get resource "secrets" in API group "" in the namespace "default":'
        " scopes [user:info] prevent this action"
    )
    assert answer["details"] == {"name": "s", "kind": "secrets"}


def test_a_review_of_somebody_with_scopes_counts_them(admin: Api) -> None:
    attributes = {"verb": "get", "resource": "secrets", "namespace": "default"}
    spec = {"user": "ann", "groups": ["system:masters"], "resourceAttributes": attributes}

    _, free = admin.post(REVIEWS, {"spec": spec})
    _, limited = admin.post(REVIEWS, {"spec": {**spec, "extra": {scopes.EXTRA: ["user:info"]}}})

    assert free["status"]["allowed"]
    assert limited["status"] == {
        "allowed": False, "denied": True, "reason": "scopes [user:info] prevent this action",
    }  # fmt: skip
