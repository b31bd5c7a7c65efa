"""Label and field selectors, with the whole grammar and the complaints of Kubernetes; pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from registry_meta.kube import errors
from registry_meta.kube.errors import FieldError, StatusError
from registry_meta.kube.validation import label_key, label_value

OPERATORS = ("=", "==", "!=", "in", "notin", ">", "<")
SPACE = " \t\r\n"
TOKEN = re.compile(rf"[{SPACE}]*(==|!=|[=!,()<>]|[^{SPACE}=!,()<>]+)")
INTEGER = re.compile(r"[+-]?[0-9]{1,25}")
INT64 = range(-(2**63), 2**63)
MOST_TRACES = 10


@dataclass(frozen=True, slots=True)
class Requirement:
    """One demand on one label; `operator` is exists, absent, in, notin, gt or lt."""

    key: str
    operator: str
    values: frozenset[str] = frozenset()

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Return whether labels meet the demand; what lacks the label meets `notin`."""
        present = self.key in labels
        if self.operator == "exists":
            return present
        if self.operator == "absent":
            return not present
        if self.operator == "notin":
            return not present or labels[self.key] not in self.values
        if not present:
            return False
        if self.operator == "in":
            return labels[self.key] in self.values
        return self._compares(labels[self.key])

    @property
    def traces(self) -> tuple[str, ...]:
        """Texts of which compact JSON of labels that meet the demand has at least one; none where anything may meet it.

        Neither keys nor values of labels have characters that JSON escapes.
        """
        if self.operator in ("absent", "notin"):
            return ()
        if self.operator == "in" and len(self.values) <= MOST_TRACES:
            return tuple(f'"{self.key}":"{value}"' for value in sorted(self.values))
        return (f'"{self.key}":"',)

    def _compares(self, text: str) -> bool:
        if not _is_integer(text):
            return False
        bound = int(next(iter(self.values)))
        return int(text) > bound if self.operator == "gt" else int(text) < bound


@dataclass(frozen=True, slots=True)
class LabelSelector:
    """Demands on labels, all of which must be met."""

    requirements: tuple[Requirement, ...] = ()

    @classmethod
    def parse(cls, text: str) -> LabelSelector:
        """Return the selector that a query parameter spells; raises 400."""
        if not text.strip(SPACE):
            return NO_LABELS
        return cls(tuple(_Parser(text).requirements()))

    @property
    def is_empty(self) -> bool:
        """Whether everything is selected."""
        return not self.requirements

    @property
    def traces(self) -> tuple[tuple[str, ...], ...]:
        """For each demand of which that can be said: texts of which the JSON of what is selected has at least one."""
        return tuple(traces for requirement in self.requirements if (traces := requirement.traces))

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Return whether labels meet every demand."""
        return all(requirement.matches(labels) for requirement in self.requirements)


NO_LABELS = LabelSelector()


class _Parser:
    """Reads a label selector token by token; its complaints are Kubernetes' own."""

    def __init__(self, text: str) -> None:
        self._tokens = [match.group(1) for match in TOKEN.finditer(text)]
        self._at = 0

    def requirements(self) -> list[Requirement]:
        """Return every demand; raises 400."""
        found: list[Requirement] = []
        while True:
            symbol = self._peek()
            if symbol != "!" and not _is_word(symbol):
                if not symbol and not found:
                    return found
                raise errors.bad_request(f"found '{symbol}', expected: !, identifier, or 'end of string'")
            found.append(self._requirement())
            symbol = self._next()
            if not symbol:
                return found
            if symbol != ",":
                raise errors.bad_request(f"found '{symbol}', expected: ',' or 'end of string'")
            if self._peek() != "!" and not _is_word(self._peek()):
                raise errors.bad_request(f"found '{self._peek()}', expected: identifier after ','")

    def _requirement(self) -> Requirement:
        negated = self._peek() == "!"
        if negated:
            self._next()
        key = self._next()
        if not _is_word(key):
            raise _unparsable(f"found '{key}', expected: identifier")
        self._check_key(key)
        if negated or self._peek() in ("", ","):
            return Requirement(key, "absent" if negated else "exists")
        operator = self._next()
        if operator not in OPERATORS:
            raise _unparsable(f"found '{operator}', expected: in, notin, =, ==, !=, gt, lt")
        values = self._set() if operator in ("in", "notin") else frozenset({self._value()})
        return self._checked(key, operator, values)

    def _set(self) -> frozenset[str]:
        """Read `(a, b)`; what is missing before a comma or the end is the empty value."""
        symbol = self._next()
        if symbol != "(":
            raise _unparsable(f"found '{symbol}', expected: '('")
        values: set[str] = set()
        open_for, expected = True, "',', ')' or identifier"
        while True:
            symbol = self._next()
            if symbol in (",", ")"):
                if open_for:
                    values.add("")
                if symbol == ")":
                    return frozenset(values)
                open_for, expected = True, "',', or identifier"
            elif _is_word(symbol) and open_for:
                values.add(symbol)
                open_for, expected = False, "',' or ')'"
            else:
                raise _unparsable(f"found '{symbol}', expected: {expected}")

    def _value(self) -> str:
        if self._peek() in ("", ","):
            return ""
        symbol = self._next()
        if not _is_word(symbol):
            raise _unparsable(f"found '{symbol}', expected: identifier")
        return symbol

    def _checked(self, key: str, operator: str, values: frozenset[str]) -> Requirement:
        if operator in (">", "<"):
            value = next(iter(values))
            if not _is_integer(value):
                why = "for 'Gt', 'Lt' operators, the value must be an integer"
                raise _unparsable(str(errors.invalid_value("values[0]", value, why)))
            return Requirement(key, "gt" if operator == ">" else "lt", values)
        problems = [
            errors.invalid_value(f"values[{index}][{key}]", value, text)
            for index, value in enumerate(sorted(values))
            for text in label_value(value)
        ]
        if problems:
            raise _unparsable(_joined(problems))
        return Requirement(key, "in" if operator in ("=", "==", "in") else "notin", values)

    def _check_key(self, key: str) -> None:
        problems = [errors.invalid_value("key", key, text) for text in label_key(key)]
        if problems:
            raise _unparsable(_joined(problems))

    def _peek(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def _next(self) -> str:
        symbol = self._peek()
        self._at += 1
        return symbol


def _is_word(symbol: str) -> bool:
    return bool(symbol) and symbol not in ("=", "==", "!=", "!", ",", "(", ")", "<", ">")


def _is_integer(text: str) -> bool:
    """Return whether a text is an integer of 64 bits."""
    return bool(INTEGER.fullmatch(text)) and int(text) in INT64


def _unparsable(text: str) -> StatusError:
    return errors.bad_request(f"unable to parse requirement: {text}")


def _joined(problems: list[FieldError]) -> str:
    texts = [str(problem) for problem in problems]
    return texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"


@dataclass(frozen=True, slots=True)
class Term:
    """One demand on one field; `operator` is `=` or `!=`."""

    field: str
    operator: str
    value: str

    def matches(self, value: str) -> bool:
        """Return whether the value of the field meets the demand."""
        return (value == self.value) is (self.operator == "=")


@dataclass(frozen=True, slots=True)
class FieldSelector:
    """Demands on fields, all of which must be met."""

    terms: tuple[Term, ...] = ()

    @classmethod
    def parse(cls, text: str) -> FieldSelector:
        """Return the selector that a query parameter spells; raises 400."""
        if not text:
            return NO_FIELDS
        return cls(tuple(_term(part, text) for part in SEPARATED.findall(text) if part))

    @property
    def is_empty(self) -> bool:
        """Whether everything is selected."""
        return not self.terms

    @property
    def fields(self) -> set[str]:
        """The fields that the demands are about, for the caller to refuse unknown ones."""
        return {term.field for term in self.terms}

    def value_of(self, field: str) -> str | None:
        """Return the value that a field must have, or None when no term demands one."""
        return next((term.value for term in self.terms if term.field == field and term.operator == "="), None)

    def matches(self, get: Callable[[str], str]) -> bool:
        """Return whether the fields of an object, read by `get`, meet every demand."""
        return all(term.matches(get(term.field)) for term in self.terms)


NO_FIELDS = FieldSelector()
SEPARATED = re.compile(r"(?:\\.|[^,\\]|\\$)+", re.DOTALL)
"""A term: everything up to a comma that no backslash precedes."""
TERM = re.compile(r"(.*?)(!=|==|=)(.*)", re.DOTALL)


def _term(part: str, selector: str) -> Term:
    found = TERM.fullmatch(part)
    if found is None:
        raise errors.bad_request(f"invalid selector: '{selector}'; can't understand '{part}'")
    field, operator, value = found.groups()
    return Term(field, "!=" if operator == "!=" else "=", _unescaped(value))


def _unescaped(text: str) -> str:
    """Return a value without the backslashes before `\\`, `,` and `=`."""
    characters: list[str] = []
    rest = iter(text)
    for character in rest:
        if character == "\\":
            escaped = next(rest, "")
            if not escaped or escaped not in "\\,=":
                raise errors.bad_request(f"invalid field selector: invalid escape sequence: \\{escaped}")
            characters.append(escaped)
        elif character in ",=":
            raise errors.bad_request(f"invalid field selector: unescaped character in value: {character}")
        else:
            characters.append(character)
    return "".join(characters)
