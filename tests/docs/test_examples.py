"""A server accepts the examples as they are written."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests

from registry_meta.kube.catalog import catalog
from registry_meta.kube.resource import Resource
from tests.contract.kinds import collection_url
from tests.docs.pages import pages
from tests.server import Server

NAMESPACE = "shop"
NEEDS_THE_INTERNET = {"ImageStreamImport"}


def resource_of(example: dict[str, Any]) -> Resource | None:
    """Return the kind of an example, if objects of it can be created."""
    found = (item for item in catalog if (item.api_version, item.kind) == (example["apiVersion"], example["kind"]))
    return next((item for item in found if "create" in item.verbs), None)


EXAMPLES = [
    pytest.param(example, resource, id=f"{page.name}-{number}")
    for page in pages()
    for number, example in enumerate(page.examples())
    if (resource := resource_of(example)) is not None and resource.kind not in NEEDS_THE_INTERNET
]


@pytest.fixture(scope="module")
def client(sqlite_server: Server) -> Iterator[requests.Session]:
    """The administrator's session on a server with the namespace of the examples."""
    with sqlite_server.client() as session:
        post(session, sqlite_server, "namespaces", {"metadata": {"name": NAMESPACE}})
        yield session


def post(session: requests.Session, server: Server, plural: str, document: dict[str, Any]) -> None:
    """Create what an example presupposes."""
    resource = next(item for item in catalog if item.plural == plural)
    url = collection_url(server.url, resource, NAMESPACE if resource.namespaced else "")
    answer = session.post(url, json=document)
    assert answer.status_code in (201, 409), answer.text


@pytest.mark.parametrize(("example", "resource"), EXAMPLES)
def test_a_server_accepts_the_example(
    example: dict[str, Any], resource: Resource, client: requests.Session, sqlite_server: Server
) -> None:
    presuppose(example, client, sqlite_server)
    namespace = example.get("metadata", {}).get("namespace", NAMESPACE) if resource.namespaced else ""

    url = collection_url(sqlite_server.url, resource, namespace)
    answer = client.post(url, json=example, params={"dryRun": "All", "fieldValidation": "Strict"})

    assert answer.status_code == 201 or answer.json().get("reason") == "AlreadyExists", answer.text


def presuppose(example: dict[str, Any], client: requests.Session, server: Server) -> None:
    """Create the stream of a mapping, the image of a signature, and who is mapped."""
    if example["kind"] == "ImageStreamMapping":
        post(client, server, "imagestreams", {"metadata": {"name": example["metadata"]["name"]}})
    if example["kind"] == "UserIdentityMapping":
        provider, _, user_id = example["identity"]["name"].partition(":")
        post(client, server, "identities", {"providerName": provider, "providerUserName": user_id})
        post(client, server, "users", {"metadata": {"name": example["user"]["name"]}})
    if example["kind"] == "ImageSignature":
        name = example["metadata"]["name"].partition("@")[0]
        post(client, server, "images", {"metadata": {"name": name}, "dockerImageReference": f"quay.io/acme/app@{name}"})


def test_most_examples_are_tried() -> None:
    tried = {resource.plural for _, resource in (param.values for param in EXAMPLES) if isinstance(resource, Resource)}

    assert {item.plural for item in catalog if "create" in item.verbs} - tried <= {"imagestreamimports"}


def test_pages_with_examples_are_found() -> None:
    assert {page.name for page in pages() if page.examples()} >= {"docs/imports.md", "docs/imagetriggers.md"}
