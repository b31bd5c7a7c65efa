"""The deliveries that are to be done: rows that outlive any message and any worker.

A row is made in the transaction that moves the cursor of the triggers. Of each trigger only the oldest row that is not
finished can be claimed, under a lease; a lease that runs out puts the row back.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet

from imagestreams.models import Delivery, Subscription, TagEvent
from imagestreams.triggers import subscriptions
from imagestreams.triggers.match import Match, TagMove, matches

LEASE = timedelta(seconds=30)
KEPT = timedelta(days=7)
PENDING = Delivery.State.PENDING
TOLD = ("version", "namespace", "stream", "tag", "digest", "reference", "reason", "actor", "moved_at")
"""What a later move replaces in a row that is held; the previous image stays that from before the pause."""

LONGEST_OUTCOME = 300


def moves(versions: Iterable[int]) -> list[TagMove]:
    """Return the moves that the ledger has of these versions, in order.

    What one write let a tag point to in between nobody could see: such moves are one, or none where the tag came back.
    """
    events = TagEvent.objects.filter(version__in=list(versions)).order_by("version", "tag", "position")
    found: list[TagMove] = []
    for _, each in itertools.groupby(events, key=lambda event: (event.version, event.tag)):
        of_tag = list(each)
        first, last = of_tag[0], of_tag[-1]
        if (last.digest, last.reference) != (first.previous_digest, first.previous_reference):
            found.append(_told(last, first))
    return found


def _told(event: TagEvent, first: TagEvent) -> TagMove:
    return TagMove(
        event.namespace, event.stream, event.tag, event.digest, event.reference, first.previous_digest,
        first.previous_reference, event.reason, event.actor, event.moved_at, event.version,
    )  # fmt: skip


def note(moved: Iterable[TagMove], *, now: datetime) -> list[str]:
    """Make the rows that moves call for, in order, and return the triggers that have something to tell at once."""
    known = list(moved)
    listening = subscriptions.listeners((move.namespace, move.stream) for move in known)
    ready: list[str] = []
    for move in known:
        for match in matches(listening, move):
            if move.removed:
                # There is no image to act on; what was held tells of one that is no longer there.
                _unclaimed(match.uid).delete()
            elif not match.held or not _replace(match, move, now=now):
                _insert(match, move, now=now)
                ready.append(match.uid)
    return list(dict.fromkeys(ready))


def _unclaimed(uid: str) -> QuerySet[Delivery]:
    """Return the rows of a trigger that later moves may still replace."""
    return Delivery.objects.filter(trigger_uid=uid, held=True, state=PENDING, attempts=0, leased_until=None)


def _replace(match: Match, move: TagMove, *, now: datetime) -> bool:
    row = _unclaimed(match.uid).select_for_update().order_by("-version").first()
    if row is None:
        return False
    for name in TOLD:
        setattr(row, name, getattr(move, name))
    row.waiting_since = row.due_at = now
    row.save()
    return True


def _insert(match: Match, move: TagMove, *, now: datetime) -> None:
    told = {name: getattr(move, name) for name in TOLD if name != "version"}
    told |= {"previous_digest": move.previous_digest, "previous_reference": move.previous_reference}
    Delivery.objects.get_or_create(
        trigger_uid=match.uid, version=move.version,
        defaults={**told, "held": match.held, "waiting_since": now, "due_at": now},
    )  # fmt: skip


def move_of(row: Delivery) -> TagMove:
    """Return what a row tells."""
    return TagMove(
        row.namespace, row.stream, row.tag, row.digest, row.reference, row.previous_digest, row.previous_reference,
        row.reason, row.actor, row.moved_at, row.version,
    )  # fmt: skip


def pending(now: datetime, *, limit: int) -> list[str]:
    """Return the triggers whose next row is due and held by nobody, the longest waiting first."""
    rows = Delivery.objects.filter(state=PENDING)
    older = rows.filter(trigger_uid=OuterRef("trigger_uid"), version__lt=OuterRef("version"))
    active = Subscription.objects.filter(trigger_uid=OuterRef("trigger_uid"), paused=False)
    free = Q(leased_until__isnull=True) | Q(leased_until__lte=now)
    due = rows.filter(free, Exists(active), ~Exists(older), due_at__lte=now)
    return list(due.order_by("due_at").values_list("trigger_uid", flat=True)[:limit])


def claim(uid: str, *, now: datetime) -> Delivery | None:
    """Take the next row of a trigger for the time of a lease; None when there is none to be done now."""
    with transaction.atomic():
        if not Subscription.objects.filter(trigger_uid=uid, paused=False).exists():
            return None
        rows = Delivery.objects.select_for_update().filter(trigger_uid=uid, state=PENDING)
        row = rows.order_by("version").first()
        if row is None or row.due_at > now or (row.leased_until is not None and row.leased_until > now):
            return None
        if row.held and row.attempts == 0:
            # Its 24 hours do not count while the trigger is paused.
            row.waiting_since = now
        row.leased_until = now + LEASE
        row.save(update_fields=["waiting_since", "leased_until"])
    return row


def finish(row: Delivery, state: Delivery.State, *, outcome: str, now: datetime) -> bool:
    """End a row that was claimed; return whether it was still held by who claimed it."""
    tried = 0 if state == Delivery.State.SKIPPED else 1
    return _settle(row, state=state, attempts=F("attempts") + tried, outcome=outcome, finished_at=now)


def retry(row: Delivery, *, due: datetime, outcome: str) -> bool:
    """Put a row back after an attempt that failed; return whether it was still held by who claimed it."""
    return _settle(row, attempts=F("attempts") + 1, outcome=outcome, due_at=due)


def postpone(row: Delivery, *, due: datetime, waiting_since: datetime, outcome: str) -> bool:
    """Put a row back that could not be attempted; return whether it was still held by who claimed it."""
    return _settle(row, outcome=outcome, due_at=due, waiting_since=waiting_since)


def is_claimed(row: Delivery) -> bool:
    """Return whether a row is still held by who claimed it."""
    return Delivery.objects.filter(pk=row.pk, state=PENDING, leased_until=row.leased_until).exists()


def _settle(row: Delivery, **changes: object) -> bool:
    changes["outcome"] = str(changes["outcome"])[:LONGEST_OUTCOME]
    mine = Delivery.objects.filter(pk=row.pk, state=PENDING, leased_until=row.leased_until)
    return bool(mine.update(leased_until=None, **changes))


def wake(uid: str, *, now: datetime) -> None:
    """Let what a trigger has to tell be due now."""
    Delivery.objects.filter(trigger_uid=uid, state=PENDING, due_at__gt=now).update(due_at=now)


def prune(now: datetime) -> int:
    """Forget rows that were finished long ago, and those made while their trigger went away; return how many."""
    listening = Subscription.objects.filter(trigger_uid=OuterRef("trigger_uid"))
    orphans, _ = Delivery.objects.filter(~Exists(listening), state=PENDING).delete()
    old, _ = Delivery.objects.filter(finished_at__lt=now - KEPT).delete()
    return orphans + old


def depth() -> int:
    """Return how many rows are not finished."""
    return Delivery.objects.filter(state=PENDING).count()
