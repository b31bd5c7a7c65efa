"""How many requests a process lets in: those beyond are sent away at once, so that the rest are answered in time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator

from registry_meta.kube import errors, metrics
from registry_meta.kube.request import SYSTEM

RETRY_SECONDS = 1
WATCH_RETRY_SECONDS = 5  # watches last for minutes, so room for one is made less often
READ_ONLY = frozenset({"get", "list", "watch", "head"})


class Gate:
    """Counts the requests that are being answered; `enter` and `leave` come in pairs."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._gauges = {
            True: metrics.IN_FLIGHT.labels("readOnly"),
            False: metrics.IN_FLIGHT.labels("mutating"),
        }

    def enter(self, verb: str, groups: Collection[str], *, limit: int) -> None:
        """Let a request in; raises 429 when `limit` are inside, unless the server's masters ask. 0 is no limit."""
        with self._lock:
            if 0 < limit <= self._inside and not exempt(groups):
                raise errors.too_many_requests(RETRY_SECONDS)
            self._inside += 1
        self._gauges[verb in READ_ONLY].inc()

    def leave(self, verb: str) -> None:
        """Let a request out that was let in."""
        with self._lock:
            self._inside -= 1
        self._gauges[verb in READ_ONLY].dec()


def exempt(groups: Collection[str]) -> bool:
    """Return whether somebody is let in however many are inside: those who must be able to help."""
    return any(group in groups for group in SYSTEM.groups)


class Places:
    """The watches that are open; each holds a thread, and those that are left answer everything else."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.taken = 0

    def take(self, frames: Iterator[bytes], *, limit: int) -> Placed:
        """Return the frames of a watch, which has a place until they end; raises 429 when `limit` are taken.

        Masters need a place as everybody does: there is no thread for a watch beyond the limit.
        """
        with self._lock:
            if self.taken >= limit:
                raise errors.too_many_requests(WATCH_RETRY_SECONDS)
            self.taken += 1
        return Placed(frames, self._leave)

    def _leave(self) -> None:
        with self._lock:
            self.taken -= 1


class Placed(Iterator[bytes]):
    """The frames of a watch that has a place; a generator that nobody began would not give it back."""

    def __init__(self, frames: Iterator[bytes], leave: Callable[[], None]) -> None:
        self._frames = frames
        self._leave: Callable[[], None] | None = leave

    def __next__(self) -> bytes:
        try:
            return next(self._frames)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Give the place back, and let go of what the frames come from."""
        leave, self._leave = self._leave, None
        if leave is not None:
            leave()
        close = getattr(self._frames, "close", None)
        if close is not None:
            close()

    __del__ = close


places = Places()
gate = Gate()
