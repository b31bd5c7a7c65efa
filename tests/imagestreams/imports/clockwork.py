"""A shop with scheduled tags, a registry that says what it has, and the clock, wound by hand."""

from __future__ import annotations

import time
from collections.abc import Mapping

from imagestreams import tags as engine
from imagestreams.api.imagestreams import find_stream
from imagestreams.formats import sha256
from imagestreams.imports import background, checks, queue, schedule, tasks
from imagestreams.models import ScheduledTag
from imagestreams.types import ImageStream
from registry_meta.kube import changes
from registry_meta.kube.meta import now
from tests.authz.conftest import Api
from tests.imagestreams.imports.shelf import PART, Json, Shelf, app
from tests.registries import Reply, Request

PATIENCE = 20.0


class Announced:
    """Lets a shelf name the digest of each manifest in the header that registries name it in; counts the questions."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self.reply: Reply | None = None
        """What is answered to every question instead, while it is set."""

    def __call__(self, request: Request) -> Reply | None:
        part = PART.fullmatch(request.path)
        if part is None:
            return None
        if self.reply is not None:
            return self.reply
        known = self._shelf.store.manifests.get((part[1], part[3]))
        if known is None or part[2] != "manifests" or request.method != "HEAD":
            return None
        return Reply(200, b"", {"Content-Type": known[0], "Docker-Content-Digest": sha256(known[1])})


def tag(name: str, pullspec: str, *, scheduled: bool = True, annotations: Mapping[str, str] | None = None) -> Json:
    """Return the wish for a tag."""
    wished: Json = {"name": name, "from": {"kind": "DockerImage", "name": pullspec}}
    wished["importPolicy"] = {"insecure": True, "scheduled": scheduled}
    return wished | ({"annotations": dict(annotations)} if annotations else {})


def make(shop: Api, *tags: Json, name: str = "app", namespace: str = "shop") -> None:
    """Make a stream and import its tags, as the server does within moments."""
    place = f"/apis/image.openshift.io/v1/namespaces/{namespace}/imagestreams"
    code, answer = shop.post(place, {"metadata": {"name": name}, "spec": {"tags": list(tags)}})
    assert code == 201, answer
    read(name, namespace=namespace)
    read(name, namespace=namespace)


def read(name: str = "app", *, namespace: str = "shop") -> ImageStream:
    """Let the importer read a stream and do what is due at once; return the stream."""
    found = find_stream(namespace, name)
    assert found is not None
    due = queue.note([(found, changes.newest())], now=now())
    schedule.note([(found, changes.newest())], every=background.intervals(), now=now())
    for row in due:
        tasks.import_due(row)
    again = find_stream(namespace, name)
    assert again is not None
    return again


def strike() -> None:
    """Let every tag be due, and look at those whose registry may be asked."""
    ScheduledTag.objects.update(due_at=now())
    look()


def look() -> None:
    """Look at what is due until nothing is."""
    until = time.monotonic() + PATIENCE
    while checks.run_for(0.5) or checks.registries.busy():
        assert time.monotonic() < until, "the clock does not come to an end"


def rows() -> dict[str, ScheduledTag]:
    """Return the rows by `stream:tag`."""
    return {f"{row.stream}:{row.tag}": row for row in ScheduledTag.objects.order_by("stream", "tag")}


def row(name: str = "app:latest") -> ScheduledTag:
    """Return one row."""
    return rows()[name]


def announced(shelf: Shelf) -> Announced:
    """Return what answers for a shelf."""
    assert isinstance(shelf.intercept, Announced)
    return shelf.intercept


def asked_since(shelf: Shelf, before: int) -> list[str]:
    """Return what was asked after so many questions."""
    return shelf.asked()[before:]


def conditions(name: str = "latest") -> list[tuple[str, str]]:
    """Return type and reason of the conditions of a tag of `app`."""
    return [(each.type, each.reason) for each in engine.conditions_of(app(), name) or []]


def pullspec(shelf: Shelf, name: str = "latest") -> str:
    """Return the pull spec of a tag on the shelf."""
    return f"{shelf.host}/team/app:{name}"
