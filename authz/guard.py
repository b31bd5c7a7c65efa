"""The storages of roles and bindings: whoever writes one may not give more than he holds."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from authz import policy
from authz.escalation import EVERYTHING, missing, refusal
from authz.grants import Grants
from authz.rules import GROUP, MASTERS, VERSION, Attributes, PolicyRule, RoleRef
from registry_meta.kube import errors
from registry_meta.kube.meta import GroupResource, KubeObject
from registry_meta.kube.objects import ObjectStorage
from registry_meta.kube.request import Context
from registry_meta.kube.store import Edit, Stored
from registry_meta.kube.strategy import Strategy

T = TypeVar("T", bound=KubeObject)

NEEDS_EVERYTHING = "must have cluster-admin privileges to use the aggregationRule"

Given = Callable[[Any], "RoleRef | list[PolicyRule]"]
"""What a role or binding gives: its rules, or the role that it names."""


class GuardedStorage(ObjectStorage[T], Generic[T]):
    """Stores roles or bindings of actors who hold all that these give, or may escalate or bind."""

    def __init__(self, strategy: Strategy[T], given: Given) -> None:
        super().__init__(strategy)
        self._given = given

    def create(self, obj: T, *, context: Context) -> Stored:
        """Store a new object; raises 403 for one that gives more than its actor holds."""
        self._check(obj, None, asked_name="", context=context)
        return super().create(obj, context=context)

    def update(self, name: str, edit: Edit, *, context: Context, replaces: bool) -> tuple[Stored, bool]:
        """Change an object, or create it by PUT; raises 403 if what it gives then is more than its actor holds."""

        def guarded(old: Any) -> Any:
            before = copy.deepcopy(old)
            new = edit(old)
            self._check(new, before, asked_name=name, context=context)
            return new

        return super().update(name, guarded, context=context, replaces=replaces)

    def _check(self, new: T, old: T | None, *, asked_name: str, context: Context) -> None:
        if MASTERS in context.actor.groups or (old is not None and only_for_collection(new, old)):
            return
        self.strategy.default(new)
        grants = policy.current()
        given = self._given(new)
        if isinstance(given, RoleRef):
            self._check_binding(new, given, grants, context)
        else:
            self._check_role(new, old, given, grants, asked_name, context)

    def _check_role(
        self, new: T, old: T | None, given: list[PolicyRule], grants: Grants, asked_name: str, context: Context
    ) -> None:
        word = context.resource.group_resource
        asked = Attributes("escalate", context.namespace, word.group, VERSION, word.resource, asked_name)
        if grants.decide(context.actor, asked).allowed:
            return
        held = grants.rules(context.actor, context.namespace)
        _refuse_more(held, given, new, context)
        if (_is_sum(new) or (old is not None and _is_sum(old))) and missing(held, EVERYTHING):
            raise errors.forbidden(word, new.metadata.name, NEEDS_EVERYTHING)

    def _check_binding(self, new: T, role: RoleRef, grants: Grants, context: Context) -> None:
        plural = "roles" if role.kind == "Role" else "clusterroles"
        asked = Attributes("bind", context.namespace, GROUP, VERSION, plural, role.name)
        if grants.decide(context.actor, asked).allowed:
            return
        rules = grants.role(context.namespace if role.kind == "Role" else "", role.name)
        if rules is None:
            raise errors.not_found(GroupResource(GROUP, plural), role.name)
        _refuse_more(grants.rules(context.actor, context.namespace), list(rules), new, context)


def _refuse_more(held: list[PolicyRule], given: list[PolicyRule], new: KubeObject, context: Context) -> None:
    found = missing(held, given)
    if found:
        actor = context.actor
        why = refusal(actor.username, actor.groups, found)
        raise errors.forbidden(context.resource.group_resource, new.metadata.name, why)


def _is_sum(obj: KubeObject) -> bool:
    return getattr(obj, "aggregation_rule", None) is not None


def only_for_collection(new: KubeObject, old: KubeObject) -> bool:
    """Return whether a change concerns nothing but finalizers and owners, which let an object be deleted."""
    return new != old and _without_ties(new) == _without_ties(old)


def _without_ties(obj: KubeObject) -> KubeObject:
    bare = copy.deepcopy(obj)
    bare.metadata.finalizers = bare.metadata.owner_references = bare.metadata.managed_fields = None
    bare.metadata.resource_version = ""
    return bare
