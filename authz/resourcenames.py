"""What limits and quotas may be about: the names of resources, and which quantities they take (core/v1). Pure."""

from __future__ import annotations

from collections.abc import Mapping

from registry_meta.kube import errors
from registry_meta.kube.errors import FieldError
from registry_meta.kube.quantity import Quantity
from registry_meta.kube.validation import label_key

COMPUTE = frozenset({"cpu", "memory", "ephemeral-storage"})
OBJECTS = frozenset({
    "configmaps", "persistentvolumeclaims", "pods", "replicationcontrollers", "resourcequotas", "secrets", "services",
    "services.loadbalancers", "services.nodeports",
})  # fmt: skip
"""The numbers of objects that have a name of their own; every kind has one that begins with `count/`."""

FOR_QUOTAS = (
    OBJECTS
    | COMPUTE
    | {"requests.storage"}
    | {f"{prefix}.{name}" for prefix in ("requests", "limits") for name in COMPUTE}
)
STANDARD = FOR_QUOTAS | {"storage"}
HUGE_PAGES = ("hugepages-", "requests.hugepages-")

NOT_STANDARD = "must be a standard resource type or fully qualified"
NOT_FOR_QUOTAS = "must be a standard resource for quota"
NOT_FOR_CONTAINERS = "must be a standard resource for containers"
NOT_EXTENDED = "doesn't follow extended resource name standard"
NOT_WHOLE = "must be an integer"
NEGATIVE = "must be greater than or equal to 0"


def name_problems(name: str, field: str) -> list[FieldError]:
    """Return what keeps a text from being the name of a resource."""
    problems = [errors.invalid_value(field, name, text) for text in label_key(name)]
    if not problems and "/" not in name and name not in STANDARD and not name.startswith(HUGE_PAGES):
        problems.append(errors.invalid_value(field, name, NOT_STANDARD))
    return problems


def container_name_problems(name: str, field: str) -> list[FieldError]:
    """Return what keeps a text from being the name of something that containers and pods use."""
    problems = name_problems(name, field)
    if "/" not in name:
        if name not in COMPUTE and not name.startswith("hugepages-"):
            problems.append(errors.invalid_value(field, name, NOT_FOR_CONTAINERS))
    elif not is_native(name) and not is_extended(name):
        problems.append(errors.invalid_value(field, name, NOT_EXTENDED))
    return problems


def quota_problems(amounts: Mapping[str, str], field: str) -> list[FieldError]:
    """Return what is wrong with amounts of a quota."""
    problems: list[FieldError] = []
    for name, text in sorted(amounts.items()):
        place = f"{field}[{name}]"
        problems += name_problems(name, place)
        if "/" not in name and name not in FOR_QUOTAS and not name.startswith(HUGE_PAGES):
            problems.append(errors.invalid_value(place, name, NOT_FOR_QUOTAS))
        amount = Quantity.parse(text)
        if amount.nanos < 0:
            problems.append(errors.invalid_value(place, text, NEGATIVE))
        if (name in OBJECTS or is_extended(name)) and not amount.is_whole:
            problems.append(errors.invalid_value(place, text, NOT_WHOLE))
    return problems


def is_native(name: str) -> bool:
    """Return whether a resource is one of Kubernetes' own."""
    return "/" not in name or "kubernetes.io/" in name


def is_extended(name: str) -> bool:
    """Return whether a resource is one that somebody added, of which there are whole numbers only."""
    return not is_native(name) and not name.startswith("requests.") and not label_key(f"requests.{name}")
