"""Server-side apply: a configuration and an object with managers in, the new object and its managers out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from registry_meta.kube.errors import StatusError
from registry_meta.kube.meta import ManagedFieldsEntry
from registry_meta.kube.patch.fieldset import (
    NOTHING,
    Changes,
    Fields,
    Path,
    compare,
    item_element,
    of_value,
    parse,
    printed,
)
from registry_meta.kube.patch.order import arranged, identity
from registry_meta.kube.patch.ownership import (
    BEFORE_FIRST_APPLY,
    UPDATE,
    Writer,
    after_apply,
    after_update,
    tracked,
)
from registry_meta.kube.patch.schema import Schema

Tree = dict[str, Any]
Settle = Callable[[Tree], Tree]
"""Returns an object, plain JSON in and out, as it will be stored."""


class Conflicting(Exception):
    """The configuration changes fields of other managers."""

    def __init__(self, conflicts: Sequence[tuple[ManagedFieldsEntry, Fields]]) -> None:
        super().__init__(f"{len(conflicts)} managers own fields that the configuration changes")
        self.conflicts = sorted(conflicts, key=lambda conflict: (conflict[0].manager, conflict[0].operation))

    def fields(self) -> Fields:
        """Return the fields in question, whoever owns them."""
        return frozenset().union(*(fields for _, fields in self.conflicts))

    def status(self) -> StatusError:
        """Return 409 with a cause for each field and manager."""
        causes: list[dict[str, object]] = []
        listed: list[str] = []
        for entry, fields in self.conflicts:
            names = sorted(map(printed, fields))
            who = _named(entry)
            causes += [
                {"reason": "FieldManagerConflict", "message": f"conflict with {who}", "field": name} for name in names
            ]
            listed.append("\n- ".join((f"conflicts with {who}:", *names)))
        if len(causes) == 1:
            message = f"Apply failed with 1 conflict: {causes[0]['message']}: {causes[0]['field']}"
        else:
            message = "\n".join((f"Apply failed with {len(causes)} conflicts: {listed[0]}", *listed[1:]))
        return StatusError(409, "Conflict", message, details={"causes": causes})


def _named(entry: ManagedFieldsEntry) -> str:
    subresource = f' with subresource "{entry.subresource}"' if entry.subresource else ""
    version = f" using {entry.api_version}" if entry.operation == UPDATE else ""
    return f'"{entry.manager}"{subresource}{version}'


@dataclass(frozen=True, slots=True)
class Application:
    """A configuration that a writer applies to objects of a schema; members in `without` are not its to set.

    `empty` is an object of the type that nobody has set anything of.
    """

    config: Tree
    schema: Schema
    writer: Writer
    without: Sequence[str]
    empty: Tree
    settle: Settle

    def create(self) -> tuple[Tree, list[ManagedFieldsEntry]]:
        """Return the object that the configuration makes, and its managers."""
        return self.settle(self.config), after_apply([], self._owned(), Changes(), self.writer)

    def apply(
        self, live: Tree, entries: Sequence[ManagedFieldsEntry], *, force: bool
    ) -> tuple[Tree, list[ManagedFieldsEntry]]:
        """Return the object after the configuration was applied, and its managers.

        What the writer applied earlier and no longer names is removed, unless another manager owns it too. Raises
        Conflicting when a field of another manager would change, unless `force` takes it over.
        """
        entries = entries or self._before_first_apply(live)
        owned, previous, others = self._owned(), NOTHING, NOTHING
        for entry in entries:
            if self.writer.is_of(entry):
                previous = parse(entry.fields_v1)
            else:
                others |= parse(entry.fields_v1)
        merged = merge(live, self.config, self.schema)
        pruned = prune(merged, previous - owned - others, kept=owned | others, schema=self.schema)
        result = self.settle(pruned)
        changes = self._tracked(compare(live, result, self.schema))
        # A member that was set back to its default is no longer there, and still it was set.
        changes.modified |= changes.removed & owned
        if not force:
            self._refuse_conflicts(entries, changes)
        return result, after_apply(entries, owned, changes, self.writer)

    def _owned(self) -> Fields:
        return tracked(of_value(self.config, self.schema), self.without)

    def _tracked(self, changes: Changes) -> Changes:
        kept = (set(tracked(paths, self.without)) for paths in (changes.added, changes.modified, changes.removed))
        return Changes(*kept)

    def _before_first_apply(self, live: Tree) -> list[ManagedFieldsEntry]:
        first = Writer(BEFORE_FIRST_APPLY, UPDATE, self.writer.api_version, self.writer.subresource, self.writer.time)
        return after_update([], self._tracked(compare(self.empty, live, self.schema)), first)

    def _refuse_conflicts(self, entries: Sequence[ManagedFieldsEntry], changes: Changes) -> None:
        touched = changes.added | changes.modified
        found = [
            (entry, parse(entry.fields_v1) & touched) for entry in entries if not self.writer.is_of(entry)
        ]  # fmt: skip
        conflicts = [(entry, fields) for entry, fields in found if fields]
        if conflicts:
            raise Conflicting(conflicts)


def merge(live: object, config: object, schema: Schema) -> Any:
    """Return a live value with a configuration laid over it: merged by the schema, replaced where it has no parts."""
    if isinstance(config, dict) and isinstance(live, dict) and not schema.is_atomic:
        merged = dict(live)
        for name, value in config.items():
            merged[name] = merge(live.get(name), value, schema.member(name))
        return merged
    if isinstance(config, list) and isinstance(live, list) and schema.merges:
        return _merge_list(live, config, schema)
    return config


def _merge_list(live: list[object], config: list[object], schema: Schema) -> list[object]:
    def element(item: object) -> object:
        return identity(item_element(item, schema))

    present = {element(item): item for item in live}
    wished = {element(item): item for item in config}
    items = [merge(item, wished[key], schema.items) if key in wished else item for key, item in present.items()]
    items += [item for key, item in wished.items() if key not in present]
    return arranged(items, list(wished), list(present), element)


def prune(tree: Tree, gone: Fields, *, kept: Fields, schema: Schema) -> Tree:
    """Return an object without the fields that are gone; what holds a field that is kept stays.

    What loses its last member goes as well, unless it is kept itself.
    """
    holding = frozenset(path[:length] for path in kept for length in range(1, len(path) + 1))
    pruned: Tree = _Pruning(gone, kept, holding).without((), tree, schema)
    return pruned


@dataclass(frozen=True, slots=True)
class _Pruning:
    """The removal of fields; `holding` are those that are kept or hold one that is."""

    gone: Fields
    kept: Fields
    holding: Fields

    def without(self, path: Path, value: Any, schema: Schema) -> Any:
        """Return a value without what is gone below its path; the value itself stays."""
        if not any(len(other) > len(path) and other[: len(path)] == path for other in self.gone):
            return value
        if isinstance(value, dict) and not schema.is_atomic:
            return self._members(path, value, schema)
        if isinstance(value, list) and schema.merges:
            places = [((*path, item_element(item, schema)), item) for item in value]
            return [
                self.without(at, item, schema.items) for at, item in places if at not in self.gone or at in self.holding
            ]
        return value

    def _members(self, path: Path, value: Mapping[str, Any], schema: Schema) -> dict[str, Any]:
        kept: dict[str, Any] = {}
        for name, member in value.items():
            at, how = (*path, f"f:{name}"), schema.member(name)
            rest = member if name == _key_of(path) else self.without(at, member, how)
            if name == _key_of(path) or not self._goes(at, member, rest, how):
                kept[name] = rest
        return kept

    def _goes(self, at: Path, member: object, rest: object, schema: Schema) -> bool:
        """Return whether a member of which `rest` is left is removed."""
        if rest in ({}, []) and member not in ({}, []):
            return at not in self.kept
        return at in self.gone and at not in self.holding and not (rest and _has_parts(rest, schema))


def _has_parts(value: object, schema: Schema) -> bool:
    """Return whether a value is merged member by member or item by item."""
    return (isinstance(value, dict) and not schema.is_atomic) or (isinstance(value, list) and schema.merges)


def _key_of(path: Path) -> str:
    """Return the member that tells an item of a list from the others; it stays as long as the item."""
    if not path or not path[-1].startswith("k:"):
        return ""
    return path[-1].partition('"')[2].partition('"')[0]


def problems_of(config: Tree, schema: Schema) -> Iterable[str]:
    """Yield what makes a configuration ambiguous: items of a merged list that say the same key twice or none."""
    yield from _problems((), config, schema)


def _problems(path: Path, value: object, schema: Schema) -> Iterable[str]:
    if isinstance(value, dict) and not schema.is_atomic:
        for name, member in value.items():
            yield from _problems((*path, f"f:{name}"), member, schema.member(name))
    elif isinstance(value, list) and schema.merges:
        seen: set[str] = set()
        for item in value:
            if schema.merge_key and not (isinstance(item, dict) and schema.merge_key in item):
                yield f"{printed(path)}: element has no key field {schema.merge_key!r}"
                continue
            element = item_element(item, schema)
            if element in seen:
                yield f"{printed(path)}: duplicate entries for key {printed((element,))}"
            seen.add(element)
            yield from _problems((*path, element), item, schema.items)
