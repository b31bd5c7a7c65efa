"""Quantities as Kubernetes writes them: exact numbers with a decimal, binary or exponential suffix. Pure.

    100m   0.1            thousandths (n, u, m)
    1k     1000           decimal (k, M, G, T, P, E)
    10Ki   10240          binary (Ki, Mi, Gi, Ti, Pi, Ei)
    12e6   12000000       exponential

A quantity has one canonical text: the shortest number without a fraction, in the family of suffixes that it came in.
"""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Annotated

import msgspec

NANO = 10**9
LARGEST = (2**63 - 1) * NANO
"""What is beyond counts as this; what is finer than a billionth is rounded away from zero."""

LONGEST = 1024
"""Longer texts are no quantities: none needs so many digits."""

DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
BINARY = {"Ki": 1, "Mi": 2, "Gi": 3, "Ti": 4, "Pi": 5, "Ei": 6}
_DECIMAL_SUFFIX = {exponent: suffix for suffix, exponent in DECIMAL.items()}
_BINARY_SUFFIX = {0: "", **{exponent: suffix for suffix, exponent in BINARY.items()}}

_SHAPE = re.compile(r"(?P<sign>[+-]?)(?P<digits>[0-9]*)(?:\.(?P<rest>[0-9]*))?(?P<suffix>[eEinumkKMGTP]*[-+]?[0-9]*)")
_EXPONENT = re.compile(r"[eE](?P<number>[-+]?[0-9]{1,9})")

WRONG_FORM = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
WRONG_SUFFIX = "unable to parse quantity's suffix"

QuantityText = Annotated[str, msgspec.Meta(extra={"quantity": True})]
"""A field that holds a quantity: bodies may spell it as text or number, objects hold the canonical text."""


class InvalidQuantity(ValueError):
    """A text that is no quantity; the message says in which way, and does not quote it."""


class Form(enum.Enum):
    """The family of suffixes in which a quantity is written."""

    DECIMAL = "decimal"
    BINARY = "binary"
    EXPONENT = "exponent"


@dataclass(frozen=True, slots=True, order=True)
class Quantity:
    """An exact number of billionths; only that counts when two are compared."""

    nanos: int
    form: Form = field(default=Form.DECIMAL, compare=False)

    @classmethod
    def of(cls, number: int, form: Form = Form.DECIMAL) -> Quantity:
        """Return a whole number as a quantity."""
        return cls(number * NANO, form)

    @classmethod
    def parse(cls, text: str) -> Quantity:
        """Return the quantity that a text spells; raises InvalidQuantity."""
        shape = _SHAPE.fullmatch(text) if len(text) <= LONGEST else None
        if shape is None or not (shape["digits"] or shape["rest"]):
            raise InvalidQuantity(WRONG_FORM)
        rest = shape["rest"] or ""
        number = Fraction(int(shape["digits"] + rest), 10 ** len(rest))
        factor, form = _scale(shape["suffix"])
        if form is Form.BINARY and number * factor < 1:
            form = Form.DECIMAL
        # Rounding up, under the theory that whoever asks for something wants to get something.
        nanos = min(-(-number * factor * NANO // 1), LARGEST)
        return cls(-nanos if shape["sign"] == "-" else nanos, form)

    @property
    def is_whole(self) -> bool:
        """Whether the number has no fraction."""
        return self.nanos % NANO == 0

    def plus(self, number: int) -> Quantity:
        """Return the quantity and a whole number more."""
        return Quantity(self.nanos + number * NANO, self.form)

    def __str__(self) -> str:
        if not self.nanos:
            return "0"
        if self.form is Form.BINARY and self.is_whole and abs(self.nanos) >= 1024 * NANO:
            number, power = self.nanos // NANO, 0
            while number % 1024 == 0 and power < max(_BINARY_SUFFIX):
                number, power = number // 1024, power + 1
            return f"{number}{_BINARY_SUFFIX[power]}"
        number, exponent = self.nanos, -9
        while number % 1000 == 0 and exponent < max(_DECIMAL_SUFFIX):
            number, exponent = number // 1000, exponent + 3
        if self.form is Form.EXPONENT:
            return f"{number}e{exponent}" if exponent else str(number)
        return f"{number}{_DECIMAL_SUFFIX[exponent]}"


def _scale(suffix: str) -> tuple[Fraction, Form]:
    """Return the factor that a suffix stands for, and its family."""
    if suffix in DECIMAL:
        return Fraction(10) ** DECIMAL[suffix], Form.DECIMAL
    if suffix in BINARY:
        return Fraction(1024) ** BINARY[suffix], Form.BINARY
    exponent = _EXPONENT.fullmatch(suffix)
    if exponent is None:
        raise InvalidQuantity(WRONG_SUFFIX)
    # Beyond these bounds every number is the largest, or a billionth.
    return Fraction(10) ** max(min(int(exponent["number"]), 40), -LONGEST - 40), Form.EXPONENT


def canonical(text: str) -> str:
    """Return the one text of the quantity that a text spells; raises InvalidQuantity."""
    return str(Quantity.parse(text))
