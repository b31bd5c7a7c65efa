"""Tags that follow a rule, imported from a registry that changes as it likes."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from imagestreams import tags
from imagestreams.follow import ALLOW_LOWER, EXCLUDE, PREFIX, SEMVER
from imagestreams.imports import tasks
from imagestreams.models import DueImport, FollowedTag, UpstreamTag
from tests.authz.conftest import Api
from tests.imagestreams.builders import images
from tests.imagestreams.imports.followed import (
    AGED,
    MERGE,
    RANGE,
    change,
    condition,
    digests,
    later,
    look,
    make,
    note,
    push,
    stable,
    verdict,
    version,
    wish,
)
from tests.imagestreams.imports.shelf import STREAMS, Shelf, app, bring_in, image, repository
from tests.registries import Reply, Request

pytestmark = pytest.mark.django_db

# --- what is followed


def test_a_tag_follows_the_highest_version_in_its_range(shop: Api, shelf: Shelf) -> None:
    _, second, _ = push(shelf, "1.4.0", "1.9.0", "2.0.0")
    make(shop, shelf, RANGE)
    assert stable() == [second]
    assert verdict() == ("True", "Newest", '1.9.0 is elected by semver ">=1.4 <2"')

    [third] = push(shelf, "1.10.0")
    look()

    assert stable() == [third, second]
    assert verdict()[2].startswith("1.10.0 is elected")


def test_the_source_stays_as_it_was_written(shop: Api, shelf: Shelf) -> None:
    push(shelf, "1.4.0", "1.9.0")
    make(shop, shelf, RANGE, tag="1.4.0")

    [tag] = app().spec.tags or []

    assert tag.from_ is not None
    assert (tag.from_.name, tag.annotations) == (f"{shelf.host}/team/app:1.4.0", RANGE)


def test_nothing_is_written_while_nothing_changes(shop: Api, shelf: Shelf) -> None:
    push(shelf, "1.4.0", "1.9.0")
    make(shop, shelf, AGED, tag="1.4.0")
    before = version()

    look()
    push(shelf, "1.3.0", "latest")
    look()

    assert version() == before


def test_the_list_is_asked_for_once_for_all_tags_that_follow_it(shop: Api, shelf: Shelf) -> None:
    push(shelf, "1.4.0", "2.0.0")
    wishes = [wish(shelf, {SEMVER: text}, name=name) for name, text in (("one", "1"), ("two", "2"), ("any", "*"))]
    shop.post(STREAMS, {"metadata": {"name": "app"}, "spec": {"tags": wishes}})
    note()

    tasks.import_due(DueImport.objects.get().pk)

    assert shelf.asked("tags") == ["GET tags list"]
    assert [len(images(app(), name)) for name in ("one", "two", "any")] == [1, 1, 1]


def test_a_look_at_what_is_the_same_costs_a_list_and_a_question(shop: Api, shelf: Shelf) -> None:
    push(shelf, "1.4.0", "1.9.0")
    make(shop, shelf, RANGE)
    shelf.intercept = digests(shelf)
    before = len(shelf.asked())

    look()

    assert shelf.asked()[before:] == ["GET tags list", "HEAD manifests 1.9.0"]


def test_an_elected_tag_that_was_moved_is_followed(shop: Api, shelf: Shelf) -> None:
    [first] = push(shelf, "1.4.0")
    make(shop, shelf, RANGE)
    shelf.intercept = digests(shelf)
    second = shelf.push("team/app", "1.4.0", seed="again")

    look()

    assert stable() == [second, first]


def test_a_changed_rule_is_followed_at_once(shop: Api, shelf: Shelf) -> None:
    first, second = push(shelf, "1.4.0", "2.0.0")
    make(shop, shelf, RANGE)
    assert stable() == [first]

    change(shop, shelf, {SEMVER: "*"})

    assert stable() == [second, first]


def test_a_tag_without_its_rule_is_an_ordinary_one(shop: Api, shelf: Shelf) -> None:
    first, second, latest = push(shelf, "1.4.0", "1.9.0", "latest")
    make(shop, shelf, RANGE)
    code, _ = shop.patch(f"{STREAMS}/app", {"spec": {"tags": [wish(shelf, {})]}}, MERGE)
    assert (code, FollowedTag.objects.count()) == (200, 0)

    look()

    assert (stable(), condition()) == ([latest, second], None)
    assert first not in stable()


def test_asking_for_an_import_elects_too(shop: Api, shelf: Shelf) -> None:
    [first] = push(shelf, "1.4.0")
    make(shop, shelf, RANGE)
    [second] = push(shelf, "1.5.0")

    status = bring_in(shop, image(f"{shelf.host}/team/app", "stable"))

    assert (status["images"][0]["image"]["metadata"]["name"], status["images"][0]["tag"]) == (second, "1.5.0")
    assert stable() == [second, first]


def test_the_answer_names_the_elected_tag_and_without_one_that_of_the_source(shop: Api, shelf: Shelf) -> None:
    push(shelf, "1.4.0")
    make(shop, shelf, RANGE, tag="1.4.0")
    entry = image(f"{shelf.host}/team/app:1.4.0", "stable")
    push(shelf, "1.5.0")
    shelf.intercept = lambda request: Reply(404, "") if request.path.endswith("/manifests/1.5.0") else None

    broken = bring_in(shop, entry)["images"][0]
    shelf.intercept = lambda request: Reply(403, "") if request.path.endswith("/tags/list") else None
    unlisted = bring_in(shop, entry)["images"][0]
    shelf.intercept = lambda request: None
    elected = bring_in(shop, entry)["images"][0]

    assert (broken["status"]["status"], broken["tag"]) == ("Failure", "1.5.0")
    assert (unlisted["status"]["status"], unlisted["tag"]) == ("Failure", "1.4.0")
    assert (elected["status"]["status"], elected["tag"]) == ("Success", "1.5.0")


def test_looking_alone_elects_and_notes_nothing(shop: Api, shelf: Shelf) -> None:
    push(shelf, "1.4.0")
    make(shop, shelf, RANGE)
    [second] = push(shelf, "1.5.0")

    status = bring_in(shop, image(f"{shelf.host}/team/app", "stable"), store=False)

    assert status["images"][0]["image"]["metadata"]["name"] == second
    assert set(UpstreamTag.objects.values_list("tag", flat=True)) == {"1.4.0"}
    assert FollowedTag.objects.get().upstream_tag == "1.4.0"


def test_who_asks_for_something_else_gets_it(shop: Api, shelf: Shelf) -> None:
    push(shelf, "1.4.0")
    make(shop, shelf, RANGE)
    [other] = push(shelf, "latest")

    bring_in(shop, image(f"{shelf.host}/team/app:latest", "stable"))

    assert stable()[0] == other


def test_the_import_of_a_repository_leaves_alone_a_tag_that_follows(shop: Api, shelf: Shelf) -> None:
    first, _ = push(shelf, "1.4.0", "stable")
    make(shop, shelf, RANGE)

    bring_in(shop, of=repository(f"{shelf.host}/team/app"))

    assert stable() == [first]
    assert len(images(app(), "1.4.0")) == 1


# --- what it never goes below


def test_a_list_without_the_elected_tag_leaves_the_tag_where_it_is(shop: Api, shelf: Shelf) -> None:
    first, second = push(shelf, "1.4.0", "1.5.0")
    make(shop, shelf, RANGE)
    shelf.drop("team/app", "1.5.0")

    look()

    assert stable() == [second]
    assert verdict()[:2] == ("False", "Gone")
    assert condition("ImportSuccess") is None
    before = version()
    look()
    assert version() == before
    change(shop, shelf, {**RANGE, ALLOW_LOWER: "1.5.0"})
    assert stable() == [first, second]
    assert verdict()[:2] == ("True", "Newest")


def test_excluding_the_elected_tag_leaves_it(shop: Api, shelf: Shelf) -> None:
    first, second = push(shelf, "1.4.0", "1.5.0")
    make(shop, shelf, RANGE)

    change(shop, shelf, {**RANGE, EXCLUDE: r"1\.5\.0"})

    assert stable() == [first, second]


def test_a_list_that_cannot_be_had_leaves_the_tag_where_it_is(shop: Api, shelf: Shelf) -> None:
    [first] = push(shelf, "1.4.0")
    make(shop, shelf, RANGE)
    said = verdict()
    shelf.intercept = broken

    look()

    failure = condition("ImportSuccess")
    assert failure is not None
    assert (stable(), failure.status, failure.reason) == ([first], "False", "Unauthorized")
    assert verdict() == said
    shelf.intercept = lambda request: None
    look()
    assert (condition("ImportSuccess"), verdict()) == (None, said)


def broken(request: Request) -> Reply | None:
    return Reply(401, "") if request.path.endswith("/tags/list") else None


def test_an_elected_tag_that_cannot_be_fetched_is_no_mark(shop: Api, shelf: Shelf) -> None:
    [first] = push(shelf, "1.4.0")
    make(shop, shelf, RANGE)
    push(shelf, "1.5.0")
    shelf.intercept = lambda request: Reply(404, "") if request.path.endswith("/manifests/1.5.0") else None
    look()
    assert (stable(), FollowedTag.objects.get().upstream_tag) == ([first], "1.4.0")

    shelf.drop("team/app", "1.5.0")
    look()

    assert verdict()[:2] == ("True", "Newest")


def test_a_list_that_shrank_by_much_moves_nothing_until_it_has_come_three_times(shop: Api, shelf: Shelf) -> None:
    push(shelf, *(f"1.4.{number}" for number in range(9)))
    make(shop, shelf, RANGE)
    for number in range(9):
        shelf.drop("team/app", f"1.4.{number}")
    push(shelf, "1.5.0")

    look()
    look()
    assert verdict()[:2] == ("False", "ListShrank")
    assert UpstreamTag.objects.filter(gone_since__isnull=False).count() == 0
    later(minutes=1)
    look()
    assert verdict()[:2] == ("False", "ListShrank")
    later(minutes=1)
    look()

    assert verdict()[2].startswith("1.5.0 is elected")
    assert UpstreamTag.objects.filter(gone_since__isnull=False).count() == 9


def test_the_mark_is_kept_in_the_transaction_that_moves_the_tag(shop: Api, shelf: Shelf) -> None:
    push(shelf, "1.4.0")
    make(shop, shelf, RANGE)
    push(shelf, "1.5.0")

    with CaptureQueriesContext(connection) as captured:
        look()

    said = [query["sql"] for query in captured.captured_queries]
    moved = next(place for place, text in enumerate(said) if text.startswith("UPDATE kube_object"))
    end = next(place for place, text in enumerate(said) if place > moved and text.startswith("RELEASE SAVEPOINT"))
    assert any('UPDATE "imagestreams_followed_tag"' in text for text in said[moved:end])


def test_a_stream_that_is_made_anew_has_no_mark(shop: Api, shelf: Shelf) -> None:
    first, _ = push(shelf, "1.4.0", "1.5.0")
    make(shop, shelf, RANGE)
    shop.delete(f"{STREAMS}/app")
    assert not FollowedTag.objects.exists()
    shelf.drop("team/app", "1.5.0")

    make(shop, shelf, RANGE)

    assert stable() == [first]


# --- writing a rule


def test_a_rule_that_is_none_is_refused_where_it_lies(shop: Api, shelf: Shelf) -> None:
    body = {"metadata": {"name": "app"}, "spec": {"tags": [wish(shelf, {SEMVER: "newest", f"{PREFIX}age": "3d"})]}}

    code, answer = shop.post(STREAMS, body)

    assert (code, answer["reason"]) == (422, "Invalid")
    assert [cause["field"] for cause in answer["details"]["causes"]] == [
        "spec.tags[stable].annotations", f"spec.tags[stable].annotations[{SEMVER}]",
    ]  # fmt: skip


def test_a_held_tag_that_follows_stays_and_says_both(shop: Api, shelf: Shelf) -> None:
    [first] = push(shelf, "1.4.0")
    make(shop, shelf, RANGE)
    hold = {"holds.registry-meta.io/reason": "broken", "holds.registry-meta.io/owner": "anna"}
    shop.patch(f"{STREAMS}/app", {"spec": {"tags": [wish(shelf, {**RANGE, **hold})]}}, MERGE)
    push(shelf, "1.5.0")

    look()

    kinds = [each.type for each in tags.conditions_of(app(), "stable") or []]
    assert (stable(), kinds) == ([first], ["Held", "Elected"])
    assert FollowedTag.objects.get().upstream_tag == "1.4.0"
    before = version()
    look()
    assert version() == before
