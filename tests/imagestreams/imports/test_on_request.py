"""What an ImageStreamImport does to its stream, and what it leaves alone."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from imagestreams import tags
from imagestreams.api.images import IMAGES
from imagestreams.api.imagestreams import IMAGE_STREAMS, find_stream
from imagestreams.imports import plan, run
from imagestreams.models import TagEvent
from imagestreams.types import ImageStreamImport
from registry_meta.kube import changes, meta, store
from registry_meta.kube.models import Change, Object
from registry_meta.kube.request import SYSTEM, Context
from tests.authz.conftest import Api
from tests.imagestreams.builders import images
from tests.imagestreams.imports.shelf import (
    IMPORTS,
    STREAMS,
    Brake,
    Json,
    Shelf,
    app,
    asking,
    bring_in,
    image,
    repository,
    results,
)


def stored(digest: str) -> Any:
    """Return a stored image, or None."""
    found = store.find(IMAGES, "", digest)
    return found.object() if found else None


def nothing_is_there() -> bool:
    """Return whether there is neither a stream nor an image."""
    return find_stream("shop", "app") is None and not Object.objects.filter(resource=IMAGES.key).exists()


def spec_tag(name: str) -> Any:
    """Return the wish for a tag of the stream."""
    return tags.tag_of(app(), name)


def reason_of(tag: str) -> list[str]:
    """Return the reasons of the conditions of a tag."""
    return [condition.reason for condition in tags.conditions_of(app(), tag) or []]


# --- what leaves no trace


def test_an_entry_without_a_target_is_answered_and_not_kept(shop: Api, shelf: Shelf) -> None:
    digest = shelf.push("team/app", "latest", seed="one")

    status = bring_in(shop, image(f"{shelf.host}/team/app"))

    assert status["images"][0]["image"]["metadata"]["name"] == digest
    assert "uid" not in status["images"][0]["image"]["metadata"]
    assert stored(digest) is None
    assert (app().spec.tags, app().status.tags) == (None, None)


@pytest.mark.parametrize(("store_", "query"), [(False, ""), (True, "?dryRun=All")])
def test_a_dry_run_fetches_and_writes_nothing(shop: Api, shelf: Shelf, store_: bool, query: str) -> None:
    digest = shelf.push("team/app", "latest", seed="one")
    body = asking(image(f"{shelf.host}/team/app:latest", "latest"), store=store_)

    code, answer = shop.post(IMPORTS + query, body)

    assert code == 201
    assert answer["status"]["images"][0]["image"]["metadata"]["name"] == digest
    assert "import" not in answer["status"]
    assert nothing_is_there()


@pytest.mark.parametrize("wished", [True, False])
def test_manifests_of_an_index_and_its_members_are_told_to_who_asks_for_them(
    shop: Api, shelf: Shelf, wished: bool
) -> None:
    shelf.push("team/app", "latest", seed="one", kind="index")
    entry = image(f"{shelf.host}/team/app:latest", policy={"importMode": "PreserveOriginal"}, includeManifest=wished)

    [told] = bring_in(shop, entry, store=False)["images"]

    assert len(told["manifests"]) == 3
    assert all(bool(member.get("dockerImageManifest")) == wished for member in told["manifests"])
    assert all(bool(member.get("dockerImageConfig")) == wished for member in told["manifests"])


def test_an_import_that_takes_too_long_is_given_up_and_leaves_nothing(shop: Api, shelf: Shelf) -> None:
    shelf.push("team/app", "fast", seed="fast")
    shelf.push("team/app", "slow", seed="slow")
    shelf.intercept = brake = Brake("slow")
    body = asking(*(image(f"{shelf.host}/team/app:{tag}", tag) for tag in ("fast", "slow")))

    code, answer = shop.post(f"{IMPORTS}?timeout=1s", body)
    brake.gate.set()

    assert (code, answer["reason"]) == (504, "Timeout")
    assert answer["message"] == "Timeout: request did not complete within the allotted timeout"
    assert nothing_is_there()


# --- what a request may demand of the stream


def test_a_uid_is_held_to(shop: Api, shelf: Shelf) -> None:
    shelf.push("team/app", "latest", seed="one")
    spec = image(f"{shelf.host}/team/app:latest", "latest")
    bring_in(shop, image(f"{shelf.host}/team/app:latest"))
    same, other = app().metadata.uid, "11111111-2222-3333-4444-555555555555"

    code, answer = shop.post(IMPORTS, asking(spec, uid=other))
    assert (code, answer["reason"]) == (409, "Conflict")
    assert "replaced" in answer["message"]
    assert shop.post(IMPORTS, asking(spec, uid=same))[0] == 201


@pytest.mark.parametrize("demand", [{"uid": "11111111-2222-3333-4444-555555555555"}, {"resourceVersion": "7"}])
@pytest.mark.parametrize("store_", [True, False])
def test_a_stream_that_is_demanded_and_is_not_there_is_not_made(
    shop: Api, shelf: Shelf, demand: dict[str, Any], store_: bool
) -> None:
    shelf.push("team/app", "latest", seed="one")

    code, answer = shop.post(IMPORTS, asking(image(f"{shelf.host}/team/app:latest", "latest"), store=store_, **demand))

    assert (code, answer["reason"]) == (404, "NotFound")
    assert nothing_is_there()
    assert not shelf.asked()


# --- what is written


def test_an_import_of_what_is_there_writes_nothing(shop: Api, shelf: Shelf) -> None:
    shelf.push("team/app", "latest", seed="one")
    spec = image(f"{shelf.host}/team/app:latest", "latest")
    bring_in(shop, spec)
    before = changes.newest()

    status = bring_in(shop, spec)

    assert changes.newest() == before
    assert status["import"]["metadata"]["resourceVersion"] == app().metadata.resource_version


def test_the_same_failure_again_writes_nothing(shop: Api, shelf: Shelf) -> None:
    shelf.push("team/app", "other", seed="one")
    spec = image(f"{shelf.host}/team/app:gone", "gone")
    assert results(bring_in(shop, spec)["images"]) == ["NotFound"]
    before = changes.newest()

    bring_in(shop, spec)

    assert changes.newest() == before
    assert reason_of("gone") == ["NotFound"]


def test_a_failure_that_is_the_same_for_a_renewed_wish_counts_as_an_answer_to_it(shop: Api, shelf: Shelf) -> None:
    shelf.push("team/app", "other", seed="one")
    spec = image(f"{shelf.host}/team/app:gone", "gone")
    bring_in(shop, spec)
    since = (tags.conditions_of(app(), "gone") or [])[0].last_transition_time
    wish = {"name": "gone", "from": spec["from"], "importPolicy": spec["importPolicy"], "generation": 0}
    assert shop.patch(f"{STREAMS}/app", {"spec": {"tags": [wish]}})[0] == 200
    assert plan.due(app()) is not None

    bring_in(shop, spec)
    version = changes.newest()
    bring_in(shop, spec)

    assert plan.due(app()) is None
    assert (tags.conditions_of(app(), "gone") or [])[0].last_transition_time == since
    assert changes.newest() == version


def test_the_import_policy_of_an_unchanged_image_is_that_of_the_request(shop: Api, shelf: Shelf) -> None:
    shelf.push("team/app", "latest", seed="one")
    source = f"{shelf.host}/team/app:latest"
    bring_in(shop, image(source, "latest", policy={"scheduled": True}))
    assert spec_tag("latest").import_policy.scheduled

    bring_in(shop, image(source, "latest"))

    assert not spec_tag("latest").import_policy.scheduled
    assert len(images(app(), "latest")) == 1


def test_the_reference_policy_of_a_tag_stays(shop: Api, shelf: Shelf) -> None:
    shelf.push("team/app", "latest", seed="one")
    source = f"{shelf.host}/team/app:latest"
    bring_in(shop, image(source, "latest"))
    shelf.push("team/app", "latest", seed="two")

    bring_in(shop, image(source, "latest", referencePolicy={"type": "Local"}))

    assert spec_tag("latest").reference_policy.type == "Source"
    assert len(images(app(), "latest")) == 2


def test_another_tag_of_the_same_image_leaves_the_source_of_the_wish(shop: Api, shelf: Shelf) -> None:
    for tag in ("one", "same"):
        shelf.push("team/app", tag, seed="one")
    bring_in(shop, image(f"{shelf.host}/team/app:one", "latest"))

    bring_in(shop, image(f"{shelf.host}/team/app:same", "latest"))

    assert spec_tag("latest").from_.name.endswith("team/app:one")


def test_followers_move_in_the_write_of_the_tag_that_they_follow(shop: Api, shelf: Shelf) -> None:
    follower = {"name": "stable", "from": {"kind": "ImageStreamTag", "name": "latest"}}
    assert shop.post(STREAMS, {"metadata": {"name": "app"}, "spec": {"tags": [follower]}})[0] == 201
    digest = shelf.push("team/app", "latest", seed="one")
    before = changes.newest()

    bring_in(shop, image(f"{shelf.host}/team/app:latest", "latest"))

    assert images(app(), "latest") == images(app(), "stable") == [digest]
    assert Change.objects.filter(version__gt=before, resource=IMAGE_STREAMS.key).count() == 1


def test_the_first_importer_of_an_image_says_where_it_is(shop: Api, shelf: Shelf) -> None:
    first = shelf.push("team/app", "latest", seed="one")
    assert shelf.push("copies/app", "latest", seed="one") == first
    bring_in(shop, image(f"{shelf.host}/team/app:latest", "latest"))

    bring_in(shop, image(f"{shelf.host}/copies/app:latest", "copy"))

    assert stored(first).docker_image_reference == f"{shelf.host}/team/app@{first}"
    copied = tags.latest(app(), "copy")
    assert copied is not None
    assert copied.docker_image_reference == f"{shelf.host}/copies/app@{first}"


def test_two_entries_of_one_tag_are_one_event_of_the_last(shop: Api, shelf: Shelf) -> None:
    first, second = (shelf.push("team/app", tag, seed=tag) for tag in ("a", "b"))

    bring_in(shop, *(image(f"{shelf.host}/team/app:{tag}", "latest") for tag in ("a", "b")))

    assert images(app(), "latest") == [second]
    assert stored(first) is not None


def test_the_last_entry_of_a_tag_that_fails_leaves_the_image_of_another(shop: Api, shelf: Shelf) -> None:
    first = shelf.push("team/app", "a", seed="a")

    bring_in(shop, *(image(f"{shelf.host}/team/app:{tag}", "latest") for tag in ("a", "gone")))

    assert images(app(), "latest") == [first]
    assert reason_of("latest") == ["NotFound"]


def test_a_named_image_wins_over_the_tag_of_a_repository(shop: Api, shelf: Shelf) -> None:
    shelf.push("team/app", "latest", seed="repository")
    named = shelf.push("other/app", "v1", seed="named")

    bring_in(shop, image(f"{shelf.host}/other/app:v1", "latest"), of=repository(f"{shelf.host}/team/app"))

    assert images(app(), "latest") == [named]


def test_several_failures_are_told_each_at_its_own(shop: Api, shelf: Shelf) -> None:
    digest = shelf.push("team/app", "good", seed="good")
    specs = [f"{shelf.host}/team/app:good", f"{shelf.host}/team/app:gone", f"{shelf.host}/nobody/here:latest"]

    status = bring_in(shop, *(image(spec, f"t{number}") for number, spec in enumerate(specs)))

    assert results(status["images"]) == ["Success", "NotFound", "NotFound"]
    assert [entry.get("tag") for entry in status["images"]] == ["good", "gone", "latest"]
    assert images(app(), "t0") == [digest]
    assert reason_of("t1") == reason_of("t2") == ["NotFound"]
    assert status["images"][1]["status"]["message"] == (
        f'dockerimage.image.openshift.io "{shelf.host}/team/app:gone" not found'
    )


def test_a_clock_that_goes_back_changes_no_order_and_loses_no_move(shop: Api, shelf: Shelf) -> None:
    request = msgspec.convert(asking(image(f"{shelf.host}/team/app:latest", "latest")), ImageStreamImport, strict=False)
    pushed = []
    for hours in (0, -3, 2, -5):
        pushed.append(shelf.push("team/app", "latest", seed=f"{hours}"))
        moment = meta.now() + timedelta(hours=hours)
        run.execute(request, context=Context(SYSTEM, IMAGE_STREAMS, moment, namespace="shop"))

    assert images(app(), "latest") == pushed[::-1]
    moves = TagEvent.objects.filter(tag="latest").order_by("version", "position")
    assert list(moves.values_list("digest", flat=True)) == pushed


# --- digests


def with_sha512(shelf: Shelf, claimed: str) -> Json:
    """Let the registry know its only image by a digest of the other algorithm; return the entry that asks for it."""
    shelf.push("team/app", "latest", seed="one")
    shelf.store.manifests["team/app", claimed] = shelf.store.manifests["team/app", "latest"]
    return image(f"{shelf.host}/team/app@{claimed}", "latest")


def test_a_digest_of_sha512_is_verified_and_the_image_is_named_as_all_are(shop: Api, shelf: Shelf) -> None:
    named = shelf.push("team/app", "latest", seed="one")
    body = shelf.store.manifests["team/app", "latest"][1]

    status = bring_in(shop, with_sha512(shelf, f"sha512:{hashlib.sha512(body).hexdigest()}"))

    assert results(status["images"]) == ["Success"]
    assert images(app(), "latest") == [named]


def test_content_that_is_not_that_of_its_digest_fails(shop: Api, shelf: Shelf) -> None:
    status = bring_in(shop, with_sha512(shelf, f"sha512:{'0' * 128}"))

    assert results(status["images"]) == ["InternalError"]
    assert "content integrity error" in status["images"][0]["status"]["message"]
    assert images(app(), "latest") == []


def test_a_manifest_of_the_first_schema_comes_by_tag_and_by_digest(shop: Api, shelf: Shelf) -> None:
    shelf.push_schema1("old/app", "latest")

    status = bring_in(shop, image(f"{shelf.host}/old/app:latest", "latest"))
    [name] = images(app(), "latest")
    again = bring_in(shop, image(f"{shelf.host}/old/app@{name}", "pinned"))

    assert results(status["images"]) == results(again["images"]) == ["Success"]
    assert [entry.get("tag", "") for entry in again["images"]] == [""]
    assert images(app(), "pinned") == [name]
    kept = stored(name)
    assert kept.docker_image_manifest_media_type == "application/vnd.docker.distribution.manifest.v1+json"
    assert kept.docker_image_metadata.size == kept.docker_image_layers[0].size > 0
