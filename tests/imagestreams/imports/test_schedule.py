"""The rows of scheduled tags: who gets which, for how long, and what clocks that are wrong do to them."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.db import connection, transaction

from imagestreams.imports import pauses, queue, schedule
from imagestreams.imports.backlog import backlog_at
from imagestreams.imports.schedule import LEASE, Found, Intervals
from imagestreams.models import DueImport, PausedHost, ScheduledTag
from imagestreams.types import ImageStream, ImageStreamSpec, NamedTagEventList, TagReference
from registry_meta.kube.meta import ObjectMeta, ObjectReference, now
from tests.imagestreams.builders import digest, event
from tests.processes import wait_until

pytestmark = pytest.mark.django_db(transaction=True)

EVERY = Intervals(900, 60)
NONE = timedelta(0)


def stream(name: str, *names: str, host: str = "quay.io", version: int = 1) -> tuple[ImageStream, int]:
    """Return a stream with scheduled tags, and its version."""
    wished = []
    for tag in names:
        wish = TagReference(name=tag, from_=ObjectReference(kind="DockerImage", name=f"{host}/team/{name}:{tag}"))
        wish.import_policy.scheduled = True
        wished.append(wish)
    meta = ObjectMeta(name=name, namespace="shop", resource_version=str(version))
    return ImageStream(metadata=meta, spec=ImageStreamSpec(tags=wished)), version


def fill(*streams: tuple[ImageStream, int]) -> None:
    """Let the clock look after streams, all of whose tags are due."""
    schedule.note(streams, every=EVERY, now=now())
    ScheduledTag.objects.update(due_at=now())


def claim(limit: int = 100, *, busy: tuple[str, ...] = (), later: timedelta = NONE) -> list[ScheduledTag]:
    return schedule.claim(limit=limit, busy=busy, window=NONE, now=now() + later)


def test_tags_that_come_at_once_are_spread_over_half_an_interval() -> None:
    schedule.note([stream("app", *[f"v{number}" for number in range(200)])], every=EVERY, now=now())

    waits = [(row.due_at - now()).total_seconds() for row in ScheduledTag.objects.all()]
    assert 440 < min(waits) < 500
    assert 850 < max(waits) <= 900


def test_the_rows_follow_the_stream() -> None:
    fill(stream("app", "a", "b"))

    schedule.note([stream("app", "b", "c", version=2)], every=EVERY, now=now())

    assert sorted(ScheduledTag.objects.values_list("tag", flat=True)) == ["b", "c"]


def test_a_stream_that_is_written_without_news_moves_nothing() -> None:
    fill(stream("app", "a"))
    before = ScheduledTag.objects.values().get()

    schedule.note([stream("app", "a", version=2)], every=EVERY, now=now())

    assert ScheduledTag.objects.values().get() == before


def test_what_an_import_learns_while_its_stream_is_noted_is_kept() -> None:
    fill(stream("app", "a"))
    done, version = stream("app", "a", version=2)
    done.status.tags = [NamedTagEventList(tag="a", items=[event("b")])]

    def note() -> None:
        try:
            with transaction.atomic():
                schedule.note([(done, version)], every=EVERY, now=now())
        finally:
            connection.close()

    noting = threading.Thread(target=note)
    with transaction.atomic():
        schedule.learned(done, {"a": Found(digest=digest("b"))}, usual=900, now=now())
        noting.start()
        # Either database lets it wait for the transaction: SQLite before it has read the row, PostgreSQL behind that.
        wait_until(lambda: connection.vendor == "sqlite" or is_anybody_waiting(), seconds=10, what="the note waits")
    noting.join()

    assert ScheduledTag.objects.get().digest == digest("b")


def is_anybody_waiting() -> bool:
    """Return whether a transaction of PostgreSQL waits for a lock."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_locks WHERE NOT granted")
        return cursor.fetchone() is not None


def test_a_row_that_is_held_is_given_to_nobody_else() -> None:
    fill(stream("app", "a", "b", "c"))

    assert (len(claim()), len(claim())) == (3, 0)


def test_what_somebody_held_who_died_is_due_again_within_a_minute() -> None:
    fill(stream("app", "a"))
    claim()

    assert claim(later=LEASE - timedelta(seconds=2)) == []
    assert len(claim(later=LEASE + timedelta(seconds=1))) == 1


def test_a_lease_that_is_renewed_holds_on() -> None:
    fill(stream("app", "a"))
    held = claim()
    schedule.renew(held, now=now() + LEASE)

    assert claim(later=LEASE + timedelta(seconds=1)) == []


def test_whoever_was_taken_for_dead_writes_nothing() -> None:
    fill(stream("app", "a"))
    slow = claim()
    [taken] = claim(later=LEASE + timedelta(seconds=1))

    schedule.unchanged(slow, {slow[0].pk: "sha256:old"}, usual=900, now=now())

    row = ScheduledTag.objects.get()
    assert (row.holder, row.digest) == (taken.holder, "")


def test_many_workers_share_the_rows_and_nothing_is_given_twice() -> None:
    fill(*[stream(f"app{number}", *[f"v{tag}" for tag in range(20)]) for number in range(20)])
    got: list[int] = []
    lock = threading.Lock()

    def work() -> None:
        try:
            idle = 0
            while idle < 5:
                rows = claim(30)
                idle = 0 if rows else idle + 1
                with lock:
                    got.extend(row.pk for row in rows)
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert len(got) == len(set(got)) == 400


def test_registries_that_are_busy_or_left_alone_have_no_turn() -> None:
    fill(stream("a", "v1", host="a.io"), stream("b", "v1", host="b.io"), stream("c", "v1", host="c.io"))
    pauses.pause("b.io", wish=60, now=now())

    assert [row.host for row in claim(busy=("a.io",))] == ["c.io"]


def test_a_crowd_at_one_registry_leaves_room_for_the_others() -> None:
    fill(stream("a", *[f"v{number}" for number in range(100)], host="a.io"), stream("b", "v1", host="b.io"))
    ScheduledTag.objects.filter(host="a.io").update(due_at=now() - timedelta(hours=1))

    assert {row.host for row in claim(10)} == {"a.io", "b.io"}


def test_what_other_streams_ask_the_same_registry_comes_along_before_it_is_due() -> None:
    fill(stream("app", "v1"))
    row = ScheduledTag.objects.get()
    row.pk, row.stream, row.due_at = None, "twin", now() + timedelta(minutes=5)
    row.save(force_insert=True)

    rows = schedule.claim(limit=10, busy=(), window=timedelta(minutes=7), now=now())

    assert [row.stream for row in rows] == ["app", "twin"]


# --- clocks that are wrong


def test_what_a_clock_that_was_ahead_has_put_off_is_due() -> None:
    ahead = now() + timedelta(days=30)
    schedule.note([stream("app", "a")], every=EVERY, now=ahead)

    assert schedule.straighten(now()) == 1
    assert len(claim()) == 1


def test_what_was_put_off_by_the_right_clock_stays_so() -> None:
    schedule.note([stream("app", "a")], every=EVERY, now=now())

    assert schedule.straighten(now()) == 0
    assert claim() == []


def test_a_lease_of_a_clock_that_was_ahead_holds_nobody_up() -> None:
    fill(stream("app", "a"))
    ScheduledTag.objects.update(due_at=now() - timedelta(seconds=1))
    claim(later=timedelta(days=30))

    assert len(claim()) == 1


def test_a_pause_of_a_clock_that_was_ahead_does_not_count() -> None:
    pauses.pause("quay.io", wish=60, now=now() + timedelta(days=30))

    assert pauses.paused(now()) == {}
    assert pauses.pause("quay.io", wish=60, now=now()) < now() + timedelta(seconds=70)


def test_an_import_that_a_clock_that_was_ahead_has_put_off_is_due() -> None:
    ahead = now() + timedelta(days=30)
    DueImport.objects.create(namespace="shop", name="app", version=1, due_at=ahead, leased_until=ahead)

    assert queue.straighten(now()) == 1
    assert len(queue.pending(now(), limit=10)) == 1


# --- what is told of it


def test_how_far_the_clock_is_behind_is_told_without_what_is_left_alone() -> None:
    fill(stream("a", "v1", "v2", host="a.io"), stream("b", "v1", host="b.io"))
    ScheduledTag.objects.update(due_at=now() - timedelta(seconds=100))
    pauses.pause("b.io", wish=60, now=now())

    told = backlog_at(now())

    assert (told.tags, told.due, round(told.lag)) == (3, 2, 100)


def test_a_pause_is_remembered_for_a_while_and_not_for_ever() -> None:
    pauses.pause("quay.io", wish=0, now=now() - timedelta(minutes=30))
    pauses.prune(now())
    assert pauses.is_recovering("quay.io")

    PausedHost.objects.update(until=now() - timedelta(hours=2))
    pauses.prune(now())
    assert not pauses.is_recovering("quay.io")


def test_other_credentials_let_those_be_due_whom_a_registry_refused() -> None:
    fill(stream("app", "a", "b"))
    ScheduledTag.objects.filter(tag="a").update(fault="Permanent", failures=3)
    ScheduledTag.objects.update(due_at=now() + timedelta(hours=9))

    schedule.credentials_changed({"shop"}, now=now())

    assert [row.tag for row in claim()] == ["a"]
