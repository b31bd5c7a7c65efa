"""How the parts of a wire type are merged, read from its declaration.

A field says so with `Annotated[list[TagReference] | None, msgspec.Meta(extra={"patch_strategy": "merge",
"patch_merge_key": "name"})]`, or `meta.merged_by("name")` for short. The words are those of the extensions that
Kubernetes publishes in OpenAPI, `x-kubernetes-patch-strategy` and its like.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property

import msgspec
from msgspec import inspect


@dataclass(frozen=True)
class Schema:
    """How one value is merged: what is known of its type, and the marks of the field that holds it."""

    type: inspect.Type | None = None
    marks: Mapping[str, object] = field(default_factory=dict)

    @cached_property
    def strategies(self) -> frozenset[str]:
        """The patch strategies: some of `merge`, `replace` and `retainKeys`."""
        return frozenset(str(self.marks.get("patch_strategy", "")).split(",")) - {""}

    @property
    def merges(self) -> bool:
        """Whether a patch of this list adds to it; other lists are replaced."""
        return "merge" in self.strategies

    @property
    def replaces(self) -> bool:
        """Whether a patch of this object replaces it."""
        return "replace" in self.strategies

    @cached_property
    def is_atomic(self) -> bool:
        """Whether the object is one value for server-side apply, set as a whole by one manager."""
        whole = isinstance(self.type, inspect.StructType) and getattr(self.type.cls, "is_one_value", False)
        return self.replaces or bool(whole)

    @property
    def is_list(self) -> bool:
        """Whether the value is declared to be a list."""
        return isinstance(self.type, inspect.ListType)

    @cached_property
    def merge_key(self) -> str:
        """The member that tells the items of the list apart; empty for scalars."""
        return str(self.marks.get("patch_merge_key", ""))

    @cached_property
    def members(self) -> Mapping[str, Schema]:
        """The declared members of the object, by their name on the wire."""
        if not isinstance(self.type, inspect.StructType):
            return {}
        return {member.encode_name: _schema(member.type) for member in self.type.fields}

    def member(self, name: str) -> Schema:
        """Return how the member of an object is merged; undeclared ones are free-form."""
        if isinstance(self.type, inspect.DictType):
            return self._values
        return self.members.get(name, FREE)

    @cached_property
    def _values(self) -> Schema:
        return _schema(self.type.value_type) if isinstance(self.type, inspect.DictType) else FREE

    @cached_property
    def items(self) -> Schema:
        """How the items of the list are merged."""
        return _schema(self.type.item_type) if isinstance(self.type, inspect.ListType) else FREE


FREE = Schema()
"""A value of which nothing is known: objects merge by key, lists are replaced."""


def _schema(type_: inspect.Type) -> Schema:
    marks: dict[str, object] = {}
    while isinstance(type_, (inspect.Metadata, inspect.UnionType)):
        if isinstance(type_, inspect.Metadata):
            marks |= type_.extra or {}
            type_ = type_.type
            continue
        present = [member for member in type_.types if not isinstance(member, inspect.NoneType)]
        if len(present) != 1:
            return Schema(None, marks)
        type_ = present[0]
    if isinstance(type_, inspect.StructType):
        return Schema(type_, marks) if marks else schema_of(type_.cls)
    return Schema(type_, marks)


@cache
def schema_of(type_: type[msgspec.Struct]) -> Schema:
    """Return how objects of a wire type are merged."""
    return Schema(inspect.type_info(type_))
