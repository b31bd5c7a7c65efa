"""When a hold expires, the clock lets its tag go on: nobody has to write the stream."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from imagestreams import tags
from imagestreams.api.imagestreams import find_stream
from imagestreams.holds import EXPIRES, OWNER, REASON
from imagestreams.imports import queue, tasks
from imagestreams.models import DueImport, TagEvent
from imagestreams.types import ImageStream
from registry_meta.kube import changes
from registry_meta.kube.meta import now
from tests.imagestreams.asking import make, move, opened
from tests.imagestreams.builders import digest, images, wish

pytestmark = pytest.mark.django_db


def stream() -> ImageStream:
    found = find_stream("shop", "app")
    assert found is not None
    return found


def held_back(end: datetime) -> None:
    """Make a stream whose tag `stable` follows `latest`, was at a, and was held there when `latest` moved to b."""
    opened()
    moment = end - timedelta(minutes=1)
    stable = wish("stable", "latest", kind="ImageStreamTag")
    stable.annotations = {REASON: "broken", OWNER: "anna", EXPIRES: end.isoformat()}
    make("app", wish("latest"), stable)
    move({"latest": "a"}, moment=moment)
    move({"latest": "b"}, moment=moment)
    assert images(stream(), "stable") == [digest("a")]
    queue.note([(stream(), changes.newest())], now=moment)


def test_the_clock_comes_when_a_hold_ends_and_lets_the_follower_catch_up() -> None:
    held_back(end := now() - timedelta(seconds=1))
    [row] = DueImport.objects.all()
    assert (row.scheduled, row.due_at) == (True, end)

    tasks.import_due(row.pk)

    assert images(stream(), "stable") == [digest("b"), digest("a")]
    assert tags.conditions_of(stream(), "stable") is None
    assert TagEvent.objects.get(tag="stable", digest=digest("b")).reason == "a hold expired"


def test_nothing_waits_for_the_clock_once_the_tag_was_let_go() -> None:
    held_back(now() + timedelta(hours=1))
    found = stream()
    lifted = [tag for tag in found.spec.tags or [] if tag.name == "stable"]
    lifted[0].annotations = None
    for history in found.status.tags or []:
        history.conditions = None

    queue.note([(found, changes.newest())], now=now())

    assert not DueImport.objects.exists()


def test_the_clock_leaves_a_hold_that_goes_on() -> None:
    held_back(end := now() + timedelta(minutes=5))
    DueImport.objects.update(due_at=now())

    tasks.import_due(DueImport.objects.get().pk)

    assert images(stream(), "stable") == [digest("a")]
    assert DueImport.objects.get().due_at == end
