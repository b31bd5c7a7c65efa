"""Readers of the change log that must miss nothing: each has a cursor, moved in the transaction of its work."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from django.db import transaction

from registry_meta.kube import changes
from registry_meta.kube.changes import Entry
from registry_meta.kube.models import Cursor

logger = logging.getLogger(__name__)

BATCH = 200

Handler = Callable[[Sequence[Entry]], None]
"""Does the part of the work that belongs in the database; what must wait for the commit goes to `on_commit`."""


def drain(name: str, handler: Handler) -> int:
    """Hand every change that a consumer has not read to its handler, in order; return how many there were.

    Cursor and handler share a transaction: changes are handled once, or, after a failure, again from the same place.
    A second reader of the same name waits for the first, which may have looked just before the newest change came.
    """
    handled = 0
    while _is_behind(name):
        with transaction.atomic():
            cursor = _locked(name)
            if cursor is None:
                return handled
            entries = changes.after(cursor.version, limit=BATCH)
            if not entries:
                return handled
            handler(entries)
            cursor.version = entries[-1].version
            cursor.save(update_fields=["version"])
        handled += len(entries)
    return handled


def _is_behind(name: str) -> bool:
    """Return whether there is anything to read; asking takes no lock that writers would wait for."""
    place = Cursor.objects.filter(name=name).values_list("version", flat=True).first()
    return place is not None and place < changes.newest()


def register(name: str) -> None:
    """Make a consumer known, starting at the present; one that is known keeps its place."""
    Cursor.objects.get_or_create(name=name, defaults={"version": changes.newest()})


def lag() -> dict[str, int]:
    """Return how many versions each consumer is behind."""
    newest = changes.newest()
    return {cursor.name: newest - cursor.version for cursor in Cursor.objects.all()}


def _locked(name: str) -> Cursor | None:
    return Cursor.objects.select_for_update().filter(name=name).first()
