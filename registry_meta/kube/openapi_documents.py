"""The OpenAPI documents: version 3 for one group and version, version 2 (Swagger) for everything."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import chain
from typing import Any

from registry_meta.kube.negotiation import JSON, YAML
from registry_meta.kube.openapi_operations import VALIDATION, Operation, Parameter, operations
from registry_meta.kube.openapi_schemas import (
    KIND,
    NULLABLE,
    PATCH,
    STATUS,
    Definitions,
    Schema,
    definition_name,
    kinds_of,
    references,
)
from registry_meta.kube.patch.request import PATCHES
from registry_meta.kube.resource import Resource

Document = dict[str, Any]

INFO = {"title": "Registry Meta", "version": "v1"}
TYPES = (JSON, YAML)
ACTION = "x-kubernetes-action"
FAILURE = "Error"
"""What is said of the default answer, the one to whatever has gone wrong: a Status."""
PROBED_KIND = ("", "Namespace")
"""The kind by which kubectl finds out whether a server has custom resource definitions; see `version_2`."""


def version_3(resources: Iterable[Resource], definitions: Definitions) -> Document:
    """Return the document of the kinds of one group and version."""
    chosen = list(resources)
    paths: dict[str, Any] = {}
    for operation in chain.from_iterable(map(operations, chosen)):
        item = paths.setdefault(operation.path, {})
        item[operation.method] = _operation_3(operation)
        if operation.place:
            item["parameters"] = [_parameter_3(parameter) for parameter in operation.place]
    schemas = _needed(chosen, paths, definitions)
    return _referring(
        {
            "openapi": "3.0.0",
            "info": INFO,
            "paths": dict(sorted(paths.items())),
            "components": {"schemas": {name: _schema_3(schema) for name, schema in schemas.items()}},
        },
        "#/components/schemas/",
    )


def version_2(resources: Iterable[Resource], definitions: Definitions) -> Document:
    """Return the document of all kinds.

    The PATCH of namespaces does not show that it knows `fieldValidation`. kubectl takes it as the sign of a server
    that can validate custom resources, and then, for every kind without PATCH, asks for the list of their
    definitions, which does not exist here.
    """
    chosen = list(resources)
    paths: dict[str, Any] = {}
    for operation in chain.from_iterable(map(operations, chosen)):
        item = paths.setdefault(operation.path, {})
        item[operation.method] = _operation_2(operation)
        if operation.place:
            item["parameters"] = [_parameter_2(parameter) for parameter in operation.place]
    return _referring(
        {
            "swagger": "2.0",
            "info": INFO,
            "paths": dict(sorted(paths.items())),
            "definitions": _mapped(_needed(chosen, paths, definitions), _without_null),
        },
        "#/definitions/",
    )


def _needed(resources: Iterable[Resource], paths: Document, definitions: Definitions) -> dict[str, Schema]:
    """Return the definitions of some kinds and of all that is said at their paths, with what those need."""
    return definitions.reachable({*references(paths), *chain.from_iterable(map(_own, resources))})


def _own(resource: Resource) -> list[str]:
    return [definition_name(group, version, kind) for group, version, kind, _ in kinds_of(resource)]


def _shared(operation: Operation) -> Document:
    """Return what both versions say of an operation in the same words."""
    return {
        "description": operation.description,
        "operationId": operation.id,
        "tags": [f"{operation.group or 'core'}_{operation.version}"],
        ACTION: operation.action,
        KIND: {"group": operation.group, "kind": operation.kind, "version": operation.version},
    }


def _accepted(operation: Operation) -> list[str]:
    return list(PATCHES) if operation.body == PATCH else list(TYPES)


def _reference(name: str) -> Schema:
    return {"$ref": name} if name else {}


def _operation_3(operation: Operation) -> Document:
    document = _shared(operation)
    document["parameters"] = [_parameter_3(parameter) for parameter in operation.parameters]
    if operation.body:
        content = {media_type: {"schema": _reference(operation.body)} for media_type in _accepted(operation)}
        document["requestBody"] = {"content": content}
        document["requestBody"]["required"] = operation.method != "delete"
    schema = _reference(operation.answer)
    if operation.instead:
        schema = {"anyOf": [schema, _reference(operation.instead)]}
    answer = {media_type: {"schema": schema} for media_type in TYPES}
    document["responses"] = {str(code): {"description": "OK", "content": answer} for code in operation.codes}
    failure = {JSON: {"schema": _reference(STATUS)}}
    document["responses"]["default"] = {"description": FAILURE, "content": failure}
    return document


def _parameter_3(parameter: Parameter) -> Document:
    return {
        "name": parameter.name,
        "in": parameter.place,
        "description": parameter.description,
        **({"required": True} if parameter.place == "path" else {}),
        "schema": {"type": parameter.type, "uniqueItems": True},
    }


def _schema_3(schema: Schema) -> Schema:
    """Return a schema in which a reference that has a description stands by itself, as version 3 demands."""

    def separate(value: Schema) -> Schema:
        if len(value) > 1 and isinstance(value.get("$ref"), str):
            return {**{key: item for key, item in value.items() if key != "$ref"}, "allOf": [{"$ref": value["$ref"]}]}
        return value

    separated: Schema = _mapped(schema, separate)
    return separated


def _without_null(schema: Schema) -> Schema:
    """Return a schema as version 2 has it, which knows no null."""
    return {key: value for key, value in schema.items() if (key, value) != (NULLABLE, True)}


def _operation_2(operation: Operation) -> Document:
    document = _shared(operation)
    known = operation.parameters
    if operation.action == "patch" and (operation.group, operation.kind) == PROBED_KIND:
        known = tuple(parameter for parameter in known if parameter is not VALIDATION)
    document["parameters"] = [_parameter_2(parameter) for parameter in known]
    document["produces"] = list(TYPES)
    document["consumes"] = _accepted(operation) if operation.body else ["*/*"]
    if operation.body:
        required = operation.method != "delete"
        body = {"name": "body", "in": "body", "required": required, "schema": _reference(operation.body)}
        document["parameters"].insert(0, body)
    answer = {"description": "OK", **({"schema": _reference(operation.answer)} if operation.answer else {})}
    document["responses"] = {str(code): answer for code in operation.codes}
    document["responses"]["default"] = {"description": FAILURE, "schema": _reference(STATUS)}
    return document


def _parameter_2(parameter: Parameter) -> Document:
    return {
        "name": parameter.name,
        "in": parameter.place,
        "description": parameter.description,
        **({"required": True} if parameter.place == "path" else {}),
        "type": parameter.type,
        "uniqueItems": True,
    }


def _referring(document: Document, prefix: str) -> Document:
    """Return a document whose references lead to where it keeps its schemas."""

    def lead(value: Document) -> Document:
        reference = value.get("$ref")
        return {**value, "$ref": prefix + reference} if isinstance(reference, str) else value

    leading: Document = _mapped(document, lead)
    return leading


def _mapped(value: Any, change: Callable[[Document], Document]) -> Any:
    """Return a JSON value with every object in it changed, the inner ones last."""
    if isinstance(value, dict):
        return {key: _mapped(item, change) for key, item in change(value).items()}
    if isinstance(value, (list, tuple)):
        return [_mapped(item, change) for item in value]
    return value
