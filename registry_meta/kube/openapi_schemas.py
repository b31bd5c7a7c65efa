"""The wire types as OpenAPI schemas, derived from their declarations.

References are bare names here, `{"$ref": "io.k8s.api.core.v1.Secret"}`; the documents say where the names are found.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import count
from typing import Any

import msgspec
from msgspec import inspect

from registry_meta.kube import meta, objects
from registry_meta.kube.meta import KubeObject
from registry_meta.kube.openapi_text import descriptions
from registry_meta.kube.resource import Resource

Schema = dict[str, Any]

CORE = "io.k8s.api.core.v1"
META = "io.k8s.apimachinery.pkg.apis.meta.v1"
LIST_META, PATCH, STATUS, DELETE_OPTIONS = (
    f"{META}.{name}" for name in ("ListMeta", "Patch", "Status", "DeleteOptions")
)
KIND = "x-kubernetes-group-version-kind"
QUANTITY = "io.k8s.apimachinery.pkg.api.resource.Quantity"
QUANTITY_TEXT: Schema = {
    "description": "A number with a suffix, such as 10, 1k (1000), 10Ki (10240) or 100m (a tenth).",
    "type": "string",
}
NULLABLE = "nullable"
"""Set where an answer may say null; version 3 alone has it."""

SHARED_MODULES = {meta.__name__: META, objects.__name__: META}
SHARED_TYPES: dict[type, str] = {meta.ObjectReference: f"{CORE}.ObjectReference"}
FREE_TYPES: tuple[type, ...] = (KubeObject, msgspec.Struct)
"""Types that say nothing of the objects that they stand for."""

EXTENSIONS = {
    "patch_strategy": "x-kubernetes-patch-strategy",
    "patch_merge_key": "x-kubernetes-patch-merge-key",
    "list_type": "x-kubernetes-list-type",
    "list_map_keys": "x-kubernetes-list-map-keys",
    "map_type": "x-kubernetes-map-type",
}
"""What `msgspec.Meta(extra=…)` of a field may say, and how the documents say it."""

SIMPLE: dict[type[inspect.Type], Schema] = {
    inspect.StrType: {"type": "string"},
    inspect.IntType: {"type": "integer", "format": "int64"},
    inspect.FloatType: {"type": "number", "format": "double"},
    inspect.BoolType: {"type": "boolean"},
    inspect.BytesType: {"type": "string", "format": "byte"},
    inspect.DateTimeType: {"type": "string", "format": "date-time"},
}

TYPE_FIELDS: dict[str, Schema] = {
    "apiVersion": {
        "type": "string",
        "description": "The group and version that this object follows, such as `image.openshift.io/v1`.",
    },
    "kind": {"type": "string", "description": "What this object is, in CamelCase. It cannot be changed."},
}

GENERIC: dict[str, Schema] = {
    LIST_META: {
        "description": "Metadata of a list.",
        "type": "object",
        "properties": {
            "continue": {"type": "string", "description": "Where the next page begins; empty on the last page."},
            "remainingItemCount": {"type": "integer", "format": "int64", "description": "How many items follow."},
            "resourceVersion": {"type": "string", "description": "The version of which this list is true."},
            "selfLink": {"type": "string", "description": "No longer used."},
        },
    },
    PATCH: {"description": "A change to an object, in the form that the media type names.", "type": "object"},
    STATUS: {
        "description": "The outcome of a call that returns no other object.",
        "type": "object",
        "properties": {
            **TYPE_FIELDS,
            "code": {"type": "integer", "format": "int32", "description": "The suggested HTTP status."},
            "details": {"type": "object", "description": "More on the reason; its shape depends on the reason."},
            "message": {"type": "string", "description": "What happened, for people."},
            "metadata": {"$ref": LIST_META, "description": "Empty."},
            "reason": {"type": "string", "description": "Why it failed, in one word for machines."},
            "status": {"type": "string", "description": "Success or Failure."},
        },
    },
}


class Definitions:
    """The schemas of every type that the kinds use, by name, each defined once."""

    def __init__(self, resources: Iterable[Resource]) -> None:
        self.schemas: dict[str, Schema] = dict(GENERIC)
        self._names = dict(SHARED_TYPES)
        self._define(DELETE_OPTIONS, objects.DeleteOptions)
        self.schemas[DELETE_OPTIONS]["properties"] |= TYPE_FIELDS
        kinds = [found for resource in resources for found in kinds_of(resource)]
        for group, version, kind, type_ in kinds:
            self._names.setdefault(type_, definition_name(group, version, kind))
        for group, version, kind, type_ in kinds:
            self._define_kind(group, version, kind, type_)

    def _define_kind(self, group: str, version: str, kind: str, type_: type) -> None:
        name = definition_name(group, version, kind)
        if KIND in self.schemas.get(name, {}):
            return
        self._define(name, type_)
        schema = self.schemas[name]
        schema["properties"] = dict(sorted((schema["properties"] | TYPE_FIELDS).items()))
        schema[KIND] = [{"group": group, "kind": kind, "version": version}]
        self.schemas[f"{name}List"] = {
            "description": f"A list of objects of the kind {kind}.",
            "type": "object",
            "required": ["items"],
            "properties": {
                **TYPE_FIELDS,
                "items": {"type": "array", "items": {"$ref": name}, "description": "The objects."},
                "metadata": {"$ref": LIST_META, "description": "Metadata of the list."},
            },
            KIND: [{"group": group, "kind": f"{kind}List", "version": version}],
        }

    def _define(self, name: str, type_: type) -> None:
        info = inspect.type_info(type_)
        if not isinstance(info, inspect.StructType):
            raise TypeError(f"{type_.__name__} is no wire type")
        self._fill(name, info)

    def _fill(self, name: str, info: inspect.StructType) -> None:
        """Write a definition, its description first: the type may be among its own fields."""
        self.schemas[name] = _described(info.cls)
        self.schemas[name] |= self._object(info, name.rpartition(".")[0])

    def _object(self, info: inspect.StructType, package: str) -> Schema:
        texts = descriptions(info.cls)
        properties = {field.encode_name: self._property(field, package, texts) for field in info.fields}
        required = sorted(field.encode_name for field in info.fields if field.required)
        return {
            "type": "object",
            **({"required": required} if required else {}),
            "properties": dict(sorted(properties.items())),
            **({"x-kubernetes-map-type": "atomic"} if getattr(info.cls, "is_one_value", False) else {}),
        }

    def _property(self, field: inspect.Field, package: str, texts: Mapping[str, str]) -> Schema:
        """Return the schema of a field, described by its own words or else by those of its type."""
        schema = self._schema(field.type, package)
        text = texts.get(field.encode_name) or self._text_of(schema)
        return {**({"description": text} if text else {}), **schema, **({NULLABLE: True} if _says_null(field) else {})}

    def _text_of(self, schema: Schema) -> str:
        name = schema.get("$ref") or schema.get("items", {}).get("$ref")
        return str(self.schemas[name].get("description", "")) if name else ""

    def _schema(self, info: inspect.Type, package: str) -> Schema:
        """Return the schema of a type that a definition of `package` uses; it is empty where anything may stand."""
        if isinstance(info, inspect.Metadata):
            return self._annotated(info, package)
        if isinstance(info, inspect.UnionType):
            members = [member for member in info.types if not isinstance(member, inspect.NoneType)]
            return self._schema(members[0], package) if len(members) == 1 else {}
        if isinstance(info, inspect.StructType):
            return self._reference(info, package)
        if isinstance(info, (inspect.ListType, inspect.VarTupleType)):
            return {"type": "array", "items": self._schema(info.item_type, package)}
        if isinstance(info, inspect.DictType):
            values = self._schema(info.value_type, package)
            return {"type": "object", **({"additionalProperties": values} if values else {})}
        if isinstance(info, inspect.LiteralType) and all(isinstance(value, str) for value in info.values):
            return {"type": "string", "enum": sorted(map(str, info.values))}
        return dict(SIMPLE.get(type(info), {}))

    def _annotated(self, info: inspect.Metadata, package: str) -> Schema:
        extra = info.extra or {}
        if "quantity" in extra:
            self.schemas[QUANTITY] = QUANTITY_TEXT
            return {"$ref": QUANTITY}
        schema = self._schema(info.type, package) | (info.extra_json_schema or {})
        schema |= {EXTENSIONS[key]: value for key, value in extra.items() if key in EXTENSIONS}
        if "patch_merge_key" in extra:
            self._require(info.type, extra["patch_merge_key"])
        return schema

    def _require(self, info: inspect.Type, key: str) -> None:
        """Make what a list is merged by required of its items, unless it may be left out on the wire."""
        for member in info.types if isinstance(info, inspect.UnionType) else (info,):
            item = member.item_type if isinstance(member, inspect.ListType) else None
            if not isinstance(item, inspect.StructType):
                continue
            always = {field.encode_name for field in item.fields if field.default is msgspec.NODEFAULT}
            if key in always:
                schema = self.schemas[self._names[item.cls]]
                schema["required"] = sorted({*schema.get("required", ()), key})

    def _reference(self, info: inspect.StructType, package: str) -> Schema:
        if info.cls in FREE_TYPES:
            return {"type": "object"}
        if info.cls not in self._names:
            self._names[info.cls] = self._free_name(info.cls, SHARED_MODULES.get(info.cls.__module__, package))
        name = self._names[info.cls]
        if name not in self.schemas:
            self._fill(name, info)
        return {"$ref": name}

    def _free_name(self, type_: type, package: str) -> str:
        taken = set(self._names.values())
        choices = (f"{package}.{type_.__name__}{number or ''}" for number in count())
        return next(name for name in choices if name not in taken)

    def reachable(self, names: Iterable[str]) -> dict[str, Schema]:
        """Return the definitions that some of them need, themselves among them, by name."""
        found: dict[str, Schema] = {}
        waiting = list(names)
        while waiting:
            name = waiting.pop()
            if name not in found:
                found[name] = self.schemas[name]
                waiting += references(found[name])
        return dict(sorted(found.items()))


def kinds_of(resource: Resource) -> Iterator[tuple[str, str, str, type]]:
    """Yield (group, version, kind, type) of what is read and written at a resource and below it."""
    if resource.is_listed:
        yield resource.group, resource.version, resource.kind, resource.type
    for sub in resource.subresources:
        if is_kind(sub.type):
            yield *resource.answered(sub), sub.type


def is_kind(type_: type) -> bool:
    """Return whether a type says what objects of a kind look like."""
    return issubclass(type_, KubeObject) and type_ not in FREE_TYPES


def definition_name(group: str, version: str, kind: str) -> str:
    """Return the name of a kind's definition: `com.github.openshift.api.image.v1.ImageStream`."""
    if not group:
        return f"io.k8s.api.core.{version}.{kind}"
    area, _, domain = group.partition(".")
    if domain == "k8s.io" or domain.endswith(".k8s.io"):
        return f"io.k8s.api.{area}.{version}.{kind}"
    if domain == "openshift.io":
        return f"com.github.openshift.api.{area}.{version}.{kind}"
    return f"{'.'.join(reversed(group.split('.')))}.{version}.{kind}"


def references(schema: Any) -> Iterator[str]:
    """Yield the names that a schema refers to."""
    if isinstance(schema, dict):
        if isinstance(schema.get("$ref"), str):
            yield schema["$ref"]
        for value in schema.values():
            yield from references(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from references(value)


def _says_null(field: inspect.Field) -> bool:
    """Return whether a field goes on the wire without a value: only a default that is no factory is left out."""
    type_ = field.type.type if isinstance(field.type, inspect.Metadata) else field.type
    is_optional = isinstance(type_, inspect.UnionType) and type_.includes_none
    return is_optional and field.default is msgspec.NODEFAULT and field.default_factory is not msgspec.NODEFAULT


def _described(type_: type) -> Schema:
    return {"description": " ".join(type_.__doc__.split())} if type_.__doc__ else {}
