from __future__ import annotations

import copy
from collections.abc import Mapping

import pytest

from imagestreams import tags
from imagestreams.tags import RegistryHosts
from imagestreams.types import ImageStream, TagReference
from tests.imagestreams.builders import NOW, digest, event, images, stream, wish

TAG, IMAGE = "ImageStreamTag", "ImageStreamImage"
HOSTS = RegistryHosts("registry.internal:5000", "registry.example.com")


def _write(
    new: ImageStream,
    old: ImageStream | None = None,
    *others: ImageStream,
    forbidden: Mapping[tuple[str, str], str] | None = None,
    keep_status: bool = True,
) -> list[str]:
    """Run a write of a stream through generations and engine; return the errors."""
    known = {(other.metadata.namespace, other.metadata.name): other for other in others}
    if old is None:
        tags.prepare_create(new)
    else:
        tags.prepare_update(new, old, keep_status=keep_status)
    problems = tags.apply_references(
        new,
        old,
        source=lambda namespace, name: known.get((namespace, name)),
        forbidden=forbidden or {},
        now=NOW,
        hosts=HOSTS,
    )
    return [str(problem) for problem in problems]


def _heads(of: ImageStream) -> dict[str, tuple[str, str, int]]:
    return {
        history.tag: (event.image[7:8], event.docker_image_reference, event.generation)
        for history in of.status.tags or []
        for event in (history.items or [])[:1]
    }


def test_a_docker_image_waits_for_the_importer() -> None:
    app = stream("app", wish("v1", "quay.io/x/a:1"))

    assert _write(app) == []
    assert _heads(app) == {}


def test_a_mere_reference_is_history_at_once() -> None:
    app = stream("app", wish("v1", "quay.io/x/a:1", reference=True))

    assert _write(app) == []
    assert _heads(app) == {"v1": ("", "quay.io/x/a:1", 1)}


@pytest.mark.parametrize("namespace", ["", "shop"])
def test_a_tag_of_another_stream_is_copied(namespace: str) -> None:
    app = stream("app", wish("a", "src:v1", kind=TAG, namespace=namespace))
    src = stream("src", v1=event("a", generation=7, created="2025-05-05T00:00:00Z"))

    assert _write(app, None, src) == []
    newest = tags.latest(app, "a")
    assert newest is not None
    assert (newest.image, newest.generation, newest.created) == (digest("a"), 1, "2025-05-05T00:00:00Z")
    assert (src.status.tags or [])[0].items == [event("a", generation=7, created="2025-05-05T00:00:00Z")]


def test_an_empty_tag_means_latest() -> None:
    app = stream("app", wish("a", "src:", kind=TAG))

    assert _write(app, None, stream("src", latest=event("b"))) == []
    assert images(app, "a") == [digest("b")]


def test_a_lone_tag_is_one_of_this_stream() -> None:
    old = stream("app", v1=event("a"))
    app = stream("app", wish("copy", "v1", kind=TAG), v1=event("a"))

    assert _write(app, old) == []
    assert images(app, "copy") == [digest("a")]


def test_following_a_tag_leaves_the_followed_one_alone() -> None:
    old = stream("app", generation=4, v1=event("a", generation=1))
    app = stream("app", wish("copy", "v1", kind=TAG), v1=event("a", generation=1))

    _write(app, old)

    assert _heads(app)["v1"][2] == 1
    assert _heads(app)["copy"][2] == 5


def test_a_source_without_history_is_passed_over() -> None:
    app = stream("app", wish("a", "src:none", kind=TAG), wish("b", "none", kind=TAG))

    assert _write(app, None, stream("src")) == []
    assert _heads(app) == {}


@pytest.mark.parametrize(
    ("tag", "problem"),
    [
        (wish("a", "gone:v1", kind=TAG), 'spec.tags[a].from.name: Not found: "gone:v1"'),
        (wish("a", "s:a:b", kind=TAG), f'spec.tags[a].from.name: Invalid value: "s:a:b": {tags.FORM}'),
        (wish("a", "src@a@b", kind=IMAGE), f'spec.tags[a].from.name: Invalid value: "src@a@b": {tags.FORM}'),
        (wish("a", "x", kind="Pod"), f'spec.tags[a].from.name: Invalid value: "x": {tags.FORM}'),
        (
            wish("a", "quay.io/x/a:1", namespace="other"),
            f'spec.tags[a].from.name: Invalid value: "quay.io/x/a:1": {tags.FORM}',
        ),
        (
            wish("a", "src@sha256:ff", kind=IMAGE),
            'spec.tags[a].from.name: Invalid value: "src@sha256:ff": error generating tag event:'
            ' imagestreamimage.image.openshift.io "sha256:ff" not found',
        ),
        (
            wish("a", "src@sha256:a", kind=IMAGE),
            'spec.tags[a].from.name: Invalid value: "src@sha256:a": error generating tag event: Operation cannot be'
            ' fulfilled on imagestreamimage.image.openshift.io "sha256:a": multiple images match the prefix'
            f' "sha256:a": {digest("a0")}, {digest("a1")}',
        ),
    ],
)
def test_a_source_that_cannot_be_is_told(tag: TagReference, problem: str) -> None:
    src = stream("src", v1=[event("a1"), event("a0"), event("a1")])

    assert _write(stream("app", copy.deepcopy(tag)), None, src) == [problem]


@pytest.mark.parametrize("prefix", [digest("a1"), "sha256:a1", "a1"])
def test_an_image_is_found_by_the_start_of_its_digest(prefix: str) -> None:
    app = stream("app", wish("a", f"src@{prefix}", kind=IMAGE))
    src = stream("src", v1=[event("b"), event("a1")], v2=event("a0"))

    assert _write(app, None, src) == []
    newest = tags.latest(app, "a")
    assert newest is not None
    assert (newest.image, newest.created) == (digest("a1"), "2026-01-02T03:04:05Z")


def test_a_stream_that_may_not_be_pulled_from_is_refused() -> None:
    app = stream("app", wish("a", "src:v1", kind=TAG, namespace="other"))
    src = stream("src", namespace="other", v1=event("a"))

    assert tags.sources(app, None) == {("other", "src")}
    problems = _write(app, None, src, forbidden={("other", "src"): 'other/src: "" ""'})

    assert problems == ['spec.tags[a].from: Forbidden: other/src: "" ""']
    assert _heads(app) == {}


def test_only_new_and_changed_wishes_need_other_streams() -> None:
    old = stream("app", wish("a", "src:v1", kind=TAG, namespace="other", generation=1))
    app = stream(
        "app",
        wish("a", "src:v1", kind=TAG, namespace="other", generation=1),
        wish("b", "src2:v1", kind=TAG),
        wish("c", "v1", kind=TAG),
        wish("d", "quay.io/x/a:1"),
    )

    assert tags.sources(app, old) == {("shop", "src2")}


def test_a_copy_of_an_image_here_is_pulled_through_this_stream() -> None:
    here = f"{HOSTS.internal}/other/src@{digest('a')}"
    src = stream("src", namespace="other", v1=event("a", reference=here), v2=event("b"))
    app = stream(
        "app",
        wish("a", "src:v1", kind=TAG, namespace="other"),
        wish("b", "src:v2", kind=TAG, namespace="other"),
        wish("c", "src:v1", kind=TAG, namespace="other", reference=True),
    )

    assert _write(app, None, src) == []
    assert _heads(app)["a"][1] == f"{HOSTS.internal}/shop/app@{digest('a')}"
    assert _heads(app)["b"][1] == event("b").docker_image_reference
    assert _heads(app)["c"][1] == here


def test_asking_again_by_generation_zero_leaves_the_event_alone() -> None:
    old = stream(
        "app", wish("v1", "quay.io/x/a:1", reference=True, generation=1), v1=event("", reference="quay.io/x/a:1")
    )
    app = copy.deepcopy(old)
    (app.spec.tags or [])[0].generation = 0

    assert _write(app, old) == []
    assert app.metadata.generation == 2
    assert _heads(app) == {"v1": ("", "quay.io/x/a:1", 1)}


def test_a_push_moves_followers_one_level() -> None:
    app = stream(
        "app",
        wish("b", "a", kind=TAG),
        wish("c", "app:a", kind=TAG),
        wish("d", "b", kind=TAG),
        wish("e", "a", kind=TAG, namespace="other"),
        wish("f", "other:a", kind=TAG),
        wish("g", "quay.io/x/a:1"),
    )
    moved = event("a")
    tags.push(app, "a", moved)

    assert tags.track(app, "a", moved, now=NOW) == ["b", "c"]
    assert sorted(_heads(app)) == ["a", "b", "c"]


@pytest.mark.parametrize("keep_status", [True, False])
def test_every_write_refreshes_followers_and_theirs(keep_status: bool) -> None:
    follower = [wish("b", "a", kind=TAG, generation=1), wish("c", "b", kind=TAG, generation=1)]
    old = stream("app", *copy.deepcopy(follower), a=event("a"), b=event("a"), c=event("a"))
    app = copy.deepcopy(old)
    app.spec.tags = [wish("a", "quay.io/x/new:1", reference=True), *follower]

    assert _write(app, old, keep_status=keep_status) == []
    assert {tag: head[1] for tag, head in _heads(app).items()} == dict.fromkeys("abc", "quay.io/x/new:1")


@pytest.mark.parametrize("names", [("a", "b", "c"), ("c", "b", "a"), ("b", "c", "a")])
def test_tags_that_come_to_follow_a_tag_in_the_write_that_moves_it_move_once(names: tuple[str, str, str]) -> None:
    first, second, third = names
    old = stream("app", a=event("a"), b=event("b"), c=event("c"))
    app = copy.deepcopy(old)
    app.spec.tags = [
        wish(first, "quay.io/x/a:1", reference=True), wish(second, first, kind=TAG), wish(third, second, kind=TAG)
    ]  # fmt: skip

    assert _write(app, old) == []
    assert {name: images(app, name) for name in names} == {name: ["", digest(name)] for name in names}


def test_a_tag_that_is_moved_twice_by_one_write_has_both_events() -> None:
    old = stream("app", v1=[event("b"), event("a")])
    app = copy.deepcopy(old)
    tags.push(app, "v1", event("c"))
    tags.push(app, "v1", event("d"))
    tags.push(app, "v2", event("a"))
    tags.push(app, "v2", event("b"))

    assert _write(app, old) == []
    assert images(app, "v1") == [digest("d"), digest("c"), digest("b"), digest("a")]
    assert images(app, "v2") == [digest("b"), digest("a")]


def test_an_import_to_a_tag_that_is_only_a_reference_leaves_both_events() -> None:
    old = stream("app", wish("v1", "quay.io/x/a:1", reference=True, generation=1))
    tags.push(old, "v1", event("", reference="quay.io/x/a:1"))
    app = copy.deepcopy(old)
    app.spec.tags = [wish("v1", "quay.io/x/a:1", reference=True, generation=1, mode="PreserveOriginal")]
    tags.push(app, "v1", event("b"))

    assert _write(app, old) == []
    assert images(app, "v1") == ["", digest("b"), ""]
    assert [(move.digest, move.position) for move in tags.moves(old, app)] == [(digest("b"), 0), ("", 1)]


def test_tags_in_a_circle_come_to_rest() -> None:
    old = stream("app", a=event("a"), b=event("b"), c=event("c"))
    app = copy.deepcopy(old)
    app.spec.tags = [wish("a", "b", kind=TAG), wish("b", "c", kind=TAG), wish("c", "a", kind=TAG)]

    assert _write(app, old) == []
    assert all(len(images(app, tag)) <= 3 for tag in "abc")


def test_a_tag_that_follows_itself_stays() -> None:
    old = stream("app", a=event("a"))
    app = copy.deepcopy(old)
    app.spec.tags = [wish("a", "a", kind=TAG)]

    assert _write(app, old) == []
    assert images(app, "a") == [digest("a")]


@pytest.mark.parametrize(
    ("hosts", "spec_repository", "repository", "public"),
    [
        (HOSTS, "", "registry.internal:5000/shop/app", "registry.example.com/shop/app"),
        (HOSTS, "quay.io/x/a", "registry.internal:5000/shop/app", "registry.example.com/shop/app"),
        (RegistryHosts(), "quay.io/x/a", "quay.io/x/a", ""),
        (RegistryHosts(), "", "", ""),
        (RegistryHosts(external="e.example"), "", "", "e.example/shop/app"),
    ],
)
def test_where_a_stream_is_served(hosts: RegistryHosts, spec_repository: str, repository: str, public: str) -> None:
    app = stream("app")
    app.spec.docker_image_repository = spec_repository

    tags.decorate(app, hosts)

    assert app.status.docker_image_repository == repository
    assert app.status.public_docker_image_repository == public


def test_a_stream_without_a_namespace_is_in_the_default_one() -> None:
    assert HOSTS.repository("", "app") == "registry.internal:5000/default/app"


@pytest.mark.parametrize(
    ("policy", "repository", "image", "expected"),
    [
        ("Source", "r.internal/shop/app", "a", "quay.io/x/a:1"),
        ("Local", "r.internal/shop/app", "a", f"r.internal/shop/app@{digest('a')}"),
        ("Local", "r.internal/shop/app:tag", "a", f"r.internal/shop/app@{digest('a')}"),
        ("Local", "", "a", "quay.io/x/a:1"),
        ("Local", "a//b", "a", "quay.io/x/a:1"),
        ("Local", "r.internal/shop/app", "", "quay.io/x/a:1"),
    ],
)
def test_how_consumers_refer_to_an_image(policy: str, repository: str, image: str, expected: str) -> None:
    app = stream("app", wish("v1", "quay.io/x/a:1", policy=policy))
    app.status.docker_image_repository = repository

    assert tags.resolve_reference(app, "v1", event(image, reference="quay.io/x/a:1")) == expected
    assert tags.resolve_reference(app, "pushed", event(image, reference="quay.io/x/a:1")) == "quay.io/x/a:1"
