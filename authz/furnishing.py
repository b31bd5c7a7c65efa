"""What every namespace has from the start: accounts, and their rights to its images."""

from __future__ import annotations

from datetime import datetime

from django.db import connection

from authz.api.rolebindings import ROLE_BINDINGS, RoleBinding
from authz.api.serviceaccounts import SERVICE_ACCOUNTS, ServiceAccount
from authz.rules import ACCOUNTS, GROUP, RoleRef, Subject
from registry_meta.kube import errors, store
from registry_meta.kube.meta import KubeObject, ObjectMeta
from registry_meta.kube.request import SYSTEM, Context
from registry_meta.kube.resource import Resource

DESCRIPTION = "openshift.io/description"
REASON = "every namespace has it"

ACCOUNT_NAMES = ("default", "builder", "deployer")

BINDINGS = {
    "system:image-pullers": (
        "system:image-puller",
        "",
        "Allows all pods in this namespace to pull images from this namespace.  It is auto-managed by a controller;"
        " remove subjects to disable.",
    ),
    "system:image-builders": (
        "system:image-builder",
        "builder",
        "Allows builds in this namespace to push images to this namespace.  It is auto-managed by a controller;"
        " remove subjects to disable.",
    ),
    "system:deployers": (
        "system:deployer",
        "deployer",
        "Allows deploymentconfigs in this namespace to rollout pods in this namespace.  It is auto-managed by a"
        " controller; remove subjects to disable.",
    ),
}
"""Role bindings: a name → the cluster role, the account that gets it (all of the namespace when empty), and why."""

PRESENT = (
    "SELECT namespace, resource, name FROM kube_object WHERE namespace BETWEEN %s AND %s"
    " AND ((resource = %s AND name IN (%s, %s, %s)) OR (resource = %s AND name IN (%s, %s, %s)))"
)
BATCH = 500
"""Of how many namespaces it is asked at a time what they have: six names of each."""


def furnish(namespace: str, *, now: datetime) -> None:
    """Make what a namespace lacks; what is there stays as it is."""
    for resource, obj in _furniture(namespace):
        _place(resource, obj, namespace, now=now)


def furnish_all(namespaces: list[str], *, now: datetime) -> int:
    """Make what some of the namespaces lack; return how many objects were made."""
    names = sorted(namespaces)
    batches = (names[start : start + BATCH] for start in range(0, len(names), BATCH))
    return sum(_furnish_some(batch, now=now) for batch in batches)


def _furnish_some(namespaces: list[str], *, now: datetime) -> int:
    wanted = [SERVICE_ACCOUNTS.key, *ACCOUNT_NAMES, ROLE_BINDINGS.key, *BINDINGS]
    with connection.cursor() as cursor:
        cursor.execute(PRESENT, [namespaces[0], namespaces[-1], *wanted])
        present = set(cursor.fetchall())
    made = 0
    for namespace in namespaces:
        for resource, obj in _furniture(namespace):
            if (namespace, resource.key, obj.metadata.name) not in present:
                _place(resource, obj, namespace, now=now)
                made += 1
    return made


def _furniture(namespace: str) -> list[tuple[Resource, KubeObject]]:
    accounts = [ServiceAccount(metadata=ObjectMeta(name=name)) for name in ACCOUNT_NAMES]
    bindings = [
        RoleBinding(
            metadata=ObjectMeta(name=name, annotations={DESCRIPTION: why}),
            role_ref=RoleRef(api_group=GROUP, kind="ClusterRole", name=role),
            subjects=[_subject(namespace, account)],
        )
        for name, (role, account, why) in BINDINGS.items()
    ]
    return [
        *((SERVICE_ACCOUNTS, account) for account in accounts),
        *((ROLE_BINDINGS, binding) for binding in bindings),
    ]


def _subject(namespace: str, account: str) -> Subject:
    if account:
        return Subject(kind="ServiceAccount", name=account, namespace=namespace)
    return Subject(kind="Group", api_group=GROUP, name=f"{ACCOUNTS}:{namespace}")


def _place(resource: Resource, obj: KubeObject, namespace: str, *, now: datetime) -> None:
    context = Context(SYSTEM, resource, now, namespace=namespace, reason=REASON)
    try:
        store.create(resource, obj, context=context, strategy=resource.storage.strategy)
    except errors.StatusError as error:
        # Somebody else was first, or the namespace has gone meanwhile.
        if error.code not in (403, 404, 409):
            raise
