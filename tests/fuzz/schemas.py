"""The schemas of an OpenAPI document, as validators."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any, Self

import jsonschema_rs

Json = dict[str, Any]

META = {
    "type": "object",
    "properties": {name: {"type": "string"} for name in ("resourceVersion", "continue", "selfLink")}
    | {"remainingItemCount": {"type": "integer"}},
    "additionalProperties": False,
}
COLUMN = {
    "type": "object",
    "required": ["name", "type", "format", "description", "priority"],
    "properties": {name: {"type": "string"} for name in ("name", "type", "format", "description")}
    | {"priority": {"type": "integer"}},
    "additionalProperties": False,
}
OBJECT_META = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"


def api_version() -> Json:
    """Return the schema of the version of a form."""
    return {"enum": ["meta.k8s.io/v1", "meta.k8s.io/v1beta1"]}


def metadata_alone(kind: str = "PartialObjectMetadata") -> Json:
    """Return the schema of an object that is its metadata."""
    properties = {"kind": {"const": kind}, "apiVersion": api_version()}
    metadata = {"$ref": f"#/components/schemas/{OBJECT_META}"}
    return {
        "type": "object",
        "required": ["kind", "apiVersion", "metadata"],
        "properties": properties | {"metadata": metadata},
        "additionalProperties": False,
    }


def metadata_list() -> Json:
    """Return the schema of a list of such objects."""
    form = metadata_alone("PartialObjectMetadataList")
    form["required"] = [*form["required"], "items"]
    form["properties"] |= {"metadata": META, "items": {"type": "array", "items": metadata_alone()}}
    return form


def table() -> Json:
    """Return the schema of a table; watches send the columns once."""
    row = {
        "type": "object",
        "required": ["cells", "object"],
        "properties": {"cells": {"type": "array"}, "object": {"type": ["object", "null"]}},
        "additionalProperties": False,
    }
    return {
        "type": "object",
        "required": ["kind", "apiVersion", "metadata", "columnDefinitions", "rows"],
        "properties": {
            "kind": {"const": "Table"},
            "apiVersion": api_version(),
            "metadata": META,
            "columnDefinitions": {"type": ["array", "null"], "items": COLUMN},
            "rows": {"type": "array", "items": row},
        },
        "additionalProperties": False,
    }


FORMS: Mapping[str, Json] = {
    "Table": table(),
    "PartialObjectMetadata": metadata_alone(),
    "PartialObjectMetadataList": metadata_list(),
}
"""The types of `meta.k8s.io` that an Accept header can ask for; the documents do not have them, as in Kubernetes."""

_known: dict[int, Schemas] = {}


class Schemas:
    """The schemas of one document."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._document = document
        self._validators: dict[str, jsonschema_rs.Validator] = {}

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Self:
        """Return the schemas of a document, the same ones each time."""
        found = _known.setdefault(id(document), cls(document))
        assert isinstance(found, cls)
        return found

    def problems(self, name: str, value: object) -> list[str]:
        """Return what is wrong with a value of a type, by its name in the document or that of a form."""
        if name not in self._validators:
            schema = FORMS.get(name, {"$ref": f"#/components/schemas/{name}"})
            self._validators[name] = jsonschema_rs.Draft202012Validator({**schema, "components": self._components})
        errors = self._validators[name].iter_errors(value)
        return [f"{'/'.join(map(str, error.instance_path))}: {error.message}"[:300] for error in errors]

    @cached_property
    def _components(self) -> Json:
        return {"schemas": _plain(self._document["components"]["schemas"])}


def _plain(value: Any) -> Any:
    """Return schemas of OpenAPI 3.0 as JSON Schema, in which null is a type."""
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if not isinstance(value, dict):
        return value
    plain = {key: _plain(item) for key, item in value.items()}
    return {"anyOf": [plain, {"type": "null"}]} if plain.pop("nullable", None) is True else plain
