"""The collector: removes objects whose owners are gone, and does for deleted owners what their deletion asked for.

The work is found in the tables that the store keeps (`owners`), so it can be broken off anywhere and begun again, by
several at a time. What Kubernetes' garbage collector does is done here: see "Garbage Collection" in its documentation.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from django.db import transaction

from registry_meta.kube import errors, store
from registry_meta.kube.catalog import catalog
from registry_meta.kube.meta import KubeObject, ObjectMeta, OwnerReference
from registry_meta.kube.models import Dependent, Waiting
from registry_meta.kube.objects import stored_kinds
from registry_meta.kube.owners import FOREGROUND, ORPHAN, Place
from registry_meta.kube.request import SYSTEM, Context
from registry_meta.kube.resource import Resource
from registry_meta.kube.store import Edit, Preconditions, Stored

logger = logging.getLogger(__name__)

BATCH = 500
OWNERS_GONE = "the owners are gone"
ORPHANED = "the owner let go of it"
COLLECTED = "the dependents were dealt with"

_turn = threading.Lock()


def collect(now: datetime) -> int:
    """Do all the work there is, and what follows from it; return how many objects were looked at to some effect."""
    if not _turn.acquire(blocking=False):
        return 0
    try:
        total = 0
        while done := _collect(now):
            total += done
        return total
    finally:
        _turn.release()


def _collect(now: datetime) -> int:
    collector = _Collector(now)
    done = sum(collector.attend(place) for place in _due())
    return done + sum(collector.finish(place, uid) for place, uid in _waiting())


def _due() -> Iterator[Place]:
    last = 0
    while rows := list(Dependent.objects.filter(due=True, id__gt=last).order_by("id")[:BATCH]):
        yield from dict.fromkeys(_place(row) for row in rows)
        last = rows[-1].pk


def _waiting() -> Iterator[tuple[Place, str]]:
    last = 0
    while rows := list(Waiting.objects.filter(id__gt=last).order_by("id")[:BATCH]):
        yield from ((_place(row), row.uid) for row in rows)
        last = rows[-1].pk


def _dependents(uid: str) -> Iterator[Dependent]:
    last = 0
    while rows := list(Dependent.objects.filter(owner_uid=uid, id__gt=last).order_by("id")[:BATCH]):
        yield from rows
        last = rows[-1].pk


def _place(row: Dependent | Waiting) -> Place:
    return row.resource, row.namespace, row.name


@dataclass
class Standing:
    """The uids of an object's owners, by what they are to it."""

    solid: list[str] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)
    waiting: list[str] = field(default_factory=list)


class _Collector:
    """One pass over the work."""

    def __init__(self, now: datetime) -> None:
        self._now = now
        self._kinds = {resource.group_kind: resource for resource in stored_kinds()}

    def attend(self, place: Place) -> bool:
        """Look at an object whose references are due; return whether that had an effect."""
        try:
            with transaction.atomic():
                # The mark goes first, and stays gone only if all owners are there: one that goes meanwhile sets it
                # again, before or after.
                _unmark(place)
                stored = _find(place)
                if stored is None or self._may_stay(stored):
                    return True
                transaction.set_rollback(True)
            return self._release(stored)
        except errors.StatusError as error:
            logger.warning("%s %s/%s cannot be collected yet: %s", *place, error.message)
            return False

    def _may_stay(self, stored: Stored) -> bool:
        """Return whether nothing is to be done about an object: its owners are there, or it is going anyway."""
        meta = stored.object().metadata
        if meta.deletion_timestamp:
            return True
        standing = self._standing(meta)
        return not standing.gone and not standing.waiting

    def _standing(self, meta: ObjectMeta) -> Standing:
        standing = Standing()
        for owner in meta.owner_references or ():
            resource = self._kind_of(owner)
            if resource is None or (resource.namespaced and not meta.namespace):
                # What cannot be looked up is taken to be there.
                standing.solid.append(owner.uid)
                continue
            found = store.find(resource, meta.namespace if resource.namespaced else "", owner.name)
            if found is None or found.uid != owner.uid:
                standing.gone.append(owner.uid)
            elif _in_foreground(found.object().metadata):
                standing.waiting.append(owner.uid)
            else:
                standing.solid.append(owner.uid)
        return standing

    def _kind_of(self, owner: OwnerReference) -> Resource | None:
        group = owner.api_version.rpartition("/")[0]
        return next((r for kind, r in self._kinds.items() if (kind.group, kind.kind) == (group, owner.kind)), None)

    def _release(self, stored: Stored) -> bool:
        """Delete an object that has no owner left, or take off those that go; return whether anything was done."""
        meta = stored.object().metadata
        if meta.deletion_timestamp:
            return False
        standing = self._standing(meta)
        leaving = {*standing.gone, *standing.waiting}
        if not leaving:
            return False
        if standing.solid:
            self._edit(stored, lambda obj: _without_owners(obj, leaving), reason=OWNERS_GONE)
            return True
        policy = ""
        if standing.waiting and Dependent.objects.filter(owner_uid=stored.uid).exists():
            policy = "Foreground"
            if self._closes_circle(stored):
                self._edit(stored, _unblocking, reason=OWNERS_GONE)
                return True
        wanted = Preconditions(str(stored.version), stored.uid)
        store.delete(
            stored.resource, stored.name, context=self._context(stored, OWNERS_GONE),
            strategy=stored.resource.storage.strategy, preconditions=wanted, policy=policy,
        )  # fmt: skip
        return True

    def _closes_circle(self, stored: Stored) -> bool:
        """Return whether an object keeps an owner waiting that is a waiting dependent of its own."""
        meta = stored.object().metadata
        if not any(owner.block_owner_deletion for owner in meta.owner_references or ()):
            return False
        going = (_find(_place(row)) for row in _dependents(stored.uid))
        return any(found is not None and _in_foreground(found.object().metadata) for found in going)

    def finish(self, place: Place, uid: str) -> bool:
        """Deal with the dependents of an object that waits for it; return whether that had an effect."""
        try:
            owner = _find(place)
            if owner is None or owner.uid != uid:
                return bool(Waiting.objects.filter(uid=uid).delete()[0])
            if ORPHAN in (owner.object().metadata.finalizers or ()):
                return self._orphan(owner)
            return self._foreground(owner)
        except errors.StatusError as error:
            logger.warning("%s %s/%s cannot be finished yet: %s", *place, error.message)
            return False

    def _orphan(self, owner: Stored) -> bool:
        for row in _dependents(owner.uid):
            dependent = _find(_place(row))
            if dependent is not None:
                self._edit(dependent, lambda obj: _without_owners(obj, {owner.uid}), reason=ORPHANED)
        self._edit(owner, lambda obj: _without_finalizer(obj, ORPHAN), reason=COLLECTED)
        return True

    def _foreground(self, owner: Stored) -> bool:
        done = held = False
        for row in _dependents(owner.uid):
            dependent = _find(_place(row))
            if dependent is None or not self._belongs(dependent, owner):
                continue
            try:
                done = self._release(dependent) or done
            except errors.StatusError as error:
                logger.warning("%s %s/%s cannot be collected yet: %s", *_place(row), error.message)
            held = held or Dependent.objects.filter(pk=row.pk, blocks=True).exists()
        if held:
            return done
        self._edit(owner, lambda obj: _without_finalizer(obj, FOREGROUND), reason=COLLECTED)
        return True

    def _belongs(self, dependent: Stored, owner: Stored) -> bool:
        """Return whether an object's reference really leads to an owner, and not merely names its uid."""
        if dependent.namespace != owner.namespace and owner.resource.namespaced:
            return False
        references = dependent.object().metadata.owner_references or ()
        return any(
            r.uid == owner.uid and r.name == owner.name and self._kind_of(r) is owner.resource for r in references
        )

    def _edit(self, stored: Stored, edit: Edit, *, reason: str) -> None:
        try:
            store.update(
                stored.resource, stored.name, edit, context=self._context(stored, reason),
                strategy=stored.resource.storage.strategy, preconditions=Preconditions(uid=stored.uid),
            )  # fmt: skip
        except errors.StatusError as error:
            if error.code != 404:
                raise

    def _context(self, stored: Stored, reason: str) -> Context:
        return Context(SYSTEM, stored.resource, self._now, namespace=stored.namespace, reason=reason)


def _unmark(place: Place) -> None:
    key, namespace, name = place
    Dependent.objects.filter(resource=key, namespace=namespace, name=name, due=True).update(due=False)


def _find(place: Place) -> Stored | None:
    key, namespace, name = place
    try:
        resource = catalog.by_key(key)
    except KeyError:  # a kind that is served no longer
        return None
    return store.find(resource, namespace, name)


def _in_foreground(meta: ObjectMeta) -> bool:
    return bool(meta.deletion_timestamp) and FOREGROUND in (meta.finalizers or ())


def _without_owners(obj: KubeObject, uids: set[str]) -> KubeObject:
    kept = [owner for owner in obj.metadata.owner_references or () if owner.uid not in uids]
    obj.metadata.owner_references = kept or None
    return obj


def _unblocking(obj: KubeObject) -> KubeObject:
    for owner in obj.metadata.owner_references or ():
        owner.block_owner_deletion = False
    return obj


def _without_finalizer(obj: KubeObject, name: str) -> KubeObject:
    obj.metadata.finalizers = [kept for kept in obj.metadata.finalizers or () if kept != name] or None
    return obj
