"""Strategic merge patch (Kubernetes API conventions): merging by the marks of a type, with directives in the patch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec

from registry_meta.kube.patch import malformed, rejected
from registry_meta.kube.patch.order import arranged, follows, identity
from registry_meta.kube.patch.schema import Schema, schema_of

PATCH = "$patch"
RETAIN_KEYS = "$retainKeys"
SET_ORDER = "$setElementOrder/"
DELETE_SCALARS = "$deleteFromPrimitiveList/"


def apply_strategic_patch(
    document: dict[str, object], patch: dict[str, object], type_: type[msgspec.Struct]
) -> dict[str, object]:
    """Return an object of a type with a patch merged into it; neither argument is changed.

    Raises 400 for directives of the wrong form, 422 for a patch that does not fit the type.
    """
    return _merge_map(document, patch, schema_of(type_))


@dataclass(slots=True)
class _Directives:
    """What a patch of an object says about its members, beside their values."""

    values: dict[str, object] = field(default_factory=dict)
    orders: dict[str, list[object]] = field(default_factory=dict)
    deletions: dict[str, list[object]] = field(default_factory=dict)
    retained: list[str] | None = None

    def members(self) -> list[str]:
        """Return the names of the members that the patch touches."""
        return list(dict.fromkeys((*self.values, *self.orders, *self.deletions)))


def _directives(patch: Mapping[str, object]) -> _Directives:
    found = _Directives()
    for key, value in patch.items():
        if key == PATCH:
            continue
        if key == RETAIN_KEYS:
            found.retained = [name for name in _listed(key, value) if isinstance(name, str)]
            if len(found.retained) != len(_listed(key, value)):
                raise malformed(f"{RETAIN_KEYS} must be a list of names")
        elif key.startswith(SET_ORDER):
            found.orders[key.removeprefix(SET_ORDER)] = _listed(key, value)
        elif key.startswith(DELETE_SCALARS):
            deleted = _listed(key, value)
            if any(isinstance(item, (dict, list)) for item in deleted):
                raise malformed(f"{key} must be a list of scalars")
            found.deletions[key.removeprefix(DELETE_SCALARS)] = deleted
        else:
            found.values[key] = value
    return found


def _listed(key: str, value: object) -> list[object]:
    if not isinstance(value, list):
        raise malformed(f"{key} must be a list")
    return value


def _directive(patch: Mapping[str, object]) -> object:
    """Return what `$patch` says, `merge` when it is absent."""
    directive = patch.get(PATCH, "merge")
    if directive not in ("merge", "replace", "delete"):
        raise malformed(f"unknown {PATCH} directive: {_printed(directive)}")
    return directive


def _merge_map(original: Mapping[str, object], patch: Mapping[str, object], schema: Schema) -> dict[str, object]:
    directive = _directive(patch)
    if directive == "delete":
        return {}
    told = _directives(patch)
    merged = dict(original) if directive == "merge" else {}
    if told.retained is not None:
        merged = _retain(merged, told)
    for name in told.members():
        child = schema.member(name)
        if name in told.values and told.values[name] is None:
            merged.pop(name, None)
        elif isinstance(told.values.get(name, []), list):
            _merge_list_member(merged, name, told, child)
        else:
            _merge_member(merged, name, told.values[name], child)
    return merged


def _retain(original: dict[str, object], told: _Directives) -> dict[str, object]:
    """Return the members that `$retainKeys` names; the patch may touch no others."""
    retained = told.retained or []
    strays = [name for name in told.members() if name not in retained]
    if strays:
        raise rejected(f"{RETAIN_KEYS} must name every member of the patch; it lacks {', '.join(strays)}")
    return {name: value for name, value in original.items() if name in retained}


def _merge_member(merged: dict[str, object], name: str, value: object, schema: Schema) -> None:
    if schema.is_list:
        raise rejected(f"{name} is a list, and {_printed(value)[:100]} is none")
    if not isinstance(value, dict):
        merged[name] = value
        return
    present = merged.get(name)
    if _directive(value) == "delete" and present is None:
        return
    merged[name] = _merge_map(present if isinstance(present, dict) and not schema.replaces else {}, value, schema)


def _merge_list_member(merged: dict[str, object], name: str, told: _Directives, schema: Schema) -> None:
    present = merged.get(name)
    if name not in told.values and not isinstance(present, list):
        return
    kept = present if isinstance(present, list) else []
    if name in told.deletions:
        deleted = {identity(item) for item in told.deletions[name]}
        kept = [item for item in kept if isinstance(item, (dict, list)) or identity(item) not in deleted]
    patch = told.values.get(name)
    if schema.merges:
        merged[name] = _merge_list(kept, patch if isinstance(patch, list) else [], told.orders.get(name), schema)
    elif isinstance(patch, list):
        merged[name] = [_clean(item, schema.items) for item in patch if not _is_directive(item)]
    else:
        merged[name] = kept


def _merge_list(
    original: list[object], patch: list[object], order: list[object] | None, schema: Schema
) -> list[object]:
    if any(isinstance(item, list) for item in patch):
        raise rejected("lists of lists cannot be merged")
    objects = [item for item in patch if isinstance(item, dict)]
    if objects and len(objects) != len(patch):
        raise malformed("a list of objects and scalars cannot be merged")
    key = schema.merge_key
    if objects and not key:
        raise malformed("objects were given where the list holds scalars")
    if patch and key and not objects:
        raise rejected("scalars were given where the list holds objects")
    given = [_identity(item, key) for item in patch if not _is_directive(item)]
    wanted = [_identity(item, key) for item in order] if order else []
    if wanted and not follows(given, wanted):
        raise malformed(
            f"The order in patch list:\n{_printed(patch)}\n doesn't match {SET_ORDER[:-1]} list:\n{_printed(order)}\n"
        )
    if key:
        merged = _merge_by_key(original, objects, schema)
    else:
        merged = list({identity(item): item for item in (*original, *patch)}.values())
    live = [_present_identity(item, key) for item in original]
    return arranged(merged, wanted or given, live, lambda item: _present_identity(item, key))


def _printed(value: object) -> str:
    return msgspec.json.encode(value).decode()


def _is_directive(item: object) -> bool:
    return isinstance(item, dict) and PATCH in item and _directive(item) != "merge"


def _identity(item: object, key: str) -> object:
    """Return what tells an item of a list apart: the value of its merge key, or itself."""
    if not key:
        return identity(item)
    if not isinstance(item, dict) or key not in item:
        raise malformed(f"map: {_printed(item)} does not contain declared merge key: {key}")
    return identity(item[key])


def _present_identity(item: object, key: str) -> object:
    """Return what tells an item of the live list apart, None where it lacks the merge key."""
    if key and not (isinstance(item, dict) and key in item):
        return None
    return _identity(item, key)


def _merge_by_key(original: list[object], patch: list[dict[str, object]], schema: Schema) -> list[object]:
    key = schema.merge_key
    kept = [item for item in patch if not _is_directive(item)]
    if any(_is_directive(item) and item[PATCH] == "replace" for item in patch):
        return [_clean(item, schema.items) for item in kept]
    deleted = {_identity(item, key) for item in patch if _is_directive(item)}
    merged = [item for item in original if _present_identity(item, key) not in deleted]
    places = {_present_identity(item, key): place for place, item in reversed(list(enumerate(merged)))}
    for item in kept:
        told = _identity(item, key)
        if told in places:
            present = merged[places[told]]
            merged[places[told]] = _merge_map(present if isinstance(present, dict) else {}, item, schema.items)
        else:
            places[told] = len(merged)
            merged.append(_clean(item, schema.items))
    return merged


def _clean(value: object, schema: Schema) -> object:
    """Return a value of the patch that meets nothing to merge with: without directives and nulls."""
    return _merge_map({}, value, schema) if isinstance(value, dict) else value
