"""What the two views of a tag, ImageStreamTag and ImageTag, share: finding it, and writing through its stream."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Protocol

from imagestreams import access, configuration, tags
from imagestreams.api import imagestreams as streams
from imagestreams.api.guesses import guesses
from imagestreams.api.images import IMAGES
from imagestreams.api.imagestreams import IMAGE_STREAMS
from imagestreams.types import Image, ImageStream, ImageStreamTag, ImageTag, TagReference
from registry_meta.kube import changes, errors, pagination, store, together
from registry_meta.kube.errors import FieldError, StatusError
from registry_meta.kube.meta import GroupKind, ObjectMeta, new_uid, timestamp
from registry_meta.kube.objects import DeleteOptions
from registry_meta.kube.pagination import ListOptions, Page
from registry_meta.kube.request import Context
from registry_meta.kube.selectors import FieldSelector

ATTEMPTS = 10


class Change(Protocol):
    """Edits a stream; `missing` says that the stream does not exist yet."""

    def __call__(self, stream: ImageStream, /, *, missing: bool) -> ImageStream:
        """Return the wished stream."""


def named_tag(name: str, form: str) -> tuple[str, str]:
    """Return stream and tag of `stream:tag`; raises 400 for another form."""
    stream, _, tag = name.partition(":")
    if not stream or not tag or ":" in tag or "@" in name:
        raise errors.bad_request(form)
    return stream, tag


def require_name(meta: ObjectMeta, kind: GroupKind) -> None:
    """Refuse a tag without a name: 422, or 500 where one should be generated, which tags cannot be."""
    if meta.name:
        return
    if meta.generate_name:
        raise errors.internal_error("metadata.name was not generated")
    problem = errors.required("metadata.name", "name or generateName is required")
    raise errors.invalid(kind, "", [problem])


def read_stream(name: str, *, context: Context) -> ImageStream:
    """Return the stream of a tag; raises 404 in the words of the kind that was asked for."""
    stored = store.find(IMAGE_STREAMS, context.namespace, name)
    if stored is None:
        raise errors.not_found(context.asked, name)
    stream: ImageStream = stored.object()
    return stream


def read_tag(name: str, tag: str, *, context: Context) -> tuple[ImageStream, Image | None]:
    """Return the stream of a tag, and the image that the tag points to, if there is one; raises 404 for the stream.

    They come in one statement where the image is the one of the last time.
    """
    place = (context.namespace, name, tag)
    guess = guesses.of(place)
    stored, image = together.find((IMAGE_STREAMS, context.namespace, name), (IMAGES, "", guess))
    if stored is None:
        raise errors.not_found(context.asked, name)
    stream: ImageStream = stored.object()
    event = tags.latest(stream, tag)
    digest = event.image if event is not None else ""
    if digest != guess:
        image = store.find(IMAGES, "", digest) if digest else None
        guesses.note(place, digest)
    return stream, image.object() if image is not None else None


def write_stream(name: str, change: Change, *, asked: str, context: Context) -> ImageStream:
    """Change a stream, or make it; somebody who makes it at the same moment leads to another try.

    `asked` is the name of the tag that the request is about.
    """
    here = Context(
        context.actor, IMAGE_STREAMS, context.now, namespace=context.namespace, dry_run=context.dry_run,
        field_manager=context.field_manager, reason=context.reason, word=context.asked, word_name=asked,
        marks=context.marks,
    )  # fmt: skip
    for _ in range(ATTEMPTS):
        try:
            if store.find(IMAGE_STREAMS, context.namespace, name) is not None:
                stored = store.update(
                    IMAGE_STREAMS, name, lambda stream: change(stream, missing=False), context=here,
                    strategy=streams.INTERNAL,
                )  # fmt: skip
            else:
                stream = change(_new_stream(name, context=context), missing=True)
                uid = stream.metadata.uid
                stored = store.create(IMAGE_STREAMS, stream, context=here, strategy=streams.REGULAR, uid=uid)
        except StatusError as error:
            if error.reason == "AlreadyExists" and (error.details or {}).get("name") == name:
                continue
            raise
        written: ImageStream = stored.object()
        return written
    raise errors.server_timeout(context.asked, "update")


def _new_stream(name: str, *, context: Context) -> ImageStream:
    meta = ObjectMeta(
        name=name, namespace=context.namespace, uid=new_uid(), creation_timestamp=timestamp(context.now), generation=0
    )
    return ImageStream(metadata=meta)


def check_tag_version(new: ImageStreamTag | ImageTag, stream: ImageStream, *, missing: bool, context: Context) -> None:
    """Refuse a change of a version or uid that the stream does not have (any more)."""
    wanted = new.metadata.resource_version
    name = new.metadata.name
    if missing:
        if wanted:
            raise errors.not_found(context.asked, name)
        return
    if wanted and wanted != stream.metadata.resource_version:
        why = f"another caller has updated the resource version to {stream.metadata.resource_version}"
        raise errors.conflict(context.asked, name, why)
    uid = new.metadata.uid
    if uid and uid != stream.metadata.uid:
        why = f"Precondition failed: UID in precondition: {uid}, UID in object meta: {stream.metadata.uid}"
        raise errors.conflict(context.asked, name, why)


def check_change(
    new: ImageStreamTag | ImageTag,
    wish: TagReference | None,
    *,
    missing: bool,
    context: Context,
    made: Callable[[], list[FieldError]],
    changed: Callable[[], list[FieldError]],
) -> None:
    """Hold a change to the rules of creation if its stream is missing, else to those of update; raises 403 or 422.

    `wish` is the tag that `new` asks for, which gets its defaults here; `made` and `changed` return what is wrong with
    `new` as a new tag and as a changed one.
    """
    if wish is not None:
        tags.default_tag(wish, import_mode=configuration.of(context).import_mode)
    if missing:
        if wish is not None and not wish.name:
            wish.name = new.metadata.name.partition(":")[2]
        resource = context.resource.plural
        if not access.may_create_tags(context.actor, context.namespace, resource=resource):
            raise access.creation_refused(context, resource=resource)
    problems = made() if missing else changed()
    if problems:
        raise errors.invalid(context.resource.group_kind, new.metadata.name, problems)


def remove_tag(name: str, options: DeleteOptions, form: str, *, context: Context) -> dict[str, Any]:
    """Remove a tag from the spec and the status of its stream; return a Status of success."""
    stream_name, tag = named_tag(name, form)
    read_stream(stream_name, context=context)

    def change(stream: ImageStream, *, missing: bool) -> ImageStream:
        wanted = options.required().uid
        if wanted and wanted != stream.metadata.uid:
            raise errors.conflict(context.asked, name, "the UID precondition was not met")
        if not tags.remove(stream, tag):
            raise errors.not_found(context.asked, name)
        return stream

    write_stream(stream_name, change, asked=name, context=context)
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}


Listing = Callable[[ImageStream, Context], Iterator[tuple[str, str]]]
"""Yields (name, document) of each tag of a stream that a list shows."""


def stream_pages(options: ListOptions, listing: Listing, *, context: Context) -> Page:
    """Return the tags of a page of streams: labels are those of the stream, fields those of the tag."""
    query = context.query.copy()
    fields = FieldSelector.parse(query.pop("fieldSelector", [""])[-1])
    unknown = sorted(key for key in fields.fields if key not in ("metadata.name", "metadata.namespace"))
    if unknown:
        known = '"metadata.name", "metadata.namespace"'
        raise errors.bad_request(f'"{unknown[0]}" is not a known field selector: only {known}')
    selected = pagination.selection(IMAGE_STREAMS, query)
    seen = context.marks.get(changes.NAME)
    page = pagination.page(IMAGE_STREAMS, context.namespace, selected, options, seen=seen)
    documents: list[str] = []
    for text in page.documents:
        stream: ImageStream = IMAGE_STREAMS.decoder.decode(text)
        for name, document in listing(stream, context):
            values = {"metadata.name": name, "metadata.namespace": stream.metadata.namespace}
            if fields.matches(values.__getitem__):
                documents.append(document)
    return Page(documents, 0, page.continue_)
