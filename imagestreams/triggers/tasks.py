"""The Celery tasks of triggers: reading the log, telling consumers, and finding what no message announced."""

from __future__ import annotations

import logging
import random
from collections.abc import Iterable, Sequence
from typing import Protocol

from celery import shared_task
from django.db import transaction
from kombu.exceptions import KombuError

from imagestreams.triggers import deliver as delivery
from imagestreams.triggers import queue, subscriptions
from imagestreams.triggers.signing import SECRETS
from imagestreams.types import GROUP
from registry_meta.kube import consumers, meta
from registry_meta.kube.changes import Entry
from registry_meta.kube.meta import GroupResource

logger = logging.getLogger(__name__)

CONSUMER = "triggers"
STREAMS = str(GroupResource(GROUP, "imagestreams"))
SWEEP_LIMIT = 500
EXPIRES_SECONDS = 60
MOST_IN_A_ROW = 50
"""How many events one task tells for one trigger before others have their turn."""


class Task(Protocol):
    """What is needed of a Celery task."""

    def apply_async(self, args: list[str], *, expires: float, retry: bool) -> object:
        """Send the task."""


@shared_task
def drain() -> None:
    """Read the change log and make the deliveries that moved tags call for."""
    consumers.drain(CONSUMER, note)


def note(entries: Sequence[Entry]) -> None:
    """Make the deliveries of some changes, in the transaction that moves the cursor; they start after its commit."""
    moved = queue.moves(entry.version for entry in entries if entry.resource == STREAMS)
    ready = queue.note(moved, now=meta.now())
    for entry in entries:
        if entry.resource == SECRETS:
            subscriptions.secret_changed(entry.namespace, entry.name, version=entry.version)
    if ready:
        transaction.on_commit(lambda: _start(deliver, ready))


def _start(task: Task, uids: Iterable[str]) -> None:
    """Send a task for each of some triggers; what is not sent, or not done in a minute, is left to the next sweep."""
    try:
        for uid in uids:
            task.apply_async([uid], expires=EXPIRES_SECONDS, retry=False)
    except (KombuError, OSError) as error:
        logger.warning("deliveries wait for the next sweep: %s", error)


@shared_task
def deliver(uid: str) -> None:
    """Tell the consumer of a trigger what is due, in order, until nothing is left or it does not listen."""
    for _ in range(MOST_IN_A_ROW):
        if not delivery.attempt(uid, now=meta.now(), jitter=_jitter()):
            return
    _start(deliver, [uid])


@shared_task
def observe(uid: str) -> None:
    """Say of a trigger whether it can tell, and if so let it."""
    if delivery.observe(uid, now=meta.now()):
        deliver(uid)


@shared_task
def sweep() -> None:
    """Read the log, start what is due, look at the triggers that changed, and forget what was done long ago."""
    drain()
    now = meta.now()
    _start(observe, subscriptions.unchecked(limit=SWEEP_LIMIT))
    _start(deliver, queue.pending(now, limit=SWEEP_LIMIT))
    queue.prune(now)


def _jitter() -> float:
    return random.random()  # noqa: S311  # spreads load
