"""The kind ConfigMap: pieces of configuration that are no secret."""

from __future__ import annotations

import base64
import binascii
from datetime import datetime

from authz.api.secrets import FIXED, MAX_BYTES, key_problems
from registry_meta.kube import changes, errors
from registry_meta.kube.errors import FieldError
from registry_meta.kube.meta import KubeObject
from registry_meta.kube.objects import ObjectStorage
from registry_meta.kube.request import Context
from registry_meta.kube.resource import AGE, NAME, Column, Resource
from registry_meta.kube.strategy import Strategy
from registry_meta.kube.table import age

CONFIGURATION = "configuration"
"""The counter that moves with whatever the cluster says of itself."""

CLUSTER_NAMESPACE = "openshift-config"
"""The namespace whose objects belong to the configuration of the cluster."""


class ConfigMap(KubeObject):
    """Texts under keys, and bytes in base64 under others."""

    data: dict[str, str] | None = None
    binary_data: dict[str, str] | None = None
    immutable: bool | None = None


class ConfigMapStrategy(Strategy[ConfigMap]):
    """How large it may be, how its keys look, and that some never change."""

    def default(self, obj: ConfigMap) -> None:
        """Write the bytes as base64 in its one form; raises 400 for what is none."""
        if obj.binary_data:
            obj.binary_data = {key: _canonical(key, value) for key, value in sorted(obj.binary_data.items())}

    def validate(self, obj: ConfigMap, *, context: Context) -> list[FieldError]:
        """Return what is wrong with the keys and the size."""
        data, binary = obj.data or {}, obj.binary_data or {}
        problems: list[FieldError] = []
        for key in data:
            problems += key_problems(key, "data")
            if key in binary:
                problems.append(errors.invalid_value(f"data[{key}]", key, "duplicate of key present in binaryData"))
        for key in binary:
            problems += key_problems(key, "binaryData")
        size = sum(len(text.encode()) for text in data.values()) + sum(_size(value) for value in binary.values())
        return [*problems, errors.too_long("", MAX_BYTES)] if size > MAX_BYTES else problems

    def validate_update(self, new: ConfigMap, old: ConfigMap, *, context: Context) -> list[FieldError]:
        """Return what is wrong, and what may not change."""
        problems: list[FieldError] = []
        if old.immutable:
            if not new.immutable:
                problems.append(errors.field_forbidden("immutable", FIXED))
            if (new.data or {}) != (old.data or {}):
                problems.append(errors.field_forbidden("data", FIXED))
            if (new.binary_data or {}) != (old.binary_data or {}):
                problems.append(errors.field_forbidden("binaryData", FIXED))
        return problems + self.validate(new, context=context)

    def recorded(self, new: ConfigMap | None, old: ConfigMap | None, *, version: int, context: Context) -> None:
        """Let everybody know when the configuration of the cluster has changed."""
        if context.namespace == CLUSTER_NAMESPACE:
            changes.mark((CONFIGURATION,), version)


def _canonical(key: str, value: str) -> str:
    try:
        content = base64.b64decode(value.replace("\n", "").replace("\r", ""), validate=True)
    except (binascii.Error, ValueError) as error:
        why = f"binaryData[{key}] is not in base64"
        raise errors.bad_request(f'ConfigMap in version "v1" cannot be handled as a ConfigMap: {why}') from error
    return base64.b64encode(content).decode()


def _size(value: str) -> int:
    return len(value) * 3 // 4 - value.count("=")


def row(found: ConfigMap, now: datetime) -> list[object]:
    """Return the cells of a ConfigMap."""
    count = len(found.data or {}) + len(found.binary_data or {})
    return [found.metadata.name, count, age(found.metadata.creation_timestamp, now)]


CONFIG_MAPS = Resource(
    group="",
    version="v1",
    kind="ConfigMap",
    plural="configmaps",
    singular="configmap",
    namespaced=True,
    type=ConfigMap,
    storage=ObjectStorage(ConfigMapStrategy()),
    short_names=("cm",),
    columns=(NAME, Column("Data", description="The number of keys."), AGE),
    row=row,
)
