"""The kind ImageStreamTag: one tag of a stream with the image it points to now."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from imagestreams import configuration, holds, manifests, rows, tags, validation, whitelist
from imagestreams.api.imagestreamimages import find_image
from imagestreams.api.tagwrites import (
    check_change,
    check_tag_version,
    named_tag,
    read_tag,
    remove_tag,
    require_name,
    stream_pages,
    write_stream,
)
from imagestreams.types import (
    GROUP,
    VERSION,
    Image,
    ImageStream,
    ImageStreamTag,
    TagEvent,
)
from registry_meta.kube import errors
from registry_meta.kube import validation as machinery
from registry_meta.kube.errors import FieldError
from registry_meta.kube.meta import GroupResource, ObjectMeta
from registry_meta.kube.objects import DeleteOptions
from registry_meta.kube.pagination import ListOptions, Page
from registry_meta.kube.request import Context
from registry_meta.kube.resource import NAME, Column, Resource
from registry_meta.kube.store import Edit
from registry_meta.kube.store import encode as document_of

SINGULAR = GroupResource(GROUP, "imagestreamtag")
FORM = "ImageStreamTags must be retrieved with <name>:<tag>"


def tag_view(
    stream: ImageStream, tag: str, *, image: Image | None, allow_empty: bool, context: Context
) -> ImageStreamTag:
    """Return a tag as clients see it; raises 404 when it points to no image, unless `allow_empty`."""
    meta, event = stream.metadata, tags.latest(stream, tag)
    name = f"{meta.name}:{tag}"
    if event is None or not event.image:
        if not allow_empty:
            raise errors.not_found(context.asked, name)
        event = TagEvent(created=meta.creation_timestamp)
    spec = copy.deepcopy(tags.tag_of(stream, tag))
    annotations = dict(spec.annotations) if spec is not None and spec.annotations else None
    view = ImageStreamTag(
        metadata=ObjectMeta(
            name=name,
            namespace=meta.namespace,
            uid=meta.uid,
            resource_version=meta.resource_version,
            creation_timestamp=event.created,
            labels=meta.labels,
            annotations=annotations,
        ),
        tag=spec,
        generation=event.generation,
        lookup_policy=stream.spec.lookup_policy,
        conditions=tags.conditions_of(stream, tag),
        image=_image(image, event, annotations, now=context.now),
    )
    reference = tags.resolve_reference(stream, tag, event)
    view.image.docker_image_reference = reference or view.image.docker_image_reference
    return view


def _image(image: Image | None, event: TagEvent, annotations: dict[str, str] | None, *, now: datetime) -> Image:
    if image is None:
        return Image(metadata=ObjectMeta(name=event.image), docker_image_metadata_version="1.0")
    image = manifests.fill_metadata(image, now=now)
    if annotations:
        image.metadata.annotations = {**(image.metadata.annotations or {}), **annotations}
    image.docker_image_manifest = image.docker_image_config = ""
    return image


class ImageStreamTagStorage:
    """Tags are read from their stream and written through it."""

    def get(self, name: str, *, context: Context) -> ImageStreamTag:
        """Return a tag with its image; raises 404 naming the stream, the tag or the image that is missing."""
        stream_name, tag = named_tag(name, FORM)
        stream, image = read_tag(stream_name, tag, context=context)
        event = tags.latest(stream, tag)
        if event is None or not event.image:
            raise errors.not_found(context.asked, name)
        if image is None:
            raise errors.not_found(context.asked, event.image)
        return tag_view(stream, tag, image=image, allow_empty=False, context=context)

    def list(self, options: ListOptions, *, context: Context) -> Page:
        """Return the tags of the selected streams that point to an image; `limit` counts streams."""
        return stream_pages(options, _listed, context=context)

    def create(self, obj: ImageStreamTag, *, context: Context) -> ImageStreamTag:
        """Add a tag to a stream, which is made if it is missing; raises 409 when the stream wishes that tag already."""
        require_name(obj.metadata, IMAGE_STREAM_TAGS.group_kind)
        stream_name, tag = _lax_split(obj.metadata.name)
        if obj.tag is not None and not obj.tag.name:
            obj.tag.name = tag
        if obj.tag is not None:
            tags.default_tag(obj.tag, import_mode=configuration.of(context).import_mode)
        problems = _problems(obj)
        if problems:
            raise errors.invalid(IMAGE_STREAM_TAGS.group_kind, obj.metadata.name, problems)
        name = obj.metadata.name

        def change(stream: ImageStream, *, missing: bool) -> ImageStream:
            if tags.tag_of(stream, tag) is not None:
                raise errors.already_exists(SINGULAR, name)
            if obj.tag is not None:
                tags.set_tag(stream, obj.tag)
            return stream

        stream = write_stream(stream_name, change, asked=name, context=context)
        return _written(stream, tag, context=context)

    def update(self, name: str, edit: Edit, *, context: Context, replaces: bool) -> tuple[ImageStreamTag, bool]:
        """Change a tag, or make it; created is true when the stream did not wish that tag before."""
        stream_name, tag = named_tag(name, FORM)
        existed: list[bool] = []

        def change(stream: ImageStream, *, missing: bool) -> ImageStream:
            old = tag_view(stream, tag, image=None, allow_empty=True, context=context)
            new: ImageStreamTag = edit(copy.deepcopy(old))
            check_tag_version(new, stream, missing=missing, context=context)
            _check_change(new, old, missing=missing, context=context)
            present = tags.tag_of(stream, tag)
            existed.append(present is not None)
            if present is None and new.tag is None:
                raise errors.bad_request(
                    f"imagestreamtag {tag} is not a spec tag in imagestream"
                    f" {context.namespace}/{stream_name}, cannot be updated"
                )
            wished = new.tag if new.tag is not None else present
            if wished is None:
                raise AssertionError("either the body or the stream has the tag")
            annotations = new.metadata.annotations
            if replaces:
                annotations = holds.kept(annotations, present, now=context.now)
            wished.name, wished.annotations = tag, annotations
            tags.set_tag(stream, wished)
            return stream

        stream = write_stream(stream_name, change, asked=name, context=context)
        return _written(stream, tag, context=context), not existed[-1]

    def delete(self, name: str, options: DeleteOptions, *, context: Context) -> dict[str, Any]:
        """Remove a tag from the wishes and the history of its stream."""
        return remove_tag(name, options, FORM, context=context)


def _listed(stream: ImageStream, context: Context) -> Iterator[tuple[str, str]]:
    for history in stream.status.tags or []:
        event = history.items[0] if history.items else None
        if event is not None and event.image:
            view = tag_view(stream, history.tag, image=None, allow_empty=True, context=context)
            yield view.metadata.name, document_of(view)


def _written(stream: ImageStream, tag: str, *, context: Context) -> ImageStreamTag:
    event = tags.latest(stream, tag)
    image = find_image(event.image) if event is not None and event.image else None
    return tag_view(stream, tag, image=image, allow_empty=True, context=context)


def _lax_split(name: str) -> tuple[str, str]:
    """Return stream and tag of a name to be created; the tag may be left out after the colon."""
    stream, colon, tag = name.partition(":")
    if not colon:
        raise errors.StatusError(500, "", f'"{name}" must be of the form <stream_name>:<tag>')
    if not stream:
        raise errors.bad_request("Name parameter required.")
    return stream, tag or "latest"


def _problems(obj: ImageStreamTag) -> list[FieldError]:
    """Return what is wrong with a new tag."""
    problems = machinery.object_meta(obj.metadata, namespaced=True, name_rule=machinery.path_segment)
    return problems + validation.image_stream_tag(obj) + _not_allowed(obj, None)


def _not_allowed(new: ImageStreamTag, old: ImageStreamTag | None) -> list[FieldError]:
    """Return why the wish of a tag is not allowed; what it was before stays so."""
    known = configuration.current().whitelist.knowing(whitelist.source_of(old.tag if old is not None else None))
    return whitelist.tag_problems(new.tag, "tag", known, insecure=whitelist.is_insecure(new.metadata))


def _check_change(new: ImageStreamTag, old: ImageStreamTag, *, missing: bool, context: Context) -> None:
    def changed() -> list[FieldError]:
        if new.tag is not None:
            new.tag.annotations = new.metadata.annotations
        new.conditions, new.image = old.conditions, old.image
        return validation.image_stream_tag_update(new, old) + _not_allowed(new, old)

    new.metadata.labels = new.metadata.labels or old.metadata.labels
    check_change(new, new.tag, missing=missing, context=context, made=lambda: _problems(new), changed=changed)


IMAGE_STREAM_TAGS = Resource(
    group=GROUP,
    version=VERSION,
    kind="ImageStreamTag",
    plural="imagestreamtags",
    singular="imagestreamtag",
    namespaced=True,
    type=ImageStreamTag,
    storage=ImageStreamTagStorage(),
    short_names=("istag",),
    columns=(
        NAME,
        Column("Image Reference", description="The pull spec of the image."),
        Column("Updated", description="When the tag last moved."),
        Column("Image Name", description="The digest of the image.", priority=1),
    ),
    row=rows.image_stream_tag_row,
)
