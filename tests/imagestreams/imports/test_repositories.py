"""Imports of whole repositories: which tags, in which order, how many, and that a list never takes anything away."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from pytest_django import Settings

from imagestreams import tags
from registry_meta.kube import changes
from tests.authz.conftest import Api
from tests.imagestreams.builders import images
from tests.imagestreams.imports.shelf import Json, Shelf, app, bring_in, image, repository, results
from tests.registries import Reply, Request

MANY = ["v1", "other", "v2", "3", "3.1", "abc"]


def limited(settings: Settings, limit: int) -> None:
    """Let so many tags of a repository be imported."""
    settings.ENVIRONMENT = replace(settings.ENVIRONMENT, max_images_bulk_imported_per_repository=limit)


def fill(shelf: Shelf, names: list[str]) -> None:
    """Push a tag of each name."""
    for name in names:
        shelf.push("team/app", name, seed=name)


def whole(shop: Api, shelf: Shelf, *more: Json) -> Json:
    """Import the repository and return what the answer says of it."""
    told: Json = bring_in(shop, *more, of=repository(f"{shelf.host}/team/app"))["repository"]
    return told


def names(told: Json) -> list[str]:
    """Return the tags that were imported, in the order of the answer."""
    return [entry["tag"] for entry in told.get("images") or []]


def listing(answer: object, *, status: int = 200, **headers: str) -> Reply:
    """Return the answer of a registry to who asks for tags."""
    return Reply(status, json.dumps(answer), headers)


def instead(shelf: Shelf, reply: Reply) -> None:
    """Let the registry answer something else to who asks for tags."""

    def intercept(request: Request) -> Reply | None:
        return reply if "/tags/list" in request.path else None

    shelf.intercept = intercept


def test_the_most_important_tags_come_first_and_the_rest_is_named(shop: Api, shelf: Shelf, settings: Settings) -> None:
    limited(settings, 5)
    fill(shelf, MANY)

    told = whole(shop, shelf)

    assert names(told) == ["3.1", "3", "abc", "other", "v1"]
    assert told["additionalTags"] == ["v2"]
    assert [tag.name for tag in app().spec.tags or []] == ["3", "3.1", "abc", "other", "v1"]
    assert told["status"]["status"] == "Success"


@pytest.mark.parametrize(("limit", "imported"), [(-1, 55), (0, 50), (1, 1), (54, 54), (55, 55), (60, 55)])
def test_the_limit_is_a_number_of_tags_or_none(
    shop: Api, shelf: Shelf, settings: Settings, limit: int, imported: int
) -> None:
    limited(settings, limit)
    shelf.push("team/app", "t00", seed="one")
    for number in range(1, 55):
        shelf.store.push_manifest("team/app", f"t{number:02}", *_same(shelf))

    told = whole(shop, shelf)

    assert len(names(told)) == imported
    assert len(told.get("additionalTags") or []) == 55 - imported


def _same(shelf: Shelf) -> tuple[str, bytes]:
    media_type, data = shelf.store.manifests["team/app", "t00"]
    return media_type, data


def test_a_tag_beyond_the_limit_that_an_entry_fetched_anyway_is_told_with_the_others(
    shop: Api, shelf: Shelf, settings: Settings
) -> None:
    limited(settings, 1)
    fill(shelf, ["a", "b", "c"])

    told = whole(shop, shelf, image(f"{shelf.host}/team/app:b"), image(f"{shelf.host}/team/app:gone", "gone"))

    assert names(told) == ["a", "b"]
    assert told["additionalTags"] == ["c"]
    assert shelf.asked("manifests").count("GET manifests b") == 1
    assert len(images(app(), "b")) == 1


def test_an_image_that_an_entry_and_a_repository_ask_for_is_fetched_once(shop: Api, shelf: Shelf) -> None:
    fill(shelf, ["a"])

    whole(shop, shelf, image(f"{shelf.host}/team/app:a", "a"))

    assert shelf.asked("manifests").count("GET manifests a") == 1
    assert len(images(app(), "a")) == 1


def test_a_tag_that_fails_has_a_condition_and_no_wish_and_the_others_come(shop: Api, shelf: Shelf) -> None:
    fill(shelf, ["a", "b"])
    broken = json.loads(shelf.store.manifests["team/app", "a"][1])["config"]["digest"]
    del shelf.store.blobs["team/app", broken]

    told = whole(shop, shelf)

    assert results(told["images"]) == ["InternalError", "Success"]
    assert told["status"]["reason"] == "ImportFailed"
    assert told["status"]["message"] == "one of the images from this repository failed to import"
    assert [tag.name for tag in app().spec.tags or []] == ["b"]
    assert [condition.type for condition in tags.conditions_of(app(), "a") or []] == ["ImportSuccess"]


def test_a_list_that_fails_makes_the_stream_and_nothing_else(shop: Api, shelf: Shelf) -> None:
    told = whole(shop, shelf)

    assert told["status"]["reason"] == "NotFound"
    assert told.get("images") is None
    assert (app().spec.tags, app().status.tags) == (None, None)


@pytest.mark.parametrize(
    "reply",
    [
        listing({"name": "team/app", "tags": ["b"]}),
        listing({"name": "team/app", "tags": []}),
        listing({"name": "team/app", "tags": None}),
        listing({"name": "team/app"}),
        listing({"errors": [{"code": "NAME_UNKNOWN", "message": "gone"}]}, status=404),
        listing({"errors": [{"code": "DENIED", "message": "no"}]}, status=403),
        listing({"name": "team/app", "tags": ["b"]}, Link='</v2/team/app/tags/list?page=2>; rel="next"'),
        Reply(200, '{"name": "team/app", "tags": ["a"'),
        Reply(200, "<html>down for maintenance</html>", {"Content-Type": "text/html"}),
    ],
    ids=["shorter", "empty", "null", "left out", "unknown", "denied", "going round", "cut off", "a page"],
)
def test_a_shorter_or_broken_list_takes_nothing_away(shop: Api, shelf: Shelf, reply: Reply) -> None:
    fill(shelf, ["a", "b"])
    whole(shop, shelf)
    kept, before = app(), changes.newest()
    instead(shelf, reply)

    whole(shop, shelf)

    assert (app().spec, app().status) == (kept.spec, kept.status)
    assert changes.newest() == before


def test_a_tag_that_is_listed_and_gone_keeps_its_image(shop: Api, shelf: Shelf) -> None:
    fill(shelf, ["a"])
    whole(shop, shelf)
    kept = images(app(), "a")
    del shelf.store.manifests["team/app", "a"]

    told = whole(shop, shelf)

    assert results(told["images"]) == ["NotFound"]
    assert images(app(), "a") == kept
    assert [condition.reason for condition in tags.conditions_of(app(), "a") or []] == ["NotFound"]


def test_an_empty_tag_is_the_latest_and_one_that_is_named_twice_is_one(shop: Api, shelf: Shelf) -> None:
    fill(shelf, ["latest"])
    instead(shelf, listing({"name": "team/app", "tags": ["", "latest", "latest"]}))

    assert names(whole(shop, shelf)) == ["latest"]
