"""Label and field selectors: what they select, and what is said of those that cannot be read."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry_meta.kube.errors import StatusError
from registry_meta.kube.selectors import FieldSelector, LabelSelector

OBJECTS = {
    "one": {"color": "red", "size": "5", "example.com/tier": "web"},
    "two": {"color": "blue", "size": "10"},
    "three": {"color": "", "size": "big"},
    "four": {},
}


def selected(text: str) -> list[str]:
    selector = LabelSelector.parse(text)
    return [name for name, labels in OBJECTS.items() if selector.matches(labels)]


def message(parse: Callable[[str], Any], text: str) -> str:
    with pytest.raises(StatusError) as caught:
        parse(text)
    assert (caught.value.code, caught.value.reason) == (400, "BadRequest")
    return caught.value.message


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("color=red", ["one"]),
        ("color==red", ["one"]),
        ("color!=red", ["two", "three", "four"]),
        ("color=", ["three"]),
        ("color=,size", ["three"]),
        ("color", ["one", "two", "three"]),
        ("!color", ["four"]),
        ("! color", ["four"]),
        ("color in (red,blue)", ["one", "two"]),
        ("color in (,red)", ["one", "three"]),
        ("color in (red,)", ["one", "three"]),
        ("color in (red,,blue)", ["one", "two", "three"]),
        ("color in ()", ["three"]),
        ("color notin (red, blue)", ["three", "four"]),
        ("color notin ()", ["one", "two", "four"]),
        ("color,size=5", ["one"]),
        ("  color  in ( red , blue ) , size ", ["one", "two"]),
        ("size>5", ["two"]),
        ("size > -1", ["one", "two"]),
        ("size<10", ["one"]),
        ("example.com/tier=web", ["one"]),
        ("color=green", []),
        ("in=in,notin", []),
        ("", ["one", "two", "three", "four"]),
        (" \t\n", ["one", "two", "three", "four"]),
    ],
)
def test_labels_are_selected(text: str, names: list[str]) -> None:
    assert selected(text) == names


def test_an_empty_selector_knows_that_it_selects_everything() -> None:
    assert LabelSelector.parse(" ").is_empty
    assert not LabelSelector.parse("a").is_empty


def test_numbers_beyond_64_bits_are_no_numbers() -> None:
    assert not LabelSelector.parse("size>5").matches({"size": "9" * 19})
    assert not LabelSelector.parse("size>5").matches({"size": "\u0669"})


LONG = "a" * 64
NO_REQUIREMENT = "unable to parse requirement: "


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("color red", NO_REQUIREMENT + "found 'red', expected: in, notin, =, ==, !=, gt, lt"),
        ("color in (red", NO_REQUIREMENT + "found '', expected: ',' or ')'"),
        ("color in", NO_REQUIREMENT + "found '', expected: '('"),
        ("color in red", NO_REQUIREMENT + "found 'red', expected: '('"),
        ("color in (=)", NO_REQUIREMENT + "found '=', expected: ',', ')' or identifier"),
        ("color in (a,=)", NO_REQUIREMENT + "found '=', expected: ',', or identifier"),
        ("color in (a b)", NO_REQUIREMENT + "found 'b', expected: ',' or ')'"),
        (",", "found ',', expected: !, identifier, or 'end of string'"),
        ("color,", "found '', expected: identifier after ','"),
        ("color,,size", "found ',', expected: identifier after ','"),
        ("=red", "found '=', expected: !, identifier, or 'end of string'"),
        ("color=re!d", "found '!', expected: ',' or 'end of string'"),
        ("!color=red", "found '=', expected: ',' or 'end of string'"),
        ("color==(", NO_REQUIREMENT + "found '(', expected: identifier"),
        ("!!color", NO_REQUIREMENT + "found '!', expected: identifier"),
        (
            "size>big",
            NO_REQUIREMENT
            + "values[0]: Invalid value: \"big\": for 'Gt', 'Lt' operators, the value must be an integer",
        ),
        (f"color={LONG}", NO_REQUIREMENT + f'values[0][color]: Invalid value: "{LONG}": must be no more than 63 bytes'),
    ],
)  # fmt: skip
def test_a_label_selector_that_cannot_be_read_is_explained(text: str, expected: str) -> None:
    assert message(LabelSelector.parse, text) == expected


@pytest.mark.parametrize("text", ["-color=red", "a/b/c", "color=-red", "color in (-a,-b)", "é"])
def test_keys_and_values_must_be_those_of_labels(text: str) -> None:
    assert message(LabelSelector.parse, text).startswith(NO_REQUIREMENT)


def fields(**values: str) -> Callable[[str], str]:
    return lambda key: values[key.rpartition(".")[2]]


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("metadata.name=a", True),
        ("metadata.name==a", True),
        ("metadata.name!=a", False),
        ("metadata.name=a,metadata.namespace=other", False),
        ("metadata.name=a,metadata.namespace!=other", True),
        (",metadata.name=a,", True),
        ("", True),
    ],
)
def test_fields_are_selected(text: str, *, holds: bool) -> None:
    assert FieldSelector.parse(text).matches(fields(name="a", namespace="n")) is holds


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("metadata.name=a", "a"),
        ("metadata.namespace!=x,metadata.name==a", "a"),
        ("metadata.name!=a", None),
        ("metadata.namespace=a", None),
        ("metadata.name=", ""),
        (r"metadata.name=a\,b\=c\\", "a,b=c\\"),
    ],
)
def test_the_value_that_a_field_must_have_is_known(text: str, value: str | None) -> None:
    assert FieldSelector.parse(text).value_of("metadata.name") == value


def test_the_fields_of_a_selector_are_known() -> None:
    assert FieldSelector.parse("a=1,b!=2,a=3").fields == {"a", "b"}
    assert FieldSelector.parse("").is_empty


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("metadata.name", "invalid selector: 'metadata.name'; can't understand 'metadata.name'"),
        ("a=b,metadata.name", "invalid selector: 'a=b,metadata.name'; can't understand 'metadata.name'"),
        ("metadata.name in (a)", "invalid selector: 'metadata.name in (a)'; can't understand 'metadata.name in (a)'"),
        (r"metadata.name=a\q", r"invalid field selector: invalid escape sequence: \q"),
        ("metadata.name=a\\", "invalid field selector: invalid escape sequence: \\"),
        ("metadata.name=a=b", "invalid field selector: unescaped character in value: ="),
    ],
)
def test_a_field_selector_that_cannot_be_read_is_explained(text: str, expected: str) -> None:
    assert message(FieldSelector.parse, text) == expected


@given(st.text(alphabet="a=,\\! ", max_size=8))
def test_escapes_carry_any_value(value: str) -> None:
    escaped = value.replace("\\", "\\\\").replace(",", "\\,").replace("=", "\\=")

    assert FieldSelector.parse(f"b=c,k={escaped},d=e").value_of("k") == value


@given(st.text(alphabet="ab =,()!<>/\\in", max_size=12))
def test_any_text_is_read_or_refused(text: str) -> None:
    for parse in (LabelSelector.parse, FieldSelector.parse):
        with suppress(StatusError):
            parse(text)


@pytest.mark.parametrize(
    ("text", "traces"),
    [
        ("color=red", (('"color":"red"',),)),
        ("color=", (('"color":""',),)),
        ("color in (red,blue),size", (('"color":"blue"', '"color":"red"'), ('"size":"',))),
        ("size>5", (('"size":"',),)),
        ("color!=red,!size", ()),
        (f"color in ({','.join('abcdefghijk')})", (('"color":"',),)),
    ],
)
def test_a_selector_says_what_the_documents_have_that_it_selects(
    text: str, traces: tuple[tuple[str, ...], ...]
) -> None:
    assert LabelSelector.parse(text).traces == traces
