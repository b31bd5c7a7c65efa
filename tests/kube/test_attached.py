"""What is served below the objects of a kind in a group of its own."""

from __future__ import annotations

import json
from typing import Any

import pytest

from registry_meta.kube import discovery
from registry_meta.kube.catalog import Catalog
from registry_meta.kube.meta import KubeObject
from registry_meta.kube.openapi_documents import version_2, version_3
from registry_meta.kube.openapi_schemas import Definitions
from registry_meta.kube.resource import Column, Option, Resource, Subresource


class Ledger:
    """Lists what lies below an object."""

    get = staticmethod(lambda: None)


class Undoing:
    """Makes something below an object."""

    create = staticmethod(lambda: None)


class Entry(KubeObject):
    """One entry."""

    text: str = ""


class Undo(KubeObject):
    """A wish to undo."""


ENTRIES = Subresource(
    name="entries",
    storage=Ledger(),
    type=Entry,
    kind="Entry",
    is_list=True,
    columns=(Column("Text"),),
    row=lambda obj, now: [obj.text],
    options=(Option(name="since", description="Since when."),),
)
UNDO = Subresource(name="undo", storage=Undoing(), type=Undo, kind="Undo")
BOOKS = Resource(
    group="books.example.com",
    version="v1",
    kind="Book",
    plural="books",
    singular="book",
    namespaced=True,
    type=KubeObject,
    storage=Ledger(),
    short_names=("b",),
)
GROUP, VERSION = "shelf.example.com", "v1alpha1"
AGGREGATED = "application/json;as=APIGroupDiscoveryList;v=v2;g=apidiscovery.k8s.io"
ITEM = f"/apis/{GROUP}/{VERSION}/namespaces/{{namespace}}/books/{{name}}"


@pytest.fixture
def catalog(monkeypatch: pytest.MonkeyPatch) -> Catalog:
    made = Catalog()
    made.register(BOOKS)
    made.attach(BOOKS, ENTRIES, UNDO, group=GROUP, version=VERSION)
    monkeypatch.setattr(discovery, "catalog", made)
    return made


def test_the_kind_stays_as_it_was(catalog: Catalog) -> None:
    assert list(catalog) == [BOOKS]
    assert catalog.find("books.example.com", "v1", "books") is BOOKS
    assert catalog.of("books.example.com", "v1") == [BOOKS]


def test_what_is_attached_is_found_at_its_own_path(catalog: Catalog) -> None:
    found = catalog.find(GROUP, VERSION, "books")

    assert list(catalog.attached()) == [found]
    assert found is not None
    assert not found.is_listed
    assert found.subresource("entries") is ENTRIES
    assert catalog.has(GROUP, VERSION)
    assert catalog.groups()[GROUP] == [VERSION]


def test_a_place_is_taken_once(catalog: Catalog) -> None:
    with pytest.raises(ValueError, match="declared twice"):
        catalog.attach(BOOKS, UNDO, group=GROUP, version=VERSION)
    with pytest.raises(ValueError, match="declared twice"):
        catalog.attach(BOOKS, UNDO, group="books.example.com", version="v1")


def test_clients_find_nothing_but_what_lies_below(catalog: Catalog, rf: Any) -> None:
    plain, aggregated = rf.get("/"), rf.get("/", headers={"accept": AGGREGATED})
    listed = _json(discovery.resources(plain, version=VERSION, group=GROUP))["resources"]
    groups = {item["metadata"]["name"]: item for item in _json(discovery.groups(aggregated))["items"]}

    assert [(entry["name"], entry["kind"], entry["verbs"]) for entry in listed] == [
        ("books/entries", "EntryList", ["get"]),
        ("books/undo", "Undo", ["create"]),
    ]
    [entry] = groups[GROUP]["versions"][0]["resources"]
    assert entry["responseKind"] == {"group": "", "version": "", "kind": ""}
    assert (entry["verbs"], entry.get("shortNames")) == ([], None)
    assert [sub["responseKind"]["kind"] for sub in entry["subresources"]] == ["EntryList", "Undo"]


def test_documents_tell_of_lists_and_what_their_queries_may_say(catalog: Catalog) -> None:
    kinds = catalog.of(GROUP, VERSION)
    document = version_3(kinds, Definitions(kinds))
    swagger = version_2(kinds, Definitions(kinds))

    name = "com.example.shelf.v1alpha1"
    assert sorted(document["paths"]) == [f"{ITEM}/entries", f"{ITEM}/undo"]
    get = document["paths"][f"{ITEM}/entries"]["get"]
    answer = get["responses"]["200"]["content"]["application/json"]["schema"]
    assert answer == {"$ref": f"#/components/schemas/{name}.EntryList"}
    assert [each["name"] for each in get["parameters"]] == ["since", "pretty"]
    assert set(swagger["definitions"]) >= {f"{name}.Entry", f"{name}.EntryList", f"{name}.Undo"}
    assert f"{name}.Book" not in swagger["definitions"]


def _json(response: Any) -> Any:
    return json.loads(response.content)
