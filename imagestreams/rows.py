"""The cells of the tables that command lines print: streams, tags and images, with their ages."""

from __future__ import annotations

from datetime import UTC, datetime

from imagestreams.types import (
    Image,
    ImageStream,
    ImageStreamImage,
    ImageStreamTag,
    ImageTag,
    NamedTagEventList,
    TagReference,
)
from registry_meta.kube.meta import parse_time

NEVER = datetime(1, 1, 1, tzinfo=UTC)
TAG_BUDGET = 40
OVERHANG = 10


def image_row(image: Image, now: datetime) -> list[object]:
    """Return the cells of an image."""
    return [image.metadata.name, image.docker_image_reference]


def image_stream_row(stream: ImageStream, now: datetime) -> list[object]:
    """Return the cells of a stream: name, repository, tags newest first, age of the newest."""
    status = stream.status
    repository = (
        status.public_docker_image_repository or stream.spec.docker_image_repository or status.docker_image_repository
    )
    moments = [_moved(history) for history in status.tags or [] if history.items]
    updated = relative_age(max(moments), now) if moments else ""
    return [stream.metadata.name, repository, tag_list(status.tags or []), updated]


def image_stream_tag_row(tag: ImageStreamTag, now: datetime) -> list[object]:
    """Return the cells of a stream tag."""
    age = relative_age(_moment(tag.metadata.creation_timestamp), now)
    return [tag.metadata.name, tag.image.docker_image_reference, age, tag.image.metadata.name]


def image_stream_image_row(image: ImageStreamImage, now: datetime) -> list[object]:
    """Return the cells of an image as reached through a stream."""
    age = relative_age(_moment(image.metadata.creation_timestamp), now)
    return [image.metadata.name, age, image.image.docker_image_reference, image.image.metadata.name]


def image_tag_row(tag: ImageTag, now: datetime) -> list[object]:
    """Return the cells of an image tag: how it gets its image, what it points to or what is the matter, history."""
    wish, source, status = _wish(tag.spec) if tag.spec is not None else ("", "", "")
    generation = (tag.spec.generation or 0) if tag.spec is not None else 0
    if tag.status is None:
        return [tag.metadata.name, wish, status or source, None, ""]
    updated = NEVER
    if tag.status.items:
        newest = tag.status.items[0]
        updated = _moved(tag.status)
        if 0 < newest.generation < generation:
            status = "Importing"
        elif newest.image or newest.docker_image_reference:
            source = f"image/{newest.image}" if newest.image else newest.docker_image_reference
        is_newer = generation > 0 and newest.generation > generation
        if (source and not wish) or (is_newer and wish != "Track"):
            wish = "Push"
    for condition in tag.status.conditions or []:
        if condition.type == "ImportSuccess" and condition.status == "False":
            status = f"ImportFailed ({condition.reason})"
            updated = max(updated, _moment(condition.last_transition_time))
    age = relative_age(updated, now) if updated > NEVER else ""
    return [tag.metadata.name, wish, status or source, len(tag.status.items or []) or None, age]


def _wish(spec: TagReference) -> tuple[str, str, str]:
    """Return how a tag gets its image, from where, and what is wrong with that."""
    if spec.from_ is None:
        return "", "", ""
    wish = "Scheduled" if spec.import_policy.scheduled else "Ref" if spec.reference else "Tag"
    name, namespace = spec.from_.name, spec.from_.namespace
    if spec.from_.kind == "DockerImage":
        return wish, name, ""
    if spec.from_.kind == "ImageStreamImage":
        _, at, image = name.partition("@")
        return (wish, f"image/{image}", "") if at else (wish, "", "InvalidRefName")
    if spec.from_.kind == "ImageStreamTag":
        source = f"istag {namespace}/{name}" if namespace else f"istag/{name}"
        return (wish if ":" in name else "Track"), source, ""
    return wish, "", "InvalidRefKind"


def tag_list(histories: list[NamedTagEventList]) -> str:
    """Return the names of tags, newest first, as many as fit in a column, and how many more there are."""
    names = [history.tag for history in sorted(histories, key=lambda history: (-_seconds(history), history.tag))]
    remaining = TAG_BUDGET
    for index, name in enumerate(names):
        remaining -= len(name) + 1
        if remaining >= 0:
            continue
        kept = index
        if index == 0:
            kept = 1
        elif remaining + len(name) > OVERHANG >= -remaining:
            continue
        hidden = len(names) - kept
        return ",".join(names[:kept]) + (f" + {hidden} more..." if hidden else "")
    return ",".join(names)


def _seconds(history: NamedTagEventList) -> float:
    """Return when a tag last moved, rounded to a second."""
    return round((_moved(history) - NEVER).total_seconds())


def _moved(history: NamedTagEventList) -> datetime:
    return _moment(history.items[0].created) if history.items else NEVER


def _moment(text: str | None) -> datetime:
    return parse_time(text) if text else NEVER


def relative_age(moment: datetime, now: datetime) -> str:
    """Return how long ago something was, in words: `About an hour ago`."""
    seconds = max(0, int((now - moment).total_seconds())) if moment > NEVER else 292 * 365 * 24 * 3600
    minutes, hours = seconds // 60, (seconds + 1800) // 3600
    if seconds < 1:
        text = "Less than a second"
    elif seconds < 60:
        text = "1 second" if seconds == 1 else f"{seconds} seconds"
    elif minutes < 60:
        text = "About a minute" if minutes == 1 else f"{minutes} minutes"
    elif hours == 1:
        text = "About an hour"
    else:
        text = _long_age(hours)
    return f"{text} ago"


def _long_age(hours: int) -> str:
    if hours < 48:
        return f"{hours} hours"
    if hours < 24 * 7 * 2:
        return f"{hours // 24} days"
    if hours < 24 * 30 * 2:
        return f"{hours // 24 // 7} weeks"
    if hours < 24 * 365 * 2:
        return f"{hours // 24 // 30} months"
    return f"{hours // 24 // 365} years"
