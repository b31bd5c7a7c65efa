"""What an import writes into a stream, and which tags want one."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import msgspec

from imagestreams.conditions import IMPORT_SUCCESS, import_failure, is_same_failure
from imagestreams.history import clear_conditions, history_of, latest, open_history, push, set_tag, tag_of
from imagestreams.reference import InvalidReference, PullSpec
from imagestreams.types import Image, ImageImportSpec, ImageStream, TagEvent, TagReference
from registry_meta.kube.meta import ObjectReference, timestamp


def next_generation(stream: ImageStream) -> int:
    """Return the generation that a stream will have when a change of its spec is written."""
    return stream.metadata.generation + 1


def record_success(
    stream: ImageStream, tag: str, *, image: Image, request: ImageImportSpec, now: datetime
) -> TagEvent | None:
    """Let a tag point to an imported image, in place; return the event, or None when it pointed there already.

    `request` says where the image was asked from and with which policies; for a tag of a repository the importer
    makes one up. Whatever happens, the import policy is the request's and the conditions of the tag are gone.
    """
    event = TagEvent(
        created=timestamp(now),
        docker_image_reference=image.docker_image_reference,
        image=image.metadata.name,
        generation=next_generation(stream),
    )
    wish = tag_of(stream, tag)
    if wish is not None and not _brings_news(stream, wish, event):
        wish.import_policy = msgspec.structs.replace(request.import_policy)
        clear_conditions(stream, tag)
        return None
    if wish is None:
        set_tag(stream, wish_of(tag, request))
    else:
        wish.from_ = ObjectReference(kind="DockerImage", name=request.from_.name)
        wish.generation = 0
        wish.import_policy = msgspec.structs.replace(request.import_policy)
        wish.reference_policy.type = wish.reference_policy.type or request.reference_policy.type
    push(stream, tag, event)
    clear_conditions(stream, tag)
    return event


def _brings_news(stream: ImageStream, wish: TagReference, event: TagEvent) -> bool:
    """Return whether an imported image differs from what its tag points to, or was waited for."""
    newest = latest(stream, wish.name)
    if newest is None or wish.generation is None:
        return True
    points = (newest.image, newest.docker_image_reference)
    return points != (event.image, event.docker_image_reference) or wish.generation > newest.generation


def wish_of(tag: str, request: ImageImportSpec) -> TagReference:
    """Return the wish for a tag that an import asks for; its generation is given when the stream is written."""
    return TagReference(
        name=tag,
        from_=ObjectReference(kind="DockerImage", name=request.from_.name),
        generation=0,
        import_policy=msgspec.structs.replace(request.import_policy),
        reference_policy=msgspec.structs.replace(request.reference_policy),
    )


def record_failure(
    stream: ImageStream,
    tag: str,
    *,
    status: Mapping[str, object],
    now: datetime,
    request: ImageImportSpec | None = None,
) -> bool:
    """Note at a tag, in place, why its import failed; return whether that is new. What it points to stays.

    `status` is the `meta/v1.Status` of the failure. One that was noted before keeps its time. With a `request` (an
    entry of `spec.images`) a tag that is not wished yet is wished from now on; a tag of a repository import is not.
    """
    condition = import_failure(status, generation=next_generation(stream), now=now)
    history = open_history(stream, tag)
    known = [other for other in history.conditions or [] if is_same_failure(condition, other)]
    is_new = not known
    if is_new:
        history.conditions = [condition]
    wish = tag_of(stream, tag)
    if known and wish is not None and request is not None and wish.from_ == request.from_:
        # Or a wish that was renewed would count as untried, and each change of its stream would try it again.
        known[0].generation = max(known[0].generation, wish.generation or 0)
    if wish is None and request is not None:
        set_tag(stream, wish_of(tag, request))
    elif wish is not None and is_new:
        wish.generation = 0
    return is_new


def is_importable(tag: TagReference) -> bool:
    """Return whether a tag's image comes from a registry and is to be brought in."""
    return tag.from_ is not None and tag.from_.kind == "DockerImage" and not tag.reference


def observed_generation(stream: ImageStream, name: str) -> int:
    """Return the newest generation of a wish that was fulfilled, or failed to be; 0 when none was."""
    history = history_of(stream, name)
    if history is None:
        return 0
    failures = [condition for condition in history.conditions or [] if condition.type == IMPORT_SUCCESS]
    return max(
        history.items[0].generation if history.items else 0,
        failures[0].generation if failures else 0,
    )


def needs_import(tag: TagReference, stream: ImageStream, *, unset: bool = False) -> bool:
    """Return whether a tag waits for its image; `unset` is the answer for a tag without a generation."""
    if not is_importable(tag):
        return False
    return unset if tag.generation is None else tag.generation > observed_generation(stream, tag.name)


def is_scheduled(tag: TagReference, stream: ImageStream) -> bool:
    """Return whether a tag is to be imported again and again: a digest, which never moves, only until it is there."""
    if tag.from_ is None or not is_importable(tag) or not tag.import_policy.scheduled:
        return False
    try:
        source = PullSpec.parse(tag.from_.name)
    except InvalidReference:
        return False
    newest = latest(stream, tag.name)
    return not source.id or newest is None or newest.generation != tag.generation
