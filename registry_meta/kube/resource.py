"""The declaration of a resource, from which URLs, discovery, tables, RBAC names and contract tests derive."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any, Protocol, TypeVar

import msgspec

from registry_meta.kube.meta import GroupKind, GroupResource, KubeObject, KubeStruct

T = TypeVar("T", bound=KubeObject)

VERBS = {
    "create": "create",
    "delete": "delete",
    "delete_collection": "deletecollection",
    "get": "get",
    "list": "list",
    "patch": "patch",
    "update": "update",
    "watch": "watch",
}


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a server-side table (`meta.k8s.io/v1` Table); priority 1 shows with `-o wide` only."""

    name: str
    type: str = "string"
    format: str = ""
    description: str = ""
    priority: int = 0

    def definition(self) -> dict[str, object]:
        """Return the column as the Table document describes it."""
        return {
            "name": self.name,
            "type": self.type,
            "format": self.format,
            "description": self.description,
            "priority": self.priority,
        }


NAME = Column("Name", format="name", description="Name of the object, unique within its scope.")
CREATED_AT = Column("Created At", description="When the object was created.")
AGE = Column("Age", description="How long ago the object was created.")


class Row(Protocol):
    """Turns an object into the cells of its table row."""

    def __call__(self, obj: Any, now: datetime, /) -> list[object]:
        """Return one cell for each column."""


class Shown(Protocol):
    """Objects of one kind as lists and tables show them."""

    @property
    def kind(self) -> str:
        """The kind of each object."""

    @property
    def api_version(self) -> str:
        """The group and version of each object."""

    @property
    def columns(self) -> tuple[Column, ...] | None:
        """The columns of a table; None where there are no tables."""

    @property
    def row(self) -> Row:
        """Turns an object into the cells of its row."""

    @property
    def head(self) -> str:
        """The start of every JSON document, up to the first member of its own."""

    @property
    def decoder(self) -> msgspec.json.Decoder[Any]:
        """Decodes a document into the wire type."""


@dataclass(frozen=True, kw_only=True)
class Option:
    """A parameter in the query of a subresource, as the documents describe it."""

    name: str
    description: str
    type: str = "string"


def _plain_row(obj: KubeObject, now: datetime) -> list[object]:
    return [obj.metadata.name, obj.metadata.creation_timestamp or "<unknown>"]


@dataclass(frozen=True, kw_only=True)
class Subresource:
    """A path below an object, such as `status`.

    `storage` has the methods of the verbs that it serves (get, update, create); `kind`, `group` and `version` say what
    it answers with, where that is not the kind of the resource itself. One that `is_list` answers `get` with a page of
    objects of its kind, which a table shows by `columns` and `row`; `options` are what its query may say.
    """

    name: str
    storage: Any
    type: type[KubeStruct]
    kind: str
    group: str | None = None
    version: str | None = None
    is_list: bool = False
    columns: tuple[Column, ...] | None = None
    row: Row = _plain_row
    options: tuple[Option, ...] = ()

    @cached_property
    def answered_kind(self) -> str:
        """The kind of what `get` answers with."""
        return f"{self.kind}List" if self.is_list else self.kind

    @cached_property
    def decoder(self) -> msgspec.json.Decoder[Any]:
        """Decodes a document into the wire type."""
        return msgspec.json.Decoder(self.type)

    @cached_property
    def verbs(self) -> tuple[str, ...]:
        """The verbs served, sorted."""
        return verbs_of(self.storage)


@dataclass(frozen=True, kw_only=True)
class Resource:
    """One kind: its names, its wire type, where it lives and how it is shown.

    `storage` serves the verbs whose methods it has: `get`, `list`, `watch`, `create`, `update`, `delete`,
    `delete_collection`. `fields` are the field selectors beyond metadata.name and metadata.namespace: key → reader of
    the plain JSON object. `marks` names the counters that move whenever such an object is written.
    `sealed` kinds lie in the database encrypted. `quota_names` are what quotas call their number beside
    `count/PLURAL.GROUP`.
    """

    group: str
    version: str
    kind: str
    plural: str
    singular: str
    namespaced: bool
    type: type[KubeObject]
    storage: Any
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    columns: tuple[Column, ...] | None = (NAME, CREATED_AT)
    row: Row = _plain_row
    fields: Mapping[str, Callable[[Mapping[str, Any]], str]] = field(default_factory=dict)
    subresources: tuple[Subresource, ...] = ()
    marks: tuple[str, ...] = ()
    collection_requests: bool = True
    sealed: bool = False
    quota_names: tuple[str, ...] = ()

    @cached_property
    def api_version(self) -> str:
        """The group and version as objects carry it: `image.openshift.io/v1` or `v1`."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @cached_property
    def group_resource(self) -> GroupResource:
        """The plural name in its group."""
        return GroupResource(self.group, self.plural)

    @cached_property
    def group_kind(self) -> GroupKind:
        """The kind in its group."""
        return GroupKind(self.group, self.kind)

    @cached_property
    def key(self) -> str:
        """The name under which objects are stored and changes are logged: `imagestreams.image.openshift.io`."""
        return str(self.group_resource)

    @cached_property
    def head(self) -> str:
        """The start of every JSON document of this kind, up to the first member of its own."""
        return f'{{"kind":"{self.kind}","apiVersion":"{self.api_version}",'

    @cached_property
    def verbs(self) -> tuple[str, ...]:
        """The verbs served, sorted: those whose methods the storage has; `patch` comes with `update`."""
        return verbs_of(self.storage)

    @cached_property
    def storage_version_hash(self) -> str:
        """The hash of the stored type that discovery shows."""
        digest = hashlib.sha256(f"{self.group}/{self.version}/{self.kind}".encode()).digest()
        return base64.b64encode(digest[:8]).decode()

    @cached_property
    def decoder(self) -> msgspec.json.Decoder[Any]:
        """Decodes a stored document into the wire type."""
        return msgspec.json.Decoder(self.type)

    @cached_property
    def is_listed(self) -> bool:
        """Whether anything can be done with the objects themselves, and not only below them."""
        return bool(self.verbs)

    def answered(self, sub: Subresource | None) -> tuple[str, str, str]:
        """Return the group, version and kind of what is read and written here, or at a subresource."""
        if sub is None:
            return self.group, self.version, self.kind
        return self.group if sub.group is None else sub.group, sub.version or self.version, sub.kind

    def subresource(self, name: str) -> Subresource | None:
        """Return the subresource of that name, if there is one."""
        return next((sub for sub in self.subresources if sub.name == name), None)


@dataclass(frozen=True, slots=True)
class ShownItems:
    """The items of a subresource that is a list."""

    sub: Subresource
    api_version: str

    @property
    def kind(self) -> str:
        """The kind of each item."""
        return self.sub.kind

    @property
    def columns(self) -> tuple[Column, ...] | None:
        """The columns of a table."""
        return self.sub.columns

    @property
    def row(self) -> Row:
        """Turns an item into the cells of its row."""
        return self.sub.row

    @property
    def head(self) -> str:
        """The start of every item's JSON document."""
        return f'{{"kind":"{self.kind}","apiVersion":"{self.api_version}",'

    @property
    def decoder(self) -> msgspec.json.Decoder[Any]:
        """Decodes an item's document."""
        return self.sub.decoder


def shown(resource: Resource, sub: Subresource | None) -> Shown | None:
    """Return how objects are shown: those of a kind, or the items below one; None for what has no tables."""
    if sub is None:
        return resource
    group, version, _ = resource.answered(sub)
    return ShownItems(sub, f"{group}/{version}") if sub.is_list else None


def verbs_of(storage: object) -> tuple[str, ...]:
    """Return the verbs whose methods a storage has, sorted; whoever can update can patch."""
    verbs = {verb for method, verb in VERBS.items() if hasattr(storage, method)}
    if "update" in verbs and getattr(storage, "patchable", True):
        verbs.add("patch")
    return tuple(sorted(verbs))
