"""The kind Namespace: made with its accounts and their rights, deleted with everything in it."""

from __future__ import annotations

from datetime import datetime

import msgspec

from authz import furnishing
from registry_meta.kube import errors, store
from registry_meta.kube.errors import FieldError
from registry_meta.kube.meta import KubeObject, KubeStruct
from registry_meta.kube.objects import DeleteOptions, ObjectStorage, StatusStorage
from registry_meta.kube.request import Context
from registry_meta.kube.resource import AGE, NAME, Column, Resource, Subresource
from registry_meta.kube.store import Edit, Stored
from registry_meta.kube.strategy import Strategy
from registry_meta.kube.table import age
from registry_meta.kube.validation import dns_label, label_key

NAME_LABEL = "kubernetes.io/metadata.name"
FINALIZER = "kubernetes"
ACTIVE = "Active"
TERMINATING = "Terminating"
PROTECTED = ("default", "kube-system", "kube-public")
"""Namespaces that cannot be deleted."""


class NamespaceSpec(KubeStruct):
    """Who must finish their work before a deleted namespace goes."""

    finalizers: list[str] | None = None


class NamespaceCondition(KubeStruct):
    """What is known of the deletion of a namespace."""

    type: str = ""
    status: str = ""
    last_transition_time: str | None = None
    reason: str = ""
    message: str = ""


class NamespaceStatus(KubeStruct):
    """Active, or Terminating."""

    phase: str = ""
    conditions: list[NamespaceCondition] | None = None


class Namespace(KubeObject):
    """A room of its own for image streams, secrets, accounts and rights."""

    spec: NamespaceSpec = msgspec.field(default_factory=NamespaceSpec)
    status: NamespaceStatus = msgspec.field(default_factory=NamespaceStatus)


class NamespaceStrategy(Strategy[Namespace]):
    """A namespace carries its name as a label; its finalizers and status change through subresources only."""

    untracked: tuple[str, ...] = ("spec", "status")
    name_problems = staticmethod(dns_label)

    def default(self, obj: Namespace) -> None:
        """Set the label of the name."""
        obj.metadata.labels = {**(obj.metadata.labels or {}), NAME_LABEL: obj.metadata.name}

    def prepare_create(self, obj: Namespace, *, context: Context) -> None:
        """Begin as an active namespace whose content is cleared before it goes."""
        found = obj.spec.finalizers or []
        obj.spec.finalizers = found if FINALIZER in found else [*found, FINALIZER]
        obj.status = NamespaceStatus(phase=ACTIVE)

    def prepare_update(self, new: Namespace, old: Namespace, *, context: Context) -> None:
        """Keep what only subresources change."""
        new.spec, new.status = old.spec, old.status

    def validate(self, obj: Namespace, *, context: Context) -> list[FieldError]:
        """Return what is wrong with the finalizers."""
        return [problem for name in obj.spec.finalizers or () for problem in _finalizer_problems(name)]

    def starts_deletion(self, obj: Namespace, *, context: Context) -> bool:
        """Mark a namespace that goes; it stays until its finalizers are done."""
        obj.status.phase = TERMINATING
        obj.metadata.deletion_grace_period_seconds = None
        return bool(obj.spec.finalizers)


def _finalizer_problems(name: str) -> list[FieldError]:
    field = "spec.finalizers"
    problems = [errors.invalid_value(field, name, text) for text in label_key(name)]
    if not problems and "/" not in name and name != FINALIZER:
        why = "name is neither a standard finalizer name nor is it fully qualified"
        problems.append(errors.invalid_value(field, name, why))
    return problems


class NamespaceStatusStrategy(NamespaceStrategy):
    """Through the subresource `status` only the status changes."""

    untracked = ("spec",)

    def prepare_update(self, new: Namespace, old: Namespace, *, context: Context) -> None:
        """Keep the spec, and the phase of a namespace that goes."""
        new.spec = old.spec
        if old.metadata.deletion_timestamp:
            new.status.phase = TERMINATING


class NamespaceFinalizeStrategy(NamespaceStrategy):
    """Through the subresource `finalize` only the finalizers of the spec change."""

    untracked = ("status",)

    def prepare_update(self, new: Namespace, old: Namespace, *, context: Context) -> None:
        """Keep the status."""
        new.status = old.status


class NamespaceStorage(ObjectStorage[Namespace]):
    """Stores namespaces; all of them are never deleted at once."""

    def create(self, obj: Namespace, *, context: Context) -> Stored:
        """Store a new namespace, with the accounts and rights that every namespace has."""
        name = obj.metadata.name
        if "." in name:
            problem = errors.invalid_value("metadata.name", name, "must not contain dots")
            raise errors.invalid(context.resource.group_kind, name, [problem])
        stored = super().create(obj, context=context)
        if not context.dry_run:
            furnishing.furnish(stored.name, now=context.now)
        return stored

    def delete(self, name: str, options: DeleteOptions, *, context: Context) -> tuple[Stored, bool]:
        """Begin to delete a namespace; raises 403 for one that is needed."""
        if name in PROTECTED:
            raise errors.forbidden(context.asked, name, "this namespace may not be deleted")
        wanted, stored = options.required().uid, store.find(context.resource, "", name)
        if wanted and stored is not None and wanted != stored.uid:
            why = f"Precondition failed: UID in precondition: {wanted}, UID in object meta: {stored.uid}"
            raise errors.conflict(context.asked, name, why)
        return super().delete(name, options, context=context)

    @property
    def delete_collection(self) -> None:  # type: ignore[override]  # its absence is what says that the verb is not served
        """Namespaces are deleted one by one."""
        raise AttributeError("namespaces are deleted one by one")


class FinalizeStorage:
    """The subresource `finalize`: PUT alone."""

    patchable = False

    def __init__(self, strategy: Strategy[Namespace]) -> None:
        self._objects = StatusStorage(strategy)

    def update(self, name: str, edit: Edit, *, context: Context, replaces: bool) -> tuple[Stored, bool]:
        """Change the finalizers of the spec; a deleted namespace without any is gone."""
        return self._objects.update(name, edit, context=context, replaces=replaces)


def row(namespace: Namespace, now: datetime) -> list[object]:
    """Return the table row of a namespace."""
    meta = namespace.metadata
    return [meta.name, namespace.status.phase, age(meta.creation_timestamp, now)]


STATUS = NamespaceStatusStrategy()
FINALIZE = NamespaceFinalizeStrategy()

NAMESPACES = Resource(
    group="",
    version="v1",
    kind="Namespace",
    plural="namespaces",
    singular="namespace",
    namespaced=False,
    type=Namespace,
    storage=NamespaceStorage(NamespaceStrategy()),
    short_names=("ns",),
    columns=(NAME, Column("Status", description="Whether the namespace is in use or going."), AGE),
    row=row,
    fields={
        "name": lambda obj: str(obj["metadata"]["name"]),
        "status.phase": lambda obj: str(obj.get("status", {}).get("phase", "")),
    },
    subresources=(
        Subresource(name="status", storage=StatusStorage(STATUS), type=Namespace, kind="Namespace"),
        Subresource(name="finalize", storage=FinalizeStorage(FINALIZE), type=Namespace, kind="Namespace"),
    ),
)
