"""The marks of tags that follow a rule: what each was last found to stand for, which it never goes below."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from imagestreams import follow
from imagestreams.election import Mark
from imagestreams.history import latest, tag_of
from imagestreams.models import FollowedTag
from imagestreams.types import ImageStream


@dataclass(frozen=True, slots=True)
class Standing:
    """What an election found for a tag of a stream; without a mark it found none, and a mark that there is stays.

    `image` is where the tag must point for the mark to count, and `wish` stands for what was wished of it.
    """

    repository: str
    mark: Mark | None
    image: str = ""
    wish: str = ""
    wakes_at: datetime | None = None


def of(stream: ImageStream, tag: str, *, repository: str) -> Standing | None:
    """Return what was found for a tag that follows tags of a repository, or None when nothing ever was elected."""
    meta = stream.metadata
    row = FollowedTag.objects.filter(namespace=meta.namespace, stream=meta.name, tag=tag).first()
    if row is None or row.stream_uid != meta.uid or row.repository != repository or not row.upstream_tag:
        return None
    return Standing(repository, Mark(row.upstream_tag, row.digest), row.image, row.wish, row.wakes_at)


def keep(stream: ImageStream, found: Mapping[str, Standing], *, now: datetime) -> None:
    """Write what was found for tags of a stream, as it was written; a tag that points elsewhere keeps its mark."""
    if not found:
        return
    meta = stream.metadata
    rows = {row.tag: row for row in FollowedTag.objects.filter(namespace=meta.namespace, stream=meta.name)}
    for tag, standing in found.items():
        row = rows.get(tag)
        if row is None or row.stream_uid != meta.uid or row.repository != standing.repository:
            if row is not None:
                row.delete()
            row = FollowedTag(namespace=meta.namespace, stream=meta.name, stream_uid=meta.uid, tag=tag)
            row.repository = standing.repository
        _keep(row, stream, standing, now=now)


def _keep(row: FollowedTag, stream: ImageStream, standing: Standing, *, now: datetime) -> None:
    before = _values(row)
    newest = latest(stream, row.tag)
    mark = standing.mark
    if mark is not None and newest is not None and newest.image == standing.image:
        if row.upstream_tag != mark.tag:
            row.elected_at = now
        row.upstream_tag, row.digest = mark.tag, mark.digest
        row.image, row.wish = standing.image, standing.wish
    row.wakes_at = standing.wakes_at
    if row.pk is None or before != _values(row):
        row.save()


def _values(row: FollowedTag) -> tuple[object, ...]:
    return row.upstream_tag, row.digest, row.image, row.wish, row.wakes_at


def wakes(stream: ImageStream, *, now: datetime) -> dict[str, datetime]:
    """Return when the next upstream tag will be old enough for each tag of a stream that waits for one."""
    if not any(follow.rule_of(tag) is not None for tag in stream.spec.tags or []):
        return {}
    meta = stream.metadata
    rows = FollowedTag.objects.filter(namespace=meta.namespace, stream=meta.name, wakes_at__gt=now)
    return {row.tag: row.wakes_at for row in rows if row.wakes_at is not None}


def forget(new: ImageStream | None, old: ImageStream | None) -> None:
    """Forget the marks of tags that a write lets follow no longer; `new` is None when the stream was deleted."""
    followed = [tag.name for tag in (old.spec.tags or [] if old is not None else []) if follow.rule_of(tag) is not None]
    over = [name for name in followed if new is None or follow.rule_of(tag_of(new, name)) is None]
    if over and old is not None:
        meta = old.metadata
        FollowedTag.objects.filter(namespace=meta.namespace, stream=meta.name, tag__in=over).delete()
