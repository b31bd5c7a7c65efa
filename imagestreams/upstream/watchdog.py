"""What ends connections whose time is over.

The timeout of a socket is that of one pause. A server that sends a byte now and then, in a header, in the length of a
chunk, or answers `100 Continue` again and again, would outlast every deadline that is looked at between two reads.
"""

from __future__ import annotations

import heapq
import itertools
import socket
import threading
import time
from contextlib import suppress

from urllib3.connection import HTTPConnection
from urllib3.util import Timeout

from imagestreams.upstream.values import Deadline

GRACE_SECONDS = 0.25
"""How long after its deadline a request is cut: the timeout of a socket, which says more, comes first."""


class Watch:
    """One request: the connection that serves it, from when there is one until it is over."""

    def __init__(self) -> None:
        self.connection: HTTPConnection | None = None
        self.was_cut = False

    def end(self) -> None:
        """Leave the connection to itself."""
        self.connection = None

    def cut(self) -> None:
        """Make whoever reads from the connection find its end."""
        connection, self.connection = self.connection, None
        made = connection.sock if connection is not None else None
        if made is not None:
            self.was_cut = True
            with suppress(OSError):
                # Not that of a TLS socket, which would forget what the other thread is about to read.
                socket.socket.shutdown(made, socket.SHUT_RDWR)


class Patience(Timeout):
    """The timeouts of one request, which carry its watch to the pool that picks the connection."""

    def __init__(self, *, connect: float, read: float, watch: Watch) -> None:
        super().__init__(connect=connect, read=read)
        self._seconds = connect, read
        self.watch = watch

    def clone(self) -> Patience:
        """Return the same for another try."""
        connect, read = self._seconds
        return Patience(connect=connect, read=read, watch=self.watch)


class Watchdog:
    """Cuts what is watched soon after its deadline; its thread runs while there is anything to wait for."""

    def __init__(self) -> None:
        self._waiting: list[tuple[float, int, Watch]] = []
        self._numbers = itertools.count()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    def watch(self, deadline: Deadline) -> Watch:
        """Return a watch that is cut soon after a deadline unless it ends before."""
        made = Watch()
        with self._changed:
            heapq.heappush(self._waiting, (deadline.at + GRACE_SECONDS, next(self._numbers), made))
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="watchdog", daemon=True)
                self._thread.start()
            elif self._waiting[0][2] is made:
                self._changed.notify()
        return made

    def _run(self) -> None:
        while True:
            with self._changed:
                if not self._waiting:
                    self._thread = None
                    return
                at, _, due = self._waiting[0]
                wait = at - time.monotonic()
                if wait > 0:
                    self._changed.wait(wait)
                    continue
                heapq.heappop(self._waiting)
            due.cut()
