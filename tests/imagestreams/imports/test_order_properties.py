"""Whatever the order in which imports fetch and write, and whatever the clock says, no tag goes back. Pure."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from datetime import datetime, timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from imagestreams.conditions import success
from imagestreams.imports import record
from imagestreams.types import (
    Image,
    ImageImportSpec,
    ImageImportStatus,
    ImageStream,
    ImageStreamImport,
    ImageStreamImportSpec,
    ImageStreamImportStatus,
    LocalObjectReference,
)
from registry_meta.kube.meta import ObjectMeta, ObjectReference
from tests.imagestreams.builders import NOW, digest, images

LENIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""Other processes may have the processor."""

GONE = {"metadata": {}, "status": "Failure", "reason": "NotFound", "message": "not found"}


@dataclass
class Import:
    """An import under way: what the stream was before it fetched, and what it found."""

    seen: ImageStream
    found: int


@dataclass
class World:
    """A registry whose tag is pushed again and again, and the stream that imports write."""

    stream: ImageStream
    pushed: int = 1
    is_there: bool = True

    def fetch(self) -> Import:
        """Begin an import; 0 is a tag that was not there."""
        return Import(copy.deepcopy(self.stream), self.pushed if self.is_there else 0)

    def write(self, one: Import, *, now: datetime) -> None:
        """Write what an import found, as often as it takes."""
        for _ in range(3):
            status = outcome(one.found)
            if not record.overtaken(self.stream, one.seen, REQUEST, status):
                record.apply(self.stream, REQUEST, status, now=now)
                return
            one = self.fetch()
        raise AssertionError("an import that nobody disturbs ends")


REQUEST = ImageStreamImport(
    metadata=ObjectMeta(name="app"),
    spec=ImageStreamImportSpec(
        import_=True,
        images=[
            ImageImportSpec(
                from_=ObjectReference(kind="DockerImage", name="quay.io/team/app:latest"),
                to=LocalObjectReference(name="latest"),
            )
        ],
    ),
)


def outcome(found: int) -> ImageStreamImportStatus:
    """Return what an import tells that found what was pushed at some turn, or nothing."""
    if not found:
        return ImageStreamImportStatus(images=[ImageImportStatus(status=dict(GONE), tag="latest")])
    name = digest(f"{found:x}a")
    image = Image(metadata=ObjectMeta(name=name), docker_image_reference=f"quay.io/team/app@{name}")
    return ImageStreamImportStatus(images=[ImageImportStatus(status=success(), image=image, tag="latest")])


def names(count: int) -> list[str]:
    """Return the images in the order in which they were pushed."""
    return [digest(f"{number:x}a") for number in range(1, count + 1)]


STEPS = st.lists(
    st.tuples(st.sampled_from(["push", "drop", "fetch", "write"]), st.integers(-3600, 3600), st.integers(0, 5)),
    min_size=12,
    max_size=30,
)
"""What happens, how far the clock is off then, and whose turn it is to write."""


@given(STEPS)
@LENIENT
def test_a_tag_only_ever_moves_to_what_was_pushed_later(steps: list[tuple[str, int, int]]) -> None:
    world = World(ImageStream(metadata=ObjectMeta(name="app", generation=1)))
    under_way: list[Import] = []
    for step, seconds, turn in steps:
        if step == "push":
            world.pushed += 1
            world.is_there = True
        elif step == "drop":
            world.is_there = False
        elif step == "fetch":
            under_way.append(world.fetch())
        elif under_way:
            world.write(under_way.pop(turn % len(under_way)), now=NOW + timedelta(seconds=seconds))

    history = images(world.stream, "latest")
    assert history == [name for name in reversed(names(world.pushed)) if name in history]


@given(STEPS)
@LENIENT
def test_events_lie_in_the_order_of_the_writes_whatever_the_clock_says(steps: list[tuple[str, int, int]]) -> None:
    world = World(ImageStream(metadata=ObjectMeta(name="app", generation=1)))
    written: list[str] = []
    for step, seconds, _ in steps:
        if step == "push":
            world.pushed += 1
        if step == "write":
            world.write(world.fetch(), now=NOW + timedelta(seconds=seconds))
            if images(world.stream, "latest")[:1] != written[-1:]:
                written += images(world.stream, "latest")[:1]

    assert images(world.stream, "latest") == written[::-1]
