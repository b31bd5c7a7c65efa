"""How many objects there are: counted once, and from then on reckoned from the changes."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable

from django.db import connection

KEPT = 1000
"""Of so many places a process remembers how many objects they have."""

FAR = 5000
"""Over more versions than these counting anew costs less."""

SINCE = (
    "SELECT (SELECT value FROM kube_counter WHERE name = 'compacted'),"
    " (SELECT coalesce(sum(CASE type WHEN 'ADDED' THEN 1 WHEN 'DELETED' THEN -1 ELSE 0 END), 0) FROM kube_change"
    " WHERE resource = %s AND version > %s AND version <= %s"
)

Place = tuple[str, str]
"""The key of a kind, and a namespace or nothing."""


class Totals:
    """The numbers of objects of the places that were asked for most recently, each as of a version."""

    def __init__(self, kept: int = KEPT) -> None:
        self._limit = kept
        self._known: OrderedDict[Place, tuple[int, int]] = OrderedDict()
        self._lock = threading.Lock()

    def at(self, place: Place, version: int, count: Callable[[], int]) -> int:
        """Return how many objects a place had at a version; `count` counts them, where that cannot be reckoned."""
        with self._lock:
            known = self._known.get(place)
        moved = _moved(place, known[0], version) if known is not None else None
        total = count() if known is None or moved is None else known[1] + moved
        # What a transaction sees may yet be rolled back.
        if not connection.in_atomic_block:
            with self._lock:
                self._known[place] = version, total
                self._known.move_to_end(place)
                if len(self._known) > self._limit:
                    self._known.popitem(last=False)
        return total

    def forget(self) -> None:
        """Remember nothing: the database is another one."""
        with self._lock:
            self._known.clear()


def _moved(place: Place, known: int, version: int) -> int | None:
    """Return by how much a place has grown from a version to another, or None where that is not kept."""
    first, last = min(known, version), max(known, version)
    if last - first > FAR:
        return None
    key, namespace = place
    condition, values = (" AND namespace = %s)", [namespace]) if namespace else (")", [])
    with connection.cursor() as cursor:
        cursor.execute(SINCE + condition, [key, first, last, *values])
        compacted, moved = cursor.fetchone()
    if compacted > first:
        return None
    return int(moved) if known <= version else -int(moved)


totals = Totals()
