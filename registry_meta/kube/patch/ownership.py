"""Who set which fields of an object: the entries of `metadata.managedFields` and how writes move them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import msgspec

from registry_meta.kube.meta import ManagedFieldsEntry
from registry_meta.kube.patch.fieldset import NOTHING, Changes, Fields, Path, holds, parse, written

APPLY = "Apply"
UPDATE = "Update"
FIELDS_V1 = "FieldsV1"

BEFORE_FIRST_APPLY = "before-first-apply"
"""The manager of all that an object held when it had no managers and was applied to."""

ANCIENT = "ancient-changes"
MOST_UPDATERS = 10
"""How many updaters an object keeps; older ones are summed up as `ancient-changes`."""

UNTRACKED = frozenset(
    {("f:apiVersion",), ("f:kind",), ("f:metadata",)}
    | {
        ("f:metadata", f"f:{name}")
        for name in (
            "name", "namespace", "creationTimestamp", "selfLink", "uid", "clusterName", "generation", "managedFields",
            "resourceVersion",
        )
    }
)  # fmt: skip
"""What nobody owns: the server sets it."""


@dataclass(frozen=True, slots=True)
class Writer:
    """Who writes, how (`Apply` or `Update`), through which subresource and when."""

    manager: str
    operation: str
    api_version: str
    subresource: str
    time: str

    def is_of(self, entry: ManagedFieldsEntry) -> bool:
        """Return whether an entry is this writer's; an applier keeps its entry over versions of the API."""
        return (
            (entry.manager, entry.operation, entry.subresource) == (self.manager, self.operation, self.subresource)
            and (self.operation == APPLY or entry.api_version == self.api_version)
        )  # fmt: skip

    def entry(self, fields: Fields) -> ManagedFieldsEntry:
        """Return the entry of this writer."""
        return ManagedFieldsEntry(
            manager=self.manager, operation=self.operation, api_version=self.api_version, time=self.time,
            fields_type=FIELDS_V1, fields_v1=written(fields), subresource=self.subresource,
        )  # fmt: skip


def tracked(fields: Iterable[Path], without: Sequence[str]) -> Fields:
    """Return the fields that managers can own, `without` those below some members of the object."""
    left_out = {f"f:{name}" for name in without}
    return frozenset(path for path in fields if path not in UNTRACKED and path[:1] and path[0] not in left_out)


def are_valid(entries: Sequence[ManagedFieldsEntry]) -> bool:
    """Return whether a client may put these entries in the place of the stored ones."""
    for entry in entries:
        if entry.operation not in (APPLY, UPDATE) or not entry.api_version or entry.fields_type != FIELDS_V1:
            return False
        try:
            parse(entry.fields_v1)
        except ValueError:
            return False
    return bool(entries)


def is_reset(given: Sequence[ManagedFieldsEntry] | None) -> bool:
    """Return whether a client wants all managers forgotten: an empty list, or one empty entry."""
    return given is not None and (not given or list(given) == [ManagedFieldsEntry()])


def after_update(entries: Sequence[ManagedFieldsEntry], changes: Changes, writer: Writer) -> list[ManagedFieldsEntry]:
    """Return the entries after an update: what it set is its own, what it removed is nobody's."""
    taken = frozenset(changes.added | changes.modified)
    lost, removed = taken | changes.removed, frozenset(changes.removed)
    result: list[ManagedFieldsEntry] = []
    own = NOTHING
    for entry in entries:
        if not writer.is_of(entry):
            result += _less(entry, lost)
        elif not taken:
            result += _less(entry, removed)
        elif all(holds(entry.fields_v1, path) for path in taken):
            result += _less(msgspec.structs.replace(entry, time=writer.time), removed)
            taken = NOTHING
        else:
            own = parse(entry.fields_v1) - removed
    if taken:
        result.append(writer.entry(own | taken))
    return arranged(_capped(result))


def after_apply(
    entries: Sequence[ManagedFieldsEntry], owned: Fields, changes: Changes, writer: Writer
) -> list[ManagedFieldsEntry]:
    """Return the entries after a configuration was applied: it owns what it names, others lose what it changed."""
    lost = frozenset(changes.added | changes.modified | changes.removed)
    result: list[ManagedFieldsEntry] = []
    for entry in entries:
        if not writer.is_of(entry):
            result += _less(entry, lost)
    if owned:
        result.append(writer.entry(owned))
    return arranged(_capped(result))


def settled(entries: Sequence[ManagedFieldsEntry], before: Sequence[ManagedFieldsEntry]) -> list[ManagedFieldsEntry]:
    """Return entries with the times from before, where nothing but the time is new."""
    known = {_content(entry): entry for entry in before}
    return arranged([known.get(_content(entry), entry) for entry in entries])


def _content(entry: ManagedFieldsEntry) -> tuple[str, str, str, str, bytes]:
    content = msgspec.json.encode(entry.fields_v1, order="sorted")
    return entry.manager, entry.operation, entry.api_version, entry.subresource, content


def _less(entry: ManagedFieldsEntry, lost: Fields) -> list[ManagedFieldsEntry]:
    """Return an entry without some fields, itself where it has none of them, nothing where it has no others."""
    if entry.fields_v1 and not any(holds(entry.fields_v1, path) for path in lost):
        return [entry]
    fields = parse(entry.fields_v1) - lost
    return [msgspec.structs.replace(entry, fields_v1=written(fields))] if fields else []


def _capped(entries: list[ManagedFieldsEntry]) -> list[ManagedFieldsEntry]:
    updaters = sorted((entry for entry in entries if entry.operation == UPDATE), key=_age)
    excess = len(updaters) - MOST_UPDATERS
    if excess <= 0:
        return entries
    # The sum takes a place itself, unless it is among the oldest already.
    old = updaters[: excess + 1]
    sums: dict[str, ManagedFieldsEntry] = {}
    for entry in old:
        present = sums.get(entry.api_version)
        fields = parse(entry.fields_v1) | (parse(present.fields_v1) if present else NOTHING)
        sums[entry.api_version] = Writer(ANCIENT, UPDATE, entry.api_version, "", entry.time or "").entry(fields)
    kept = [entry for entry in entries if all(entry is not gone for gone in old)]
    return [*kept, *sums.values()]


def _age(entry: ManagedFieldsEntry) -> tuple[str, ...]:
    return entry.time or "", entry.manager, entry.api_version, entry.subresource


def arranged(entries: Iterable[ManagedFieldsEntry]) -> list[ManagedFieldsEntry]:
    """Return entries in the order of Kubernetes: appliers before updaters, each by time and name."""
    return sorted(entries, key=lambda entry: (entry.operation, *_age(entry)))
