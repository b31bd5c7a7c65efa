"""How a deleted namespace ends: its objects go first, then its finalizer, and with it the namespace."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import datetime

from django.db import connection

from authz import furnishing
from authz.api.namespaces import (
    FINALIZE,
    FINALIZER,
    NAMESPACES,
    STATUS,
    Namespace,
    NamespaceCondition,
    NamespaceStrategy,
)
from registry_meta.kube import errors, store
from registry_meta.kube.meta import timestamp
from registry_meta.kube.objects import stored_kinds
from registry_meta.kube.request import SYSTEM, Context
from registry_meta.kube.resource import Resource

REASON = "the namespace was deleted"
REMAINING = "NamespaceFinalizersRemaining"
"""The condition that says what a namespace waits for."""

OUR_FINALIZERS = (FINALIZER, "openshift.io/origin")
"""The work that is done here: objects of Kubernetes' kinds, and those of OpenShift's."""

BATCH = 500
ALL_NAMESPACES = "SELECT name, document FROM kube_object WHERE resource = 'namespaces'"
NAMES = "SELECT name FROM kube_object WHERE resource = %s AND namespace = %s AND name > %s ORDER BY name LIMIT %s"


def sweep(now: datetime) -> int:
    """Finish the namespaces that are going, and furnish those that lack something; return how many went."""
    with connection.cursor() as cursor:
        cursor.execute(ALL_NAMESPACES)
        rows = cursor.fetchall()
    active: list[str] = []
    going: list[str] = []
    for name, document in rows:
        namespace: Namespace = NAMESPACES.decoder.decode(document)
        (going if namespace.metadata.deletion_timestamp else active).append(name)
    furnishing.furnish_all(active, now=now)
    return sum(finish(name, now=now) for name in going)


def finish(name: str, *, now: datetime) -> bool:
    """Delete what a terminating namespace holds, and the namespace once nothing is left; return whether it went.

    May be broken off anywhere and begun again, by several at a time.
    """
    holders: Counter[str] = Counter()
    for resource in _kinds():
        holders.update(_clear(resource, name, now=now))
    if holders:
        _edit(name, lambda namespace: _waiting(namespace, holders, now=now), STATUS, now=now)
    else:
        _edit(name, _released, FINALIZE, now=now)
    return store.find(NAMESPACES, "", name) is None


def _edit(name: str, edit: store.Edit, strategy: NamespaceStrategy, *, now: datetime) -> None:
    context = Context(SYSTEM, NAMESPACES, now, reason=REASON)
    try:
        store.update(NAMESPACES, name, edit, context=context, strategy=strategy)
    except errors.StatusError as error:
        if error.code != 404:
            raise


def _waiting(namespace: Namespace, holders: Counter[str], *, now: datetime) -> Namespace:
    """Say in the status of a namespace what its end is waiting for."""
    listed = ", ".join(f"{name} in {count} objects" for name, count in sorted(holders.items()))
    message = f"Some content in the namespace has finalizers remaining: {listed}"
    conditions = namespace.status.conditions or []
    if any(condition.type == REMAINING and condition.message == message for condition in conditions):
        return namespace
    since = next((found.last_transition_time for found in conditions if found.type == REMAINING), timestamp(now))
    condition = NamespaceCondition(
        type=REMAINING, status="True", last_transition_time=since, reason="SomeFinalizersRemain", message=message
    )
    namespace.status.conditions = [found for found in conditions if found.type != REMAINING] + [condition]
    return namespace


def _kinds() -> list[Resource]:
    return [resource for resource in stored_kinds() if resource.namespaced]


def _released(namespace: Namespace) -> Namespace:
    """Take our finalizers off a namespace, whose row is locked, if it is going and still empty."""
    name = namespace.metadata.name
    if namespace.metadata.deletion_timestamp and not any(_names(resource, name, "", 1) for resource in _kinds()):
        kept = [finalizer for finalizer in namespace.spec.finalizers or () if finalizer not in OUR_FINALIZERS]
        namespace.spec.finalizers = kept or None
    return namespace


def _clear(resource: Resource, namespace: str, *, now: datetime) -> Iterator[str]:
    """Delete the objects of a kind in a namespace; yield the finalizers of those that stay."""
    last = ""
    while names := _names(resource, namespace, last, BATCH):
        for name in names:
            yield from _delete(resource, namespace, name, now=now)
        last = names[-1]


def _names(resource: Resource, namespace: str, after: str, limit: int) -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(NAMES, [resource.key, namespace, after, limit])
        return [row[0] for row in cursor.fetchall()]


def _delete(resource: Resource, namespace: str, name: str, *, now: datetime) -> list[str]:
    """Delete an object; return what holds it."""
    context = Context(SYSTEM, resource, now, namespace=namespace, reason=REASON)
    try:
        last, gone = store.delete(resource, name, context=context, strategy=resource.storage.strategy)
    except errors.StatusError as error:
        if error.code != 404:
            raise
        return []
    return [] if gone else last.object().metadata.finalizers or ["another deletion"]
