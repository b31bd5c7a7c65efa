"""The kind Group: users who are given rights together."""

from __future__ import annotations

from datetime import datetime

from authz import people
from authz.api.roles import MARKS
from authz.people import GROUP, VERSION
from registry_meta.kube import errors
from registry_meta.kube.errors import FieldError
from registry_meta.kube.meta import KubeObject, always
from registry_meta.kube.objects import ObjectStorage
from registry_meta.kube.request import Context
from registry_meta.kube.resource import NAME, Column, Resource
from registry_meta.kube.strategy import Strategy


class Group(KubeObject):
    """Users by name; bindings name the group."""

    users: list[str] | None = always(None)  # type: ignore[assignment]  # msgspec.field returns its default's type


class GroupStrategy(Strategy[Group]):
    """The members are names that users may have; whether there are such users does not matter."""

    unconditional_update = False
    name_problems = staticmethod(people.group_name)

    def validate(self, obj: Group, *, context: Context) -> list[FieldError]:
        """Return what is wrong with the names of the members."""
        return [
            errors.invalid_value(f"users[{index}]", name, ", ".join(texts))
            for index, name in enumerate(obj.users or ())
            if (texts := people.user_name(name) if name else ["may not be empty"])
        ]


def row(group: Group, now: datetime) -> list[object]:
    """Return the table row of a group."""
    return [group.metadata.name, ", ".join(group.users or ())]


GROUPS = Resource(
    group=GROUP,
    version=VERSION,
    kind="Group",
    plural="groups",
    singular="group",
    namespaced=False,
    type=Group,
    storage=ObjectStorage(GroupStrategy()),
    columns=(NAME, Column("Users", description="The members of the group.")),
    row=row,
    marks=MARKS,
)
