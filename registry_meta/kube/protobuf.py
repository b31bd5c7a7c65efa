"""Request bodies in Protocol Buffers, as typed Go clients send them, read into the JSON that they stand for.

A body is four bytes of magic and an envelope around the message of the kind:

    k8s\\0  Unknown{ typeMeta{ apiVersion, kind }, raw, … }
                                                  └── bytes of the kind's own message
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from google.protobuf.message import DecodeError, Message

from registry_meta.kube import errors
from registry_meta.kube.protobuf_kinds import API_VERSIONS, SCHEMA
from registry_meta.kube.protobuf_schema import SCALARS, Field

MAGIC = b"k8s\x00"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
ZERO_SECONDS = -62135596800  # the first of January of year 1: Go's zero time
OTHER_TYPES = ("application/json", "application/yaml")


def decode_protobuf(body: bytes, kind: str, api_version: str) -> dict[str, Any]:
    """Return a request body as the plain JSON object that it stands for, with the kind and apiVersion that it names.

    `kind` and `api_version` are what the path expects, and stand in where the body names none. A body of another kind
    comes back with its kind alone, for the caller to refuse. Raises 400 for what cannot be read, and 415 for kinds
    that have no such form here.
    """
    if kind not in API_VERSIONS.get(api_version, ()):
        raise errors.unsupported_media_type(OTHER_TYPES)
    envelope = _envelope(body)
    given = _tree(envelope.typeMeta, "TypeMeta")  # type: ignore[attr-defined]  # fields come from the table
    named = {"apiVersion": given.get("apiVersion") or api_version, "kind": given.get("kind") or kind}
    # Typed clients name DeleteOptions in the group of what they delete.
    if named["kind"] == kind == "DeleteOptions":
        named["apiVersion"] = api_version
    if (named["kind"], named["apiVersion"]) != (kind, api_version):
        return named
    message = _parse(envelope.raw, kind)  # type: ignore[attr-defined]  # as above
    return {**_tree(message, kind), **named}


def _envelope(body: bytes) -> Message:
    if not body:
        raise errors.bad_request("empty data")
    if not body.startswith(MAGIC):
        expected = " ".join(str(byte) for byte in MAGIC)
        raise errors.bad_request(
            f"provided data does not appear to be a protobuf message, expected prefix [{expected}]"
        )
    if len(body) == len(MAGIC):
        raise errors.bad_request("empty body")
    return _parse(body[len(MAGIC) :], "Unknown")


def _parse(data: bytes, name: str) -> Message:
    message = SCHEMA.new(name)
    try:
        message.ParseFromString(data)
    except DecodeError as error:
        raise errors.bad_request(f"the body is no protobuf message of kind {name}") from error
    return message


def _tree(message: Message, name: str) -> dict[str, Any]:
    """Return a message as its JSON object: what Go leaves out of JSON is absent."""
    tree: dict[str, Any] = {}
    for descriptor, value in message.ListFields():
        field = SCHEMA.field(name, descriptor.name)
        converted = _value(field, value)
        if field.kept or field.type not in SCALARS or converted:
            tree[field.name] = converted
    return {key: value for key, value in tree.items() if value is not None}


def _value(field: Field, value: Any) -> Any:
    if field.mapped:
        return {key: _single(field.type, item) for key, item in sorted(value.items())}
    if field.repeated:
        return [_single(field.type, item) for item in value]
    return _single(field.type, value)


def _single(type_: str, value: Any) -> Any:
    if type_ == "bytes":
        return base64.b64encode(value).decode()
    if type_ in SCALARS:
        return value
    special = SPECIAL.get(type_)
    return special(value) if special else _tree(value, type_)


def _time(value: Any) -> str | None:
    return _instant(value.seconds, 0)


def _micro_time(value: Any) -> str | None:
    return _instant(value.seconds, value.nanos // 1000)


def _instant(seconds: int, microseconds: int) -> str | None:
    """Return an instant as JSON has it, with microseconds if there are any; the zero time is none at all."""
    if seconds in (0, ZERO_SECONDS):
        return None
    try:
        moment = EPOCH + timedelta(seconds=seconds, microseconds=microseconds)
    except OverflowError as error:
        raise errors.bad_request("the body has a time outside the years 1 to 9999") from error
    text = moment.replace(tzinfo=None).isoformat(timespec="microseconds" if microseconds else "seconds")
    return f"{text}Z"


def _fields_v1(value: Any) -> Any:
    try:
        return json.loads(value.raw) if value.raw else None
    except ValueError as error:
        raise errors.bad_request("the body has managed fields that are not JSON") from error


SPECIAL: Mapping[str, Callable[[Any], Any]] = {
    "Time": _time,
    "MicroTime": _micro_time,
    "FieldsV1": _fields_v1,
    "Quantity": lambda value: value.string,
    "ExtraValue": lambda value: list(value.items),
}
