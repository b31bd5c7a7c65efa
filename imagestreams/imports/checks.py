"""The looks at scheduled tags that are due: every process takes a share of them, by registry and in turns."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterable
from datetime import timedelta

from django.db import connection

from imagestreams.imports import schedule
from imagestreams.imports.background import intervals
from imagestreams.imports.visits import Visit
from imagestreams.models import ScheduledTag
from registry_meta.kube import meta

logger = logging.getLogger(__name__)

BATCH = 200
"""The most tags that are claimed at a time, and so the most that one registry is asked for in a row."""
REGISTRIES = 16
"""The most registries that one process looks at side by side."""
RENEW_SECONDS = 10.0
POLL_SECONDS = 0.05
"""How often is looked whether a registry is done while nothing else is due."""


def run_for(seconds: float) -> bool:
    """Look at what is due for some seconds; return whether anything is left that could be looked at now."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        busy = registries.busy()
        rows = [] if len(busy) >= REGISTRIES else _claim(busy)
        if not rows and not busy:
            return False
        for host, group in _by_host(rows).items():
            registries.start(host, group)
        if not rows:
            registries.wait(POLL_SECONDS)
    return schedule.is_any_due(meta.now())


def _claim(busy: Iterable[str]) -> list[ScheduledTag]:
    window = timedelta(seconds=intervals().usual / 2)
    return schedule.claim(limit=BATCH, busy=set(busy), window=window, now=meta.now())


def _by_host(rows: Iterable[ScheduledTag]) -> dict[str, list[ScheduledTag]]:
    hosts: dict[str, list[ScheduledTag]] = {}
    for row in rows:
        hosts.setdefault(row.host, []).append(row)
    return hosts


class Registries:
    """The registries that this process looks at, each in a thread; their leases are prolonged meanwhile."""

    def __init__(self) -> None:
        self._working: dict[str, list[ScheduledTag]] = {}
        self._changed = threading.Condition()
        self._renewer: threading.Thread | None = None

    def busy(self) -> set[str]:
        """Return the registries that are looked at now."""
        with self._changed:
            return set(self._working)

    def wait(self, seconds: float) -> None:
        """Return when a registry is done, or after some seconds."""
        with self._changed:
            self._changed.wait(seconds)

    def start(self, host: str, rows: list[ScheduledTag]) -> None:
        """Look at rows of a registry beside everything else."""
        with self._changed:
            self._working[host] = rows
            if self._renewer is None or not self._renewer.is_alive():
                self._renewer = threading.Thread(target=self._renew, name="schedule-leases", daemon=True)
                self._renewer.start()
        # A process that ends does not wait for registries: the leases run out.
        threading.Thread(target=self._look, args=(host, rows), name=f"schedule-{host}", daemon=True).start()

    def _look(self, host: str, rows: list[ScheduledTag]) -> None:
        try:
            Visit(host, rows).make()
        except Exception:  # the leases run out, and another turn may go better
            logger.exception("looking at tags of %s broke off", host)
        finally:
            connection.close()
            with self._changed:
                del self._working[host]
                self._changed.notify_all()

    def _renew(self) -> None:
        while True:
            threading.Event().wait(RENEW_SECONDS)
            with self._changed:
                held = [row for rows in self._working.values() for row in rows]
            if not held:
                continue
            try:
                schedule.renew(held, now=meta.now())
            except Exception:  # the next turn may find the database again
                logger.exception("leases of scheduled tags could not be renewed")
            finally:
                connection.close()


registries = Registries()
