"""The kind ClusterRole: rights in the whole cluster, written down or summed up from other cluster roles."""

from __future__ import annotations

from authz import aggregation, selectors, validation
from authz.aggregation import ClusterRole
from authz.api.roles import CREATED_AT, MARKS, PolicyStrategy, given
from authz.guard import GuardedStorage
from authz.rules import GROUP, VERSION
from registry_meta.kube import errors
from registry_meta.kube.errors import FieldError
from registry_meta.kube.objects import DeleteOptions
from registry_meta.kube.request import Context
from registry_meta.kube.resource import NAME, Resource
from registry_meta.kube.store import Edit, Stored


class ClusterRoleStrategy(PolicyStrategy[ClusterRole]):
    """A sum holds the rules of its parts, whatever is written into it."""

    def default(self, obj: ClusterRole) -> None:
        """Leave out what is empty."""
        obj.rules = validation.tidied(obj.rules)

    def prepare_create(self, obj: ClusterRole, *, context: Context) -> None:
        """Set the rules of a sum."""
        self._sum(obj)

    def prepare_update(self, new: ClusterRole, old: ClusterRole, *, context: Context) -> None:
        """Set the rules of a sum."""
        self._sum(new)

    def _sum(self, obj: ClusterRole) -> None:
        if obj.aggregation_rule is not None and obj.aggregation_rule.cluster_role_selectors:
            obj.rules = aggregation.total(obj, aggregation.read_roles(CLUSTER_ROLES)) or None

    def validate(self, obj: ClusterRole, *, context: Context) -> list[FieldError]:
        """Return what is wrong with the rules and the selectors."""
        problems = validation.rules(obj.rules or [], namespaced=False)
        if obj.aggregation_rule is None:
            return problems
        field = "aggregationRule.clusterRoleSelectors"
        found = obj.aggregation_rule.cluster_role_selectors or []
        if not found:
            why = "at least one clusterRoleSelector required if aggregationRule is non-nil"
            return [*problems, errors.required(field, why)]
        for index, selector in enumerate(found):
            problems += selectors.problems(selector, f"{field}[{index}]")
        return problems


class ClusterRoleStorage(GuardedStorage[ClusterRole]):
    """Stores cluster roles, and after each write brings the sums up to date."""

    def create(self, obj: ClusterRole, *, context: Context) -> Stored:
        """Store a new cluster role."""
        stored = super().create(obj, context=context)
        self._settle(context)
        return stored

    def update(self, name: str, edit: Edit, *, context: Context, replaces: bool) -> tuple[Stored, bool]:
        """Change a cluster role."""
        result = super().update(name, edit, context=context, replaces=replaces)
        self._settle(context)
        return result

    def delete(self, name: str, options: DeleteOptions, *, context: Context) -> tuple[Stored, bool]:
        """Delete a cluster role."""
        result = super().delete(name, options, context=context)
        self._settle(context)
        return result

    def _settle(self, context: Context) -> None:
        if not context.dry_run:
            aggregation.settle(CLUSTER_ROLES, self.strategy, now=context.now)


CLUSTER_ROLES = Resource(
    group=GROUP,
    version=VERSION,
    kind="ClusterRole",
    plural="clusterroles",
    singular="clusterrole",
    namespaced=False,
    type=ClusterRole,
    storage=ClusterRoleStorage(ClusterRoleStrategy(), given),
    columns=(NAME, CREATED_AT),
    marks=MARKS,
)
