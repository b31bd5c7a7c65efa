"""Messages in files reach one consumer each, soon, and outlive the processes that claim them."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import kombu
import pytest

from registry_meta import spool

library: Any = kombu  # it has hardly any types
QUEUE = library.Queue("work")


@pytest.fixture(autouse=True)
def _registered() -> None:
    spool.register()


@contextmanager
def connect(directory: Path) -> Iterator[Any]:
    options = {"directory": str(directory)}
    with library.Connection(f"{spool.SCHEME}://localhost", transport_options=options) as connection:
        yield connection


def publish(directory: Path, *bodies: object) -> None:
    with connect(directory) as connection:
        producer = connection.Producer(serializer="json")
        for body in bodies:
            producer.publish(body, routing_key=QUEUE.name, declare=[QUEUE])


def consume(directory: Path, count: int, *, act: Callable[[Any], None] = lambda message: message.ack()) -> list[object]:
    """Return the bodies of up to `count` messages, or fewer when none comes for a while."""
    bodies: list[object] = []

    def receive(body: object, message: Any) -> None:
        bodies.append(body)
        act(message)

    deadline = time.monotonic() + 2
    with connect(directory) as connection, library.Consumer(connection, [QUEUE], callbacks=[receive], accept=["json"]):
        while len(bodies) < count and time.monotonic() < deadline:
            try:
                connection.drain_events(timeout=0.2)
                deadline = time.monotonic() + 0.3
            except TimeoutError:
                continue
    return bodies


def test_messages_come_in_order_and_once(tmp_path: Path) -> None:
    publish(tmp_path, *range(20))

    assert consume(tmp_path, 20) == list(range(20))
    assert list(tmp_path.iterdir()) == []


def test_a_message_is_picked_up_soon(tmp_path: Path) -> None:
    arrived: list[float] = []

    def receive(message: Any) -> None:
        arrived.append(time.monotonic())
        message.ack()

    reader = threading.Thread(target=lambda: consume(tmp_path, 1, act=receive))
    reader.start()
    time.sleep(0.3)

    sent = time.monotonic()
    publish(tmp_path, "now")
    reader.join()

    assert arrived[0] - sent < 0.2


def test_consumers_share_the_messages(tmp_path: Path) -> None:
    publish(tmp_path, *range(60))
    found: list[object] = []

    readers = [threading.Thread(target=lambda: found.extend(consume(tmp_path, 60))) for _ in range(4)]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()

    assert sorted(map(str, found)) == sorted(map(str, range(60)))


def test_what_was_not_acknowledged_is_given_back(tmp_path: Path) -> None:
    publish(tmp_path, "again")

    assert consume(tmp_path, 1, act=lambda message: None) == ["again"]
    assert consume(tmp_path, 1) == ["again"]
    assert list(tmp_path.iterdir()) == []


def test_what_is_rejected_comes_again_or_not(tmp_path: Path) -> None:
    publish(tmp_path, "again", "never")

    consume(tmp_path, 1, act=lambda message: message.requeue())
    consume(tmp_path, 1, act=lambda message: message.reject())

    assert consume(tmp_path, 1) == ["again"]
    assert list(tmp_path.iterdir()) == []


def test_what_a_dead_process_claimed_is_offered_again(tmp_path: Path) -> None:
    publish(tmp_path, "orphan", "held")
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    orphan, held = sorted(tmp_path.iterdir())
    orphan.rename(f"{orphan}@{dead.pid}")
    held.rename(f"{held}@{os.getppid()}")

    assert consume(tmp_path, 2) == ["orphan"]
    assert [path.name for path in tmp_path.iterdir()] == [f"{held.name}@{os.getppid()}"]


def test_queues_do_not_mix(tmp_path: Path) -> None:
    with connect(tmp_path) as connection:
        connection.Producer(serializer="json").publish(
            "else", routing_key="other.work", declare=[library.Queue("other.work")]
        )
        channel = connection.default_channel

        assert channel._size("work") == 0
        assert channel._size("other.work") == 1
        assert channel.queue_purge("other.work") == 1


def test_a_broken_message_is_set_aside(tmp_path: Path) -> None:
    publish(tmp_path, "good")
    (tmp_path / "00000000000000000001.tag.work").write_text("not JSON")

    assert consume(tmp_path, 1) == ["good"]
    assert list(tmp_path.iterdir()) == []


def test_drafts_of_dead_processes_are_removed(tmp_path: Path) -> None:
    old, new = tmp_path / ".1.tag.work", tmp_path / ".2.tag.work"
    old.write_text("{")
    new.write_text("{")
    os.utime(old, (time.time() - 2 * spool.ABANDONED, time.time() - 2 * spool.ABANDONED))

    assert consume(tmp_path, 1) == []
    assert list(tmp_path.iterdir()) == [new]
