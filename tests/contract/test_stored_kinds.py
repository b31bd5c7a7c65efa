"""What every stored kind owes its clients: the life of an object from create to delete."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from registry_meta.kube.objects import stored_kinds
from registry_meta.kube.patch.request import JSON_PATCH, MERGE_PATCH, STRATEGIC_PATCH
from tests.contract.examples import EXAMPLES, Document
from tests.contract.kinds import Kind, status_of
from tests.kube.list_matches_watch import list_matches_watch
from tests.watching import steps, watching

LABEL = {"metadata": {"labels": {"changed": "yes"}}}
PATCHES: dict[str, Any] = {
    JSON_PATCH: [{"op": "add", "path": "/metadata/labels/changed", "value": "yes"}],
    MERGE_PATCH: LABEL,
    STRATEGIC_PATCH: LABEL,
}


def changed(document: Document) -> Document:
    """Return a copy of an object with one label more."""
    copied = copy.deepcopy(document)
    copied["metadata"]["labels"]["changed"] = "yes"
    return copied


def name_of(document: Document) -> str:
    """Return the name of an object."""
    name: str = document["metadata"]["name"]
    return name


def test_there_is_an_example_of_every_stored_kind() -> None:
    assert {resource.key for resource in stored_kinds()} <= set(EXAMPLES)


def test_a_created_object_is_read_and_listed_as_it_was_answered(kind: Kind) -> None:
    created = kind.settled()

    read = kind.get(name_of(created)).json()

    metadata = created["metadata"]
    assert (created["kind"], created["apiVersion"]) == (kind.resource.kind, kind.resource.api_version)
    assert metadata["uid"]
    assert metadata["creationTimestamp"]
    assert int(metadata["resourceVersion"]) > 0
    assert metadata.get("namespace", "") == kind.namespace
    assert read == created
    assert kind.names() == [name_of(created)]


def test_a_name_is_taken_once(kind: Kind) -> None:
    created = kind.settled()

    answer = kind.post(kind.new())

    assert status_of(answer) == (409, "Status", "AlreadyExists")
    assert answer.json()["details"]["name"] == name_of(created)


def test_an_object_that_does_not_exist_is_not_found(kind: Kind) -> None:
    name = kind.example.name("nobody")

    answers = [kind.get(name), kind.delete(name), kind.patch(name, MERGE_PATCH, LABEL)]

    assert [status_of(answer) for answer in answers] == [(404, "Status", "NotFound")] * 3


def test_an_update_at_the_newest_version_is_stored(kind: Kind) -> None:
    created = kind.settled()

    answer = kind.put(changed(created))

    assert answer.status_code == 200, answer.text
    assert answer.json() == kind.get(name_of(created)).json()
    assert answer.json()["metadata"]["labels"]["changed"] == "yes"
    assert answer.json()["metadata"]["uid"] == created["metadata"]["uid"]
    assert int(answer.json()["metadata"]["resourceVersion"]) > int(created["metadata"]["resourceVersion"])


def test_an_update_at_an_old_version_is_refused(kind: Kind) -> None:
    created = kind.settled()
    kind.put(changed(created))

    answer = kind.put(created)

    assert status_of(answer) == (409, "Status", "Conflict")
    assert kind.get(name_of(created)).json()["metadata"]["labels"]["changed"] == "yes"


def test_an_update_that_changes_nothing_keeps_the_version(kind: Kind) -> None:
    created = kind.settled()

    answer = kind.put(kind.get(name_of(created)).json())

    assert answer.status_code == 200, answer.text
    assert answer.json() == created


@pytest.mark.parametrize("content_type", PATCHES)
def test_a_patch_changes_what_it_says(kind: Kind, content_type: str) -> None:
    created = kind.settled()

    answer = kind.patch(name_of(created), content_type, PATCHES[content_type])

    assert answer.status_code == 200, answer.text
    assert answer.json()["metadata"]["labels"] == {**created["metadata"]["labels"], "changed": "yes"}
    assert answer.json() == kind.get(name_of(created)).json()


def test_a_patch_at_an_old_version_is_refused(kind: Kind) -> None:
    created = kind.settled()
    kind.put(changed(created))

    stale = {"metadata": {"resourceVersion": created["metadata"]["resourceVersion"], "labels": {"changed": "again"}}}
    answer = kind.patch(name_of(created), MERGE_PATCH, stale)

    assert status_of(answer) == (409, "Status", "Conflict")


def test_a_patch_that_changes_nothing_keeps_the_version(kind: Kind) -> None:
    created = kind.settled()

    answer = kind.patch(name_of(created), MERGE_PATCH, {})

    assert answer.json() == created


def test_a_deleted_object_is_gone_and_its_name_is_free(kind: Kind) -> None:
    created = kind.settled()

    answer = kind.delete(name_of(created))

    assert answer.status_code == 200, answer.text
    kind.wait_gone(name_of(created))
    assert kind.names() == []
    assert kind.create()["metadata"]["uid"] != created["metadata"]["uid"]


def test_a_deletion_holds_to_its_preconditions(kind: Kind) -> None:
    created = kind.settled()
    options = {"kind": "DeleteOptions", "apiVersion": "v1", "preconditions": {"uid": "somebody-else"}}

    answer = kind.client.delete(kind.url(name_of(created)), json=options)

    assert status_of(answer) == (409, "Status", "Conflict")
    assert kind.get(name_of(created)).json() == created


def test_a_finalizer_holds_an_object(kind: Kind) -> None:
    document = kind.new()
    document["metadata"]["finalizers"] = ["example.com/hold"]
    created = kind.post(document).json()

    kind.delete(name_of(created))
    held = kind.get(name_of(created)).json()
    kind.patch(name_of(created), MERGE_PATCH, {"metadata": {"finalizers": None}})

    assert held["metadata"]["deletionTimestamp"]
    assert "example.com/hold" in held["metadata"]["finalizers"]
    kind.wait_gone(name_of(created))


def test_a_watch_tells_the_life_of_an_object(kind: Kind) -> None:
    with watching(kind.client, kind.collection, resourceVersion=kind.version(), labelSelector=kind.selector) as watch:
        created = kind.create()
        observed = kind.observed(created)
        updated = kind.put(changed(observed)).json()
        kind.delete(name_of(created))
        frames = watch.until(lambda frames: frames[-1]["type"] == "DELETED")

    written = [created, *([] if observed == created else [observed]), updated]
    assert [frame["object"] for frame in frames[: len(written)]] == written
    told = [type_ for type_, _ in steps(frames)]
    assert (told[0], told[1], told[-1]) == ("ADDED", "MODIFIED", "DELETED")
    assert len(told) == len(written) + 1 or kind.example.finishes_elsewhere
    versions = [int(frame["object"]["metadata"]["resourceVersion"]) for frame in frames]
    assert versions == sorted(set(versions))


def test_a_list_and_the_watch_behind_it_make_the_next_list(kind: Kind) -> None:
    kept, edited, removed = (kind.create(suffix) for suffix in ("kept", "edited", "removed"))

    def act() -> None:
        kind.put(changed(edited))
        kind.delete(name_of(removed))
        kind.wait_gone(name_of(removed))
        kind.create("new")
        kind.create("passing")
        kind.delete(kind.made[-1])
        kind.wait_gone(kind.made[-1])
        kind.patch(name_of(kept), MERGE_PATCH, LABEL)

    list_matches_watch(kind.client, kind.collection, act, selector=kind.selector)


def test_pages_of_a_list_are_of_one_state(kind: Kind) -> None:
    for suffix in ("a", "b", "c"):
        kind.create(suffix)
    first = kind.listing(limit=2)
    kind.create("d")

    second = kind.listing(limit=2, **{"continue": first["metadata"]["continue"]})

    names = sorted(name_of(item) for page in (first, second) for item in page["items"])
    assert names == sorted(kind.made[:3])
    assert first["metadata"]["resourceVersion"] == second["metadata"]["resourceVersion"]
    assert "continue" not in second["metadata"]


def test_a_field_selector_finds_an_object_by_its_name(kind: Kind) -> None:
    kind.create("a")
    wanted = kind.create("b")

    found = kind.listing(fieldSelector=f"metadata.name={name_of(wanted)}")

    assert [name_of(item) for item in found["items"]] == [name_of(wanted)]


def test_a_dry_run_stores_nothing(kind: Kind) -> None:
    created = kind.settled()
    before = kind.version()

    answers = [
        kind.post(kind.new("dry"), dryRun="All"),
        kind.put(changed(created), dryRun="All"),
        kind.patch(name_of(created), MERGE_PATCH, LABEL, dryRun="All"),
        kind.delete(name_of(created), dryRun="All"),
    ]

    assert [answer.status_code for answer in answers] == [201, 200, 200, 200]
    assert answers[1].json()["metadata"]["labels"]["changed"] == "yes"
    assert kind.names() == [name_of(created)]
    assert kind.get(name_of(created)).json() == created
    assert kind.listing(resourceVersion=before, resourceVersionMatch="Exact")["items"] == kind.listing()["items"]


def test_a_generated_name_begins_as_asked(kind: Kind) -> None:
    if not kind.example.generates_names:
        pytest.skip("names of this kind say what the object is")
    document = kind.new()
    document["metadata"]["generateName"] = document["metadata"].pop("name")

    first, second = kind.post(document).json(), kind.post(document).json()

    assert name_of(first) != name_of(second)
    assert all(name_of(made).startswith(document["metadata"]["generateName"]) for made in (first, second))


def test_deleting_a_collection_removes_what_is_selected(kind: Kind) -> None:
    if "deletecollection" not in kind.resource.verbs:
        pytest.skip("this kind has no such verb")
    kind.create("a")
    kept = kind.post(changed(kind.new("b"))).json()

    answer = kind.client.delete(kind.collection, params={"labelSelector": f"{kind.selector},!changed"})

    assert answer.status_code == 200, answer.text
    assert kind.names() == [name_of(kept)]
