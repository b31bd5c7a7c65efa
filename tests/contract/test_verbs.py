"""Every kind of the catalog, stored or not: the verbs that it declares are the verbs that it serves."""

from __future__ import annotations

import pytest
import requests

from registry_meta.kube.catalog import catalog
from registry_meta.kube.resource import Resource, Subresource
from tests.contract.kinds import collection_url
from tests.server import TEST_NAMESPACE, Server

NO_PATH = "the server could not find the requested resource"
MERGE = {"Content-Type": "application/merge-patch+json"}
NAME = "no-such-object"

KINDS = pytest.mark.parametrize("resource", list(catalog), ids=lambda resource: resource.key)
SUBRESOURCES = [(resource, sub) for resource in (*catalog, *catalog.attached()) for sub in resource.subresources]


def ask(client: requests.Session, verb: str, collection: str) -> requests.Response:
    """Send a request of a verb that can do no harm: of an object that does not exist, or with an empty body."""
    item = f"{collection}/{NAME}"
    nothing = {"labelSelector": "no=such"}
    if verb == "get":
        return client.get(item)
    if verb == "list":
        return client.get(collection, params=nothing)
    if verb == "watch":
        return client.get(collection, params={"watch": "1", "timeoutSeconds": "1", **nothing})
    if verb == "create":
        return client.post(collection, json={"metadata": {}}, params={"dryRun": "All"})
    if verb == "update":
        return client.put(item, json={}, params={"dryRun": "All"})
    if verb == "patch":
        return client.patch(item, data="{}", headers=MERGE, params={"dryRun": "All"})
    if verb == "delete":
        return client.delete(item, params={"dryRun": "All"})
    return client.delete(collection, params={"dryRun": "All", **nothing})


VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")


def is_served(answer: requests.Response) -> bool:
    """Return whether a path and method lead to a verb, whatever it says of the object."""
    if answer.status_code == 405:
        return False
    return not (answer.status_code == 404 and answer.json().get("message") == NO_PATH)


@KINDS
def test_the_verbs_served_are_those_declared(
    server: Server, administrator: requests.Session, resource: Resource
) -> None:
    collection = collection_url(server.url, resource, TEST_NAMESPACE if resource.namespaced else "")

    served = {verb for verb in VERBS if is_served(ask(administrator, verb, collection))}

    assert served == set(resource.verbs)


@KINDS
def test_refusals_are_statuses(server: Server, administrator: requests.Session, resource: Resource) -> None:
    collection = collection_url(server.url, resource, TEST_NAMESPACE if resource.namespaced else "")

    refusals = [ask(administrator, verb, collection) for verb in VERBS if verb not in resource.verbs]

    assert all(answer.json()["kind"] == "Status" for answer in refusals)
    assert {answer.status_code for answer in refusals} <= {404, 405}


@KINDS
def test_discovery_says_what_the_declaration_says(
    server: Server, administrator: requests.Session, resource: Resource
) -> None:
    root = f"/apis/{resource.group}" if resource.group else "/api"

    listed = administrator.get(f"{server.url}{root}/{resource.version}").json()["resources"]

    [entry] = [entry for entry in listed if entry["name"] == resource.plural]
    assert tuple(entry["verbs"]) == resource.verbs
    assert (entry["kind"], entry["singularName"], entry["namespaced"]) == (
        resource.kind,
        resource.singular,
        resource.namespaced,
    )
    assert tuple(entry.get("shortNames", ())) == resource.short_names
    names = {entry["name"] for entry in listed}
    assert {f"{resource.plural}/{sub.name}" for sub in resource.subresources if sub.verbs} <= names


@pytest.mark.parametrize(
    ("resource", "sub"), SUBRESOURCES, ids=[f"{resource.key}/{sub.name}" for resource, sub in SUBRESOURCES]
)
def test_the_verbs_of_a_subresource_are_those_declared(
    server: Server, administrator: requests.Session, resource: Resource, sub: Subresource
) -> None:
    namespace = TEST_NAMESPACE if resource.namespaced else ""
    path = f"{collection_url(server.url, resource, namespace)}/{NAME}/{sub.name}"

    answers = {
        "get": administrator.get(path),
        "create": administrator.post(path, json={}, params={"dryRun": "All"}),
        "update": administrator.put(path, json={}, params={"dryRun": "All"}),
        "patch": administrator.patch(path, data="{}", headers=MERGE, params={"dryRun": "All"}),
        "delete": administrator.delete(path, params={"dryRun": "All"}),
    }

    assert {verb for verb, answer in answers.items() if is_served(answer)} == set(sub.verbs)


@KINDS
def test_every_namespace_is_listed_at_once(server: Server, administrator: requests.Session, resource: Resource) -> None:
    if not resource.namespaced or "list" not in resource.verbs:
        pytest.skip("this kind has no lists of namespaces")

    answer = administrator.get(collection_url(server.url, resource))

    assert answer.status_code == 200
    assert answer.json()["kind"] == f"{resource.kind}List"


@pytest.mark.parametrize("resource", list(catalog.attached()), ids=lambda resource: resource.key)
def test_discovery_names_what_lies_below_in_another_group(
    server: Server, administrator: requests.Session, resource: Resource
) -> None:
    place = f"{server.url}/apis/{resource.group}/{resource.version}"

    listed = administrator.get(place).json()["resources"]

    of_kind = {entry["name"]: entry for entry in listed if entry["name"].startswith(f"{resource.plural}/")}
    assert {name: (entry["kind"], tuple(entry["verbs"])) for name, entry in of_kind.items()} == {
        f"{resource.plural}/{sub.name}": (sub.answered_kind, sub.verbs) for sub in resource.subresources
    }
    assert resource.plural not in {entry["name"] for entry in listed}


def test_openapi_describes_every_kind(server: Server, administrator: requests.Session) -> None:
    index = administrator.get(f"{server.url}/openapi/v3").json()["paths"]

    described: set[tuple[str, str, str]] = set()
    for place in index.values():
        document = administrator.get(f"{server.url}{place['serverRelativeURL']}").json()
        for schema in document.get("components", {}).get("schemas", {}).values():
            for kind in schema.get("x-kubernetes-group-version-kind", ()):
                described.add((kind["group"], kind["version"], kind["kind"]))

    assert {(resource.group, resource.version, resource.kind) for resource in catalog} <= described
    below = {
        (resource.group, resource.version, sub.answered_kind)
        for resource in catalog.attached()
        for sub in resource.subresources
    }
    assert below <= described


def test_openapi_explains_every_property(server: Server, administrator: requests.Session) -> None:
    index = administrator.get(f"{server.url}/openapi/v3").json()["paths"]
    documents = [administrator.get(f"{server.url}{place['serverRelativeURL']}").json() for place in index.values()]

    unexplained = [
        f"{name}.{member}"
        for document in documents
        for name, schema in document.get("components", {}).get("schemas", {}).items()
        for member, property_ in schema.get("properties", {}).items()
        if not property_.get("description")
    ]

    assert any(document.get("components", {}).get("schemas") for document in documents)
    assert unexplained == []
