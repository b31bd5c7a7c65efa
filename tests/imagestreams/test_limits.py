"""How much of its limits a stream takes, and what is too much."""

from __future__ import annotations

import pytest

from imagestreams import limits
from imagestreams.imports import record
from imagestreams.limits import Usage
from registry_meta.kube.quantity import Quantity
from tests.imagestreams.builders import NOW, digest, event, stream, wish

LIMITS = {limits.IMAGES: Quantity.of(2), limits.TAGS: Quantity.of(2)}
SHA = digest("a")


@pytest.mark.parametrize(
    ("kind", "name", "namespace", "expected"),
    [
        ("DockerImage", "ruby", "", "docker.io/ruby"),
        ("DockerImage", "library/ruby:latest", "", "docker.io/ruby"),
        ("DockerImage", "docker.io/library/ruby:3", "", "docker.io/ruby:3"),
        ("DockerImage", "index.docker.io/acme/app", "", "docker.io/acme/app"),
        ("DockerImage", "registry-1.docker.io/library/ruby:3", "", "docker.io/ruby:3"),
        ("DockerImage", "quay.io/acme/app:latest", "", "quay.io/acme/app"),
        ("DockerImage", f"quay.io/acme/app@{SHA}", "", f"quay.io/acme/app@{SHA}"),
        ("DockerImage", "No Spec", "", ""),
        ("ImageStreamTag", "app:v1", "", "shop/app:v1"),
        ("ImageStreamTag", "app:v1", "other", "other/app:v1"),
        ("ImageStreamTag", "v1", "", ""),
        ("ImageStreamTag", "a:b:c", "", ""),
        ("ImageStreamImage", f"app@{SHA}", "", f"shop/app@{SHA}"),
        ("ImageStreamImage", f"app@{SHA}", "other", f"other/app@{SHA}"),
        ("ImageStreamImage", f"third/app@{SHA}", "other", f"third/app@{SHA}"),
        ("ImageStreamImage", "app:v1", "", ""),
        ("Other", "app:v1", "", ""),
    ],
)
def test_a_source_has_one_spelling(kind: str, name: str, namespace: str, expected: str) -> None:
    tag = wish("t", name, kind=kind, namespace=namespace)

    assert limits.source(tag, namespace="shop") == expected


def test_each_source_and_each_image_counts_once() -> None:
    app = stream(
        "app", wish("a", "ruby"), wish("b", "docker.io/library/ruby:latest"), wish("c", "ruby:3"), wish("d"),
        a=[event("1"), event("2")], b=event("1"), e=event(""),
    )  # fmt: skip

    assert limits.usage(app) == Usage(
        frozenset({"docker.io/ruby", "docker.io/ruby:3"}), frozenset({digest("1"), digest("2")})
    )


@pytest.mark.parametrize(
    ("taken", "before", "adds"),
    [
        (Usage(), Usage(), False),
        (Usage(frozenset("a")), Usage(frozenset("a")), False),
        (Usage(frozenset("a")), Usage(frozenset("ab"), frozenset("x")), False),
        (Usage(frozenset("ab")), Usage(frozenset("a")), True),
        (Usage(frozenset("ac")), Usage(frozenset("ab")), True),
        (Usage(images=frozenset("x")), Usage(frozenset("a")), True),
    ],
)
def test_only_what_is_new_is_held_to_the_limits(taken: Usage, before: Usage, adds: bool) -> None:
    assert taken.adds_to(before) == adds


@pytest.mark.parametrize(
    ("sources", "images", "expected"),
    [
        ("ab", "xy", ""),
        ("abc", "xy", "requested usage of openshift.io/image-tags exceeds the maximum limit per"
         " openshift.io/ImageStream (3 > 2)"),
        ("", "wxyz", "requested usage of openshift.io/images exceeds the maximum limit per"
         " openshift.io/ImageStream (4 > 2)"),
        ("abc", "xyz", "[requested usage of openshift.io/images exceeds the maximum limit per"
         " openshift.io/ImageStream (3 > 2), requested usage of openshift.io/image-tags exceeds the maximum limit per"
         " openshift.io/ImageStream (3 > 2)]"),
    ],
)  # fmt: skip
def test_what_is_too_much_is_named(sources: str, images: str, expected: str) -> None:
    taken = Usage(frozenset(sources), frozenset(images))

    assert limits.excess(taken, LIMITS) == expected
    assert limits.excess(taken, {}) == ""
    assert limits.is_refusal(limits.refusal(stream(), expected)) == bool(expected)


@pytest.mark.parametrize(("size", "shown"), [(10240, ""), (10241, "10241 > 10Ki"), (20480, "20Ki > 10Ki"), (0, "")])
def test_an_image_may_be_as_large_as_the_limit(size: int, shown: str) -> None:
    text = limits.image_excess(size, {limits.STORAGE: Quantity.parse("10Ki")})

    assert text == (
        f"requested usage of storage exceeds the maximum limit per openshift.io/Image ({shown})" if shown else ""
    )


def test_a_refused_import_is_told_at_the_tags_that_it_would_have_moved() -> None:
    app = stream("app", wish("b", "b", generation=1), generation=3, a=event("1"), b=event("2"))
    wished = stream("app", a=event("1"), b=[event("3"), event("2")], c=event("4"))

    record.refuse(app, wished, {"reason": "Invalid", "message": "too much"}, now=NOW)

    told = {history.tag: history.conditions for history in app.status.tags or [] if history.conditions}
    assert sorted(told) == ["b", "c"]
    assert [(each.type, each.status, each.reason, each.message, each.generation) for each in told["c"]] == [
        ("ImportSuccess", "False", "Invalid", "too much", 4)
    ]
    assert [tag.generation for tag in app.spec.tags or []] == [1]


def test_a_refusal_that_is_told_already_changes_nothing() -> None:
    app, wished = stream("app"), stream("app", c=event("4"))
    status: dict[str, object] = {"reason": "Invalid", "message": "too much"}
    record.refuse(app, wished, status, now=NOW)
    before = app.status.tags

    record.refuse(app, wished, status, now=NOW.replace(year=2027))

    assert app.status.tags == before
    assert [(each.last_transition_time or "")[:4] for each in (app.status.tags or [])[0].conditions or []] == ["2026"]
