"""Quotas at work: what a new object takes of them, and counting anew what others gave back.

A quota is charged in the transaction of the creation, under a lock on its row: the objects are counted then, so the
last place is given once. Deletions charge nothing; a sweep looks at the namespaces that changed, and only the status
that people read waits for it.

    creation ──▶ lock the quotas ──▶ count ──▶ 403, or status.used + 1 ──▶ the object is stored
    deletion ··· sweep ──▶ lock ──▶ count ──▶ status.used
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from datetime import datetime

from django.db import connection

from authz import usage
from authz.api.resourcequotas import RESOURCE_QUOTAS, STATUS, ResourceQuota, measure
from registry_meta.kube import changes, errors, store
from registry_meta.kube.quantity import Quantity
from registry_meta.kube.request import SYSTEM, Context
from registry_meta.kube.strategy import Creation

REASON = "objects were counted"
EVERY = "SELECT document FROM kube_object WHERE resource = 'resourcequotas'"
HERE = f"{EVERY} AND namespace = %s ORDER BY name"
TOUCHED = (
    f"{EVERY} AND namespace IN"  # noqa: S608  # constants only
    " (SELECT namespace FROM kube_change WHERE version > %s AND version <= %s)"
)


def charge(creation: Creation) -> None:
    """Take the place of a new object out of each quota of its namespace; raises 403 when one is exhausted."""
    names = usage.names_of(creation.resource)
    quotas = [quota for quota in _locked(creation.namespace) if _counts(quota, names)] if names else []
    if not quotas:
        return
    key = creation.resource.key
    present = usage.counts([creation.namespace], [key])[creation.namespace][key]
    for quota in quotas:
        why = _excess(quota, names, present)
        if why:
            raise creation.refused(why)
    if creation.dry_run:
        return
    for quota in quotas:
        _set_used(quota, names, present + 1, now=creation.now)


def _locked(namespace: str) -> list[ResourceQuota]:
    """Return the quotas of a namespace, locked until the end of the transaction."""
    suffix = " FOR UPDATE" if connection.features.has_select_for_update else ""
    with connection.cursor() as cursor:
        cursor.execute(HERE + suffix, [namespace])
        return [RESOURCE_QUOTAS.decoder.decode(document) for (document,) in cursor.fetchall()]


def _counts(quota: ResourceQuota, names: frozenset[str]) -> bool:
    return bool(names & set(quota.spec.hard or ())) and not quota.spec.is_scoped


def _excess(quota: ResourceQuota, names: frozenset[str], present: int) -> str:
    """Return why there is no room for one more, or nothing."""
    hard = quota.spec.hard or {}
    exceeded = [name for name in sorted(names & set(hard)) if Quantity.parse(hard[name]) < Quantity.of(present + 1)]
    if not exceeded:
        return ""
    requested = ",".join(f"{name}=1" for name in exceeded)
    used = ",".join(f"{name}={Quantity.of(present)}" for name in exceeded)
    limited = ",".join(f"{name}={hard[name]}" for name in exceeded)
    return f"exceeded quota: {quota.metadata.name}, requested: {requested}, used: {used}, limited: {limited}"


def _set_used(quota: ResourceQuota, names: frozenset[str], number: int, *, now: datetime) -> None:
    def edit(found: ResourceQuota) -> ResourceQuota:
        hard = found.spec.hard or {}
        found.status.hard = dict(hard)
        found.status.used = {**(found.status.used or {}), **dict.fromkeys(names & set(hard), str(Quantity.of(number)))}
        return found

    _write(quota, edit, now=now)


def _write(quota: ResourceQuota, edit: store.Edit, *, now: datetime) -> None:
    context = Context(SYSTEM, RESOURCE_QUOTAS, now, namespace=quota.metadata.namespace, reason=REASON)
    store.update(RESOURCE_QUOTAS, quota.metadata.name, edit, context=context, strategy=STATUS)


class Recount:
    """Counts anew what quotas measure, where something changed since this process last looked; at first everywhere."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seen = -1

    def sweep(self, now: datetime) -> int:
        """Bring the status of quotas up to date; return how many were behind. One sweep at a time is enough."""
        if not self._lock.acquire(blocking=False):
            return 0
        try:
            newest = changes.newest()
            behind = _behind(self._seen, newest) if newest != self._seen else []
            corrected = sum(_correct(quota, now=now) for quota in behind)
            self._seen = newest
            return corrected
        finally:
            self._lock.release()

    def forget(self) -> None:
        """Look everywhere at the next sweep."""
        with self._lock:
            self._seen = -1


recount = Recount()


def _behind(seen: int, newest: int) -> list[ResourceQuota]:
    """Return the quotas whose status is not what there is, of the namespaces that changed after a version."""
    # What was compacted cannot be looked at, and a restored database may have gone back.
    is_known = changes.newest("compacted") <= seen <= newest
    with connection.cursor() as cursor:
        if is_known:
            cursor.execute(TOUCHED, [seen, newest])
        else:
            cursor.execute(EVERY)
        quotas = [RESOURCE_QUOTAS.decoder.decode(document) for (document,) in cursor.fetchall()]
    numbers = _numbers(quotas)
    return [quota for quota in quotas if measure(quota, numbers[quota.metadata.namespace]) != quota.status]


def _numbers(quotas: Iterable[ResourceQuota]) -> dict[str, dict[str, int]]:
    namespaces = {quota.metadata.namespace for quota in quotas}
    keys = usage.keys_of(name for quota in quotas for name in quota.spec.hard or ())
    return usage.counts(sorted(namespaces), sorted(keys))


def _correct(quota: ResourceQuota, *, now: datetime) -> int:
    """Count under the lock of the quota, so that no creation comes between, and write what was found."""

    def edit(found: ResourceQuota) -> ResourceQuota:
        found.status = measure(found, _numbers([found])[found.metadata.namespace])
        return found

    try:
        _write(quota, edit, now=now)
    except errors.StatusError as error:
        if error.code != 404:
            raise
        return 0
    return 1
