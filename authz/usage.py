"""What quotas count: the objects of each stored kind in a namespace, under the names that quotas have for them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from django.db import connection

from authz.resourcenames import OBJECTS
from registry_meta.kube.objects import ObjectStorage, stored_kinds
from registry_meta.kube.quantity import Quantity
from registry_meta.kube.resource import Resource

Counts = Mapping[str, int]
"""The key of a kind → the number of its objects."""


def names_of(resource: Resource) -> frozenset[str]:
    """Return what quotas call the number of objects of a kind; nothing where none are stored in namespaces."""
    if not resource.namespaced or not isinstance(resource.storage, ObjectStorage):
        return frozenset()
    names = {f"count/{resource.key}", *resource.quota_names}
    return frozenset(names | ({resource.plural} if not resource.group and resource.plural in OBJECTS else set()))


def counted() -> dict[str, str]:
    """Return the names that quotas may count here, with the keys of the kinds they stand for."""
    return {name: resource.key for resource in stored_kinds() for name in names_of(resource)}


def counts(namespaces: Collection[str], keys: Collection[str]) -> dict[str, dict[str, int]]:
    """Return for each of some namespaces how many objects of some kinds it has."""
    found: dict[str, dict[str, int]] = {namespace: dict.fromkeys(keys, 0) for namespace in namespaces}
    if not namespaces or not keys:
        return found
    places, kinds = (", ".join(["%s"] * len(values)) for values in (namespaces, keys))
    sql = (
        "SELECT namespace, resource, count(*) FROM kube_object"  # noqa: S608  # placeholders only
        f" WHERE resource IN ({kinds}) AND namespace IN ({places}) GROUP BY namespace, resource"
    )
    with connection.cursor() as cursor:
        cursor.execute(sql, [*keys, *namespaces])
        for namespace, key, count in cursor.fetchall():
            found[namespace][key] = count
    return found


def keys_of(names: Iterable[str]) -> set[str]:
    """Return the keys of the kinds that some names count."""
    known = counted()
    return {known[name] for name in names if name in known}


def measured(names: Iterable[str], numbers: Counts) -> dict[str, str]:
    """Return the amounts in use of those names that are counted here."""
    known = counted()
    return {name: str(Quantity.of(numbers.get(known[name], 0))) for name in sorted(names) if name in known}
