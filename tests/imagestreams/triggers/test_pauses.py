"""Triggers that tell nothing for a while."""

from __future__ import annotations

import json

import pytest

from imagestreams.models import Delivery
from imagestreams.triggers import queue, tasks
from registry_meta.kube.meta import now
from tests.imagestreams.triggers import builders
from tests.imagestreams.triggers.builders import Consumer
from tests.imagestreams.triggers.shop import create, edit_spec, move, open_shop, remove, states, told

pytestmark = pytest.mark.django_db
State = Delivery.State


@pytest.fixture(autouse=True)
def shop(db: None) -> None:
    """The namespaces and the stream, and triggers that read the log from here on."""
    open_shop()


def test_a_pause_ends_with_the_newest_only(listening: Consumer) -> None:
    uid = create(builders.trigger(listening.url))
    move("a")
    tasks.drain()
    tasks.deliver(uid)
    edit_spec(paused=True)
    for image in "bcd":
        move(image)
        tasks.drain()
    tasks.deliver(uid)
    assert queue.pending(now(), limit=10) == []
    assert told(listening) == ["a"]

    edit_spec(paused=False)
    assert queue.pending(now(), limit=10) == [uid]
    tasks.deliver(uid)

    data = json.loads(listening.bodies[-1])["data"]
    assert told(listening) == ["a", "d"]
    assert data["previousImage"][7:8] == "a"


def test_moves_of_a_pause_that_are_read_after_it_are_told_as_one(listening: Consumer) -> None:
    uid = create(builders.trigger(listening.url))
    edit_spec(paused=True)
    move("a")
    move("b")
    edit_spec(paused=False)
    move("c")

    tasks.drain()
    tasks.deliver(uid)

    assert told(listening) == ["b", "c"]


def test_a_pause_that_ends_where_it_began_is_not_told(listening: Consumer) -> None:
    uid = create(builders.trigger(listening.url))
    move("a")
    tasks.drain()
    tasks.deliver(uid)
    edit_spec(paused=True)
    move("b")
    move("a")
    tasks.drain()
    edit_spec(paused=False)

    tasks.deliver(uid)

    assert told(listening) == ["a"]
    assert states() == [State.DELIVERED, State.SKIPPED]


def test_a_tag_that_is_gone_after_a_pause_is_not_told(listening: Consumer) -> None:
    uid = create(builders.trigger(listening.url, paused=True))
    move("a")
    remove()
    tasks.drain()
    edit_spec(paused=False)

    tasks.deliver(uid)

    assert listening.bodies == []
