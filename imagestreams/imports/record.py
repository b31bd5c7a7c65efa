"""What the outcome of an import makes of its stream. Pure: changes the stream it is handed, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec

from imagestreams import follow, holds, tags
from imagestreams.conditions import (
    Status,
    import_failure,
    is_failure,
    is_same_failure,
    of_error,
    repository_status,
)
from imagestreams.follow import ELECTED, Rule
from imagestreams.imports.plan import CHECKED
from imagestreams.types import (
    GROUP,
    ImageImportSpec,
    ImageImportStatus,
    ImageStream,
    ImageStreamImport,
    ImageStreamImportStatus,
    RepositoryImportSpec,
    TagEvent,
    TagEventCondition,
    TagReference,
)
from registry_meta.kube import errors
from registry_meta.kube.meta import GroupKind, ObjectMeta, ObjectReference, timestamp

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
IMPORT = GroupKind(GROUP, "ImageStreamImport")


def new_stream(name: str, namespace: str, *, now: datetime) -> ImageStream:
    """Return the empty stream that an import into a missing one starts from."""
    meta = ObjectMeta(name=name, namespace=namespace, creation_timestamp=timestamp(now))
    return ImageStream(metadata=meta)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an election says of a tag that follows a rule."""

    rule: Rule
    is_elected: bool
    reason: str
    message: str


def apply(
    stream: ImageStream,
    request: ImageStreamImport,
    status: ImageStreamImportStatus,
    *,
    now: datetime,
    verdicts: Mapping[str, Verdict] | None = None,
) -> None:
    """Write the outcome of an import into a stream.

    Entries without a target tag leave no trace, nor does a tag of the repository that an entry brings in as well, or
    that follows a rule. The time of the check is noted when anything changed, or never was.
    """
    before = msgspec.json.encode(stream)
    taken = {wish.name: _take(stream, wish.name) for wish in stream.spec.tags or []}
    told = {wish.name: taken[wish.name] for wish in stream.spec.tags or [] if follow.rule_of(wish) is not None}
    for tag, spec, entry, wished in _entries(request, status):
        if wished or tag not in told:
            _apply_one(stream, tag, spec, entry, wished=wished, now=now)
    for tag, condition in told.items():
        _tell(stream, tag, condition, (verdicts or {}).get(tag), now=now)
    annotations = stream.metadata.annotations or {}
    if msgspec.json.encode(stream) != before or not annotations.get(CHECKED):
        stream.metadata.annotations = {**annotations, CHECKED: timestamp(now)}


def still_wished(
    stream: ImageStream, request: ImageStreamImport, status: ImageStreamImportStatus, wishes: Mapping[str, TagReference]
) -> tuple[ImageStreamImport, ImageStreamImportStatus]:
    """Return the parts of an import whose tags are wished as they were when it began.

    What came for another wish, or for a tag that was removed meanwhile, is of no use.
    """
    entries = zip(request.spec.images or [], status.images or [], strict=True)
    kept = [
        (spec, entry)
        for spec, entry in entries
        if spec.to is None or _is_wished(tags.tag_of(stream, spec.to.name), wishes.get(spec.to.name))
    ]
    asked = msgspec.structs.replace(request.spec, images=[spec for spec, _ in kept] or None)
    told = msgspec.structs.replace(status, images=[entry for _, entry in kept] or None)
    return msgspec.structs.replace(request, spec=asked), told


def _is_wished(wish: TagReference | None, before: TagReference | None) -> bool:
    if wish is None or before is None:
        return wish is before
    return (wish.from_, wish.generation, wish.import_policy, wish.reference, wish.annotations) == (
        before.from_, before.generation, before.import_policy, before.reference, before.annotations
    )  # fmt: skip


def _take(stream: ImageStream, tag: str) -> TagEventCondition | None:
    """Take what was said of an election from the conditions of a tag, and return it."""
    history = tags.history_of(stream, tag)
    conditions = (history.conditions if history is not None else None) or []
    found = next((condition for condition in conditions if condition.type == ELECTED), None)
    if history is not None and found is not None:
        history.conditions = [condition for condition in conditions if condition is not found] or None
    return found


def _tell(
    stream: ImageStream, tag: str, before: TagEventCondition | None, verdict: Verdict | None, *, now: datetime
) -> None:
    """Say at a tag what was elected; without news, what was said before. What is said again keeps its time."""
    condition, wish = before, tags.tag_of(stream, tag)
    if verdict is not None and follow.rule_of(wish) == verdict.rule:
        condition = TagEventCondition(
            type=ELECTED,
            status="True" if verdict.is_elected else "False",
            last_transition_time=timestamp(now),
            reason=verdict.reason,
            message=verdict.message,
            generation=(wish.generation or 0) if wish is not None else 0,
        )
        if before is not None and is_same_failure(condition, before):
            condition = before
    if condition is not None:
        history = tags.open_history(stream, tag)
        history.conditions = [*(history.conditions or []), condition]


def overtaken(
    stream: ImageStream, seen: ImageStream | None, request: ImageStreamImport, status: ImageStreamImportStatus
) -> set[str]:
    """Return the tags that an import may not write: they changed since the stream was as `seen`, and it would differ.

    What was fetched in between may be older than what another import put there.
    """
    return {tag for tag, _, entry, _ in _entries(request, status) if _is_overtaken(stream, seen, tag, entry)}


def _is_overtaken(stream: ImageStream, seen: ImageStream | None, tag: str, entry: ImageImportStatus) -> bool:
    before = tags.history_of(seen, tag) if seen is not None else None
    after = tags.history_of(stream, tag)
    if after == before:
        return False
    newest = after.items[0] if after is not None and after.items else None
    if is_failure(entry.status) or entry.image is None:
        found = import_failure(entry.status, generation=0, now=EPOCH)
        return not any(
            is_same_failure(found, other) for other in (after.conditions if after is not None else None) or []
        )
    points = (entry.image.metadata.name, entry.image.docker_image_reference)
    has_condition = after is not None and bool(after.conditions)
    return has_condition or newest is None or (newest.image, newest.docker_image_reference) != points


def _entries(
    request: ImageStreamImport, status: ImageStreamImportStatus
) -> Iterator[tuple[str, ImageImportSpec, ImageImportStatus, bool]]:
    """Yield what an import writes at tags: repository first, so that named images win; the last says which it is.

    What comes after a tag's own outcome and went well stands for it.
    """
    found: list[tuple[str, ImageImportSpec, ImageImportStatus, bool]] = []
    if status.repository is not None and request.spec.repository is not None:
        repository, entries = request.spec.repository, status.repository.images or []
        found += [(entry.tag, _of_repository(repository, entry.tag), entry, False) for entry in entries]
    for spec, entry in zip(request.spec.images or [], status.images or [], strict=True):
        if spec.to is not None:
            found.append((spec.to.name, spec, entry, True))
    last = {tag: index for index, (tag, _, entry, _) in enumerate(found) if not is_failure(entry.status)}
    yield from (each for index, each in enumerate(found) if index >= last.get(each[0], 0))


def refuse(stream: ImageStream, wished: ImageStream, status: Status, *, now: datetime) -> None:
    """Note in a stream, at each tag that an import would have moved or begun, why nothing of it was written.

    `wished` is what the stream would have become.
    """
    condition = import_failure(status, generation=tags.next_generation(stream), now=now)
    for history in wished.status.tags or []:
        before, after = tags.latest(stream, history.tag), tags.latest(wished, history.tag)
        moved = after is not None and (before is None or before.image != after.image)
        if moved or tags.history_of(stream, history.tag) is None:
            tags.set_condition(stream, history.tag, condition)


def tell_held(
    stream: ImageStream, request: ImageStreamImport, status: ImageStreamImportStatus, *, now: datetime
) -> None:
    """Say in the answer, in place, which tags of a repository stayed where they are because they are held.

    `stream` is what the import was written to. Each gets the Status that an import naming the tag is refused with.
    """
    images = (status.repository.images if status.repository is not None else None) or []
    refused = False
    for entry in images:
        if entry.image is None or is_failure(entry.status):
            continue
        found = TagEvent(image=entry.image.metadata.name, docker_image_reference=entry.image.docker_image_reference)
        hold = holds.keeps_away(stream, entry.tag, found, now=now)
        if hold is not None:
            refusal = holds.refusal(f"spec.repository.tags[{entry.tag}]", hold)
            entry.status = of_error(errors.invalid(IMPORT, request.metadata.name, [refusal]))
            refused = True
    if status.repository is not None and refused:
        status.repository.status = repository_status(sum(is_failure(entry.status) for entry in images))


def _of_repository(spec: RepositoryImportSpec, tag: str) -> ImageImportSpec:
    """Return what asking for one tag of a repository by name would have looked like."""
    return ImageImportSpec(
        from_=ObjectReference(kind="DockerImage", name=f"{spec.from_.name}:{tag}"),
        import_policy=spec.import_policy,
        reference_policy=spec.reference_policy,
    )


def _apply_one(
    stream: ImageStream, tag: str, spec: ImageImportSpec, entry: ImageImportStatus, *, wished: bool, now: datetime
) -> None:
    if is_failure(entry.status) or entry.image is None:
        request = spec if wished else None
        tags.record_failure(stream, tag, status=entry.status, now=now, request=request)
        return
    found = TagEvent(image=entry.image.metadata.name, docker_image_reference=entry.image.docker_image_reference)
    hold = holds.keeps_away(stream, tag, found, now=now)
    if hold is not None:
        holds.note(stream, tag, found, hold, now=now)
    else:
        tags.record_success(stream, tag, image=entry.image, request=spec, now=now)
