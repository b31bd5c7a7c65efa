from __future__ import annotations

import copy

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imagestreams import history, tags
from imagestreams.types import ImageStream, NamedTagEventList, TagEvent, TagEventCondition
from tests.imagestreams.builders import NOW, digest, event, images, stream, wish

OLD = event("a", reference="quay.io/x/a:1")


@pytest.mark.parametrize(
    ("pushed", "expected"),
    [
        (event("a", reference="quay.io/x/a:1"), None),
        (event("a", reference="quay.io/x/a:1", generation=2), [("a", "quay.io/x/a:1", 2)]),
        (event("b", reference="quay.io/x/a:1", generation=2), [("b", "quay.io/x/a:1", 2)]),
        (event("a", reference="quay.io/x/a:2"), [("a", "quay.io/x/a:2", 1)]),
        (event("b", reference="quay.io/x/a:2", generation=2), [("b", "quay.io/x/a:2", 2), ("a", "quay.io/x/a:1", 1)]),
    ],
)
def test_only_another_image_from_elsewhere_is_a_new_entry(
    pushed: TagEvent, expected: list[tuple[str, str, int]] | None
) -> None:
    app = stream(v1=copy.copy(OLD))
    pushed.created = "2026-02-02T00:00:00Z"

    moved = history.push(app, "v1", pushed)

    entry = history.history_of(app, "v1")
    items = entry.items or [] if entry is not None else []
    found = [(item.image, item.docker_image_reference, item.generation) for item in items]
    wanted = expected or [("a", "quay.io/x/a:1", 1)]
    assert moved is (expected is not None)
    assert found == [(digest(image), reference, generation) for image, reference, generation in wanted]


def test_a_corrected_entry_keeps_its_time() -> None:
    app = stream(v1=copy.copy(OLD))

    history.push(app, "v1", event("b", reference=OLD.docker_image_reference, created="2026-02-02T00:00:00Z"))

    newest = history.latest(app, "v1")
    assert newest is not None
    assert newest.created == OLD.created


def test_mere_references_replace_each_other() -> None:
    app = stream(v1=event("", reference="quay.io/x/a:1"))

    history.push(app, "v1", event("", reference="quay.io/x/a:2"))

    assert images(app, "v1") == [""]


def test_any_change_clears_the_conditions() -> None:
    app = stream(v1=copy.copy(OLD))
    app.status.tags = [NamedTagEventList(tag="v1", items=[copy.copy(OLD)], conditions=[TagEventCondition()])]

    history.push(app, "v1", event("b"))

    assert history.conditions_of(app, "v1") is None


def test_a_push_that_changes_nothing_keeps_the_conditions() -> None:
    app = stream(v1=copy.copy(OLD))
    app.status.tags = [NamedTagEventList(tag="v1", items=[copy.copy(OLD)], conditions=[TagEventCondition()])]

    history.push(app, "v1", OLD)

    assert history.conditions_of(app, "v1")


def test_a_pushed_event_is_a_copy() -> None:
    app, pushed = stream(), event("a")

    history.push(app, "v1", pushed)
    pushed.image = "changed"

    assert images(app, "v1") == [digest("a")]


def test_of_two_tags_of_one_name_the_last_counts() -> None:
    app = stream("app", wish("b"), wish("a", "quay.io/x/a:1"), wish("a", "quay.io/x/a:2"))

    history.sort_tags(app)

    assert [(tag.name, tag.from_ and tag.from_.name) for tag in app.spec.tags or []] == [
        ("a", "quay.io/x/a:2"),
        ("b", None),
    ]


def test_removing_a_tag_removes_wish_and_history() -> None:
    app = stream("app", wish("v1"), v1=event("a"), v2=event("b"))

    assert history.remove(app, "v1") is True
    assert history.remove(app, "v1") is False
    assert app.spec.tags is None
    assert images(app, "v2") == [digest("b")]


def test_dropping_a_wish_keeps_the_history() -> None:
    app = stream("app", wish("v1"), v1=event("a"))

    assert history.drop_wish(app, "v1") is True
    assert images(app, "v1") == [digest("a")]


def test_moves_are_told_with_what_was_before() -> None:
    old = stream(gone=event("a"), moved=event("a"), same=event("c"))
    new = stream(moved=[event("b"), event("a")], new=event("d"), same=event("c", generation=4))

    told = {move.tag: (move.digest, move.previous_digest, move.removed) for move in tags.moves(old, new)}

    assert told == {
        "gone": ("", digest("a"), True),
        "moved": (digest("b"), digest("a"), False),
        "new": (digest("d"), "", False),
    }


def test_a_stream_that_comes_or_goes_moves_all_its_tags() -> None:
    app = stream(v1=event("a"))

    assert [move.removed for move in tags.moves(None, app)] == [False]
    assert [move.removed for move in tags.moves(app, None)] == [True]


NAMES = st.sampled_from(["latest", "v1", "v2", "a-1"])
EVENTS = st.builds(
    event,
    st.sampled_from(["", "a", "b", "c"]),
    reference=st.sampled_from(["quay.io/x/a:1", "quay.io/x/b:1", ""]),
    generation=st.integers(1, 3),
)
OPERATIONS = st.lists(
    st.one_of(
        st.tuples(st.just("push"), NAMES, EVENTS),
        st.tuples(st.just("wish"), NAMES, st.sampled_from(["quay.io/x/a:1", "v1", "app:v2", ""])),
        st.tuples(st.just("drop"), NAMES, st.just(None)),
        st.tuples(st.just("remove"), NAMES, st.just(None)),
    ),
    max_size=25,
)


def _apply(app: ImageStream, operation: tuple[str, str, object]) -> None:
    verb, name, argument = operation
    if isinstance(argument, TagEvent):
        history.push(app, name, argument)
    elif isinstance(argument, str):
        kind = "DockerImage" if "/" in argument else "ImageStreamTag"
        history.set_tag(app, wish(name, argument, kind=kind, reference=True))
    elif verb == "drop":
        history.drop_wish(app, name)
    else:
        history.remove(app, name)


@settings(deadline=None)
@given(OPERATIONS)
def test_any_operations_leave_tags_sorted(operations: list[tuple[str, str, object]]) -> None:
    app = stream()

    for operation in operations:
        old = copy.deepcopy(app)
        _apply(app, operation)
        tags.prepare_update(app, old, keep_status=True)
        tags.apply_references(
            app, old, source=lambda namespace, name: None, forbidden={}, now=NOW, hosts=tags.RegistryHosts()
        )

    wishes = [tag.name for tag in app.spec.tags or []]
    histories = [entry.tag for entry in app.status.tags or []]
    assert wishes == sorted(set(wishes))
    assert histories == sorted(set(histories))
    for entry in app.status.tags or []:
        assert entry.items


@given(st.lists(st.tuples(NAMES, EVENTS), max_size=20))
def test_a_history_is_newest_first(pushes: list[tuple[str, TagEvent]]) -> None:
    app = stream()

    for second, (name, pushed) in enumerate(pushes):
        pushed.created = f"2026-01-02T03:04:{second:02}Z"
        history.push(app, name, pushed)

    for entry in app.status.tags or []:
        created = [item.created or "" for item in entry.items or []]
        assert created == sorted(created, reverse=True)


@given(st.lists(st.tuples(NAMES, EVENTS), max_size=12), NAMES, EVENTS)
def test_pushing_twice_is_pushing_once(before: list[tuple[str, TagEvent]], name: str, pushed: TagEvent) -> None:
    app = stream()
    for other, earlier in before:
        history.push(app, other, earlier)

    history.push(app, name, pushed)
    once = copy.deepcopy(app)

    assert history.push(app, name, pushed) is False
    assert app == once
    newest = history.latest(app, name)
    assert newest is not None
    assert (newest.image, newest.docker_image_reference) == (pushed.image, pushed.docker_image_reference)


# --- what a write let a tag point to


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("", "a", "a"),
        ("", "cba", "abc"),
        ("a", "cba", "bc"),
        ("ba", "cba", "c"),
        ("ba", "bcba", "cb"),
        ("ba", "ba", ""),
        ("cba", "ca", ""),
        ("cba", "c", ""),
        ("cba", "ba", "b"),
        ("a", "ab", "ba"),
        ("ca", "cba", "bc"),
        ("a", "aa", ""),
        ("", "aa", "a"),
        ("ba", "", "-"),
        ("", "", ""),
    ],
)
def test_every_event_of_a_history_is_a_move(before: str, after: str, expected: str) -> None:
    old = stream("app", v1=[event(image) for image in before])
    new = stream("app", v1=[event(image) for image in after])

    found = tags.moves(old, new)

    assert "".join(move.digest[7:8] or "-" for move in found) == expected
    assert [move.position for move in found] == list(range(len(found)))
    heads = [before[:1], *(move.digest[7:8] for move in found)]
    assert [move.previous_digest[7:8] for move in found] == heads[: len(found)]
