"""Watches: the frames that a client sees from a version on, for as long as it listens."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import msgspec
from django.db import connection

from registry_meta.kube import changes, errors, metrics, pagination
from registry_meta.kube.changes import Entry, feed
from registry_meta.kube.continuation import read_token
from registry_meta.kube.errors import FieldError
from registry_meta.kube.models import Change
from registry_meta.kube.pagination import LIST_OPTIONS, ListOptions, Selection
from registry_meta.kube.parameters import is_version, number
from registry_meta.kube.request import is_true
from registry_meta.kube.resource import Resource

BOOKMARK_SECONDS = 60.0
HEARTBEAT_SECONDS = 30.0
SHORTEST, LONGEST = 1800, 3600
INITIAL_EVENTS_END = "k8s.io/initial-events-end"

Frame = Callable[[str, str], bytes]
"""Renders (event type, document) as one line of the stream."""


@dataclass(frozen=True, slots=True)
class WatchOptions:
    """How a watch starts and ends; `version` None is the present, `initial` sends what exists first."""

    version: int | None
    initial: bool
    bookmarks: bool
    ends_initial: bool
    seconds: float
    heartbeat: float = HEARTBEAT_SECONDS


def watch_options(query: Mapping[str, str]) -> WatchOptions:
    """Return how a watch was asked for; raises 400 or 422 before anything is streamed."""
    problems = _problems(query)
    version = query.get("resourceVersion", "")
    if version and not is_version(version):
        problems.append(errors.invalid_value("resourceVersion", version, "must be a decimal number"))
    if problems:
        raise errors.invalid(LIST_OPTIONS, "", problems)
    number(query, "limit")  # means nothing here, but has to be one
    seconds = number(query, "timeoutSeconds")
    if seconds <= 0:
        seconds = random.randint(SHORTEST, LONGEST)  # noqa: S311  # spreads reconnects
    bookmarks = is_true(query.get("allowWatchBookmarks"))
    from_start = version in ("", "0")
    if "sendInitialEvents" in query:
        initial = is_true(query["sendInitialEvents"])
        return WatchOptions(None if from_start else int(version), initial, bookmarks, initial and bookmarks, seconds)
    return WatchOptions(None if from_start else int(version), from_start, bookmarks, False, seconds)


def _problems(query: Mapping[str, str]) -> list[FieldError]:
    field, match = "resourceVersionMatch", query.get("resourceVersionMatch", "")
    sends = "sendInitialEvents" in query
    problems: list[FieldError] = []
    if sends and match != "NotOlderThan":
        why = "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"
        problems.append(errors.field_forbidden(field, why))
    if match and not sends:
        why = "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"
        problems.append(errors.field_forbidden(field, why))
    if match and match != "NotOlderThan":
        problems.append(errors.not_supported(field, match, ["NotOlderThan"]))
    if match and query.get("continue"):
        why = "resourceVersionMatch is forbidden when continue is provided"
        problems.append(errors.field_forbidden(field, why))
    return problems


class Watch:
    """One open watch: what it selects, where it is, and how it writes frames.

    A kind that is made up of what others are names the topic that it `follows`.
    """

    follows = ""

    def __init__(
        self, resource: Resource, namespace: str, selected: Selection, options: WatchOptions, frame: Frame | None
    ) -> None:
        self.resource = resource
        self.namespace = namespace or selected.namespace or ""
        self.selected = selected
        self.options = options
        self._frame = frame
        self._deadline = time.monotonic() + options.seconds
        self._seen = 0

    def frames(self) -> Iterator[bytes]:
        """Yield frames until the time is up; the database is left alone while nothing happens."""
        topic, start = feed.join(self.follows or self.resource.key, self.namespace)
        try:
            with metrics.watching(self.resource.group, self.resource.plural):
                yield from self._begin(start)
                connection.close()
                yield from self._follow(topic)
        except errors.StatusError as error:
            yield b'{"type":"ERROR","object":' + msgspec.json.encode(error.status()) + b"}\n"
        finally:
            feed.leave(topic)
            connection.close()

    def _begin(self, start: int) -> Iterator[bytes]:
        options = self.options
        compacted = changes.newest("compacted")
        if options.version is not None and options.version < compacted and not options.initial:
            raise errors.expired(f"too old resource version: {options.version} ({compacted})")
        if options.version is None or options.initial:
            current = changes.newest()
            if options.version is not None and options.version > current:
                raise pagination.too_large_version(options.version, current)
            self._seen = current
            if options.initial:
                yield from self._initial()
        else:
            self._seen = options.version
        for entry in changes.between(self.resource.key, self._seen, start):
            yield from self._event(entry)
        self._seen = max(self._seen, start)

    def _initial(self) -> Iterator[bytes]:
        """Yield what exists as ADDED; the watch goes on from the version of that state."""
        options, snapshot = ListOptions(pagination.BATCH), 0
        while True:
            page = pagination.page(self.resource, self.namespace, self.selected, options)
            for document in page.documents:
                yield self._render(Change.ADDED, document)
            snapshot = page.version
            if not page.continue_:
                break
            token = read_token(page.continue_)
            options = ListOptions(pagination.BATCH, token.start, snapshot, token.rest)
        self._seen = snapshot
        if self.options.ends_initial:
            yield self._initial_end(snapshot)

    def _follow(self, topic: changes.Topic) -> Iterator[bytes]:
        now = time.monotonic()
        bookmark_at, beat_at = now + BOOKMARK_SECONDS, now + self.options.heartbeat
        while now < self._deadline and not topic.is_closed:
            if self.options.bookmarks and now >= bookmark_at:
                yield self._bookmark(self._seen)
                bookmark_at = now + BOOKMARK_SECONDS
            if now >= beat_at:
                # White space between frames means nothing to a reader of JSON, and shows that a client has left.
                yield b" "
                beat_at = now + self.options.heartbeat
            wake_at = min(self._deadline, beat_at, bookmark_at if self.options.bookmarks else beat_at)
            frames = self._fresh(topic, wake_at - now)
            now = time.monotonic()
            if frames:
                yield b"".join(frames)
                beat_at = now + self.options.heartbeat
        if self.options.bookmarks:
            yield self._bookmark(self._seen)

    def _fresh(self, topic: changes.Topic, seconds: float) -> list[bytes]:
        """Return the frames of what comes next, waiting so long for it at the most."""
        entries, position = topic.wait(self._seen, max(seconds, 0.0)) or self._missed(topic)
        frames = [frame for entry in entries for frame in self._event(entry)]
        self._seen = max(self._seen, position)
        return frames

    def _missed(self, topic: changes.Topic) -> tuple[list[Entry], int]:
        """Return from the log what the topic no longer holds, because this client reads slowly."""
        if self._seen < changes.newest("compacted"):
            raise errors.expired(f"too old resource version: {self._seen} ({changes.newest('compacted')})")
        position = topic.position
        missed = list(changes.between(self.resource.key, self._seen, position))
        connection.close()
        return missed, position

    def _event(self, entry: Entry) -> Iterator[bytes]:
        """Yield the frame of a change as this watch sees it: objects enter and leave its selection."""
        if entry.version <= self._seen or not self._covers(entry):
            return
        kind, document = entry.type, entry.document
        if self.selected.reads_documents:
            before = entry.type != Change.ADDED and self._wants(entry, entry.previous or entry.document)
            after = entry.type != Change.DELETED and self._wants(entry, entry.document)
            if not before and not after:
                return
            if not after:
                kind = Change.DELETED
                document = versioned(entry.previous or entry.document, entry.version)
            else:
                kind = Change.MODIFIED if before else Change.ADDED
        if self._frame is None and kind == entry.type and document is entry.document:
            cached = entry.frames.get(kind)
            if cached is None:
                cached = entry.frames[kind] = plain_frame(self.resource, kind, document)
            yield cached
        else:
            yield self._render(kind, document)

    def _covers(self, entry: Entry) -> bool:
        if self.namespace and entry.namespace != self.namespace:
            return False
        return self.selected.name is None or entry.name == self.selected.name

    def _wants(self, entry: Entry, document: str) -> bool:
        return self.selected.matches(self.resource, entry.namespace, entry.name, document)

    def _render(self, kind: str, document: str) -> bytes:
        return self._frame(kind, document) if self._frame else plain_frame(self.resource, kind, document)

    def _initial_end(self, version: int) -> bytes:
        return self._bookmark(version, {INITIAL_EVENTS_END: "true"})

    def _bookmark(self, version: int, annotations: dict[str, str] | None = None) -> bytes:
        meta: dict[str, object] = {"resourceVersion": str(version), "creationTimestamp": None}
        if annotations:
            meta["annotations"] = annotations
        return self._render("BOOKMARK", msgspec.json.encode({"metadata": meta}).decode())


def plain_frame(resource: Resource, kind: str, document: str) -> bytes:
    """Return a watch frame that carries a whole object."""
    return f'{{"type":"{kind}","object":{resource.head}{document[1:]}}}\n'.encode()


def versioned(document: str, version: int) -> str:
    """Return a document under another version: an object leaves a selection at the version of the change."""
    tree = msgspec.json.decode(document)
    tree["metadata"]["resourceVersion"] = str(version)
    return msgspec.json.encode(tree).decode()
