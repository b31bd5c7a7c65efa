"""What an Event says of imports that the server does by itself, where a registry let nobody in."""

from __future__ import annotations

import json

import pytest

from imagestreams.imports import background, notices, plan
from imagestreams.types import ImageStream
from registry_meta.kube.meta import ObjectMeta, now
from tests.authz.conftest import Api
from tests.imagestreams.imports.clockwork import conditions, make, pullspec, tag
from tests.imagestreams.imports.shelf import Json, Shelf, app, bring_in, image
from tests.imagestreams.imports.test_passwords import secret
from tests.registries import Reply, Request

pytestmark = pytest.mark.django_db

EVENTS_PATH = "/api/v1/namespaces/shop/events"
WRONG = "not-the-password"


def closed(request: Request) -> Reply | None:
    """Let nobody see a manifest."""
    challenge = {"WWW-Authenticate": 'Basic realm="tests"'}
    return Reply(401, "{}", challenge) if "/manifests/" in request.path else None


def events(shop: Api) -> list[Json]:
    found: list[Json] = shop.get(EVENTS_PATH)[1]["items"]
    return found


def again() -> None:
    """Import the tag of the stream as the schedule does."""
    what = plan.again(app(), {"latest": True})
    assert what is not None
    background.bring_in(app(), what)


def test_an_event_says_what_to_do_and_counts_how_often(shop: Api, shelf: Shelf) -> None:
    shelf.intercept = closed
    make(shop, tag("latest", pullspec(shelf)))
    again()

    (event,) = events(shop)
    about = event["involvedObject"]
    assert (about["kind"], about["name"], about["uid"]) == ("ImageStream", "app", app().metadata.uid)
    assert (event["type"], event["reason"], event["count"]) == ("Warning", "ImportFailed", 2)
    host = shelf.host
    assert event["message"] == f"{host}/team/app: Make a pull secret in the namespace with the key {host}: none fits."
    assert conditions()[0] == ("ImportSuccess", "Unauthorized")


def test_an_event_names_no_secret_and_holds_none(shop: Api, shelf: Shelf) -> None:
    shelf.intercept = closed
    secret(shop, {shelf.host: ("robot-account", WRONG)}, name="team-robot")
    make(shop, tag("latest", pullspec(shelf)))

    (event,) = events(shop)
    assert event["message"].startswith(
        f"{shelf.host}/team/app: Renew the pull secret: the registry says that it is wrong"
    )
    assert not [text for text in ("team-robot", "robot-account", WRONG) if text in json.dumps(event)]


def test_another_reason_is_another_event(shop: Api, shelf: Shelf) -> None:
    shelf.intercept = closed
    make(shop, tag("latest", pullspec(shelf)))
    secret(shop, {shelf.host: ("robot-account", WRONG)})
    again()

    assert sorted("none fits" in event["message"] for event in events(shop)) == [False, True]


def test_what_has_nothing_to_do_with_credentials_is_no_event(shop: Api, shelf: Shelf) -> None:
    make(shop, tag("latest", pullspec(shelf)))
    shelf.intercept = lambda request: Reply(500, "") if "/manifests/" in request.path else None
    again()
    shelf.intercept = lambda request: None
    shelf.push("team/app", "latest", seed="a")
    again()

    assert (events(shop), conditions()) == ([], [])


def test_who_asks_is_told_in_the_answer_alone(shop: Api, shelf: Shelf) -> None:
    shelf.intercept = closed

    status = bring_in(shop, image(pullspec(shelf), "latest"))

    assert status["images"][0]["status"]["reason"] == "Unauthorized"
    assert events(shop) == []


def test_a_namespace_without_room_for_events_is_told_by_the_condition(shop: Api, shelf: Shelf) -> None:
    quota = {"metadata": {"name": "none"}, "spec": {"hard": {"count/events": "0"}}}
    assert shop.post("/api/v1/namespaces/shop/resourcequotas", quota)[0] == 201
    shelf.intercept = closed

    make(shop, tag("latest", pullspec(shelf)))

    assert (events(shop), conditions()[0]) == ([], ("ImportSuccess", "Unauthorized"))


@pytest.mark.parametrize("name", ["a_b", "x" * 240 + ".y", "y" * 199 + ".z"])
def test_every_name_of_a_stream_makes_one_of_an_event(shop: Api, name: str) -> None:
    stream = ImageStream(metadata=ObjectMeta(name=name, namespace="shop", uid="u"))

    notices.report(stream, {"quay.io/a/b": "Do something."}, now=now())

    assert [event["involvedObject"]["name"] for event in events(shop)] == [name]
