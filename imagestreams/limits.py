"""What a namespace limits of streams and images: how much of it a stream takes, and what is too much. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from imagestreams.reference import InvalidReference, PullSpec, split_stream_tag
from imagestreams.types import GROUP, ImageStream, TagReference
from registry_meta.kube.meta import GroupKind
from registry_meta.kube.quantity import Form, Quantity

STREAM, IMAGE = "openshift.io/ImageStream", "openshift.io/Image"
"""The types that limit ranges have for streams and for images that are pushed."""

IMAGES, TAGS, STORAGE = "openshift.io/images", "openshift.io/image-tags", "storage"
"""The resources: images in the history of a stream, sources of its tags, bytes of an image."""

KIND = GroupKind(GROUP, "ImageStream")
PHRASE = "exceeds the maximum limit per"

Limits = Mapping[str, Quantity]
"""The largest amount allowed, by resource; what is not in it is not limited."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What a stream takes: each source and each image counts once, however many tags have it."""

    sources: frozenset[str] = frozenset()
    images: frozenset[str] = frozenset()

    def adds_to(self, other: Usage) -> bool:
        """Return whether anything is in it that the other lacks."""
        return not (self.sources <= other.sources and self.images <= other.images)


def usage(stream: ImageStream) -> Usage:
    """Return what a stream takes."""
    namespace = stream.metadata.namespace
    sources = (source(tag, namespace=namespace) for tag in stream.spec.tags or [])
    images = (event.image for history in stream.status.tags or [] for event in history.items or [])
    return Usage(frozenset(filter(None, sources)), frozenset(filter(None, images)))


def source(tag: TagReference, *, namespace: str) -> str:
    """Return the one spelling of where a tag of a stream comes from; empty when it says nothing that can be counted."""
    if tag.from_ is None:
        return ""
    place = tag.from_.namespace or namespace
    try:
        if tag.from_.kind == "DockerImage":
            return PullSpec.parse(tag.from_.name).with_client_defaults().minimal().exact()
        if tag.from_.kind == "ImageStreamImage":
            image = PullSpec.parse(tag.from_.name)
            return f"{image.namespace or place}/{image.name}@{image.id}" if image.id else ""
        if tag.from_.kind == "ImageStreamTag":
            return f"{place}/{':'.join(split_stream_tag(tag.from_.name))}"
    except InvalidReference:
        return ""
    return ""


def excess(taken: Usage, limits: Limits) -> str:
    """Return what a stream takes too much of, or nothing."""
    amounts = ((IMAGES, len(taken.images)), (TAGS, len(taken.sources)))
    texts = [text for name, count in amounts if (text := _excess(name, Quantity.of(count), limits, STREAM))]
    return texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]" if texts else ""


def image_excess(size: int, limits: Limits) -> str:
    """Return why an image of so many bytes is too large, or nothing."""
    return _excess(STORAGE, Quantity.of(size, Form.BINARY), limits, IMAGE)


def _excess(name: str, amount: Quantity, limits: Limits, type_: str) -> str:
    limit = limits.get(name)
    if limit is None or amount <= limit:
        return ""
    return f"requested usage of {name} {PHRASE} {type_} ({amount} > {limit})"


def refusal(stream: ImageStream, why: str) -> str:
    """Return the words in which a stream over its limits is refused."""
    return f'{KIND} "{stream.metadata.name}" is forbidden: {why}'


def is_refusal(message: str) -> bool:
    """Return whether a write was refused because a stream would be over its limits."""
    return f"{PHRASE} {STREAM}" in message
