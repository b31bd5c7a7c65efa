"""JSON patch: its operations, its pointers and its failures."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry_meta.kube.errors import StatusError
from registry_meta.kube.patch import REJECTED
from registry_meta.kube.patch.json import MOST_OPERATIONS, apply_json_patch

SCALARS = st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=3)
DOCUMENTS = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner)
)


def stream() -> dict[str, Any]:
    return {"labels": {"one": "1", "two": "2"}, "tags": [{"name": "x"}, {"name": "y"}], "a/b": {"m~n": 1}}


def failure(operations: object, document: object = None) -> StatusError:
    with pytest.raises(StatusError) as caught:
        apply_json_patch(stream() if document is None else document, operations)
    return caught.value


def test_operations_run_in_order() -> None:
    operations = [
        {"op": "add", "path": "/labels/three", "value": "3"},
        {"op": "replace", "path": "/labels/one", "value": "uno"},
        {"op": "remove", "path": "/labels/two"},
        {"op": "copy", "from": "/labels/three", "path": "/labels/four"},
        {"op": "move", "from": "/labels/four", "path": "/labels/five"},
    ]

    patched: Any = apply_json_patch(stream(), operations)

    assert patched["labels"] == {"one": "uno", "three": "3", "five": "3"}


def test_items_are_added_at_the_end_and_in_the_middle() -> None:
    operations = [
        {"op": "add", "path": "/tags/-", "value": {"name": "z"}},
        {"op": "add", "path": "/tags/1", "value": {"name": "w"}},
    ]

    patched: Any = apply_json_patch(stream(), operations)

    assert [tag["name"] for tag in patched["tags"]] == ["x", "w", "y", "z"]


def test_items_are_moved_replaced_and_removed() -> None:
    operations = [
        {"op": "move", "from": "/tags/0", "path": "/tags/1"},
        {"op": "replace", "path": "/tags/0", "value": {"name": "v"}},
        {"op": "remove", "path": "/tags/1"},
    ]

    patched: Any = apply_json_patch(stream(), operations)

    assert patched["tags"] == [{"name": "v"}]


def test_escapes_in_a_pointer() -> None:
    patched: Any = apply_json_patch(stream(), [{"op": "replace", "path": "/a~1b/m~0n", "value": 2}])

    assert patched["a/b"] == {"m~n": 2}


def test_the_whole_document_can_be_replaced() -> None:
    assert apply_json_patch(stream(), [{"op": "replace", "path": "", "value": {"new": True}}]) == {"new": True}


def test_values_do_not_stay_connected() -> None:
    value = {"deep": {"k": "v"}}
    operations = [
        {"op": "add", "path": "/p", "value": value},
        {"op": "copy", "from": "/p", "path": "/q"},
        {"op": "replace", "path": "/p/deep/k", "value": "w"},
    ]

    patched: Any = apply_json_patch({}, operations)

    assert patched == {"p": {"deep": {"k": "w"}}, "q": {"deep": {"k": "v"}}}
    assert value == {"deep": {"k": "v"}}


@pytest.mark.parametrize(
    ("path", "value"),
    [("/labels/one", "1"), ("/tags/1", {"name": "y"}), ("/a~1b", {"m~n": 1.0}), ("/labels/none", None)],
)
def test_a_test_that_holds(path: str, value: object) -> None:
    assert apply_json_patch(stream(), [{"op": "test", "path": path, "value": value}]) == stream()


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "test", "path": "/labels/one", "value": "uno"},
        {"op": "test", "path": "/a~1b/m~0n", "value": True},
        {"op": "test", "path": "/none/at/all", "value": None},
        {"op": "remove", "path": "/labels/none"},
        {"op": "remove", "path": "/tags/-"},
        {"op": "remove", "path": ""},
        {"op": "replace", "path": "/labels/none", "value": "1"},
        {"op": "add", "path": "/none/of/it", "value": 1},
        {"op": "add", "path": "/labels/one/deeper", "value": 1},
        {"op": "add", "path": "/tags/99", "value": {}},
        {"op": "add", "path": "/tags/01", "value": {}},
        {"op": "add", "path": "/tags/-1", "value": {}},
        {"op": "add", "path": "/tags/" + "9" * 5000, "value": {}},
        {"op": "add", "path": "/labels/x"},
        {"op": "add", "path": "labels", "value": 1},
        {"op": "add", "path": 1, "value": 1},
        {"op": "move", "from": "/labels", "path": "/labels/inner"},
        {"op": "copy", "path": "/labels/inner"},
        {"op": "frobnicate", "path": "/labels/one"},
        {"op": ["add"], "path": "/labels/one"},
        {"path": "/labels/one"},
    ],
)
def test_an_operation_that_fails_rejects_the_patch(operation: dict[str, object]) -> None:
    error = failure([operation])

    assert (error.code, error.reason, error.message) == (422, "Invalid", REJECTED)
    assert error.details is not None


@pytest.mark.parametrize("operations", [{"metadata": {}}, None, "add", [1], [None], [["add"]]])
def test_what_is_no_list_of_operations_is_malformed(operations: object) -> None:
    error = failure(operations)

    assert (error.code, error.reason) == (400, "BadRequest")


def test_there_is_a_limit_to_operations() -> None:
    error = failure([{"op": "test", "path": "/labels/one", "value": "1"}] * (MOST_OPERATIONS + 1))

    assert (error.code, error.reason) == (413, "RequestEntityTooLarge")
    assert error.message.endswith("The allowed maximum operations in a JSON patch is 10000, got 10001")


def test_copies_cannot_grow_without_bound() -> None:
    operations = [{"op": "copy", "from": "/a", "path": f"/a/{index}"} for index in range(40)]

    assert failure(operations, {"a": {}}).code == 422


def test_nesting_cannot_grow_without_bound() -> None:
    operations = [{"op": "add", "path": "/x" * depth, "value": {}} for depth in range(1, 3000)]

    assert failure(operations, {}).code == 422


@given(DOCUMENTS)
def test_no_operations_change_nothing(document: object) -> None:
    assert apply_json_patch(document, []) == document


@given(st.dictionaries(st.text(max_size=3), DOCUMENTS), st.text(max_size=3), DOCUMENTS)
def test_what_is_added_can_be_tested_and_removed(document: dict[str, object], key: str, value: object) -> None:
    path = "/" + key.replace("~", "~0").replace("/", "~1")
    before = copy.deepcopy(document)
    operations = [
        {"op": "add", "path": path, "value": value},
        {"op": "test", "path": path, "value": value},
        {"op": "remove", "path": path},
    ]

    patched = apply_json_patch(document, operations)

    assert patched == {name: item for name, item in before.items() if name != key}
    assert document == before
