"""What holds for server-side apply and managed fields of every stored kind."""

from __future__ import annotations

from typing import Any

from registry_meta.kube.patch.request import APPLY_PATCH, MERGE_PATCH
from tests.contract.examples import Document
from tests.contract.kinds import Kind, status_of


def labelled(kind: Kind, created: Document, **labels: str) -> Document:
    """Return a configuration of nothing but labels."""
    head = {"kind": kind.resource.kind, "apiVersion": kind.resource.api_version}
    return {**head, "metadata": {"name": created["metadata"]["name"], "labels": labels}}


def apply(kind: Kind, config: Document, manager: str, **query: str) -> Any:
    return kind.patch(config["metadata"]["name"], APPLY_PATCH, config, fieldManager=manager, **query)


def managers(document: Document) -> list[str]:
    return [entry["manager"] for entry in document["metadata"].get("managedFields", [])]


def test_a_configuration_makes_an_object_and_then_changes_nothing(kind: Kind) -> None:
    config = kind.new()
    kind.made.append(config["metadata"]["name"])

    first, second = apply(kind, config, "one"), apply(kind, config, "one")

    assert (first.status_code, second.status_code) == (201, 200), (first.text, second.text)
    assert managers(first.json())[0] == "one"
    assert owned_labels(second.json(), "one") == owned_labels(first.json(), "one")
    assert second.json()["metadata"]["labels"] == first.json()["metadata"]["labels"]


def owned_labels(document: Document, manager: str) -> Any:
    entries = document["metadata"]["managedFields"]
    return [entry["fieldsV1"]["f:metadata"]["f:labels"] for entry in entries if entry["manager"] == manager]


def test_labels_of_two_managers_stay_apart(kind: Kind) -> None:
    created = kind.settled()
    apply(kind, labelled(kind, created, one="1"), "one")
    apply(kind, labelled(kind, created, two="2"), "two")

    answer = apply(kind, labelled(kind, created), "one")

    assert answer.status_code == 200, answer.text
    assert answer.json()["metadata"]["labels"] == {**created["metadata"]["labels"], "two": "2"}


def test_a_conflict_changes_nothing_and_force_takes_over(kind: Kind) -> None:
    created = kind.settled()
    apply(kind, labelled(kind, created, shared="1"), "one")

    refused = apply(kind, labelled(kind, created, shared="2"), "two")
    between = kind.get(created["metadata"]["name"]).json()
    forced = apply(kind, labelled(kind, created, shared="2"), "two", force="true")

    assert status_of(refused) == (409, "Status", "Conflict")
    assert refused.json()["details"]["causes"] == [
        {"reason": "FieldManagerConflict", "message": 'conflict with "one"', "field": ".metadata.labels.shared"}
    ]
    assert between["metadata"]["labels"]["shared"] == "1"
    assert forced.json()["metadata"]["labels"]["shared"] == "2"
    assert "one" not in managers(forced.json())


def test_an_update_owns_what_it_changes(kind: Kind) -> None:
    created = kind.settled()
    name = created["metadata"]["name"]

    changed = kind.patch(name, MERGE_PATCH, {"metadata": {"labels": {"changed": "yes"}}}, fieldManager="labeller")
    again = kind.patch(name, MERGE_PATCH, {"metadata": {"labels": {"changed": "yes"}}}, fieldManager="visitor")

    assert owned_labels(changed.json(), "labeller") == [{"f:changed": {}}]
    assert "visitor" not in managers(again.json())


def test_a_configuration_is_of_this_object_and_names_a_manager(kind: Kind) -> None:
    created = kind.settled()
    config = labelled(kind, created, one="1")
    name = created["metadata"]["name"]

    answers = [
        kind.patch(name, APPLY_PATCH, config),
        apply(kind, {**config, "apiVersion": "v9"}, "one"),
        apply(kind, {**config, "kind": "Other"}, "one"),
        apply(kind, {**config, "metadata": {**config["metadata"], "managedFields": []}}, "one"),
        apply(kind, {**config, "unheard": "of"}, "one"),
        kind.patch(name, APPLY_PATCH, {**config, "metadata": {"name": "another"}}, fieldManager="one"),
    ]

    assert [answer.status_code for answer in answers] == [422, 400, 400, 400, 500, 400]
    assert kind.get(name).json()["metadata"]["labels"] == created["metadata"]["labels"]


def test_an_empty_list_of_managers_forgets_them(kind: Kind) -> None:
    created = kind.settled()

    answer = kind.patch(created["metadata"]["name"], MERGE_PATCH, {"metadata": {"managedFields": [{}]}})

    assert answer.status_code == 200, answer.text
    assert managers(answer.json()) == []


def test_a_configuration_that_is_refused_is_no_news_for_the_log(kind: Kind) -> None:
    created = kind.settled()
    before = len(kind.server.log)

    answer = apply(kind, {**labelled(kind, created), "unheard": "of"}, "one")

    assert answer.status_code == 500
    assert " ERROR " not in kind.server.log[before:]


def test_an_object_of_a_uid_is_not_made_anew(kind: Kind) -> None:
    config = kind.new()
    config["metadata"]["uid"] = "c3c3c3c3-0000-4000-8000-000000000001"

    answer = apply(kind, config, "one")

    assert status_of(answer) == (409, "Status", "Conflict")
    assert "no existing object was found" in answer.json()["message"]
    assert kind.get(config["metadata"]["name"]).status_code == 404
