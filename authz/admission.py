"""Nothing is made in a namespace that does not exist or is going."""

from __future__ import annotations

import msgspec
from django.db import connection

from registry_meta.kube import errors
from registry_meta.kube.meta import GroupResource
from registry_meta.kube.strategy import Creation

NAMESPACES = GroupResource("", "namespaces")
NAMESPACE = "SELECT document FROM kube_object WHERE resource = 'namespaces' AND namespace = '' AND name = %s"


class _Meta(msgspec.Struct, rename="camel"):
    deletion_timestamp: str | None = None


class _Head(msgspec.Struct):
    metadata: _Meta


HEAD = msgspec.json.Decoder(_Head)


def namespace_exists(creation: Creation) -> None:
    """Refuse what is made in a namespace that is missing (404) or terminating (403).

    The row of the namespace stays locked against deletion until the object is in, so that whoever empties the
    namespace finds all of it.
    """
    if not creation.resource.namespaced:
        return
    sql = f"{NAMESPACE} FOR SHARE" if connection.vendor == "postgresql" else NAMESPACE
    with connection.cursor() as cursor:
        cursor.execute(sql, [creation.namespace])
        row = cursor.fetchone()
    if row is None:
        raise errors.not_found(NAMESPACES, creation.namespace)
    if HEAD.decode(row[0]).metadata.deletion_timestamp:
        raise _terminating(creation)


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
