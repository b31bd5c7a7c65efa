"""The kind ImageStreamMapping: what a registry says after a push."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from authz.api import limitranges
from authz.api.limitranges import LimitRange
from imagestreams import holds, limits, manifests, tags, validation
from imagestreams.api import images
from imagestreams.api.imagestreams import IMAGE_STREAMS, ImageStreamStatusStrategy
from imagestreams.api.tagwrites import read_stream
from imagestreams.formats import ManifestError
from imagestreams.hosts import registry_hosts
from imagestreams.types import GROUP, VERSION, Image, ImageStream, ImageStreamMapping, TagEvent
from registry_meta.kube import errors, store
from registry_meta.kube import validation as machinery
from registry_meta.kube.errors import FieldError, StatusError
from registry_meta.kube.meta import GroupResource, timestamp
from registry_meta.kube.request import Context
from registry_meta.kube.resource import Resource
from registry_meta.kube.strategy import ADMISSIONS, Creation

MANAGED = "openshift.io/image.managed"
CREATED: dict[str, Any] = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}


class ImageStreamMappingStorage:
    """Stores the image and moves the tag; nothing of the mapping itself is kept."""

    def create(self, obj: ImageStreamMapping, *, context: Context) -> dict[str, Any]:
        """Put an image behind a tag of an existing stream.

        Raises 404 in the words of this kind when the stream is missing, on which registries rely to create it, and 403
        when the image is larger than the namespace allows.
        """
        creation = Creation(MAPPINGS, context.namespace, obj.metadata.name, context.now)
        for admission in ADMISSIONS:
            admission(creation)
        ranges = limitranges.in_namespace(context.namespace)
        _check_size(obj.image, ranges, creation=creation)
        _prepare(obj, context=context)
        problems = machinery.object_meta(obj.metadata, namespaced=True, name_rule=machinery.path_segment)
        unnamed = _image_metadata(obj.image)
        problems += unnamed or validation.image_stream_mapping(obj)
        if problems:
            raise errors.invalid(MAPPINGS.group_kind, obj.metadata.name, problems)
        hold = holds.on(read_stream(obj.metadata.name, context=context), obj.tag, now=context.now)
        if hold is not None:
            raise errors.invalid(MAPPINGS.group_kind, obj.metadata.name, [holds.refusal("tag", hold)])
        sent = copy.deepcopy(obj.image)
        existed = not _store_image(obj.image, context=context)
        self._move(obj, sent, existed=existed, ranges=ranges, context=context)
        return CREATED

    def _move(
        self, obj: ImageStreamMapping, sent: Image, *, existed: bool, ranges: Sequence[LimitRange], context: Context
    ) -> None:
        name, tag = obj.metadata.name, obj.tag
        managed = existed and (sent.metadata.annotations or {}).get(MANAGED) == "true"

        def change(stream: ImageStream) -> ImageStream:
            pull_spec = sent.docker_image_reference
            if managed:
                repository = stream.status.docker_image_repository or stream.spec.docker_image_repository
                pull_spec = f"{repository}@{sent.metadata.name}" if repository else pull_spec
            event = TagEvent(
                created=timestamp(context.now),
                docker_image_reference=pull_spec,
                image=sent.metadata.name,
                generation=stream.metadata.generation,
            )
            if tags.push(stream, tag, event):
                tags.track(stream, tag, event, now=context.now)
            return stream

        strategy = ImageStreamStatusStrategy(ranges)
        store.update(IMAGE_STREAMS, name, change, context=_within(IMAGE_STREAMS, context), strategy=strategy)


def _check_size(image: Image, ranges: Sequence[LimitRange], *, creation: Creation) -> None:
    """Refuse an image that is too large, or whose size cannot be told where it matters."""
    allowed = limitranges.largest_allowed(ranges, limits.IMAGE)
    if limits.STORAGE not in allowed:
        return
    try:
        size = manifests.fill_metadata(image, now=creation.now).docker_image_metadata.size
    except ManifestError as error:
        raise creation.refused(str(error)) from error
    why = limits.image_excess(size, allowed)
    if why:
        raise creation.refused(why)


def _prepare(obj: ImageStreamMapping, *, context: Context) -> None:
    image = obj.image
    image.signatures = None
    manifests.default_image(image)
    hosts = registry_hosts()
    if not image.docker_image_reference and hosts.internal:
        place = f"{hosts.internal}/{context.namespace}/{obj.metadata.name}"
        image.docker_image_reference = f"{place}@{image.metadata.name}"


def _image_metadata(image: Image) -> list[FieldError]:
    """Return what is wrong with the metadata of the image inside."""
    found = machinery.object_meta(image.metadata, namespaced=False, name_rule=machinery.path_segment)
    return [replace(problem, field=f"image.{problem.field}") for problem in found]


def _store_image(image: Image, *, context: Context) -> bool:
    """Create an image and return True, or False when there is one of that name, which stays as it is."""
    if store.find(images.IMAGES, "", image.metadata.name) is not None:
        return False
    within = _within(images.IMAGES, context)
    within.namespace, within.word = "", GroupResource(GROUP, "images")
    try:
        store.create(images.IMAGES, image, context=within, strategy=images.STORAGE.strategy)
    except StatusError as error:
        if error.reason != "AlreadyExists":
            raise
        return False
    return True


def _within(resource: Resource, context: Context) -> Context:
    """Return the context of a write to another kind that this request leads to."""
    return Context(
        context.actor, resource, context.now, namespace=context.namespace, dry_run=context.dry_run,
        field_manager=context.field_manager, reason="pushed", word=context.asked,
    )  # fmt: skip


MAPPINGS = Resource(
    group=GROUP,
    version=VERSION,
    kind="ImageStreamMapping",
    plural="imagestreammappings",
    singular="imagestreammapping",
    namespaced=True,
    type=ImageStreamMapping,
    storage=ImageStreamMappingStorage(),
    columns=None,
)
