"""What a web process does at its end beside answering what is under way: it is not ready, and ends its watches."""

from __future__ import annotations

import mmap
import os
import signal
import threading

from registry_meta.kube.changes import feed

ENDS = frozenset({signal.SIGTERM, signal.SIGINT})


class Notice:
    """A word that a process gives to those that are forked from it."""

    def __init__(self) -> None:
        self._shared = mmap.mmap(-1, 1)

    def give(self) -> None:
        """Say it; it is never taken back."""
        self._shared[0] = 1

    def is_given(self) -> bool:
        """Return whether it was said."""
        return bool(self._shared[0])


def end_watches_on_signal() -> None:
    """Let the watches of this process end when it is told to; call it from the main thread.

    The web server handles the signals and waits for all answers, but does not tell the application.
    """
    heard, told = os.pipe2(os.O_CLOEXEC)
    # Python writes the number of each signal there, whoever handles it.
    os.set_blocking(told, False)
    signal.set_wakeup_fd(told, warn_on_full_buffer=False)
    threading.Thread(target=_listen, args=[heard], name="ending", daemon=True).start()


def _listen(heard: int) -> None:
    while ENDS.isdisjoint(os.read(heard, 1)):
        pass
    feed.close()


notice = Notice()
"""Given when this server, with all of its web processes, is about to end."""
