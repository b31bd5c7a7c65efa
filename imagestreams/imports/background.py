"""Imports that nobody waits for: what is due of a stream, what is kept of it, and what is said of failures."""

from __future__ import annotations

from collections.abc import Sequence

from django.conf import settings

from imagestreams import marks, metrics
from imagestreams.api.imagestreams import IMAGE_STREAMS, INTERNAL
from imagestreams.imports import errands, notices, pauses, plan, retrying, run, schedule
from imagestreams.imports.errands import Errand
from imagestreams.imports.plan import Due
from imagestreams.imports.schedule import Intervals, Next
from imagestreams.models import ScheduledTag
from imagestreams.types import ImageStream
from registry_meta.kube import meta, store
from registry_meta.kube.request import SYSTEM, Context


def intervals() -> Intervals:
    """Return the seconds between two looks at a tag, by the settings."""
    environment = settings.ENVIRONMENT
    return Intervals(environment.scheduled_import_interval, environment.shortest_import_interval)


def bring_in(stream: ImageStream, what: Due, *, held: Sequence[ScheduledTag] = ()) -> Errand:
    """Import what is due of a stream, keep what was found for the schedule, and say when failures are tried again.

    `held` are the rows that it is done for. Raises StatusError when the stream could not be written.
    """
    now, place = meta.now(), stream.metadata
    errand = errands.errand(stream, what)
    context = Context(SYSTEM, IMAGE_STREAMS, now, namespace=place.namespace, reason=f"imported: {what.reason.value}")
    answer = run.execute(plan.request(stream, what), context=context, errand=errand, background=bool(held))
    written = answer.status.import_ or stream
    found = errand.found(written)
    nexts = schedule.learned(
        written, found, usual=intervals().usual, now=meta.now(), held=held, wakes=marks.wakes(written, now=now)
    )
    if not held:
        for host, seconds in errand.waits().items():
            pauses.pause(host, wish=seconds, now=meta.now())
    else:
        for tag, result in found.items():
            metrics.CHECKS.labels(result.fault or _outcome(stream, written, tag)).inc()
    if nexts:
        _tell(written, nexts)
    notices.report(written, errand.advice, now=meta.now())
    return errand


def _outcome(before: ImageStream, after: ImageStream, tag: str) -> str:
    return "Same" if plan.standing(before, tag) == plan.standing(after, tag) else "Moved"


def _tell(stream: ImageStream, nexts: Sequence[Next]) -> None:
    """Say at tags when they are tried again."""
    now, place = meta.now(), stream.metadata

    def edit(found: ImageStream) -> ImageStream:
        for each in nexts:
            retrying.tell(
                found, each.tag, fault=each.fault, failures=each.failures, due_at=each.due_at,
                interval=each.interval, now=now,
            )  # fmt: skip
        return found

    context = Context(SYSTEM, IMAGE_STREAMS, now, namespace=place.namespace, reason="an import is tried again")
    store.update(IMAGE_STREAMS, place.name, edit, context=context, strategy=INTERNAL)
