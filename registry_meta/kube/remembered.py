"""What a process remembers of what it read: each thing for as long as no object of its kind changes."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from django.db import connection

UNCHANGED = (
    "SELECT value FROM kube_counter WHERE name = 'changes' AND value >= %s"
    " AND NOT EXISTS (SELECT 1 FROM kube_change WHERE resource = %s AND version > %s)"
    " AND (SELECT value FROM kube_counter WHERE name = 'compacted') <= %s"
)


class Versioned(Protocol):
    """Something that was true at a version."""

    @property
    def version(self) -> int:
        """Return the version."""


T = TypeVar("T", bound=Versioned)

Place = tuple[str, str, int]
"""Where something was read: the key of its kind, and what else tells it from others."""


class Remembered(Generic[T]):
    """The values read most recently, up to a size in bytes.

    `size` measures a value, `at` returns it under a later version at which it is still true.
    """

    def __init__(self, limit: int, *, size: Callable[[T], int], at: Callable[[T, int], T]) -> None:
        self._limit = limit
        self._size = size
        self._at = at
        self._held = 0
        self._values: OrderedDict[Place, T] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, place: Place, read: Callable[[], T], *, seen: int | None = None) -> T:
        """Return what is true of a place, reading it only if it may have changed.

        That is now, or when the newest version was `seen`: whoever asks has looked since he wants to know.
        """
        with self._lock:
            known = self._values.get(place)
            if known is not None:
                self._values.move_to_end(place)
        if known is not None:
            newest = seen if seen == known.version else _unchanged(place[0], known.version)
            if newest is not None:
                return known if newest == known.version else self._advance(place, known, newest)
        fresh = read()
        self._keep(place, fresh)
        return fresh

    def forget(self) -> None:
        """Remember nothing: the database is another one."""
        with self._lock:
            self._values.clear()
            self._held = 0

    def _advance(self, place: Place, known: T, version: int) -> T:
        """Return a value under a later version, by which it is found from now on."""
        value = self._at(known, version)
        # What a transaction sees may yet be rolled back.
        if not connection.in_atomic_block:
            with self._lock:
                if self._values.get(place) is known:
                    self._values[place] = value
        return value

    def _keep(self, place: Place, value: T) -> None:
        size = self._size(value)
        # What a transaction sees may yet be rolled back.
        if connection.in_atomic_block or size > self._limit // 2:
            return
        with self._lock:
            self._drop(place)
            self._values[place] = value
            self._held += size
            while self._held > self._limit:
                self._drop(next(iter(self._values)))

    def _drop(self, place: Place) -> None:
        value = self._values.pop(place, None)
        if value is not None:
            self._held -= self._size(value)


def _unchanged(key: str, version: int) -> int | None:
    """Return the present version if nothing of a kind has changed since an earlier one, else None.

    Changes that are no longer kept may have been of the kind, so one that is older than those counts as changed.
    """
    with connection.cursor() as cursor:
        cursor.execute(UNCHANGED, [version, key, version, version])
        row = cursor.fetchone()
    return int(row[0]) if row else None
