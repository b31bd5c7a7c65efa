"""The registries that are left alone for a while: one row each, which the workers of all hosts share."""

from __future__ import annotations

import random
from datetime import datetime, timedelta

from django.db import transaction

from imagestreams.imports import pace
from imagestreams.models import PausedHost

SKEW = timedelta(seconds=60)
FORGOTTEN = timedelta(hours=1)
"""How long after its end a pause is remembered: the next one is longer."""


def paused(now: datetime) -> dict[str, datetime]:
    """Return until when registries are left alone; what a clock that was ahead has noted does not count."""
    rows = PausedHost.objects.filter(until__gt=now, since__lte=now + SKEW)
    return dict(rows.values_list("host", "until"))


def is_recovering(host: str) -> bool:
    """Return whether a registry failed lately and has not been heard of since."""
    return PausedHost.objects.filter(host=host).exists()


def pause(host: str, *, wish: float, now: datetime) -> datetime:
    """Leave a registry alone for the seconds that it wishes, or, if 0, the longer the more often it failed.

    Return until when.
    """
    with transaction.atomic():
        row, _ = PausedHost.objects.select_for_update().get_or_create(host=host, defaults={"since": now, "until": now})
        running = row.until > now and row.since <= now + SKEW
        row.failures += 0 if running else 1
        jitter = random.random()  # noqa: S311  # spreads load
        until = now + pace.host_pause(row.failures, wish=wish, jitter=jitter)
        row.since, row.until = now, max(row.until, until) if running else until
        row.save()
    return row.until


def lift(host: str) -> None:
    """Take a registry for well again."""
    PausedHost.objects.filter(host=host).delete()


def prune(now: datetime) -> None:
    """Forget pauses that ended long ago."""
    PausedHost.objects.filter(until__lt=now - FORGOTTEN).delete()
