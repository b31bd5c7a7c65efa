"""The Celery tasks of imports: reading the log, doing what is due, and finding what no message announced."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from datetime import datetime

from celery import shared_task
from django.conf import settings
from django.db import connection, transaction
from kombu.exceptions import KombuError

from imagestreams import holds, metrics
from imagestreams.api.imagestreams import IMAGE_STREAMS, INTERNAL, find_stream
from imagestreams.imports import plan, queue, run
from imagestreams.models import DueImport
from imagestreams.types import ImageStream
from registry_meta.kube import consumers, meta, store
from registry_meta.kube.changes import Entry
from registry_meta.kube.errors import StatusError
from registry_meta.kube.models import Change
from registry_meta.kube.request import SYSTEM, Context

logger = logging.getLogger(__name__)

CONSUMER = "imports"
SWEEP_LIMIT = 500
RENEW_SECONDS = 10.0
EXPIRED = "a hold expired"
"""Why a tag moved that was let go by the clock."""


@shared_task
def drain() -> None:
    """Read the change log and start the imports that changed streams need."""
    consumers.drain(CONSUMER, _note)


def _note(entries: Sequence[Entry]) -> None:
    now, interval = meta.now(), settings.ENVIRONMENT.scheduled_import_interval
    newest = {(entry.namespace, entry.name): entry for entry in entries if entry.resource == IMAGE_STREAMS.key}
    changed: list[tuple[ImageStream, int]] = []
    for entry in newest.values():
        if entry.type == Change.DELETED:
            queue.forget(entry.namespace, entry.name)
        else:
            changed.append((IMAGE_STREAMS.decoder.decode(entry.document), entry.version))
    due = queue.note(changed, interval=interval, now=now)
    transaction.on_commit(lambda: _start(due))


def _start(row_ids: Sequence[int]) -> None:
    for row_id in row_ids:
        try:
            import_due.apply_async([row_id], retry=False)
        except (KombuError, OSError) as error:
            logger.warning("import %s waits for the next sweep: %s", row_id, error)
            return


@shared_task
def sweep() -> None:
    """Start the imports that are due, the scheduled ones among them."""
    drain()
    _start(queue.pending(meta.now(), limit=SWEEP_LIMIT))


class _Leases:
    """Prolongs the leases of what this process works on."""

    def __init__(self) -> None:
        self._held: set[int] = set()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def hold(self, row_id: int) -> None:
        with self._lock:
            self._held.add(row_id)
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._renew, name="leases", daemon=True)
                self._thread.start()

    def drop(self, row_id: int) -> None:
        with self._lock:
            self._held.discard(row_id)

    def _renew(self) -> None:
        while True:
            threading.Event().wait(RENEW_SECONDS)
            with self._lock:
                held = list(self._held)
            if not held:
                continue
            try:
                queue.renew(held, now=meta.now())
            except Exception:  # the next turn may find the database again
                logger.exception("leases could not be renewed")
            finally:
                connection.close()


_leases = _Leases()


@shared_task
def import_due(row_id: int) -> None:
    """Do one import that is due, unless somebody else does."""
    row = queue.claim(row_id, now=meta.now())
    if row is None:
        return
    _leases.hold(row.pk)
    try:
        end = _import(row)
    except StatusError as error:
        logger.info("the import of %s/%s is put off: %s", row.namespace, row.name, error)
        queue.failed(row, now=meta.now())
        metrics.IMPORTS.labels("PutOff").inc()
    except Exception:
        logger.exception("the import of %s/%s broke off", row.namespace, row.name)
        queue.failed(row, now=meta.now())
        metrics.IMPORTS.labels("BrokenOff").inc()
    else:
        queue.done(row, interval=settings.ENVIRONMENT.scheduled_import_interval, now=meta.now(), end=end)
        metrics.IMPORTS.labels("Done").inc()
    finally:
        _leases.drop(row.pk)


def _import(row: DueImport) -> datetime | None:
    """Do what is due, and return when the next hold on a tag ends that waits for that."""
    stream = find_stream(row.namespace, row.name)
    if stream is not None and row.scheduled:
        stream = _let_go(stream)
    what = plan.due(stream, scheduled=row.scheduled) if stream is not None else None
    if stream is None or what is None:
        return holds.next_end(stream, now=meta.now()) if stream is not None else None
    context = Context(
        SYSTEM, IMAGE_STREAMS, meta.now(), namespace=row.namespace, reason=f"imported: {what.reason.value}"
    )
    answer = run.execute(plan.request(stream, what), context=context, background=row.scheduled)
    logger.info("imported %d tags of %s/%s: %s", len(what.tags), row.namespace, row.name, what.reason.value)
    return holds.next_end(answer.status.import_ or stream, now=meta.now())


def _let_go(stream: ImageStream) -> ImageStream:
    """Write a stream whose holds have ended, so that its tags catch up with those that they follow."""
    now = meta.now()
    if not holds.released(stream, stream, now=now):
        return stream
    context = Context(SYSTEM, IMAGE_STREAMS, now, namespace=stream.metadata.namespace, reason=EXPIRED)
    stored = store.update(IMAGE_STREAMS, stream.metadata.name, lambda found: found, context=context, strategy=INTERNAL)
    written: ImageStream = stored.object()
    return written
