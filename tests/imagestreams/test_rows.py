from __future__ import annotations

from datetime import timedelta

import pytest

from imagestreams import rows
from imagestreams.types import (
    Image,
    ImageStreamImage,
    ImageStreamTag,
    ImageTag,
    NamedTagEventList,
    TagEventCondition,
    TagReference,
)
from registry_meta.kube.meta import ObjectMeta, timestamp
from tests.imagestreams.builders import NOW, digest, event, stream, wish

A1 = "quay.io/x/a:1"
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.mark.parametrize(
    ("age", "words"),
    [
        (timedelta(0), "Less than a second ago"),
        (timedelta(seconds=-5), "Less than a second ago"),
        (timedelta(seconds=1), "1 second ago"),
        (timedelta(seconds=59), "59 seconds ago"),
        (timedelta(seconds=60), "About a minute ago"),
        (timedelta(seconds=119), "About a minute ago"),
        (timedelta(minutes=2), "2 minutes ago"),
        (timedelta(minutes=59, seconds=59), "59 minutes ago"),
        (HOUR, "About an hour ago"),
        (timedelta(minutes=89), "About an hour ago"),
        (timedelta(minutes=90), "2 hours ago"),
        (47 * HOUR, "47 hours ago"),
        (2 * DAY, "2 days ago"),
        (13 * DAY, "13 days ago"),
        (14 * DAY, "2 weeks ago"),
        (59 * DAY, "8 weeks ago"),
        (60 * DAY, "2 months ago"),
        (729 * DAY, "24 months ago"),
        (730 * DAY, "2 years ago"),
    ],
)
def test_ages_are_told_in_words(age: timedelta, words: str) -> None:
    assert rows.relative_age(NOW - age, NOW) == words


def test_what_never_was_is_very_old() -> None:
    assert rows.relative_age(rows.NEVER, NOW) == "292 years ago"


def _histories(*names: str) -> list[NamedTagEventList]:
    return [NamedTagEventList(tag=name, items=[event("a")]) for name in names]


@pytest.mark.parametrize(
    ("names", "listed"),
    [
        ([], ""),
        (["b", "a"], "a,b"),
        (["t" * 25, "u" * 13], f"{'t' * 25},{'u' * 13}"),
        ([f"release-{index:02}" for index in range(9)], "release-00,release-01,release-02 + 6 more..."),
        (["a-very-long-tag-name-that-does-not-fit-into-the-column"] * 1 + ["b"], None),
        (["t" * 25, "u" * 20], f"{'t' * 25},{'u' * 20}"),
        (["t" * 25, "u" * 30], f"{'t' * 25} + 1 more..."),
    ],
)
def test_tags_are_listed_as_far_as_they_fit(names: list[str], listed: str | None) -> None:
    expected = f"{names[0]} + 1 more..." if listed is None else listed

    assert rows.tag_list(_histories(*names)) == expected


def test_the_newest_tag_is_listed_first() -> None:
    histories = _histories("a", "b")
    histories[1].items = [event("b", created="2026-01-02T00:00:00Z")]
    histories.append(NamedTagEventList(tag="0"))

    assert rows.tag_list(histories) == "b,a,0"


def test_a_stream_tells_where_it_is_served() -> None:
    app = stream("app", a=event("a", created=timestamp(NOW - HOUR)), b=event("b", created=timestamp(NOW - DAY)))
    app.status.docker_image_repository = "r.internal/shop/app"

    assert rows.image_stream_row(app, NOW) == ["app", "r.internal/shop/app", "a,b", "About an hour ago"]
    app.spec.docker_image_repository = "quay.io/x/a"
    assert rows.image_stream_row(app, NOW)[1] == "quay.io/x/a"
    app.status.public_docker_image_repository = "r.example/shop/app"
    assert rows.image_stream_row(app, NOW)[1] == "r.example/shop/app"


def test_an_empty_stream_has_no_age() -> None:
    assert rows.image_stream_row(stream("app"), NOW) == ["app", "", "", ""]


def test_images_tell_their_pull_spec() -> None:
    image = Image(metadata=ObjectMeta(name=digest("a")), docker_image_reference=A1)
    meta = ObjectMeta(name="app:v1", creation_timestamp=timestamp(NOW - HOUR))

    assert rows.image_row(image, NOW) == [digest("a"), A1]
    tag = ImageStreamTag(metadata=meta, image=image)
    assert rows.image_stream_tag_row(tag, NOW) == ["app:v1", A1, "About an hour ago", digest("a")]
    through = ImageStreamImage(metadata=meta, image=image)
    assert rows.image_stream_image_row(through, NOW) == ["app:v1", "About an hour ago", A1, digest("a")]


AGED = event("a", generation=1, created=timestamp(NOW - HOUR))
FAILURE = TagEventCondition(
    type="ImportSuccess", status="False", reason="NotFound", last_transition_time=timestamp(NOW), generation=1
)


def _status(*items: object, failed: bool = False) -> NamedTagEventList:
    events = [item for item in items if isinstance(item, type(AGED))]
    return NamedTagEventList(tag="v1", items=events or None, conditions=[FAILURE] if failed else None)


@pytest.mark.parametrize(
    ("spec", "status", "cells"),
    [
        (None, None, ["", "", None, ""]),
        (wish("v1"), None, ["", "", None, ""]),
        (wish("v1", A1), None, ["Tag", A1, None, ""]),
        (wish("v1", A1, reference=True), None, ["Ref", A1, None, ""]),
        (wish("v1", A1, reference=True, scheduled=True), None, ["Scheduled", A1, None, ""]),
        (wish("v1", "app@abc", kind="ImageStreamImage"), None, ["Tag", "image/abc", None, ""]),
        (wish("v1", "app", kind="ImageStreamImage"), None, ["Tag", "InvalidRefName", None, ""]),
        (wish("v1", "src:v2", kind="ImageStreamTag"), None, ["Tag", "istag/src:v2", None, ""]),
        (wish("v1", "src:v2", kind="ImageStreamTag", namespace="n"), None, ["Tag", "istag n/src:v2", None, ""]),
        (wish("v1", "v2", kind="ImageStreamTag"), None, ["Track", "istag/v2", None, ""]),
        (wish("v1", "v2", kind="Pod"), None, ["Tag", "InvalidRefKind", None, ""]),
        (None, _status(AGED), ["Push", f"image/{digest('a')}", 1, "About an hour ago"]),
        (wish("v1", A1, generation=1), _status(AGED), ["Tag", f"image/{digest('a')}", 1, "About an hour ago"]),
        (wish("v1", A1, generation=2), _status(AGED, AGED), ["Tag", "Importing", 2, "About an hour ago"]),
        (
            wish("v1", A1, generation=1),
            _status(event("b", generation=3, created=AGED.created or "")),
            ["Push", f"image/{digest('b')}", 1, "About an hour ago"],
        ),
        (
            wish("v1", "v2", kind="ImageStreamTag", generation=1),
            _status(event("b", generation=3, created=AGED.created or "")),
            ["Track", f"image/{digest('b')}", 1, "About an hour ago"],
        ),
        (
            wish("v1", A1, generation=1),
            _status(event("", reference="quay.io/x/b:2", created=AGED.created or "")),
            ["Tag", "quay.io/x/b:2", 1, "About an hour ago"],
        ),
        (
            wish("v1", A1, generation=1),
            _status(AGED, failed=True),
            ["Tag", "ImportFailed (NotFound)", 1, "Less than a second ago"],
        ),
        (wish("v1", A1), _status(failed=True), ["Tag", "ImportFailed (NotFound)", None, "Less than a second ago"]),
    ],
)
def test_a_tag_tells_how_it_gets_its_image(
    spec: TagReference | None, status: NamedTagEventList | None, cells: list[object]
) -> None:
    tag = ImageTag(metadata=ObjectMeta(name="app:v1"), spec=spec, status=status)

    assert rows.image_tag_row(tag, NOW) == ["app:v1", *cells]
