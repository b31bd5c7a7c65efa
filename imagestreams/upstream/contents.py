"""Manifests and configurations that were fetched lately, so that what has a digest is fetched once.

What is kept belongs to one repository, reached in one way: whoever uses it has to show first, by a request that the
registry answers, that the repository is open to him. Digests were verified when the content came.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

from imagestreams.upstream.errors import Unreachable
from imagestreams.upstream.values import Deadline, Manifest

LARGEST_PART = 8
"""One content may take an eighth of the room."""
KEPT_TAGS = 20_000

Shelf = tuple[str, bool, str]
"""A host, whether anything it shows is accepted, and the path of a repository there."""
Key = tuple[Shelf, str]
Value = TypeVar("Value", Manifest, bytes)


@dataclass(slots=True)
class _Fetching:
    lock: threading.Lock
    users: int = 0


class Contents:
    """What the repositories gave to all threads of a process, at most `room` bytes of it."""

    def __init__(self, room: int) -> None:
        self._room = room
        self._lock = threading.Lock()
        self._kept: OrderedDict[Key, Manifest | bytes] = OrderedDict()
        self._size = 0
        self._tags: OrderedDict[Key, str] = OrderedDict()
        self._fetching: dict[Key, _Fetching] = {}

    @property
    def size(self) -> int:
        """The bytes that are kept."""
        return self._size

    def find(self, shelf: Shelf, digest: str, kind: type[Value]) -> Value | None:
        """Return a content that is kept, if it is."""
        with self._lock:
            found = self._kept.get((shelf, digest))
            if not isinstance(found, kind):
                return None
            self._kept.move_to_end((shelf, digest))
            return found

    def keep(self, shelf: Shelf, digest: str, content: Manifest | bytes) -> None:
        """Keep a content under its digest, in place of those that nobody wanted for the longest time."""
        size = _size(content)
        if size > self._room // LARGEST_PART:
            return
        with self._lock:
            before = self._kept.pop((shelf, digest), None)
            self._size += size - (_size(before) if before is not None else 0)
            self._kept[shelf, digest] = content
            while self._size > self._room:
                self._size -= _size(self._kept.popitem(last=False)[1])

    def once(
        self, shelf: Shelf, digest: str, kind: type[Value], fetch: Callable[[], Value], *, deadline: Deadline
    ) -> Value:
        """Return a content, fetched unless it is kept; of several threads that want it one fetches it."""
        with self._alone((shelf, digest), deadline):
            content = self.find(shelf, digest, kind)
            if content is None:
                content = fetch()
                self.keep(shelf, digest, content)
            return content

    # --- tags

    def digest_of(self, shelf: Shelf, tag: str) -> str:
        """Return what a tag was when it was read last, or nothing."""
        with self._lock:
            return self._tags.get((shelf, tag), "")

    def remember(self, shelf: Shelf, tag: str, digest: str) -> None:
        """Note what a tag is now."""
        with self._lock:
            self._tags[shelf, tag] = digest
            self._tags.move_to_end((shelf, tag))
            while len(self._tags) > KEPT_TAGS:
                self._tags.popitem(last=False)

    @contextmanager
    def _alone(self, key: Key, deadline: Deadline) -> Iterator[None]:
        """Let one thread at a time fetch a content; the lock is dropped when nobody needs it."""
        with self._lock:
            turn = self._fetching.setdefault(key, _Fetching(threading.Lock()))
            turn.users += 1
        try:
            if not turn.lock.acquire(timeout=deadline.remaining()):
                raise Unreachable("context deadline exceeded while another import fetches the same")
            try:
                yield
            finally:
                turn.lock.release()
        finally:
            with self._lock:
                turn.users -= 1
                if not turn.users:
                    del self._fetching[key]


def _size(content: Manifest | bytes) -> int:
    return len(content if isinstance(content, bytes) else content.body)
