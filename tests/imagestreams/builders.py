"""Builders of streams, tags and events for tests of the domain."""

from __future__ import annotations

from datetime import UTC, datetime

from imagestreams.types import (
    ImageStream,
    ImageStreamSpec,
    ImageStreamStatus,
    NamedTagEventList,
    TagEvent,
    TagImportPolicy,
    TagReference,
    TagReferencePolicy,
)
from registry_meta.kube.meta import ObjectMeta, ObjectReference

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
CREATED = "2026-01-01T00:00:00Z"


def digest(text: str) -> str:
    """Return a digest that starts with the hexadecimal text given."""
    return f"sha256:{text:0<64}"


def event(image: str, *, reference: str = "", generation: int = 1, created: str = CREATED) -> TagEvent:
    """Return an event; the image is given by the start of its digest, empty for a mere reference."""
    name = digest(image) if image else ""
    return TagEvent(
        created=created,
        docker_image_reference=reference or f"quay.io/example/app@{name}",
        image=name,
        generation=generation,
    )


def wish(
    name: str,
    source: str = "",
    *,
    kind: str = "DockerImage",
    namespace: str = "",
    reference: bool = False,
    generation: int | None = None,
    mode: str = "Legacy",
    policy: str = "Source",
    scheduled: bool = False,
) -> TagReference:
    """Return the wish for a tag; without a source it has none."""
    return TagReference(
        name=name,
        from_=ObjectReference(kind=kind, name=source, namespace=namespace) if source else None,
        reference=reference,
        generation=generation,
        import_policy=TagImportPolicy(import_mode=mode, scheduled=scheduled),
        reference_policy=TagReferencePolicy(type=policy),
    )


def stream(
    name: str = "app",
    *wishes: TagReference,
    namespace: str = "shop",
    generation: int = 1,
    **events: TagEvent | list[TagEvent],
) -> ImageStream:
    """Return a stream with wishes and, by keyword, the history of each tag, newest first."""
    histories = [
        NamedTagEventList(tag=tag, items=given if isinstance(given, list) else [given])
        for tag, given in sorted(events.items())
    ]
    return ImageStream(
        metadata=ObjectMeta(name=name, namespace=namespace, generation=generation),
        spec=ImageStreamSpec(tags=list(wishes) or None),
        status=ImageStreamStatus(tags=histories or None),
    )


def images(of: ImageStream, tag: str) -> list[str]:
    """Return the images in the history of a tag, newest first."""
    histories = {history.tag: history.items or [] for history in of.status.tags or []}
    return [item.image for item in histories.get(tag, [])]
