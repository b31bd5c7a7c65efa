"""The writes of an import: the images that came, and then the stream whose tags point to them."""

from __future__ import annotations

import copy
from collections.abc import Collection
from dataclasses import replace

from imagestreams import conditions, limits, marks
from imagestreams.api.images import IMAGES, STORAGE
from imagestreams.api.imagestreams import IMAGE_STREAMS, INTERNAL, ElectionStrategy
from imagestreams.imports import record
from imagestreams.imports.elect import Ended
from imagestreams.imports.errands import Errand
from imagestreams.types import GROUP, Image, ImageStream, ImageStreamImport, ImageStreamImportStatus
from registry_meta.kube import store
from registry_meta.kube.errors import StatusError
from registry_meta.kube.meta import GroupResource
from registry_meta.kube.request import Context
from registry_meta.kube.store import Preconditions

WORD = GroupResource(GROUP, "imagestreamimports")
STREAM_WORD = GroupResource(GROUP, "imagestream")
ATTEMPTS = 3


def store_images(request: ImageStreamImport, status: ImageStreamImportStatus, *, context: Context) -> None:
    """Store the images that will be behind a tag, members before their index; those known stay as they are."""
    entries = list(status.repository.images or []) if status.repository is not None else []
    targets = zip(request.spec.images or [], status.images or [], strict=True)
    entries += [entry for spec, entry in targets if spec.to is not None]
    done: dict[str, Image] = {}
    for entry in entries:
        for image in [*(entry.manifests or []), *([entry.image] if entry.image is not None else [])]:
            stored = done.get(image.metadata.name) or _store_image(image, context=context)
            done[image.metadata.name] = stored
            image.docker_image_manifest = image.docker_image_config = ""
            image.metadata = copy.deepcopy(stored.metadata)


def _store_image(image: Image, *, context: Context) -> Image:
    found = store.find(IMAGES, "", image.metadata.name)
    if found is None:
        candidate = copy.deepcopy(image)
        candidate.signatures = None
        candidate.docker_image_manifest = candidate.docker_image_config = ""
        within = Context(context.actor, IMAGES, context.now, field_manager=context.field_manager, reason="imported")
        try:
            found = store.create(IMAGES, candidate, context=within, strategy=STORAGE.strategy)
        except StatusError as error:
            if error.reason != "AlreadyExists":
                raise
            found = store.find(IMAGES, "", image.metadata.name)
    stored: Image = image if found is None else found.object()
    return stored


class Overtaken(Exception):
    """Tags were moved by others while an import fetched them; `stream` is what they made of it."""

    def __init__(self, stream: ImageStream, tags: Collection[str]) -> None:
        super().__init__(stream.metadata.name)
        self.stream = stream
        self.tags = tags


def write_stream(
    request: ImageStreamImport,
    status: ImageStreamImportStatus,
    *,
    seen: ImageStream | None,
    context: Context,
    errand: Errand | None = None,
    elections: Ended,
) -> ImageStream:
    """Record the outcome in the stream, which is made if it is missing, and return it.

    A request that names a version is bound to it. Another one goes on whatever the stream has become, but for tags that
    moved since the stream was as `seen`, before anything was fetched: then it raises Overtaken, and nothing is written.
    """
    within = Context(
        context.actor, IMAGE_STREAMS, context.now, namespace=context.namespace,
        field_manager=context.field_manager, reason=context.reason or "imported", word=STREAM_WORD,
    )  # fmt: skip
    for attempt in range(ATTEMPTS):
        try:
            return _recorded(request, status, seen=seen, errand=errand, context=within, elections=elections)
        except StatusError as error:
            if limits.is_refusal(error.message):
                _note_refusal(request, status, error, context=within)
            # Somebody made or deleted the stream between the look and the write.
            if error.reason not in ("AlreadyExists", "NotFound") or attempt == ATTEMPTS - 1:
                raise
    raise AssertionError("the loop returns or raises")


def _note_refusal(
    request: ImageStreamImport, status: ImageStreamImportStatus, error: StatusError, *, context: Context
) -> None:
    """Say at the tags of a stream that is there why the import was refused as a whole."""

    def edit(stream: ImageStream) -> ImageStream:
        wished = copy.deepcopy(stream)
        record.apply(wished, request, status, now=context.now)
        record.refuse(stream, wished, conditions.of_error(error), now=context.now)
        return stream

    if store.find(IMAGE_STREAMS, context.namespace, request.metadata.name) is not None:
        store.update(IMAGE_STREAMS, request.metadata.name, edit, context=context, strategy=INTERNAL)


def _recorded(
    request: ImageStreamImport,
    status: ImageStreamImportStatus,
    *,
    seen: ImageStream | None,
    errand: Errand | None,
    context: Context,
    elections: Ended,
) -> ImageStream:
    name, meta = request.metadata.name, request.metadata
    strategy = ElectionStrategy(elections.standings) if elections.standings else INTERNAL

    def edit(stream: ImageStream) -> ImageStream:
        asked, told = request, status
        if errand is not None:
            asked, told = record.still_wished(stream, request, status, errand.wishes)
        late = record.overtaken(stream, seen, asked, told)
        if late:
            raise Overtaken(stream, late)
        record.apply(stream, asked, told, now=context.now, verdicts=elections.verdicts)
        return stream

    if meta.resource_version or meta.uid or store.find(IMAGE_STREAMS, context.namespace, name) is not None:
        bound = Preconditions(version=meta.resource_version, uid=meta.uid)
        stored = store.update(IMAGE_STREAMS, name, edit, context=context, strategy=strategy, preconditions=bound)
    else:
        stream = record.new_stream(name, context.namespace, now=context.now)
        record.apply(stream, request, status, now=context.now)
        stored = store.create(IMAGE_STREAMS, stream, context=replace(context, word=WORD), strategy=INTERNAL)
    written: ImageStream = stored.object()
    # A write that changes nothing records nothing, but there may be news of when to look again.
    marks.keep(written, elections.standings, now=context.now)
    return written
