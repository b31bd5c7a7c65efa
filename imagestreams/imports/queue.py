"""The imports that are to be done: rows that outlive any message and any worker.

A row is made in the transaction that moves the importer's cursor, claimed under a lease by whoever does it, and
removed only if the stream did not change meanwhile. A lease that runs out puts the row back.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F, Q

from imagestreams import holds
from imagestreams.imports import plan
from imagestreams.models import DueImport
from imagestreams.types import ImageStream

LEASE = timedelta(seconds=30)
FIRST_RETRY = 0.2
LONGEST_RETRY = 1000.0


def note(streams: Sequence[tuple[ImageStream, int]], *, interval: int, now: datetime) -> list[int]:
    """Bring the rows of changed streams, each given with the version of its change, up to date.

    Return the ids of those that are due at once.
    """
    known = _scheduled(stream.metadata.name for stream, _ in streams)
    due: list[int] = []
    for stream, version in streams:
        namespace, name = place = stream.metadata.namespace, stream.metadata.name
        if plan.due(stream) is not None:
            row, _ = DueImport.objects.update_or_create(
                namespace=namespace, name=name, scheduled=False,
                defaults={"version": version, "due_at": now, "attempts": 0},
            )  # fmt: skip
            due.append(row.pk)
        _note_clock(stream, version, is_known=place in known, interval=interval, now=now)
    return due


def _note_clock(stream: ImageStream, version: int, *, is_known: bool, interval: int, now: datetime) -> None:
    """Bring the row of the clock up to date: it comes when a schedule asks for it, or when a hold ends."""
    place = {"namespace": stream.metadata.namespace, "name": stream.metadata.name, "scheduled": True}
    end = now if holds.released(stream, stream, now=now) else holds.next_end(stream, now=now)
    if not plan.has_scheduled(stream) and end is None:
        if is_known:
            DueImport.objects.filter(**place).delete()
    elif not is_known:
        due_at = _next_check(now, interval)
        DueImport.objects.create(**place, version=version, due_at=due_at if end is None else min(due_at, end))
    elif end is not None:
        DueImport.objects.filter(**place, due_at__gt=end).update(due_at=end)


def _scheduled(names: Iterable[str]) -> set[tuple[str, str]]:
    """Return which streams of these names have a row for the clock."""
    rows = DueImport.objects.filter(scheduled=True, name__in=set(names))
    return set(rows.values_list("namespace", "name"))


def forget(namespace: str, name: str) -> None:
    """Remove the rows of a stream that is gone."""
    DueImport.objects.filter(namespace=namespace, name=name).delete()


def _next_check(now: datetime, interval: int) -> datetime:
    jitter = random.random()  # noqa: S311  # spreads load
    return plan.next_check(now, interval=interval, jitter=jitter)


def pending(now: datetime, *, limit: int) -> list[int]:
    """Return the ids of rows that are due and that nobody holds, the longest waiting first."""
    free = Q(leased_until__isnull=True) | Q(leased_until__lt=now)
    return list(DueImport.objects.filter(free, due_at__lte=now).order_by("due_at").values_list("pk", flat=True)[:limit])


def claim(row_id: int, *, now: datetime) -> DueImport | None:
    """Take a row for the time of a lease; None when it is done, not due yet, or somebody else's."""
    with transaction.atomic():
        row = DueImport.objects.select_for_update().filter(pk=row_id).first()
        if row is None or row.due_at > now or (row.leased_until is not None and row.leased_until > now):
            return None
        row.leased_until = now + LEASE
        row.save(update_fields=["leased_until"])
    return row


def renew(row_ids: list[int], *, now: datetime) -> None:
    """Prolong the leases of rows that are still worked on."""
    DueImport.objects.filter(pk__in=row_ids).update(leased_until=now + LEASE)


def done(row: DueImport, *, interval: int, now: datetime, end: datetime | None = None) -> None:
    """Finish a row: a scheduled one comes again, another goes unless the stream changed since it was claimed.

    `end` is when a hold on a tag of the stream ends, which is not waited past.
    """
    same = DueImport.objects.filter(pk=row.pk)
    if row.scheduled:
        due_at = _next_check(now, interval)
        same.update(leased_until=None, attempts=0, due_at=due_at if end is None else min(due_at, end))
    elif not same.filter(version=row.version).delete()[0]:
        same.update(leased_until=None)


def failed(row: DueImport, *, now: datetime) -> None:
    """Put a row back for later: each time twice as late, at most some minutes."""
    delay = min(FIRST_RETRY * 2 ** min(row.attempts, 20), LONGEST_RETRY) * (0.5 + random.random())  # noqa: S311
    DueImport.objects.filter(pk=row.pk).update(
        leased_until=None, attempts=F("attempts") + 1, due_at=now + timedelta(seconds=delay)
    )


def depth(now: datetime) -> int:
    """Return how many imports are due and not done."""
    return DueImport.objects.filter(due_at__lte=now).count()
