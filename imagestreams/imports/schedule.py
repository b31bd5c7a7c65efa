"""The tags that the clock looks after: rows that say when each is due, and that whoever looks holds under a lease.

The rows follow the streams in the transactions that move the importer's cursor. A lease that runs out puts a row back;
what was found by somebody whose row was changed meanwhile is not kept, so that the row stays due.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F, Q, QuerySet, Window
from django.db.models.functions import RowNumber

from imagestreams import marks, tags
from imagestreams.imports import pace, pauses, plan
from imagestreams.imports.pace import Fault, Waiting
from imagestreams.imports.plan import Look
from imagestreams.models import ScheduledTag
from imagestreams.reference import HUB_ENDPOINT, HUB_HOSTS
from imagestreams.types import ImageStream

LEASE = timedelta(seconds=30)
SKEW = timedelta(seconds=60)
"""How far the clocks of hosts may differ; what was settled later than that from now was so by a wrong clock."""
BUCKETS = 8
"""Into how many times the next looks at the tags of one batch are spread."""


@dataclass(frozen=True, slots=True)
class Intervals:
    """The seconds between two looks: the usual ones, and the fewest that an annotation may ask for."""

    usual: int
    shortest: int


@dataclass(frozen=True, slots=True)
class Found:
    """What an import made of a tag: the digest that the registry gave, or the kind of failure.

    `wait` is for how many seconds the registry wishes to be left alone.
    """

    digest: str = ""
    fault: Fault = Fault.NONE
    wait: float = 0.0


@dataclass(frozen=True, slots=True)
class Next:
    """When a tag that failed is looked at again, after so many failures in a row; `interval` is in seconds."""

    tag: str
    fault: Fault
    failures: int
    due_at: datetime
    interval: int


# --- what streams ask for


def note(streams: Sequence[tuple[ImageStream, int]], *, every: Intervals, now: datetime) -> None:
    """Bring the rows of changed streams, each given with the version of its change, up to date."""
    known: dict[tuple[str, str], list[ScheduledTag]] = {}
    metas = [stream.metadata for stream, _ in streams]
    of_these = Q(namespace__in={meta.namespace for meta in metas}, stream__in={meta.name for meta in metas})
    for row in ScheduledTag.objects.filter(of_these):
        known.setdefault((row.namespace, row.stream), []).append(row)
    for stream, version in streams:
        rows = known.get((stream.metadata.namespace, stream.metadata.name), [])
        _note_stream(stream, rows, version=version, every=every, now=now)


def _note_stream(
    stream: ImageStream, rows: Iterable[ScheduledTag], *, version: int, every: Intervals, now: datetime
) -> None:
    wanted = {look.tag: look for look in plan.scheduled(stream, usual=every.usual, shortest=every.shortest)}
    gone: list[int] = []
    for row in rows:
        look = wanted.pop(row.tag, None) or _recovering(row, stream)
        if look is None:
            gone.append(row.pk)
        else:
            _adapt(row, look, version=version, usual=every.usual, now=now)
    if gone:
        ScheduledTag.objects.filter(pk__in=gone).delete()
    place = {"namespace": stream.metadata.namespace, "stream": stream.metadata.name, "version": version}
    ScheduledTag.objects.bulk_create(
        [
            ScheduledTag(
                **place, **_fields(look), settled_at=now,
                due_at=now + pace.first(interval=look.interval, jitter=_jitter()),
            )
            for look in wanted.values()
        ],
        ignore_conflicts=True,
    )  # fmt: skip
    _hasten(stream, now=now)


def _hasten(stream: ImageStream, *, now: datetime) -> None:
    """Let tags be looked at when a tag upstream is old enough for them; whoever holds one sees to that by himself."""
    meta = stream.metadata
    for tag, moment in marks.wakes(stream, now=now).items():
        mine = ScheduledTag.objects.filter(namespace=meta.namespace, stream=meta.name, tag=tag, interval__gt=0)
        mine.filter(_free(now), due_at__gt=moment).update(due_at=moment)


def _fields(look: Look) -> dict[str, object]:
    return {name: getattr(look, name) for name in Look.__dataclass_fields__}


def _recovering(row: ScheduledTag, stream: ImageStream) -> Look | None:
    """Return what looking after a tag means that is on no schedule and still waits for its registry, else None."""
    wished = tags.tag_of(stream, row.tag)
    if row.interval or wished is None or plan.wish(wished) != row.wish or not plan.has_failed(stream, row.tag):
        return None
    return plan.look(wished, stream, interval=0)


def _adapt(row: ScheduledTag, look: Look, *, version: int, usual: int, now: datetime) -> None:
    """Write what differs now, from the row as it is by then: an import may have kept what it learned meanwhile."""
    mine = ScheduledTag.objects.filter(pk=row.pk)
    then: ScheduledTag | None = row
    while then is not None and (changes := _changes(then, look, usual=usual, now=now)):
        if mine.filter(stamp=then.stamp).update(**changes, version=version, stamp=F("stamp") + 1):
            break
        then = mine.first()


def _changes(row: ScheduledTag, look: Look, *, usual: int, now: datetime) -> dict[str, object]:
    """Return what differs; what was known of the registry is forgotten where it may no longer hold."""
    changes = {name: value for name, value in _fields(look).items() if getattr(row, name) != value}
    if "wish" in changes or "standing" in changes:
        changes["digest"] = ""
    if "wish" in changes:
        changes |= {"failures": 0, "fault": ""}
    if "wish" in changes or "interval" in changes:
        latest = now + pace.delay(Fault.NONE, 0, interval=look.interval or usual, jitter=_jitter())
        changes |= {"due_at": min(row.due_at, latest), "settled_at": now}
    return changes


def forget(namespace: str, stream: str) -> None:
    """Remove the rows of a stream that is gone."""
    ScheduledTag.objects.filter(namespace=namespace, stream=stream).delete()


# --- what makes a tag due


def notified(host: str, repository: str, tag: str, *, now: datetime) -> int:
    """Let the tags be due now that come from a tag which its registry says has moved; return how many there are.

    An empty `tag` means all of the repository. This is the door for what registries tell.
    """
    endpoint = HUB_ENDPOINT if host in HUB_HOSTS else host
    moved = ScheduledTag.objects.filter(host=endpoint, repository=repository)
    if tag:
        moved = moved.filter(reference__in=(tag, ""))
    return moved.update(due_at=now, settled_at=now, stamp=F("stamp") + 1)


def wake(namespace: str, stream: str, names: Collection[str], *, now: datetime) -> None:
    """Let tags of a stream be imported anew, because they may move again."""
    rows = ScheduledTag.objects.filter(namespace=namespace, stream=stream, tag__in=names)
    rows.update(due_at=now, settled_at=now, digest="", stamp=F("stamp") + 1)


def credentials_changed(namespaces: Collection[str], *, now: datetime) -> None:
    """Let the tags of namespaces be looked at whose registry refused them, because there are other credentials."""
    refused = ScheduledTag.objects.filter(namespace__in=namespaces, fault=Fault.PERMANENT)
    refused.update(due_at=now, settled_at=now, stamp=F("stamp") + 1)


def straighten(now: datetime) -> int:
    """Let what a clock that was ahead has put off be due; return how much that is."""
    wrong = ScheduledTag.objects.filter(settled_at__gt=now + SKEW)
    if not wrong.exists():
        return 0
    return wrong.update(due_at=now, settled_at=now, stamp=F("stamp") + 1)


# --- whose turn it is


def _free(now: datetime) -> Q:
    """Return what is held by nobody; a lease that ends later than any can is that of a wrong clock."""
    return Q(leased_until__isnull=True) | Q(leased_until__lte=now) | Q(leased_until__gt=now + LEASE + SKEW)


def is_any_due(now: datetime) -> bool:
    """Return whether there is anything to claim."""
    rows = ScheduledTag.objects.filter(_free(now), due_at__lte=now)
    return rows.exclude(host__in=list(pauses.paused(now))).exists()


def claim(*, limit: int, busy: Collection[str], window: timedelta, now: datetime) -> list[ScheduledTag]:
    """Take rows that are due for the time of a lease, and those with them that ask the same of the same registry.

    Registries that are `busy` or left alone have no turn. Tags from one place are due together from then on: those due
    within the `window` come along.
    """
    shunned = {*busy, *pauses.paused(now)}
    chosen = pace.fair(_waiting(now, limit=limit, shunned=shunned), limit=limit)
    if not chosen:
        return []
    holder = uuid.uuid4().hex
    taken = _take(chosen, holder, now=now)
    along = _alike(taken, until=now + window, limit=limit, now=now)
    return taken + (_take(along, holder, now=now) if along else [])


def _waiting(now: datetime, *, limit: int, shunned: Collection[str]) -> list[Waiting]:
    """Return the rows due longest of each host, a batch of each."""
    turn = Window(RowNumber(), partition_by=F("host"), order_by=F("due_at").asc())
    due = ScheduledTag.objects.filter(_free(now), due_at__lte=now).exclude(host__in=shunned)
    values = due.annotate(turn=turn).filter(turn__lte=limit)
    found = values.values_list("pk", "host", "namespace", "stream", "due_at")
    return [Waiting(pk, host, (namespace, stream), due_at) for pk, host, namespace, stream, due_at in found]


def _take(row_ids: Sequence[int], holder: str, *, now: datetime) -> list[ScheduledTag]:
    with transaction.atomic():
        rows = ScheduledTag.objects.select_for_update(skip_locked=True).filter(_free(now), pk__in=row_ids)
        taken = list(rows)
        until = now + LEASE
        ScheduledTag.objects.filter(pk__in=[row.pk for row in taken]).update(holder=holder, leased_until=until)
    for row in taken:
        row.holder, row.leased_until = holder, until
    place = {row_id: number for number, row_id in enumerate(row_ids)}
    return sorted(taken, key=lambda row: place[row.pk])


def _alike(taken: Sequence[ScheduledTag], *, until: datetime, limit: int, now: datetime) -> list[int]:
    """Return the rows that ask for what some that were taken ask for, and will be due before long."""
    sources = {(row.host, row.repository, row.reference) for row in taken if row.reference and not row.failures}
    if not sources:
        return []
    same = Q(host__in={source[0] for source in sources}, repository__in={source[1] for source in sources})
    rows = ScheduledTag.objects.filter(_free(now), same, due_at__lte=until, failures=0)
    mine = {row.pk for row in taken}
    found = rows.order_by("due_at").values_list("pk", "host", "repository", "reference")
    return [row_id for row_id, *source in found if tuple(source) in sources and row_id not in mine][:limit]


def renew(rows: Sequence[ScheduledTag], *, now: datetime) -> None:
    """Prolong the leases of rows that are still worked on."""
    held = ScheduledTag.objects.filter(pk__in=[row.pk for row in rows], holder__in={row.holder for row in rows})
    held.update(leased_until=now + LEASE)


# --- what came of it


def unchanged(rows: Sequence[ScheduledTag], digests: Mapping[int, str], *, usual: int, now: datetime) -> None:
    """Put rows back whose registry has no news; `digests` has what it gave, by row."""
    groups: dict[tuple[int, int, str], list[ScheduledTag]] = {}
    for row in rows:
        learnt = digests[row.pk] if digests[row.pk] != row.digest else ""
        groups.setdefault((row.interval, random.randrange(BUCKETS), learnt), []).append(row)  # noqa: S311  # spreads load
    with transaction.atomic():
        for (interval, bucket, learnt), group in groups.items():
            jitter = (bucket + _jitter()) / BUCKETS
            due_at = now + pace.delay(Fault.NONE, 0, interval=interval or usual, jitter=jitter)
            known = {"digest": learnt} if learnt else {}
            _settle(group, due_at=due_at, settled_at=now, failures=0, fault="", **known)


def put_off(rows: Sequence[ScheduledTag], *, until: datetime, now: datetime) -> None:
    """Put rows back that were not looked at; they come one after the other once their registry may be asked."""
    with transaction.atomic():
        _settle(rows, due_at=until, settled_at=now)


def failed(rows: Sequence[ScheduledTag], fault: Fault, *, usual: int, now: datetime) -> None:
    """Put rows back whose registry could not even be asked whether there is news."""
    with transaction.atomic():
        for row in rows:
            due_at = now + pace.delay(fault, row.failures + 1, interval=row.interval or usual, jitter=_jitter())
            _settle([row], due_at=due_at, settled_at=now, failures=row.failures + 1, fault=fault)


def remove(rows: Sequence[ScheduledTag]) -> None:
    """Remove rows that somebody holds, because there is nothing to look after any more."""
    for (holder, stamp), row_ids in _by_state(rows).items():
        _still(row_ids, holder, stamp).delete()
    _release(rows)


def learned(
    stream: ImageStream,
    found: Mapping[str, Found],
    *,
    usual: int,
    now: datetime,
    held: Sequence[ScheduledTag] = (),
    wakes: Mapping[str, datetime] | None = None,
) -> list[Next]:
    """Keep what an import found of tags, and return when those that failed are looked at again.

    `stream` is as the import left it; `held` are the rows that the import was made for. A tag that is on no schedule
    has a row only while its registry is expected to recover. `wakes` are moments that are not waited past.
    """
    meta = stream.metadata
    version = int(meta.resource_version)
    mine = {row.pk: row for row in held}
    nexts: list[Next] = []
    with transaction.atomic():
        rows = ScheduledTag.objects.select_for_update().filter(namespace=meta.namespace, stream=meta.name)
        known = {row.tag: row for row in rows.filter(tag__in=list(found))}
        for tag, result in found.items():
            row = known.get(tag) or _new(stream, tag, version=version, now=now)
            if row is None:
                continue
            after = _after(row, result, usual=usual, now=now)
            after = replace(after, due_at=min(after.due_at, (wakes or {}).get(tag, after.due_at)))
            nexts += [after] if pace.is_retried(result.fault) else []
            if row.version <= version and _is_same(row, mine.get(row.pk), version):
                _keep(row, after, result, standing=plan.standing(stream, tag), now=now)
        _release(held)
    return nexts


def _is_same(row: ScheduledTag, claimed: ScheduledTag | None, version: int) -> bool:
    """Return whether a row is as it was claimed, but for what the import itself made of the stream."""
    if claimed is None or row.stamp == claimed.stamp:
        return True
    return row.version != claimed.version and row.stamp == claimed.stamp + 1


def _new(stream: ImageStream, tag: str, *, version: int, now: datetime) -> ScheduledTag | None:
    """Return an unsaved row for a tag that is on no schedule."""
    wished = tags.tag_of(stream, tag)
    look = plan.look(wished, stream, interval=0) if wished is not None else None
    if look is None:
        return None
    place = {"namespace": stream.metadata.namespace, "stream": stream.metadata.name, "version": version}
    return ScheduledTag(**place, **_fields(look), due_at=now, settled_at=now)


def _after(row: ScheduledTag, result: Found, *, usual: int, now: datetime) -> Next:
    failures = row.failures + 1 if result.fault else 0
    interval = row.interval or usual
    delay = pace.delay(result.fault, failures, interval=interval, jitter=_jitter())
    due_at = now + max(delay, timedelta(seconds=min(result.wait, pace.LONGEST_WISH)))
    return Next(row.tag, result.fault, failures, due_at, interval)


def _keep(row: ScheduledTag, after: Next, result: Found, *, standing: str, now: datetime) -> None:
    if not row.interval and not pace.is_retried(result.fault):
        if row.pk is not None:
            row.delete()
        return
    row.digest, row.standing, row.failures, row.fault = result.digest, standing, after.failures, after.fault
    row.due_at, row.settled_at = after.due_at, now
    if row.pk is None:
        ScheduledTag.objects.bulk_create([row], ignore_conflicts=True)
    else:
        # Whoever else holds the row has looked at something older.
        row.stamp += 1
        row.save()


def _settle(rows: Sequence[ScheduledTag], **changes: object) -> None:
    """Write what came of rows that are still as they were claimed, and let go of all of them."""
    for (holder, stamp), row_ids in _by_state(rows).items():
        _still(row_ids, holder, stamp).update(**changes, holder="", leased_until=None)
    _release(rows)


def _by_state(rows: Iterable[ScheduledTag]) -> dict[tuple[str, int], list[int]]:
    """Return rows by who holds them and by their stamp."""
    states: dict[tuple[str, int], list[int]] = {}
    for row in rows:
        states.setdefault((row.holder, row.stamp), []).append(row.pk)
    return states


def _still(row_ids: Sequence[int], holder: str, stamp: int) -> QuerySet[ScheduledTag]:
    """Return those of some rows that nobody has changed since they were claimed."""
    return ScheduledTag.objects.filter(pk__in=row_ids, holder=holder, stamp=stamp)


def _release(rows: Sequence[ScheduledTag]) -> None:
    """Let go of rows; those that were changed meanwhile are due as whoever changed them said."""
    holders = {row.holder for row in rows}
    held = ScheduledTag.objects.filter(pk__in=[row.pk for row in rows], holder__in=holders - {""})
    held.update(holder="", leased_until=None)


def _jitter() -> float:
    return random.random()  # noqa: S311  # spreads load
