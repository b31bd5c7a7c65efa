"""What is dropped from the log, and what those are told who ask for it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.http import QueryDict

from registry_meta.kube import changes, consumers, meta, pagination
from registry_meta.kube.errors import StatusError
from registry_meta.kube.models import Change, Cursor
from registry_meta.kube.watch import Watch, watch_options
from tests.kube.widgets import WIDGETS, create, delete, relabel

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("no_feed_left")]

LATER = timedelta(minutes=1)


@pytest.fixture(autouse=True)
def no_consumers() -> Iterator[None]:
    """The consumers of the applications, which would hold the log, are away."""
    Cursor.objects.all().delete()
    yield
    Cursor.objects.all().delete()


def frames(version: int) -> list[dict[str, Any]]:
    """Return what a watch from a version on shows within a second."""
    query = QueryDict(f"watch=1&timeoutSeconds=1&resourceVersion={version}")
    watch = Watch(WIDGETS, "", pagination.selection(WIDGETS, query), watch_options(query), None)
    return [json.loads(line) for block in watch.frames() for line in block.splitlines()]


def test_a_watch_from_a_dropped_version_is_told_to_begin_anew() -> None:
    first = create("a")
    relabel("a", colour="red")
    changes.compact(meta.now() + LATER)

    [frame] = frames(first)

    assert frame["type"] == "ERROR"
    assert (frame["object"]["code"], frame["object"]["reason"]) == (410, "Expired")


def test_a_watch_from_the_last_dropped_version_misses_nothing() -> None:
    create("a")
    last = relabel("a", colour="red")
    changes.compact(meta.now() + LATER)
    relabel("a", colour="blue")
    delete("a")

    assert [frame["type"] for frame in frames(last)] == ["MODIFIED", "DELETED"]


def test_the_next_page_of_a_dropped_state_is_refused() -> None:
    for name in ("a", "b", "c"):
        create(name)
    query = QueryDict("limit=2")
    selected = pagination.selection(WIDGETS, query)
    first = pagination.page(WIDGETS, "", selected, pagination.list_options(query))
    relabel("c", colour="red")
    changes.compact(meta.now() + LATER)
    following = QueryDict(f"limit=2&continue={first.continue_}")

    with pytest.raises(StatusError) as caught:
        pagination.page(WIDGETS, "", selected, pagination.list_options(following))

    assert caught.value.code == 410


def test_what_a_consumer_has_not_read_is_kept() -> None:
    consumers.register("slow")
    unread = create("a")

    changes.compact(meta.now() + LATER)
    kept = Change.objects.filter(version=unread).exists()
    consumers.drain("slow", lambda entries: None)
    changes.compact(meta.now() + LATER)

    assert kept
    assert not Change.objects.filter(version=unread).exists()
    assert changes.newest("compacted") == unread


def test_what_is_young_is_kept() -> None:
    young = create("a")

    changes.compact(meta.now() - LATER)

    assert Change.objects.filter(version=young).exists()
