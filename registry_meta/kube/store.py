"""The only door through which API objects are written, by requests and by workers alike."""

from __future__ import annotations

import copy
import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import msgspec
from django.db import IntegrityError, connection, transaction

from registry_meta.kube import changes, errors, managed, owners, sealing, validation
from registry_meta.kube.meta import KubeObject, new_uid, timestamp
from registry_meta.kube.models import Change
from registry_meta.kube.request import Context
from registry_meta.kube.resource import Resource
from registry_meta.kube.strategy import ADMISSIONS, Creation, Strategy

READ = "SELECT uid, version, document FROM kube_object WHERE resource = %s AND namespace = %s AND name = %s"
INSERT = "INSERT INTO kube_object (resource, namespace, name, uid, version, document) VALUES (%s, %s, %s, %s, %s, %s)"
UPDATE = "UPDATE kube_object SET version = %s, document = %s WHERE resource = %s AND namespace = %s AND name = %s"
DELETE = "DELETE FROM kube_object WHERE resource = %s AND namespace = %s AND name = %s"

SUFFIX_LETTERS = "bcdfghjklmnpqrstvwxz2456789"
LONGEST_BASE = 58
NAME_ATTEMPTS = 8


@dataclass(frozen=True, slots=True)
class Stored:
    """An object of the store: `document` is its JSON without kind and apiVersion, in clear text."""

    resource: Resource
    namespace: str
    name: str
    uid: str
    version: int
    document: str = field(repr=False)

    @property
    def place(self) -> owners.Place:
        """Where the object is stored."""
        return self.resource.key, self.namespace, self.name

    def object(self) -> Any:
        """Return the object decoded into its wire type; each call gives a fresh one."""
        return self.resource.decoder.decode(self.document)


@dataclass(frozen=True, slots=True)
class Preconditions:
    """What must be true of the stored object for a write to happen; empty demands nothing."""

    version: str = ""
    uid: str = ""


_turn = threading.Lock()


@contextmanager
def _writing() -> Iterator[None]:
    """Open the transaction of a write; the threads of a process have their turn one after the other.

    Writers wait for each other at the version anyway, and a thread that waits in the database for one that waits for
    the interpreter holds up all the others. Inside a transaction nobody waits here: whoever has the turn may wait for
    what that transaction has locked.
    """
    if connection.in_atomic_block:
        with transaction.atomic():
            yield
        return
    with _turn, transaction.atomic():
        yield


def find(resource: Resource, namespace: str, name: str) -> Stored | None:
    """Return an object, or None."""
    with connection.cursor() as cursor:
        cursor.execute(READ, [resource.key, namespace, name])
        row = cursor.fetchone()
    return opened(resource, namespace, name, row) if row else None


def opened(resource: Resource, namespace: str, name: str, row: tuple[str, int, str]) -> Stored:
    """Return an object from its uid, version and document as they lie in the database."""
    uid, version, document = row
    if resource.sealed:
        document = sealing.unseal(document, key=resource.key, namespace=namespace, name=name)
    return Stored(resource, namespace, name, uid, version, document)


def read(resource: Resource, name: str, *, context: Context) -> Stored:
    """Return an object of the context's namespace; raises 404."""
    stored = find(resource, context.namespace, name)
    if stored is None:
        raise errors.not_found(context.asked, name)
    return stored


def _lock(resource: Resource, namespace: str, name: str) -> Stored | None:
    """Return an object, locked until the end of the transaction."""
    suffix = " FOR UPDATE" if connection.features.has_select_for_update else ""
    with connection.cursor() as cursor:
        cursor.execute(READ + suffix, [resource.key, namespace, name])
        row = cursor.fetchone()
    return opened(resource, namespace, name, row) if row else None


def create(resource: Resource, obj: KubeObject, *, context: Context, strategy: Strategy[Any], uid: str = "") -> Stored:
    """Store a new object and return it; raises 409 when the name is taken, 422 when it is not valid.

    `generateName` is tried with a few random endings. What the server decides (uid, times, version) is set here.
    """
    meta = obj.metadata
    generated = not meta.name and bool(meta.generate_name)
    for attempt in range(NAME_ATTEMPTS):
        candidate = copy.deepcopy(obj) if generated else obj
        if generated:
            ending = "".join(random.choices(SUFFIX_LETTERS, k=5))  # noqa: S311  # a name, not a secret
            candidate.metadata.name = meta.generate_name[:LONGEST_BASE] + ending
        try:
            return _create(resource, candidate, context=context, strategy=strategy, uid=uid)
        except errors.StatusError as error:
            if not generated or error.reason != "AlreadyExists":
                raise
            if attempt == NAME_ATTEMPTS - 1:
                why = f"{error.message}, the server was not able to generate a unique name for the object"
                details = error.details
                raise errors.StatusError(409, "AlreadyExists", why, details=details, retry_after=1) from error
    raise AssertionError("the loop returns or raises")


def _create(resource: Resource, obj: KubeObject, *, context: Context, strategy: Strategy[Any], uid: str) -> Stored:
    meta = obj.metadata
    meta.namespace = context.namespace if resource.namespaced else ""
    meta.uid = uid or new_uid()
    meta.creation_timestamp = timestamp(context.now)
    meta.deletion_timestamp = meta.deletion_grace_period_seconds = None
    meta.generation = 1 if strategy.generation else 0
    _merge_owners(obj, context=context)
    strategy.default(obj)
    managers = managed.of_new(obj, context=context, strategy=strategy)
    strategy.prepare_create(obj, context=context)
    meta.managed_fields = managers
    problems = validation.object_meta(meta, namespaced=resource.namespaced, name_rule=strategy.name_problems)
    problems += strategy.validate(obj, context=context)
    if problems:
        raise errors.invalid(resource.group_kind, meta.name, problems)
    try:
        with _writing():
            stored = _insert(resource, obj, context=context, strategy=strategy)
    except IntegrityError as error:
        raise errors.already_exists(context.asked, meta.name) from error
    if not context.dry_run:
        changes.announce(resource.key)
    return stored


def _insert(resource: Resource, obj: KubeObject, *, context: Context, strategy: Strategy[Any]) -> Stored:
    meta = obj.metadata
    creation = Creation(
        resource, meta.namespace, meta.name, context.now, context.asked, context.word_name, context.dry_run
    )
    for admission in ADMISSIONS:
        admission(creation)
    existing = find(resource, meta.namespace, meta.name)
    if existing is not None:
        raise _taken(existing, context=context)
    strategy.admit(obj, None, context=context)
    if context.dry_run:
        meta.resource_version = ""
        return Stored(resource, meta.namespace, meta.name, meta.uid, 0, encode(obj))
    # Take the version last: it serialises writers from here to the commit.
    version = changes.take_version()
    meta.resource_version = str(version)
    stored = Stored(resource, meta.namespace, meta.name, meta.uid, version, encode(obj))
    with connection.cursor() as cursor:
        cursor.execute(INSERT, [*stored.place, meta.uid, version, sealing.seal(resource, stored.document)])
    _log(Change.ADDED, stored, previous=None, context=context)
    owners.note(stored.place, meta.uid, old=None, new=meta)
    strategy.recorded(obj, None, version=version, context=context)
    return stored


def _taken(existing: Stored, *, context: Context) -> errors.StatusError:
    error = errors.already_exists(context.asked, existing.name)
    if existing.object().metadata.deletion_timestamp:
        message = f"object is being deleted: {error.message}"
        return errors.StatusError(409, "AlreadyExists", message, details=error.details)
    return error


def _log(type_: str, stored: Stored, *, previous: str | None, context: Context) -> None:
    resource = stored.resource
    changes.append(
        version=stored.version, type_=type_, key=resource.key, namespace=stored.namespace, name=stored.name,
        document=sealing.seal(resource, stored.document),
        previous=None if previous is None else sealing.seal(resource, previous),
        actor=context.actor.username, reason=context.reason, now=context.now,
    )  # fmt: skip
    changes.mark(resource.marks, stored.version)


def encode(obj: KubeObject) -> str:
    """Return the JSON document of an object."""
    return msgspec.json.encode(obj).decode()


Edit = Callable[[Any], Any]
"""Turns a copy of the stored object, or None where an update creates, into the wished one; it may change the copy."""


def update(
    resource: Resource,
    name: str,
    edit: Edit,
    *,
    context: Context,
    strategy: Strategy[Any],
    preconditions: Preconditions | None = None,
) -> Stored:
    """Change an object and return it; a change without effect writes nothing and keeps the version.

    Raises 404 when it does not exist, 409 when it is not at the version or uid that the preconditions or the wished
    object name, 422 when the result is not valid.
    """
    wanted = preconditions or Preconditions()
    with _writing():
        current = _lock(resource, context.namespace, name)
        if current is None:
            raise errors.not_found(context.asked, name)
        _check(current, wanted, context=context)
        stored = _apply(current, edit, context=context, strategy=strategy)
    if stored.version != current.version and not context.dry_run:
        changes.announce(resource.key)
    return stored


def _check(current: Stored, wanted: Preconditions, *, context: Context) -> None:
    if wanted.uid and wanted.uid != current.uid:
        why = (
            f"StorageError: invalid object, Code: 4, Key: /{current.resource.key}/{current.namespace}/{current.name},"
            f" ResourceVersion: 0, AdditionalErrorMsg: Precondition failed: UID in precondition: {wanted.uid},"
            f" UID in object meta: {current.uid}"
        )
        raise errors.conflict(context.asked, current.name, why)
    if wanted.version and wanted.version != str(current.version):
        raise errors.conflict(context.asked, current.name)


def _apply(current: Stored, edit: Edit, *, context: Context, strategy: Strategy[Any]) -> Stored:
    resource, old = current.resource, current.object()
    new = edit(current.object())
    _check(current, Preconditions(new.metadata.resource_version, new.metadata.uid), context=context)
    _restore(new, old)
    _merge_owners(new, context=context)
    strategy.default(new)
    given = managed.known(new, old, context=context)
    managers = managed.of_changed(new, old, context=context, strategy=strategy)
    strategy.prepare_update(new, old, context=context)
    problems = validation.object_meta(new.metadata, namespaced=resource.namespaced, name_rule=strategy.name_problems)
    problems = validation.object_meta_update(new.metadata, old.metadata) + problems
    problems += strategy.validate_update(new, old, context=context)
    if problems:
        raise errors.invalid(resource.group_kind, current.name, problems)
    new.metadata.resource_version = old.metadata.resource_version
    new.metadata.managed_fields = old.metadata.managed_fields
    if encode(new) == current.document:
        managers = managed.without_effect(managers, old, given, context=context)
        if managers == old.metadata.managed_fields:
            return current
    new.metadata.managed_fields = managers
    strategy.admit(new, old, context=context)
    if context.dry_run:
        return Stored(resource, current.namespace, current.name, current.uid, current.version, encode(new))
    meta = new.metadata
    if (
        meta.deletion_timestamp
        and not meta.finalizers
        and not strategy.starts_deletion(copy.deepcopy(new), context=context)
    ):
        return _remove(current, new, old, context=context, strategy=strategy)
    return _save(current, new, old, context=context, strategy=strategy)


def _merge_owners(obj: KubeObject, *, context: Context) -> None:
    """Keep one reference to each owner, and say so when there were more."""
    owners, warning = validation.distinct_owners(obj.metadata.owner_references or [])
    obj.metadata.owner_references = owners or None
    if warning:
        context.warnings.append(warning)


def _restore(new: KubeObject, old: KubeObject) -> None:
    """Put back what a client may leave out, and what only the server sets."""
    meta, kept = new.metadata, old.metadata
    meta.name = meta.name or kept.name
    meta.namespace = kept.namespace
    meta.uid = kept.uid
    meta.creation_timestamp = kept.creation_timestamp
    meta.generation = kept.generation
    meta.generate_name = kept.generate_name
    meta.deletion_timestamp = meta.deletion_timestamp or kept.deletion_timestamp
    if meta.deletion_grace_period_seconds is None:
        meta.deletion_grace_period_seconds = kept.deletion_grace_period_seconds


def _save(current: Stored, new: Any, old: Any, *, context: Context, strategy: Strategy[Any]) -> Stored:
    # Take the version last: it serialises writers from here to the commit.
    version = changes.take_version()
    new.metadata.resource_version = str(version)
    stored = Stored(current.resource, current.namespace, current.name, current.uid, version, encode(new))
    with connection.cursor() as cursor:
        cursor.execute(UPDATE, [version, sealing.seal(current.resource, stored.document), *current.place])
    _log(Change.MODIFIED, stored, previous=current.document, context=context)
    owners.note(current.place, current.uid, old=old.metadata, new=new.metadata)
    strategy.recorded(new, old, version=version, context=context)
    return stored


def _remove(current: Stored, last: Any, old: Any, *, context: Context, strategy: Strategy[Any]) -> Stored:
    """Delete the row; the last state is logged under the version of the deletion."""
    version = changes.take_version()
    last.metadata.resource_version = str(version)
    gone = Stored(current.resource, current.namespace, current.name, current.uid, version, encode(last))
    with connection.cursor() as cursor:
        cursor.execute(DELETE, current.place)
    _log(Change.DELETED, gone, previous=current.document, context=context)
    owners.note(current.place, current.uid, old=old.metadata, new=None)
    strategy.recorded(None, old, version=version, context=context)
    return gone


def delete(
    resource: Resource,
    name: str,
    *,
    context: Context,
    strategy: Strategy[Any],
    preconditions: Preconditions | None = None,
    policy: str = "",
) -> tuple[Stored, bool]:
    """Delete an object, or begin to; return its last state and whether it is gone.

    An object with finalizers, or whose strategy finishes deletions elsewhere, stays with a deletionTimestamp. The
    policy says what becomes of its dependents: Background, Foreground or Orphan; empty is what its finalizers say.
    Raises 404 when it does not exist and 409 when a precondition does not hold.
    """
    with _writing():
        current = _lock(resource, context.namespace, name)
        if current is None:
            raise errors.not_found(context.asked, name)
        _check_deletion(current, preconditions or Preconditions())
        last, gone = _delete(current, policy, context=context, strategy=strategy)
    if last.version != current.version and not context.dry_run:
        changes.announce(resource.key)
    return last, gone


def _check_deletion(current: Stored, wanted: Preconditions) -> None:
    word, why = current.resource.group_kind, ""
    if wanted.uid and wanted.uid != current.uid:
        why = (
            f"the UID in the precondition ({wanted.uid}) does not match the UID in record ({current.uid})."
            " The object might have been deleted and then recreated"
        )
    elif wanted.version and wanted.version != str(current.version):
        why = (
            f"the ResourceVersion in the precondition ({wanted.version}) does not match the ResourceVersion in"
            f" record ({current.version}). The object might have been modified"
        )
    if why:
        message = f'Operation cannot be fulfilled on {word} "{current.name}": {why}'
        about: dict[str, object] = {"name": current.name, "group": word.group, "kind": word.kind}
        raise errors.StatusError(409, "Conflict", message, details={k: v for k, v in about.items() if v})


def _delete(current: Stored, policy: str, *, context: Context, strategy: Strategy[Any]) -> tuple[Stored, bool]:
    old, new = current.object(), current.object()
    new.metadata.finalizers = owners.finalizers(old.metadata.finalizers or (), policy) or None
    stays = bool(new.metadata.finalizers)
    if not old.metadata.deletion_timestamp:
        new.metadata.deletion_timestamp = timestamp(context.now)
        new.metadata.deletion_grace_period_seconds = 0
        if new.metadata.generation:
            new.metadata.generation += 1
    stays = strategy.starts_deletion(new, context=context) or stays
    if not stays:
        if context.dry_run:
            return current, True
        return _remove(current, current.object(), old, context=context, strategy=strategy), True
    if context.dry_run or encode(new) == current.document:
        return current, False
    return _save(current, new, old, context=context, strategy=strategy), False
