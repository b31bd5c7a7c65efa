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
SKEW = timedelta(seconds=60)
"""How far the clocks of hosts may differ."""
FIRST_RETRY = 0.2
FIRST_REPOSITORY_RETRY = 5.0
LONGEST_RETRY = 1000.0


def note(streams: Sequence[tuple[ImageStream, int]], *, now: datetime) -> list[int]:
    """Bring the rows of changed streams, each given with the version of its change, up to date.

    Return the ids of those that are due at once.
    """
    known = _held(stream.metadata.name for stream, _ in streams)
    due: list[int] = []
    for stream, version in streams:
        namespace, name = place = stream.metadata.namespace, stream.metadata.name
        if plan.due(stream) is not None:
            row, _ = DueImport.objects.update_or_create(
                namespace=namespace, name=name, scheduled=False,
                defaults={"version": version, "due_at": now, "attempts": 0},
            )  # fmt: skip
            due.append(row.pk)
        _note_end(stream, version, is_known=place in known, now=now)
    return due


def _note_end(stream: ImageStream, version: int, *, is_known: bool, now: datetime) -> None:
    """Bring the row up to date by which the clock comes when a hold ends."""
    place = {"namespace": stream.metadata.namespace, "name": stream.metadata.name, "scheduled": True}
    end = now if holds.released(stream, stream, now=now) else holds.next_end(stream, now=now)
    if end is None:
        if is_known:
            DueImport.objects.filter(**place).delete()
    elif not is_known:
        DueImport.objects.create(**place, version=version, due_at=end)
    else:
        DueImport.objects.filter(**place, due_at__gt=end).update(due_at=end)


def _held(names: Iterable[str]) -> set[tuple[str, str]]:
    """Return which streams of these names have a row for the end of a hold."""
    rows = DueImport.objects.filter(scheduled=True, name__in=set(names))
    return set(rows.values_list("namespace", "name"))


def forget(namespace: str, name: str) -> None:
    """Remove the rows of a stream that is gone."""
    DueImport.objects.filter(namespace=namespace, name=name).delete()


def _free(now: datetime) -> Q:
    """Return what is held by nobody; a lease that ends later than any can is that of a wrong clock."""
    return Q(leased_until__isnull=True) | Q(leased_until__lt=now) | Q(leased_until__gt=now + LEASE + SKEW)


def pending(now: datetime, *, limit: int) -> list[int]:
    """Return the ids of rows that are due and that nobody holds, the longest waiting first."""
    due = DueImport.objects.filter(_free(now), due_at__lte=now)
    return list(due.order_by("due_at").values_list("pk", flat=True)[:limit])


def claim(row_id: int, *, now: datetime) -> DueImport | None:
    """Take a row for the time of a lease; None when it is done, not due yet, or somebody else's."""
    with transaction.atomic():
        row = DueImport.objects.select_for_update().filter(_free(now), pk=row_id, due_at__lte=now).first()
        if row is None:
            return None
        row.leased_until = now + LEASE
        row.save(update_fields=["leased_until"])
    return row


def renew(row_ids: list[int], *, now: datetime) -> None:
    """Prolong the leases of rows that are still worked on."""
    DueImport.objects.filter(pk__in=row_ids).update(leased_until=now + LEASE)


def done(row: DueImport, *, end: datetime | None = None) -> None:
    """Finish a row, unless the stream changed since it was claimed.

    `end` is when the next hold on a tag of the stream ends, for which the clock comes again.
    """
    same = DueImport.objects.filter(pk=row.pk)
    if row.scheduled and end is not None:
        same.update(leased_until=None, attempts=0, due_at=end)
    elif not same.filter(version=row.version).delete()[0]:
        same.update(leased_until=None)


def failed(row: DueImport, *, now: datetime) -> None:
    """Put a row back for later: each time twice as late, at most some minutes."""
    _put_back(row, FIRST_RETRY, now=now)


def pending_repository(row: DueImport, *, now: datetime) -> None:
    """Put a row back because the registry of the stream's repository failed: it is asked for all of it again."""
    _put_back(row, FIRST_REPOSITORY_RETRY, now=now, repository=True)


def _put_back(row: DueImport, first: float, *, now: datetime, **changes: object) -> None:
    delay = min(first * 2 ** min(row.attempts, 20), LONGEST_RETRY) * (0.5 + random.random())  # noqa: S311
    DueImport.objects.filter(pk=row.pk).update(
        leased_until=None, attempts=F("attempts") + 1, due_at=now + timedelta(seconds=delay), **changes
    )


def straighten(now: datetime) -> int:
    """Let imports be due that a clock which was ahead has put off; return how many there are."""
    wrong = DueImport.objects.filter(scheduled=False, due_at__gt=now + timedelta(seconds=2 * LONGEST_RETRY))
    return wrong.update(due_at=now) if wrong.exists() else 0


def depth(now: datetime) -> int:
    """Return how many imports are due and not done."""
    return DueImport.objects.filter(due_at__lte=now).count()
