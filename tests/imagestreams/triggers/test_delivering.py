from __future__ import annotations

import dataclasses
import json
from datetime import timedelta

import pytest
from django.conf import settings
from django.test import override_settings

from examples.consumer import is_signed
from imagestreams import metrics
from imagestreams.api.imagetrigger import DELIVERED, IMAGE_TRIGGERS, READY, REGULAR, condition_of
from imagestreams.models import Delivery, Subscription
from imagestreams.triggers import deliver, queue, subscriptions, tasks
from registry_meta.kube import store
from registry_meta.kube.meta import now
from registry_meta.kube.models import Cursor
from tests.imagestreams.triggers import builders
from tests.imagestreams.triggers.builders import Consumer, consumer
from tests.imagestreams.triggers.shop import (
    JITTER,
    attempt,
    condition,
    context,
    create,
    edit_spec,
    later,
    move,
    open_shop,
    read,
    remove,
    states,
    told,
    write_secret,
)
from tests.processes import free_port

pytestmark = pytest.mark.django_db

State = Delivery.State


@pytest.fixture(autouse=True)
def shop(db: None) -> None:
    """The namespaces and the stream, and triggers that read the log from here on."""
    open_shop()


def test_a_moved_tag_is_told(listening: Consumer) -> None:
    uid = create(builders.trigger(listening.url))
    version = move("a")

    tasks.drain()
    tasks.deliver(uid)

    body = json.loads(listening.bodies[0])
    assert told(listening) == ["a"]
    assert body["id"] == f"{uid}.{version}"
    assert (body["data"]["actor"], body["data"]["reason"]) == ("jane", "pushed")
    last = read().status.last_triggered
    assert last is not None
    assert (last.image[7:8], last.resource_version) == ("a", str(version))
    assert condition(DELIVERED) == ("True", "Delivered")
    assert condition(READY) == ("True", "Ready")
    assert read().status.observed_generation == read().metadata.generation == 1


def test_the_event_is_signed_with_the_key_in_the_secret(listening: Consumer) -> None:
    write_secret()
    uid = create(builders.trigger(listening.url, key="key", headers={"X-Team": "shop"}))
    move("a")

    tasks.drain()
    tasks.deliver(uid)

    headers = listening.requests[0]
    assert is_signed(listening.bodies[0], headers["X-Registry-Meta-Signature-256"], b"hush")
    assert headers["X-Team"] == "shop"


def test_the_present_state_is_not_told(listening: Consumer) -> None:
    move("a")
    uid = create(builders.trigger(listening.url))

    tasks.drain()
    tasks.deliver(uid)

    assert listening.bodies == []
    assert states() == []


def test_other_tags_and_removals_are_not_told(listening: Consumer) -> None:
    move("a")
    uid = create(builders.trigger(listening.url))
    move("b", tag="v1")
    remove()

    tasks.drain()
    tasks.deliver(uid)

    assert listening.bodies == []


def test_what_one_write_passed_over_is_not_told(listening: Consumer) -> None:
    uid = create(builders.trigger(listening.url))
    move("a")
    move("b", before=["c"])
    move("b", before=["c", "b", "d"])

    tasks.drain()
    for _ in range(3):
        tasks.deliver(uid)

    assert told(listening) == ["a", "b"]
    assert json.loads(listening.bodies[1])["data"]["previousImage"][7:8] == "a"


def test_reading_the_log_again_makes_nothing_anew(listening: Consumer) -> None:
    uid = create(builders.trigger(listening.url))
    start = Cursor.objects.get(name=tasks.CONSUMER).version
    move("a")
    tasks.drain()
    tasks.deliver(uid)

    Cursor.objects.filter(name=tasks.CONSUMER).update(version=start)
    tasks.drain()
    tasks.drain()
    tasks.deliver(uid)

    assert told(listening) == ["a"]
    assert states() == [State.DELIVERED]


def test_events_come_in_order_and_wait_for_each_other() -> None:
    with consumer(500, 204) as listening:
        uid = create(builders.trigger(listening.url))
        move("a")
        move("b")
        move("c")
        tasks.drain()

        assert not attempt(uid)
        assert condition(DELIVERED) == ("False", "Retrying")
        assert not attempt(uid)
        while attempt(uid, at=later(60)):
            pass

    assert told(listening) == ["a", "a", "b", "c"]
    assert listening.bodies[0] == listening.bodies[1]
    assert states() == [State.DELIVERED] * 3


def test_a_failure_is_retried_later_and_kept() -> None:
    uid = create(builders.trigger(f"http://127.0.0.1:{free_port()}/"))
    move("a")
    tasks.drain()

    attempt(uid)

    row = Delivery.objects.get()
    assert (row.state, row.attempts, row.leased_until) == (State.PENDING, 1, None)
    assert row.outcome == "there is no connection to the consumer: Connection refused"
    assert queue.pending(now(), limit=10) == []
    assert queue.pending(later(2), limit=10) == [uid]


def test_the_consumer_is_left_alone_as_long_as_it_asks() -> None:
    with consumer(429, headers={"Retry-After": "120"}) as listening:
        uid = create(builders.trigger(listening.url))
        move("a")
        tasks.drain()

        attempt(uid)

    assert queue.pending(later(110), limit=10) == []
    assert queue.pending(later(121), limit=10) == [uid]


def test_every_attempt_is_counted_by_its_outcome() -> None:
    before = counted()
    with consumer(503, 204) as listening:
        uid = create(builders.trigger(listening.url))
        move("a")
        tasks.drain()
        attempt(uid)
        Delivery.objects.update(due_at=later(-1))
        attempt(uid)

    after = counted()
    assert {name: after[name] - before.get(name, 0) for name in ("Retrying", "Delivered")} == {
        "Retrying": 1,
        "Delivered": 1,
    }


def counted() -> dict[str, float]:
    """Return how many attempts this process has counted, by their outcome."""
    samples = [sample for metric in metrics.DELIVERIES.collect() for sample in metric.samples]
    return {sample.labels["outcome"]: sample.value for sample in samples if sample.name.endswith("_total")}


def test_after_a_day_it_is_given_up_with_its_reason_and_the_next_has_its_turn() -> None:
    with consumer(503, 204) as listening:
        uid = create(builders.trigger(listening.url))
        move("a")
        move("b")
        tasks.drain()
        Delivery.objects.filter(digest__contains=":a").update(attempts=9, waiting_since=later(-90_000))

        assert attempt(uid)
        found = condition_of(read(), DELIVERED)
        assert found is not None
        assert (found.status, found.reason) == ("False", "GaveUp")
        assert found.message == "given up after 24 hours: the consumer answered 503 Service Unavailable"
        assert read().status.last_triggered is None
        assert attempt(uid)

    assert states() == [State.GIVEN_UP, State.DELIVERED]
    assert condition(DELIVERED) == ("True", "Delivered")


def test_two_workers_never_tell_the_same(listening: Consumer) -> None:
    uid = create(builders.trigger(listening.url))
    move("a")
    move("b")
    tasks.drain()

    assert queue.claim(uid, now=now()) is not None
    assert queue.claim(uid, now=now()) is None
    assert not attempt(uid)
    assert queue.pending(now(), limit=10) == []
    assert listening.bodies == []


def test_what_a_dead_worker_held_is_told_by_another(listening: Consumer) -> None:
    uid = create(builders.trigger(listening.url))
    move("a")
    tasks.drain()
    dead = queue.claim(uid, now=now())
    assert dead is not None

    assert queue.pending(later(29), limit=10) == []
    assert queue.pending(later(31), limit=10) == [uid]
    assert attempt(uid, at=later(31))

    assert told(listening) == ["a"]
    assert not queue.retry(dead, due=now(), outcome="too late")
    assert states() == [State.DELIVERED]


def test_without_its_secret_nothing_is_sent_and_nothing_is_lost(listening: Consumer) -> None:
    uid = create(builders.trigger(listening.url, key="key"))
    move("a")
    tasks.drain()

    assert not attempt(uid)
    assert condition(READY) == ("False", "SecretMissing")
    assert (listening.bodies, states()) == ([], [State.PENDING])
    write_secret()
    tasks.drain()
    assert subscriptions.unchecked(limit=10) == [uid]
    tasks.observe(uid)

    assert told(listening) == ["a"]
    assert condition(READY) == ("True", "Ready")


def test_a_secret_without_the_key_is_as_good_as_none(listening: Consumer) -> None:
    write_secret("another")
    uid = create(builders.trigger(listening.url, key="key"))

    tasks.observe(uid)

    found = condition_of(read(), READY)
    assert found is not None
    assert found.message == 'the secret "consumer" has no key "key"'


@override_settings(ENVIRONMENT=dataclasses.replace(settings.ENVIRONMENT, allow_private_networks=False))
def test_a_refused_target_is_said_and_not_spoken_to(listening: Consumer) -> None:
    uid = create(builders.trigger(listening.url))
    tasks.observe(uid)
    assert condition(READY) == ("False", "TargetRefused")
    move("a")
    tasks.drain()

    assert not attempt(uid)

    row = Delivery.objects.get()
    assert (listening.bodies, row.state, row.attempts) == ([], State.PENDING, 0)
    assert condition(DELIVERED) == ("False", "TargetRefused")
    row.waiting_since = later(-90_000)
    row.save()
    assert attempt(uid, at=later(60))
    assert condition(DELIVERED) == ("False", "GaveUp")


def test_a_changed_consumer_is_tried_at_once(listening: Consumer) -> None:
    uid = create(builders.trigger(f"http://127.0.0.1:{free_port()}/"))
    move("a")
    tasks.drain()
    attempt(uid)
    Delivery.objects.update(due_at=later(900))

    edit_spec(webhook=builders.trigger(listening.url).spec.webhook)
    assert subscriptions.unchecked(limit=10) == [uid]
    tasks.observe(uid)

    assert told(listening) == ["a"]
    assert subscriptions.unchecked(limit=10) == []


def test_a_trigger_that_turns_to_another_tag_forgets_the_first(listening: Consumer) -> None:
    uid = create(builders.trigger(listening.url))
    move("a")
    tasks.drain()
    edit_spec(from_=builders.trigger(source="app:v1").spec.from_)
    move("b")
    move("c", tag="v1")

    tasks.drain()
    tasks.deliver(uid)

    assert told(listening) == ["c"]


def test_a_deleted_trigger_tells_nothing(listening: Consumer) -> None:
    uid = create(builders.trigger(listening.url))
    move("a")
    tasks.drain()
    store.delete(IMAGE_TRIGGERS, "deploy", context=context(IMAGE_TRIGGERS, "shop"), strategy=REGULAR)

    tasks.deliver(uid)

    assert listening.bodies == []
    assert states() == []


def test_a_trigger_deleted_while_its_event_is_under_way_is_passed_over(listening: Consumer) -> None:
    uid = create(builders.trigger(listening.url))
    move("a")
    tasks.drain()
    row, trigger = queue.claim(uid, now=now()), deliver.find(uid)
    assert row is not None
    assert trigger is not None
    store.delete(IMAGE_TRIGGERS, "deploy", context=context(IMAGE_TRIGGERS, "shop"), strategy=REGULAR)

    outcome = deliver.send(trigger, queue.move_of(row))

    assert not deliver.settle(row, trigger, outcome, jitter=JITTER, now=now())


def test_finished_deliveries_are_forgotten_after_a_week(listening: Consumer) -> None:
    uid = create(builders.trigger(listening.url))
    move("a")
    tasks.drain()
    tasks.deliver(uid)

    assert queue.prune(now() + timedelta(days=6)) == 0
    assert queue.prune(now() + timedelta(days=8)) == 1


def test_what_was_noted_while_its_trigger_went_away_is_forgotten(listening: Consumer) -> None:
    uid = create(builders.trigger(listening.url))
    move("a")
    tasks.drain()
    Subscription.objects.filter(trigger_uid=uid).delete()

    assert queue.prune(now()) == 1
    assert states() == []
