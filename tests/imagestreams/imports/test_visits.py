"""What a look at a scheduled tag costs, what it writes, and what may come in between."""

from __future__ import annotations

from datetime import timedelta

import pytest

from imagestreams.imports import plan, schedule
from imagestreams.models import ScheduledTag, TagEvent
from registry_meta.kube import changes
from registry_meta.kube.meta import now
from tests.authz.conftest import Api
from tests.imagestreams.asking import move
from tests.imagestreams.builders import digest, images
from tests.imagestreams.imports.clockwork import (
    Announced,
    announced,
    asked_since,
    look,
    make,
    pullspec,
    read,
    row,
    rows,
    strike,
    tag,
)
from tests.imagestreams.imports.shelf import STREAMS, Brake, Shelf, app
from tests.registries import Reply, Request

pytestmark = pytest.mark.django_db(transaction=True)

BROKEN = Reply(500, "broken")


@pytest.fixture
def shelf(shelf: Shelf) -> Shelf:
    """A registry that names digests."""
    shelf.intercept = Announced(shelf)
    return shelf


# --- what it costs


def test_a_tag_that_has_not_moved_costs_one_question_and_no_write(shop: Api, shelf: Shelf) -> None:
    shelf.push("team/app", "latest", seed="a")
    make(shop, tag("latest", pullspec(shelf)))
    before, version = len(shelf.asked()), changes.newest()

    strike()

    assert asked_since(shelf, before) == ["HEAD manifests latest"]
    assert changes.newest() == version
    assert row().due_at > now() + timedelta(minutes=10)


def test_a_member_of_an_index_that_has_not_moved_costs_one_question(shop: Api, shelf: Shelf) -> None:
    index = shelf.push("team/app", "latest", seed="a", kind="index")
    make(shop, tag("latest", pullspec(shelf)))
    before = len(shelf.asked())

    strike()

    assert images(app(), "latest") != [index]
    assert asked_since(shelf, before) == ["HEAD manifests latest"]


def test_what_was_imported_on_request_is_known_by_its_digest(shop: Api, shelf: Shelf) -> None:
    shelf.push("team/app", "latest", seed="a")
    make(shop, tag("latest", pullspec(shelf)))
    ScheduledTag.objects.update(digest="")
    before = len(shelf.asked())

    strike()

    assert asked_since(shelf, before) == ["HEAD manifests latest"]
    assert row().digest == images(app(), "latest")[0]


def test_a_registry_that_names_no_digest_is_asked_for_the_image_and_nothing_is_written(shop: Api, shelf: Shelf) -> None:
    shelf.intercept = lambda request: None
    shelf.push("team/app", "latest", seed="a")
    make(shop, tag("latest", pullspec(shelf)))
    before, version = len(shelf.asked()), changes.newest()

    strike()

    assert asked_since(shelf, before)[:2] == ["HEAD manifests latest", "GET manifests latest"]
    assert changes.newest() == version


def test_only_the_tag_that_moved_is_imported(shop: Api, shelf: Shelf) -> None:
    for name in ("one", "two"):
        shelf.push("team/app", name, seed=name)
    make(shop, tag("one", pullspec(shelf, "one")), tag("two", pullspec(shelf, "two")))
    new = shelf.push("team/app", "two", seed="new")
    before = len(shelf.asked())

    strike()

    assert images(app(), "two")[0] == new
    assert sorted(asked_since(shelf, before))[2:] == ["HEAD manifests one", "HEAD manifests two"]
    assert "GET manifests one" not in asked_since(shelf, before)
    assert TagEvent.objects.get(tag="two", digest=new).reason == "imported: the schedule"


def test_tags_of_a_stream_that_moved_together_are_written_together(shop: Api, shelf: Shelf) -> None:
    for name in ("one", "two"):
        shelf.push("team/app", name, seed=name)
    make(shop, tag("one", pullspec(shelf, "one")), tag("two", pullspec(shelf, "two")))
    for name in ("one", "two"):
        shelf.push("team/app", name, seed=f"new {name}")
    version = changes.newest()

    strike()

    assert TagEvent.objects.filter(version__gt=version).values("version").distinct().count() == 1


def test_streams_that_ask_for_the_same_share_one_question(shop: Api, shelf: Shelf) -> None:
    shelf.push("team/app", "latest", seed="a")
    for number in range(5):
        make(shop, tag("latest", pullspec(shelf)), name=f"app{number}")
    before = len(shelf.asked())
    ScheduledTag.objects.filter(stream="app0").update(due_at=now())

    look()

    assert asked_since(shelf, before) == ["HEAD manifests latest"]
    assert all(each.due_at > now() + timedelta(minutes=10) for each in rows().values())


def test_who_has_other_credentials_asks_for_himself(shop: Api, shelf: Shelf) -> None:
    shelf.push("team/app", "latest", seed="a")
    make(shop, tag("latest", pullspec(shelf)), name="app")
    assert shop.post("/api/v1/namespaces", {"metadata": {"name": "other"}})[0] == 201
    auth = '{"auths": {"%s": {"auth": "cm9ib3Q6c2VjcmV0"}}}' % shelf.host  # noqa: UP031  # braces
    secret = {
        "metadata": {"name": "pull"},
        "type": "kubernetes.io/dockerconfigjson",
        "stringData": {".dockerconfigjson": auth},
    }
    assert shop.post("/api/v1/namespaces/other/secrets", secret)[0] == 201
    make(shop, tag("latest", pullspec(shelf)), name="app", namespace="other")
    before = len(shelf.asked())

    strike()

    assert asked_since(shelf, before) == ["HEAD manifests latest"] * 2


# --- what is not forgotten


def test_a_tag_that_somebody_moved_goes_back_to_what_its_registry_has(shop: Api, shelf: Shelf) -> None:
    old = shelf.push("team/app", "latest", seed="a")
    make(shop, tag("latest", pullspec(shelf)))
    move({"latest": "b"})
    read()

    strike()

    assert images(app(), "latest") == [old, digest("b"), old]


def test_a_wish_that_changed_while_its_tag_was_fetched_gets_nothing_of_it(shop: Api, shelf: Shelf) -> None:
    shelf.push("team/app", "latest", seed="a")
    other = shelf.push("team/app", "other", seed="other")
    make(shop, tag("latest", pullspec(shelf)))
    late = shelf.push("team/app", "latest", seed="late")
    announce = announced(shelf)

    def change(request: Request) -> Reply | None:
        if request.method == "GET" and request.path.endswith("/manifests/latest"):
            shelf.intercept = announce
            wished = {"spec": {"tags": [tag("latest", pullspec(shelf, "other"))]}}
            assert shop.patch(f"{STREAMS}/app", wished)[0] == 200
        return announce(request)

    shelf.intercept = change
    strike()
    found = images(read(), "latest")

    assert found[0] == other
    assert late not in found


def test_an_edit_of_something_else_during_an_import_is_no_reason_to_fetch_again(shop: Api, shelf: Shelf) -> None:
    shelf.push("team/app", "latest", seed="a")
    make(shop, tag("latest", pullspec(shelf)))
    new = shelf.push("team/app", "latest", seed="b")
    announce, before = announced(shelf), len(shelf.asked())

    def label(request: Request) -> Reply | None:
        if request.method == "GET" and request.path.endswith("/manifests/latest"):
            assert shop.patch(f"{STREAMS}/app", {"metadata": {"labels": {"a": "b"}}})[0] == 200
        return announce(request)

    shelf.intercept = label
    strike()

    assert images(app(), "latest")[0] == new
    assert app().metadata.labels == {"a": "b"}
    assert asked_since(shelf, before).count("GET manifests latest") == 1


# --- what comes in between


def test_a_tag_that_its_registry_tells_of_is_looked_at_at_once(shop: Api, shelf: Shelf) -> None:
    shelf.push("team/app", "latest", seed="a")
    make(shop, tag("latest", pullspec(shelf)))
    new = shelf.push("team/app", "latest", seed="b")

    assert schedule.notified(shelf.host, "team/app", "latest", now=now()) == 1
    look()

    assert images(app(), "latest")[0] == new


def test_what_is_told_during_a_look_is_looked_at_again(shop: Api, shelf: Shelf) -> None:
    shelf.push("team/app", "latest", seed="a")
    make(shop, tag("latest", pullspec(shelf)))
    announce, told = announced(shelf), list[str]()

    def tell(request: Request) -> Reply | None:
        answer = announce(request)
        if request.method == "HEAD" and not told:
            told.append(shelf.push("team/app", "latest", seed="b"))
            schedule.notified(shelf.host, "team/app", "latest", now=now())
        return answer

    shelf.intercept = tell
    strike()

    assert images(app(), "latest")[0] == told[0]


def test_a_stream_that_goes_during_a_look_stays_gone(shop: Api, shelf: Shelf) -> None:
    shelf.push("team/app", "latest", seed="a")
    make(shop, tag("latest", pullspec(shelf)))
    shelf.push("team/app", "latest", seed="b")
    brake = Brake("latest")
    announce = announced(shelf)

    def remove(request: Request) -> Reply | None:
        if request.method == "GET" and request.path.endswith("/manifests/latest") and not brake.reached.is_set():
            brake.reached.set()
            assert shop.delete(f"{STREAMS}/app")[0] == 200
        return announce(request)

    shelf.intercept = remove
    strike()
    strike()

    assert shop.get(f"{STREAMS}/app")[0] == 404
    assert rows() == {}


def test_a_tag_is_looked_at_as_often_as_its_annotation_says(shop: Api, shelf: Shelf) -> None:
    shelf.push("team/app", "latest", seed="a")
    make(shop, tag("latest", pullspec(shelf), annotations={"import.registry-meta.io/interval": "2h"}))

    strike()

    assert now() + timedelta(minutes=110) < row().due_at < now() + timedelta(minutes=130)


def test_an_interval_that_is_none_is_refused(shop: Api, shelf: Shelf) -> None:
    wished = tag("latest", pullspec(shelf), annotations={"import.registry-meta.io/interval": "often"})

    code, answer = shop.post(STREAMS, {"metadata": {"name": "app"}, "spec": {"tags": [wished]}})

    assert code == 422
    assert "must be a time such as 90s, 5m, 1h30m or 1d" in answer["message"]


def test_what_a_tag_stands_at_is_what_its_row_knows(shop: Api, shelf: Shelf) -> None:
    shelf.push("team/app", "latest", seed="a")
    make(shop, tag("latest", pullspec(shelf)))

    assert row().standing == plan.standing(app(), "latest")
