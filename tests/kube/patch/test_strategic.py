"""Strategic merge patch: lists merged by key, directives, order."""

from __future__ import annotations

import copy
from typing import Annotated, Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry_meta.kube.errors import StatusError
from registry_meta.kube.meta import REPLACED, KubeObject, KubeStruct, merged_by
from registry_meta.kube.patch.schema import schema_of
from registry_meta.kube.patch.strategic import apply_strategic_patch


class Tag(KubeStruct):
    """A tag."""

    name: str = ""
    annotations: dict[str, str] | None = None
    conditions: Annotated[list[Condition] | None, merged_by("type")] = None


class Condition(KubeStruct):
    """A condition."""

    type: str = ""
    status: str = ""


class Spec(KubeStruct):
    """A spec."""

    local: bool = False
    tags: Annotated[list[Tag] | None, merged_by("name")] = None
    plain: list[Tag] | None = None
    details: Annotated[dict[str, object] | None, REPLACED] = None


class Thing(KubeObject):
    """A kind."""

    spec: Spec = msgspec.field(default_factory=Spec)
    named: dict[str, Tag] | None = None


def thing(*names: str) -> dict[str, Any]:
    return {
        "metadata": {"labels": {"one": "1"}, "finalizers": ["example.com/one"]},
        "spec": {"local": True, "tags": [{"name": name, "annotations": {"k": name}} for name in names]},
    }


def patched(document: dict[str, Any], patch: dict[str, Any]) -> Any:
    return apply_strategic_patch(document, patch, Thing)


def tags(document: dict[str, Any], *patch: Any, **order: Any) -> list[str]:
    spec: dict[str, Any] = {"tags": list(patch)} if patch else {}
    if order:
        spec["$setElementOrder/tags"] = [{"name": name} for name in order["order"]]
    return [tag["name"] for tag in patched(document, {"spec": spec})["spec"]["tags"]]


def failure(patch: dict[str, Any], document: dict[str, Any] | None = None) -> StatusError:
    with pytest.raises(StatusError) as caught:
        patched(document or thing("x", "y"), patch)
    return caught.value


def test_items_are_merged_by_their_key() -> None:
    patch = {"spec": {"tags": [{"name": "y", "annotations": {"m": "u"}}, {"name": "z"}]}}

    result = patched(thing("x", "y"), patch)

    assert result["spec"]["tags"] == [
        {"name": "x", "annotations": {"k": "x"}},
        {"name": "y", "annotations": {"k": "y", "m": "u"}},
        {"name": "z"},
    ]


def test_a_list_inside_an_item_is_merged_too() -> None:
    document = {"spec": {"tags": [{"name": "x", "conditions": [{"type": "A", "status": "False"}, {"type": "B"}]}]}}
    patch = {"spec": {"tags": [{"name": "x", "conditions": [{"type": "A", "status": "True"}]}]}}

    result = patched(document, patch)

    assert result["spec"]["tags"][0]["conditions"] == [{"type": "A", "status": "True"}, {"type": "B"}]


def test_the_values_of_a_map_have_their_type() -> None:
    document = {"named": {"one": {"conditions": [{"type": "A"}]}}}

    result = patched(document, {"named": {"one": {"conditions": [{"type": "B"}]}}})

    assert [condition["type"] for condition in result["named"]["one"]["conditions"]] == ["B", "A"]


def test_an_item_is_deleted() -> None:
    assert tags(thing("x", "y", "z"), {"$patch": "delete", "name": "y"}) == ["x", "z"]


def test_an_absent_item_may_be_deleted() -> None:
    assert tags(thing("x"), {"$patch": "delete", "name": "none"}) == ["x"]


def test_a_list_is_replaced_by_directive() -> None:
    assert tags(thing("x", "y"), {"$patch": "replace"}, {"name": "only"}) == ["only"]


def test_a_list_without_a_strategy_is_replaced() -> None:
    result = patched({"spec": {"plain": [{"name": "x"}]}}, {"spec": {"plain": [{"name": "y"}]}})

    assert result["spec"]["plain"] == [{"name": "y"}]


def test_null_deletes_a_key() -> None:
    result = patched(thing("x"), {"spec": {"tags": None, "local": None}, "metadata": {"labels": {"one": None}}})

    assert result == {"metadata": {"labels": {}, "finalizers": ["example.com/one"]}, "spec": {}}


def test_nulls_and_directives_do_not_survive_in_what_is_new() -> None:
    patch = {"spec": {"tags": [{"name": "x", "annotations": {"a": None, "b": "c"}, "$patch": "merge"}]}}

    assert patched({}, patch) == {"spec": {"tags": [{"name": "x", "annotations": {"b": "c"}}]}}


@pytest.mark.parametrize(
    ("patch", "labels"),
    [
        ({"two": "2"}, {"one": "1", "two": "2"}),
        ({"$patch": "merge", "two": "2"}, {"one": "1", "two": "2"}),
        ({"$patch": "replace", "two": "2"}, {"two": "2"}),
        ({"$patch": "delete", "two": "2"}, {}),
    ],
)
def test_a_map_follows_its_directive(patch: dict[str, str], labels: dict[str, str]) -> None:
    assert patched(thing(), {"metadata": {"labels": patch}})["metadata"]["labels"] == labels


def test_an_absent_map_may_be_deleted() -> None:
    assert patched({}, {"metadata": {"$patch": "delete"}}) == {}


def test_a_map_of_strategy_replace_is_replaced() -> None:
    result = patched({"spec": {"details": {"a": 1}}}, {"spec": {"details": {"b": 2}}})

    assert result["spec"]["details"] == {"b": 2}


@pytest.mark.parametrize(
    ("finalizers", "result"),
    [
        (["example.com/two", "example.com/one"], ["example.com/two", "example.com/one"]),
        (["example.com/two"], ["example.com/two", "example.com/one"]),
        (["example.com/one"], ["example.com/one"]),
        ([], ["example.com/one"]),
    ],
)
def test_scalars_are_merged_as_a_set(finalizers: list[str], result: list[str]) -> None:
    patch = {"metadata": {"finalizers": finalizers}}

    assert patched(thing(), patch)["metadata"]["finalizers"] == result


def test_scalars_are_deleted_from_a_set() -> None:
    patch = {"metadata": {"$deleteFromPrimitiveList/finalizers": ["example.com/one"], "finalizers": ["example.com/x"]}}

    assert patched(thing(), patch)["metadata"]["finalizers"] == ["example.com/x"]


def test_deleting_from_an_absent_set_makes_none() -> None:
    assert patched({}, {"metadata": {"$deleteFromPrimitiveList/finalizers": ["a"]}}) == {"metadata": {}}


def test_retained_keys_drop_the_others() -> None:
    patch = {"spec": {"$retainKeys": ["local"], "local": False}}

    assert patched(thing("x"), patch)["spec"] == {"local": False}


@pytest.mark.parametrize(
    ("live", "patch", "order", "result"),
    [
        ("xyz", "", "zyx", "zyx"),
        ("zyx", "w", "zwyx", "zwyx"),
        ("zwyx", "", "xw", "zyxw"),
        ("zyxw", "v", "", "vzyxw"),
        ("ab", "cd", "cd", "cdab"),
        ("abc", "xb", "", "xabc"),
        ("", "ba", "", "ba"),
    ],
)
def test_items_come_in_the_order_of_the_patch(live: str, patch: str, order: str, result: str) -> None:
    given_order = {"order": order} if order else {}

    assert "".join(tags(thing(*live), *({"name": name} for name in patch), **given_order)) == result


@pytest.mark.parametrize(
    ("patch", "code"),
    [
        ({"$patch": "explode"}, 400),
        ({"spec": {"tags": [{"annotations": {}}]}}, 400),
        ({"spec": {"tags": [{"name": {"deep": 1}}]}}, 400),
        ({"spec": {"tags": [{"name": "x"}, "text"]}}, 400),
        ({"spec": {"tags": ["text"]}}, 422),
        ({"spec": {"tags": [[]]}}, 422),
        ({"spec": {"tags": "text"}}, 422),
        ({"spec": {"tags": {"name": "x"}}}, 422),
        ({"metadata": {"finalizers": [{"name": "x"}]}}, 400),
        ({"spec": {"$retainKeys": "local"}}, 400),
        ({"spec": {"$retainKeys": [1]}}, 400),
        ({"spec": {"$retainKeys": ["local"], "tags": []}}, 422),
        ({"spec": {"$setElementOrder/tags": "x"}}, 400),
        ({"spec": {"$setElementOrder/tags": ["x"]}}, 400),
        ({"spec": {"$setElementOrder/tags": [{"name": "a"}], "tags": [{"name": "b"}]}}, 400),
        ({"metadata": {"$deleteFromPrimitiveList/finalizers": "x"}}, 400),
        ({"metadata": {"$deleteFromPrimitiveList/finalizers": [{}]}}, 400),
    ],
)
def test_what_makes_no_sense_is_refused(patch: dict[str, Any], code: int) -> None:
    assert failure(patch).code == code


def test_a_patch_against_the_order_is_refused_with_both_lists() -> None:
    order = [{"name": "x"}, {"name": "y"}]

    error = failure({"spec": {"$setElementOrder/tags": order, "tags": order[::-1]}})

    assert "The order in patch list:" in error.message
    assert "doesn't match $setElementOrder list:" in error.message


def test_a_live_item_without_its_key_is_left_alone() -> None:
    document = {"spec": {"tags": [{"annotations": {}}, {"name": "x"}]}}

    assert patched(document, {"spec": {"tags": [{"name": "x", "annotations": {"a": "b"}}]}})["spec"]["tags"] == [
        {"annotations": {}},
        {"name": "x", "annotations": {"a": "b"}},
    ]


NAMES = st.lists(st.sampled_from("abcdef"), unique=True)


@given(NAMES)
def test_an_object_patched_with_itself_stays_the_same(names: list[str]) -> None:
    document = thing(*names)

    assert patched(document, document) == document


@given(NAMES, NAMES)
def test_neither_argument_is_changed_and_twice_is_once(live: list[str], given_names: list[str]) -> None:
    document, patch = thing(*live), {"spec": {"tags": [{"name": name, "annotations": None} for name in given_names]}}
    before = copy.deepcopy((document, patch))

    once = patched(document, patch)

    assert patched(once, patch) == once
    assert (document, patch) == before
    assert {tag["name"] for tag in once["spec"]["tags"]} == {*live, *given_names}


@given(NAMES, NAMES)
def test_an_order_is_kept(live: list[str], order: list[str]) -> None:
    result = tags(thing(*live), order=order)

    assert sorted(result) == sorted(live)
    assert [name for name in result if name in order] == [name for name in order if name in live]
    assert [name for name in result if name not in order] == [name for name in live if name not in order]


def test_a_schema_is_read_once_and_knows_recursive_places() -> None:
    schema = schema_of(Thing)

    assert schema is schema_of(Thing)
    assert schema.member("spec").member("tags").items.member("conditions").merge_key == "type"
    assert not schema.member("nothing").member("at all").merges
