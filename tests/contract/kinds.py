"""One stored kind on one server, as the tests of the contract use it."""

from __future__ import annotations

import itertools
import time
from typing import Any

import requests

from registry_meta.kube.resource import Resource
from tests.contract.examples import EXAMPLES, Document, Example
from tests.processes import wait_until
from tests.server import Server
from tests.watching import PATIENCE

MARK = "contract"
numbers = itertools.count(1)


class Kind:
    """A stored kind: makes objects of it, each with a label of this instance, and addresses them."""

    def __init__(self, server: Server, resource: Resource, client: requests.Session, namespace: str) -> None:
        self.server = server
        self.resource = resource
        self.client = client
        self.namespace = namespace if resource.namespaced else ""
        self.word = f"t{next(numbers)}"
        self.made: list[str] = []

    @property
    def example(self) -> Example:
        """What is known of the kind's objects."""
        return EXAMPLES[self.resource.key]

    @property
    def selector(self) -> str:
        """The label selector of the objects made here."""
        return f"{MARK}={self.word}"

    @property
    def collection(self) -> str:
        """The URL of the objects, in their namespace where they have one."""
        return collection_url(self.server.url, self.resource, self.namespace)

    def url(self, name: str) -> str:
        """Return the URL of an object."""
        return f"{self.collection}/{name}"

    def new(self, suffix: str = "a") -> Document:
        """Return an object that was not sent yet."""
        name = self.example.name(f"{self.word}-{suffix}")
        metadata: Document = {"name": name, "labels": {MARK: self.word}}
        if self.namespace:
            metadata["namespace"] = self.namespace
        head = {"kind": self.resource.kind, "apiVersion": self.resource.api_version}
        content: Document = self.example.content(self.namespace)
        return {**head, "metadata": metadata, **content, **self.example.of_name(name)}

    def create(self, suffix: str = "a") -> Document:
        """Create an object and return it."""
        answer = self.post(self.new(suffix))
        assert answer.status_code == 201, answer.text
        document: Document = answer.json()
        return document

    def settled(self) -> Document:
        """Create an object and return it once the server has written what it writes by itself."""
        return self.observed(self.create())

    def observed(self, created: Document) -> Document:
        """Return an object that was created, once the server has written what it writes by itself."""
        if not self.example.observed:
            return created
        document = dict(created)
        name, generation = document["metadata"]["name"], document["metadata"]["generation"]

        def is_observed() -> bool:
            found: Document = self.get(name).json()
            document.update(found)
            return bool(found["status"].get("observedGeneration") == generation)

        wait_until(is_observed, seconds=PATIENCE, what="the object is observed")
        return document

    def post(self, document: object, **query: str) -> requests.Response:
        """Send a document to be created."""
        answer = self.client.post(self.collection, json=document, params=query)
        if answer.status_code == 201 and isinstance(document, dict):
            self.made.append(answer.json()["metadata"]["name"])
        return answer

    def get(self, name: str, **query: str) -> requests.Response:
        """Read an object."""
        return self.client.get(self.url(name), params=query)

    def put(self, document: Document, **query: str) -> requests.Response:
        """Replace an object."""
        return self.client.put(self.url(document["metadata"]["name"]), json=document, params=query)

    def patch(self, name: str, content_type: str, body: object, **query: str) -> requests.Response:
        """Patch an object."""
        return self.client.patch(self.url(name), json=body, headers={"Content-Type": content_type}, params=query)

    def delete(self, name: str, **query: str) -> requests.Response:
        """Delete an object, without waiting for the end of it."""
        return self.client.delete(self.url(name), params=query)

    def listing(self, **query: str | int) -> Document:
        """Return the list of the objects made here."""
        answer = self.client.get(self.collection, params={"labelSelector": self.selector, **query})
        assert answer.status_code == 200, answer.text
        document: Document = answer.json()
        return document

    def names(self) -> list[str]:
        """Return the names of the objects made here that there are."""
        return sorted(item["metadata"]["name"] for item in self.listing()["items"])

    def version(self) -> str:
        """Return the version of the collection now."""
        version: str = self.listing()["metadata"]["resourceVersion"]
        return version

    def wait_gone(self, name: str) -> None:
        """Return once an object is gone."""
        deadline = time.monotonic() + PATIENCE
        while self.get(name).status_code != 404:
            assert time.monotonic() < deadline, f"{name} is still there"
            time.sleep(0.05)

    def clear(self) -> None:
        """Delete what was made here."""
        for name in self.made:
            self.delete(name)


def collection_url(base: str, resource: Resource, namespace: str = "") -> str:
    """Return the URL of a kind's objects."""
    root = f"{base}/apis/{resource.group}" if resource.group else f"{base}/api"
    place = f"namespaces/{namespace}/" if namespace else ""
    return f"{root}/{resource.version}/{place}{resource.plural}"


def status_of(answer: requests.Response) -> tuple[int, str, Any]:
    """Return the code, the kind and the reason of an answer that is a Status."""
    document = answer.json()
    return answer.status_code, document.get("kind"), document.get("reason")
