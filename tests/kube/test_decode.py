"""Request bodies: JSON and YAML, typed objects, unknown and repeated fields."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry_meta.kube import decode
from registry_meta.kube.decode import WrongType
from registry_meta.kube.errors import StatusError
from registry_meta.kube.meta import EMBEDDED, KubeObject, KubeStruct, ObjectMeta, Time

Base64 = Annotated[str, msgspec.Meta(extra_json_schema={"format": "byte"})]


class Part(KubeStruct):
    """A part, which may hold parts."""

    name: str = ""
    size: int = 0
    ratio: float = 0
    ready: bool = False
    parts: list[Part] | None = None
    names: list[str] | None = None


class Thing(KubeObject):
    """A kind with a field of each type."""

    part: Part | None = None
    named: dict[str, Part] | None = None
    labels: dict[str, str] | None = None
    free: dict[str, object] | None = None
    anything: object = None
    seen: Time | None = None
    content: Base64 | None = None
    mode: Literal["", "one", "two"] = ""
    inner: Inner | None = None
    foreign: Annotated[Part | None, EMBEDDED] = None


class Inner(KubeObject):
    """An object inside an object."""


def refusal(body: bytes, media_type: str = "json") -> StatusError:
    with pytest.raises(StatusError) as caught:
        decode.parse(body, media_type, kind="Thing")
    return caught.value


def mismatch(tree: dict[str, Any]) -> str:
    with pytest.raises(WrongType) as caught:
        decode.convert(tree, Thing)
    assert (caught.value.code, caught.value.reason) == (400, "BadRequest")
    return caught.value.message


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"  \n",
        b"hello",
        b'{"metadata": {"name": "a"',
        b'{"metadata": {"name": "trailing"}} x',
        b"{'a': 1}",
        b'{"a": NaN}',
        b'{"a": 1e999}',
        b"\xef\xbb\xbf{}",
        b'{"a": "\n"}',
        b"[" * 201 + b"]" * 201,
        b"[" * 100_000,
    ],
)
def test_what_is_no_json_is_refused(body: bytes) -> None:
    error = refusal(body)

    assert (error.code, error.reason) == (400, "BadRequest")
    assert error.message.startswith("the object provided is unrecognized (must be of type Thing): ")


def test_a_refusal_does_not_quote_the_body() -> None:
    assert "hunter2" not in refusal(b'{"data": {"password": hunter2}}').message
    assert "hunter2" not in refusal(b"data: {password: hunter2]", "yaml").message


@pytest.mark.parametrize(
    ("body", "tree"), [(b"[]", []), (b"1", 1), (b"null", None), (b' {"a": "\\u00e9"} ', {"a": "é"})]
)
def test_json_of_any_shape_is_read(body: bytes, tree: object) -> None:
    assert decode.parse(body, "json") == decode.Parsed(tree)


def test_bytes_outside_utf_8_and_halves_of_pairs_are_replaced() -> None:
    assert decode.parse(b'{"a": "\xff"}', "json").tree == {"a": "\ufffd"}
    assert decode.parse(rb'{"a": "\ud800", "b": "\ud83d\ude00"}', "json").tree == {"a": "\ufffd", "b": "😀"}


def test_what_has_more_than_64_bits_is_a_float() -> None:
    tree = decode.parse(b"[9223372036854775807, 18446744073709551616, " + b"1" * 300 + b"]", "json").tree

    assert [type(item) for item in tree] == [int, float, float]


@pytest.mark.parametrize(
    ("body", "duplicates"),
    [
        (b'{"metadata": {"name": "a", "name": "b"}, "spec": {}}', ['duplicate field "metadata.name"']),
        (b'{"spec": 1, "spec": 2, "spec": 3}', ['duplicate field "spec"']),
        (
            b'{"tags": [{"name": "x"}, {"name": "y", "a": 1, "name": "z", "a": 2}]}',
            ['duplicate field "tags[1].name"', 'duplicate field "tags[1].a"'],
        ),
    ],
)
def test_fields_given_twice_are_named(body: bytes, duplicates: list[str]) -> None:
    assert decode.parse(body, "json").duplicates == duplicates


def test_the_last_of_two_counts() -> None:
    assert decode.parse(b'{"name": "a", "name": "b"}', "json").tree == {"name": "b"}
    assert decode.parse(b"name: a\nname: b\n", "yaml").tree == {"name": "b"}


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("a: yes\nb: off\nc: True\nd: y\n", {"a": True, "b": False, "c": True, "d": "y"}),
        ("a: 2024-01-02T03:04:05Z\nb: 2024-01-02\n", {"a": "2024-01-02T03:04:05Z", "b": "2024-01-02"}),
        (
            "a: 12\nb: 0x1F\nc: 0o17\nd: 017\ne: 1_000\nf: -0b11\n",
            {"a": 12, "b": 31, "c": 15, "d": 15, "e": 1000, "f": -3},
        ),
        ("a: 1.5\nb: 1e3\nc: .5\nd: 1.2.3\ne: 08\n", {"a": 1.5, "b": 1000, "c": 0.5, "d": "1.2.3", "e": 8}),
        ("a:\nb: ~\nc: null\nd: ''\n", {"a": None, "b": None, "c": None, "d": ""}),
        ("a: '5'\nb: !!str 5\nc: \"yes\"\nd: !!int 5\n", {"a": "5", "b": "5", "c": "yes", "d": 5}),
        ("1: a\ntrue: b\n", {"1": "a", "true": "b"}),
        ("a: &x [1, {b: c}]\nd: *x\n", {"a": [1, {"b": "c"}], "d": [1, {"b": "c"}]}),
        (
            "base: &b {k: v, l: w}\na:\n  <<: *b\n  k: own\n",
            {"base": {"k": "v", "l": "w"}, "a": {"k": "own", "l": "w"}},
        ),
        ("a: |\n  text\n  more\n", {"a": "text\nmore\n"}),
        ('{"a": [1, "b", null, {"c": true}]}', {"a": [1, "b", None, {"c": True}]}),
        ("- a\n- - b\n", ["a", ["b"]]),
        ("# nothing\n", None),
    ],
)
def test_yaml_is_read_as_the_json_it_spells(text: str, tree: object) -> None:
    parsed = decode.parse(text.encode(), "yaml")

    assert parsed == decode.Parsed(tree)
    assert repr(parsed.tree) == repr(tree)


def test_keys_given_twice_in_yaml_are_named() -> None:
    body = b"metadata:\n  name: s\n  name: t\ntags:\n- {a: 1}\n- {a: 1, a: 2}\n"

    assert decode.parse(body, "yaml").duplicates == ['duplicate field "metadata.name"', 'duplicate field "tags[1].a"']


LAUGHS = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 10)}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    "text",
    [
        "a: [", "a: b: c", "a: *none", "--- a\n--- b\n", "? [a]\n: b", "a: !custom b", "a: !!int text", "a: .inf",
        "a: 1e999", "<<: text", "a: \x00", "[" * 201 + "]" * 201, "[" * 100_000, LAUGHS, "a: &a [*a]",
    ],
)  # fmt: skip
def test_yaml_that_is_no_json_is_refused(text: str) -> None:
    error = refusal(text.encode(), "yaml")

    assert error.code == 400
    assert "error converting YAML to JSON" in error.message


def test_an_object_is_read_with_its_defaults() -> None:
    tree = {"metadata": {"name": "a"}, "part": {"size": 2, "ratio": 1, "parts": [{"ready": True}]}, "labels": {"x": ""}}

    thing, unknown = decode.convert(tree, Thing)

    assert thing == Thing(
        metadata=ObjectMeta(name="a"), part=Part(size=2, ratio=1.0, parts=[Part(ready=True)]), labels={"x": ""}
    )
    assert unknown == []


def test_null_is_absent() -> None:
    tree = {"metadata": {"name": None, "labels": None, "creationTimestamp": None}, "part": None, "mode": None}

    assert decode.convert(tree, Thing) == (Thing(), [])


def test_an_empty_list_or_map_is_absent_where_null_may_be() -> None:
    tree = {"metadata": {"labels": {}, "finalizers": []}, "part": {"parts": [], "names": []}, "named": {}, "free": {}}

    assert decode.convert(tree, Thing) == (Thing(part=Part(), free={}), [])


def test_null_inside_lists_and_maps_is_the_zero_value() -> None:
    tree = {"labels": {"a": None}, "part": {"parts": [None], "names": [None]}, "named": {"x": None}}

    thing, _ = decode.convert(tree, Thing)

    assert thing == Thing(labels={"a": ""}, part=Part(parts=[Part()], names=[""]), named={"x": Part()})


def test_what_is_free_stays_as_it_is() -> None:
    free = {"a": None, "b": [None, {"c": 1.5}]}

    thing, unknown = decode.convert({"free": free, "anything": [free]}, Thing)

    assert (thing.free, thing.anything, unknown) == (free, [free], [])


def test_unknown_fields_are_dropped_and_named() -> None:
    tree = {
        "wrong": 1,
        "Part": {},
        "part": {"foo": None, "parts": [{}, {"bar": {"deep": 1}}]},
        "named": {"x.y": {"baz": 1}},
        "metadata": {"nonsense": []},
    }

    _, unknown = decode.convert(tree, Thing)

    assert unknown == [
        'unknown field "wrong"',
        'unknown field "Part"',
        'unknown field "part.foo"',
        'unknown field "part.parts[1].bar"',
        'unknown field "named.x.y.baz"',
        'unknown field "metadata.nonsense"',
    ]


def test_unknown_fields_of_an_embedded_object_go_unmentioned() -> None:
    thing, unknown = decode.convert({"foreign": {"name": "a", "Colour": 1, "parts": [{"size": 1, "x": 1}]}}, Thing)

    assert (thing, unknown) == (Thing(foreign=Part(name="a", parts=[Part(size=1)])), [])


def test_what_every_object_may_say_is_known() -> None:
    tree = {"kind": "Thing", "apiVersion": "v1", "inner": {"kind": "Inner", "metadata": {"selfLink": "/a"}}}

    assert decode.convert(tree, Thing) == (Thing(inner=Inner()), [])


@pytest.mark.parametrize(
    ("tree", "message"),
    [
        ({"metadata": "text"}, "cannot unmarshal string into field metadata of type ObjectMeta"),
        ({"metadata": {"name": 12}}, "cannot unmarshal number into field metadata.name of type string"),
        ({"metadata": {"name": ["a"]}}, "cannot unmarshal array into field metadata.name of type string"),
        ({"metadata": {"labels": {"a": 1}}}, "cannot unmarshal number into field metadata.labels.a of type string"),
        ({"metadata": {"generation": True}}, "cannot unmarshal bool into field metadata.generation of type int64"),
        ({"part": []}, "cannot unmarshal array into field part of type Part"),
        ({"part": {"size": "1"}}, "cannot unmarshal string into field part.size of type int64"),
        ({"part": {"size": 1.0}}, "cannot unmarshal number into field part.size of type int64"),
        ({"part": {"size": 2**63}}, "cannot unmarshal number into field part.size of type int64"),
        ({"part": {"ratio": "1"}}, "cannot unmarshal string into field part.ratio of type float64"),
        ({"part": {"ready": "yes"}}, "cannot unmarshal string into field part.ready of type bool"),
        ({"part": {"ready": 1}}, "cannot unmarshal number into field part.ready of type bool"),
        ({"part": {"parts": {}}}, "cannot unmarshal object into field part.parts of type list"),
        (
            {"part": {"parts": [{}, {"name": {}}]}},
            "cannot unmarshal object into field part.parts[1].name of type string",
        ),
        ({"named": []}, "cannot unmarshal array into field named of type map"),
        ({"free": "x"}, "cannot unmarshal string into field free of type map"),
        ({"seen": "yesterday"}, "cannot unmarshal string into field seen of type Time (RFC 3339)"),
        ({"seen": "2024-13-02T03:04:05Z"}, "cannot unmarshal string into field seen of type Time (RFC 3339)"),
        ({"seen": 1}, "cannot unmarshal number into field seen of type Time"),
        ({"content": "!"}, "cannot unmarshal string into field content of type bytes (base64)"),
        ({"mode": "three"}, "cannot unmarshal string into field mode of type  | one | two"),
    ],
)
def test_a_wrong_type_is_named_by_its_field(tree: dict[str, Any], message: str) -> None:
    assert mismatch(tree) == f'Thing in version "v1" cannot be handled as a Thing: json: {message}'


def test_a_mismatch_says_the_kind_that_the_caller_names() -> None:
    with pytest.raises(WrongType) as caught:
        decode.convert({"part": 1}, Thing, kind="Other", version="v2")

    assert caught.value.message.startswith('Other in version "v2" cannot be handled as a Other: json: ')


@pytest.mark.parametrize(
    ("given_time", "seen"),
    [
        ("2024-01-02T03:04:05Z", "2024-01-02T03:04:05Z"),
        ("2024-01-02t03:04:05.999z", "2024-01-02T03:04:05Z"),
        ("2024-01-02T03:04:05.123456789+02:00", "2024-01-02T01:04:05Z"),
        ("0001-01-01T00:00:00Z", None),
    ],
)
def test_times_are_brought_to_utc_and_whole_seconds(given_time: str, seen: str | None) -> None:
    assert decode.convert({"seen": given_time}, Thing)[0].seen == seen


def test_base64_is_kept_without_line_ends() -> None:
    assert decode.convert({"content": "YWJj\nZA=="}, Thing)[0].content == "YWJjZA=="


def test_the_strict_error_lists_everything() -> None:
    error = decode.strict_error("Thing", "v1", ['unknown field "a"', 'duplicate field "b"'])

    assert error.code == 400
    assert error.message == (
        'Thing in version "v1" cannot be handled as a Thing: strict decoding error: unknown field "a",'
        ' duplicate field "b"'
    )


def test_a_warning_is_escaped() -> None:
    assert decode.warning_header('unknown field "spec.a\\b"\r\nX: y') == r'299 - "unknown field \"spec.a\\b\"X: y"'


def test_warnings_are_given_once_and_cut_when_there_are_too_many() -> None:
    assert decode.warning_headers(["a", "b", "a"]) == ['299 - "a"', '299 - "b"']
    assert [len(text) for text in decode.warning_headers([letter * 300 for letter in "abcdefghijklmnopqrst"])] == [
        264
    ] * 16


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)  # fmt: skip


@given(JSON)
def test_json_comes_back_as_it_was(tree: object) -> None:
    assert decode.parse(json.dumps(tree).encode(), "json") == decode.Parsed(tree)


@given(JSON)
def test_what_is_free_is_never_refused(tree: object) -> None:
    assert decode.convert({"anything": tree}, Thing)[0].anything == tree
