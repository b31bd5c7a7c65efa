"""The layers of a stream: every blob of its history and of the members of indexes, in reasonable time."""

from __future__ import annotations

import time

import pytest
from django.db import connection

from imagestreams.api import layers
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
    """Put images where the store keeps them."""
    with connection.cursor() as cursor:
        cursor.executemany(
            store.INSERT,
            [
                [layers.IMAGES_KEY, "", each.metadata.name, each.metadata.uid, version, store.encode(each)]
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
