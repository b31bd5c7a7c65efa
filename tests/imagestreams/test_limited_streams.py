"""The limits of a namespace at each way to write a stream."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from authz import bootstrap
from tests import beginnings
from tests.authz.conftest import Api
from tests.imagestreams.builders import digest

GROUP = "/apis/image.openshift.io/v1/namespaces/team"
STREAM = f"{GROUP}/imagestreams/app"
RANGES = "/api/v1/namespaces/team/limitranges"


@pytest.fixture
def api(db: None) -> Api:
    """A server that has just begun, with a namespace."""
    beginnings.begin()
    admin = Api(bootstrap.administrator(""))
    admin.post("/api/v1/namespaces", {"metadata": {"name": "team"}})
    return admin


def limit(api: Api, type_: str, amounts: dict[str, str]) -> None:
    spec = {"limits": [{"type": f"openshift.io/{type_}", "max": amounts}]}
    status, answer = api.post(RANGES, {"metadata": {"generateName": "l-"}, "spec": spec})
    assert status == 201, answer


def tag(name: str, source: str = "") -> dict[str, Any]:
    return {"name": name, "reference": True, "from": {"kind": "DockerImage", "name": f"quay.io/x/{source or name}:1"}}


def create(api: Api, *tags: dict[str, Any]) -> tuple[int, Any]:
    return api.post(f"{GROUP}/imagestreams", {"metadata": {"name": "app"}, "spec": {"tags": list(tags)}})


def push(api: Api, image: str, *, name: str = "p", query: str = "", **more: Any) -> tuple[int, Any]:
    about = {"metadata": {"name": digest(image)}, "dockerImageReference": f"quay.io/x/app@{digest(image)}", **more}
    return api.post(f"{GROUP}/imagestreammappings{query}", {"metadata": {"name": "app"}, "image": about, "tag": name})


def test_a_stream_over_a_lowered_limit_may_change_but_not_grow(api: Api) -> None:
    create(api, tag("a"), tag("b"), tag("c"))
    limit(api, "ImageStream", {"openshift.io/image-tags": "1"})

    labelled, _ = api.patch(STREAM, {"metadata": {"labels": {"a": "b"}}})
    fewer, _ = api.patch(STREAM, {"spec": {"tags": [tag("a"), tag("b")]}})
    exchanged, answer = api.patch(STREAM, {"spec": {"tags": [tag("a"), tag("b", "other")]}})

    assert (labelled, fewer, exchanged) == (200, 200, 422)
    assert answer["details"]["causes"][0]["field"] == "[]"
    assert "openshift.io/image-tags exceeds the maximum limit per openshift.io/ImageStream (2 > 1)" in answer["message"]


def test_images_that_a_tag_brings_from_another_stream_count(api: Api) -> None:
    limit(api, "ImageStream", {"openshift.io/images": "1"})
    create(api)
    push(api, "1")
    api.post(f"{GROUP}/imagestreams", {"metadata": {"name": "source"}})
    about = {"metadata": {"name": digest("2")}, "dockerImageReference": f"quay.io/x/app@{digest('2')}"}
    api.post(f"{GROUP}/imagestreammappings", {"metadata": {"name": "source"}, "image": about, "tag": "s"})

    source = {"name": "t", "from": {"kind": "ImageStreamTag", "name": "source:s"}}
    status, answer = api.patch(STREAM, {"spec": {"tags": [source]}})

    assert status == 422
    assert "openshift.io/images exceeds the maximum limit per openshift.io/ImageStream (2 > 1)" in answer["message"]


def test_the_status_is_held_to_the_limits_too(api: Api) -> None:
    limit(api, "ImageStream", {"openshift.io/images": "1"})
    create(api)
    push(api, "1")
    found = api.get(STREAM)[1]
    item = {**found["status"]["tags"][0]["items"][0], "image": digest("2")}
    found["status"]["tags"][0]["items"].insert(0, item)

    status, answer = api.put(f"{STREAM}/status", found)

    assert (status, answer["details"]["causes"][0]["field"]) == (422, "imageStream")


def test_an_image_that_cannot_be_measured_is_refused_where_size_matters(api: Api) -> None:
    create(api)
    unreadable = {"dockerImageManifest": "{"}

    without, _ = push(api, "1", **unreadable)
    limit(api, "Image", {"storage": "1Gi"})
    status, answer = push(api, "2", **unreadable)

    assert without == 201
    assert (status, answer["reason"], answer["details"]["kind"]) == (403, "Forbidden", "imagestreammappings")
    assert api.get(f"/apis/image.openshift.io/v1/images/{digest('2')}")[0] == 404


def test_the_size_is_read_from_the_manifest(api: Api) -> None:
    create(api)
    limit(api, "Image", {"storage": "1Ki"})
    manifest = (
        '{"schemaVersion":2,"mediaType":"application/vnd.docker.distribution.manifest.v2+json","config":'
        f'{{"digest":"{digest("c")}","size":2,"mediaType":"application/vnd.docker.container.image.v1+json"}},"layers":'
        f'[{{"digest":"{digest("d")}","size":2048,"mediaType":"application/vnd.docker.image.rootfs.diff.tar.gzip"}}]}}'
    )
    about = {
        "dockerImageManifest": manifest,
        "dockerImageManifestMediaType": "application/vnd.docker.distribution.manifest.v2+json",
        "dockerImageConfig": "{}",
    }

    status, answer = push(api, "1", **about)

    assert status == 403
    assert answer["message"].endswith("storage exceeds the maximum limit per openshift.io/Image (2050 > 1Ki)")


def test_limits_are_looked_up_once_and_only_for_what_is_added(api: Api) -> None:
    create(api, tag("a"))

    def looked_up(patch: dict[str, Any] | None) -> int:
        with CaptureQueriesContext(connection) as queries:
            status, _ = api.patch(STREAM, patch) if patch is not None else push(api, "1")
        assert status in (200, 201)
        return sum("limitranges" in query["sql"] for query in queries.captured_queries)

    assert looked_up({"metadata": {"labels": {"a": "b"}}}) == 0
    assert looked_up({"spec": {"lookupPolicy": {"local": True}}}) == 0
    assert looked_up({"spec": {"tags": [tag("a"), tag("b")]}}) == 1
    assert looked_up({"spec": {"tags": [tag("a")]}}) == 0
    assert looked_up(None) == 1
