"""Several workers at once, on real connections."""

from __future__ import annotations

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection

from imagestreams.models import Delivery
from imagestreams.triggers import tasks
from tests.imagestreams.triggers import builders
from tests.imagestreams.triggers.builders import consumer
from tests.imagestreams.triggers.shop import create, move, open_shop

pytestmark = pytest.mark.django_db(transaction=True)

WORKERS = 4


def work(uid: str) -> None:
    """Do what a worker does."""
    try:
        tasks.drain()
        tasks.deliver(uid)
    finally:
        connection.close()


def test_workers_at_the_same_time_tell_everything_once_and_in_order() -> None:
    open_shop()
    with consumer(delay=0.02) as listening:
        uid = create(builders.trigger(listening.url))
        for image in "abcdef":
            move(image)

        with ThreadPoolExecutor(WORKERS) as pool:
            list(pool.map(work, [uid] * WORKERS))
        work(uid)

    assert [json.loads(body)["data"]["image"][7:8] for body in listening.bodies] == list("abcdef")
    assert set(Delivery.objects.values_list("state", flat=True)) == {Delivery.State.DELIVERED}


def test_nothing_is_locked_while_the_consumer_thinks() -> None:
    open_shop()
    with consumer(delay=1) as listening:
        uid = create(builders.trigger(listening.url))
        move("a")
        tasks.drain()
        worker = threading.Thread(target=work, args=(uid,))
        worker.start()
        while not listening.bodies:
            time.sleep(0.01)

        started = time.monotonic()
        move("b")
        taken = time.monotonic() - started
        worker.join()

    assert taken < 0.5
