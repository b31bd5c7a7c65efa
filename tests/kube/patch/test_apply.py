"""Server-side apply: merging, ownership, conflicts, and what no sequence of applies may do."""

from __future__ import annotations

import copy
from typing import Annotated, Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry_meta.kube.meta import MERGED, KubeObject, KubeStruct, ManagedFieldsEntry, ObjectReference, merged_by
from registry_meta.kube.patch.apply import Application, Conflicting, problems_of
from registry_meta.kube.patch.fieldset import Changes, compare, of_value, parse, printed, written
from registry_meta.kube.patch.ownership import ANCIENT, MOST_UPDATERS, Writer, after_update, are_valid, is_reset
from registry_meta.kube.patch.schema import schema_of

Tree = dict[str, Any]


class Part(KubeStruct):
    """An item of a list that is merged."""

    name: str = ""
    value: str = ""
    annotations: dict[str, str] | None = None
    from_: ObjectReference | None = msgspec.field(default=None, name="from")


class Spec(KubeStruct):
    """A spec."""

    local: bool = False
    parts: Annotated[list[Part] | None, merged_by("name")] = None
    words: Annotated[list[str] | None, MERGED] = None
    plain: list[str] | None = None


class Thing(KubeObject):
    """A kind."""

    spec: Spec = msgspec.field(default_factory=Spec)


SCHEMA = schema_of(Thing)
EMPTY: Tree = {"metadata": {}, "spec": {}}


def settle(tree: Tree) -> Tree:
    settled: Tree = msgspec.to_builtins(msgspec.convert(tree, Thing))
    for holder, name in ((settled["metadata"], "labels"), (settled["spec"], "parts"), (settled["spec"], "words")):
        if not holder.get(name, True):
            del holder[name]
    return settled


def applied(
    live: Tree,
    entries: list[ManagedFieldsEntry],
    config: Tree,
    manager: str = "one",
    *,
    force: bool = False,
    time: str = "2026-01-01T00:00:00Z",
) -> tuple[Tree, list[ManagedFieldsEntry]]:
    writer = Writer(manager, "Apply", "example.com/v1", "", time)
    application = Application(
        config=config, schema=SCHEMA, writer=writer, without=("status",), empty=EMPTY, settle=settle
    )
    return application.apply(live, entries, force=force)


def owners(entries: list[ManagedFieldsEntry]) -> dict[str, Any]:
    return {entry.manager: entry.fields_v1 for entry in entries}


def updated(old: Tree, new: Tree, entries: list[ManagedFieldsEntry], manager: str) -> list[ManagedFieldsEntry]:
    writer = Writer(manager, "Update", "example.com/v1", "", "2026-01-01T00:00:00Z")
    return after_update(entries, compare(old, new, SCHEMA), writer)


names = st.sampled_from(["a", "b", "c"])
values = st.sampled_from(["x", "y"])
parts = st.lists(
    st.fixed_dictionaries(
        {"name": names}, optional={"value": values, "annotations": st.dictionaries(names, values, max_size=2)}
    ),
    max_size=3,
    unique_by=lambda part: str(part["name"]),
)
configs = st.fixed_dictionaries(
    {},
    optional={
        "metadata": st.fixed_dictionaries({}, optional={"labels": st.dictionaries(names, values, max_size=2)}),
        "spec": st.fixed_dictionaries(
            {},
            optional={
                "local": st.booleans(),
                "parts": parts,
                "words": st.lists(names, max_size=3, unique=True),
                "plain": st.lists(values, max_size=2),
            },
        ),
    },
)


@given(configs, configs, configs)
def test_applying_twice_is_applying_once(other: Tree, before: Tree, config: Tree) -> None:
    live, entries = applied(copy.deepcopy(EMPTY), [], other, "two")
    live, entries = applied(live, entries, before, force=True)

    once = applied(live, entries, config, force=True)
    twice = applied(*once, config)

    assert twice == once


@given(configs, configs)
def test_what_is_applied_and_given_up_leaves_no_trace(present: Tree, config: Tree) -> None:
    live, entries = applied(copy.deepcopy(EMPTY), [], present, "two")
    try:
        more = applied(live, entries, config)
    except Conflicting:
        return

    back, owning = applied(*more, {})

    # Only the order of a list may be another one.
    assert compare(live, back, SCHEMA) == Changes()
    assert owning == entries


@given(configs, configs, configs)
def test_no_manager_loses_what_it_applied_unless_by_force(mine: Tree, yours: Tree, later: Tree) -> None:
    live, entries = applied(copy.deepcopy(EMPTY), [], mine, "two")
    kept = of_value(mine, SCHEMA)
    for config in (yours, later):
        try:
            live, entries = applied(live, entries, config)
        except Conflicting:
            continue

    assert not compare(live, applied(live, entries, mine, "two")[0], SCHEMA).modified
    assert parse(owners(entries).get("two")) | {("f:metadata",)} >= kept - {("f:metadata",)}


@given(configs, configs)
def test_an_update_owns_exactly_what_it_changed(old: Tree, new: Tree) -> None:
    changes = compare(old, new, SCHEMA)

    entries = updated(old, new, [], "three")

    assert parse(owners(entries).get("three")) == changes.added | changes.modified
    assert compare(new, old, SCHEMA).added == changes.removed


@given(configs)
def test_fields_are_read_as_they_are_written(config: Tree) -> None:
    fields = of_value(config, SCHEMA)

    assert parse(written(fields)) == fields


def test_an_item_stays_while_another_manager_has_a_field_in_it() -> None:
    live, entries = applied(EMPTY, [], {"spec": {"parts": [{"name": "a", "value": "x"}]}})
    live, entries = applied(live, entries, {"spec": {"parts": [{"name": "a", "annotations": {"k": "v"}}]}}, "two")

    live, entries = applied(live, entries, {})

    assert live["spec"]["parts"] == [{"name": "a", "annotations": {"k": "v"}}]
    assert list(owners(entries)) == ["two"]


def test_an_item_that_an_updater_reached_into_stays() -> None:
    config = {"spec": {"parts": [{"name": "a", "value": "x"}]}}
    live, entries = applied(EMPTY, [], config)
    reached = {"metadata": {}, "spec": {"parts": [{"name": "a", "value": "x", "annotations": {"k": "v"}}]}}
    entries = updated(live, reached, entries, "updater")

    live, _ = applied(reached, entries, {})

    assert live["spec"]["parts"] == [{"name": "a", "annotations": {"k": "v"}}]


def test_a_reference_is_one_value() -> None:
    config = {"spec": {"parts": [{"name": "a", "from": {"kind": "DockerImage", "name": "quay.io/x/a:1"}}]}}
    live, entries = applied(EMPTY, [], config)
    other = {"spec": {"parts": [{"name": "a", "from": {"kind": "DockerImage", "name": "quay.io/x/a:2"}}]}}

    with pytest.raises(Conflicting) as raised:
        applied(live, entries, other, "two")

    status = raised.value.status()
    assert status.message == (
        'Apply failed with 1 conflict: conflict with "one": .spec.parts[name="a"].from'
    )  # fmt: skip
    assert owners(entries)["one"] == {
        "f:spec": {"f:parts": {'k:{"name":"a"}': {".": {}, "f:name": {}, "f:from": {}}}}
    }  # fmt: skip


def test_conflicts_name_every_manager_and_field() -> None:
    old: Tree = {"metadata": {}, "spec": {}}
    live = {"metadata": {"labels": {"a": "x", "b": "x"}}, "spec": {}}
    entries = updated(old, live, [], "updater")
    live, entries = applied(live, entries, {"metadata": {"labels": {"a": "x"}}})

    with pytest.raises(Conflicting) as raised:
        applied(live, entries, {"metadata": {"labels": {"a": "y", "b": "y"}}}, "two")

    assert raised.value.status().message == (
        'Apply failed with 3 conflicts: conflicts with "one":\n- .metadata.labels.a\n'
        'conflicts with "updater" using example.com/v1:\n- .metadata.labels.a\n- .metadata.labels.b'
    )


def test_force_takes_fields_over() -> None:
    live, entries = applied(EMPTY, [], {"metadata": {"labels": {"a": "x", "b": "x"}}})

    live, entries = applied(live, entries, {"metadata": {"labels": {"a": "y"}}}, "two", force=True)

    assert live["metadata"]["labels"] == {"a": "y", "b": "x"}
    assert owners(entries) == {
        "one": {"f:metadata": {"f:labels": {"f:b": {}}}},
        "two": {"f:metadata": {"f:labels": {"f:a": {}}}},
    }


def test_what_nobody_managed_belongs_to_the_time_before_the_first_apply() -> None:
    live = {"metadata": {"labels": {"a": "x"}}, "spec": {}}

    _, entries = applied(live, [], {"metadata": {"labels": {"b": "x"}}})

    assert owners(entries)["before-first-apply"] == {"f:metadata": {"f:labels": {".": {}, "f:a": {}}}}


def test_an_object_keeps_ten_updaters() -> None:
    entries: list[ManagedFieldsEntry] = []
    for number in range(MOST_UPDATERS + 3):
        writer = Writer(f"m{number}", "Update", "example.com/v1", "", f"2026-01-01T00:00:{number:02}Z")
        changes = Changes(added={("f:metadata", "f:labels", f"f:{number}")})
        entries = after_update(entries, changes, writer)

    assert len(entries) == MOST_UPDATERS
    assert [entry.manager for entry in entries][:2] == [ANCIENT, "m4"]
    assert len(parse(entries[0].fields_v1)) == 4


def test_ambiguous_items_are_named() -> None:
    config = {"spec": {"parts": [{"name": "a"}, {"name": "a"}, {"value": "x"}], "words": ["a", "a"]}}

    assert list(problems_of(config, SCHEMA)) == [
        '.spec.parts: duplicate entries for key [name="a"]',
        ".spec.parts: element has no key field 'name'",
        '.spec.words: duplicate entries for key [="a"]',
    ]


@pytest.mark.parametrize("tree", [{"f:a": 1}, {"a": {}}, {"f:a": {"x": {}}}])
def test_other_trees_name_no_fields(tree: Tree) -> None:
    with pytest.raises(ValueError, match=r"fields|field"):
        parse(tree)


def test_entries_of_clients_are_checked() -> None:
    entry = ManagedFieldsEntry(manager="m", operation="Apply", api_version="v1", fields_type="FieldsV1", fields_v1={})

    assert are_valid([entry])
    wrongs: list[Tree] = [
        {"operation": "Move"}, {"api_version": ""}, {"fields_type": "V2"}, {"fields_v1": {"x": {}}},
    ]  # fmt: skip
    for wrong in wrongs:
        assert not are_valid([msgspec.structs.replace(entry, **wrong)])
    assert not are_valid([])
    assert [is_reset(None), is_reset([]), is_reset([ManagedFieldsEntry()]), is_reset([entry])] == [
        False, True, True, False,
    ]  # fmt: skip


def test_a_path_is_printed_as_kubernetes_does() -> None:
    assert printed(("f:spec", 'k:{"name":"a"}', "f:x", 'v:"b"', "i:1")) == '.spec[name="a"].x[="b"][1]'
