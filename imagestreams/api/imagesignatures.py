"""The kind ImageSignature: signatures of an image, kept inside it."""

from __future__ import annotations

import copy
from typing import Any

from imagestreams import validation
from imagestreams.api import images
from imagestreams.types import GROUP, VERSION, Image, ImageSignature
from registry_meta.kube import errors, store
from registry_meta.kube import validation as machinery
from registry_meta.kube.meta import GroupResource, new_uid, timestamp
from registry_meta.kube.objects import DeleteOptions
from registry_meta.kube.request import Context
from registry_meta.kube.resource import Resource

WORD = GroupResource(GROUP, "imageSignatures")


class ImageSignatureStorage:
    """Adds signatures to images and takes them away; the rights to do so are those of signatures, not of images."""

    def create(self, obj: ImageSignature, *, context: Context) -> ImageSignature:
        """Add a signature; raises 404 for a missing image and 409 for one that is there, by name or by content."""
        if not obj.metadata.name and obj.metadata.generate_name:
            raise errors.internal_error("metadata.name was not generated")
        obj.conditions = obj.signed_claims = obj.created = obj.issued_by = obj.issued_to = None
        obj.image_identity = ""
        problems = machinery.object_meta(obj.metadata, namespaced=False, name_rule=machinery.path_segment)
        problems += validation.image_signature(obj, "")
        if problems:
            raise errors.invalid(IMAGE_SIGNATURES.group_kind, obj.metadata.name, problems)
        obj.metadata.uid = new_uid()
        obj.metadata.creation_timestamp = timestamp(context.now)

        def change(image: Image) -> Image:
            for present in image.signatures or []:
                same = present.type == obj.type and present.content == obj.content
                if present.metadata.name == obj.metadata.name or same:
                    raise errors.already_exists(WORD, obj.metadata.name)
            image.signatures = [*(image.signatures or []), copy.deepcopy(obj)]
            return image

        _edit_image(obj.metadata.name.partition("@")[0], change, context=context)
        return obj

    def delete(self, name: str, options: DeleteOptions, *, context: Context) -> dict[str, Any]:
        """Take a signature away; raises 400 for a name of another form and 404 for what is not there."""
        image_name, _, signature = name.partition("@")
        if not image_name or not signature or "@" in signature:
            raise errors.bad_request("ImageSignatures must be accessed with <imageName>@<signatureName>")

        def change(image: Image) -> Image:
            kept = [present for present in image.signatures or [] if present.metadata.name != name]
            if len(kept) == len(image.signatures or []):
                raise errors.not_found(WORD, name)
            image.signatures = kept or None
            return image

        _edit_image(image_name, change, context=context)
        return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}


def _edit_image(name: str, change: store.Edit, *, context: Context) -> None:
    within = Context(
        context.actor, images.IMAGES, context.now, dry_run=context.dry_run, field_manager=context.field_manager,
        word=images.IMAGES.group_resource,
    )  # fmt: skip
    store.update(images.IMAGES, name, change, context=within, strategy=images.STORAGE.strategy)


IMAGE_SIGNATURES = Resource(
    group=GROUP,
    version=VERSION,
    kind="ImageSignature",
    plural="imagesignatures",
    singular="imagesignature",
    namespaced=False,
    type=ImageSignature,
    storage=ImageSignatureStorage(),
    columns=None,
)
