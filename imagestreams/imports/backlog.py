"""How much of what the clock looks after waits for it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Min

from imagestreams.imports import pauses
from imagestreams.models import ScheduledTag


@dataclass(frozen=True, slots=True)
class Backlog:
    """How many tags the clock looks after, how many of them are due, and for how many seconds the first has been."""

    tags: int
    due: int
    lag: float


def backlog_at(now: datetime) -> Backlog:
    """Return how far the clock is behind; registries that are left alone do not count as work."""
    due = ScheduledTag.objects.filter(due_at__lte=now).exclude(host__in=list(pauses.paused(now)))
    found = due.aggregate(number=Count("pk"), oldest=Min("due_at"))
    oldest: datetime = found["oldest"] or now
    return Backlog(ScheduledTag.objects.count(), found["number"], (now - oldest).total_seconds())
