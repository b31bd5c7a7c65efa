"""Who uses an image: tags now and once, triggers, and manifest lists."""

from __future__ import annotations

import importlib
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.apps import apps
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import given
from hypothesis import strategies as st

from imagestreams import spans
from imagestreams.ledgertypes import instant
from imagestreams.models import ImageMember
from imagestreams.spans import Stay
from tests.authz.conftest import RBAC, Api
from tests.imagestreams.asking import HISTORY, STREAMS, TABLE, make, move, opened, person
from tests.imagestreams.builders import digest

IMAGES = "/apis/image.openshift.io/v1/images"
TRIGGERS = "/apis/triggers.registry-meta.io/v1alpha1/namespaces/shop/imagetriggers"
START = datetime(2026, 1, 2, 3, 0, tzinfo=UTC)
INDEX = "application/vnd.oci.image.index.v1+json"


def minute(number: int) -> datetime:
    return START + timedelta(minutes=number)


@pytest.fixture
def admin(db: None) -> Api:
    """The administrator of a shop: `app:latest` was a, then b, then a again, `app:v1` is a, and `other` was a once."""
    api = opened()
    make("app")
    make("other")
    move({"latest": "a", "v1": "a"}, moment=minute(1))
    move({"latest": "b"}, moment=minute(2))
    move({"latest": "a"}, moment=minute(3))
    move({"old": "a"}, stream="other", moment=minute(4))
    move({"old": ""}, stream="other", moment=minute(5))
    return api


def listen(api: Api, name: str, source: str) -> None:
    webhook = {"url": "https://consumer.example.com/"}
    status, body = api.post(
        TRIGGERS, {"metadata": {"name": name}, "spec": {"from": {"name": source}, "webhook": webhook}}
    )
    assert status == 201, body


def manifest_list(api: Api, name: str, *members: str) -> None:
    listed = [
        {"digest": digest(member), "mediaType": "application/vnd.oci.image.manifest.v1+json", "manifestSize": 1,
         "os": "linux", "architecture": "arm64"}
        for member in members
    ]  # fmt: skip
    body = {
        "metadata": {"name": digest(name)},
        "dockerImageReference": f"quay.io/example/app@{digest(name)}",
        "dockerImageManifestMediaType": INDEX,
        "dockerImageManifests": listed,
    }
    status, answer = api.post(IMAGES, body)
    assert status == 201, answer


def told(api: Api, image: str, query: str = "") -> list[Any]:
    status, body = api.get(f"{HISTORY}/images/{digest(image)}/users{query}")
    assert status == 200, body
    assert body["kind"] == "ImageUserList"
    items: list[Any] = body["items"]
    return items


def short(items: list[Any]) -> list[tuple[str, str, bool]]:
    return [(item["user"]["kind"], item["user"]["name"], item["current"]) for item in items]


def test_tags_use_an_image_now_or_once(admin: Api) -> None:
    items = told(admin, "a")

    assert short(items) == [
        ("ImageStreamTag", "app:latest", False),
        ("ImageStreamTag", "app:latest", True),
        ("ImageStreamTag", "app:v1", True),
        ("ImageStreamTag", "other:old", False),
    ]
    assert [(item["since"], item.get("until")) for item in items] == [
        (instant(minute(1)), instant(minute(2))),
        (instant(minute(3)), None),
        (instant(minute(1)), None),
        (instant(minute(4)), instant(minute(5))),
    ]
    assert items[0] == {
        "metadata": {"name": "app:latest", "namespace": "shop"},
        "user": {
            "kind": "ImageStreamTag", "apiVersion": "image.openshift.io/v1", "namespace": "shop", "name": "app:latest",
        },
        "current": False,
        "since": instant(minute(1)),
        "until": instant(minute(2)),
        "reference": f"quay.io/example/app@{digest('a')}",
    }  # fmt: skip


@pytest.mark.parametrize("query", ["", "since=2026-01-02T03:02:00Z"])
@pytest.mark.parametrize("limit", [1, 2, 5])
def test_pages_add_up_to_all_users_and_show_one_moment(admin: Api, query: str, limit: int) -> None:
    listen(admin, "deploy", "app:latest")
    manifest_list(admin, "e", "a")
    whole, url = told(admin, "a", f"?{query}"), f"{HISTORY}/images/{digest('a')}/users?{query}&limit={limit}"
    page = admin.get(url)[1]
    found, version = page["items"], page["metadata"]["resourceVersion"]
    move({"v0": "a", "v2": "a"})

    while "continue" in page["metadata"]:
        page = admin.get(f"{url}&continue={page['metadata']['continue']}")[1]
        assert 0 < len(page["items"]) <= limit
        found += page["items"]

    assert found == whole
    assert len(whole) == (6 if not query else 5)
    assert page["metadata"]["resourceVersion"] == version


def test_the_token_of_another_list_is_refused(admin: Api) -> None:
    history = f"{HISTORY}/namespaces/shop/imagestreams/app/history"
    for place in f"{STREAMS}?limit=1", f"{history}?limit=1":
        token = admin.get(place)[1]["metadata"]["continue"]
        assert admin.get(f"{HISTORY}/images/{digest('a')}/users?continue={token}")[0] == 400


def test_a_stream_that_is_gone_used_it_until_then(admin: Api) -> None:
    admin.delete(f"{STREAMS}/app")

    assert all(not item["current"] and item["until"] for item in told(admin, "a"))


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("since=2026-01-02T03:04:30Z", ["app:latest", "app:v1", "other:old"]),
        ("since=2026-01-02T03:05:00Z", ["app:latest", "app:v1"]),
        ("until=2026-01-02T03:02:30Z", ["app:latest", "app:v1"]),
        ("until=2026-01-02T03:00:59Z", []),
        ("since=2026-01-02T03:02:10Z&until=2026-01-02T03:02:50Z", ["app:v1"]),
    ],
)
def test_who_used_it_between_two_times(admin: Api, query: str, names: list[str]) -> None:
    assert [item["user"]["name"] for item in told(admin, "a", f"?{query}")] == names


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("since=yesterday", "since"),
        ("until=now", "until"),
        ("since=2026-01-02T03:00:00Z&until=2026-01-02T02:00:00Z", "until"),
    ],
)
def test_a_bad_time_is_named(admin: Api, query: str, field: str) -> None:
    status, body = admin.get(f"{HISTORY}/images/{digest('a')}/users?{query}")

    assert (status, [cause["field"] for cause in body["details"]["causes"]]) == (422, [field])


def test_triggers_use_what_their_tag_points_to(admin: Api) -> None:
    listen(admin, "builds", "app:latest")
    listen(admin, "sleeps", "other:old")

    [trigger] = [item for item in told(admin, "a") if item["user"]["kind"] == "ImageTrigger"]

    assert (trigger["user"]["name"], trigger["through"]["name"]) == ("builds", "app:latest")
    assert (trigger["current"], trigger["since"]) == (True, instant(minute(3)))
    move({"latest": "b"})
    assert "ImageTrigger" not in {item["user"]["kind"] for item in told(admin, "a")}
    assert "ImageTrigger" in {item["user"]["kind"] for item in told(admin, "b")}


def test_manifest_lists_use_their_members(admin: Api) -> None:
    manifest_list(admin, "e", "a", "b")

    [item] = [item for item in told(admin, "a") if item["user"]["kind"] == "Image"]

    assert (item["user"]["name"], item["platform"], item["current"]) == (digest("e"), "linux/arm64", True)
    admin.delete(f"{IMAGES}/{digest('e')}")
    assert ImageMember.objects.count() == 0


def test_a_list_that_names_other_members_uses_those(admin: Api) -> None:
    manifest_list(admin, "e", "a", "b")
    path = f"{IMAGES}/{digest('e')}"
    body = admin.get(path)[1]
    body["dockerImageManifests"][0]["digest"] = digest("c")

    assert admin.put(path, body)[0] == 200

    assert set(ImageMember.objects.values_list("member", flat=True)) == {digest("b"), digest("c")}


def test_an_image_that_nobody_uses_has_no_users(admin: Api) -> None:
    body = {"metadata": {"name": digest("f")}, "dockerImageReference": "quay.io/example/app:f"}
    admin.post(IMAGES, body)

    assert told(admin, "f") == []


def test_what_nobody_ever_knew_is_not_found(admin: Api) -> None:
    status, body = admin.get(f"{HISTORY}/images/{digest('f')}/users")

    assert (status, body["message"]) == (404, f'images.image.openshift.io "{digest("f")}" not found')


def test_a_table_shows_the_users(admin: Api) -> None:
    status, body = admin.get(f"{HISTORY}/images/{digest('a')}/users", HTTP_ACCEPT=TABLE)

    assert (status, body["kind"]) == (200, "Table")
    assert body["rows"][0]["cells"][:4] == ["app:latest", "shop", "ImageStreamTag", False]


def test_only_who_may_view_everything_sees_users(admin: Api) -> None:
    path = f"{HISTORY}/images/{digest('a')}/users"
    viewer = person(admin, "vera", "view")
    assert viewer.get(path)[0] == 403

    subjects = [{"kind": "User", "name": "vera", "apiGroup": "rbac.authorization.k8s.io"}]
    role = {"kind": "ClusterRole", "name": "view", "apiGroup": "rbac.authorization.k8s.io"}
    admin.post(f"{RBAC}/clusterrolebindings", {"metadata": {"name": "v"}, "roleRef": role, "subjects": subjects})
    assert viewer.get(path)[0] == 200


def test_asking_costs_the_same_however_many_use_an_image(admin: Api) -> None:
    def cost() -> int:
        with CaptureQueriesContext(connection) as queries:
            told(admin, "a")
        return len(queries)

    told(admin, "a")
    before = cost()
    move({f"t{number}": "a" for number in range(20)})
    for number in range(5):
        listen(admin, f"trigger-{number}", f"app:t{number}")
        manifest_list(admin, f"e{number}", "a")

    assert len(told(admin, "a")) == 34
    assert cost() == before


def test_no_question_reads_a_whole_table(admin: Api) -> None:
    with CaptureQueriesContext(connection) as queries:
        told(admin, "a")
        admin.get(f"{HISTORY}/namespaces/shop/imagestreams/app/history?limit=2")
        admin.get(f"{HISTORY}/namespaces/shop/imagestreams/app/history?at=2026-01-02T03:03:00Z")

    asked = [query["sql"] for query in queries.captured_queries if "imagestreams_" in query["sql"]]
    assert len(asked) == 5
    for sql in asked:
        with connection.cursor() as cursor:
            if connection.vendor == "sqlite":
                cursor.execute(f"EXPLAIN QUERY PLAN {sql}")
                assert not [row[3] for row in cursor.fetchall() if row[3].startswith("SCAN")], sql


# --- members of lists that were there before


@pytest.mark.django_db
def test_members_of_lists_that_are_stored_are_found(admin: Api) -> None:
    manifest_list(admin, "e", "a", "b")
    manifest_list(admin, "d", "b")
    before = set(ImageMember.objects.values_list("image", "member", "platform"))
    ImageMember.objects.all().delete()

    importlib.import_module("imagestreams.migrations.0003_image_member").fill(apps, None)

    assert set(ImageMember.objects.values_list("image", "member", "platform")) == before


# --- stays


def stay(since: int, until: int | None = None, following: str = "", tag: str = "latest") -> Stay:
    ended = minute(until) if until is not None else None
    return Stay("shop", "app", tag, f"reference of {since}", minute(since), ended, following)


def test_another_pull_spec_ends_no_stay() -> None:
    joined = spans.joined([stay(1, 2, "a"), stay(2, 3, "b"), stay(4)], "a")

    assert [(each.since, each.until) for each in joined] == [(minute(1), minute(3)), (minute(4), None)]
    assert joined[0].reference == "reference of 2"


def test_the_stays_of_two_tags_are_two() -> None:
    assert len(spans.joined([stay(1, 2, "a"), stay(2, tag="v1")], "a")) == 2


@given(
    since=st.integers(0, 9), length=st.one_of(st.none(), st.integers(1, 9)),
    begin=st.one_of(st.none(), st.integers(0, 18)), length_asked=st.one_of(st.none(), st.integers(0, 9)),
)  # fmt: skip
def test_a_use_reaches_into_a_time_if_they_share_a_moment(
    since: int, length: int | None, begin: int | None, length_asked: int | None
) -> None:
    until = since + length if length is not None else None
    end = (begin or 0) + length_asked if length_asked is not None else None
    used = range(since, until if until is not None else 99)
    asked = range(begin or 0, end + 1 if end is not None else 99)

    assert spans.overlaps(
        minute(since), minute(until) if until is not None else None,
        begin=minute(begin) if begin is not None else None, end=minute(end) if end is not None else None,
    ) == bool(set(used) & set(asked))  # fmt: skip
