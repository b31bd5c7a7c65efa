"""The API as these tests speak it: a few requests over HTTPS, and the objects that they send."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import requests

from tests.server import Server

Json = dict[str, Any]
IMAGES = "apis/image.openshift.io/v1"
TRIGGERS = "apis/triggers.registry-meta.io/v1alpha1"
PATIENCE = 30

_numbers = itertools.count(1)


class Api:
    """A namespace of its own on a server, and requests to it as the administrator."""

    def __init__(self, server: Server, namespace: str = "") -> None:
        self.server = server
        self.namespace = namespace or f"served-{next(_numbers)}"
        self.session = server.client()
        self.post("api/v1/namespaces", {"metadata": {"name": self.namespace}})

    def place(self, plural: str, *, prefix: str = IMAGES) -> str:
        """Return the path of a collection of the namespace."""
        return f"{prefix}/namespaces/{self.namespace}/{plural}"

    def url(self, path: str) -> str:
        """Return the URL of a path."""
        return f"{self.server.url}/{path}"

    def get(self, path: str) -> Json:
        """Read an object or a list."""
        return _body(self.session.get(self.url(path), timeout=PATIENCE))

    def post(self, path: str, body: Json) -> Json:
        """Create an object."""
        return _body(self.session.post(self.url(path), json=body, timeout=PATIENCE))

    def patch(self, path: str, body: Json) -> Json:
        """Merge something into an object."""
        headers = {"Content-Type": "application/merge-patch+json"}
        return _body(self.session.patch(self.url(path), json=body, headers=headers, timeout=PATIENCE))

    # --- what these tests make

    def secret(self, name: str, data: Mapping[str, str], *, type_: str = "Opaque") -> Json:
        """Create a Secret."""
        body = {"metadata": {"name": name}, "type": type_, "stringData": dict(data)}
        return self.post(self.place("secrets", prefix="api/v1"), body)

    def stream(self, name: str, tags: Mapping[str, str], *, scheduled: bool = False) -> Json:
        """Create a stream whose tags come from pull specs."""
        policy = {"insecure": True, "scheduled": scheduled}
        wished = [
            {"name": tag, "from": {"kind": "DockerImage", "name": pullspec}, "importPolicy": policy}
            for tag, pullspec in tags.items()
        ]
        return self.post(self.place("imagestreams"), {"metadata": {"name": name}, "spec": {"tags": wished}})

    def trigger(self, name: str, source: str, url: str, *, secret: str = "") -> Json:
        """Create a trigger on `stream:tag`; the key of its secret is called `key`."""
        webhook = {"url": url} | ({"secretRef": {"name": secret, "key": "key"}} if secret else {})
        body = {"metadata": {"name": name}, "spec": {"from": {"name": source}, "webhook": webhook}}
        return self.post(self.place("imagetriggers", prefix=TRIGGERS), body)

    def bring_in(self, name: str, tags: Mapping[str, str]) -> Json:
        """Import tags into a stream now, and return the answer."""
        return self.post(self.place("imagestreamimports"), stream_import(name, tags))

    # --- what these tests ask

    def history(self, stream: str, tag: str) -> list[str]:
        """Return the digests that a tag had, the newest first."""
        status = self.get(self.place(f"imagestreams/{stream}"))["status"]
        entries: Sequence[Json] = status.get("tags") or []
        found = [item["image"] for entry in entries if entry["tag"] == tag for item in entry.get("items") or []]
        return [str(digest) for digest in found]

    def condition(self, trigger: str, type_: str) -> str:
        """Return the reason of a condition of a trigger; empty while there is none."""
        status = self.get(self.place(f"imagetriggers/{trigger}", prefix=TRIGGERS)).get("status", {})
        conditions: Sequence[Json] = status.get("conditions") or []
        return next((str(each["reason"]) for each in conditions if each["type"] == type_), "")


def stream_import(name: str, tags: Mapping[str, str]) -> Json:
    """Return an ImageStreamImport that brings pull specs in as tags."""
    images = [
        {"from": {"kind": "DockerImage", "name": pullspec}, "to": {"name": tag}, "importPolicy": {"insecure": True}}
        for tag, pullspec in tags.items()
    ]
    return {
        "kind": "ImageStreamImport",
        "apiVersion": "image.openshift.io/v1",
        "metadata": {"name": name},
        "spec": {"import": True, "images": images},
    }


def _body(response: requests.Response) -> Json:
    assert response.ok, f"{response.request.method} {response.url}: {response.status_code} {response.text}"
    body: Json = response.json()
    return body
