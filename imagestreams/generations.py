"""How generations move when a stream is written, and what is filled in where a writer said nothing.

`metadata.generation` counts the changes of the spec. The generation of a tag is that of the stream when the tag last
changed in a way that asks for a new image; an event carries the generation of the wish that it fulfils. So a tag whose
generation is above that of its newest event waits for an import. Writers may only set a tag's generation to 0, which
asks for a new import; any other value of theirs is ignored.
"""

from __future__ import annotations

import copy

import msgspec

from imagestreams import follow
from imagestreams.history import drop_empty_histories, history_of, sort_tags, tag_of
from imagestreams.reference import InvalidReference, PullSpec
from imagestreams.types import (
    ImageStream,
    ImageStreamImport,
    ImageStreamSpec,
    LocalObjectReference,
    NamedTagEventList,
    TagEvent,
    TagImportPolicy,
    TagReference,
    TagReferencePolicy,
)
from registry_meta.kube.meta import ObjectReference

SOURCE, LOCAL = "Source", "Local"
LEGACY, PRESERVE_ORIGINAL = "Legacy", "PreserveOriginal"


def changed(old: TagReference | None, new: TagReference, *, stream_namespace: str) -> bool:
    """Return whether a wish for a tag asks for another image than the old wish of the same name did.

    Annotations other than a rule to follow, reference policy, `scheduled`, `insecure` and the kind of the source do
    not count.
    """
    if new.from_ is None or not (new.from_.kind or new.from_.name):
        return False
    if old is None:
        return True
    source = old.from_ or ObjectReference()
    if (source.namespace or stream_namespace) != (new.from_.namespace or stream_namespace):
        return True
    if source.name != new.from_.name or old.reference != new.reference:
        return True
    if old.import_policy.import_mode != new.import_policy.import_mode:
        return True
    if follow.written(old) != follow.written(new):
        return True
    return new.generation == 0 and bool(old.generation)


def prepare_create(stream: ImageStream) -> None:
    """Sort the tags of a new stream and start all generations at 1, in place; what the status holds is kept."""
    sort_tags(stream)
    stream.metadata.generation = 1
    for tag in stream.spec.tags or []:
        tag.generation = 1


def prepare_update(new: ImageStream, old: ImageStream, *, keep_status: bool) -> None:
    """Move the generations of `new`, in place; without `keep_status` the status becomes a copy of the old one."""
    if not keep_status:
        new.status = copy.deepcopy(old.status)
    sort_tags(new)
    drop_empty_histories(new)
    new.metadata.generation = old.metadata.generation
    for tag in new.spec.tags or []:
        before = tag_of(old, tag.name)
        if before is not None and tag.generation != 0:
            tag.generation = before.generation
    if _meaning(new.spec) != _meaning(old.spec):
        new.metadata.generation = old.metadata.generation + 1
    for tag in new.spec.tags or []:
        before = tag_of(old, tag.name)
        if before is None or not tag.generation or changed(before, tag, stream_namespace=new.metadata.namespace):
            tag.generation = new.metadata.generation


def _meaning(spec: ImageStreamSpec) -> tuple[bool, str, list[TagReference]]:
    """Return a spec in a form in which nothing and an empty collection are equal."""
    tags = sorted(spec.tags or [], key=lambda tag: tag.name)
    plain = [msgspec.structs.replace(tag, annotations=tag.annotations or None) for tag in tags]
    return spec.lookup_policy.local, spec.docker_image_repository, plain


def prepare_status_update(new: ImageStream, old: ImageStream) -> None:
    """Put the spec of `new` back, in place, and give its new events that came without a generation theirs."""
    new.spec = copy.deepcopy(old.spec)
    new.metadata.generation = old.metadata.generation
    new.status.docker_image_repository = old.status.docker_image_repository
    new.status.public_docker_image_repository = old.status.public_docker_image_repository
    sort_tags(new)
    for history in new.status.tags or []:
        if history.items and not history.items[0].generation:
            wished = tag_of(old, history.tag)
            moved = _moved(history_of(old, history.tag), history.items[0])
            own = wished.generation if wished is not None and moved else None
            history.items[0].generation = own or new.metadata.generation


def _moved(old: NamedTagEventList | None, event: TagEvent) -> bool:
    """Return whether an event says something new about a tag that had a history."""
    if old is None or not old.items:
        return False
    newest = old.items[0]
    points = (newest.image, newest.docker_image_reference)
    return points != (event.image, event.docker_image_reference) or newest.generation > event.generation


def default_stream(stream: ImageStream, *, import_mode: str) -> None:
    """Fill in what the tags of a stream leave open, and sort them, in place."""
    for tag in stream.spec.tags or []:
        default_tag(tag, import_mode=import_mode)
    sort_tags(stream)


def default_tag(tag: TagReference, *, import_mode: str) -> None:
    """Fill in the import mode and the reference policy of a tag, in place."""
    _default_policies(tag.import_policy, tag.reference_policy, import_mode=import_mode)


def default_import(request: ImageStreamImport, *, import_mode: str) -> None:
    """Fill in what an import leaves open, in place: policies, and the target tag where the pull spec has a tag."""
    repository = request.spec.repository
    if repository is not None:
        _default_policies(repository.import_policy, repository.reference_policy, import_mode=import_mode)
    for image in request.spec.images or []:
        _default_policies(image.import_policy, image.reference_policy, import_mode=import_mode)
        tag = _tag_in(image.from_.name)
        if image.to is None and tag:
            image.to = LocalObjectReference(name=tag)


def _default_policies(policy: TagImportPolicy, reference: TagReferencePolicy, *, import_mode: str) -> None:
    policy.import_mode = policy.import_mode or import_mode or LEGACY
    reference.type = reference.type or SOURCE


def _tag_in(pull_spec: str) -> str:
    try:
        return PullSpec.parse(pull_spec).tag
    except InvalidReference:
        return ""
