from __future__ import annotations

import copy

import pytest

from imagestreams import tags
from imagestreams.types import (
    ImageImportSpec,
    ImageStream,
    ImageStreamImport,
    ImageStreamImportSpec,
    NamedTagEventList,
    TagEventCondition,
    TagReference,
)
from registry_meta.kube.meta import ObjectReference
from tests.imagestreams.builders import digest, event, images, stream, wish

A1 = "quay.io/x/a:1"


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (wish("t", A1), wish("t"), False),
        (wish("t", A1), wish("t", A1), False),
        (None, wish("t", A1), True),
        (wish("t"), wish("t", A1), True),
        (wish("t", A1), wish("t", "quay.io/x/a:2"), True),
        (wish("t", A1), wish("t", A1, reference=True), True),
        (wish("t", A1), wish("t", A1, mode="PreserveOriginal"), True),
        (wish("t", A1), wish("t", A1, namespace="shop"), False),
        (wish("t", A1, namespace="shop"), wish("t", A1), False),
        (wish("t", A1), wish("t", A1, namespace="other"), True),
        (wish("t", A1), wish("t", A1, policy="Local"), False),
        (wish("t", A1), wish("t", A1, scheduled=True), False),
        (wish("t", A1), wish("t", A1, kind="ImageStreamTag"), False),
        (wish("t", A1, generation=2), wish("t", A1, generation=0), True),
        (wish("t", A1, generation=2), wish("t", A1, generation=3), False),
        (wish("t", A1, generation=2), wish("t", A1), False),
        (wish("t", A1), wish("t", A1, generation=0), False),
    ],
)
def test_what_asks_for_another_image(old: TagReference | None, new: TagReference, expected: bool) -> None:
    assert tags.changed(old, new, stream_namespace="shop") is expected


def test_a_new_stream_starts_at_one() -> None:
    app = stream("app", wish("b", A1, generation=7), wish("a", A1), generation=9)

    tags.prepare_create(app)

    assert app.metadata.generation == 1
    assert [(tag.name, tag.generation) for tag in app.spec.tags or []] == [("a", 1), ("b", 1)]


def _updated(old: ImageStream, *wishes: TagReference) -> ImageStream:
    new = stream("app", *wishes, generation=0)
    tags.prepare_update(new, old, keep_status=False)
    return new


def _generations(of: ImageStream) -> tuple[int, dict[str, int | None]]:
    return of.metadata.generation, {tag.name: tag.generation for tag in of.spec.tags or []}


OLD = stream("app", wish("a", A1, generation=2), wish("b", A1, generation=3), generation=5, a=event("a"))


@pytest.mark.parametrize(
    ("a", "expected"),
    [
        (wish("a", A1), (5, {"a": 2, "b": 3})),
        (wish("a", A1, generation=9), (5, {"a": 2, "b": 3})),
        (wish("a", A1, generation=0), (6, {"a": 6, "b": 3})),
        (wish("a", "quay.io/x/a:2"), (6, {"a": 6, "b": 3})),
        (wish("a", A1, mode="PreserveOriginal"), (6, {"a": 6, "b": 3})),
        (wish("a", A1, scheduled=True), (6, {"a": 2, "b": 3})),
        (wish("a", A1, policy="Local"), (6, {"a": 2, "b": 3})),
        (wish("c", A1), (6, {"b": 3, "c": 6})),
    ],
)
def test_only_a_change_moves_generations(a: TagReference, expected: tuple[int, dict[str, int]]) -> None:
    new = _updated(OLD, copy.deepcopy(a), wish("b", A1))

    assert _generations(new) == expected


def test_no_annotations_and_empty_annotations_are_the_same() -> None:
    tag = wish("a", A1)
    tag.annotations = {}

    assert _updated(OLD, tag, wish("b", A1)).metadata.generation == 5


def test_the_regular_path_keeps_the_old_status() -> None:
    new = stream("app", wish("a", A1), a=event("b"))

    tags.prepare_update(new, OLD, keep_status=False)

    assert images(new, "a") == [digest("a")]
    assert new.status is not OLD.status


def test_an_update_drops_histories_that_say_nothing() -> None:
    new = stream("app", wish("a", A1), a=event("a"))
    new.status.tags = [
        NamedTagEventList(tag="empty"),
        NamedTagEventList(tag="failed", conditions=[TagEventCondition()]),
    ]

    tags.prepare_update(new, OLD, keep_status=True)

    assert [history.tag for history in new.status.tags or []] == ["failed"]


def test_the_status_path_puts_the_spec_back() -> None:
    new = stream("app", wish("z", A1), generation=99, a=event("b", generation=0), n=event("c", generation=0))
    new.spec.docker_image_repository = "quay.io/x/y"

    tags.prepare_status_update(new, OLD)

    assert new.spec == OLD.spec
    assert new.metadata.generation == 5
    generations = {history.tag: (history.items or [])[0].generation for history in new.status.tags or []}
    assert generations == {"a": 2, "n": 5}


def test_what_is_left_open_is_filled_in() -> None:
    app = stream("app", TagReference(name="b"), TagReference(name="a"))

    tags.default_stream(app, import_mode="PreserveOriginal")

    filled = [(tag.name, tag.import_policy.import_mode, tag.reference_policy.type) for tag in app.spec.tags or []]
    assert filled == [("a", "PreserveOriginal", "Source"), ("b", "PreserveOriginal", "Source")]


@pytest.mark.parametrize(
    ("source", "target"),
    [("busybox:1", "1"), ("busybox", None), (f"busybox@{digest('a')}", None), ("a b", None)],
)
def test_an_import_goes_to_the_tag_of_its_pull_spec(source: str, target: str | None) -> None:
    entry = ImageImportSpec(from_=ObjectReference(kind="DockerImage", name=source))
    request = ImageStreamImport(spec=ImageStreamImportSpec(images=[entry]))

    tags.default_import(request, import_mode="Legacy")

    assert (entry.to.name if entry.to is not None else None) == target
    assert (entry.import_policy.import_mode, entry.reference_policy.type) == ("Legacy", "Source")
