"""What follows when the import of a tag that the clock looks after fails, and when its registry is left alone."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.conf import settings

from imagestreams import tags
from imagestreams.imports import pauses
from imagestreams.imports.pace import Fault
from imagestreams.models import PausedHost, TagEvent
from registry_meta.kube import changes
from registry_meta.kube.meta import now
from tests.authz.conftest import Api
from tests.imagestreams.builders import images
from tests.imagestreams.imports.clockwork import (
    Announced,
    announced,
    asked_since,
    conditions,
    make,
    pullspec,
    read,
    row,
    rows,
    strike,
    tag,
)
from tests.imagestreams.imports.shelf import STREAMS, Shelf, app
from tests.registries import Reply, Request

pytestmark = pytest.mark.django_db(transaction=True)

BROKEN = Reply(500, "broken")


@pytest.fixture
def shelf(shelf: Shelf) -> Shelf:
    """A registry that names digests."""
    shelf.intercept = Announced(shelf)
    return shelf


# --- failures that stay


def test_what_a_tag_says_of_its_failure_goes_when_its_registry_is_well(shop: Api, shelf: Shelf) -> None:
    old = shelf.push("team/app", "latest", seed="a")
    make(shop, tag("latest", pullspec(shelf)))
    shelf.drop("team/app", "latest")
    strike()
    assert conditions() == [("ImportSuccess", "NotFound")]
    shelf.push("team/app", "latest", seed="a")

    strike()

    assert conditions() == []
    assert images(app(), "latest") == [old]
    assert (row().failures, row().fault) == (0, "")


def test_a_tag_that_is_no_longer_there_keeps_its_image_and_is_asked_for_less_and_less(shop: Api, shelf: Shelf) -> None:
    old = shelf.push("team/app", "latest", seed="a")
    make(shop, tag("latest", pullspec(shelf)))
    shelf.drop("team/app", "latest")
    waits: list[float] = []
    for _ in range(9):
        strike()
        waits.append((row().due_at - now()) / timedelta(minutes=15))

    assert images(app(), "latest") == [old]
    assert [round(wait) for wait in waits[:3]] == [1, 2, 4]
    assert max(waits) < 1.06 * 96
    assert row().fault == Fault.PERMANENT


# --- failures that may be over soon


def test_a_registry_that_breaks_is_asked_again_soon_and_the_tag_says_when(shop: Api, shelf: Shelf) -> None:
    shelf.push("team/app", "latest", seed="a")
    make(shop, tag("latest", pullspec(shelf)))
    announced(shelf).reply = BROKEN

    strike()

    assert conditions() == [("ImportSuccess", "InternalError"), ("ImportRetrying", "Soon")]
    [_, told] = tags.conditions_of(app(), "latest") or []
    assert told.message.startswith("attempt 2 is made at 20")
    assert row().due_at < now() + timedelta(seconds=8)


def test_a_registry_that_stays_broken_is_no_reason_to_write_for_ever(shop: Api, shelf: Shelf) -> None:
    shelf.push("team/app", "latest", seed="a")
    make(shop, tag("latest", pullspec(shelf)))
    announced(shelf).reply = BROKEN
    written: list[int] = []
    for _ in range(9):
        PausedHost.objects.all().delete()
        before = changes.newest()
        strike()
        read()
        written.append(changes.newest() - before)

    assert written == [2, 1, 1, 1, 1, 1, 0, 0, 0]
    assert conditions() == [("ImportSuccess", "InternalError"), ("ImportRetrying", "Scheduled")]
    assert now() + timedelta(minutes=14) < row().due_at < now() + timedelta(minutes=16)


def test_what_failed_comes_in_by_itself_once_its_registry_is_well(shop: Api, shelf: Shelf) -> None:
    new = shelf.push("team/app", "latest", seed="a")
    announced(shelf).reply = BROKEN
    make(shop, tag("latest", pullspec(shelf), scheduled=False))
    assert [each.interval for each in rows().values()] == [0]
    announced(shelf).reply = None
    read()

    strike()

    assert images(app(), "latest") == [new]
    assert conditions() == []
    assert rows() == {}
    assert TagEvent.objects.get(digest=new).reason == "imported: another attempt"


def test_nobody_asks_again_for_what_is_not_there_and_on_no_schedule(shop: Api, shelf: Shelf) -> None:
    make(shop, tag("latest", pullspec(shelf), scheduled=False))

    assert conditions() == [("ImportSuccess", "NotFound")]
    assert rows() == {}


def test_a_wish_that_is_taken_back_is_not_tried_again(shop: Api, shelf: Shelf) -> None:
    announced(shelf).reply = BROKEN
    make(shop, tag("latest", pullspec(shelf), scheduled=False))
    assert shop.patch(f"{STREAMS}/app", {"spec": {"tags": None}})[0] == 200

    read()

    assert rows() == {}


# --- registries that are left alone


def test_a_registry_that_asks_for_it_is_left_alone_and_only_what_it_refused_says_so(shop: Api, shelf: Shelf) -> None:
    names = [f"v{number}" for number in range(40)]
    for name in names:
        shelf.push("team/app", name, seed=name)
    make(shop, *[tag(name, pullspec(shelf, name)) for name in names])
    announced(shelf).reply = Reply(429, "slow down", {"Retry-After": "600"})
    before = len(shelf.asked())

    strike()
    asked, version = len(asked_since(shelf, before)), changes.newest()
    strike()

    assert asked < 30
    assert len(asked_since(shelf, before)) == asked
    [until] = pauses.paused(now()).values()
    assert now() + timedelta(seconds=590) < until < now() + timedelta(seconds=670)
    told = {name for name in names if conditions(name)}
    assert 0 < len(told) <= settings.ENVIRONMENT.upstream_concurrency
    assert {each.tag for each in rows().values() if each.failures} == told
    assert changes.newest() == version


def test_a_registry_that_limits_an_import_is_left_alone_before_it_is_tried_again(shop: Api, shelf: Shelf) -> None:
    announced(shelf).reply = Reply(429, "slow down", {"Retry-After": "600"})

    make(shop, tag("latest", pullspec(shelf), scheduled=False))

    assert list(pauses.paused(now())) == [shelf.host]
    assert row().due_at > now() + timedelta(seconds=590)


def test_a_registry_that_fails_again_and_again_is_left_alone_longer_and_longer(shop: Api, shelf: Shelf) -> None:
    names = [f"v{number}" for number in range(12)]
    for name in names:
        shelf.push("team/app", name, seed=name)
    make(shop, *[tag(name, pullspec(shelf, name)) for name in names])
    announced(shelf).reply = Reply(501, "broken")
    waits: list[float] = []
    for _ in range(3):
        PausedHost.objects.update(until=now() - timedelta(seconds=1))
        before = len(shelf.asked())
        strike()
        waits.append((PausedHost.objects.get().until - now()).total_seconds())

    assert len(asked_since(shelf, before)) == 1
    assert waits == sorted(waits)
    assert waits[2] > 50


def test_a_registry_that_is_well_again_is_asked_for_everything(shop: Api, shelf: Shelf) -> None:
    names = [f"v{number}" for number in range(12)]
    for name in names:
        shelf.push("team/app", name, seed=name)
    make(shop, *[tag(name, pullspec(shelf, name)) for name in names])
    announced(shelf).reply = Reply(501, "broken")
    strike()
    announced(shelf).reply = None
    PausedHost.objects.update(until=now() - timedelta(seconds=1))

    strike()

    assert not PausedHost.objects.exists()
    assert {(each.failures, each.fault) for each in rows().values()} == {(0, "")}
    assert all(conditions(name) == [] for name in names)


def test_a_part_of_a_registry_that_is_broken_does_not_keep_the_rest_from_its_turn(shop: Api, shelf: Shelf) -> None:
    names = [f"v{number}" for number in range(8)]
    for name in [*names, "fine"]:
        shelf.push("team/app", name, seed=name)
    for name in names:
        make(shop, tag(name, pullspec(shelf, name)), name=f"app-{name}")
    make(shop, tag("fine", pullspec(shelf, "fine")))
    announce = announced(shelf)

    def broken(request: Request) -> Reply | None:
        is_broken = any(request.path.endswith(f"/manifests/{name}") for name in names)
        return Reply(501, "broken") if is_broken else announce(request)

    shelf.intercept = broken
    while not all(each.failures for each in rows().values() if each.tag in names):
        PausedHost.objects.update(until=now() - timedelta(seconds=1))
        strike()
    for number in range(4):
        PausedHost.objects.update(until=now() - timedelta(seconds=1))
        new = shelf.push("team/app", "fine", seed=f"fine {number}")
        strike()

        assert images(app(), "fine")[0] == new
