"""The tag ledger: every move of every tag, when and why, and the questions that are asked of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Exists, Min, OuterRef, Q, QuerySet, Subquery

from imagestreams import tags
from imagestreams.models import TagEvent
from imagestreams.spans import Stay
from imagestreams.types import ImageStream
from registry_meta.kube.request import Context

UNEXPLAINED = "edited"
"""Why a tag moved when the writer gave no reason: somebody edited the stream."""

MOST_AT_ONCE = 1000
"""How many digests are looked up by one query."""


@dataclass(frozen=True, slots=True)
class Use:
    """A tag that points to a digest."""

    namespace: str
    stream: str
    tag: str


def record(new: ImageStream | None, old: ImageStream | None, *, version: int, context: Context) -> None:
    """Enter the tags that a write moved, in its transaction; `new` is None when the stream was deleted."""
    stream = new or old
    moves = tags.moves(old, new)
    if stream is None or not moves:
        return
    meta = stream.metadata
    digests = {move.digest for move in moves if move.digest}
    # A stream that is just made has seen nothing yet.
    known = _first_seen(meta.uid, digests) if digests and old is not None else {}
    TagEvent.objects.bulk_create(
        TagEvent(
            namespace=meta.namespace,
            stream=meta.name,
            stream_uid=meta.uid,
            tag=move.tag,
            digest=move.digest,
            reference=move.reference,
            previous_digest=move.previous_digest,
            previous_reference=move.previous_reference,
            first_seen=known.get(move.digest, context.now),
            moved_at=context.now,
            actor=context.actor.username,
            reason=context.reason or UNEXPLAINED,
            version=version,
            generation=move.generation,
            position=move.position,
        )
        for move in moves
    )


def _first_seen(stream_uid: str, digests: Iterable[str]) -> dict[str, datetime]:
    """Return since when a stream has known each of these digests; new ones are missing."""
    known: dict[str, datetime] = {}
    wanted = sorted(digests)
    for start in range(0, len(wanted), MOST_AT_ONCE):
        events = TagEvent.objects.filter(digest__in=wanted[start : start + MOST_AT_ONCE], stream_uid=stream_uid)
        known.update(events.values_list("digest").annotate(Min("first_seen")))
    return known


def _later(**within: object) -> QuerySet[TagEvent]:
    """Return, for a query of moves, the later ones of the same tag."""
    same = TagEvent.objects.filter(namespace=OuterRef("namespace"), stream=OuterRef("stream"), tag=OuterRef("tag"))
    newer = Q(version__gt=OuterRef("version")) | Q(position__gt=OuterRef("position"))
    return same.filter(newer, version__gte=OuterRef("version"), **within)


def history(namespace: str, stream: str, tag: str, *, limit: int = 100) -> list[TagEvent]:
    """Return the moves of a tag, newest first; those of an earlier stream of the same name are among them."""
    events = TagEvent.objects.filter(namespace=namespace, stream=stream, tag=tag)
    return list(events.order_by("-version", "-position")[:limit])


def at(namespace: str, stream: str, tag: str, moment: datetime) -> TagEvent | None:
    """Return the move that a tag stood at in a moment, or None when it pointed nowhere then."""
    events = TagEvent.objects.filter(namespace=namespace, stream=stream, tag=tag, moved_at__lte=moment)
    event = events.order_by("-version", "-position").first()
    return event if event is not None and (event.digest or event.reference) else None


def last_with(namespace: str, stream: str, tag: str, digest: str) -> TagEvent | None:
    """Return the newest move by which a tag came to a digest, or None when it never did."""
    events = TagEvent.objects.filter(namespace=namespace, stream=stream, tag=tag, digest=digest)
    return events.order_by("-version", "-position").first()


def uses(digest: str) -> list[Use]:
    """Return the tags that point to a digest now, by namespace, stream and tag."""
    events = TagEvent.objects.filter(~Exists(_later()), digest=digest).order_by("namespace", "stream", "tag")
    return [Use(*place) for place in events.values_list("namespace", "stream", "tag")]


@dataclass(frozen=True, slots=True)
class Look:
    """What of a stream's moves is asked for, as the ledger was at a version; an empty tag is all of them."""

    namespace: str
    stream: str
    version: int
    tag: str = ""
    since: datetime | None = None

    def events(self) -> QuerySet[TagEvent]:
        """Return the moves asked for."""
        events = TagEvent.objects.filter(namespace=self.namespace, stream=self.stream, version__lte=self.version)
        if self.tag:
            events = events.filter(tag=self.tag)
        return events if self.since is None else events.filter(moved_at__gte=self.since)


def moves(look: Look, *, after: tuple[int, str, int] | None = None, limit: int = 0) -> list[TagEvent]:
    """Return moves, newest first, from behind the (version, tag, position) `after`; a limit of 0 is none."""
    events = look.events()
    if after is not None:
        version, tag, position = after
        behind = Q(tag__gt=tag) | Q(tag=tag, position__lt=position)
        events = events.filter(Q(version__lt=version) | (Q(version=version) & behind))
    events = events.order_by("-version", "tag", "-position")
    return list(events[:limit] if limit else events)


def states(look: Look, moment: datetime, *, after: str = "", limit: int = 0) -> list[TagEvent]:
    """Return the move that each tag stood at in a moment, by tag, from behind the tag `after`.

    Tags that pointed nowhere then are left out.
    """
    until = look.events().filter(moved_at__lte=moment)
    later = _later(version__lte=look.version, moved_at__lte=moment)
    stood = until.filter(~Exists(later)).exclude(digest="", reference="").order_by("tag")
    if after:
        stood = stood.filter(tag__gt=after)
    return list(stood[:limit] if limit else stood)


def stays(digest: str, *, version: int) -> list[Stay]:
    """Return when tags came to a digest and when they next moved, by tag and in order, as of a version."""
    following = _later(version__lte=version).order_by("version", "position")[:1]
    events = TagEvent.objects.filter(digest=digest, version__lte=version)
    events = events.order_by("namespace", "stream", "tag", "version", "position")
    rows = events.annotate(
        until=Subquery(following.values("moved_at")), next=Subquery(following.values("digest"))
    ).values_list("namespace", "stream", "tag", "reference", "moved_at", "until", "next")
    return [Stay(*row[:-1], next=row[-1] or "") for row in rows]


def knows_image(digest: str) -> bool:
    """Return whether any tag ever pointed to a digest."""
    return TagEvent.objects.filter(digest=digest).exists()


def knows(namespace: str, stream: str) -> bool:
    """Return whether a stream of this name ever had a tag that moved."""
    return TagEvent.objects.filter(namespace=namespace, stream=stream).exists()
