"""Events of the imports that the server does by itself: what to do where a registry let nobody in.

Whoever asks for an import finds that in the answer; of these a tag's condition says alone that they failed.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping
from datetime import datetime

from authz.api.events import EVENTS, Event, EventSource
from imagestreams.api.imagestreams import IMAGE_STREAMS
from imagestreams.types import ImageStream
from registry_meta.kube import store
from registry_meta.kube.errors import StatusError
from registry_meta.kube.meta import ObjectMeta, ObjectReference, timestamp
from registry_meta.kube.request import SERVER, SYSTEM, Context

logger = logging.getLogger(__name__)

FAILED = "ImportFailed"
LONGEST_STEM = 200
"""How much of the name of a stream begins the names of its events."""


def report(stream: ImageStream, advice: Mapping[str, str], *, now: datetime) -> None:
    """Write an event for each repository that a stream may not import from, or count it once more."""
    context = Context(SYSTEM, EVENTS, now, namespace=stream.metadata.namespace, reason="an import failed")
    for repository, words in advice.items():
        event = _event(stream, f"{repository}: {words}", now=now)
        try:
            _write(event, context=context)
        except StatusError as error:
            # The namespace may end, or have no room: the condition of the tag is there all the same.
            logger.info("no event tells of %s/%s: %s", stream.metadata.namespace, stream.metadata.name, error)


def _write(event: Event, *, context: Context) -> None:
    strategy = EVENTS.storage.strategy

    def again(found: Event) -> Event:
        found.count += 1
        found.last_timestamp = event.last_timestamp
        return found

    if store.find(EVENTS, context.namespace, event.metadata.name) is None:
        store.create(EVENTS, event, context=context, strategy=strategy)
    else:
        store.update(EVENTS, event.metadata.name, again, context=context, strategy=strategy)


def _event(stream: ImageStream, message: str, *, now: datetime) -> Event:
    meta, moment = stream.metadata, timestamp(now)
    ending = hashlib.sha256(f"{meta.uid} {message}".encode()).hexdigest()[:16]
    # Names of streams may have underscores, those of events may not.
    stem = meta.name[:LONGEST_STEM].replace("_", "-").strip("-.")
    return Event(
        metadata=ObjectMeta(name=f"{stem}.{ending}", namespace=meta.namespace),
        involved_object=ObjectReference(
            kind=IMAGE_STREAMS.kind, api_version=IMAGE_STREAMS.api_version, namespace=meta.namespace, name=meta.name,
            uid=meta.uid,
        ),
        reason=FAILED,
        message=message,
        source=EventSource(component=SERVER),
        first_timestamp=moment,
        last_timestamp=moment,
        count=1,
        type="Warning",
        reporting_component=SERVER,
    )  # fmt: skip
