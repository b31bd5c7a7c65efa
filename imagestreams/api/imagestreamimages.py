"""The kind ImageStreamImage: an image as reached through the history of a stream."""

from __future__ import annotations

from imagestreams import reference, rows
from imagestreams.api.images import IMAGES
from imagestreams.api.imagestreams import IMAGE_STREAMS
from imagestreams.api.layers import layers_of
from imagestreams.types import GROUP, VERSION, Image, ImageStream, ImageStreamImage
from registry_meta.kube import errors, store
from registry_meta.kube.meta import GroupResource, ObjectMeta
from registry_meta.kube.request import Context
from registry_meta.kube.resource import NAME, Column, Resource

SINGULAR = GroupResource(GROUP, "imagestreamimage")


class ImageStreamImageStorage:
    """Finds images by digest, or an unambiguous start of one, among all that a stream holds."""

    def get(self, name: str, *, context: Context) -> ImageStreamImage:
        """Return `stream@digest`; raises 400 for another form and 404 when the stream does not hold the image."""
        stream_name, _, digest = name.partition("@")
        if not stream_name or not digest or "@" in digest:
            raise errors.bad_request("ImageStreamImages must be retrieved with <name>@<id>")
        stored = store.find(IMAGE_STREAMS, context.namespace, stream_name)
        if stored is None:
            raise errors.not_found(context.asked, stream_name)
        stream: ImageStream = stored.object()
        held = sorted(image for image in layers_of(stream).images if reference.id_matches(image, digest))
        if not held:
            raise errors.not_found(SINGULAR, name)
        image = find_image(held[0])
        if image is None:
            raise errors.not_found(context.asked, held[0])
        image.docker_image_manifest = image.docker_image_config = ""
        meta = ObjectMeta(
            name=name,
            namespace=context.namespace,
            creation_timestamp=image.metadata.creation_timestamp,
            annotations=stream.metadata.annotations,
        )
        return ImageStreamImage(metadata=meta, image=image)


def find_image(digest: str) -> Image | None:
    """Return an image, or None."""
    stored = store.find(IMAGES, "", digest)
    if stored is None:
        return None
    image: Image = stored.object()
    return image


IMAGE_STREAM_IMAGES = Resource(
    group=GROUP,
    version=VERSION,
    kind="ImageStreamImage",
    plural="imagestreamimages",
    singular="imagestreamimage",
    namespaced=True,
    type=ImageStreamImage,
    storage=ImageStreamImageStorage(),
    short_names=("isimage",),
    columns=(
        NAME,
        Column("Updated", description="When the image was first stored."),
        Column("Image Reference", description="The pull spec of the image.", priority=1),
        Column("Image Name", description="The digest of the image.", priority=1),
    ),
    row=rows.image_stream_image_row,
)
