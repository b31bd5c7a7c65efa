"""What workers do for the change log, and for objects whose owners go."""

from __future__ import annotations

from datetime import timedelta

from celery import shared_task
from django.conf import settings

from registry_meta.kube import changes, garbage, meta, trimming


@shared_task
def show_life() -> None:
    """Leave a sign that the clock asks and a worker does, for those who look after both."""
    settings.SIGN_OF_LIFE.touch(mode=0o600)


@shared_task
def compact() -> None:
    """Drop the changes that are older than the retention time; then give back what memory all tasks left unused."""
    changes.compact(meta.now() - timedelta(seconds=settings.ENVIRONMENT.change_retention))
    trimming.trim()


@shared_task
def collect() -> None:
    """Remove what has no owner left, and finish the deletions that wait for that; hinted, and every few seconds."""
    garbage.collect(meta.now())
