"""What came of an import, as the ImageStreamImport tells it."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field

from imagestreams import conditions, metrics
from imagestreams.conditions import is_failure
from imagestreams.imports.fetch import Fetched, Listed, Wanted
from imagestreams.imports.wanted import Asked
from imagestreams.reference import PullSpec
from imagestreams.types import (
    ImageImportSpec,
    ImageImportStatus,
    ImageStreamImport,
    ImageStreamImportStatus,
    RepositoryImportStatus,
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """Everything that was fetched for one import; `repository` holds tags in the order in which they are told."""

    images: list[Fetched]
    listed: Listed | None = None
    repository: Mapping[str, Fetched] = field(default_factory=dict)


def outcome(asked: Asked, fetched: Mapping[Wanted, Fetched], listed: Listed | None) -> Outcome:
    """Return everything that was fetched for one import, by what it asked."""
    tags = {tag: fetched[item] for tag, item in asked.tags.items()}
    known = {tag: fetched[item] for tag, item in asked.beyond.items() if not is_failure(fetched[item].status)}
    return Outcome([fetched[item] for item in asked.images], listed, {**tags, **known})


def status_of(request: ImageStreamImport, outcome: Outcome, *, elected: Mapping[int, str]) -> ImageStreamImportStatus:
    """Return the status that tells of an outcome, with manifests and configurations still in it.

    `elected` are the upstream tags of entries whose tag follows a rule, by position.
    """
    status = ImageStreamImportStatus()
    if request.spec.images:
        status.images = [
            _image_status(fetched, elected.get(index) or _remote_tag(spec))
            for index, (spec, fetched) in enumerate(zip(request.spec.images, outcome.images, strict=True))
        ]
    if outcome.listed is not None:
        status.repository = _repository_status(outcome, outcome.listed)
    return status


def count(status: ImageStreamImportStatus) -> None:
    """Count what came of each image."""
    if status.repository is not None and is_failure(status.repository.status) and not status.repository.images:
        metrics.count_image(status.repository.status)
    for image in [*(status.images or []), *((status.repository.images if status.repository else None) or [])]:
        metrics.count_image(image.status)


def _remote_tag(spec: ImageImportSpec) -> str:
    parsed = PullSpec.parse(spec.from_.name)
    return "" if parsed.id else parsed.tag or "latest"


def _image_status(fetched: Fetched, tag: str) -> ImageImportStatus:
    return ImageImportStatus(
        status=dict(fetched.status),
        image=copy.deepcopy(fetched.image),
        tag=tag,
        manifests=copy.deepcopy(fetched.members) or None,
    )


def _repository_status(outcome: Outcome, listed: Listed) -> RepositoryImportStatus:
    status = RepositoryImportStatus(status=dict(listed.status))
    if is_failure(listed.status):
        return status
    status.images = [_image_status(fetched, tag) for tag, fetched in outcome.repository.items()] or None
    status.additional_tags = [tag for tag in listed.tags if tag not in outcome.repository] or None
    failures = sum(is_failure(image.status) for image in status.images or [])
    status.status = conditions.repository_status(failures)
    return status


def strip_manifests(request: ImageStreamImport, status: ImageStreamImportStatus) -> None:
    """Take manifests and configurations out of the answer where they were not asked for."""
    pairs = list(zip(status.images or [], [spec.include_manifest for spec in request.spec.images or []], strict=True))
    if status.repository is not None and request.spec.repository is not None:
        wished = request.spec.repository.include_manifest
        pairs += [(image, wished) for image in status.repository.images or []]
    for entry, wished in pairs:
        for image in [*(entry.manifests or []), *([entry.image] if entry.image is not None else [])]:
            if not wished:
                image.docker_image_manifest = image.docker_image_config = ""
