from __future__ import annotations

import copy

import pytest

from imagestreams import conditions, tags
from imagestreams.types import (
    Image,
    ImageImportSpec,
    ImageStream,
    NamedTagEventList,
    TagEventCondition,
    TagImportPolicy,
    TagReference,
    TagReferencePolicy,
)
from registry_meta.kube.meta import ObjectMeta, ObjectReference
from tests.imagestreams.builders import CREATED, NOW, digest, event, images, stream, wish

A1 = "quay.io/x/a:1"
FAILED = conditions.internal_failure("quay.io/x/a:1: denied")


def _image(image: str) -> Image:
    return Image(metadata=ObjectMeta(name=digest(image)), docker_image_reference=event(image).docker_image_reference)


def _request(source: str = A1, *, scheduled: bool = False, policy: str = "Source") -> ImageImportSpec:
    return ImageImportSpec(
        from_=ObjectReference(kind="DockerImage", name=source),
        import_policy=TagImportPolicy(import_mode="Legacy", scheduled=scheduled),
        reference_policy=TagReferencePolicy(type=policy),
    )


def _succeed(app: ImageStream, image: str, request: ImageImportSpec | None = None) -> bool:
    recorded = tags.record_success(app, "v1", image=_image(image), request=request or _request(), now=NOW)
    return recorded is not None


def _wished(app: ImageStream) -> TagReference:
    found = tags.tag_of(app, "v1")
    assert found is not None
    return found


def _saved(app: ImageStream, old: ImageStream) -> ImageStream:
    tags.prepare_update(app, old, keep_status=True)
    return app


def test_a_first_import_makes_wish_and_history() -> None:
    app = stream(generation=0)

    assert _succeed(app, "a", _request(scheduled=True, policy="Local"))
    tags.prepare_create(app)

    found, newest = _wished(app), tags.latest(app, "v1")
    assert newest is not None
    assert (found.generation, newest.generation, newest.image) == (1, 1, digest("a"))
    assert (found.import_policy.scheduled, found.reference_policy.type) == (True, "Local")


def test_a_new_image_is_put_on_top_under_the_next_generation() -> None:
    old = stream("app", wish("v1", A1, generation=2), generation=3, v1=event("a", generation=2))
    app = copy.deepcopy(old)

    assert _succeed(app, "b", _request("quay.io/x/b:2", policy="Local"))
    _saved(app, old)

    found, newest = _wished(app), tags.latest(app, "v1")
    assert newest is not None
    assert images(app, "v1") == [digest("b"), digest("a")]
    assert (app.metadata.generation, found.generation, newest.generation) == (4, 4, 4)
    assert found.from_ is not None
    assert (found.from_.name, found.reference_policy.type) == ("quay.io/x/b:2", "Source")


def test_an_unchanged_image_changes_only_the_import_policy() -> None:
    old = stream("app", wish("v1", A1, generation=1, scheduled=True), v1=event("a"))
    app = copy.deepcopy(old)

    assert not _succeed(app, "a", _request("quay.io/x/other:2"))
    _saved(app, old)

    found = _wished(app)
    assert found.from_ is not None
    assert (found.from_.name, found.import_policy.scheduled, found.generation) == (A1, False, 1)
    assert app.status == old.status


def test_an_awaited_import_of_the_same_image_moves_the_generation_of_its_event() -> None:
    app = stream("app", wish("v1", A1, generation=3), generation=3, v1=event("a", generation=1))

    assert _succeed(app, "a")

    newest = tags.latest(app, "v1")
    assert newest is not None
    assert (newest.generation, newest.created, images(app, "v1")) == (4, CREATED, [digest("a")])


def test_success_clears_the_failure() -> None:
    app = stream("app", wish("v1", A1, generation=1), v1=event("a"))
    tags.record_failure(app, "v1", status=FAILED, now=NOW)

    _succeed(app, "a")

    assert tags.conditions_of(app, "v1") is None


def test_a_failure_is_a_condition_and_keeps_the_image() -> None:
    old = stream("app", wish("v1", A1, generation=1), generation=5, v1=event("a"))
    app = copy.deepcopy(old)

    assert tags.record_failure(app, "v1", status=FAILED, now=NOW, request=_request())
    _saved(app, old)

    assert images(app, "v1") == [digest("a")]
    assert _wished(app).generation == 6
    assert tags.conditions_of(app, "v1") == [
        TagEventCondition(
            type="ImportSuccess",
            status="False",
            last_transition_time="2026-01-02T03:04:05Z",
            reason="InternalError",
            message="Internal error occurred: quay.io/x/a:1: denied",
            generation=6,
        )
    ]


def test_the_same_failure_again_changes_nothing() -> None:
    app = stream("app", wish("v1", A1, generation=1), generation=5)
    tags.record_failure(app, "v1", status=FAILED, now=NOW)
    before = copy.deepcopy(app)

    assert not tags.record_failure(app, "v1", status=FAILED, now=NOW)
    assert app == before


@pytest.mark.parametrize(("request_", "wished"), [(_request(), True), (None, False)])
def test_a_failed_tag_is_wished_only_if_it_was_asked_for(request_: ImageImportSpec | None, wished: bool) -> None:
    app = stream()

    tags.record_failure(app, "v1", status=FAILED, now=NOW, request=request_)

    assert (tags.tag_of(app, "v1") is not None) is wished


def test_a_failure_without_words_says_so() -> None:
    condition = conditions.import_failure({"status": "Failure"}, generation=2, now=NOW)

    assert (condition.reason, condition.message) == ("", "unknown error prevented import")


def _failed(generation: int) -> ImageStream:
    app = stream("app", v1=event("a", generation=1))
    condition = TagEventCondition(type="ImportSuccess", status="False", generation=generation)
    app.status.tags = [NamedTagEventList(tag="v1", items=[event("a", generation=1)], conditions=[condition])]
    return app


@pytest.mark.parametrize(
    ("tag", "app", "expected"),
    [
        (wish("v1", A1, generation=2), stream(), True),
        (wish("v1", A1, generation=2), stream(v1=event("a", generation=1)), True),
        (wish("v1", A1, generation=2), stream(v1=event("a", generation=2)), False),
        (wish("v1", A1, generation=2), _failed(2), False),
        (wish("v1", A1, generation=3), _failed(2), True),
        (wish("v1", A1), stream(), False),
        (wish("v1", A1, generation=2, reference=True), stream(), False),
        (wish("v1", "src:v1", kind="ImageStreamTag", generation=2), stream(), False),
        (wish("v1", generation=2), stream(), False),
    ],
)
def test_which_tags_wait_for_an_import(tag: TagReference, app: ImageStream, expected: bool) -> None:
    assert tags.needs_import(tag, app) is expected


def test_a_tag_without_a_generation_waits_if_the_caller_says_so() -> None:
    assert tags.needs_import(wish("v1", A1), stream(), unset=True)


@pytest.mark.parametrize(
    ("tag", "expected"),
    [
        (wish("v1", A1, scheduled=True, generation=1), True),
        (wish("v1", A1, generation=1), False),
        (wish("v1", "a//b", scheduled=True, generation=1), False),
        (wish("v1", f"quay.io/x/a@{digest('a')}", scheduled=True, generation=1), False),
        (wish("v1", f"quay.io/x/a@{digest('a')}", scheduled=True, generation=2), True),
        (wish("v1", A1, scheduled=True, reference=True), False),
    ],
)
def test_a_digest_is_imported_on_schedule_only_until_it_is_there(tag: TagReference, expected: bool) -> None:
    assert tags.is_scheduled(tag, stream(v1=event("a", generation=1))) is expected
