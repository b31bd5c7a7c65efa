"""What the API tells of the ledger, and that what a tag was at a moment is what replaying its history gives."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from imagestreams import ledger
from imagestreams.ledgertypes import instant
from imagestreams.models import TagEvent
from registry_meta.kube import changes
from tests.authz.conftest import Api
from tests.imagestreams.asking import SHOP, STREAMS, TABLE, make, move, opened, person
from tests.imagestreams.builders import digest

pytestmark = pytest.mark.django_db

START = datetime(2026, 1, 2, 3, 0, tzinfo=UTC)


def minute(number: int) -> datetime:
    return START + timedelta(minutes=number)


@pytest.fixture
def admin() -> Api:
    """The administrator of a shop whose stream `app` moved once a minute."""
    api = opened()
    make()
    move({"latest": "a", "v1": "a"}, moment=minute(1))
    move({"latest": "b"}, moment=minute(2), reason="imported: the schedule")
    move({"latest": "a", "v1": ""}, moment=minute(3))
    return api


def told(api: Api, query: str = "", *, stream: str = "app") -> Any:
    status, body = api.get(f"{SHOP}/{stream}/history{query}")
    assert status == 200, body
    return body


def short(body: Any) -> list[tuple[str, str]]:
    return [(item["tag"], item["image"][7:8]) for item in body["items"]]


def test_the_newest_move_comes_first(admin: Api) -> None:
    body = told(admin)

    assert (body["kind"], body["apiVersion"]) == ("TagEventList", "history.registry-meta.io/v1alpha1")
    assert body["metadata"] == {"resourceVersion": str(changes.newest())}
    assert short(body) == [("latest", "a"), ("v1", ""), ("latest", "b"), ("latest", "a"), ("v1", "a")]


def test_a_move_says_what_who_when_and_why(admin: Api) -> None:
    [newest, moved, _] = told(admin, "?tag=latest")["items"]

    version = moved["metadata"]["resourceVersion"]
    assert moved == {
        "metadata": {
            "name": f"latest.{version}", "namespace": "shop", "resourceVersion": version,
            "creationTimestamp": "2026-01-02T03:02:00Z",
        },
        "streamUID": admin.get(f"{STREAMS}/app")[1]["metadata"]["uid"],
        "tag": "latest",
        "image": digest("b"),
        "reference": f"quay.io/example/app@{digest('b')}",
        "previousImage": digest("a"),
        "previousReference": f"quay.io/example/app@{digest('a')}",
        "movedAt": "2026-01-02T03:02:00.000000Z",
        "actor": "jane",
        "reason": "imported: the schedule",
        "firstSeen": "2026-01-02T03:02:00.000000Z",
        "generation": 1,
    }  # fmt: skip
    assert newest["firstSeen"] == instant(minute(1))


def test_at_shows_what_each_tag_was(admin: Api) -> None:
    assert short(told(admin, "?at=2026-01-02T03:00:59Z")) == []
    assert short(told(admin, "?at=2026-01-02T03:01:00Z")) == [("latest", "a"), ("v1", "a")]
    assert short(told(admin, "?at=2026-01-02T05:02:30%2B02:00")) == [("latest", "b"), ("v1", "a")]
    assert short(told(admin, "?at=2026-01-02T03:03:00Z")) == [("latest", "a")]
    assert short(told(admin, "?at=2026-01-02T03:01:00Z&tag=v1")) == [("v1", "a")]


def test_since_leaves_out_what_was_before(admin: Api) -> None:
    assert short(told(admin, "?since=2026-01-02T03:03:00Z")) == [("latest", "a"), ("v1", "")]
    assert short(told(admin, "?since=2027-01-01T00:00:00Z")) == []


@pytest.mark.parametrize("query", ["", "at=2026-01-02T03:01:00Z"])
def test_pages_add_up_to_the_list_and_show_one_moment(admin: Api, query: str) -> None:
    whole = told(admin, f"?{query}")
    first = told(admin, f"?{query}&limit=1")
    move({"latest": "c", "v0": "c"}, moment=minute(1))

    found, page = first["items"], first
    while "continue" in page["metadata"]:
        page = told(admin, f"?{query}&limit=1&continue={page['metadata']['continue']}")
        assert len(page["items"]) == 1
        found += page["items"]

    assert found == whole["items"]
    assert page["metadata"]["resourceVersion"] == whole["metadata"]["resourceVersion"]


def several_at_once(api: Api) -> None:
    """Put c and then d on top of what `latest` is, a, by one write."""
    body = api.get(f"{STREAMS}/app")[1]
    [history] = body["status"]["tags"]
    history["items"][:0] = [
        {"created": "2026-01-02T03:04:00Z", "dockerImageReference": f"quay.io/x/{image}:1", "image": digest(image)}
        for image in "dc"
    ]
    status, answer = api.put(f"{STREAMS}/app/status", body)
    assert status == 200, answer


def test_several_events_of_one_write_are_as_many_moves(admin: Api) -> None:
    several_at_once(admin)

    items = told(admin)["items"]

    assert short({"items": items})[:3] == [("latest", "d"), ("latest", "c"), ("latest", "a")]
    version = items[0]["metadata"]["resourceVersion"]
    assert [item["metadata"]["name"] for item in items[:2]] == [f"latest.{version}-1", f"latest.{version}"]
    assert [item["previousImage"][7:8] for item in items[:2]] == ["c", "a"]
    now = instant(datetime.now(UTC))
    assert short(told(admin, f"?at={now}")) == [("latest", "d")]
    assert [use.tag for use in ledger.uses(digest("c"))] == []
    assert [use.tag for use in ledger.uses(digest("d"))] == ["latest"]


def test_pages_end_between_the_moves_of_one_write(admin: Api) -> None:
    several_at_once(admin)
    whole, page = told(admin), told(admin, "?limit=1")
    found = page["items"]

    while "continue" in page["metadata"]:
        page = told(admin, f"?limit=1&continue={page['metadata']['continue']}")
        found += page["items"]

    assert found == whole["items"]


def test_a_tag_goes_back_to_what_one_write_passed_over(admin: Api) -> None:
    several_at_once(admin)
    spec = {"tag": "latest", "to": {"image": digest("c")}}

    status, body = admin.post(f"{SHOP}/app/rollback", {"spec": spec})

    assert status == 201, body
    assert body["status"]["from"]["image"] == digest("d")
    assert body["status"]["to"] == {"image": digest("c"), "reference": "quay.io/x/c:1"}


def test_the_history_outlives_its_stream(admin: Api) -> None:
    admin.delete(f"{STREAMS}/app")

    assert short(told(admin))[:2] == [("latest", ""), ("latest", "a")]
    assert told(admin, "?at=2100-01-01T00:00:00Z")["items"] == []
    assert short(told(admin, "?at=2026-01-02T03:03:00Z")) == [("latest", "a")]


def test_a_stream_that_never_moved_has_an_empty_history(admin: Api) -> None:
    make("empty")

    assert told(admin, stream="empty")["items"] == []


def test_there_is_no_history_of_what_never_was(admin: Api) -> None:
    status, body = admin.get(f"{SHOP}/none/history")

    assert (status, body["reason"]) == (404, "NotFound")
    assert body["message"] == 'imagestreams.image.openshift.io "none" not found'


@pytest.mark.parametrize(
    ("query", "fields"),
    [
        ("at=yesterday", ["at"]),
        ("since=2026-01-02", ["since"]),
        ("at=x&since=y", ["at", "since", "since"]),
        ("tag=%00", ["tag"]),
        ("at=2026-01-02T03:01:00Z&since=2026-01-02T03:01:00Z", ["since"]),
    ],
)
def test_a_bad_time_is_named(admin: Api, query: str, fields: list[str]) -> None:
    status, body = admin.get(f"{SHOP}/app/history?{query}")

    assert (status, body["reason"]) == (422, "Invalid")
    assert [cause["field"] for cause in body["details"]["causes"]] == fields


@pytest.mark.parametrize("query", ["limit=-1", f"limit={2**63 - 1}"])
def test_a_limit_that_limits_nothing_is_none(admin: Api, query: str) -> None:
    assert told(admin, f"?{query}")["items"] == told(admin)["items"]


@pytest.mark.parametrize("query", ["limit=many", "continue=made-up"])
def test_a_bad_page_is_refused(admin: Api, query: str) -> None:
    status, body = admin.get(f"{SHOP}/app/history?{query}")

    assert (status, body["reason"]) == (400, "BadRequest")


def test_the_token_of_another_list_is_refused(admin: Api) -> None:
    make("other")
    listed = admin.get(f"{STREAMS}?limit=1")[1]["metadata"]["continue"]

    assert admin.get(f"{SHOP}/app/history?continue={listed}")[0] == 400


def test_a_table_shows_the_moves(admin: Api) -> None:
    status, body = admin.get(f"{SHOP}/app/history?tag=latest", HTTP_ACCEPT=TABLE)

    assert (status, body["kind"]) == (200, "Table")
    assert [column["name"] for column in body["columnDefinitions"]][:3] == ["Name", "Tag", "Image"]
    assert [row["cells"][1:3] for row in body["rows"]] == [["latest", digest(image)] for image in "aba"]
    assert body["rows"][0]["object"]["kind"] == "PartialObjectMetadata"


def test_who_may_view_may_read_history(admin: Api) -> None:
    viewer = person(admin, "anna", "view")

    assert viewer.get(f"{SHOP}/app/history")[0] == 200
    assert admin.acting_for("nobody").get(f"{SHOP}/app/history")[0] == 403


def test_a_page_costs_the_same_however_long_the_history(admin: Api) -> None:
    def cost() -> int:
        with CaptureQueriesContext(connection) as queries:
            told(admin, "?limit=2")
        return len(queries)

    told(admin)
    before = cost()
    for number in range(20):
        move({"latest": "bc"[number % 2]})

    assert cost() == before


# --- a moment is a replay

EVENTS = st.lists(
    st.tuples(st.sampled_from("abc"), st.sampled_from(["", "1", "2", "3"]), st.integers(0, 20)), max_size=30
)
"""Tag, image (empty: removed) and minute, in the order of versions; clocks may go back."""


@given(events=EVENTS, asked=st.integers(-1, 21))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_a_tag_was_is_what_replaying_its_history_gives(
    db: None, events: list[tuple[str, str, int]], asked: int
) -> None:
    TagEvent.objects.all().delete()
    for version, (tag, image, moved) in enumerate(events, start=1):
        TagEvent.objects.create(
            namespace="shop", stream="app", tag=tag, digest=image, version=version,
            moved_at=minute(moved), first_seen=minute(moved),
        )  # fmt: skip
    look = ledger.Look("shop", "app", len(events))
    moment = minute(asked)

    replayed: dict[str, str] = {}
    for event in reversed(ledger.moves(look)):
        if event.moved_at <= moment:
            replayed[event.tag] = event.digest
    stood = {event.tag: event.digest for event in ledger.states(look, moment)}

    assert stood == {tag: image for tag, image in sorted(replayed.items()) if image}
    for tag in "abc":
        one = ledger.at("shop", "app", tag, moment)
        assert (one.digest if one is not None else "") == stood.get(tag, "")
