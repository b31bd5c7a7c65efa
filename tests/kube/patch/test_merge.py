"""JSON merge patch: the examples of RFC 7386 and its laws."""

from __future__ import annotations

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry_meta.kube.patch.merge import apply_merge_patch

KEYS = st.sampled_from(["a", "b", "c"])
SCALARS = st.booleans() | st.integers(-5, 5) | st.text(max_size=2)
DOCUMENTS = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(KEYS, inner))
PATCHES = st.recursive(SCALARS | st.none(), lambda inner: st.lists(inner, max_size=2) | st.dictionaries(KEYS, inner))


@pytest.mark.parametrize(
    ("document", "patch", "merged"),
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        (["a", "b"], ["c", "d"], ["c", "d"]),
        ({"a": "b"}, ["c"], ["c"]),
        ({"a": "foo"}, None, None),
        ({"a": "foo"}, "bar", "bar"),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_the_examples_of_the_specification(document: object, patch: object, merged: object) -> None:
    assert apply_merge_patch(document, patch) == merged


@given(DOCUMENTS, PATCHES)
def test_a_patch_applied_twice_is_applied_once(document: object, patch: object) -> None:
    once = apply_merge_patch(document, patch)

    assert apply_merge_patch(once, patch) == once


@given(DOCUMENTS, PATCHES)
def test_neither_argument_is_changed(document: object, patch: object) -> None:
    before = copy.deepcopy((document, patch))

    apply_merge_patch(document, patch)

    assert (document, patch) == before


@given(st.dictionaries(KEYS, DOCUMENTS))
def test_an_empty_patch_changes_nothing(document: dict[str, object]) -> None:
    assert apply_merge_patch(document, {}) == document
