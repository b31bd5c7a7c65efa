"""What becomes of objects when their owners go."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module

import pytest
from django.apps import apps
from django.db import connection

from authz.api.clusterroles import CLUSTER_ROLES
from authz.api.namespaces import NAMESPACES
from authz.api.secrets import SECRETS
from registry_meta.kube import garbage, meta, store
from registry_meta.kube.meta import KubeObject, ObjectMeta, OwnerReference
from registry_meta.kube.models import Dependent, Waiting
from registry_meta.kube.request import SYSTEM, Context
from registry_meta.kube.resource import Resource
from registry_meta.kube.store import Preconditions, Stored

pytestmark = pytest.mark.django_db

HOLD = "example.com/hold"


@pytest.fixture(autouse=True)
def namespaces() -> None:
    """Two namespaces."""
    for name in ("team", "other"):
        make(name, resource=NAMESPACES, namespace="")


def context(resource: Resource = SECRETS, namespace: str = "team") -> Context:
    return Context(SYSTEM, resource, meta.now(), namespace=namespace)


def owner(stored: Stored, *, uid: str = "", name: str = "", blocks: bool = False) -> OwnerReference:
    resource = stored.resource
    return OwnerReference(
        api_version=resource.api_version, kind=resource.kind, name=name or stored.name, uid=uid or stored.uid,
        block_owner_deletion=blocks or None,
    )  # fmt: skip


def make(
    name: str,
    *owners: OwnerReference,
    finalizers: Sequence[str] = (),
    resource: Resource = SECRETS,
    namespace: str = "team",
) -> Stored:
    described = ObjectMeta(name=name, owner_references=list(owners) or None, finalizers=list(finalizers) or None)
    obj: KubeObject = resource.type(metadata=described)
    return store.create(resource, obj, context=context(resource, namespace), strategy=resource.storage.strategy)


def delete(stored: Stored, policy: str = "") -> bool:
    """Delete an object; return whether it is gone."""
    place = context(stored.resource, stored.namespace)
    strategy = stored.resource.storage.strategy
    return store.delete(stored.resource, stored.name, context=place, strategy=strategy, policy=policy)[1]


def let_go(stored: Stored) -> None:
    """Take the finalizer of a test off an object."""

    def edit(obj: KubeObject) -> KubeObject:
        obj.metadata.finalizers = [name for name in obj.metadata.finalizers or () if name != HOLD] or None
        return obj

    place = context(stored.resource, stored.namespace)
    store.update(stored.resource, stored.name, edit, context=place, strategy=stored.resource.storage.strategy)


def found(stored: Stored) -> ObjectMeta | None:
    """Return the metadata of an object as it is now, or None."""
    now = store.find(stored.resource, stored.namespace, stored.name)
    return None if now is None else now.object().metadata


def owners_of(stored: Stored) -> list[str] | None:
    """Return the names of an object's owners, or None when it is gone."""
    now = found(stored)
    return None if now is None else [reference.name for reference in now.owner_references or ()]


def collect() -> None:
    garbage.collect(meta.now())


def nothing_left() -> bool:
    return not Dependent.objects.exists() and not Waiting.objects.exists()


def test_an_object_goes_with_its_only_owner_and_so_do_its_own() -> None:
    top = make("top")
    middle = make("middle", owner(top))
    bottom = make("bottom", owner(middle))
    collect()
    assert owners_of(middle) == ["top"]

    assert delete(top)
    collect()

    assert (found(middle), found(bottom)) == (None, None)
    assert nothing_left()


def test_an_object_stays_with_its_last_owner() -> None:
    first, second = make("first"), make("second")
    dependent = make("dependent", owner(first), owner(second))

    delete(first)
    collect()

    assert owners_of(dependent) == ["second"]
    delete(second)
    collect()
    assert found(dependent) is None


def test_a_new_object_of_the_same_name_is_no_owner() -> None:
    first = make("first")
    dependent = make("dependent", owner(first))
    delete(first)
    make("first")

    collect()

    assert found(dependent) is None


def test_an_owner_that_never_was_is_gone() -> None:
    dependent = make("dependent", owner(make("first"), uid="11111111-2222-3333-4444-555555555555"))

    collect()

    assert found(dependent) is None


def test_an_owner_in_another_namespace_is_gone() -> None:
    elsewhere = make("elsewhere", namespace="other")
    dependent = make("dependent", owner(elsewhere))

    collect()

    assert (found(dependent), found(elsewhere) is not None) == (None, True)


def test_an_owner_may_live_outside_all_namespaces() -> None:
    role = make("role", resource=CLUSTER_ROLES, namespace="")
    dependent = make("dependent", owner(role))
    collect()
    assert owners_of(dependent) == ["role"]

    delete(role)
    collect()

    assert found(dependent) is None


@pytest.mark.parametrize(
    "reference",
    [
        OwnerReference(api_version="apps/v1", kind="Deployment", name="x", uid="x"),
        OwnerReference(api_version="v1", kind="Secret", name="x", uid="u" * 5000 + "\0"),
    ],
    ids=["a kind not served", "an owner of a namespace, for an object of none"],
)
def test_an_owner_that_cannot_be_looked_up_counts_as_there(reference: OwnerReference) -> None:
    role = make("role", reference, resource=CLUSTER_ROLES, namespace="")

    collect()

    assert owners_of(role) == ["x"]


def test_an_orphan_loses_its_owner_and_stays() -> None:
    first, second = make("first"), make("second")
    dependent = make("dependent", owner(first, blocks=True), owner(second))

    gone = delete(first, "Orphan")
    waiting = found(first)
    collect()

    assert waiting is not None
    assert (gone, waiting.finalizers) == (False, ["orphan"])
    assert (found(first), owners_of(dependent)) == (None, ["second"])


def test_in_the_foreground_the_owner_goes_after_those_that_block_it() -> None:
    top = make("top")
    blocking = make("blocking", owner(top, blocks=True), finalizers=[HOLD])
    other = make("other", owner(top))

    delete(top, "Foreground")
    collect()

    going = found(blocking)
    assert going is not None
    assert going.deletion_timestamp
    assert (found(top) is not None, found(other)) == (True, None)
    let_go(blocking)
    collect()
    assert (found(top), found(blocking)) == (None, None)
    assert nothing_left()


def test_in_the_foreground_dependents_wait_for_theirs() -> None:
    top = make("top")
    middle = make("middle", owner(top, blocks=True))
    bottom = make("bottom", owner(middle, blocks=True), finalizers=[HOLD])

    delete(top, "Foreground")
    collect()

    assert all(found(stored) is not None for stored in (top, middle, bottom))
    let_go(bottom)
    collect()
    assert [found(stored) for stored in (top, middle, bottom)] == [None, None, None]


def test_in_the_foreground_an_object_with_another_owner_stays() -> None:
    first, second = make("first"), make("second")
    dependent = make("dependent", owner(first, blocks=True), owner(second))

    delete(first, "Foreground")
    collect()

    assert (found(first), owners_of(dependent)) == (None, ["second"])


def test_a_circle_of_owners_can_be_deleted_in_the_foreground() -> None:
    first = make("first")
    second = make("second", owner(first, blocks=True))

    def close(obj: KubeObject) -> KubeObject:
        obj.metadata.owner_references = [owner(second, blocks=True)]
        return obj

    store.update(SECRETS, "first", close, context=context(), strategy=SECRETS.storage.strategy)

    delete(first, "Foreground")
    collect()

    assert (found(first), found(second)) == (None, None)
    assert nothing_left()


def test_a_strangers_reference_does_not_hold_an_owner() -> None:
    first = make("first")
    role = make("role", owner(first, blocks=True), resource=CLUSTER_ROLES, namespace="")

    delete(first, "Foreground")
    collect()

    assert found(first) is None
    assert found(role) is not None


def test_a_second_deletion_may_change_the_policy() -> None:
    first = make("first", finalizers=[HOLD])
    dependent = make("dependent", owner(first))
    delete(first, "Foreground")

    delete(first, "Orphan")
    collect()

    going = found(first)
    assert going is not None
    assert (going.finalizers, owners_of(dependent)) == ([HOLD], [])


def test_a_finalizer_says_what_a_deletion_does_not() -> None:
    first = make("first", finalizers=["orphan"])
    dependent = make("dependent", owner(first))

    assert not delete(first)
    collect()

    assert (found(first), owners_of(dependent)) == (None, [])


def test_an_object_with_a_finalizer_is_asked_to_go_once() -> None:
    first = make("first")
    dependent = make("dependent", owner(first), finalizers=[HOLD])
    delete(first)
    collect()
    before = found(dependent)

    collect()

    assert before is not None
    assert before.deletion_timestamp
    assert found(dependent) == before
    assert not Dependent.objects.filter(due=True).exists()


def test_a_deletion_bound_to_a_version_spares_an_object_that_was_given_away() -> None:
    first, second = make("first"), make("second")
    dependent = make("dependent", owner(first))

    def adopt(obj: KubeObject) -> KubeObject:
        obj.metadata.owner_references = [owner(second)]
        return obj

    delete(first)
    store.update(
        SECRETS, "dependent", adopt, context=context(), strategy=SECRETS.storage.strategy,
        preconditions=Preconditions(uid=dependent.uid),
    )  # fmt: skip
    collect()

    assert owners_of(dependent) == ["second"]


def test_the_migration_finds_the_owners_that_are_stored() -> None:
    first = make("first")
    dependent = make("dependent", owner(first, blocks=True))
    delete(first, "Foreground")
    Dependent.objects.all().delete()
    Waiting.objects.all().delete()

    import_module("registry_meta.kube.migrations.0002_owners").fill(apps, connection.schema_editor())
    collect()

    assert (found(first), found(dependent)) == (None, None)
