"""The change log: versions, rows, and the feed by which one process follows it for all its watches."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property

import msgspec
from django.db import close_old_connections, connection

from registry_meta.kube import sealing
from registry_meta.kube.models import Change, Counter

logger = logging.getLogger(__name__)

NAME = "changes"
"""The counter whose value is the newest version."""

POLL_SECONDS = 0.02
IDLE_SECONDS = 1.0
SECONDS_A_WATCHER = 0.00005
LONGEST_GATHERING = 0.1
KEPT_ENTRIES = 1024
PAGE = 1000

TAKE_VERSION = "UPDATE kube_counter SET value = value + 1 WHERE name = 'changes' RETURNING value"
NEWEST = "SELECT value FROM kube_counter WHERE name = %s"
AFTER = (
    "SELECT version, type, resource, namespace, name, document, previous FROM kube_change"
    " WHERE version > %s ORDER BY version LIMIT %s"
)
AFTER_OF = (
    "SELECT version, type, resource, namespace, name, document, previous FROM kube_change"
    " WHERE resource = %s AND version > %s AND version <= %s ORDER BY version LIMIT %s"
)


class Labelled(msgspec.Struct):
    """The part of an object's metadata that selectors read."""

    labels: dict[str, str] | None = None


class Head(msgspec.Struct):
    """An object of which only the metadata is decoded."""

    metadata: Labelled = msgspec.field(default_factory=Labelled)


HEADS = msgspec.json.Decoder(Head)


@dataclass
class Entry:
    """One change as watchers read it; what is derived from it is derived once for all of them.

    Sealed documents are opened when somebody looks, so that one that cannot be opened troubles nobody else.
    """

    version: int
    type: str
    resource: str
    namespace: str
    name: str
    stored_document: str = field(repr=False)
    stored_previous: str | None = field(repr=False)
    frames: dict[str, bytes] = field(default_factory=dict, repr=False)

    @cached_property
    def document(self) -> str:
        """The object after the change; raises Unreadable."""
        return self._unsealed(self.stored_document)

    @cached_property
    def previous(self) -> str | None:
        """The object before the change; raises Unreadable."""
        return None if self.stored_previous is None else self._unsealed(self.stored_previous)

    def _unsealed(self, text: str) -> str:
        return sealing.unseal(text, key=self.resource, namespace=self.namespace, name=self.name)

    @cached_property
    def labels(self) -> dict[str, str]:
        """The labels after the change."""
        return HEADS.decode(self.document).metadata.labels or {}

    @cached_property
    def previous_labels(self) -> dict[str, str]:
        """The labels before the change."""
        return (HEADS.decode(self.previous).metadata.labels or {}) if self.previous else {}


def take_version() -> int:
    """Return the next version; the row lock it takes makes commit order equal version order."""
    with connection.cursor() as cursor:
        cursor.execute(TAKE_VERSION)
        return int(cursor.fetchone()[0])


def newest(name: str = NAME) -> int:
    """Return the value of a counter: the newest version, or `compacted`, or a mark."""
    with connection.cursor() as cursor:
        cursor.execute(NEWEST, [name])
        row = cursor.fetchone()
    return int(row[0]) if row else 0


def mark(names: tuple[str, ...], version: int) -> None:
    """Move marks to a version, in the transaction of the change."""
    for name in names:
        Counter.objects.filter(name=name).update(value=version)


def append(
    *, version: int, type_: str, key: str, namespace: str, name: str, document: str, previous: str | None,
    actor: str, reason: str, now: datetime,
) -> None:  # fmt: skip
    """Log a change, in the transaction that makes it."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO kube_change (version, type, resource, namespace, name, document, previous, actor, reason,"
            " made_at) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
            [version, type_, key, namespace, name, document, previous, actor, reason,
             connection.ops.adapt_datetimefield_value(now)],
        )  # fmt: skip


def after(version: int, *, limit: int = PAGE) -> list[Entry]:
    """Return the changes behind a version, in order, at most `limit`."""
    with connection.cursor() as cursor:
        cursor.execute(AFTER, [version, limit])
        return [Entry(*row) for row in cursor.fetchall()]


def between(key: str, low: int, high: int) -> Iterator[Entry]:
    """Yield the changes of one resource behind `low` up to and including `high`, in order."""
    while low < high:
        with connection.cursor() as cursor:
            cursor.execute(AFTER_OF, [key, low, high, PAGE])
            rows = cursor.fetchall()
        for row in rows:
            yield Entry(*row)
        if len(rows) < PAGE:
            return
        low = rows[-1][0]


class Topic:
    """The recent changes of one resource, in all namespaces or in one, and those who wait for the next."""

    def __init__(self) -> None:
        self.watchers = 0
        self.condition = threading.Condition()
        self.entries: deque[Entry] = deque(maxlen=KEPT_ENTRIES)
        self.dropped = 0
        self.position = 0
        self.is_closed = False

    def close(self) -> None:
        """Have nobody wait for what comes next: this process ends."""
        with self.condition:
            self.is_closed = True
            self.condition.notify_all()

    def publish(self, entries: list[Entry], position: int) -> None:
        """Add changes and wake the waiting; `position` is how far the feed has read."""
        with self.condition:
            for entry in entries:
                if len(self.entries) == KEPT_ENTRIES:
                    self.dropped = self.entries[0].version
                self.entries.append(entry)
            self.position = position
            if entries:
                self.condition.notify_all()

    def wait(self, seen: int, timeout: float) -> tuple[list[Entry], int] | None:
        """Return what came behind `seen` and the position reached, waiting up to `timeout` seconds.

        None says that changes behind `seen` are no longer held here: read them from the log.
        """
        with self.condition:
            if not self.is_closed and (not self.entries or self.entries[-1].version <= seen):
                self.condition.wait(timeout)
            if self.dropped > seen:
                return None
            return self._behind(seen), self.position

    def _behind(self, seen: int) -> list[Entry]:
        fresh: list[Entry] = []
        for entry in reversed(self.entries):
            if entry.version <= seen:
                break
            fresh.append(entry)
        fresh.reverse()
        return fresh


class Feed:
    """One thread a process that follows the log while anyone watches, and hands each change to its topic."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._topics: dict[tuple[str, str], Topic] = {}
        self._gathered: dict[str, list[str]] = {}
        self._woken = threading.Event()
        self._thread: threading.Thread | None = None
        self._ended = threading.Event()
        self._position = 0
        self._is_closed = False
        self.watchers = 0

    def gather(self, name: str, *keys: str) -> None:
        """Offer the changes of several resources as one topic, under a name that no resource has."""
        for key in keys:
            self._gathered.setdefault(key, []).append(name)

    def join(self, key: str, namespace: str = "") -> tuple[Topic, int]:
        """Return the topic of a resource, in one namespace or in all, and the version from which it holds every change.

        Whoever joins a topic leaves it in the end.
        """
        current = newest()
        with self._lock:
            if current < self._position:
                # The database is another one than before: one that was restored from a copy.
                self._position = current
                self._topics.clear()
            if self._thread is None or not self._thread.is_alive():
                self._position = current
                self._topics.clear()
                self._ended = threading.Event()
                self._thread = threading.Thread(
                    target=self._follow, args=[self._ended], name="change-feed", daemon=True
                )
                self._thread.start()
            topic = self._topics.get((key, namespace))
            if topic is None:
                topic = self._topics[key, namespace] = Topic()
                topic.position = topic.dropped = self._position
                topic.is_closed = self._is_closed
            topic.watchers += 1
            self.watchers += 1
        self.wake()
        return topic, topic.position

    def leave(self, topic: Topic) -> None:
        """Wait for a topic no longer; one that nobody waits for is not kept."""
        with self._lock:
            self.watchers -= 1
            topic.watchers -= 1
            if not topic.watchers:
                self._topics = {place: other for place, other in self._topics.items() if other is not topic}

    def wake(self) -> None:
        """Look at the log now instead of at the next poll."""
        self._woken.set()

    def close(self) -> None:
        """Let every watch end in order, those too that begin later."""
        with self._lock:
            self._is_closed = True
            topics = list(self._topics.values())
        for topic in topics:
            topic.close()

    def end(self) -> None:
        """End the thread, before the database is taken away; the next watch starts another."""
        with self._lock:
            thread, self._thread = self._thread, None
            self._is_closed = False
            self._ended.set()
        if thread is not None:
            self.wake()
            thread.join()

    def _follow(self, ended: threading.Event) -> None:
        while not ended.is_set():
            self._woken.wait(POLL_SECONDS if self.watchers else IDLE_SECONDS)
            self._woken.clear()
            try:
                if self._read():
                    # Waking many is dear: they are told of what comes in quick succession in one go.
                    ended.wait(min(self.watchers * SECONDS_A_WATCHER, LONGEST_GATHERING))
            except Exception:  # the feed must outlive a database that is away for a while
                logger.exception("the change feed could not read the log")
                close_old_connections()
                self._woken.wait(1)
        connection.close()

    def _read(self) -> bool:
        """Hand out what is new; return whether there was anything."""
        found = False
        while True:
            # Only rows are looked at: the newest version is known only by a row that is committed.
            entries = after(self._position)
            if not entries:
                return found
            found = True
            by_place: dict[tuple[str, str], list[Entry]] = {}
            for entry in entries:
                for key in (entry.resource, *self._gathered.get(entry.resource, ())):
                    by_place.setdefault((key, ""), []).append(entry)
                if entry.namespace:
                    by_place.setdefault((entry.resource, entry.namespace), []).append(entry)
            with self._lock:
                self._position = entries[-1].version
                topics = list(self._topics.items())
            for place, topic in topics:
                topic.publish(by_place.get(place, []), self._position)


feed = Feed()

LISTENERS: list[Callable[[str], None]] = []
"""Called after each commit with the key of the resource that changed; they must be quick and may not fail."""


def announce(key: str) -> None:
    """Tell this process, and whoever asked to be told, that the log has grown; a hint, never the news itself."""
    feed.wake()
    for listener in LISTENERS:
        listener(key)


def compact(before: datetime) -> int:
    """Drop changes made before an instant that every consumer has read; return how many."""
    from_cursors = _slowest_cursor()
    old = Change.objects.filter(made_at__lt=before)
    if from_cursors is not None:
        old = old.filter(version__lte=from_cursors)
    last = old.order_by("-version").values_list("version", flat=True).first()
    if last is None:
        return 0
    # The mark moves first: a reader that finds rows missing must find out why.
    Counter.objects.update_or_create(name="compacted", defaults={"value": last})
    dropped, _ = Change.objects.filter(version__lte=last).delete()
    return dropped


def _slowest_cursor() -> int | None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT min(version) FROM kube_cursor")
        row = cursor.fetchone()
    return None if row is None or row[0] is None else int(row[0])
