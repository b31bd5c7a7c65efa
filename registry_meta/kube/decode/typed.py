"""From plain JSON to wire types: one reader is compiled for each type, and reads as Go's JSON decoder would."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable
from datetime import datetime
from functools import cached_property
from typing import Any

import msgspec
from msgspec import inspect

from registry_meta.kube import quantity
from registry_meta.kube.meta import RFC3339, KubeObject, ObjectMeta, parse_time

Reader = Callable[[object, list[str]], object]
"""Returns the typed value that plain JSON spells; appends the paths of unknown fields; raises Mismatch."""

INT64 = range(-(2**63), 2**63)
ZERO_TIME = "0001-01-01T00:00:00Z"
INSTANT = re.compile(RFC3339.strip("^$"), re.ASCII)
AS_WRITTEN = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", re.ASCII)
"""The form of the times that the server writes, which most bodies bring back."""
IGNORED: dict[type, frozenset[str]] = {
    KubeObject: frozenset({"kind", "apiVersion"}),
    ObjectMeta: frozenset({"selfLink"}),
}
"""What objects of a type and its heirs may hold though it is not declared: it is known, and not kept."""


class Mismatch(Exception):
    """A value does not have the type of its field; the path grows as the exception rises."""

    def __init__(self, value: object, wanted: str) -> None:
        super().__init__(wanted)
        self.found = _spoken(value)
        self.wanted = wanted
        self.path = ""

    def rise(self, step: str) -> None:
        """Note the field, or the `[index]`, in which the value was."""
        self.path = _joined(step, self.path)

    def __str__(self) -> str:
        where = f"field {self.path}" if self.path else "value"
        return f"json: cannot unmarshal {self.found} into {where} of type {self.wanted}"


class _NoQuantity(Mismatch):
    """A text is none of a quantity; says in which way instead of which type it has."""

    def __str__(self) -> str:
        return f"{self.path}: {self.wanted}" if self.path else self.wanted


def _spoken(value: object) -> str:
    if isinstance(value, bool):
        return "bool"
    return {str: "string", int: "number", float: "number", dict: "object", list: "array"}.get(type(value), "null")


def _joined(step: str, path: str) -> str:
    return f"{step}{path}" if not path or path.startswith("[") else f"{step}.{path}"


class _StructReader:
    """Reads objects of one type; fields are looked up once, and later than the type, which may hold itself."""

    def __init__(self, type_: type[msgspec.Struct]) -> None:
        self._type = type_
        self._ignored = frozenset().union(*(names for base, names in IGNORED.items() if issubclass(type_, base)))

    @cached_property
    def _fields(self) -> dict[str, tuple[str, Reader]]:
        """The readers of the fields, with the names of their attributes, by the names on the wire."""
        info = inspect.type_info(self._type)
        if not isinstance(info, inspect.StructType):
            raise TypeError(f"{self._type.__name__} is no wire type")
        return {member.encode_name: (member.name, _reader(member.type)) for member in info.fields}

    @cached_property
    def _nullable(self) -> frozenset[str]:
        """The fields whose empty list or map is the same as none, as it is wherever Kubernetes stores objects."""
        info = inspect.type_info(self._type)
        members = info.fields if isinstance(info, inspect.StructType) else ()
        return frozenset(member.encode_name for member in members if _is_nullable(member.type))

    def __call__(self, value: object, unknown: list[str]) -> msgspec.Struct:
        if not isinstance(value, dict):
            raise Mismatch(value, self._type.__name__)
        fields = self._fields
        arguments: dict[str, object] = {}
        for key, item in value.items():
            known = fields.get(key)
            if known is None:
                if key not in self._ignored:
                    unknown.append(key)
                continue
            if item is None:
                continue
            name, read = known
            mark = len(unknown)
            try:
                result = read(item, unknown)
            except Mismatch as error:
                error.rise(key)
                raise
            if result is not None and (result or key not in self._nullable):
                arguments[name] = result
            if len(unknown) > mark:
                unknown[mark:] = [_joined(key, path) for path in unknown[mark:]]
        return self._type(**arguments)


class _ListReader:
    """Reads lists; null stands for the zero value of an item."""

    def __init__(self, item: inspect.Type) -> None:
        self._read = _reader(item)
        self._zero = _zero(item)

    def __call__(self, value: object, unknown: list[str]) -> list[object]:
        if not isinstance(value, list):
            raise Mismatch(value, "list")
        found: list[object] = []
        read = self._read
        for index, item in enumerate(value):
            mark = len(unknown)
            try:
                found.append(read(self._zero if item is None else item, unknown))
            except Mismatch as error:
                error.rise(f"[{index}]")
                raise
            if len(unknown) > mark:
                unknown[mark:] = [_joined(f"[{index}]", path) for path in unknown[mark:]]
        return found


class _MapReader:
    """Reads maps from text to values of one type; null stands for the zero value."""

    def __init__(self, value: inspect.Type) -> None:
        self._read = _reader(value)
        self._zero = _zero(value)

    def __call__(self, value: object, unknown: list[str]) -> dict[str, object]:
        if not isinstance(value, dict):
            raise Mismatch(value, "map")
        found: dict[str, object] = {}
        read = self._read
        for key, item in value.items():
            mark = len(unknown)
            try:
                found[key] = read(self._zero if item is None else item, unknown)
            except Mismatch as error:
                error.rise(key)
                raise
            if len(unknown) > mark:
                unknown[mark:] = [_joined(key, path) for path in unknown[mark:]]
        return found


def _text(value: object, unknown: list[str]) -> object:
    if not isinstance(value, str):
        raise Mismatch(value, "string")
    return value


def _boolean(value: object, unknown: list[str]) -> object:
    if not isinstance(value, bool):
        raise Mismatch(value, "bool")
    return value


def _integer(value: object, unknown: list[str]) -> object:
    if isinstance(value, bool) or not isinstance(value, int) or value not in INT64:
        raise Mismatch(value, "int64")
    return value


def _number(value: object, unknown: list[str]) -> object:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise Mismatch(value, "float64")
    return float(value)


def _time(value: object, unknown: list[str]) -> object:
    """Read an RFC 3339 instant as UTC in whole seconds; the zero time of Go is no time."""
    if not isinstance(value, str):
        raise Mismatch(value, "Time")
    if not value:
        return None
    try:
        if AS_WRITTEN.fullmatch(value):
            datetime.fromisoformat(value)
            written = value
        elif INSTANT.fullmatch(value):
            moment = parse_time(value.upper())
            written = f"{moment.replace(microsecond=0, tzinfo=None).isoformat()}Z"
        else:
            raise ValueError("not in the form of RFC 3339")
    except (ValueError, OverflowError) as error:
        raise Mismatch(value, "Time (RFC 3339)") from error
    return None if written == ZERO_TIME else written


def _bytes(value: object, unknown: list[str]) -> object:
    """Read base64 text and keep it as text, in its plain form."""
    if not isinstance(value, str):
        raise Mismatch(value, "bytes")
    try:
        content = base64.b64decode(value.replace("\n", "").replace("\r", ""), validate=True)
    except (binascii.Error, ValueError) as error:
        raise Mismatch(value, "bytes (base64)") from error
    return base64.b64encode(content).decode()


def _quantity(value: object, unknown: list[str]) -> object:
    """Read a quantity, given as text or number, as its canonical text."""
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise Mismatch(value, "Quantity")
    try:
        return quantity.canonical(str(value).strip())
    except quantity.InvalidQuantity as error:
        raise _NoQuantity(value, str(error)) from error


def _free(value: object, unknown: list[str]) -> object:
    return value


def _free_map(value: object, unknown: list[str]) -> object:
    if not isinstance(value, dict):
        raise Mismatch(value, "map")
    return value


def _embedded(read: Reader) -> Reader:
    """Return a reader that keeps unknown fields to itself."""
    return lambda value, unknown: read(value, [])


def _one_of(values: frozenset[object]) -> Reader:
    def read(value: object, unknown: list[str]) -> object:
        if isinstance(value, (dict, list)) or value not in values:
            raise Mismatch(value, " | ".join(sorted(map(str, values))))
        return value

    return read


SCALARS: dict[type[inspect.Type], tuple[Reader, object]] = {
    inspect.StrType: (_text, ""),
    inspect.BoolType: (_boolean, False),
    inspect.IntType: (_integer, 0),
    inspect.FloatType: (_number, 0.0),
    inspect.AnyType: (_free, None),
    inspect.CustomType: (_free, None),
}
"""Reader and zero value of each kind of scalar."""


def _reader(info: inspect.Type) -> Reader:
    info, marks = _bare(info)
    if isinstance(info, inspect.StructType):
        return _embedded(reader_of(info.cls)) if marks.get("embedded") else reader_of(info.cls)
    if isinstance(info, inspect.ListType):
        return _ListReader(info.item_type)
    if isinstance(info, inspect.DictType):
        value, _ = _bare(info.value_type)
        free = isinstance(value, (inspect.AnyType, inspect.CustomType))
        return _free_map if free else _MapReader(info.value_type)
    if isinstance(info, inspect.StrType):
        return _text_reader(info, marks)
    if isinstance(info, inspect.LiteralType):
        return _one_of(frozenset(info.values))
    if type(info) not in SCALARS:
        raise TypeError(f"wire types hold no {type(info).__name__}")
    return SCALARS[type(info)][0]


def _text_reader(info: inspect.StrType, marks: dict[str, object]) -> Reader:
    if info.pattern == RFC3339:
        return _time
    if marks.get("quantity"):
        return _quantity
    return _bytes if marks.get("format") == "byte" else _text


def _is_nullable(info: inspect.Type) -> bool:
    """Return whether a field holds a list or map of typed values, or null."""
    bare, marks = _bare(info)
    if marks.get("counts_empty"):
        return False
    return bare is not info and (isinstance(bare, inspect.ListType) or isinstance(_reader(bare), _MapReader))


def _zero(info: inspect.Type) -> object:
    info, marks = _bare(info)
    if marks.get("quantity"):
        return "0"
    scalar = SCALARS.get(type(info))
    if scalar:
        return scalar[1]
    return [] if isinstance(info, inspect.ListType) else {}


def _bare(info: inspect.Type) -> tuple[inspect.Type, dict[str, object]]:
    """Return a type without its marks and without None, and its marks."""
    marks: dict[str, object] = {}
    while isinstance(info, (inspect.Metadata, inspect.UnionType)):
        if isinstance(info, inspect.Metadata):
            marks |= (info.extra_json_schema or {}) | (info.extra or {})
            info = info.type
            continue
        members = [member for member in info.types if not isinstance(member, inspect.NoneType)]
        if len(members) != 1:
            return inspect.AnyType(), marks
        info = members[0]
    return info, marks


_READERS: dict[type, Reader] = {}


def reader_of(type_: type[Any]) -> Reader:
    """Return the reader of a wire type; there is one for each."""
    if type_ not in _READERS:
        _READERS[type_] = _StructReader(type_)
    return _READERS[type_]
