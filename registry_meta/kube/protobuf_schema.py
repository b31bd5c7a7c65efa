"""Protocol Buffers messages from a compact table: one line a message, `Name: field=number:type …`.

A type is `string` (when none is given), `bytes`, `bool`, `int32`, `int64`, `double` or another message of the table,
and may be followed by

    []   repeated
    {}   a map from strings to it
    ?    meaningful even when it has its zero value (a pointer, to a Go programmer)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import Message

Proto = descriptor_pb2.FieldDescriptorProto

SCALARS = {
    "string": Proto.TYPE_STRING,
    "bytes": Proto.TYPE_BYTES,
    "bool": Proto.TYPE_BOOL,
    "int32": Proto.TYPE_INT32,
    "int64": Proto.TYPE_INT64,
    "double": Proto.TYPE_DOUBLE,
}


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a message: its number, and its type with what the type is followed by."""

    name: str
    number: int
    type: str
    repeated: bool = False
    mapped: bool = False
    kept: bool = False


class Schema:
    """The messages of one table, in a package of their own; classes are made on first use."""

    def __init__(self, package: str, table: str) -> None:
        self.package = package
        self.messages = dict(_messages(table))

    def new(self, name: str) -> Message:
        """Return an empty message; raises KeyError when the table lacks it."""
        return self._classes[name]()

    def field(self, message: str, name: str) -> Field:
        """Return how the table declares a field."""
        return self.messages[message][name]

    @cached_property
    def _classes(self) -> dict[str, type[Message]]:
        # The edition of 2023 is proto2 with the text of strings checked.
        file = descriptor_pb2.FileDescriptorProto(
            name=f"{self.package.replace('.', '/')}.proto",
            package=self.package,
            syntax="editions",
            edition=descriptor_pb2.EDITION_2023,
        )
        for name, fields in self.messages.items():
            self._declare(file.message_type.add(name=name), fields)
        pool = descriptor_pool.DescriptorPool()
        pool.Add(file)
        return {
            name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{self.package}.{name}"))
            for name in self.messages
        }

    def _declare(self, message: descriptor_pb2.DescriptorProto, fields: Mapping[str, Field]) -> None:
        for field in fields.values():
            many = field.repeated or field.mapped
            label = Proto.LABEL_REPEATED if many else Proto.LABEL_OPTIONAL
            declared = message.field.add(name=field.name, number=field.number, label=label)
            if not field.mapped:
                self._set_type(declared, field.type)
                continue
            entry = message.nested_type.add(name=f"{field.name[0].upper()}{field.name[1:]}Entry")
            entry.options.map_entry = True
            entry.field.add(name="key", number=1, label=Proto.LABEL_OPTIONAL, type=Proto.TYPE_STRING)
            self._set_type(entry.field.add(name="value", number=2, label=Proto.LABEL_OPTIONAL), field.type)
            declared.type = Proto.TYPE_MESSAGE
            declared.type_name = f".{self.package}.{message.name}.{entry.name}"

    def _set_type(self, field: descriptor_pb2.FieldDescriptorProto, type_: str) -> None:
        if type_ in SCALARS:
            field.type = SCALARS[type_]
        else:
            field.type = Proto.TYPE_MESSAGE
            field.type_name = f".{self.package}.{type_}"


def _messages(table: str) -> Iterator[tuple[str, dict[str, Field]]]:
    for line in filter(None, map(str.strip, table.splitlines())):
        name, _, fields = line.partition(":")
        yield name, {field.name: field for field in map(_field, fields.split())}


def _field(text: str) -> Field:
    name, _, rest = text.partition("=")
    number, _, type_ = rest.partition(":")
    bare = type_.rstrip("[]{}?")
    repeated, mapped, kept = type_.endswith("[]"), type_.endswith("{}"), type_.endswith("?")
    return Field(name, int(number), bare or "string", repeated=repeated, mapped=mapped, kept=kept)
