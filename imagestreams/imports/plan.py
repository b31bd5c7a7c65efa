"""What of a stream is due for import, and why. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from imagestreams import follow, intervals, tags
from imagestreams.conditions import IMPORT_SUCCESS
from imagestreams.reference import InvalidReference, PullSpec
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
    RETRIED = "another attempt"


@dataclass(frozen=True, slots=True)
class Look:
    """What looking after a tag means: whom to ask for what, how often (seconds), and what the answer is compared with.

    An empty `reference` says that nothing but an import tells whether there is news.
    """

    tag: str
    host: str
    repository: str
    reference: str
    pullspec: str
    insecure: bool
    interval: int
    wish: str
    standing: str


@dataclass(frozen=True, slots=True)
class Due:
    """What to import now: tags, and the whole repository of the stream where that is wished."""

    reason: Reason
    tags: list[TagReference] = field(default_factory=list)
    repository: bool = False


def due(stream: ImageStream, *, repository: bool = False) -> Due | None:
    """Return what of a stream must be imported, or None.

    `repository` asks for the whole repository of the stream once more.
    """
    wished = [tag for tag in stream.spec.tags or [] if tags.is_importable(tag)]
    if not (stream.metadata.annotations or {}).get(CHECKED):
        if stream.spec.docker_image_repository:
            return Due(Reason.NEVER_CHECKED, wished, repository=True)
        pending = [tag for tag in wished if tags.needs_import(tag, stream, unset=True)]
        return Due(Reason.NEVER_CHECKED, pending) if pending else None
    again = repository and bool(stream.spec.docker_image_repository)
    changed = [tag for tag in wished if tags.needs_import(tag, stream, unset=False)]
    if changed:
        pending = [tag for tag in wished if tags.needs_import(tag, stream, unset=True)]
        return Due(Reason.TAG_CHANGED, pending, repository=again)
    return Due(Reason.RETRIED, repository=True) if again else None


def again(stream: ImageStream, names: Mapping[str, bool]) -> Due | None:
    """Return what to import of tags that the clock looks after, or None; each name says whether a schedule asks."""
    chosen = [tag for tag in stream.spec.tags or [] if tag.name in names and tags.is_importable(tag)]
    if not chosen:
        return None
    return Due(Reason.SCHEDULED if any(names[tag.name] for tag in chosen) else Reason.RETRIED, chosen)


def scheduled(stream: ImageStream, *, usual: int, shortest: int) -> list[Look]:
    """Return the tags of a stream that are on a schedule; `usual` is their interval, `shortest` that of annotations."""
    found = [tag for tag in stream.spec.tags or [] if tags.is_scheduled(tag, stream)]
    looks = [
        look(tag, stream, interval=intervals.of_tag(tag.annotations, usual=usual, shortest=shortest)) for tag in found
    ]
    return [each for each in looks if each is not None]


def look(tag: TagReference, stream: ImageStream, *, interval: int) -> Look | None:
    """Return what looking after a tag means, or None when it names no place."""
    source = tag.from_.name if tag.from_ is not None else ""
    try:
        parsed = PullSpec.parse(source)
    except InvalidReference:
        return None
    host, repository = parsed.host_and_path()
    # The registry cannot be asked for a tag alone that follows others by a rule.
    reference = "" if follow.written(tag) else parsed.id or parsed.tag or "latest"
    return Look(
        tag.name, host, repository, reference, source, tag.import_policy.insecure, interval, wish(tag),
        standing(stream, tag.name),
    )  # fmt: skip


def wish(tag: TagReference) -> str:
    """Return a short text that differs when a tag asks for something else, or in another way."""
    others = {key: value for key, value in (tag.annotations or {}).items() if key != intervals.KEY}
    source = tag.from_.name if tag.from_ is not None else ""
    policy = tag.import_policy
    words = [source, policy.import_mode, policy.insecure, tag.reference, sorted(others.items())]
    return hashlib.sha256(json.dumps(words).encode()).hexdigest()


def standing(stream: ImageStream, tag: str) -> str:
    """Return what a tag points to, with a mark when its import failed."""
    newest = tags.latest(stream, tag)
    return (newest.image if newest is not None else "") + ("!" if has_failed(stream, tag) else "")


def has_failed(stream: ImageStream, tag: str) -> bool:
    """Return whether the last import of a tag failed."""
    return any(each.type == IMPORT_SUCCESS and each.status == "False" for each in tags.conditions_of(stream, tag) or [])


def request(stream: ImageStream, what: Due) -> ImageStreamImport:
    """Return the import that does what is due; it is bound to this very stream."""
    meta = stream.metadata
    spec = ImageStreamImportSpec(import_=True, images=[_image(tag) for tag in what.tags] or None)
    if what.repository:
        insecure = (meta.annotations or {}).get(INSECURE) == "true"
        source = ObjectReference(kind="DockerImage", name=stream.spec.docker_image_repository)
        spec.repository = RepositoryImportSpec(from_=source, import_policy=TagImportPolicy(insecure=insecure))
    bound = ObjectMeta(name=meta.name, namespace=meta.namespace, uid=meta.uid)
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
