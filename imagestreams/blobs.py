"""The blobs that images consist of: rows beside the images, written in the transactions that write them."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from django.db import connection

from imagestreams.models import ImageBlobs
from imagestreams.types import GROUP, Image

INSERT = "INSERT INTO imagestreams_image_blobs (image, blobs) VALUES (%s, %s)"
IMAGES_KEY = f"images.{GROUP}"
BATCH = 500


class Layer(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A layer: its digest, its size in bytes, and the index of its media type."""

    digest: str
    size: int
    media_type: int


class Blobs(msgspec.Struct, array_like=True, frozen=True):
    """What an image consists of; as JSON an array, each media type in it once.

    An image without layers has none (null), and one that is no manifest list has no manifests.
    """

    config: str
    media_type: str
    manifests: list[str] | None
    layer_types: list[str]
    layers: list[Layer] | None


DECODER = msgspec.json.Decoder(Blobs)
IMAGE = msgspec.json.Decoder(Image)


def blobs_of(image: Image) -> Blobs:
    """Return the blobs of an image."""
    types: dict[str, int] = {}
    layers = [
        Layer(layer.name, layer.size, types.setdefault(layer.media_type, len(types)))
        for layer in image.docker_image_layers or ()
    ]
    return Blobs(
        image.docker_image_metadata.id,
        image.docker_image_manifest_media_type,
        [member.digest for member in image.docker_image_manifests or ()] or None,
        list(types),
        layers or None,
    )


def record(new: Image | None, old: Image | None) -> None:
    """Follow a change of an image; `new` is None for one that is deleted."""
    if new is None:
        ImageBlobs.objects.filter(image=old.metadata.name if old is not None else "").delete()
        return
    blobs = blobs_of(new)
    if old is None:
        with connection.cursor() as cursor:
            cursor.execute(INSERT, [new.metadata.name, _encoded(blobs)])
    elif blobs != blobs_of(old):
        ImageBlobs.objects.update_or_create(image=new.metadata.name, defaults={"blobs": _encoded(blobs)})


def _encoded(blobs: Blobs) -> str:
    return msgspec.json.encode(blobs).decode()


def read(digests: Sequence[str]) -> dict[str, Blobs]:
    """Return the blobs of those of some images that there are."""
    found: dict[str, Blobs] = {}
    for start in range(0, len(digests), BATCH):
        part = digests[start : start + BATCH]
        known = _rows("SELECT image, blobs FROM imagestreams_image_blobs WHERE image IN", part)
        found |= {image: DECODER.decode(text) for image, text in known}
        if len(known) < len(part):
            found |= _of_documents([digest for digest in part if digest not in found])
    return found


def _of_documents(digests: Sequence[str]) -> dict[str, Blobs]:
    """Return the blobs of images from their documents: one that an older release has stored has no row."""
    scope = f"resource = '{IMAGES_KEY}' AND namespace = ''"
    rows = _rows(f"SELECT name, document FROM kube_object WHERE {scope} AND name IN", digests)  # noqa: S608
    return {name: blobs_of(IMAGE.decode(document)) for name, document in rows}


def _rows(select: str, values: Sequence[str]) -> list[tuple[str, str]]:
    """Return what a statement, which ends before a list of values, selects."""
    with connection.cursor() as cursor:
        cursor.execute(f"{select} ({', '.join(['%s'] * len(values))})", list(values))
        rows: list[tuple[str, str]] = cursor.fetchall()
    return rows
