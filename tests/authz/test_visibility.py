"""Which namespaces one may see, and who may do something, by the policy in memory."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
import pytest

from authz.grants import CLUSTER_ROLE_BINDINGS, CLUSTER_ROLES, ROLE_BINDINGS, Grants
from authz.rules import Attributes
from authz.visibility import ALL, Visible, visible
from registry_meta.kube.request import Actor

ANN = Actor("ann", ("team",))
READING = {"apiGroups": [""], "resources": ["namespaces"], "verbs": ["get"]}
LAYERS = {"apiGroups": ["image.openshift.io"], "resources": ["imagestreams/layers"], "verbs": ["get"]}


class Policy:
    """A policy, made binding by binding."""

    def __init__(self) -> None:
        self.grants = Grants(0)
        self.role("reader", READING)
        self.role("puller", LAYERS)

    def role(self, name: str, *rules: Mapping[str, object]) -> None:
        self.grants.put(CLUSTER_ROLES, "", name, msgspec.json.encode({"rules": rules}).decode())

    def bind(self, namespace: str, name: str, role: str, *subjects: tuple[str, str]) -> None:
        document = {
            "roleRef": {"kind": "ClusterRole", "name": role},
            "subjects": [{"kind": kind, "name": word, "namespace": "robots"} for kind, word in subjects],
        }
        key = ROLE_BINDINGS if namespace else CLUSTER_ROLE_BINDINGS
        self.grants.put(key, namespace, name, msgspec.json.encode(document).decode())

    def unbind(self, namespace: str, name: str) -> None:
        self.grants.put(ROLE_BINDINGS, namespace, name, None)

    def sees(self, actor: Actor = ANN) -> Visible:
        return visible(self.grants, actor)


@pytest.fixture
def policy() -> Policy:
    return Policy()


def test_one_sees_where_one_or_a_group_of_one_s_is_bound(policy: Policy) -> None:
    policy.bind("a", "b", "reader", ("User", "ann"))
    policy.bind("b", "b", "reader", ("Group", "team"))
    policy.bind("c", "b", "reader", ("User", "bob"))

    assert policy.sees() == Visible(False, frozenset({"a", "b"}))


def test_a_binding_that_gives_no_right_to_read_shows_nothing(policy: Policy) -> None:
    policy.bind("a", "b", "puller", ("User", "ann"))
    policy.bind("b", "b", "no-such-role", ("User", "ann"))

    assert policy.sees() == Visible(False)


def test_the_last_of_several_bindings_counts(policy: Policy) -> None:
    policy.bind("a", "one", "reader", ("User", "ann"))
    policy.bind("a", "two", "reader", ("User", "ann"))
    policy.unbind("a", "one")
    with_one = policy.sees()
    policy.unbind("a", "two")

    assert "a" in with_one
    assert policy.sees() == Visible(False)


def test_a_role_that_loses_the_right_hides_what_it_showed(policy: Policy) -> None:
    policy.bind("a", "b", "reader", ("User", "ann"))
    policy.role("reader", LAYERS)

    assert "a" not in policy.sees()


@pytest.mark.parametrize("words", ["get", "*"])
def test_a_right_to_all_namespaces_shows_all(policy: Policy, words: str) -> None:
    policy.role("all", {"apiGroups": [words if words == "*" else ""], "resources": ["namespaces"], "verbs": [words]})
    policy.bind("", "b", "all", ("Group", "team"))

    assert policy.sees() == ALL
    assert Policy().sees(Actor("root", ("system:masters",))) == ALL


def test_a_right_to_namespaces_by_name_shows_those(policy: Policy) -> None:
    policy.role("some", {**READING, "resourceNames": ["x", "y"]})
    policy.bind("", "b", "some", ("User", "ann"))

    assert policy.sees() == Visible(False, frozenset({"x", "y"}))


def test_a_right_to_one_name_given_in_a_namespace_is_about_that_namespace_alone(policy: Policy) -> None:
    policy.role("some", {**READING, "resourceNames": ["x"]})
    policy.bind("x", "b", "some", ("User", "ann"))
    policy.bind("y", "b", "some", ("User", "ann"))

    assert policy.sees() == Visible(False, frozenset({"x"}))


def test_who_may_do_something_is_found_among_all_bindings(policy: Policy) -> None:
    policy.bind("a", "one", "puller", ("User", "ann"), ("ServiceAccount", "pipeline"))
    policy.bind("a", "two", "reader", ("User", "bob"))
    policy.bind("", "three", "puller", ("Group", "team"))
    policy.bind("b", "four", "puller", ("User", "carl"))
    policy.bind("a", "five", "no-such-role", ("User", "dora"))

    asked = Attributes("get", "a", "image.openshift.io", "v1", "imagestreams/layers", "app")

    assert policy.grants.holders(asked) == (
        {"ann", "system:serviceaccount:robots:pipeline"},
        {"system:masters", "team"},
    )
    assert policy.grants.missing("a") == ['clusterrole.rbac.authorization.k8s.io "no-such-role" not found']


@pytest.mark.parametrize("group", ["system:masters", "team"])
def test_a_token_for_one_namespace_shows_that_alone(policy: Policy, group: str) -> None:
    policy.bind("", "b", "reader", ("Group", "team"))
    extra = {"scopes.authorization.openshift.io": ("role:reader:x",)}

    assert policy.sees(Actor("ann", (group,), extra=extra)) == Visible(False, frozenset({"x"}))


def test_a_token_shows_no_more_than_its_user_sees(policy: Policy) -> None:
    policy.bind("a", "b", "reader", ("User", "ann"))

    def sees(scope: str) -> Visible:
        return policy.sees(Actor("ann", extra={"scopes.authorization.openshift.io": (scope,)}))

    assert sees("role:reader:x") == sees("user:info") == Visible(False)
    assert sees("role:reader:*") == sees("user:list-projects") == sees("user:full") == Visible(False, frozenset({"a"}))
