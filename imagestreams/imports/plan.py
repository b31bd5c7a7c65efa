"""What of a stream is due for import, and why. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum

from imagestreams import tags
from imagestreams.types import (
    ImageImportSpec,
    ImageStream,
    ImageStreamImport,
    ImageStreamImportSpec,
    LocalObjectReference,
    RepositoryImportSpec,
    TagImportPolicy,
    TagReference,
)
from registry_meta.kube.meta import ObjectMeta, ObjectReference

CHECKED = "openshift.io/image.dockerRepositoryCheck"
INSECURE = "openshift.io/image.insecureRepository"


class Reason(Enum):
    """Why an import is due."""

    NEVER_CHECKED = "the stream was never imported"
    TAG_CHANGED = "a tag changed"
    SCHEDULED = "the schedule"


@dataclass(frozen=True, slots=True)
class Due:
    """What to import now: tags, and the whole repository of the stream where that is wished."""

    reason: Reason
    tags: list[TagReference] = field(default_factory=list)
    repository: bool = False


def due(stream: ImageStream, *, scheduled: bool = False) -> Due | None:
    """Return what of a stream must be imported, or None.

    `scheduled` asks on behalf of the clock: scheduled tags count as due whatever their state.
    """
    wished = [tag for tag in stream.spec.tags or [] if tags.is_importable(tag)]
    if not (stream.metadata.annotations or {}).get(CHECKED):
        if stream.spec.docker_image_repository:
            return Due(Reason.NEVER_CHECKED, wished, repository=True)
        pending = [tag for tag in wished if tags.needs_import(tag, stream, unset=True)]
        return Due(Reason.NEVER_CHECKED, pending) if pending else None
    changed = [tag for tag in wished if tags.needs_import(tag, stream, unset=False)]
    if changed:
        return Due(Reason.TAG_CHANGED, [tag for tag in wished if tags.needs_import(tag, stream, unset=True)])
    if scheduled:
        again = [tag for tag in wished if tags.is_scheduled(tag, stream)]
        return Due(Reason.SCHEDULED, again) if again else None
    return None


def has_scheduled(stream: ImageStream) -> bool:
    """Return whether any tag of a stream is looked after by the clock."""
    return any(tags.is_scheduled(tag, stream) for tag in stream.spec.tags or [])


def next_check(now: datetime, *, interval: int, jitter: float) -> datetime:
    """Return when a scheduled stream is due again; `jitter` from 0 to 1 spreads streams over a tenth of the time."""
    return now + timedelta(seconds=interval * (0.95 + jitter / 10))


def request(stream: ImageStream, what: Due) -> ImageStreamImport:
    """Return the import that does what is due, bound to the version of the stream that was looked at."""
    meta = stream.metadata
    spec = ImageStreamImportSpec(import_=True, images=[_image(tag) for tag in what.tags] or None)
    if what.repository:
        insecure = (meta.annotations or {}).get(INSECURE) == "true"
        source = ObjectReference(kind="DockerImage", name=stream.spec.docker_image_repository)
        spec.repository = RepositoryImportSpec(from_=source, import_policy=TagImportPolicy(insecure=insecure))
    bound = ObjectMeta(name=meta.name, namespace=meta.namespace, resource_version=meta.resource_version)
    return ImageStreamImport(metadata=bound, spec=spec)


def _image(tag: TagReference) -> ImageImportSpec:
    if tag.from_ is None:
        raise ValueError("an importable tag names where it comes from")
    return ImageImportSpec(
        from_=tag.from_,
        to=LocalObjectReference(name=tag.name),
        import_policy=tag.import_policy,
        reference_policy=tag.reference_policy,
    )
