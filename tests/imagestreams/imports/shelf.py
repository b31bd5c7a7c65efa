"""A registry whose content tests change as they go, and imports from it through the API."""

from __future__ import annotations

# What fills the registry is shared with the recorded conversations and has no annotations.
# mypy: allow-untyped-calls
import json
import re
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from imagestreams.api.imagestreams import find_stream
from imagestreams.types import ImageStream
from tests.authz.conftest import Api
from tests.conformance.odd_registry import Memory, errors, schema1
from tests.registries import KINDS, Reply, Request, StandIn

Json = dict[str, Any]
IMPORTS = "/apis/image.openshift.io/v1/namespaces/shop/imagestreamimports"
STREAMS = "/apis/image.openshift.io/v1/namespaces/shop/imagestreams"
PATIENCE = 20.0
PART = re.compile(r"/v2/(.+)/(manifests|blobs|tags)/([^/]+)")


class Shelf:
    """A registry in memory; `intercept` may answer a request in its place, or wait before it is answered.

    What is looked up is looked up before the interception, so a request that is held back has seen the past.
    """

    def __init__(self) -> None:
        self.store = Memory()
        self.intercept: Callable[[Request], Reply | None] = lambda request: None
        self._site = StandIn(self._answer)

    @property
    def host(self) -> str:
        """The name of the registry in pull specs."""
        return self._site.host

    def __enter__(self) -> Self:
        self._site.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._site.__exit__(kind, error, traceback)

    def push(self, repository: str, tag: str | None, *, seed: str, kind: str = "image", **more: Any) -> str:
        """Put content of a kind, made of a seed, onto the shelf; return the digest of its manifest."""
        return str(KINDS[kind](self.store, repository, tag, seed=seed, **more)["digest"])

    def push_index(self, repository: str, tag: str, members: list[Json], *, kind: str = "") -> str:
        """Put an index of members, given as descriptors, onto the shelf."""
        kind = kind or "application/vnd.oci.image.index.v1+json"
        body = {"schemaVersion": 2, "mediaType": kind, "manifests": members}
        return str(self.store.push_manifest(repository, tag, kind, body)["digest"])

    def push_schema1(self, repository: str, tag: str) -> None:
        """Put a signed manifest of the first schema onto the shelf."""
        schema1(self.store, repository, tag)

    def drop(self, repository: str, tag: str) -> None:
        """Take a tag off the shelf."""
        del self.store.manifests[repository, tag]
        self.store.tags[repository] = [name for name in self.store.tags[repository] if name != tag]

    def asked(self, kind: str = "") -> list[str]:
        """Return method, kind and name of what was asked for, in order."""
        found = [(request.method, PART.fullmatch(request.path)) for request in self._site.requests]
        return [f"{method} {part[2]} {part[3]}" for method, part in found if part and part[2].startswith(kind)]

    def _answer(self, request: Request) -> Reply | None:
        found = self._stored(request)
        return self.intercept(request) or found

    def _stored(self, request: Request) -> Reply | None:
        part = PART.fullmatch(request.path)
        if part is None:
            return Reply(200, "{}", {"Docker-Distribution-Api-Version": "registry/2.0"})
        repository, kind, name = part.groups()
        if kind == "tags":
            tags = self.store.tags.get(repository)
            if tags is None:
                return Reply(404, errors("NAME_UNKNOWN", "repository name not known to registry"))
            return Reply(200, json.dumps({"name": repository, "tags": list(dict.fromkeys(tags))}))
        if kind == "blobs":
            data = self.store.blobs.get((repository, name))
            return Reply(404, errors("BLOB_UNKNOWN", "blob unknown")) if data is None else Reply(200, data)
        known = self.store.manifests.get((repository, name))
        if known is None:
            return Reply(404, errors("MANIFEST_UNKNOWN", "manifest unknown"))
        return Reply(200, known[1], {"Content-Type": known[0]})


class Brake:
    """Holds back the first request for a manifest by some name; the others pass."""

    def __init__(self, name: str) -> None:
        self.reached, self.gate = threading.Event(), threading.Event()
        self._name = name
        self._first = threading.Lock()

    def __call__(self, request: Request) -> Reply | None:
        if request.path.endswith(f"/manifests/{self._name}") and self._first.acquire(blocking=False):
            self.reached.set()
            self.gate.wait(PATIENCE)
        return None


def image(spec: str, to: str | None = None, **more: Any) -> Json:
    """Return an entry of `spec.images`."""
    policy = {"insecure": True, **more.pop("policy", {})}
    target = {"to": {"name": to}} if to is not None else {}
    return {"from": {"kind": "DockerImage", "name": spec}, "importPolicy": policy, **target, **more}


def repository(spec: str, **more: Any) -> Json:
    """Return a `spec.repository`."""
    policy = {"insecure": True, **more.pop("policy", {})}
    return {"from": {"kind": "DockerImage", "name": spec}, "importPolicy": policy, **more}


def asking(*images: Json, of: Json | None = None, store: bool = True, **metadata: Any) -> Json:
    """Return an ImageStreamImport into the stream `app`."""
    spec: Json = {"import": store} | ({"images": list(images)} if images else {}) | ({"repository": of} if of else {})
    return {"metadata": {"name": "app", **metadata}, "spec": spec}


def bring_in(api: Api, *images: Json, of: Json | None = None, store: bool = True, **metadata: Any) -> Json:
    """Do an import into the stream `app` and return its status."""
    code, answer = api.post(IMPORTS, asking(*images, of=of, store=store, **metadata))
    assert code == 201, answer
    status: Json = answer["status"]
    return status


def app() -> ImageStream:
    """Return the stream `app` as it is stored."""
    found = find_stream("shop", "app")
    assert found is not None
    return found


def results(entries: list[Json] | None) -> list[str]:
    """Return for each entry of an answer `Success`, or the reason of its failure."""
    return [entry["status"].get("reason") or entry["status"]["status"] for entry in entries or []]
