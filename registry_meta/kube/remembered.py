"""What a process remembers of what it read, and brings up to date by the changes since."""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import msgspec
from django.db import connection

from registry_meta.kube.models import Change

FAR = 5000
"""Over more versions than these, and over more changes than FEW, reading anew costs less."""

FEW = 100

SINCE = (
    "SELECT k.value, (SELECT value FROM kube_counter WHERE name = 'compacted'),"
    " c.version, c.type, c.namespace, c.name, c.document FROM kube_counter k LEFT JOIN"
    " (SELECT version, type, namespace, name, document FROM kube_change"
    " WHERE resource = %s AND version > %s AND version <= %s"
)
REST = " ORDER BY version LIMIT %s) c ON 1 = 1 WHERE k.name = 'changes'"

Row = tuple[str, str, str | None]
"""The namespace, the name and the document of an object that changed; None for one that is gone."""


@dataclass(frozen=True, slots=True)
class Since:
    """What has changed up to a version, in the order of the changes."""

    version: int
    changes: tuple[Row, ...] = ()


class Versioned(Protocol):
    """Something that was true at a version."""

    @property
    def version(self) -> int:
        """Return the version."""


T = TypeVar("T", bound=Versioned)

Place = tuple[str, str, int]
"""Where something was read: the key of its kind, a namespace or nothing, and what else tells it from others."""


class Remembered(Generic[T]):
    """The values read most recently, up to a size in bytes.

    `size` measures a value, `advance` returns what it has become, or None where that must be read.
    """

    def __init__(self, limit: int, *, size: Callable[[T], int], advance: Callable[[Place, T, Since], T | None]) -> None:
        self._limit = limit
        self._size = size
        self._advance = advance
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
            if seen == known.version:
                return known
            since = _since(place, known.version)
            fresh = self._advance(place, known, since) if since is not None else None
            if fresh is not None:
                if fresh is not known:
                    self._keep(place, fresh)
                return fresh
        fresh = read()
        self._keep(place, fresh)
        return fresh

    def forget(self) -> None:
        """Remember nothing: the database is another one."""
        with self._lock:
            self._values.clear()
            self._held = 0

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


def _since(place: Place, version: int) -> Since | None:
    """Return what has changed since an earlier version; None when that is no longer kept, or too much."""
    key, namespace, _ = place
    values: list[str | int] = [key, version, version + FAR]
    with connection.cursor() as cursor:
        if namespace:
            cursor.execute(f"{SINCE} AND namespace = %s{REST}", [*values, namespace, FEW + 1])
        else:
            cursor.execute(f"{SINCE}{REST}", [*values, FEW + 1])
        rows = cursor.fetchall()
    newest, compacted = int(rows[0][0]), int(rows[0][1])
    # A restored database may have gone back, and what is no longer kept may have been of the kind.
    if not version <= newest <= version + FAR or compacted > version or len(rows) > FEW:
        return None
    found = sorted(row[2:] for row in rows if row[2] is not None)
    return Since(
        newest,
        tuple(
            (namespace, name, None if type_ == Change.DELETED else text) for _, type_, namespace, name, text in found
        ),
    )


class _Named(msgspec.Struct):
    name: str
    namespace: str = ""


class _NamedObject(msgspec.Struct):
    metadata: _Named


NAMES = msgspec.json.Decoder(_NamedObject)


def _place_of(document: str) -> tuple[str, str]:
    meta = NAMES.decode(document).metadata
    return meta.namespace, meta.name


def brought_up(documents: Sequence[str], changes: Iterable[Row]) -> list[str]:
    """Return documents, which are in the order of their namespaces and names, as they are after changes."""
    now = list(documents)
    for namespace, name, document in changes:
        at = bisect_left(now, (namespace, name), key=_place_of)
        is_there = at < len(now) and _place_of(now[at]) == (namespace, name)
        now[at : at + is_there] = [] if document is None else [document]
    return now
