"""The order of versions: what a reader of the log has passed never gets a change behind it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import transaction

from registry_meta.kube import changes
from tests.kube.widgets import WIDGETS, create, in_thread, relabel
from tests.processes import wait_until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("no_feed_left")]

WRITERS = 4
WRITES = 25


def follow(seen: int, enough: int) -> Iterator[int]:
    """Yield versions as a watcher reads them: always from the last one on."""
    count = 0
    while count < enough:
        for entry in changes.after(seen, limit=7):
            seen = entry.version
            count += 1
            yield seen


def test_a_reader_that_follows_concurrent_writers_misses_nothing() -> None:
    start = changes.newest()
    read: list[int] = []
    names = [f"w{number}" for number in range(WRITERS)]
    for name in names:
        create(name)
    total = WRITERS + WRITERS * WRITES

    def write(name: str) -> int:
        return max(relabel(name, value=str(number)) for number in range(WRITES))

    def watch() -> int:
        read.extend(follow(start, total))
        return len(read)

    with ThreadPoolExecutor(WRITERS + 1) as pool:
        reader = pool.submit(in_thread(watch))
        writers = [pool.submit(in_thread(lambda name=name: write(name))) for name in names]  # type: ignore[misc]
        last = max(writer.result(60) for writer in writers)
        assert reader.result(60) == total

    assert read == list(range(start + 1, start + total + 1))
    assert last == read[-1] == changes.newest()


def test_a_second_writer_waits_for_the_commit_of_the_first() -> None:
    start = changes.newest()
    taken, commit = threading.Event(), threading.Event()

    def slow() -> int:
        with transaction.atomic():
            version = create("slow")
            taken.set()
            commit.wait(20)
        return version

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(in_thread(slow))
        assert taken.wait(20)
        second = pool.submit(in_thread(lambda: create("quick")))
        seen_between = [entry.name for entry in changes.after(start)]
        quick_was_done = second.done()
        commit.set()
        versions = [first.result(20), second.result(20)]

    assert seen_between == []
    assert not quick_was_done
    assert versions == [start + 1, start + 2]
    assert [entry.name for entry in changes.after(start)] == ["slow", "quick"]


def test_a_write_that_is_rolled_back_leaves_no_version() -> None:
    start = changes.newest()

    with transaction.atomic():
        create("never")
        transaction.set_rollback(True)

    assert changes.newest() == start
    assert create("after") == start + 1


def test_the_feed_of_a_process_hands_out_every_change_in_order() -> None:
    topic, position = changes.feed.join(WIDGETS.key)
    try:
        versions = [create(f"fed-{number}") for number in range(20)]
        wait_until(lambda: topic.position >= versions[-1], seconds=20, what="the feed has read the log")
        got = topic.wait(position, 0)
    finally:
        changes.feed.leave(topic)

    assert got is not None
    assert [entry.version for entry in got[0] if entry.name.startswith("fed-")] == versions
