"""The kind Role: rights within a namespace."""

from __future__ import annotations

from typing import Any, TypeVar

from authz import validation
from authz.guard import GuardedStorage
from authz.rules import GROUP, VERSION, PolicyRule
from registry_meta.kube.errors import FieldError
from registry_meta.kube.meta import KubeObject, always
from registry_meta.kube.request import Context
from registry_meta.kube.resource import NAME, Column, Resource
from registry_meta.kube.strategy import Strategy
from registry_meta.kube.validation import path_segment

T = TypeVar("T", bound=KubeObject)

CREATED_AT = Column("Created At", "date", description="When the role was created.")
MARKS = ("policy",)
"""The counter by which every process learns that the policy has changed."""


class Role(KubeObject):
    """Rights within a namespace, for bindings to give to users, groups and service accounts."""

    rules: list[PolicyRule] | None = always(None)  # type: ignore[assignment]  # msgspec.field returns its default's type


class PolicyStrategy(Strategy[T]):
    """What all roles and bindings have in common: free names, and PUT creates what is missing."""

    create_on_update = True
    name_problems = staticmethod(path_segment)


class RoleStrategy(PolicyStrategy[Role]):
    """The rules of a role are complete, and name no paths."""

    def default(self, obj: Role) -> None:
        """Leave out what is empty."""
        obj.rules = validation.tidied(obj.rules)

    def validate(self, obj: Role, *, context: Context) -> list[FieldError]:
        """Return what is wrong with the rules."""
        return validation.rules(obj.rules or [], namespaced=True)


def given(role: Any) -> list[PolicyRule]:
    """Return the rules that a role gives to whoever is bound to it."""
    return list(role.rules or ())


ROLES = Resource(
    group=GROUP,
    version=VERSION,
    kind="Role",
    plural="roles",
    singular="role",
    namespaced=True,
    type=Role,
    storage=GuardedStorage(RoleStrategy(), given),
    columns=(NAME, CREATED_AT),
    marks=MARKS,
)
