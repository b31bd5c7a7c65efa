"""Nothing is made in a namespace that does not exist, is going or has no room left."""

from __future__ import annotations

import msgspec
from django.db import connection

from authz import quotas
from registry_meta.kube import errors
from registry_meta.kube.meta import GroupResource
from registry_meta.kube.strategy import Creation

NAMESPACES = GroupResource("", "namespaces")
NAMESPACE = (
    "SELECT document, EXISTS (SELECT 1 FROM kube_object quota WHERE quota.resource = 'resourcequotas'"
    " AND quota.namespace = place.name)"
    " FROM kube_object place WHERE resource = 'namespaces' AND namespace = '' AND name = %s"
)


class _Meta(msgspec.Struct, rename="camel"):
    deletion_timestamp: str | None = None


class _Head(msgspec.Struct):
    metadata: _Meta


HEAD = msgspec.json.Decoder(_Head)


def admit(creation: Creation) -> None:
    """Refuse what is made in a namespace that is missing (404), terminating or without room in a quota (403).

    The same statement tells whether there are quotas, so namespaces without any cost nothing more. The row of the
    namespace stays locked against deletion until the object is in, so that whoever empties the namespace finds all of
    it.
    """
    if not creation.resource.namespaced:
        return
    sql = f"{NAMESPACE} FOR SHARE OF place" if connection.vendor == "postgresql" else NAMESPACE
    with connection.cursor() as cursor:
        cursor.execute(sql, [creation.namespace])
        row = cursor.fetchone()
    if row is None:
        raise errors.not_found(NAMESPACES, creation.namespace)
    if HEAD.decode(row[0]).metadata.deletion_timestamp:
        raise _terminating(creation)
    if row[1]:
        quotas.charge(creation)


def _terminating(creation: Creation) -> errors.StatusError:
    namespace = creation.namespace
    why = f"unable to create new content in namespace {namespace} because it is being terminated"
    error = errors.forbidden(creation.resource.group_resource, creation.name, why)
    cause = {
        "reason": "NamespaceTerminating",
        "message": f"namespace {namespace} is being terminated",
        "field": "metadata.namespace",
    }
    error.details = {**(error.details or {}), "causes": [cause]}
    return error
