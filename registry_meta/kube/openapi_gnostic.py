"""Version 2 of OpenAPI in Protocol Buffers: the messages of gnostic's `openapi.v2`, as far as the document needs them.

Where JSON has an object with names of its own, gnostic has a list of (name, value); where JSON lets several things
stand, gnostic has a message with one field for each. Whatever has no message, such as an extension, is YAML text.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from registry_meta.kube.protobuf_schema import Schema

SCHEMA = Schema(
    "openapi.v2",
    """
Document: swagger=1 info=2:Info paths=8:Paths definitions=9:Definitions
Info: title=1 version=2 description=3
Paths: path=2:NamedPathItem[]
NamedPathItem: name=1 value=2:PathItem
PathItem: get=2:Operation put=3:Operation post=4:Operation delete=5:Operation patch=8:Operation \
parameters=9:ParametersItem[]
Operation: tags=1:[] description=3 operation_id=5 produces=6:[] consumes=7:[] parameters=8:ParametersItem[] \
responses=9:Responses vendor_extension=13:NamedAny[]
ParametersItem: parameter=1:Parameter
Parameter: body_parameter=1:BodyParameter non_body_parameter=2:NonBodyParameter
BodyParameter: name=2 in=3 required=4:bool schema=5:Schema
NonBodyParameter: query=3:QueryParameter path=4:PathParameter
QueryParameter: in=2 description=3 name=4 type=6 unique_items=20:bool
PathParameter: required=1:bool in=2 description=3 name=4 type=5 unique_items=19:bool
Responses: response_code=1:NamedResponseValue[]
NamedResponseValue: name=1 value=2:ResponseValue
ResponseValue: response=1:Response
Response: description=1 schema=2:SchemaItem
SchemaItem: schema=1:Schema
Definitions: additional_properties=1:NamedSchema[]
NamedSchema: name=1 value=2:Schema
Schema: ref=1 format=2 description=4 pattern=13 required=19:[] enum=20:Any[] \
additional_properties=21:AdditionalPropertiesItem type=22:TypeItem items=23:ItemsItem properties=25:Properties \
vendor_extension=31:NamedAny[]
AdditionalPropertiesItem: schema=1:Schema
TypeItem: value=1:[]
ItemsItem: schema=1:Schema[]
Properties: additional_properties=1:NamedSchema[]
NamedAny: name=1 value=2:Any
Any: yaml=2
""",
)

METHODS = ("get", "put", "post", "delete", "patch")
PLAIN = ("format", "description", "pattern")


def encode(document: Mapping[str, Any]) -> bytes:
    """Return the Protocol Buffers form of a version 2 document given as JSON."""
    message: Any = SCHEMA.new("Document")
    message.swagger = document["swagger"]
    message.info.title = document["info"]["title"]
    message.info.version = document["info"]["version"]
    for path, item in document["paths"].items():
        _path_item(message.paths.path.add(name=path).value, item)
    for name, schema in document["definitions"].items():
        _schema(message.definitions.additional_properties.add(name=name).value, schema)
    encoded: bytes = message.SerializeToString(deterministic=True)
    return encoded


def _path_item(message: Any, item: Mapping[str, Any]) -> None:
    for method in METHODS:
        if method in item:
            _operation(getattr(message, method), item[method])
    for parameter in item.get("parameters", ()):
        _parameter(message.parameters.add().parameter, parameter)


def _operation(message: Any, operation: Mapping[str, Any]) -> None:
    message.tags.extend(operation["tags"])
    message.description = operation["description"]
    message.operation_id = operation["operationId"]
    message.produces.extend(operation["produces"])
    message.consumes.extend(operation["consumes"])
    for parameter in operation["parameters"]:
        _parameter(message.parameters.add().parameter, parameter)
    for code, response in operation["responses"].items():
        answer = message.responses.response_code.add(name=code).value.response
        answer.description = response["description"]
        if "schema" in response:
            _schema(answer.schema.schema, response["schema"])
    _extensions(message, operation)


def _parameter(message: Any, parameter: Mapping[str, Any]) -> None:
    place = parameter["in"]
    if place == "body":
        target = message.body_parameter
        _schema(target.schema, parameter["schema"])
    else:
        target = getattr(message.non_body_parameter, place)
        target.description = parameter["description"]
        target.type = parameter["type"]
        target.unique_items = parameter["uniqueItems"]
    target.name = parameter["name"]
    setattr(target, "in", place)
    if parameter.get("required"):
        target.required = True


def _schema(message: Any, schema: Mapping[str, Any]) -> None:
    message.SetInParent()
    if "$ref" in schema:
        message.ref = schema["$ref"]
    for key in PLAIN:
        if key in schema:
            setattr(message, key, schema[key])
    if "type" in schema:
        message.type.value.append(schema["type"])
    message.required.extend(schema.get("required", ()))
    for value in schema.get("enum", ()):
        message.enum.add(yaml=_yaml(value))
    if "items" in schema:
        _schema(message.items.schema.add(), schema["items"])
    if "additionalProperties" in schema:
        _schema(message.additional_properties.schema, schema["additionalProperties"])
    for name, value in schema.get("properties", {}).items():
        _schema(message.properties.additional_properties.add(name=name).value, value)
    _extensions(message, schema)


def _extensions(message: Any, document: Mapping[str, Any]) -> None:
    for key, value in document.items():
        if key.startswith("x-"):
            message.vendor_extension.add(name=key).value.yaml = _yaml(value)


def _yaml(value: Any) -> str:
    """Return a value as YAML, of which JSON is a part."""
    return msgspec.json.encode(value).decode() + "\n"
