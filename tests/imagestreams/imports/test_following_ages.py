"""Tags that follow a rule by which upstream tags must have been seen for some time."""

from __future__ import annotations

from datetime import timedelta

import pytest

from imagestreams.follow import MIN_AGE, ORDER, TRUST_EXISTING
from imagestreams.models import FollowedTag, ScheduledTag
from registry_meta.kube.meta import now
from tests.authz.conftest import Api
from tests.imagestreams.imports.followed import (
    AGED,
    RANGE,
    condition,
    later,
    look,
    make,
    note,
    push,
    stable,
    verdict,
    version,
)
from tests.imagestreams.imports.shelf import Shelf, bring_in, image

pytestmark = pytest.mark.django_db


def test_a_young_tag_waits_and_the_clock_comes_when_it_is_old_enough(shop: Api, shelf: Shelf) -> None:
    [first] = push(shelf, "1.4.0")
    make(shop, shelf, {**RANGE, MIN_AGE: "10m"}, tag="1.4.0")
    [second] = push(shelf, "1.5.0")

    look()

    assert (stable(), verdict()[:2]) == ([first], ("True", "Waiting"))
    moment = FollowedTag.objects.get().wakes_at
    assert moment is not None
    assert timedelta(minutes=9) < moment - now() <= timedelta(minutes=10)
    assert ScheduledTag.objects.get().due_at == moment
    later(minutes=10)
    look()
    assert stable() == [second, first]
    assert FollowedTag.objects.get().wakes_at is None


@pytest.mark.parametrize("is_held", [False, True])
def test_an_import_on_request_brings_the_next_look_forward(shop: Api, shelf: Shelf, is_held: bool) -> None:
    push(shelf, "1.4.0")
    make(shop, shelf, {**RANGE, MIN_AGE: "10m"}, tag="1.4.0")
    push(shelf, "1.5.0")
    usual = now() + timedelta(minutes=14)
    lease = {"holder": "somebody", "leased_until": now() + timedelta(seconds=30)} if is_held else {}
    ScheduledTag.objects.update(due_at=usual, **lease)

    bring_in(shop, image(f"{shelf.host}/team/app:1.4.0", "stable", policy={"scheduled": True}))
    note()

    moment = FollowedTag.objects.get().wakes_at
    assert moment is not None
    assert ScheduledTag.objects.get().due_at == (usual if is_held else moment)


def test_without_a_start_nothing_is_there_until_a_tag_is_old_enough(shop: Api, shelf: Shelf) -> None:
    [first] = push(shelf, "1.4.0")
    make(shop, shelf, AGED)
    failure = condition("ImportSuccess")
    assert failure is not None
    assert (stable(), failure.reason, verdict()[:2]) == ([], "NotFound", ("False", "Waiting"))
    before = version()
    look()
    assert version() == before

    later(hours=72)
    look()

    assert (stable(), condition("ImportSuccess")) == ([first], None)


def test_what_was_there_at_the_first_listing_can_be_trusted(shop: Api, shelf: Shelf) -> None:
    [first] = push(shelf, "1.4.0")

    make(shop, shelf, {**AGED, TRUST_EXISTING: "true"})

    assert stable() == [first]


def test_a_tag_that_was_moved_to_another_image_waits_with_that_image(shop: Api, shelf: Shelf) -> None:
    [good] = push(shelf, "1.4.0")
    make(shop, shelf, {**AGED, TRUST_EXISTING: "true"})
    evil = shelf.push("team/app", "1.4.0", seed="evil")

    look()

    assert (stable(), verdict()[:2]) == ([good], ("True", "Waiting"))
    assert "1.4.0 is elected" in verdict()[2]
    assert "its new image waits" in verdict()[2]
    later(hours=72)
    look()
    assert stable() == [evil, good]


def test_an_image_that_is_old_enough_is_fetched_by_its_digest(shop: Api, shelf: Shelf) -> None:
    [good] = push(shelf, "1.4.0")

    make(shop, shelf, {**AGED, TRUST_EXISTING: "true"})

    assert "GET manifests 1.4.0" in shelf.asked("manifests")  # this registry says no digest otherwise
    assert f"GET manifests {good}" in shelf.asked("manifests")


def test_the_newest_is_what_was_seen_last(shop: Api, shelf: Shelf) -> None:
    push(shelf, "main-b", "main-c")
    make(shop, shelf, {ORDER: "newest"})
    later(hours=1)
    [newest] = push(shelf, "main-a")

    look()

    assert stable()[0] == newest
