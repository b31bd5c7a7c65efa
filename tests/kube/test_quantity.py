"""Quantities: what is read, how it is written back, and that nothing is lost on the way."""

from __future__ import annotations

import pytest

from registry_meta.kube.decode import WrongType, convert
from registry_meta.kube.meta import KubeStruct
from registry_meta.kube.quantity import Form, InvalidQuantity, Quantity, QuantityText, canonical


class Holder(KubeStruct):
    """Something with quantities."""

    amount: QuantityText = "0"
    amounts: dict[str, QuantityText] | None = None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0", "0"), ("00", "0"), ("-0", "0"), ("0Ki", "0"), ("7", "7"), ("+7", "7"), ("-7", "-7"), ("007", "7"),
        ("1000", "1k"), ("1024", "1024"), ("1500", "1500"), ("1500000", "1500k"), ("1000k", "1M"),
        ("1Ki", "1Ki"), ("1024Ki", "1Mi"), ("10240Ki", "10Mi"), ("1.5Gi", "1536Mi"), ("1.5Ki", "1536"),
        ("0.5Ki", "512"), ("0.5Mi", "512Ki"), ("-2048Ki", "-2Mi"), ("1000Ki", "1000Ki"),
        ("0.1", "100m"), ("100m", "100m"), ("1000m", "1"), ("1500m", "1500m"), (".5", "500m"), ("5.", "5"),
        ("100u", "100u"), ("1n", "1n"), ("0.0000000001", "1n"), ("1.0000000001", "1000000001n"),
        ("1e3", "1e3"), ("1E3", "1e3"), ("12e5", "1200e3"), ("1e0", "1"), ("1e-3", "1e-3"), ("1E", "1E"),
        ("9Ei", "9223372036854775807"), ("1e400", "9223372036854775807"), ("-1e400", "-9223372036854775807"),
    ],
)  # fmt: skip
def test_a_quantity_has_one_canonical_text(text: str, expected: str) -> None:
    assert canonical(text) == expected
    assert canonical(expected) == expected


@pytest.mark.parametrize(
    "text", ["", " ", ".", "+", "1 k", "1ki", "1KiB", "1kk", "--1", "1e", "1e1.5", "1_000", "\u0661", "k", "1" * 2000]
)
def test_what_is_no_quantity_is_refused_without_being_quoted(text: str) -> None:
    with pytest.raises(InvalidQuantity) as caught:
        canonical(text)

    assert len(str(caught.value)) < 120


def test_quantities_are_compared_by_what_they_are_worth() -> None:
    assert Quantity.parse("1Ki") == Quantity.parse("1024") == Quantity.parse("1.024k")
    assert Quantity.parse("999m") < Quantity.parse("1") < Quantity.parse("1001m")
    assert Quantity.parse("9007199254740993") > Quantity.parse("9007199254740992")


@pytest.mark.parametrize(("size", "text"), [(10240, "10Ki"), (10241, "10241"), (20480, "20Ki"), (1000, "1k")])
def test_sizes_are_binary_where_that_is_exact(size: int, text: str) -> None:
    assert str(Quantity.of(size, Form.BINARY)) == text


def test_a_body_spells_a_quantity_as_text_or_number_and_holds_it_in_its_canonical_form() -> None:
    tree = {"amount": 1000, "amounts": {"a": "1024Mi", "b": 2, "c": 1.5, "d": None, "e": " 3 "}}

    holder, unknown = convert(tree, Holder)

    assert unknown == []
    assert holder == Holder(amount="1k", amounts={"a": "1Gi", "b": "2", "c": "1500m", "d": "0", "e": "3"})


@pytest.mark.parametrize("value", ["ten", True, [], {}])
def test_another_value_is_refused_with_its_field(value: object) -> None:
    with pytest.raises(WrongType) as caught:
        convert({"amounts": {"a": value}}, Holder)

    assert caught.value.code == 400
    assert "amounts.a" in caught.value.message
