"""Two objects read in one statement, hence as they are at one moment."""

from __future__ import annotations

from typing import Any

from django.db import connection

from registry_meta.kube import store
from registry_meta.kube.resource import Resource
from registry_meta.kube.store import Stored

READ = (
    "SELECT resource, namespace, name, uid, version, document FROM kube_object"
    " WHERE (resource = %s AND namespace = %s AND name = %s) OR (resource = %s AND namespace = %s AND name = %s)"
)

Place = tuple[Resource, str, str]
"""A kind, a namespace and a name."""


def find(first: Place, second: Place) -> tuple[Stored | None, Stored | None]:
    """Return two objects, None for one that there is not."""
    with connection.cursor() as cursor:
        cursor.execute(READ, [first[0].key, *first[1:], second[0].key, *second[1:]])
        rows: dict[tuple[str, str, str], Any] = {row[:3]: row[3:] for row in cursor.fetchall()}
    return _found(rows, first), _found(rows, second)


def _found(rows: dict[tuple[str, str, str], Any], place: Place) -> Stored | None:
    resource, namespace, name = place
    row = rows.get((resource.key, namespace, name))
    return None if row is None else store.opened(resource, namespace, name, row)
