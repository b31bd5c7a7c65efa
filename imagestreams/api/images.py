"""The kind Image: an immutable container image, named by its digest."""

from __future__ import annotations

import logging
from datetime import datetime

from imagestreams import blobs, formats, manifests, members, rows, validation
from imagestreams.formats import ManifestError
from imagestreams.types import GROUP, VERSION, Image
from registry_meta.kube import errors
from registry_meta.kube.errors import FieldError
from registry_meta.kube.objects import ObjectStorage
from registry_meta.kube.request import Context
from registry_meta.kube.resource import NAME, Column, Resource
from registry_meta.kube.strategy import Strategy
from registry_meta.kube.validation import path_segment

logger = logging.getLogger(__name__)

BLOB_STORED = "image.openshift.io/manifestBlobStored"
METADATA_VERSIONS = ("", "1.0", "pre012")
MANAGED_SIGNATURE = "image.openshift.io/managed-signature"


class ImageStrategy(Strategy[Image]):
    """What an image says of itself is read from its manifest once, and is immutable from then on."""

    unconditional_update = False

    def name_problems(self, name: str) -> list[str]:
        """Accept any path segment: digests by custom, not by rule."""
        return path_segment(name)

    def default(self, obj: Image) -> None:
        """Bring the embedded metadata into its one form; raises 400 for a schema that is not known."""
        if obj.docker_image_metadata_version not in METADATA_VERSIONS:
            raise errors.bad_request(
                f'no kind "DockerImage" is registered for version "{obj.docker_image_metadata_version}"'
            )
        manifests.default_image(obj)

    def prepare_create(self, obj: Image, *, context: Context) -> None:
        """Read metadata, layers and members from the manifest."""
        _read_manifest(obj, context=context)
        try:
            manifests.fill_members(obj)
        except ManifestError as error:
            logger.info("the members of image %s stay as they were sent: %s", obj.metadata.name, error)
        _drop_what_is_kept_elsewhere(obj)

    def prepare_update(self, new: Image, old: Image, *, context: Context) -> None:
        """Put back what is immutable; take a manifest or configuration only if its digest is the right one."""
        new.docker_image_metadata = old.docker_image_metadata
        new.docker_image_metadata_version = old.docker_image_metadata_version
        new.docker_image_layers = old.docker_image_layers
        if old.docker_image_signatures:
            new.docker_image_signatures = old.docker_image_signatures
        if not _is_manifest_of(new.docker_image_manifest, old):
            new.docker_image_manifest = old.docker_image_manifest
        if not _is_config_of(new.docker_image_config, new, old):
            new.docker_image_config = old.docker_image_config
        _read_manifest(new, context=context)
        _drop_what_is_kept_elsewhere(new)

    def validate(self, obj: Image, *, context: Context) -> list[FieldError]:
        """Hold the image to the rules of the API."""
        return validation.image(obj)

    def recorded(self, new: Image | None, old: Image | None, *, version: int, context: Context) -> None:
        """Note the blobs of the image, and which images a manifest list names."""
        blobs.record(new, old)
        members.record(new, old, now=context.now)


def _is_manifest_of(manifest: str, old: Image) -> bool:
    """Return whether an image may have a manifest: none, the one it has, or one with the image's own digest."""
    if manifest in ("", old.docker_image_manifest):
        return True
    try:
        digest = formats.manifest_digest(old.docker_image_manifest_media_type, manifest.encode())
    except ManifestError:
        return False
    return digest == old.metadata.name


def _is_config_of(config: str, new: Image, old: Image) -> bool:
    """Return whether an image may have a configuration: none, the one it has, or the one its manifest names."""
    if config in ("", old.docker_image_config):
        return True
    try:
        manifest = formats.parse(new.docker_image_manifest_media_type, new.docker_image_manifest.encode())
    except ManifestError:
        return False
    if not isinstance(manifest, formats.Schema2 | formats.OCIManifest):
        return False
    return formats.sha256(config.encode()) == manifest.config.digest


def _read_manifest(image: Image, *, context: Context) -> None:
    try:
        filled = manifests.fill_metadata(image, now=context.now)
    except ManifestError as error:
        logger.info("the metadata of image %s stays as it was sent: %s", image.metadata.name, error)
        return
    image.docker_image_metadata = filled.docker_image_metadata
    image.docker_image_layers = filled.docker_image_layers
    image.docker_image_manifest_media_type = filled.docker_image_manifest_media_type
    image.metadata.annotations = filled.metadata.annotations


def _drop_what_is_kept_elsewhere(image: Image) -> None:
    """Clear manifest and configuration where a registry keeps the blobs, and marks on signatures."""
    if (image.metadata.annotations or {}).get(BLOB_STORED) == "true":
        image.docker_image_manifest = image.docker_image_config = ""
    for signature in image.signatures or []:
        annotations = signature.metadata.annotations
        if annotations:
            annotations.pop(MANAGED_SIGNATURE, None)
            signature.metadata.annotations = annotations or None


def row(image: Image, now: datetime) -> list[object]:
    """Return the cells of an image."""
    return rows.image_row(image, now)


STORAGE = ObjectStorage(ImageStrategy())

IMAGES = Resource(
    group=GROUP,
    version=VERSION,
    kind="Image",
    plural="images",
    singular="image",
    namespaced=False,
    type=Image,
    storage=STORAGE,
    columns=(NAME, Column("Image Reference", description="The pull spec of the image.")),
    row=row,
)
