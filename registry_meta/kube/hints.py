"""Wakes Celery tasks when kinds change: hints that may be lost, since a sweep finds what none announced."""

from __future__ import annotations

import logging
import threading
from typing import Protocol

from kombu.exceptions import KombuError

from registry_meta.kube import changes

logger = logging.getLogger(__name__)

GATHER_SECONDS = 0.02
EXPIRES_SECONDS = 60


class Task(Protocol):
    """What is needed of a Celery task."""

    name: str

    def apply_async(self, *, expires: float, retry: bool) -> object:
        """Send the task."""


class Bell:
    """One thread a process that sends each task once for any number of changes in quick succession."""

    def __init__(self) -> None:
        self._tasks: dict[str, list[Task]] = {}
        self._pending: dict[str, Task] = {}
        self._lock = threading.Lock()
        self._rung = threading.Event()
        self._thread: threading.Thread | None = None

    def on(self, key: str, task: Task) -> None:
        """Send a task whenever an object of a kind was written."""
        self._tasks.setdefault(key, []).append(task)

    def ring(self, key: str) -> None:
        """Note that a kind has changed; never blocks on the broker."""
        tasks = self._tasks.get(key)
        if not tasks:
            return
        with self._lock:
            self._pending.update((task.name, task) for task in tasks)
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._send, name="hints", daemon=True)
                self._thread.start()
        self._rung.set()

    def _send(self) -> None:
        while True:
            self._rung.wait()
            self._rung.clear()
            threading.Event().wait(GATHER_SECONDS)
            with self._lock:
                tasks, self._pending = list(self._pending.values()), {}
            for task in tasks:
                try:
                    task.apply_async(expires=EXPIRES_SECONDS, retry=False)
                except (KombuError, OSError) as error:
                    logger.warning("%s could not be woken and waits for the next sweep: %s", task.name, error)


bell = Bell()
changes.LISTENERS.append(bell.ring)
