"""Who owns the fields of what is written: requests, workers, migrations of clients, and writes without effect."""

from __future__ import annotations

from datetime import timedelta

import pytest

from registry_meta.kube import meta, store
from registry_meta.kube.meta import KubeObject, ManagedFieldsEntry, ObjectMeta
from registry_meta.kube.request import SERVER, SYSTEM, Context, program
from registry_meta.kube.store import Edit, Stored
from tests.kube.widgets import STRATEGY, WIDGETS

pytestmark = pytest.mark.django_db(transaction=True)


def make(name: str, manager: str = "maker", **labels: str) -> Stored:
    widget = KubeObject(metadata=ObjectMeta(name=name, labels=labels or None))
    return store.create(WIDGETS, widget, context=by(manager), strategy=STRATEGY)


def by(manager: str, *, later: int = 0) -> Context:
    return Context(SYSTEM, WIDGETS, meta.now() + timedelta(seconds=later), field_manager=manager)


def change(name: str, edit: Edit, context: Context) -> Stored:
    return store.update(WIDGETS, name, edit, context=context, strategy=STRATEGY)


def relabelled(**labels: str) -> Edit:
    def edit(widget: KubeObject) -> KubeObject:
        widget.metadata.labels = labels
        return widget

    return edit


def managers(stored: Stored) -> list[str]:
    return [entry.manager for entry in stored.object().metadata.managed_fields or []]


def test_what_the_server_writes_by_itself_is_its_own() -> None:
    make("plain", a="1")

    stored = change("plain", relabelled(a="2"), Context(SYSTEM, WIDGETS, meta.now()))

    assert managers(stored) == ["maker", SERVER]


def test_a_write_without_effect_writes_nothing_whenever_it_comes() -> None:
    made = make("still", a="1")

    stored = change("still", relabelled(a="1"), by("maker", later=60))

    assert stored == made


def test_an_object_without_managers_stays_without_until_it_is_applied_to() -> None:
    make("old", a="1")
    change("old", forgetting, by("maker"))

    stored = change("old", relabelled(a="1", b="2"), by("labeller"))

    assert managers(stored) == []


def forgetting(widget: KubeObject) -> KubeObject:
    widget.metadata.managed_fields = []
    return widget


def test_a_bare_object_is_tracked_from_its_first_change() -> None:
    make("bare")

    stored = change("bare", relabelled(a="1"), by("labeller"))

    assert managers(stored) == ["labeller"]


def test_managers_of_a_client_take_the_place_of_the_stored_ones_if_they_can_be_read() -> None:
    make("moved", a="1")
    entry = ManagedFieldsEntry(
        manager="kubectl", operation="Apply", api_version="example.com/v1", time="2026-01-01T00:00:00Z",
        fields_type="FieldsV1", fields_v1={"f:metadata": {"f:labels": {"f:a": {}}}},
    )  # fmt: skip

    def give(*entries: ManagedFieldsEntry) -> Edit:
        def edit(widget: KubeObject) -> KubeObject:
            widget.metadata.managed_fields = list(entries)
            return widget

        return edit

    moved = change("moved", give(entry), by("kubectl"))
    unread = change("moved", give(ManagedFieldsEntry(manager="x", operation="Move")), by("kubectl"))

    assert moved.object().metadata.managed_fields == [entry]
    assert unread == moved


def test_a_client_that_names_no_manager_is_known_by_its_program() -> None:
    assert program("kubectl/v1.30.0 (linux/amd64) kubernetes/abc") == "kubectl"
    assert program("") == "unknown"
    assert program("a\x07b/1") == "ab"
    assert len(program("x" * 300)) == 128
