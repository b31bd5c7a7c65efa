"""The policy in memory: current at every request, and never what was rolled back."""

from __future__ import annotations

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from authz import policy
from authz.api.clusterrolebindings import CLUSTER_ROLE_BINDINGS, ClusterRoleBinding
from authz.api.clusterroles import CLUSTER_ROLES
from authz.api.namespaces import NAMESPACES, Namespace
from authz.grants import Grants
from authz.rules import Attributes, Decision, PolicyRule, RoleRef, Subject
from registry_meta.kube import changes, meta, store
from registry_meta.kube.meta import ObjectMeta
from registry_meta.kube.models import Change
from registry_meta.kube.request import SYSTEM, Actor, Context
from tests import beginnings

ANN = Actor("ann", ("team", "system:authenticated"))
ASKED = Attributes("get", "ns", "image.openshift.io", "v1", "images", "app")


def role(name: str, *verbs: str, resource: str = "images") -> None:
    obj = CLUSTER_ROLES.type(metadata=ObjectMeta(name=name))
    obj.rules = [PolicyRule(verbs=list(verbs), api_groups=["image.openshift.io"], resources=[resource])]  # type: ignore[attr-defined]  # known by its base only
    context = Context(SYSTEM, CLUSTER_ROLES, meta.now())
    store.create(CLUSTER_ROLES, obj, context=context, strategy=CLUSTER_ROLES.storage.strategy)


def binding(name: str, role: str, *subjects: Subject) -> None:
    obj = ClusterRoleBinding(
        metadata=ObjectMeta(name=name), role_ref=RoleRef(kind="ClusterRole", name=role), subjects=list(subjects)
    )
    context = Context(SYSTEM, CLUSTER_ROLE_BINDINGS, meta.now())
    store.create(CLUSTER_ROLE_BINDINGS, obj, context=context, strategy=CLUSTER_ROLE_BINDINGS.storage.strategy)


def unbind(name: str) -> None:
    context = Context(SYSTEM, CLUSTER_ROLE_BINDINGS, meta.now())
    store.delete(CLUSTER_ROLE_BINDINGS, name, context=context, strategy=CLUSTER_ROLE_BINDINGS.storage.strategy)


def namespace(name: str) -> None:
    context = Context(SYSTEM, NAMESPACES, meta.now())
    obj = Namespace(metadata=ObjectMeta(name=name))
    store.create(NAMESPACES, obj, context=context, strategy=NAMESPACES.storage.strategy)


@pytest.mark.django_db(transaction=True)
def test_a_binding_counts_from_the_next_question_to_the_last() -> None:
    role("reader", "get")
    before = policy.decide(ANN, ASKED)
    binding("b", "reader", Subject(kind="User", name="ann"))
    bound = policy.decide(ANN, ASKED)
    unbind("b")

    assert before == Decision(False)
    assert bound == Decision(True, 'RBAC: allowed by ClusterRoleBinding "b" of ClusterRole "reader" to User "ann"')
    assert policy.decide(ANN, ASKED) == Decision(False)


@pytest.mark.django_db(transaction=True)
def test_a_process_follows_the_log_instead_of_reading_everything() -> None:
    role("reader", "get")
    first = policy.current()
    binding("b", "reader", Subject(kind="Group", name="team"))

    assert policy.current() is first
    assert policy.decide(ANN, ASKED).allowed


@pytest.mark.django_db(transaction=True)
def test_a_process_that_was_away_for_long_reads_everything() -> None:
    role("reader", "get")
    first = policy.current()
    binding("b", "reader", Subject(kind="Group", name="team"))
    changes.compact(meta.parse_time("2999-01-01T00:00:00Z"))

    assert policy.current() is not first
    assert policy.decide(ANN, ASKED).allowed


@pytest.mark.django_db(transaction=True)
def test_a_process_that_saw_nothing_change_for_long_follows_a_short_log() -> None:
    memory = policy.Memory(look_seconds=0)
    role("reader", "get")
    first = memory.at(policy.freshness().policy)
    namespace("elsewhere")
    memory.at(policy.freshness().policy)
    changes.compact(meta.parse_time("2999-01-01T00:00:00Z"))
    binding("b", "reader", Subject(kind="User", name="ann"))

    assert memory.at(policy.freshness().policy) is first
    assert first.decide(ANN, ASKED).allowed


@pytest.mark.django_db(transaction=True)
def test_a_process_on_a_database_that_went_back_reads_everything() -> None:
    memory = policy.Memory(look_seconds=0)
    role("reader", "get")
    kept = changes.newest()
    namespace("elsewhere")
    first = memory.at(policy.freshness().policy)
    memory.at(policy.freshness().policy)
    Change.objects.filter(version__gt=kept).delete()
    changes.mark(("changes",), kept)
    binding("b", "reader", Subject(kind="User", name="ann"))

    assert memory.at(policy.freshness().policy) is not first
    assert policy.decide(ANN, ASKED).allowed


@pytest.mark.django_db(transaction=True)
def test_everything_is_read_whatever_the_number_of_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(policy, "PAGE", 2)
    for number in range(5):
        role(f"reader-{number}", "get")
        binding(f"b{number}", f"reader-{number}", Subject(kind="User", name=f"user-{number}"))

    assert all(policy.decide(Actor(f"user-{number}"), ASKED).allowed for number in range(5))


@pytest.mark.django_db(transaction=True)
def test_what_is_rolled_back_is_not_remembered() -> None:
    role("reader", "get")
    policy.current()
    with transaction.atomic():
        binding("b", "reader", Subject(kind="User", name="ann"))
        inside = policy.decide(ANN, ASKED)
        transaction.set_rollback(True)

    assert inside.allowed
    assert not policy.decide(ANN, ASKED).allowed


@pytest.mark.django_db(transaction=True)
def test_a_transaction_takes_in_its_changes_without_reading_everything() -> None:
    role("reader", "get")
    binding("a", "reader", Subject(kind="User", name="bob"))
    policy.current()
    with transaction.atomic():
        binding("b", "reader", Subject(kind="User", name="ann"))
        unbind("a")
        with CaptureQueriesContext(connection) as queries:
            inside = [policy.decide(Actor(name), ASKED).allowed for name in ("ann", "bob")]
        transaction.set_rollback(True)

    assert inside == [True, False]
    assert not [query for query in queries if "kube_object" in query["sql"]]
    assert [policy.decide(Actor(name), ASKED).allowed for name in ("ann", "bob")] == [False, True]


@pytest.mark.django_db
def test_a_missing_role_is_named_to_whom_it_concerns() -> None:
    binding("one", "late", Subject(kind="User", name="ann"))
    binding("two", "later", Subject(kind="Group", name="team"))

    reason = policy.decide(ANN, ASKED).reason

    assert reason == (
        'RBAC: [clusterrole.rbac.authorization.k8s.io "late" not found,'
        ' clusterrole.rbac.authorization.k8s.io "later" not found]'
    )
    assert policy.decide(Actor("bob"), ASKED) == Decision(False)


def test_where_somebody_is_bound_is_kept_as_bindings_come_and_go() -> None:
    grants, ann = Grants(0), Actor("ann")
    document = '{"roleRef":{"kind":"ClusterRole","name":"r"},"subjects":[{"kind":"User","name":"ann"}]}'

    def put(namespace: str, document: str | None) -> set[str]:
        key = "rolebindings.rbac.authorization.k8s.io" if namespace else "clusterrolebindings.rbac.authorization.k8s.io"
        grants.put(key, namespace, "b", document)
        return grants.bound_in(ann)

    came = [put(namespace, document) for namespace in ("", "one", "one", "two", "three")]
    went = [put(namespace, None) for namespace in ("one", "", "three", "none", "two")]

    assert came == [set(), {"one"}, {"one"}, {"one", "two"}, {"one", "two", "three"}]
    assert went == [{"two", "three"}, {"two", "three"}, {"two"}, {"two"}, set()]
    assert put("one", document) == {"one"}


def test_members_of_system_masters_are_not_asked() -> None:
    assert Grants(0).decide(Actor("ann", ("system:masters",)), ASKED) == Decision(True)


def test_a_role_binding_gives_no_paths() -> None:
    grants = Grants(0)
    grants.put("clusterroles.rbac.authorization.k8s.io", "", "r", '{"rules":[{"nonResourceURLs":["*"],"verbs":["*"]}]}')
    subjects = '"subjects":[{"kind":"User","name":"ann"}]'
    document = f'{{"roleRef":{{"kind":"ClusterRole","name":"r"}},{subjects}}}'
    grants.put("rolebindings.rbac.authorization.k8s.io", "ns", "b", document)

    assert not grants.decide(ANN, Attributes("get", path="/metrics")).allowed
    assert grants.rules(ANN, "ns") == []


def test_an_account_of_no_namespace_is_one_of_the_binding_s() -> None:
    grants = Grants(0)
    rules = '{"rules":[{"apiGroups":["image.openshift.io"],"resources":["images"],"verbs":["get"]}]}'
    grants.put("roles.rbac.authorization.k8s.io", "ns", "r", rules)
    document = '{"roleRef":{"kind":"Role","name":"r"},"subjects":[{"kind":"ServiceAccount","name":"robot"}]}'
    grants.put("rolebindings.rbac.authorization.k8s.io", "ns", "b", document)

    decision = grants.decide(Actor("system:serviceaccount:ns:robot"), ASKED)

    assert decision.reason == 'RBAC: allowed by RoleBinding "b/ns" of Role "r" to ServiceAccount "robot/ns"'


@pytest.mark.django_db
def test_the_defaults_hold_the_usual_roles_together() -> None:
    beginnings.begin()
    grants = policy.current()

    view, edit, admin = (grants.role("", name) or () for name in ("view", "edit", "admin"))

    assert view
    assert set(map(str, view)) < set(map(str, edit)) < set(map(str, admin))
    assert [rule for rule in view if "imagetriggers" in (rule.resources or ())]
