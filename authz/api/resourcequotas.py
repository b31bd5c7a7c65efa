"""The kind ResourceQuota: how many objects a namespace may hold, and how many it does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

import msgspec

from authz import usage
from authz.resourcenames import FOR_QUOTAS, HUGE_PAGES, quota_problems
from registry_meta.kube import errors
from registry_meta.kube.errors import FieldError
from registry_meta.kube.meta import KubeObject, KubeStruct, always
from registry_meta.kube.objects import ObjectStorage, StatusStorage
from registry_meta.kube.quantity import QuantityText
from registry_meta.kube.request import Context
from registry_meta.kube.resource import AGE, NAME, Column, Resource, Subresource
from registry_meta.kube.strategy import Strategy
from registry_meta.kube.table import age
from registry_meta.kube.validation import IMMUTABLE

OF_PODS = frozenset({
    "pods", "cpu", "memory", "requests.cpu", "requests.memory", "limits.cpu", "limits.memory",
})  # fmt: skip
SCOPES = {
    "Terminating": OF_PODS, "NotTerminating": OF_PODS, "BestEffort": frozenset({"pods"}), "NotBestEffort": OF_PODS,
    "PriorityClass": OF_PODS, "CrossNamespacePodAffinity": OF_PODS,
}  # fmt: skip
"""The scopes, each with the standard resources that it can be put on."""

OPPOSITES = ({"BestEffort", "NotBestEffort"}, {"Terminating", "NotTerminating"})
NO_SCOPE = "unsupported scope"
WRONG_SCOPE = "unsupported scope applied to resource"
CONFLICT = "conflicting scopes"
MUST_EXIST = (
    "must be 'Exist' when scope is any of ResourceQuotaScopeTerminating, ResourceQuotaScopeNotTerminating,"
    " ResourceQuotaScopeBestEffort, ResourceQuotaScopeNotBestEffort or ResourceQuotaScopeCrossNamespacePodAffinity"
)
NEEDS_VALUES = "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector"
NEEDS_NO_VALUES = "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector"
NO_OPERATOR = "not a valid selector operator"


class ScopedResourceSelectorRequirement(KubeStruct):
    """What a scope must be."""

    scope_name: str = always("")  # type: ignore[assignment]  # msgspec.field returns its default's type
    operator: str = always("")  # type: ignore[assignment]  # as above
    values: list[str] | None = None


class ScopeSelector(KubeStruct):
    """Scopes, all of which must be as they are wished."""

    is_one_value = True

    match_expressions: list[ScopedResourceSelectorRequirement] | None = None


class ResourceQuotaSpec(KubeStruct):
    """How much there may be, by resource."""

    hard: dict[str, QuantityText] | None = None
    scopes: list[str] | None = None
    scope_selector: ScopeSelector | None = None

    @property
    def is_scoped(self) -> bool:
        """Whether the quota is about some pods only, and so about nothing that is counted here."""
        return bool(self.scopes or (self.scope_selector and self.scope_selector.match_expressions))


class ResourceQuotaStatus(KubeStruct):
    """The amounts that are enforced, and those in use."""

    hard: dict[str, QuantityText] | None = None
    used: dict[str, QuantityText] | None = None


class ResourceQuota(KubeObject):
    """How much all objects of a namespace together may take."""

    spec: ResourceQuotaSpec = msgspec.field(default_factory=ResourceQuotaSpec)
    status: ResourceQuotaStatus = msgspec.field(default_factory=ResourceQuotaStatus)


def measure(quota: ResourceQuota, numbers: usage.Counts) -> ResourceQuotaStatus:
    """Return the status of a quota in a namespace that holds so many objects; what is not counted here is left out."""
    hard = quota.spec.hard or {}
    used = usage.measured(hard, {} if quota.spec.is_scoped else numbers)
    return ResourceQuotaStatus(hard=dict(hard) or None, used=used or None)


def _numbers(quota: ResourceQuota) -> dict[str, int]:
    namespace = quota.metadata.namespace
    return usage.counts([namespace], sorted(usage.keys_of(quota.spec.hard or ())))[namespace]


class ResourceQuotaStrategy(Strategy[ResourceQuota]):
    """The amounts are the client's, what is used is counted here."""

    untracked: tuple[str, ...] = ("status",)

    def prepare_create(self, obj: ResourceQuota, *, context: Context) -> None:
        """Begin without a status."""
        obj.status = ResourceQuotaStatus()

    def prepare_update(self, new: ResourceQuota, old: ResourceQuota, *, context: Context) -> None:
        """Keep the status, or count anew for other amounts; the row is locked, so that nobody else counts."""
        new.status = old.status if new.spec == old.spec else measure(new, _numbers(new))

    def validate(self, obj: ResourceQuota, *, context: Context) -> list[FieldError]:
        """Return what is wrong with amounts and scopes."""
        hard = obj.spec.hard or {}
        return quota_problems(hard, "spec.hard") + _scope_problems(obj.spec, hard) + _selector_problems(obj.spec, hard)

    def validate_update(self, new: ResourceQuota, old: ResourceQuota, *, context: Context) -> list[FieldError]:
        """Return what is wrong, and that scopes do not change."""
        problems = self.validate(new, context=context)
        if set(new.spec.scopes or ()) != set(old.spec.scopes or ()):
            problems.append(errors.invalid_value("spec.scopes", new.spec.scopes, IMMUTABLE))
        return problems

    def admit(self, new: ResourceQuota, old: ResourceQuota | None, *, context: Context) -> None:
        """Count what there is when a quota is made, itself among it."""
        if old is None:
            numbers = _numbers(new)
            key = RESOURCE_QUOTAS.key
            new.status = measure(new, {**numbers, key: numbers.get(key, 0) + 1})


class ResourceQuotaStatusStrategy(ResourceQuotaStrategy):
    """Through the subresource `status` only the status changes; the next count corrects it."""

    untracked = ("spec",)

    def prepare_update(self, new: ResourceQuota, old: ResourceQuota, *, context: Context) -> None:
        """Keep the spec."""
        new.spec = old.spec

    def validate_update(self, new: ResourceQuota, old: ResourceQuota, *, context: Context) -> list[FieldError]:
        """Return what is wrong with the amounts of the status."""
        return quota_problems(new.status.hard or {}, "status.hard") + quota_problems(
            new.status.used or {}, "status.used"
        )


def _misplaced(scope: str, hard: Mapping[str, str]) -> Iterator[str]:
    """Yield the standard resources that a scope cannot be put on."""
    for name in sorted(hard):
        if (name in FOR_QUOTAS or name.startswith(HUGE_PAGES)) and name not in SCOPES.get(scope, ()):
            yield name


def _scope_problems(spec: ResourceQuotaSpec, hard: Mapping[str, str]) -> list[FieldError]:
    field, scopes = "spec.scopes", spec.scopes or []
    problems: list[FieldError] = []
    for scope in scopes:
        if scope not in SCOPES:
            problems.append(errors.invalid_value(field, scopes, NO_SCOPE))
        problems += [errors.invalid_value(field, scopes, WRONG_SCOPE) for _ in _misplaced(scope, hard)]
    return problems + _conflicts(scopes, field, scopes)


def _conflicts(scopes: Sequence[str], field: str, shown: object) -> list[FieldError]:
    return [errors.invalid_value(field, shown, CONFLICT) for pair in OPPOSITES if pair <= set(scopes)]


def _selector_problems(spec: ResourceQuotaSpec, hard: Mapping[str, str]) -> list[FieldError]:
    selector = spec.scope_selector
    if selector is None:
        return []
    field = "spec.scopeSelector.matchExpressions"
    problems: list[FieldError] = []
    for wish in selector.match_expressions or []:
        if wish.scope_name not in SCOPES:
            problems.append(errors.invalid_value(f"{field}.scopeName", wish.scope_name, NO_SCOPE))
        problems += [errors.invalid_value(field, selector, WRONG_SCOPE) for _ in _misplaced(wish.scope_name, hard)]
        problems += _wish_problems(wish, field)
    names = [wish.scope_name for wish in selector.match_expressions or []]
    return problems + _conflicts(names, field, selector)


def _wish_problems(wish: ScopedResourceSelectorRequirement, field: str) -> list[FieldError]:
    problems: list[FieldError] = []
    if wish.scope_name in SCOPES and wish.scope_name != "PriorityClass" and wish.operator != "Exists":
        problems.append(errors.invalid_value(f"{field}.operator", wish.operator, MUST_EXIST))
    if wish.operator in ("In", "NotIn"):
        if not wish.values:
            problems.append(errors.required(f"{field}.values", NEEDS_VALUES))
    elif wish.operator in ("Exists", "DoesNotExist"):
        if wish.values:
            problems.append(errors.invalid_value(f"{field}.values", wish.values, NEEDS_NO_VALUES))
    else:
        problems.append(errors.invalid_value(f"{field}.operator", wish.operator, NO_OPERATOR))
    return problems


def row(quota: ResourceQuota, now: datetime) -> list[object]:
    """Return the table row of a quota: of each amount how much is used; limits of pods have a column of their own."""
    cells: dict[bool, list[str]] = {False: [], True: []}
    used = quota.status.used or {}
    for name, hard in sorted((quota.status.hard or {}).items()):
        cells[name.startswith("limits")].append(f"{name}: {used.get(name, '0')}/{hard}")
    meta = quota.metadata
    return [meta.name, ", ".join(cells[False]), ", ".join(cells[True]), age(meta.creation_timestamp, now)]


STATUS = ResourceQuotaStatusStrategy()

RESOURCE_QUOTAS = Resource(
    group="",
    version="v1",
    kind="ResourceQuota",
    plural="resourcequotas",
    singular="resourcequota",
    namespaced=True,
    type=ResourceQuota,
    storage=ObjectStorage(ResourceQuotaStrategy()),
    short_names=("quota",),
    columns=(
        NAME,
        Column("Request", description="How much is used and how much there may be."),
        Column("Limit", description="The same for the limits of pods."),
        AGE,
    ),
    row=row,
    subresources=(Subresource(name="status", storage=StatusStorage(STATUS), type=ResourceQuota, kind="ResourceQuota"),),
)
