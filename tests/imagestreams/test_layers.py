"""The layers of a stream: every blob of its history and of the members of indexes, in reasonable time."""

from __future__ import annotations

import importlib
import time

import pytest
from django.apps import apps
from django.db import connection
from django.test.utils import CaptureQueriesContext

from imagestreams import blobs
from imagestreams.api import layers
from imagestreams.models import ImageBlobs
from imagestreams.types import Image, ImageLayer, ImageManifest, ImageStream
from registry_meta.kube import store
from registry_meta.kube.meta import ObjectMeta
from tests.imagestreams.builders import digest, event, stream

pytestmark = pytest.mark.django_db

INDEX = "application/vnd.oci.image.index.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
MANY, LAYERS = 5000, 20
SECONDS = 3.0  # a tenth of it where nothing else runs


def image(name: str, *blobs: str, members: tuple[str, ...] = ()) -> Image:
    return Image(
        metadata=ObjectMeta(name=digest(name), uid=name),
        docker_image_layers=[ImageLayer(name=digest(blob), size=7, media_type=LAYER) for blob in blobs] or None,
        docker_image_manifests=[ImageManifest(digest=digest(member)) for member in members] or None,
        docker_image_manifest_media_type=INDEX if members else layers.OCI_MANIFEST,
    )


def keep(images: list[Image]) -> None:
    """Put images where the store keeps them, with their blobs beside them."""
    for each in images:
        blobs.record(each, None)
    keep_documents(images)


def keep_documents(images: list[Image]) -> None:
    """Put images where the store keeps them, as an older release did."""
    with connection.cursor() as cursor:
        cursor.executemany(
            store.INSERT,
            [
                [blobs.IMAGES_KEY, "", each.metadata.name, each.metadata.uid, version, store.encode(each)]
                for version, each in enumerate(images, 1)
            ],
        )


def pointing(*names: str) -> ImageStream:
    return stream("app", latest=[event(name) for name in names])


def test_the_whole_history_and_the_members_of_indexes_are_told() -> None:
    keep([image("a", "1", "2"), image("b", members=("c", "d")), image("c", "2", "3"), image("e", "4")])

    view = layers.layers_of(pointing("b", "a"))

    assert set(view.images) == {digest(name) for name in "abcd"}
    assert view.images[digest("a")].layers == [digest("1"), digest("2")]
    assert view.images[digest("b")].manifests == [digest("c"), digest("d")]
    assert view.images[digest("d")].image_missing
    assert set(view.blobs) == {digest(name) for name in "abc123"}
    assert view.blobs[digest("3")].size == 7
    assert view.blobs[digest("b")].media_type == INDEX


def test_an_index_that_names_itself_or_another_in_turn_ends() -> None:
    keep([image("a", members=("a", "b")), image("b", members=("a",))])

    view = layers.layers_of(pointing("a"))

    assert set(view.images) == {digest("a"), digest("b")}


def test_a_long_history_is_told_in_reasonable_time() -> None:
    names = [f"{number:x}a" for number in range(1, MANY + 1)]
    keep([image(name, *(f"{name}b{layer:x}f" for layer in range(LAYERS))) for name in names])
    app = pointing(*names)

    started = time.monotonic()
    view = layers.layers_of(app)
    seconds = time.monotonic() - started

    assert len(view.images) == MANY
    assert len(view.blobs) == MANY * (LAYERS + 1)
    assert seconds < SECONDS


def test_the_documents_of_images_are_not_read() -> None:
    keep([image("a", "1"), image("b", members=("a",))])

    with CaptureQueriesContext(connection) as queries:
        layers.layers_of(pointing("b"))

    assert not [query["sql"] for query in queries.captured_queries if "kube_object" in query["sql"]]


def test_images_of_an_older_release_are_told_with_the_others() -> None:
    keep([image("a", "1")])
    keep_documents([image("b", "2"), image("c", members=("b", "d"))])

    view = layers.layers_of(pointing("a", "c"))

    assert view.images[digest("b")].layers == [digest("2")]
    assert view.images[digest("c")].manifests == [digest("b"), digest("d")]
    assert view.images[digest("d")].image_missing


def test_blobs_follow_their_image() -> None:
    old, new = image("a", "1"), image("a", "1", "2")
    keep([old])

    blobs.record(new, old)
    changed = blobs.read([digest("a")])[digest("a")]
    blobs.record(None, new)

    assert [layer.digest for layer in changed.layers or ()] == [digest("1"), digest("2")]
    assert not ImageBlobs.objects.exists()


def test_the_blobs_of_images_that_are_stored_are_found() -> None:
    images = [image("a", "1", "2"), image("b", members=("a", "c")), image("d")]
    keep(images)
    before = blobs.read([each.metadata.name for each in images])
    ImageBlobs.objects.all().delete()

    importlib.import_module("imagestreams.migrations.0004_image_blobs").fill(apps, None)

    assert {row.image: blobs.DECODER.decode(row.blobs) for row in ImageBlobs.objects.all()} == before
