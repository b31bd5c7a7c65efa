"""The kind ImageTag: one tag of a stream with its wish, its history and its image side by side."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import msgspec

from imagestreams import configuration, rows, tags, validation, whitelist
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
from imagestreams.types import GROUP, VERSION, Image, ImageStream, ImageTag
from registry_meta.kube import errors
from registry_meta.kube import validation as machinery
from registry_meta.kube.errors import FieldError
from registry_meta.kube.objects import DeleteOptions
from registry_meta.kube.pagination import ListOptions, Page
from registry_meta.kube.request import Context
from registry_meta.kube.resource import NAME, Column, Resource
from registry_meta.kube.store import Edit
from registry_meta.kube.store import encode as document_of

FORM = "ImageTags must be retrieved with <name>:<tag>"


def tag_view(stream: ImageStream, tag: str, *, image: Image | None) -> ImageTag:
    """Return a tag as clients see it; spec and status are null where the stream has none."""
    meta = msgspec.structs.replace(stream.metadata, name=f"{stream.metadata.name}:{tag}")
    view = ImageTag(
        metadata=meta,
        spec=copy.deepcopy(tags.tag_of(stream, tag)),
        status=copy.deepcopy(tags.history_of(stream, tag)),
    )
    event = tags.latest(stream, tag)
    if image is not None and event is not None:
        image.docker_image_manifest = image.docker_image_config = ""
        image.docker_image_reference = tags.resolve_reference(stream, tag, event) or image.docker_image_reference
        view.image = image
    return view


class ImageTagStorage:
    """Tags are read from their stream and written through it."""

    def get(self, name: str, *, context: Context) -> ImageTag:
        """Return a tag; raises 404 when the stream neither wishes it nor ever had it."""
        stream_name, tag = named_tag(name, FORM)
        stream, image = read_tag(stream_name, tag, context=context)
        view = tag_view(stream, tag, image=image)
        if view.spec is None and view.status is None:
            raise errors.not_found(context.asked, name)
        return view

    def list(self, options: ListOptions, *, context: Context) -> Page:
        """Return the tags of the selected streams, without their images."""
        return stream_pages(options, _listed, context=context)

    def create(self, obj: ImageTag, *, context: Context) -> ImageTag:
        """Add a tag to a stream, which is made if it is missing."""
        require_name(obj.metadata, IMAGE_TAGS.group_kind)
        if obj.spec is not None:
            obj.spec.name = obj.spec.name or obj.metadata.name.partition(":")[2]
            tags.default_tag(obj.spec, import_mode=configuration.of(context).import_mode)
        problems = _problems(obj)
        if problems:
            raise errors.invalid(IMAGE_TAGS.group_kind, obj.metadata.name, problems)
        stream_name, tag = named_tag(obj.metadata.name, FORM)
        name = obj.metadata.name

        def change(stream: ImageStream, *, missing: bool) -> ImageStream:
            if tags.tag_of(stream, tag) is not None:
                raise errors.already_exists(context.asked, name)
            if obj.spec is not None:
                tags.set_tag(stream, obj.spec)
            return stream

        return _with_image(write_stream(stream_name, change, asked=name, context=context), tag)

    def update(self, name: str, edit: Edit, *, context: Context, replaces: bool) -> tuple[ImageTag, bool]:
        """Replace the wish for a tag, or with a null spec drop it; created is true when there was no wish before."""
        stream_name, tag = named_tag(name, FORM)
        existed: list[bool] = []

        def change(stream: ImageStream, *, missing: bool) -> ImageStream:
            old = tag_view(stream, tag, image=None)
            new: ImageTag = edit(copy.deepcopy(old))
            check_tag_version(new, stream, missing=missing, context=context)
            check_change(
                new, new.spec, missing=missing, context=context, made=lambda: _problems(new),
                changed=lambda: validation.image_tag_update(new, old) + _not_allowed(new, old),
            )  # fmt: skip
            existed.append(old.spec is not None)
            if new.spec is None:
                tags.drop_wish(stream, tag)
            else:
                new.spec.name = tag
                tags.set_tag(stream, new.spec)
            return stream

        stream = write_stream(stream_name, change, asked=name, context=context)
        return _with_image(stream, tag), not existed[-1]

    def delete(self, name: str, options: DeleteOptions, *, context: Context) -> dict[str, Any]:
        """Remove a tag from the wishes and the history of its stream."""
        return remove_tag(name, options, FORM, context=context)


def _with_image(stream: ImageStream, tag: str) -> ImageTag:
    event = tags.latest(stream, tag)
    image = find_image(event.image) if event is not None and event.image else None
    return tag_view(stream, tag, image=image)


def _listed(stream: ImageStream, context: Context) -> Iterator[tuple[str, str]]:
    wished = {tag.name for tag in stream.spec.tags or []}
    seen = {history.tag for history in stream.status.tags or []}
    for tag in sorted(wished | seen):
        view = tag_view(stream, tag, image=None)
        yield view.metadata.name, document_of(view)


def _problems(obj: ImageTag) -> list[FieldError]:
    """Return what is wrong with a new tag."""
    problems = machinery.object_meta(obj.metadata, namespaced=True, name_rule=machinery.path_segment)
    return problems + validation.image_tag(obj) + _not_allowed(obj, None)


def _not_allowed(new: ImageTag, old: ImageTag | None) -> list[FieldError]:
    """Return why the wish of a tag is not allowed; what it was before stays so."""
    known = configuration.current().whitelist.knowing(whitelist.source_of(old.spec if old is not None else None))
    return whitelist.tag_problems(new.spec, "spec", known, insecure=whitelist.is_insecure(new.metadata))


IMAGE_TAGS = Resource(
    group=GROUP,
    version=VERSION,
    kind="ImageTag",
    plural="imagetags",
    singular="imagetag",
    namespaced=True,
    type=ImageTag,
    storage=ImageTagStorage(),
    short_names=("itag",),
    columns=(
        NAME,
        Column("Spec", description="How the tag is wished."),
        Column("Status", description="What the tag points to, or what is the matter with it."),
        Column("History", type="number", description="Number of history entries"),
        Column("Updated", description="Last updated at"),
    ),
    row=rows.image_tag_row,
)
