"""Sets of fields of an object, and how Kubernetes writes them down (`FieldsV1`).

A path is a tuple of elements: `f:NAME` a member of an object, `k:{"name":"a"}` an item of a list that is merged by a
key, `v:"a"` an item of a list of scalars that is merged.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import msgspec

from registry_meta.kube.patch.schema import Schema

Path = tuple[str, ...]
Fields = frozenset[Path]
NOTHING: Fields = frozenset()

ITSELF = "."
"""In FieldsV1, a member that stands for the field around it; one without members is itself in the set."""

KINDS = ("f:", "k:", "v:", "i:")


def parse(tree: Mapping[str, object] | None) -> Fields:
    """Return the fields that FieldsV1 names; raises ValueError for what is none."""
    found: set[Path] = set()
    _parse((), tree or {}, found)
    return frozenset(found)


def _parse(path: Path, tree: object, found: set[Path]) -> None:
    if not isinstance(tree, dict):
        raise ValueError("a set of fields is made of objects")
    if path and (not tree or ITSELF in tree):
        found.add(path)
    for element, below in tree.items():
        if element == ITSELF:
            continue
        if not isinstance(element, str) or not element.startswith(KINDS):
            raise ValueError(f"{element} names no field")
        _parse((*path, element), below, found)


def holds(tree: Mapping[str, object] | None, path: Path) -> bool:
    """Return whether FieldsV1 names a field; this looks at nothing else in it."""
    node: object = tree or {}
    for element in path:
        node = node.get(element) if isinstance(node, Mapping) else None
    return isinstance(node, Mapping) and (not node or ITSELF in node)


def written(fields: Iterable[Path]) -> dict[str, object]:
    """Return fields as FieldsV1, in a fixed order."""
    tree: dict[str, object] = {}
    for path in sorted(fields):
        node = tree
        for element in path:
            below = node.setdefault(element, {})
            if not isinstance(below, dict):
                raise AssertionError("a tree of fields is made of objects")
            node = below
        node[ITSELF] = {}
    _leave_out_leaf_marks(tree)
    return tree


def _leave_out_leaf_marks(node: dict[str, object]) -> None:
    for below in node.values():
        if isinstance(below, dict):
            if len(below) == 1 and ITSELF in below:
                del below[ITSELF]
            else:
                _leave_out_leaf_marks(below)


def printed(path: Path) -> str:
    """Return a path as messages print it: `.spec.tags[name="b"].from`."""
    return "".join(map(_printed, path))


def _printed(element: str) -> str:
    kind, text = element[:2], element[2:]
    if kind == "k:":
        key = msgspec.json.decode(text, type=dict[str, object])
        return f"[{','.join(f'{name}={_json(value)}' for name, value in key.items())}]"
    if kind == "v:":
        return f"[={text}]"
    return f"[{text}]" if kind == "i:" else f".{text}"


def _json(value: object) -> str:
    return msgspec.json.encode(value, order="sorted").decode()


Children = dict[str, tuple[object, Schema]]


def item_element(item: object, schema: Schema) -> str:
    """Return the element of an item of a list that is merged."""
    key = schema.merge_key
    if not key:
        return f"v:{_json(item)}"
    return f"k:{_json({key: item.get(key) if isinstance(item, dict) else None})}"


def children(value: object, schema: Schema) -> Children | None:
    """Return what a value is made of by element, None for one that is set as a whole."""
    if isinstance(value, dict) and not schema.is_atomic:
        return {f"f:{name}": (below, schema.member(name)) for name, below in value.items() if below is not None}
    if isinstance(value, list) and schema.merges:
        return {item_element(item, schema): (item, schema.items) for item in value}
    return None


def of_value(value: object, schema: Schema) -> Fields:
    """Return the fields that a configuration sets: its leaves, and the items of lists that are merged."""
    found: set[Path] = set()
    _of_value((), value, schema, found)
    return frozenset(found)


def _of_value(path: Path, value: object, schema: Schema, found: set[Path]) -> None:
    below = children(value, schema)
    if path and (not below or path[-1].startswith(("k:", "v:"))):
        found.add(path)
    for element, (child, how) in (below or {}).items():
        _of_value((*path, element), child, how, found)


@dataclass(slots=True)
class Changes:
    """What differs between two objects; what is added or removed counts with all that it holds."""

    added: set[Path] = field(default_factory=set)
    modified: set[Path] = field(default_factory=set)
    removed: set[Path] = field(default_factory=set)


def compare(old: object, new: object, schema: Schema) -> Changes:
    """Return the fields that differ between two objects."""
    changes = Changes()
    _compare((), old, new, schema, changes)
    return changes


def _compare(path: Path, old: object, new: object, schema: Schema, changes: Changes) -> None:
    if old == new:
        return
    before, after = children(old, schema), children(new, schema)
    if before is not None and after is not None:
        for element in before.keys() | after.keys():
            one, how = before.get(element, (None, schema))
            other, how = after.get(element, (None, how))
            below = (*path, element)
            if one is None:
                _collect(below, other, how, changes.added)
            elif other is None:
                _collect(below, one, how, changes.removed)
            else:
                _compare(below, one, other, how, changes)
        return
    changes.modified.add(path)
    for values, into in ((before, changes.removed), (after, changes.added)):
        for element, (child, how) in (values or {}).items():
            _collect((*path, element), child, how, into)


def _collect(path: Path, value: object, schema: Schema, into: set[Path]) -> None:
    into.add(path)
    for element, (child, how) in (children(value, schema) or {}).items():
        _collect((*path, element), child, how, into)
