"""A tag goes back to what it was: by image or by time, pinned or held, and never without a new event."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client

from imagestreams.api.imagestreams import find_stream
from imagestreams.holds import EXPIRES, OWNER, REASON
from imagestreams.imports import plan
from imagestreams.models import TagEvent
from imagestreams.types import ImageStream
from registry_meta.kube import changes
from tests.authz.conftest import Api
from tests.imagestreams.asking import SHOP, STREAMS, make, move, opened, person
from tests.imagestreams.builders import digest, wish

pytestmark = pytest.mark.django_db

IMAGES = "/apis/image.openshift.io/v1/images"
START = datetime(2026, 1, 2, 3, 0, tzinfo=UTC)
SOURCE = "quay.io/x/a:1"
STRATEGIC = "application/strategic-merge-patch+json"


def minute(number: int) -> datetime:
    return START + timedelta(minutes=number)


@pytest.fixture
def admin() -> Api:
    """The administrator of a shop whose scheduled tag `latest` was a, b and c; `stable` follows it."""
    api = opened()
    for image in "abc":
        body = {"metadata": {"name": digest(image)}, "dockerImageReference": f"quay.io/example/app@{digest(image)}"}
        assert api.post(IMAGES, body)[0] == 201
    make("app", wish("latest", SOURCE, scheduled=True), wish("stable", "latest", kind="ImageStreamTag"))
    for number, image in enumerate("abc", start=1):
        move({"latest": image}, moment=minute(number))
    return api


def ask(api: Api, to: dict[str, Any], *, query: str = "", metadata: Any = None, **spec: Any) -> tuple[int, Any]:
    body = {
        "kind": "ImageStreamRollback",
        "apiVersion": "history.registry-meta.io/v1alpha1",
        "metadata": metadata or {},
        "spec": {"tag": "latest", "to": to, **spec},
    }
    return api.post(f"{SHOP}/app/rollback{query}", body)


def done(api: Api, to: dict[str, Any], **more: Any) -> Any:
    status, body = ask(api, to, **more)
    assert status == 201, body
    return body


def stream() -> ImageStream:
    found = find_stream("shop", "app")
    assert found is not None
    return found


def histories() -> dict[str, str]:
    """Return the first letters of the images that each tag had, newest first."""
    return {
        history.tag: "".join(item.image[7:8] for item in history.items or []) for history in stream().status.tags or []
    }


def wished(tag: str = "latest") -> Any:
    return next(each for each in stream().spec.tags or [] if each.name == tag)


def test_a_rollback_says_from_where_to_where(admin: Api) -> None:
    body = done(admin, {"image": digest("a")}, reason="checkout breaks")

    assert (body["kind"], body["apiVersion"]) == ("ImageStreamRollback", "history.registry-meta.io/v1alpha1")
    assert (body["metadata"]["name"], body["metadata"]["namespace"]) == ("app", "shop")
    status = body["status"]
    assert (status["from"]["image"], status["to"]["image"]) == (digest("c"), digest("a"))
    assert status["to"]["reference"] == f"quay.io/example/app@{digest('a')}"
    assert (status["resourceVersion"], status["generation"]) == (str(changes.newest()), 2)


def test_the_history_grows_and_followers_follow(admin: Api) -> None:
    done(admin, {"image": digest("a")}, reason="checkout breaks")

    assert histories() == {"latest": "acba", "stable": "acba"}
    [event] = TagEvent.objects.filter(version=changes.newest(), tag="latest")
    assert (event.digest, event.previous_digest, event.reason) == (
        digest("a"),
        digest("c"),
        "rolled back: checkout breaks",
    )
    assert event.first_seen == minute(1)


@pytest.mark.parametrize(("moment", "image"), [(1, "a"), (2, "b"), (2.5, "b"), (99, "c")])
def test_a_tag_goes_back_to_a_time(admin: Api, moment: float, image: str) -> None:
    time = (START + timedelta(minutes=moment)).isoformat()

    assert done(admin, {"time": time})["status"]["to"]["image"] == digest(image)


def test_without_a_hold_the_tag_is_pinned(admin: Api) -> None:
    done(admin, {"image": digest("a")})

    tag = wished()
    assert (tag.from_.kind, tag.from_.name) == ("ImageStreamImage", f"app@{digest('a')}")
    assert not tag.import_policy.scheduled
    assert plan.scheduled(stream(), usual=900, shortest=60) == []


def test_with_a_hold_the_wish_stays(admin: Api) -> None:
    done(admin, {"image": digest("a")}, hold=True, holdUntil="2100-01-01T00:00:00Z", reason="checkout breaks")

    tag = wished()
    assert (tag.from_.name, tag.import_policy.scheduled) == (SOURCE, True)
    held = {REASON: "checkout breaks", OWNER: admin_name(), EXPIRES: "2100-01-01T00:00:00Z"}
    assert tag.annotations == held
    # Nothing is waited for, and the schedule goes on looking.
    due = plan.due(stream())
    assert due is None or due.reason is plan.Reason.NEVER_CHECKED
    assert [look.tag for look in plan.scheduled(stream(), usual=900, shortest=60)] == ["latest"]
    assert histories()["latest"] == "acba"


def admin_name() -> str:
    return "system:admin"


def test_the_pull_spec_is_that_of_the_tag_s_own_history(admin: Api) -> None:
    # Another tag, earlier in the alphabet, has the same image under another pull spec.
    item = {"created": "2026-01-02T03:00:00Z", "image": digest("a"), "dockerImageReference": "quay.io/other/a:1"}
    other = {"status": {"tags": [{"tag": "aaa", "items": [{**item, "generation": 1}]}]}}
    assert admin.patch(f"{STREAMS}/app/status", other, STRATEGIC)[0] == 200

    body = done(admin, {"image": digest("a")})

    assert body["status"]["to"]["reference"] == f"quay.io/example/app@{digest('a')}"
    latest = next(each for each in stream().status.tags or [] if each.tag == "latest")
    assert latest.items is not None
    assert latest.items[0].docker_image_reference == f"quay.io/example/app@{digest('a')}"


def test_what_was_pruned_from_the_stream_is_still_in_the_ledger(admin: Api) -> None:
    body = admin.get(f"{STREAMS}/app")[1]
    for history in body["status"]["tags"]:
        history["items"] = history["items"][:1]
    assert admin.put(f"{STREAMS}/app/status", body)[0] == 200

    done(admin, {"image": digest("a")})

    assert histories() == {"latest": "ac", "stable": "ac"}


def test_a_tag_that_was_removed_comes_back(admin: Api) -> None:
    assert admin.delete(f"{STREAMS.replace('imagestreams', 'imagestreamtags')}/app:latest")[0] == 200

    body = done(admin, {"time": minute(2).isoformat()})

    assert body["status"]["from"] == {"image": "", "reference": ""}
    assert histories()["latest"] == "b"


def test_a_tag_that_only_named_its_source_goes_back_to_that(admin: Api) -> None:
    named = {"spec": {"tags": [{"name": "ref", "reference": True, "from": {"kind": "DockerImage", "name": SOURCE}}]}}
    assert admin.patch(f"{STREAMS}/app", named, STRATEGIC)[0] == 200
    then = TagEvent.objects.get(tag="ref").moved_at
    move({"ref": "a"})

    body = done(admin, {"time": then.isoformat()}, tag="ref")

    assert body["status"]["to"] == {"image": "", "reference": SOURCE}
    assert wished("ref").reference


def test_going_back_to_where_the_tag_is_changes_nothing_twice(admin: Api) -> None:
    done(admin, {"image": digest("a")})
    before = changes.newest()

    body = done(admin, {"image": digest("a")})

    assert body["status"]["from"] == body["status"]["to"]
    assert changes.newest() == before


def test_a_pinned_tag_that_was_pushed_to_goes_back_again(admin: Api) -> None:
    done(admin, {"image": digest("a")})
    move({"latest": "b"})

    done(admin, {"image": digest("a")})

    assert histories()["latest"] == "abacba"


def test_an_image_that_is_gone_is_warned_of(admin: Api) -> None:
    assert admin.delete(f"{IMAGES}/{digest('a')}")[0] == 200

    body = {"spec": {"tag": "latest", "to": {"image": digest("a")}}}
    answer = Client().post(
        f"{SHOP}/app/rollback",
        body,
        content_type="application/json",
        headers={"Authorization": f"Bearer {admin.token}"},
    )

    assert answer.status_code == 201
    assert "no longer stored here" in answer.headers["Warning"]
    assert histories()["latest"] == "acba"


@pytest.mark.parametrize(
    ("to", "spec", "field"),
    [
        ({"image": digest("f")}, {}, "spec.to.image"),
        ({"image": digest("a")}, {"tag": "none"}, "spec.to.image"),
        ({"time": "2026-01-02T03:00:59Z"}, {}, "spec.to.time"),
        ({"time": "2026-01-02T03:01:00Z"}, {"tag": "none"}, "spec.tag"),
        ({"time": "yesterday"}, {}, "spec.to.time"),
        ({"image": "a"}, {}, "spec.to.image"),
        ({}, {}, "spec.to"),
        ({"image": digest("a"), "time": "2026-01-02T03:01:00Z"}, {}, "spec.to.time"),
        ({"image": digest("a")}, {"tag": ""}, "spec.tag"),
        ({"image": digest("a")}, {"tag": "\0"}, "spec.tag"),
        ({"image": digest("a")}, {"reason": "two\nlines"}, "spec.reason"),
        ({"image": digest("a")}, {"reason": "x" * 151}, "spec.reason"),
        ({"image": digest("a")}, {"hold": True}, "spec.reason"),
        ({"image": digest("a")}, {"holdUntil": "2100-01-01T00:00:00Z"}, "spec.holdUntil"),
        ({"image": digest("a")}, {"hold": True, "reason": "x", "holdUntil": "soon"}, "spec.holdUntil"),
        ({"image": digest("a")}, {"hold": True, "reason": "x", "holdUntil": "2020-01-01T00:00:00Z"}, "spec.holdUntil"),
    ],
)
def test_a_request_that_makes_no_sense_is_refused(
    admin: Api, to: dict[str, Any], spec: dict[str, Any], field: str
) -> None:
    status, body = ask(admin, to, **spec)

    assert (status, body["reason"]) == (422, "Invalid"), body
    assert [cause["field"] for cause in body["details"]["causes"]] == [field]
    assert body["details"]["kind"] == "ImageStreamRollback"
    assert histories()["latest"] == "cba"


def test_a_missing_stream_is_not_found(admin: Api) -> None:
    status, body = admin.post(f"{SHOP}/none/rollback", {"spec": {"tag": "latest", "to": {"image": digest("a")}}})

    assert (status, body["message"]) == (404, 'imagestreams.image.openshift.io "none" not found')


def test_the_name_in_the_body_is_that_of_the_path(admin: Api) -> None:
    assert ask(admin, {"image": digest("a")}, metadata={"name": "app"})[0] == 201
    assert ask(admin, {"image": digest("a")}, metadata={"name": "other"})[0] == 400


@pytest.mark.parametrize("key", ["resourceVersion", "uid"])
def test_a_version_or_uid_that_the_stream_does_not_have_is_a_conflict(admin: Api, key: str) -> None:
    status, body = ask(admin, {"image": digest("a")}, metadata={key: "1"})

    assert (status, body["reason"]) == (409, "Conflict")
    found = admin.get(f"{STREAMS}/app")[1]["metadata"][key]
    assert ask(admin, {"image": digest("a")}, metadata={key: found})[0] == 201


def test_a_dry_run_shows_it_and_does_nothing(admin: Api) -> None:
    before = changes.newest()

    body = done(admin, {"image": digest("a")}, query="?dryRun=All")

    assert body["status"]["to"]["image"] == digest("a")
    assert "resourceVersion" not in body["status"]
    assert (changes.newest(), histories()["latest"]) == (before, "cba")


def test_a_held_tag_goes_back_only_when_its_hold_is_lifted(admin: Api) -> None:
    done(admin, {"image": digest("b")}, hold=True, reason="checkout breaks")

    status, body = ask(admin, {"image": digest("a")})
    assert (status, body["reason"]) == (422, "Invalid")
    assert "held by system:admin until it is lifted: checkout breaks" in body["message"]
    assert [cause["field"] for cause in body["details"]["causes"]] == ["spec.tags[latest]"]

    done(admin, {"image": digest("a")}, liftHold=True)
    assert wished().annotations is None
    assert histories()["latest"] == "abcba"


def test_a_hold_takes_the_place_of_another(admin: Api) -> None:
    done(admin, {"image": digest("b")}, hold=True, reason="checkout breaks")

    done(admin, {"image": digest("a")}, hold=True, reason="and so does search")

    assert wished().annotations == {OWNER: admin_name(), REASON: "and so does search"}


def test_a_follower_that_was_held_catches_up_when_it_is_let_go(admin: Api) -> None:
    done(admin, {"image": digest("a")}, tag="stable", hold=True, reason="checkout breaks")
    assert histories() == {"latest": "cba", "stable": "acba"}

    lifted = {"spec": {"tags": [{"name": "stable", "annotations": {REASON: None, OWNER: None}}]}}
    assert admin.patch(f"{STREAMS}/app", lifted, STRATEGIC)[0] == 200

    assert histories()["stable"] == "cacba"


def test_who_may_edit_may_roll_back(admin: Api) -> None:
    viewer, editor = person(admin, "vera", "view"), person(admin, "ed", "edit")

    assert ask(viewer, {"image": digest("a")})[0] == 403
    assert ask(editor, {"image": digest("a")}, hold=True, reason="x")[0] == 201
    assert TagEvent.objects.get(version=changes.newest(), tag="latest").actor == "ed"
    assert wished().annotations == {OWNER: "ed", REASON: "x"}
