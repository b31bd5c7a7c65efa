"""The Celery tasks of imports: reading the log, doing what is due, and finding what no message announced."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from celery import shared_task
from django.db import connection, transaction
from kombu.exceptions import KombuError

from authz.api.secrets import SECRETS
from imagestreams import holds, metrics, sightings
from imagestreams.api.imagestreams import IMAGE_STREAMS, INTERNAL, find_stream
from imagestreams.imports import background, checks, pauses, plan, queue, schedule
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
CHECK_SECONDS = 5.0
"""How long a task looks at tags before it lets others have its thread, or the process end."""
CHECK_EXPIRES_SECONDS = 10
EXPIRED = "a hold expired"
"""Why a tag moved that was let go by the clock."""


@shared_task
def drain() -> None:
    """Read the change log and start the imports that changed streams need."""
    consumers.drain(CONSUMER, _note)


def _note(entries: Sequence[Entry]) -> None:
    now = meta.now()
    newest = {(entry.namespace, entry.name): entry for entry in entries if entry.resource == IMAGE_STREAMS.key}
    changed: list[tuple[ImageStream, int]] = []
    for entry in newest.values():
        if entry.type == Change.DELETED:
            queue.forget(entry.namespace, entry.name)
            schedule.forget(entry.namespace, entry.name)
        else:
            changed.append((IMAGE_STREAMS.decoder.decode(entry.document), entry.version))
    due = queue.note(changed, now=now)
    if changed:
        schedule.note(changed, every=background.intervals(), now=now)
    secrets = {entry.namespace for entry in entries if entry.resource == SECRETS.key}
    if secrets:
        schedule.credentials_changed(secrets, now=now)
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
    """Start the imports that are due, and the looks at scheduled tags."""
    drain()
    now = meta.now()
    queue.straighten(now)
    schedule.straighten(now)
    pauses.prune(now)
    _start(queue.pending(now, limit=SWEEP_LIMIT))
    if schedule.is_any_due(now):
        _start_checks()


@shared_task
def forget_sightings() -> None:
    """Forget repositories that nothing has followed for long."""
    number = sightings.forget(now=meta.now())
    if number:
        logger.info("forgot %d repositories that nothing follows", number)


def _start_checks() -> None:
    try:
        check.apply_async(expires=CHECK_EXPIRES_SECONDS, retry=False)
    except (KombuError, OSError) as error:
        logger.warning("scheduled tags wait for the next sweep: %s", error)


@shared_task
def check() -> None:
    """Look at scheduled tags that are due for some seconds, beside other processes; what is left is the next one's."""
    if not _checking.acquire(blocking=False):
        return
    try:
        left = checks.run_for(CHECK_SECONDS)
    finally:
        _checking.release()
    if left:
        _start_checks()


_checking = threading.Lock()


class _Leases:
    """Prolongs the leases of the imports that this process works on."""

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
        if end.repository:
            queue.pending_repository(row, now=meta.now())
        else:
            queue.done(row, end=end.at)
        metrics.IMPORTS.labels("Done").inc()
    finally:
        _leases.drop(row.pk)


@dataclass(frozen=True, slots=True)
class End:
    """What becomes of a row: when the next hold on a tag ends, and whether the repository is to be asked again."""

    at: datetime | None = None
    repository: bool = False


def _import(row: DueImport) -> End:
    """Do what is due."""
    stream = find_stream(row.namespace, row.name)
    if stream is None:
        return End()
    if row.scheduled:
        return End(_end_holds(stream))
    what = plan.due(stream, repository=row.repository)
    if what is None:
        return End()
    done = background.bring_in(stream, what)
    logger.info("imported %d tags of %s/%s: %s", len(what.tags), row.namespace, row.name, what.reason.value)
    return End(repository=what.repository and done.is_repository_pending())


def _end_holds(stream: ImageStream) -> datetime | None:
    """Let tags go whose holds are over, have those looked at that a schedule moves, and return when the next ends."""
    now, place = meta.now(), stream.metadata
    # A stream from before there were rows for single tags gets them here.
    schedule.note([(stream, int(place.resource_version))], every=background.intervals(), now=now)
    released = holds.released(stream, stream, now=now)
    if released:
        stream = _let_go(stream)
        schedule.wake(place.namespace, place.name, released, now=now)
    return holds.next_end(stream, now=now)


def _let_go(stream: ImageStream) -> ImageStream:
    """Write a stream whose holds have ended, so that its tags catch up with those that they follow."""
    context = Context(SYSTEM, IMAGE_STREAMS, meta.now(), namespace=stream.metadata.namespace, reason=EXPIRED)
    stored = store.update(IMAGE_STREAMS, stream.metadata.name, lambda found: found, context=context, strategy=INTERNAL)
    written: ImageStream = stored.object()
    return written
