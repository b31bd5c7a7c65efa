"""Imports of indexes: which platform, which members, and what is wrong with some of them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from imagestreams import tags
from imagestreams.api.images import IMAGES
from registry_meta.kube import store
from registry_meta.kube.models import Object
from tests.authz.conftest import Api
from tests.conformance import registry_content as content
from tests.imagestreams.builders import images
from tests.imagestreams.imports.shelf import STREAMS, Json, Shelf, app, bring_in, image, results
from tests.registries import Reply, Request

PRESERVE = {"importMode": "PreserveOriginal"}
ARCH, OS = "importer.image.openshift.io/prefer-arch", "importer.image.openshift.io/prefer-os"


def stored(digest: str) -> Any:
    """Return a stored image, or None."""
    found = store.find(IMAGES, "", digest)
    return found.object() if found else None


def count() -> int:
    """Return how many images are stored."""
    return Object.objects.filter(resource=IMAGES.key).count()


def member(shelf: Shelf, architecture: str, *, os: str = "linux", seed: str = "multi") -> Json:
    """Push an image for a platform, without a tag, and return its descriptor."""
    pushed: Json = content.image(shelf.store, "team/app", None, seed, oci=True, architecture=architecture)
    return {**pushed, "platform": {"architecture": architecture, "os": os}}


def members(shelf: Shelf, architectures: Sequence[str] = ("s390x", "amd64", "arm64")) -> list[Json]:
    """Push the tag `latest`, an index for several architectures, and return its descriptors."""
    found = [member(shelf, architecture) for architecture in architectures]
    shelf.push_index("team/app", "latest", found)
    return found


def entry(shelf: Shelf, to: str = "latest", *, tag: str = "latest", **policy: Any) -> Json:
    """Return the entry that asks for the index."""
    return image(f"{shelf.host}/team/app:{tag}", to, policy=policy)


def reasons(tag: str) -> list[str]:
    """Return the reasons of the conditions of a tag."""
    return [condition.reason for condition in tags.conditions_of(app(), tag) or []]


def prefer(shop: Api, shelf: Shelf, **annotations: str) -> None:
    """Make the stream, with a tag that prefers a platform and is not brought in by itself."""
    wish = {"name": "latest", "annotations": annotations, "reference": True}
    wish["from"] = {"kind": "DockerImage", "name": f"{shelf.host}/team/app:latest"}
    assert shop.post(STREAMS, {"metadata": {"name": "app"}, "spec": {"tags": [wish]}})[0] == 201


@pytest.mark.parametrize(
    ("architectures", "annotations", "expected"),
    [
        (["s390x", "amd64", "arm64"], {}, "amd64"),
        (["s390x", "amd64", "arm64"], {ARCH: "arm64"}, "arm64"),
        (["s390x", "amd64", "arm64"], {ARCH: "arm64", OS: "windows"}, "amd64"),
        (["s390x", "amd64", "arm64"], {ARCH: "riscv64"}, "amd64"),
        (["s390x", "arm64"], {ARCH: "riscv64"}, "s390x"),
        (["s390x", "arm64"], {}, "s390x"),
    ],
)
def test_the_preferred_platform_is_taken_else_the_usual_one_else_the_first(
    shop: Api, shelf: Shelf, architectures: list[str], annotations: dict[str, str], expected: str
) -> None:
    members(shelf, architectures)
    prefer(shop, shelf, **annotations)

    [told] = bring_in(shop, entry(shelf), store=False)["images"]

    assert told["image"]["dockerImageMetadata"]["Architecture"] == expected
    assert "manifests" not in told


def test_preferences_do_not_count_for_digests(shop: Api, shelf: Shelf) -> None:
    found = [member(shelf, architecture) for architecture in ("amd64", "arm64")]
    digest = shelf.push_index("team/app", "latest", found)
    prefer(shop, shelf, **{ARCH: "arm64"})

    [told] = bring_in(shop, image(f"{shelf.host}/team/app@{digest}", "latest"), store=False)["images"]

    assert told["image"]["dockerImageMetadata"]["Architecture"] == "amd64"


def test_a_whole_index_is_kept_with_every_member(shop: Api, shelf: Shelf) -> None:
    found = members(shelf)

    [told] = bring_in(shop, entry(shelf, **PRESERVE))["images"]

    [name] = images(app(), "latest")
    assert [each["metadata"]["name"] for each in told["manifests"]] == [each["digest"] for each in found]
    assert [each.digest for each in stored(name).docker_image_manifests] == [each["digest"] for each in found]
    assert count() == 4


def test_the_platform_of_an_index_costs_three_requests_and_all_of_it_one_and_two_a_member(
    shop: Api, shelf: Shelf
) -> None:
    members(shelf)

    bring_in(shop, entry(shelf), store=False)
    one = [line for line in shelf.asked() if line.startswith("GET")]
    bring_in(shop, entry(shelf, **PRESERVE), store=False)
    both = [line for line in shelf.asked() if line.startswith("GET")]

    assert len(one) == 3
    assert len(both) - len(one) <= 7


def test_members_that_are_known_already_are_not_made_again(shop: Api, shelf: Shelf) -> None:
    found = members(shelf)
    digest = found[1]["digest"]
    bring_in(shop, image(f"{shelf.host}/team/app@{digest}", "one"))
    uid = stored(digest).metadata.uid

    [told] = bring_in(shop, entry(shelf, **PRESERVE))["images"]
    bring_in(shop, entry(shelf, "again", **PRESERVE))

    assert stored(digest).metadata.uid == uid == told["manifests"][1]["metadata"]["uid"]
    assert count() == 4


def nested(shelf: Shelf) -> list[Json]:
    """Push the tag `nested`: an index of an index, and an image."""
    inner = [member(shelf, architecture, seed="inner") for architecture in ("arm64", "amd64")]
    shelf.push_index("team/app", "inner", inner)
    kind, body = shelf.store.manifests["team/app", "inner"]
    index = {"mediaType": kind, "size": len(body), "digest": content.digest(body)}
    outer = [{**index, "platform": {"architecture": "amd64", "os": "linux"}}, member(shelf, "s390x")]
    shelf.push_index("team/app", "nested", outer)
    return [inner[1], outer[1]]


def test_of_an_index_in_an_index_the_platform_is_looked_for_once_more(shop: Api, shelf: Shelf) -> None:
    expected = nested(shelf)

    bring_in(shop, entry(shelf, "one", tag="nested"), entry(shelf, "all", tag="nested", **PRESERVE))

    assert images(app(), "one") == [expected[0]["digest"]]
    [name] = images(app(), "all")
    assert stored(name) is not None
    assert all(stored(each["digest"]) is not None for each in expected)


def test_an_index_without_platforms_fails_its_own_tag_alone(shop: Api, shelf: Shelf) -> None:
    bare = {key: value for key, value in member(shelf, "amd64").items() if key != "platform"}
    shelf.push_index("team/app", "bare", [bare])
    good = shelf.push("team/app", "good", seed="good")

    status = bring_in(shop, entry(shelf, "bare", tag="bare", **PRESERVE), entry(shelf, "good", tag="good"))

    assert results(status["images"]) == ["Invalid", "Success"]
    assert "dockerImageManifests[0].architecture: Required value" in status["images"][0]["status"]["message"]
    assert reasons("bare") == ["Invalid"]
    assert images(app(), "good") == [good]
    assert count() == 1


def test_of_an_index_without_platforms_its_first_image_can_be_had(shop: Api, shelf: Shelf) -> None:
    bare = {key: value for key, value in member(shelf, "amd64").items() if key != "platform"}
    shelf.push_index("team/app", "bare", [bare])

    bring_in(shop, entry(shelf, tag="bare"))

    assert images(app(), "latest") == [bare["digest"]]


@pytest.mark.parametrize("what", ["manifests", "blobs"])
def test_a_member_that_is_not_what_it_says_fails_its_tag_alone(shop: Api, shelf: Shelf, what: str) -> None:
    found = members(shelf)
    manifest = json.loads(shelf.store.manifests["team/app", found[2]["digest"]][1])
    bad = found[2]["digest"] if what == "manifests" else manifest["config"]["digest"]
    good = shelf.push("team/app", "good", seed="good")

    def intercept(request: Request) -> Reply | None:
        if not request.path.endswith(f"/{what}/{bad}"):
            return None
        return Reply(200, '{"not": "it"}', {"Content-Type": content.OCI})

    shelf.intercept = intercept
    status = bring_in(shop, entry(shelf, **PRESERVE), entry(shelf, "good", tag="good"))

    assert results(status["images"]) == ["InternalError", "Success"]
    assert "content integrity error" in status["images"][0]["status"]["message"]
    assert images(app(), "latest") == []
    assert images(app(), "good") == [good]
    assert count() == 1


@pytest.mark.parametrize(("mode", "expected"), [("Legacy", "InternalError"), ("PreserveOriginal", "Success")])
def test_an_empty_index_has_no_platform_and_is_an_index(shop: Api, shelf: Shelf, mode: str, expected: str) -> None:
    shelf.push_index("team/app", "latest", [])

    status = bring_in(shop, entry(shelf, importMode=mode))

    assert results(status["images"]) == [expected]
    if expected == "InternalError":
        assert status["images"][0]["status"]["message"].endswith("no manifests in manifest list")


def test_an_index_as_a_whole_and_as_one_platform_are_two_images(shop: Api, shelf: Shelf) -> None:
    found = members(shelf)

    bring_in(shop, entry(shelf, "one"), entry(shelf, "all", **PRESERVE))

    assert images(app(), "one") == [found[1]["digest"]]
    assert images(app(), "all") != images(app(), "one")
