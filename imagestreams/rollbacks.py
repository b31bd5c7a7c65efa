"""What a rollback makes of its stream: a tag goes back, by a new event, to what it was. Pure.

Two ways keep the next import from undoing it. Without a hold the tag is pinned, as `oc tag stream@image stream:tag`
does: its wish is that image from now on. With a hold the wish stays what it was, so that the tag goes on following its
source once the hold is lifted or over.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from imagestreams import follow, holds
from imagestreams.history import latest, push, set_tag, tag_of
from imagestreams.holds import Hold
from imagestreams.outcomes import next_generation
from imagestreams.types import ImageStream, TagEvent, TagReference
from registry_meta.kube.meta import ObjectReference, timestamp


def point(image: str, reference: str, *, now: datetime) -> TagEvent:
    """Return the event of a tag that goes back to an image, or, without one, to a mere reference."""
    return TagEvent(created=timestamp(now), docker_image_reference=reference, image=image)


def apply(stream: ImageStream, tag: str, event: TagEvent, *, hold: Hold | None) -> None:
    """Let a tag go back, in place, to what an event says, and hold it there or pin it.

    A tag that stands there already, in the same way, is left as it is.
    """
    wish = tag_of(stream, tag) or TagReference(name=tag)
    if hold is not None:
        wish.annotations = holds.with_hold(wish.annotations, hold)
    else:
        _pin(wish, stream.metadata.name, event)
    newest = latest(stream, tag)
    if newest is None or _points(newest) != _points(event):
        # Another image answers the wish anew, so that none is waited for.
        wish.generation = 0
        push(stream, tag, msgspec.structs.replace(event, generation=next_generation(stream)))
    set_tag(stream, wish)


def lift(stream: ImageStream, tag: str) -> None:
    """Take the hold, if there is one, away from a tag, in place."""
    wish = tag_of(stream, tag)
    if wish is not None:
        wish.annotations = holds.with_hold(wish.annotations, None)


def _pin(wish: TagReference, stream: str, event: TagEvent) -> None:
    """Wish, in place, the image of an event and nothing later."""
    wish.annotations = follow.without(wish.annotations)
    wish.reference = not event.image
    wish.import_policy.scheduled = False
    if event.image:
        wish.from_ = ObjectReference(kind="ImageStreamImage", name=f"{stream}@{event.image}")
    else:
        wish.from_ = ObjectReference(kind="DockerImage", name=event.docker_image_reference)


def _points(event: TagEvent) -> tuple[str, str]:
    return event.image, event.docker_image_reference
