"""The first-seen ledger: what it notes of lists, however long, partial or repeated they are."""

from __future__ import annotations

import random
import tracemalloc
from collections.abc import Iterable
from datetime import datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from imagestreams import sightings
from imagestreams.election import Sighting
from imagestreams.models import FollowedTag, UpstreamDigest, UpstreamRepository, UpstreamTag
from imagestreams.sightings import Listing
from tests.imagestreams.builders import NOW, digest

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)


def listing(*, at: datetime = NOW, path: str = "acme/app", insecure: bool = False, keep: bool = True) -> Listing:
    return Listing("quay.io", path, insecure=insecure, now=at, keep=keep)


def listed(names: Iterable[str], *, at: datetime = NOW, keep: bool = True, insecure: bool = False) -> list[Sighting]:
    """List a repository, and return what was seen."""
    found = listing(at=at, keep=keep, insecure=insecure)
    seen = list(found.see(names))
    found.close()
    return seen


def gone() -> set[str]:
    return set(UpstreamTag.objects.filter(gone_since__isnull=False).values_list("tag", flat=True))


def test_a_tag_is_as_old_as_its_first_sighting() -> None:
    assert listed(["a"]) == [Sighting("a", NOW, existing=True)]

    assert listed(["b", "a"], at=NOW + HOUR) == [Sighting("b", NOW + HOUR), Sighting("a", NOW, existing=True)]


def test_a_tag_that_comes_back_keeps_its_age() -> None:
    listed(["a", "b"])
    listed(["a"], at=NOW + HOUR)
    assert gone() == {"b"}

    assert listed(["a", "b"], at=NOW + 2 * HOUR)[1].since == NOW
    assert gone() == set()


def test_of_one_that_comes_and_one_that_goes_both_are_noted() -> None:
    listed(["a", "b", "c"])
    listed(["a", "b"], at=NOW + HOUR)

    listed(["a", "c"], at=NOW + 2 * HOUR)

    assert gone() == {"b"}


def test_what_was_there_when_a_list_broke_off_was_there_at_first() -> None:
    begun = listing()
    assert next(begun.see(iter(["a"]))) == Sighting("a", NOW, existing=True)

    assert listed(["a", "b"], at=NOW + HOUR)[1] == Sighting("b", NOW + HOUR, existing=True)
    assert listed(["c"], at=NOW + 2 * HOUR)[0].existing is False


def test_names_that_no_tag_can_have_are_dropped() -> None:
    assert [seen.tag for seen in listed(["", "a" * 129, "-a", "a b", "ä", "a\n", "ok", "ok"])] == ["ok"]


def test_looking_alone_writes_nothing() -> None:
    assert listed(["a"], keep=False) == [Sighting("a", NOW, existing=True)]

    assert (UpstreamRepository.objects.count(), UpstreamTag.objects.count()) == (0, 0)


def test_what_anybody_may_have_answered_is_kept_apart() -> None:
    listed(["1.9.9"], insecure=True)

    assert listed(["1.9.9"], at=NOW + HOUR)[0].since == NOW + HOUR


def test_the_same_list_again_writes_one_row() -> None:
    names = [f"v{number}" for number in range(1200)]
    listed(names)
    random.Random(1).shuffle(names)

    with CaptureQueriesContext(connection) as captured:
        listed(names, at=NOW + HOUR)

    inserted = [query["sql"] for query in captured.captured_queries if query["sql"].startswith("INSERT")]
    assert (inserted, len(captured.captured_queries) < 12) == ([], True)


def test_a_list_that_shrank_by_much_is_believed_when_it_has_come_three_times() -> None:
    listed([f"v{number}" for number in range(10)])
    doubts = []
    for number in range(4):
        found = listing(at=NOW + number * timedelta(minutes=1))
        list(found.see(["v0"]))
        doubts.append(found.close())

    assert doubts == [True, True, False, False]
    assert len(gone()) == 9


def test_the_same_list_twice_in_a_moment_confirms_nothing() -> None:
    listed([f"v{number}" for number in range(10)])

    for _ in range(5):
        found = listing(at=NOW + HOUR)
        assert found.close() is True


def test_a_whole_list_ends_the_doubts() -> None:
    whole = [f"v{number}" for number in range(10)]
    listed(whole)
    for number in range(1, 3):
        assert listing(at=NOW + number * HOUR).close() is True
    listed(whole, at=NOW + 3 * HOUR)

    assert listing(at=NOW + 4 * HOUR).close() is True


def test_each_content_of_a_tag_has_an_age_of_its_own() -> None:
    first, later = listing(), listing(at=NOW + HOUR)
    known = first.contents(["a"]).get("a", {})
    assert first.learn("a", digest("1"), known).is_first

    known = later.contents(["a"])["a"]
    assert later.learn("a", digest("1"), known).since == NOW
    assert later.learn("a", digest("2"), known) == later.contents(["a"])["a"][digest("2")]
    assert (later.learn("a", digest("2"), known).since, known[digest("2")].is_first) == (NOW + HOUR, False)
    assert UpstreamDigest.objects.count() == 2


def test_what_nothing_follows_is_forgotten_in_the_end() -> None:
    listed(["a"])
    Listing("quay.io", "acme/other", insecure=False, now=NOW, keep=True).close()
    FollowedTag.objects.create(namespace="shop", stream="app", tag="x", repository="quay.io/acme/other")

    assert sightings.forget(now=NOW + sightings.KEPT) == 0
    assert sightings.forget(now=NOW + sightings.KEPT + HOUR) == 1
    assert list(UpstreamRepository.objects.values_list("path", flat=True)) == ["acme/other"]
    assert not UpstreamTag.objects.exists()


def test_a_long_list_takes_little_memory() -> None:
    names = (f"v{number}" for number in range(20_000))
    found = listing(keep=False)
    tracemalloc.start()
    try:
        seen = sum(1 for _ in found.see(names))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert (seen, peak < 4 * 1024 * 1024) == (20_000, True)
