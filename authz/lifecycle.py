"""How a deleted namespace ends: its objects go first, then its finalizer, and with it the namespace."""

from __future__ import annotations

import logging
from datetime import datetime

from django.db import connection

from authz import furnishing
from authz.api.namespaces import FINALIZE, FINALIZER, NAMESPACES, Namespace
from registry_meta.kube import errors, store
from registry_meta.kube.objects import stored_kinds
from registry_meta.kube.request import SYSTEM, Context
from registry_meta.kube.resource import Resource

logger = logging.getLogger(__name__)

REASON = "the namespace was deleted"
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
    left = sum(_clear(resource, name, now=now) for resource in _kinds())
    if left:
        logger.info("namespace %s waits for %d objects with finalizers", name, left)
        return False
    context = Context(SYSTEM, NAMESPACES, now, reason=REASON)
    try:
        store.update(NAMESPACES, name, _released, context=context, strategy=FINALIZE)
    except errors.StatusError as error:
        if error.code != 404:
            raise
    return store.find(NAMESPACES, "", name) is None


def _kinds() -> list[Resource]:
    return [resource for resource in stored_kinds() if resource.namespaced]


def _released(namespace: Namespace) -> Namespace:
    """Take our finalizers off a namespace, whose row is locked, if it is going and still empty."""
    name = namespace.metadata.name
    if namespace.metadata.deletion_timestamp and not any(_names(resource, name, "", 1) for resource in _kinds()):
        kept = [finalizer for finalizer in namespace.spec.finalizers or () if finalizer not in OUR_FINALIZERS]
        namespace.spec.finalizers = kept or None
    return namespace


def _clear(resource: Resource, namespace: str, *, now: datetime) -> int:
    """Delete the objects of a kind in a namespace; return how many stay because of their finalizers."""
    left, last = 0, ""
    while names := _names(resource, namespace, last, BATCH):
        left += sum(not _delete(resource, namespace, name, now=now) for name in names)
        last = names[-1]
    return left


def _names(resource: Resource, namespace: str, after: str, limit: int) -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(NAMES, [resource.key, namespace, after, limit])
        return [row[0] for row in cursor.fetchall()]


def _delete(resource: Resource, namespace: str, name: str, *, now: datetime) -> bool:
    context = Context(SYSTEM, resource, now, namespace=namespace, reason=REASON)
    try:
        _, gone = store.delete(resource, name, context=context, strategy=resource.storage.strategy)
    except errors.StatusError as error:
        if error.code != 404:
            raise
        return True
    return gone
