from __future__ import annotations

import copy
from datetime import timedelta

import pytest

from imagestreams import holds, tags
from imagestreams.conditions import success
from imagestreams.holds import EXPIRES, HELD, OWNER, REASON, Hold
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
    RepositoryImportSpec,
    RepositoryImportStatus,
    TagReference,
)
from registry_meta.kube.meta import ObjectMeta, ObjectReference
from tests.imagestreams.builders import NOW, digest, event, images, stream, wish

LATER = "2026-01-02T03:04:06Z"
HOLD = Hold("checkout breaks", "anna", LATER)
HOUR = timedelta(hours=1)


def held(tag: TagReference, hold: Hold | None = HOLD) -> TagReference:
    tag.annotations = holds.with_hold(tag.annotations, hold)
    return tag


def app(hold: Hold | None = HOLD) -> ImageStream:
    """Return a stream whose tag `v1` is held and whose tag `v2` is not."""
    return stream(
        "app", held(wish("v1", "quay.io/x/a:1", generation=1), hold), wish("v2", "quay.io/x/a:2", generation=1),
        v1=event("a"), v2=event("a"),
    )  # fmt: skip


def conditions(of: ImageStream, tag: str) -> list[str]:
    return [f"{each.type} {each.reason}" for each in tags.conditions_of(of, tag) or []]


# --- how a hold is written


@pytest.mark.parametrize(
    ("annotations", "fields"),
    [
        ({}, []),
        ({"other": "note"}, []),
        ({REASON: "why", OWNER: "anna"}, []),
        ({REASON: "why", OWNER: "anna", EXPIRES: LATER}, []),
        ({REASON: "why"}, [OWNER]),
        ({OWNER: "anna"}, [REASON]),
        ({EXPIRES: LATER}, [OWNER, REASON]),
        ({REASON: " ", OWNER: ""}, [OWNER, REASON]),
        ({REASON: "two\nlines", OWNER: "anna"}, [REASON]),
        ({REASON: "x" * 501, OWNER: "anna"}, [REASON]),
        ({REASON: "why", OWNER: "anna", EXPIRES: "tomorrow"}, [EXPIRES]),
    ],
)
def test_what_is_wrong_with_a_hold_is_named(annotations: dict[str, str], fields: list[str]) -> None:
    found = holds.problems(annotations, "spec.tags[v1]")

    assert [problem.field for problem in found] == [f"spec.tags[v1].annotations[{key}]" for key in fields]


def test_a_word_of_holds_that_there_is_not_is_refused() -> None:
    [problem] = holds.problems({REASON: "why", OWNER: "anna", f"{holds.PREFIX}until": LATER}, "tag")

    assert str(problem).startswith(f'tag.annotations: Unsupported value: "{holds.PREFIX}until"')


def test_a_hold_holds_until_it_expires() -> None:
    tag = held(wish("v1", "quay.io/x/a:1"))

    assert holds.of_wish(tag, now=NOW) == HOLD
    assert holds.of_wish(tag, now=NOW + timedelta(seconds=1)) is None
    assert holds.of_wish(held(tag, Hold("why", "anna")), now=NOW + 9999 * HOUR) is not None
    assert holds.of_wish(wish("v2"), now=NOW) is None


# --- what somebody does


def moved(of: ImageStream, tag: str) -> None:
    tags.push(of, tag, event("b"))


def asked_elsewhere(of: ImageStream, tag: str) -> None:
    wished = tags.tag_of(of, tag)
    assert wished is not None
    wished.from_ = ObjectReference(kind="DockerImage", name="quay.io/x/b:1")


def removed(of: ImageStream, tag: str) -> None:
    tags.remove(of, tag)


def no_longer_wished(of: ImageStream, tag: str) -> None:
    tags.drop_wish(of, tag)


MOVES = pytest.mark.parametrize("act", [moved, asked_elsewhere, removed, no_longer_wished])


@MOVES
def test_a_held_tag_is_not_moved(act: object) -> None:
    old, new = app(), app()
    assert callable(act)
    act(new, "v1")
    act(new, "v2")

    [problem] = holds.violations(new, old, now=NOW)

    assert problem.field == "spec.tags[v1]"
    assert f"held by anna until {LATER}: checkout breaks" in problem.message


@MOVES
def test_a_hold_that_is_over_forbids_nothing(act: object) -> None:
    old, new = app(), app()
    assert callable(act)
    act(new, "v1")

    assert holds.violations(new, old, now=NOW + HOUR) == []


@pytest.mark.parametrize("instead", [None, Hold("another reason", "bert")])
@pytest.mark.parametrize("act", [moved, asked_elsewhere])
def test_whoever_lifts_or_replaces_a_hold_may_move_the_tag(act: object, instead: Hold | None) -> None:
    old, new = app(), app(instead)
    assert callable(act)
    act(new, "v1")

    assert holds.violations(new, old, now=NOW) == []


def test_a_held_tag_may_change_in_other_ways() -> None:
    old, new = app(), app()
    wished = tags.tag_of(new, "v1")
    assert wished is not None
    wished.import_policy.scheduled = True
    wished.annotations = {**(wished.annotations or {}), "note": "x"}
    wished.generation = 0

    assert holds.violations(new, old, now=NOW) == []


def test_a_held_tag_that_points_nowhere_takes_its_first_image() -> None:
    old = stream("app", held(wish("v1", "quay.io/x/a:1")))
    new = copy.deepcopy(old)
    moved(new, "v1")

    assert holds.violations(new, old, now=NOW) == []


def test_a_replacement_that_speaks_of_no_annotations_keeps_the_hold() -> None:
    before = held(wish("v1", "quay.io/x/a:1"))

    assert holds.kept(None, before, now=NOW) == HOLD.annotations()
    assert holds.kept({}, before, now=NOW) == HOLD.annotations()
    assert holds.kept({"note": "x"}, before, now=NOW) == {"note": "x"}
    assert holds.kept(None, before, now=NOW + HOUR) is None
    assert holds.kept(None, None, now=NOW) is None


# --- what the server does by itself


def imported(of: ImageStream, image: str, *, hours: int = 0) -> None:
    """Record that the tags `v1` and `v2` were looked at and that an image was found."""
    spec = ImageStreamImportSpec(import_=True, images=[])
    status = ImageStreamImportStatus(images=[])
    for tag in ("v1", "v2"):
        source = ObjectReference(kind="DockerImage", name=f"quay.io/x/a:{tag[1]}")
        found = Image(
            metadata=ObjectMeta(name=digest(image)),
            docker_image_reference=f"quay.io/example/app@{digest(image)}",
        )
        assert spec.images is not None
        assert status.images is not None
        spec.images.append(ImageImportSpec(from_=source, to=LocalObjectReference(name=tag)))
        status.images.append(ImageImportStatus(status=success(), image=found))
    record.apply(of, ImageStreamImport(spec=spec), status, now=NOW + hours * HOUR)


def of_repository(of: ImageStream, image: str, *tags_found: str) -> ImageStreamImportStatus:
    """Record that a whole repository was looked at, and return the answer."""
    source = ObjectReference(kind="DockerImage", name="quay.io/x/a")
    request = ImageStreamImport(
        metadata=ObjectMeta(name="app"),
        spec=ImageStreamImportSpec(import_=True, repository=RepositoryImportSpec(from_=source)),
    )
    found = Image(metadata=ObjectMeta(name=digest(image)), docker_image_reference=f"quay.io/x/a@{digest(image)}")
    entries = [ImageImportStatus(status=success(), image=copy.deepcopy(found), tag=tag) for tag in tags_found]
    answer = ImageStreamImportStatus(repository=RepositoryImportStatus(status=success(), images=entries))
    record.apply(of, request, answer, now=NOW)
    record.tell_held(of, request, answer, now=NOW)
    return answer


def test_an_import_of_a_repository_says_which_tags_are_held() -> None:
    of = app()

    answer = of_repository(of, "b", "v1", "v2")

    assert answer.repository is not None
    held, free = answer.repository.images or []
    assert (held.status["reason"], held.status["code"], free.status["status"]) == ("Invalid", 422, "Success")
    assert f"spec.repository.tags[v1]: Forbidden: the tag is held by anna until {LATER}" in str(held.status["message"])
    assert answer.repository.status["reason"] == "ImportFailed"
    assert (images(of, "v1"), images(of, "v2")) == ([digest("a")], [digest("b"), digest("a")])


def test_an_import_of_a_repository_in_which_nothing_moved_is_a_success() -> None:
    of = app()
    of_repository(of, "b", "v2")

    answer = of_repository(of, "b", "v2")

    assert answer.repository is not None
    assert answer.repository.status == success()


def test_an_import_leaves_a_held_tag_and_says_what_it_found() -> None:
    found = app()

    imported(found, "b")

    assert (images(found, "v1"), images(found, "v2")) == ([digest("a")], [digest("b"), digest("a")])
    [condition] = tags.conditions_of(found, "v1") or []
    assert (condition.type, condition.status, condition.reason) == (HELD, "True", "NewerImage")
    assert condition.message == (
        f"quay.io/example/app@{digest('b')} was found, but the tag is held by anna until {LATER}: checkout breaks"
    )
    assert tags.conditions_of(found, "v2") is None


def test_finding_the_same_again_changes_nothing() -> None:
    found = app(Hold("why", "anna"))
    imported(found, "b")
    before = copy.deepcopy(found)

    imported(found, "b", hours=1)

    assert found.status.tags is not None
    assert before.status.tags is not None
    assert found.status.tags[0] == before.status.tags[0]


def test_an_image_that_went_back_is_no_longer_newer() -> None:
    found = app()
    imported(found, "b")

    imported(found, "a")

    assert tags.conditions_of(found, "v1") is None


def test_an_import_moves_a_tag_whose_hold_is_over() -> None:
    found = app()
    imported(found, "b")

    imported(found, "b", hours=1)

    assert images(found, "v1") == [digest("b"), digest("a")]
    assert tags.conditions_of(found, "v1") is None


def following(hold: Hold | None = HOLD) -> ImageStream:
    """Return a stream whose tag `stable` is held and follows `latest`, as does `next`, which follows `stable`."""
    return stream(
        "app",
        wish("latest", generation=1),
        wish("next", "stable", kind="ImageStreamTag", generation=1),
        held(wish("stable", "latest", kind="ImageStreamTag", generation=1), hold),
        latest=event("a"), next=event("a"), stable=event("a"),
    )  # fmt: skip


def written(new: ImageStream, old: ImageStream, *, hours: int = 0) -> None:
    """Let the tag engine run on a write."""
    tags.prepare_update(new, old, keep_status=True)
    problems = tags.apply_references(
        new, old, source=lambda namespace, name: None, forbidden={}, now=NOW + hours * HOUR, hosts=tags.RegistryHosts()
    )
    assert problems == []


def test_a_held_follower_stays_and_so_do_its_own() -> None:
    old, new = following(), following()
    tags.push(new, "latest", event("b"))

    written(new, old)

    assert [images(new, tag)[0] for tag in ("latest", "stable", "next")] == [digest("b"), digest("a"), digest("a")]
    assert conditions(new, "stable") == ["Held NewerImage"]
    assert holds.violations(new, old, now=NOW) == []


def test_a_push_leaves_a_held_follower() -> None:
    found = following()
    tags.push(found, "latest", event("b"))

    assert tags.track(found, "latest", event("b"), now=NOW) == []
    assert conditions(found, "stable") == ["Held NewerImage"]


@pytest.mark.parametrize(("instead", "hours"), [(None, 0), (HOLD, 1)])
def test_a_follower_that_is_let_go_catches_up(instead: Hold | None, hours: int) -> None:
    old, new = following(), following()
    tags.push(new, "latest", event("b"))
    written(new, old)
    lifted = copy.deepcopy(new)
    wished = tags.tag_of(lifted, "stable")
    assert wished is not None
    held(wished, instead)

    written(lifted, new, hours=hours)

    assert [images(lifted, tag)[0] for tag in ("stable", "next")] == [digest("b"), digest("b")]
    assert conditions(lifted, "stable") == []
    assert holds.violations(lifted, new, now=NOW + hours * HOUR) == []
