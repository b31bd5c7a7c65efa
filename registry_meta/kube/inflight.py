"""How many requests a process lets in: those beyond are sent away at once, so that the rest are answered in time."""

from __future__ import annotations

import threading
from collections.abc import Collection

from registry_meta.kube import errors, metrics
from registry_meta.kube.request import SYSTEM

RETRY_SECONDS = 1
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


gate = Gate()
