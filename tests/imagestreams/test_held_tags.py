"""Every way of moving a tag through the API, tried on one that is held."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from imagestreams.holds import EXPIRES, OWNER, REASON
from tests.authz.conftest import Api
from tests.imagestreams.asking import STREAMS, make, move, opened
from tests.imagestreams.builders import digest

pytestmark = pytest.mark.django_db

IMAGES = "/apis/image.openshift.io/v1"
SHOP = f"{IMAGES}/namespaces/shop"
TAG = f"{SHOP}/imagestreamtags/app:latest"
ITAG = f"{SHOP}/imagetags/app:latest"
STRATEGIC = "application/strategic-merge-patch+json"
HOLD = {REASON: "checkout breaks", OWNER: "anna", EXPIRES: "2100-01-01T00:00:00Z"}
LIFT: dict[str, str | None] = dict.fromkeys(HOLD)
SAID = "the tag is held by anna until 2100-01-01T00:00:00Z: checkout breaks"
ELSEWHERE = {"kind": "DockerImage", "name": "quay.io/x/b:1"}
OLD = {"kind": "ImageStreamImage", "name": f"app@{digest('a')}"}

Act = Callable[[Api], tuple[int, Any]]


@pytest.fixture
def admin() -> Api:
    """The administrator of a shop whose tag `app:latest` was pushed to twice and is held."""
    api = opened()
    make()
    move({"latest": "a"})
    move({"latest": "b"})
    for image in "ab":
        body = {"metadata": {"name": digest(image)}, "dockerImageReference": f"quay.io/example/app@{digest(image)}"}
        assert api.post(f"{IMAGES}/images", body)[0] == 201
    assert patched(api, {"annotations": HOLD})[0] == 200
    return api


def patched(api: Api, tag: dict[str, Any]) -> tuple[int, Any]:
    """Merge something into the wish for the tag."""
    return api.patch(f"{STREAMS}/app", {"spec": {"tags": [{"name": "latest", **tag}]}}, STRATEGIC)


def put_stream(api: Api) -> tuple[int, Any]:
    body = api.get(f"{STREAMS}/app")[1]
    body["spec"]["tags"][0]["from"] = ELSEWHERE
    return api.put(f"{STREAMS}/app", body)


def put_tag(api: Api) -> tuple[int, Any]:
    """Do as `oc tag` does, which speaks of no annotations."""
    return api.put(TAG, {"metadata": {"name": "app:latest"}, "tag": {"name": "latest", "from": OLD}})


def put_image_tag(api: Api) -> tuple[int, Any]:
    body = api.get(ITAG)[1]
    body["spec"]["from"] = OLD
    return api.put(ITAG, body)


def push(api: Api) -> tuple[int, Any]:
    image = {"metadata": {"name": digest("c")}, "dockerImageReference": f"quay.io/example/app@{digest('c')}"}
    return api.post(f"{SHOP}/imagestreammappings", {"metadata": {"name": "app"}, "image": image, "tag": "latest"})


def bring_in(api: Api) -> tuple[int, Any]:
    image = {"from": ELSEWHERE, "to": {"name": "latest"}}
    return api.post(
        f"{SHOP}/imagestreamimports", {"metadata": {"name": "app"}, "spec": {"import": True, "images": [image]}}
    )


def write_history(api: Api) -> tuple[int, Any]:
    body = api.get(f"{STREAMS}/app")[1]
    body["status"]["tags"][0]["items"].pop(0)
    return api.put(f"{STREAMS}/app/status", body)


WAYS: dict[str, tuple[Act, str]] = {
    "patch of a stream": (lambda api: patched(api, {"from": OLD}), "spec.tags[latest]"),
    "patch for a later import": (lambda api: patched(api, {"from": ELSEWHERE}), "spec.tags[latest]"),
    "put of a stream": (put_stream, "spec.tags[latest]"),
    "put of a tag": (put_tag, "spec.tags[latest]"),
    "patch of a tag": (lambda api: api.patch(TAG, {"tag": {"from": OLD}}), "spec.tags[latest]"),
    "put of an image tag": (put_image_tag, "spec.tags[latest]"),
    "deletion of a tag": (lambda api: api.delete(TAG), "spec.tags[latest]"),
    "deletion of an image tag": (lambda api: api.delete(ITAG), "spec.tags[latest]"),
    "push": (push, "tag"),
    "import": (bring_in, "spec.images[0].to.name"),
    "history": (write_history, "spec.tags[latest]"),
}


@pytest.mark.parametrize("way", WAYS)
def test_a_held_tag_stays_where_it_is(admin: Api, way: str) -> None:
    act, field = WAYS[way]

    status, body = act(admin)

    assert (status, body["reason"]) == (422, "Invalid"), body
    assert [cause["field"] for cause in body["details"]["causes"]] == [field]
    assert SAID in body["message"]
    stream = admin.get(f"{STREAMS}/app")[1]
    assert stream["status"]["tags"][0]["items"][0]["image"] == digest("b")
    assert stream["spec"]["tags"][0]["annotations"] == HOLD


def test_the_hold_is_lifted_in_the_same_write(admin: Api) -> None:
    status, body = patched(admin, {"from": OLD, "annotations": LIFT})

    assert status == 200, body
    assert body["status"]["tags"][0]["items"][0]["image"] == digest("a")
    assert body["spec"]["tags"][0]["annotations"] is None


def test_the_hold_is_lifted_first(admin: Api) -> None:
    assert admin.patch(TAG, {"metadata": {"annotations": LIFT}})[0] == 200

    assert put_tag(admin)[0] == 200
    assert admin.get(TAG)[1]["image"]["metadata"]["name"] == digest("a")


@pytest.mark.parametrize("wish", [{}, {"tag": None}, {"tag": {"name": "latest"}}])
def test_a_put_that_speaks_of_no_annotations_lifts_no_hold(admin: Api, wish: dict[str, Any]) -> None:
    status, body = admin.put(TAG, {"metadata": {"name": "app:latest"}, **wish})

    assert status == 200, body
    assert body["metadata"]["annotations"] == HOLD


def test_a_hold_that_is_over_is_none(admin: Api) -> None:
    assert patched(admin, {"annotations": {EXPIRES: "2020-01-01T00:00:00Z"}})[0] == 200

    assert put_tag(admin)[0] == 200


def test_other_tags_are_free(admin: Api) -> None:
    move({"v1": "c"})

    assert admin.get(f"{STREAMS}/app")[1]["status"]["tags"][1]["items"][0]["image"] == digest("c")


def test_a_stream_with_a_held_tag_can_be_deleted(admin: Api) -> None:
    assert admin.delete(f"{STREAMS}/app")[0] == 200


@pytest.mark.parametrize(
    ("path", "field"), [(f"{STREAMS}/app", "spec.tags[latest].annotations"), (TAG, "tag.annotations")]
)
def test_a_bad_hold_is_refused_with_its_path(admin: Api, path: str, field: str) -> None:
    bad = {EXPIRES: "tomorrow", OWNER: None}
    if path == TAG:
        status, body = admin.patch(TAG, {"metadata": {"annotations": bad}})
    else:
        status, body = patched(admin, {"annotations": bad})

    assert status == 422
    causes = [cause["field"] for cause in body["details"]["causes"]]
    assert causes == [f"{field}[{OWNER}]", f"{field}[{EXPIRES}]"]


def test_looking_without_importing_is_free(admin: Api) -> None:
    image = {"from": {"kind": "DockerImage", "name": "127.0.0.1:1/x/b:1"}, "to": {"name": "latest"}}

    status, _ = admin.post(f"{SHOP}/imagestreamimports", {"metadata": {"name": "app"}, "spec": {"images": [image]}})

    assert status == 201
