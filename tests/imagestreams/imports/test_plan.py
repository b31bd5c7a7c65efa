from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from imagestreams import intervals, tags
from imagestreams.imports import plan
from imagestreams.imports.plan import CHECKED, Due, Reason
from imagestreams.types import ImageStream, ImageStreamSpec, TagEvent, TagReference
from registry_meta.kube.meta import ObjectMeta, ObjectReference

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def wish(
    name: str,
    *,
    source: str = "quay.io/x/app:1",
    kind: str = "DockerImage",
    generation: int = 1,
    scheduled: bool = False,
    reference: bool = False,
) -> TagReference:
    tag = TagReference(
        name=name, from_=ObjectReference(kind=kind, name=source), generation=generation, reference=reference
    )
    tag.import_policy.scheduled = scheduled
    return tag


def make_stream(*wishes: TagReference, checked: bool = True, repository: str = "") -> ImageStream:
    annotations = {CHECKED: "2026-01-02T03:04:05Z"} if checked else None
    meta = ObjectMeta(name="app", namespace="demo", annotations=annotations, resource_version="7", generation=1)
    spec = ImageStreamSpec(docker_image_repository=repository, tags=list(wishes) or None)
    return ImageStream(metadata=meta, spec=spec)


def names(due: Due) -> list[str]:
    return [tag.name for tag in due.tags]


def test_a_new_stream_is_due_with_its_importable_tags() -> None:
    stream = make_stream(
        wish("v1"), wish("follows", kind="ImageStreamTag"), wish("named", reference=True), checked=False
    )

    due = plan.due(stream)

    assert due is not None
    assert due.reason is Reason.NEVER_CHECKED
    assert names(due) == ["v1"]


def test_a_stream_with_a_repository_is_due_as_a_whole_once() -> None:
    stream = make_stream(wish("v1"), checked=False, repository="quay.io/x/app")

    due = plan.due(stream)

    assert due is not None
    assert due.repository
    repository = plan.request(stream, due).spec.repository
    assert repository is not None
    assert repository.from_.name == "quay.io/x/app"


def test_nothing_is_due_of_a_stream_whose_tags_are_all_imported() -> None:
    stream = make_stream(wish("v1"))
    tags.push(stream, "v1", TagEvent(image="sha256:a", docker_image_reference="x@sha256:a", generation=1))

    assert plan.due(stream) is None


def test_a_tag_of_a_newer_generation_is_due_and_the_others_are_left_alone() -> None:
    stream = make_stream(wish("v1"), wish("v2", generation=2))
    tags.push(stream, "v1", TagEvent(image="sha256:a", docker_image_reference="x@sha256:a", generation=1))

    due = plan.due(stream)

    assert due is not None
    assert due.reason is Reason.TAG_CHANGED
    assert names(due) == ["v2"]


def test_a_failed_tag_is_not_due_again_by_itself() -> None:
    stream = make_stream(wish("v1"))
    stream.metadata.generation = 0
    tags.record_failure(stream, "v1", status={"status": "Failure", "reason": "NotFound", "message": "x"}, now=NOW)
    tags.set_tag(stream, wish("v1", generation=1))

    assert plan.due(stream) is None


def imported(*names: str) -> ImageStream:
    stream = make_stream(*[wish(name, scheduled=name == "v1") for name in names])
    for tag in names:
        tags.push(stream, tag, TagEvent(image="sha256:a", docker_image_reference="x@sha256:a", generation=1))
    return stream


def test_the_clock_looks_after_scheduled_tags_alone() -> None:
    [look] = plan.scheduled(imported("v1", "v2"), usual=900, shortest=60)

    assert (look.tag, look.host, look.repository, look.reference) == ("v1", "quay.io", "x/app", "1")
    assert (look.interval, look.standing) == (900, "sha256:a")


def test_an_annotation_says_how_often_a_tag_is_looked_at() -> None:
    often, rarely, wrong = (wish(name, scheduled=True) for name in ("a", "b", "c"))
    often.annotations, rarely.annotations = {intervals.KEY: "1s"}, {intervals.KEY: "1d"}
    wrong.annotations = {intervals.KEY: "often"}

    looks = plan.scheduled(make_stream(often, rarely, wrong), usual=900, shortest=60)

    assert [look.interval for look in looks] == [60, 86400, 900]


def test_a_tag_that_follows_a_rule_is_asked_for_by_an_import_alone() -> None:
    follower = wish("v1", scheduled=True)
    follower.annotations = {"follow.registry-meta.io/semver": ">=1"}

    assert [look.reference for look in plan.scheduled(make_stream(follower), usual=900, shortest=60)] == [""]


def test_what_a_tag_stands_at_tells_of_its_failure() -> None:
    stream = imported("v1")
    tags.record_failure(stream, "v1", status={"status": "Failure", "reason": "NotFound", "message": "x"}, now=NOW)

    assert plan.standing(stream, "v1") == "sha256:a!"


@pytest.mark.parametrize(
    ("change", "differs"),
    [
        (lambda tag: setattr(tag.from_, "name", "quay.io/x/app:2"), True),
        (lambda tag: setattr(tag.import_policy, "import_mode", "PreserveOriginal"), True),
        (lambda tag: setattr(tag, "annotations", {"importer.image.openshift.io/prefer-arch": "arm64"}), True),
        (lambda tag: setattr(tag, "annotations", {intervals.KEY: "5m"}), False),
        (lambda tag: setattr(tag, "generation", 7), False),
    ],
)
def test_a_wish_is_another_when_another_image_may_come_of_it(
    change: Callable[[TagReference], None], differs: bool
) -> None:
    before, after = wish("v1"), wish("v1")
    change(after)

    assert (plan.wish(before) != plan.wish(after)) is differs


def test_the_clock_asks_again_for_the_tags_whose_turn_it_is() -> None:
    stream = imported("v1", "v2", "v3")

    by_schedule, by_itself = plan.again(stream, {"v1": True}), plan.again(stream, {"v2": False})

    assert by_schedule is not None
    assert by_itself is not None
    assert (names(by_schedule), by_schedule.reason) == (["v1"], Reason.SCHEDULED)
    assert (names(by_itself), by_itself.reason) == (["v2"], Reason.RETRIED)
    assert plan.again(stream, {"gone": True}) is None


def test_the_repository_of_a_stream_is_asked_for_again_when_it_failed() -> None:
    stream = make_stream(repository="quay.io/x/app")

    due = plan.due(stream, repository=True)

    assert due is not None
    assert due.repository
    assert plan.due(stream) is None


def test_the_request_is_bound_to_the_stream_that_was_looked_at_and_not_to_its_version() -> None:
    stream = make_stream(wish("v1"), checked=False)
    stream.metadata.uid = "u-1"

    request = plan.request(stream, Due(Reason.NEVER_CHECKED, [wish("v1")]))

    assert (request.metadata.uid, request.metadata.resource_version) == ("u-1", "")
    assert request.spec.import_
    assert [image.to.name for image in request.spec.images or [] if image.to is not None] == ["v1"]
