"""Telling a consumer of a move, and what follows from how it went.

                claim ──▶ nothing new since the pause ──▶ skipped
                  ▲  │
                  │  ├──▶ accepted (2xx) ──▶ delivered
       due again  │  │
                  ├──┼──▶ not heard: later, with back-off ──▶ given up after 24 hours
                  │  ├──▶ target refused: later ────────────▶ given up after 24 hours
                  └──┴──▶ its Secret is missing: later, and the 24 hours start anew

The next delivery of the trigger is claimed when this one has come to an end.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from http import HTTPStatus
from http.client import responses

from django.conf import settings
from django.db import transaction

from imagestreams import metrics
from imagestreams.api.imagetrigger import (
    DELIVERED,
    IMAGE_TRIGGERS,
    READY,
    STATUS,
    Condition,
    ImageTrigger,
    LastTriggered,
    condition_of,
    set_condition,
)
from imagestreams.models import Delivery
from imagestreams.triggers import events, queue, signing, subscriptions, webhook
from imagestreams.triggers.match import TagMove, is_news
from registry_meta.kube import meta, store
from registry_meta.kube.errors import StatusError
from registry_meta.kube.request import SYSTEM, Context

logger = logging.getLogger(__name__)

GIVE_UP = timedelta(hours=24)
LEAST_ATTEMPTS = 5
FIRST_DELAY = timedelta(seconds=1)
LONGEST_DELAY = timedelta(minutes=15)
LONGEST_RETRY_AFTER = timedelta(hours=1)
BLOCKED_DELAY = timedelta(seconds=30)
NAMES_A_TIME = frozenset({HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE})


class Result(Enum):
    """How an attempt went; the values are the reasons in the conditions of the trigger."""

    ACCEPTED = "Delivered"
    FAILED = "Retrying"
    REFUSED = "TargetRefused"
    SECRET_MISSING = "SecretMissing"  # noqa: S105  # a word, not a secret


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an attempt went, in a sentence, and how many seconds the consumer wants to be left alone."""

    result: Result
    message: str
    retry_after: int = 0


def next_attempt(
    attempts: int, waiting_since: datetime, now: datetime, *, jitter: float, retry_after: int = 0
) -> datetime | None:
    """Return when to try again after so many attempts, or None to give up.

    Exponential back-off with full jitter: `jitter` (0 to 1) of a span that doubles up to 15 minutes, the last time at
    the end of the 24 hours, and not before `retry_after` seconds, of which an hour counts. A delivery that waited its
    24 hours behind others still gets a few attempts.
    """
    end = waiting_since + GIVE_UP
    if now >= end and attempts >= LEAST_ATTEMPTS:
        return None
    span: timedelta = min(FIRST_DELAY * 2 ** min(attempts, 20), LONGEST_DELAY)
    due = now + jitter * span
    if now < end:
        due = min(due, end)
    return max(due, now + min(timedelta(seconds=retry_after), LONGEST_RETRY_AFTER))


def answered(answer: webhook.Answer) -> Outcome:
    """Return what an answer means: 2xx is acceptance, and everything else may be better next time."""
    if 200 <= answer.status < 300:
        return Outcome(Result.ACCEPTED, "the consumer accepted the event")
    message = f"the consumer answered {answer.status} {_phrase(answer.status)}".rstrip()
    if 300 <= answer.status < 400:
        message += ", and redirects are not followed"
    return Outcome(Result.FAILED, message, answer.retry_after if answer.status in NAMES_A_TIME else 0)


def _phrase(status: int) -> str:
    # What the consumer calls its answer may be any text at all.
    return responses.get(status, "")


def attempt(uid: str, *, now: datetime, jitter: float) -> bool:
    """Tell a trigger's consumer what is next, if anything is due; return whether more may follow at once."""
    row = queue.claim(uid, now=now)
    if row is None:
        return False
    trigger = find(uid)
    if trigger is None:
        subscriptions.end(uid)
        return False
    move = queue.move_of(row)
    last = trigger.status.last_triggered
    if row.held and not is_news(move, (last.image, last.reference) if last is not None else None):
        return queue.finish(row, Delivery.State.SKIPPED, outcome="nothing is new since the pause", now=now)
    return settle(row, trigger, send(trigger, move), jitter=jitter, now=meta.now())


def find(uid: str) -> ImageTrigger | None:
    """Return the trigger of a uid, or None when it is gone."""
    place = subscriptions.place(uid)
    stored = store.find(IMAGE_TRIGGERS, *place) if place is not None else None
    if stored is None or stored.uid != uid:
        return None
    trigger: ImageTrigger = stored.object()
    return trigger


def send(trigger: ImageTrigger, move: TagMove) -> Outcome:
    """Post an event to the consumer of a trigger and return how it went."""
    target = trigger.spec.webhook
    if target is None:
        raise AssertionError("a valid trigger has a webhook")
    content = events.body(move, trigger_uid=trigger.metadata.uid)
    headers = dict(target.headers or {})
    headers |= {"Content-Type": events.CONTENT_TYPE, events.TIMESTAMP_HEADER: str(int(meta.now().timestamp()))}
    try:
        if target.secret_ref is not None:
            key = signing.key(trigger.metadata.namespace, target.secret_ref.name, target.secret_ref.key)
            headers[events.SIGNATURE_HEADER] = events.signature(content, key)
        private = settings.ENVIRONMENT.allow_private_networks
        return answered(webhook.post(target.url, content, headers, allow_private=private))
    except signing.SecretMissing as error:
        return Outcome(Result.SECRET_MISSING, str(error))
    except webhook.Refused as error:
        return Outcome(Result.REFUSED, str(error))
    except webhook.Unreachable as error:
        return Outcome(Result.FAILED, str(error))


def settle(row: Delivery, trigger: ImageTrigger, outcome: Outcome, *, jitter: float, now: datetime) -> bool:
    """Record how an attempt went in the row and in the trigger; return whether the next row may follow at once."""
    due, delivered = _plan(row, outcome, jitter=jitter, now=now)
    with transaction.atomic():
        if not queue.is_claimed(row):
            return False
        # The trigger first: its writers lock it before they touch the rows.
        edit_status(trigger, lambda current: _tell(current, row, outcome, delivered, now=now), now=now)
        if outcome.result == Result.ACCEPTED:
            queue.finish(row, Delivery.State.DELIVERED, outcome=outcome.message, now=now)
        elif due is None:
            queue.finish(row, Delivery.State.GIVEN_UP, outcome=outcome.message, now=now)
        elif outcome.result == Result.FAILED:
            queue.retry(row, due=due, outcome=outcome.message)
        else:
            waits = outcome.result == Result.SECRET_MISSING
            since = now if waits else row.waiting_since
            queue.postpone(row, due=due, waiting_since=since, outcome=outcome.message)
    metrics.DELIVERIES.labels(delivered.reason).inc()
    log = logger.info if outcome.result == Result.ACCEPTED else logger.warning
    log(
        "imagetrigger %s/%s, %s:%s at version %d: %s",
        trigger.metadata.namespace, trigger.metadata.name, row.stream, row.tag, row.version, delivered.message,
    )  # fmt: skip
    return outcome.result == Result.ACCEPTED or due is None


def _plan(row: Delivery, outcome: Outcome, *, jitter: float, now: datetime) -> tuple[datetime | None, Condition]:
    """Return when the row is due again, None for never, and what to say of it."""
    if outcome.result == Result.ACCEPTED:
        return None, Condition(type=DELIVERED, status="True", reason=outcome.result.value, message=outcome.message)
    due: datetime | None = now + BLOCKED_DELAY
    if outcome.result == Result.FAILED:
        due = next_attempt(row.attempts + 1, row.waiting_since, now, jitter=jitter, retry_after=outcome.retry_after)
    elif outcome.result == Result.REFUSED and now - row.waiting_since >= GIVE_UP:
        due = None
    if due is None:
        message = f"given up after 24 hours: {outcome.message}"
        return None, Condition(type=DELIVERED, status="False", reason="GaveUp", message=message)
    reason = outcome.result.value
    return due, Condition(type=DELIVERED, status="False", reason=reason, message=f"{outcome.message}; it is retried")


def _tell(
    trigger: ImageTrigger, row: Delivery, outcome: Outcome, delivered: Condition, *, now: datetime
) -> ImageTrigger:
    """Enter the outcome of an attempt into the status of a trigger."""
    set_condition(trigger, readiness(outcome), now=now)
    set_condition(trigger, delivered, now=now)
    if outcome.result == Result.ACCEPTED:
        trigger.status.last_triggered = LastTriggered(
            image=row.digest, reference=row.reference, time=meta.timestamp(now), resource_version=str(row.version)
        )
    return trigger


def readiness(blocked: Outcome | None) -> Condition:
    """Return the condition Ready: False for what keeps events from being sent at all."""
    if blocked is not None and blocked.result in (Result.REFUSED, Result.SECRET_MISSING):
        return Condition(type=READY, status="False", reason=blocked.result.value, message=blocked.message)
    return Condition(type=READY, status="True", reason="Ready", message="events can be sent")


def check(trigger: ImageTrigger) -> Outcome | None:
    """Return what keeps a trigger from sending events, or None; nothing is sent."""
    target = trigger.spec.webhook
    if target is None:
        return None
    try:
        if target.secret_ref is not None:
            signing.key(trigger.metadata.namespace, target.secret_ref.name, target.secret_ref.key)
        webhook.check_target(target.url, allow_private=settings.ENVIRONMENT.allow_private_networks)
    except signing.SecretMissing as error:
        return Outcome(Result.SECRET_MISSING, str(error))
    except webhook.Refused as error:
        return Outcome(Result.REFUSED, str(error))
    return None


def observe(uid: str, *, now: datetime) -> bool:
    """Say in a trigger's status whether it can send; return whether it exists and can."""
    version, trigger = subscriptions.changed(uid), find(uid)
    if trigger is None:
        return False
    before, blocked = condition_of(trigger, READY), check(trigger)

    def edit(current: ImageTrigger) -> ImageTrigger:
        if current.metadata.generation == trigger.metadata.generation:
            set_condition(current, readiness(blocked), now=now)
        return current

    edit_status(trigger, edit, now=now)
    subscriptions.checked(uid, version=version)
    if blocked is not None:
        return False
    if before is None or before.status != "True" or before.observed_generation != trigger.metadata.generation:
        # Whatever it failed for before, this is another consumer, or another key.
        queue.wake(uid, now=now)
    return True


def edit_status(trigger: ImageTrigger, edit: store.Edit, *, now: datetime) -> None:
    """Change the status of a trigger, as the server; one that is gone meanwhile is passed over."""

    def observed(current: ImageTrigger) -> ImageTrigger:
        current.status.observed_generation = trigger.metadata.generation
        changed: ImageTrigger = edit(current)
        return changed

    context = Context(SYSTEM, IMAGE_TRIGGERS, now, namespace=trigger.metadata.namespace)
    wanted = store.Preconditions(uid=trigger.metadata.uid)
    try:
        store.update(
            IMAGE_TRIGGERS, trigger.metadata.name, observed, context=context, strategy=STATUS, preconditions=wanted
        )
    except StatusError as error:
        if error.code not in (404, 409):
            raise
