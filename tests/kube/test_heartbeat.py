"""An idle watch shows that it is alive, and with that finds out whether anybody listens."""

from __future__ import annotations

import json

import pytest

from registry_meta.kube import changes, pagination
from registry_meta.kube.watch import Watch, WatchOptions
from tests.kube.widgets import WIDGETS, create

pytestmark = pytest.mark.django_db(transaction=True)


def frames(*, seconds: float, heartbeat: float) -> list[bytes]:
    options = WatchOptions(
        version=None, initial=True, bookmarks=False, ends_initial=False, seconds=seconds, heartbeat=heartbeat
    )
    try:
        return list(Watch(WIDGETS, "", pagination.selection(WIDGETS, {}), options, None).frames())
    finally:
        changes.feed.end()


def test_white_space_comes_while_nothing_happens() -> None:
    create("a")

    got = frames(seconds=0.5, heartbeat=0.1)

    assert got.count(b" ") >= 3
    lines = b"".join(got).split(b"\n")
    assert [json.loads(line)["type"] for line in lines if line.strip()] == ["ADDED"]


def test_no_white_space_comes_before_its_time() -> None:
    create("a")

    assert b" " not in frames(seconds=0.2, heartbeat=30)


def test_nobody_waits_for_the_feed_when_a_watch_is_over() -> None:
    before = changes.feed.watchers

    frames(seconds=0.1, heartbeat=30)

    assert changes.feed.watchers == before
