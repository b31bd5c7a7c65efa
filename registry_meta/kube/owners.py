"""What the store notes of owner references as it writes, so that the collector finds its work in two small tables.

A Dependent is a reference of an object to its owner. It is *due* when it has to be looked at: once when it is made,
because its owner may never have been there, and again when its owner goes. A Waiting is an object that is being deleted
and stays until the collector has dealt with its dependents.
"""

from __future__ import annotations

from collections.abc import Sequence

from django.db import connection, transaction

from registry_meta.kube import changes
from registry_meta.kube.meta import ObjectMeta
from registry_meta.kube.models import Dependent, Waiting

WORK = "garbage"
"""What is announced when there is work for the collector; no kind is stored under this key."""

ORPHAN = "orphan"
FOREGROUND = "foregroundDeletion"
FINALIZERS = {"Orphan": ORPHAN, "Foreground": FOREGROUND}
"""The finalizer that a deletion of each policy leaves to the collector; the policy Background leaves none."""

UID_LENGTH = 36

DUE = "UPDATE kube_dependent SET due = %s WHERE owner_uid = %s"

Place = tuple[str, str, str]
"""Where an object is stored: its key, namespace and name."""


def finalizers(present: Sequence[str], policy: str) -> list[str]:
    """Return the finalizers of an object whose deletion asks for a policy; an empty one leaves them as they are."""
    if not policy:
        return list(present)
    kept = [name for name in present if name not in FINALIZERS.values()]
    return [*kept, FINALIZERS[policy]] if policy in FINALIZERS else kept


def is_waiting(meta: ObjectMeta) -> bool:
    """Return whether an object is being deleted and waits for the collector."""
    return bool(meta.deletion_timestamp and {ORPHAN, FOREGROUND} & set(meta.finalizers or ()))


def note(place: Place, uid: str, *, old: ObjectMeta | None, new: ObjectMeta | None) -> None:
    """Note what a write means to owners and dependents, in its transaction, once it has its version.

    `old` is None for a creation, `new` for a deletion. Writes are in line from their version to their commit, so none
    can make a reference to an owner that another is removing without either of them seeing to it.
    """
    rings = _note_references(place, _references(old), _references(new))
    waited, waits = old is not None and is_waiting(old), new is not None and is_waiting(new)
    if waits and not waited:
        Waiting.objects.create(resource=place[0], namespace=place[1], name=place[2], uid=uid)
    elif waited and not waits:
        Waiting.objects.filter(uid=uid).delete()
    if new is None:
        with connection.cursor() as cursor:
            cursor.execute(DUE, [True, uid])
            rings = cursor.rowcount > 0 or rings
    if rings or waits:
        transaction.on_commit(_ring)


def _references(meta: ObjectMeta | None) -> dict[str, bool]:
    """Return the uids of the owners, and whether they wait for this object when they are deleted."""
    if meta is None or not meta.owner_references:
        return {}
    return {owner_key(owner.uid): bool(owner.block_owner_deletion) for owner in meta.owner_references}


def owner_key(uid: str) -> str:
    """Return what is noted of the uid in a reference, which need not be one of ours."""
    return uid.replace("\0", "")[:UID_LENGTH]


def _note_references(place: Place, old: dict[str, bool], new: dict[str, bool]) -> bool:
    """Bring the references of an object up to date; return whether there were any changes."""
    if old == new:
        return False
    resource, namespace, name = place
    if old:
        Dependent.objects.filter(resource=resource, namespace=namespace, name=name).delete()
    Dependent.objects.bulk_create(
        Dependent(resource=resource, namespace=namespace, name=name, owner_uid=uid, blocks=blocks)
        for uid, blocks in new.items()
    )
    return True


def _ring() -> None:
    changes.announce(WORK)
