"""The kind RoleBinding: who holds a role within a namespace."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, ClassVar, TypeVar

import msgspec

from authz import validation
from authz.api.roles import MARKS, PolicyStrategy
from authz.guard import GuardedStorage
from authz.rules import GROUP, VERSION, RoleRef, Subject
from registry_meta.kube import errors
from registry_meta.kube.errors import FieldError
from registry_meta.kube.meta import KubeObject
from registry_meta.kube.request import Context
from registry_meta.kube.resource import AGE, NAME, Column, Resource
from registry_meta.kube.table import age

COLUMNS = (
    NAME,
    Column("Role", description="The kind and name of the role."),
    AGE,
    Column("Users", description="The users who hold the role.", priority=1),
    Column("Groups", description="The groups that hold the role.", priority=1),
    Column("ServiceAccounts", description="The service accounts that hold the role.", priority=1),
)


class Binding(KubeObject):
    """A role, and who holds it."""

    subjects: list[Subject] | None = None
    role_ref: RoleRef = msgspec.field(default_factory=RoleRef)


class RoleBinding(Binding):
    """Gives a Role of its namespace, or a ClusterRole within its namespace, to subjects."""


B = TypeVar("B", bound=Binding)


class BindingStrategy(PolicyStrategy[B]):
    """What a binding may hold; its role is fixed."""

    role_kinds: ClassVar[Sequence[str]]
    namespaced: ClassVar[bool]

    def default(self, obj: B) -> None:
        """Fill in the API groups that were left out."""
        obj.subjects = obj.subjects or None
        validation.fill_binding(obj.role_ref, obj.subjects or [])

    def validate(self, obj: B, *, context: Context) -> list[FieldError]:
        """Return what is wrong with the role and the subjects."""
        problems = validation.role_ref(obj.role_ref, self.role_kinds)
        return problems + validation.subjects(obj.subjects or [], namespaced=self.namespaced)

    def validate_update(self, new: B, old: B, *, context: Context) -> list[FieldError]:
        """Return what is wrong, and whether the role has changed."""
        problems = self.validate(new, context=context)
        if new.role_ref != old.role_ref:
            problems.append(errors.invalid_value("roleRef", new.role_ref, "cannot change roleRef"))
        return problems


class RoleBindingStrategy(BindingStrategy[RoleBinding]):
    """Within a namespace both kinds of roles can be given."""

    role_kinds = ("Role", "ClusterRole")
    namespaced = True


def given(binding: Any) -> RoleRef:
    """Return the role that a binding gives."""
    return binding.role_ref  # type: ignore[no-any-return]  # the storage knows its objects by their base only


def row(binding: Binding, now: datetime) -> list[object]:
    """Return the table row of a binding."""
    held: dict[str, list[str]] = {"User": [], "Group": [], "ServiceAccount": []}
    for subject in binding.subjects or ():
        shown = f"{subject.namespace}/{subject.name}" if subject.kind == "ServiceAccount" else subject.name
        held.setdefault(subject.kind, []).append(shown)
    return [
        binding.metadata.name,
        f"{binding.role_ref.kind}/{binding.role_ref.name}",
        age(binding.metadata.creation_timestamp, now),
        *(", ".join(held[kind]) for kind in ("User", "Group", "ServiceAccount")),
    ]


ROLE_BINDINGS = Resource(
    group=GROUP,
    version=VERSION,
    kind="RoleBinding",
    plural="rolebindings",
    singular="rolebinding",
    namespaced=True,
    type=RoleBinding,
    storage=GuardedStorage(RoleBindingStrategy(), given),
    columns=COLUMNS,
    row=row,
    marks=MARKS,
)
