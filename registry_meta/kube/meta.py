"""Names, identities and metadata that every API object shares (Kubernetes API conventions)."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, ClassVar

import msgspec

RFC3339 = r"^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)$"

Time = Annotated[str, msgspec.Meta(pattern=RFC3339, extra_json_schema={"format": "date-time"})]
"""An RFC 3339 instant; what the server writes is UTC in whole seconds, `2026-01-02T03:04:05Z`."""


@dataclass(frozen=True, slots=True)
class GroupResource:
    """A plural resource name in its API group; prints as `imagestreams.image.openshift.io` or `secrets`."""

    group: str
    resource: str

    def __str__(self) -> str:
        return f"{self.resource}.{self.group}" if self.group else self.resource


@dataclass(frozen=True, slots=True)
class GroupKind:
    """A kind in its API group; prints as `ImageStream.image.openshift.io` or `Secret`."""

    group: str
    kind: str

    def __str__(self) -> str:
        return f"{self.kind}.{self.group}" if self.group else self.kind


class KubeStruct(msgspec.Struct, rename="camel", omit_defaults=True, kw_only=True):
    """The base of every wire type: camelCase on the wire, fields at their default left out.

    A field that is always on the wire is declared with `always(value)`.
    """

    is_one_value: ClassVar[bool] = False
    """Whether server-side apply takes objects of the type as one value instead of merging their members."""


def always(value: object) -> object:
    """Return a field default that is written even when it was not given."""
    return msgspec.field(default_factory=lambda: value)


def merged_by(key: str) -> msgspec.Meta:
    """Return the mark of a list of objects that patches merge item by item, told apart by a member."""
    return msgspec.Meta(extra={"patch_strategy": "merge", "patch_merge_key": key})


MERGED = msgspec.Meta(extra={"patch_strategy": "merge"})
"""The mark of a list of scalars that patches add to."""

REPLACED = msgspec.Meta(extra={"patch_strategy": "replace"})
"""The mark of an object that patches replace as a whole."""

COUNTS_EMPTY = msgspec.Meta(extra={"counts_empty": True})
"""The mark of a list that says something else when it is empty than when it is null."""

EMBEDDED = msgspec.Meta(extra={"patch_strategy": "replace", "embedded": True})
"""The mark of an object with a schema of its own: replaced by patches, and its unknown fields go unmentioned."""


class OwnerReference(KubeStruct):
    """Another object that this one belongs to; dependents are removed with their last owner."""

    is_one_value = True

    api_version: str = always("")  # type: ignore[assignment]  # msgspec.field returns its default's type
    kind: str = always("")  # type: ignore[assignment]  # as above
    name: str = always("")  # type: ignore[assignment]  # as above
    uid: str = always("")  # type: ignore[assignment]  # as above
    controller: bool | None = None
    block_owner_deletion: bool | None = None


class ManagedFieldsEntry(KubeStruct):
    """What one manager owns of an object (server-side apply)."""

    manager: str = ""
    operation: str = ""
    api_version: str = ""
    time: Time | None = None
    fields_type: str = ""
    fields_v1: dict[str, object] | None = msgspec.field(default=None, name="fieldsV1")
    subresource: str = ""


class ObjectMeta(KubeStruct):
    """Metadata of an object (Kubernetes `meta/v1.ObjectMeta`)."""

    name: str = ""
    generate_name: str = ""
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""
    generation: int = 0
    creation_timestamp: Time | None = None
    deletion_timestamp: Time | None = None
    deletion_grace_period_seconds: int | None = None
    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None
    owner_references: Annotated[list[OwnerReference] | None, merged_by("uid")] = None
    finalizers: Annotated[list[str] | None, MERGED] = None
    managed_fields: list[ManagedFieldsEntry] | None = None


class ObjectReference(KubeStruct):
    """A pointer to another object (core/v1 `ObjectReference`)."""

    is_one_value = True

    kind: str = ""
    namespace: str = ""
    name: str = ""
    uid: str = ""
    api_version: str = ""
    resource_version: str = ""
    field_path: str = ""


class KubeObject(KubeStruct):
    """The base of every kind: metadata; `apiVersion` and `kind` are added when an object leaves the server."""

    metadata: ObjectMeta = msgspec.field(default_factory=ObjectMeta)


def timestamp(moment: datetime) -> str:
    """Return an instant as the API writes it: UTC, whole seconds, `2026-01-02T03:04:05Z`."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_time(text: str) -> datetime:
    """Return the instant that an RFC 3339 text names, in UTC; raises ValueError when it names none."""
    return datetime.fromisoformat(text).astimezone(UTC)


def now() -> datetime:
    """Return the present instant, aware, in UTC."""
    return datetime.now(UTC)


def new_uid() -> str:
    """Return a fresh random object uid (UUIDv4)."""
    return str(uuid.uuid4())
