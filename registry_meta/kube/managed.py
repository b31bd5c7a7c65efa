"""`metadata.managedFields` of what is written: worked out in one place, for requests and workers alike."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import msgspec

from registry_meta.kube.meta import KubeObject, ManagedFieldsEntry, timestamp
from registry_meta.kube.patch.fieldset import Changes, compare
from registry_meta.kube.patch.ownership import (
    APPLY,
    UPDATE,
    Writer,
    after_update,
    are_valid,
    is_reset,
    settled,
    tracked,
)
from registry_meta.kube.patch.schema import schema_of
from registry_meta.kube.request import Context
from registry_meta.kube.strategy import Strategy

Entries = list[ManagedFieldsEntry]


def writer(context: Context, operation: str = UPDATE) -> Writer:
    """Return who writes in a context."""
    resource, sub = context.resource, context.subresource
    name = sub.name if sub is not None else ""
    return Writer(context.field_manager, operation, resource.api_version, name, timestamp(context.now))


def plain(obj: KubeObject) -> dict[str, Any]:
    """Return an object as plain JSON, without its managers."""
    tree: dict[str, Any] = msgspec.to_builtins(obj)
    tree.get("metadata", {}).pop("managedFields", None)
    return tree


@cache
def empty(type_: type[KubeObject]) -> Mapping[str, Any]:
    """Return an object of a type of which nobody has set anything."""
    return plain(type_())


def of_new(obj: KubeObject, *, context: Context, strategy: Strategy[Any]) -> Entries | None:
    """Return the managers of an object that is about to be created; those that an apply worked out stay."""
    if context.operation == APPLY:
        return obj.metadata.managed_fields or None
    changes = _changes(empty(type(obj)), plain(obj), type(obj), strategy)
    return after_update([], changes, writer(context)) or None


def of_changed(new: KubeObject, old: KubeObject, *, context: Context, strategy: Strategy[Any]) -> Entries | None:
    """Return the managers of an object that is about to be changed.

    An object that had none keeps none, unless there was nothing to own: what it held belongs to whoever comes first
    with an apply.
    """
    if context.operation == APPLY:
        return new.metadata.managed_fields or None
    if is_reset(new.metadata.managed_fields) and context.subresource is None:
        return None
    base = known(new, old, context=context)
    changes = _changes(*_differing(old, new, strategy.untracked), type(new), strategy)
    if not (changes.added or changes.modified or changes.removed):
        return base
    if not base:
        held = _changes(empty(type(old)), plain(old), type(old), strategy)
        if held.added or held.modified:
            return None
    return after_update(base or [], changes, writer(context)) or None


def _differing(old: KubeObject, new: KubeObject, untracked: tuple[str, ...]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what differs between two objects by member, as plain JSON; comparing first is cheaper by far."""
    before: dict[str, Any] = {}
    after: dict[str, Any] = {}
    for name, member in zip(new.__struct_fields__, new.__struct_encode_fields__, strict=True):
        one, other = getattr(old, name), getattr(new, name)
        if name == "metadata":
            one, other = (msgspec.structs.replace(meta, managed_fields=None) for meta in (one, other))
        if member not in untracked and one != other:
            for value, tree in ((one, before), (other, after)):
                # What is at its default is not on the wire.
                if value or isinstance(value, (list, dict)):
                    tree[member] = msgspec.to_builtins(value)
    return before, after


def known(new: KubeObject, old: KubeObject, *, context: Context) -> Entries | None:
    """Return the managers that a change starts from: those that a valid body names, else the stored ones."""
    given = new.metadata.managed_fields
    if given and context.subresource is None and context.operation != APPLY and are_valid(given):
        return given
    return None if is_reset(given) and context.subresource is None else old.metadata.managed_fields


def without_effect(
    found: Entries | None, old: KubeObject, given: Entries | None, *, context: Context
) -> Entries | None:
    """Return the managers of a change that leaves all the rest as it is: no time moves.

    An update that changed nothing owns nothing by it; `given` is what it said about managers itself.
    """
    if context.operation != APPLY:
        return given
    return settled(found or [], old.metadata.managed_fields or []) or None


def _changes(
    old: Mapping[str, Any], new: Mapping[str, Any], type_: type[KubeObject], strategy: Strategy[Any]
) -> Changes:
    found = compare(old, new, schema_of(type_))
    kept = (set(tracked(paths, strategy.untracked)) for paths in (found.added, found.modified, found.removed))
    return Changes(*kept)
