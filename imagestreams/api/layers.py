"""The subresource imagestreams/layers: every blob that the images of a stream's history are made of."""

from __future__ import annotations

from imagestreams import blobs
from imagestreams.blobs import Blobs
from imagestreams.types import ImageBlobReferences, ImageLayerData, ImageStream, ImageStreamLayers
from registry_meta.kube import store
from registry_meta.kube.request import Context

SCHEMA2 = "application/vnd.docker.distribution.manifest.v2+json"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIGS = {
    SCHEMA2: "application/vnd.docker.container.image.v1+json",
    OCI_MANIFEST: "application/vnd.oci.image.config.v1+json",
}


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
        found = blobs.read(list(wanted))
        members: dict[str, None] = {}
        for digest in wanted:
            members.update(_add(view, digest, found.get(digest)))
        wanted = {digest: None for digest in members if digest not in view.images}
    return view


def _add(view: ImageStreamLayers, digest: str, image: Blobs | None) -> dict[str, None]:
    """Add one image to the view and return the digests of its members."""
    if image is None:
        view.images[digest] = ImageBlobReferences(image_missing=True)
        return {}
    media_type = image.media_type or SCHEMA2
    references = ImageBlobReferences(manifests=image.manifests)
    if image.layers:
        references.layers = [layer.digest for layer in image.layers]
        for layer in image.layers:
            if layer.digest not in view.blobs:
                view.blobs[layer.digest] = ImageLayerData(
                    size=layer.size, media_type=image.layer_types[layer.media_type]
                )
    if image.config and image.media_type in CONFIGS:
        references.config = image.config
        view.blobs.setdefault(image.config, ImageLayerData(media_type=CONFIGS[media_type]))
    view.blobs.setdefault(digest, ImageLayerData(media_type=media_type))
    view.images[digest] = references
    return dict.fromkeys(references.manifests or [])
