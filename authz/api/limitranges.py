"""The kind LimitRange: how much single objects of a namespace may take."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec
from django.db import connection

from authz.resourcenames import COMPUTE, container_name_problems, is_native, name_problems
from registry_meta.kube import errors
from registry_meta.kube.errors import FieldError
from registry_meta.kube.meta import KubeObject, KubeStruct, always
from registry_meta.kube.objects import ObjectStorage
from registry_meta.kube.quantity import Quantity, QuantityText
from registry_meta.kube.request import Context
from registry_meta.kube.resource import Resource
from registry_meta.kube.strategy import Strategy
from registry_meta.kube.validation import label_key

POD, CONTAINER, CLAIM = "Pod", "Container", "PersistentVolumeClaim"
NOT_A_TYPE = "must be a standard limit type or fully qualified"
NOT_FOR_PODS = "may not be specified when `type` is 'Pod'"
NO_STORAGE = "either minimum or maximum storage value is required, but neither was provided"

Amounts = Mapping[str, str]
IN_NAMESPACE = "SELECT document FROM kube_object WHERE resource = 'limitranges' AND namespace = %s"


class LimitRangeItem(KubeStruct):
    """What objects of one type may take, by resource."""

    type: str = always("")  # type: ignore[assignment]  # msgspec.field returns its default's type
    max: dict[str, QuantityText] | None = None
    min: dict[str, QuantityText] | None = None
    default: dict[str, QuantityText] | None = None
    default_request: dict[str, QuantityText] | None = None
    max_limit_request_ratio: dict[str, QuantityText] | None = None


class LimitRangeSpec(KubeStruct):
    """The limits, one item a type."""

    limits: list[LimitRangeItem] | None = always(None)  # type: ignore[assignment]  # as above


class LimitRange(KubeObject):
    """Limits that each object of a namespace is held to."""

    spec: LimitRangeSpec = msgspec.field(default_factory=LimitRangeSpec)


class LimitRangeStrategy(Strategy[LimitRange]):
    """Each type is limited once, and no limit contradicts another."""

    def default(self, obj: LimitRange) -> None:
        """Fill in the defaults of containers from their other limits."""
        for item in obj.spec.limits or []:
            if item.type == CONTAINER:
                item.default = {**(item.max or {}), **(item.default or {})} or None
                item.default_request = {
                    **(item.min or {}), **(item.default or {}), **(item.default_request or {}),
                } or None  # fmt: skip

    def validate(self, obj: LimitRange, *, context: Context) -> list[FieldError]:
        """Return what is wrong with the limits."""
        problems: list[FieldError] = []
        types: set[str] = set()
        for index, item in enumerate(obj.spec.limits or []):
            field = f"spec.limits[{index}]"
            problems += _type_problems(item.type, f"{field}.type")
            if item.type in types:
                problems.append(errors.duplicate(f"{field}.type", item.type))
            types.add(item.type)
            problems += _item_problems(item, field)
        return problems


def _type_problems(type_: str, field: str) -> list[FieldError]:
    problems = [errors.invalid_value(field, type_, text) for text in label_key(type_)]
    if not problems and "/" not in type_ and type_ not in (POD, CONTAINER, CLAIM):
        problems.append(errors.invalid_value(field, type_, NOT_A_TYPE))
    return problems


def _item_problems(item: LimitRangeItem, field: str) -> list[FieldError]:
    rule = container_name_problems if item.type in (POD, CONTAINER) else name_problems
    given: dict[str, Amounts] = {
        "max": item.max or {}, "min": item.min or {}, "default": item.default or {},
        "defaultRequest": item.default_request or {}, "maxLimitRequestRatio": item.max_limit_request_ratio or {},
    }  # fmt: skip
    problems: list[FieldError] = []
    if item.type == POD:
        words = [word for word in ("default", "defaultRequest") if given.pop(word)]
        problems += [errors.field_forbidden(f"{field}.{word}", NOT_FOR_PODS) for word in words]
    for word, amounts in given.items():
        problems += [found for name in sorted(amounts) for found in rule(name, f"{field}.{word}[{name}]")]
    if item.type == CLAIM and "storage" not in {*(item.min or {}), *(item.max or {})}:
        problems.append(errors.required(f"{field}.limits", NO_STORAGE))
    for name in sorted(set().union(*given.values())):
        limits = {word: Quantity.parse(amounts[name]) for word, amounts in given.items() if name in amounts}
        problems += _contradictions(name, limits, field) + _ratio_problems(name, limits, field)
    return problems


ORDER = (
    ("min", "max", "min", "min value {} is greater than max value {}"),
    ("min", "defaultRequest", "defaultRequest", "min value {} is greater than default request value {}"),
    ("defaultRequest", "max", "defaultRequest", "default request value {} is greater than max value {}"),
    ("defaultRequest", "default", "defaultRequest", "default request value {} is greater than default limit value {}"),
    ("min", "default", "default", "min value {} is greater than default value {}"),
    ("default", "max", "default", "default value {} is greater than max value {}"),
)
"""What may not be greater than what; which field is to blame, and the words for it."""


def _contradictions(name: str, amounts: Mapping[str, Quantity], field: str) -> list[FieldError]:
    """Return where one limit on a resource contradicts another."""
    problems = [
        errors.invalid_value(
            f"{field}.{blamed}[{name}]", str(amounts[blamed]), text.format(amounts[low], amounts[high])
        )
        for low, high, blamed, text in ORDER
        if low in amounts and high in amounts and amounts[low] > amounts[high]
    ]
    default, request = amounts.get("default"), amounts.get("defaultRequest")
    overcommits = name in COMPUTE or (is_native(name) and not name.startswith("hugepages-"))
    if not overcommits and default is not None and request is not None and default != request:
        why = f"default value {default} must equal to defaultRequest value {request} in {name}"
        problems.append(errors.invalid_value(f"{field}.defaultRequest[{name}]", str(request), why))
    return problems


def _ratio_problems(name: str, amounts: Mapping[str, Quantity], field: str) -> list[FieldError]:
    ratio, low, high = (amounts.get(word) for word in ("maxLimitRequestRatio", "min", "max"))
    if ratio is None:
        return []
    place = f"{field}.maxLimitRequestRatio[{name}]"
    problems: list[FieldError] = []
    if ratio < Quantity.of(1):
        problems.append(errors.invalid_value(place, str(ratio), f"ratio {ratio} is less than 1"))
    if low is not None and high is not None and low.nanos > 0 and ratio.nanos * low.nanos > high.nanos * 10**9:
        why = f"ratio {ratio} is greater than max/min = {high.nanos / low.nanos:f}"
        problems.append(errors.invalid_value(place, str(ratio), why))
    return problems


def in_namespace(namespace: str) -> list[LimitRange]:
    """Return the limit ranges of a namespace."""
    with connection.cursor() as cursor:
        cursor.execute(IN_NAMESPACE, [namespace])
        return [LIMIT_RANGES.decoder.decode(row[0]) for row in cursor.fetchall()]


def largest_allowed(ranges: Iterable[LimitRange], type_: str) -> dict[str, Quantity]:
    """Return how much of each resource an object of a type may take: the smallest maximum counts."""
    found: dict[str, Quantity] = {}
    for limit_range in ranges:
        for item in limit_range.spec.limits or []:
            for name, text in (item.max or {}).items() if item.type == type_ else ():
                amount = Quantity.parse(text)
                found[name] = min(found.get(name, amount), amount)
    return found


LIMIT_RANGES = Resource(
    group="",
    version="v1",
    kind="LimitRange",
    plural="limitranges",
    singular="limitrange",
    namespaced=True,
    type=LimitRange,
    storage=ObjectStorage(LimitRangeStrategy()),
    short_names=("limits",),
)
