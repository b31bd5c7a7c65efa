from datetime import UTC, datetime, timedelta

import pytest

from imagestreams import tags
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


def test_the_clock_brings_scheduled_tags_in_again() -> None:
    stream = make_stream(wish("v1", scheduled=True), wish("v2"))
    for tag in ("v1", "v2"):
        tags.push(stream, tag, TagEvent(image="sha256:a", docker_image_reference="x@sha256:a", generation=1))

    due = plan.due(stream, scheduled=True)

    assert due is not None
    assert due.reason is Reason.SCHEDULED
    assert names(due) == ["v1"]


def test_the_request_is_bound_to_the_version_that_was_looked_at() -> None:
    stream = make_stream(wish("v1"), checked=False)

    request = plan.request(stream, Due(Reason.NEVER_CHECKED, [wish("v1")]))

    assert request.metadata.resource_version == "7"
    assert request.spec.import_
    assert [image.to.name for image in request.spec.images or [] if image.to is not None] == ["v1"]


@pytest.mark.parametrize("jitter", [0.0, 0.5, 1.0])
def test_the_next_check_stays_near_the_interval(jitter: float) -> None:
    due_at = plan.next_check(NOW, interval=900, jitter=jitter)

    assert timedelta(seconds=850) < due_at - NOW < timedelta(seconds=950)
