"""The subresource imagestreams/layers: every blob that the images of a stream's history are made of."""

from __future__ import annotations

import msgspec
from django.db import connection

from imagestreams.types import (
    GROUP,
    ImageBlobReferences,
    ImageLayerData,
    ImageManifest,
    ImageStream,
    ImageStreamLayers,
)
from registry_meta.kube import store
from registry_meta.kube.meta import KubeStruct
from registry_meta.kube.request import Context

SCHEMA2 = "application/vnd.docker.distribution.manifest.v2+json"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIGS = {
    SCHEMA2: "application/vnd.docker.container.image.v1+json",
    OCI_MANIFEST: "application/vnd.oci.image.config.v1+json",
}
IMAGES_KEY = f"images.{GROUP}"
BATCH = 500


class _Identity(msgspec.Struct, rename="pascal"):
    id: str = ""


class _Layer(msgspec.Struct, rename="camel", gc=False):
    name: str = ""
    size: int = 0
    media_type: str = ""


class _Blobs(KubeStruct):
    """The part of an image that tells its blobs; the rest of the document is not looked at."""

    docker_image_metadata: _Identity = msgspec.field(default_factory=_Identity)
    docker_image_layers: list[_Layer] | None = None
    docker_image_manifest_media_type: str = ""
    docker_image_manifests: list[ImageManifest] | None = None


BLOBS = msgspec.json.Decoder(_Blobs)


class LayersStorage:
    """Computes the view on each read."""

    def get(self, name: str, *, context: Context) -> ImageStreamLayers:
        """Return the layers of a stream; raises 404 when there is no such stream."""
        stream: ImageStream = store.read(context.resource, name, context=context).object()
        return layers_of(stream)


def layers_of(stream: ImageStream) -> ImageStreamLayers:
    """Return the blobs of every image in a stream's history and of the members of its indexes."""
    wanted = dict.fromkeys(
        event.image for history in (stream.status.tags or []) for event in (history.items or []) if event.image
    )
    view = ImageStreamLayers(metadata=stream.metadata)
    while wanted:
        found = _read_images(list(wanted))
        members: dict[str, None] = {}
        for digest in wanted:
            members.update(_add(view, digest, found.get(digest)))
        wanted = {digest: None for digest in members if digest not in view.images}
    return view


def _add(view: ImageStreamLayers, digest: str, image: _Blobs | None) -> dict[str, None]:
    """Add one image to the view and return the digests of its members."""
    if image is None:
        view.images[digest] = ImageBlobReferences(image_missing=True)
        return {}
    media_type = image.docker_image_manifest_media_type or SCHEMA2
    references = ImageBlobReferences()
    if image.docker_image_layers:
        references.layers = [layer.name for layer in image.docker_image_layers]
        for layer in image.docker_image_layers:
            if layer.name not in view.blobs:
                view.blobs[layer.name] = ImageLayerData(size=layer.size, media_type=layer.media_type)
    config = image.docker_image_metadata.id
    if config and media_type in CONFIGS and image.docker_image_manifest_media_type:
        references.config = config
        view.blobs.setdefault(config, ImageLayerData(media_type=CONFIGS[media_type]))
    if image.docker_image_manifests:
        references.manifests = [member.digest for member in image.docker_image_manifests]
    view.blobs.setdefault(digest, ImageLayerData(media_type=media_type))
    view.images[digest] = references
    return dict.fromkeys(references.manifests or [])


def _read_images(digests: list[str]) -> dict[str, _Blobs]:
    found: dict[str, _Blobs] = {}
    for start in range(0, len(digests), BATCH):
        part = digests[start : start + BATCH]
        marks = ", ".join(["%s"] * len(part))
        with connection.cursor() as cursor:
            cursor.execute(
                f"SELECT name, document FROM kube_object WHERE resource = %s AND namespace = '' AND name IN ({marks})",  # noqa: S608  # marks are placeholders
                [IMAGES_KEY, *part],
            )
            found |= {name: BLOBS.decode(document) for name, document in cursor.fetchall()}
    return found
