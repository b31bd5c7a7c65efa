"""Label selectors as objects hold them (`meta/v1.LabelSelector`), in contrast to those of a query; pure."""

from __future__ import annotations

from collections.abc import Mapping

from registry_meta.kube import errors
from registry_meta.kube.errors import FieldError
from registry_meta.kube.meta import KubeStruct, always
from registry_meta.kube.validation import label_key, labels

# `always` returns the default's descriptor, typed as object; each use below is assigned to a typed field.
# mypy: disable-error-code="assignment"


class SelectorRequirement(KubeStruct):
    """A demand on one label; `operator` is In, NotIn, Exists or DoesNotExist."""

    key: str = always("")
    operator: str = always("")
    values: list[str] | None = None

    def matches(self, found: Mapping[str, str]) -> bool:
        """Return whether labels meet the demand; what lacks the label meets NotIn."""
        present = self.key in found
        if self.operator == "In":
            return present and found[self.key] in (self.values or ())
        if self.operator == "NotIn":
            return not present or found[self.key] not in (self.values or ())
        return present is (self.operator == "Exists")


class LabelSelector(KubeStruct):
    """Demands on labels, all of which must be met; an empty selector selects everything."""

    is_one_value = True

    match_labels: dict[str, str] | None = None
    match_expressions: list[SelectorRequirement] | None = None

    def matches(self, found: Mapping[str, str]) -> bool:
        """Return whether labels meet every demand."""
        exact = all(found.get(key) == value for key, value in (self.match_labels or {}).items())
        return exact and all(requirement.matches(found) for requirement in self.match_expressions or ())


def problems(selector: LabelSelector, field: str) -> list[FieldError]:
    """Return what is wrong with a selector at a field."""
    found = labels(selector.match_labels or {}, f"{field}.matchLabels")
    for index, requirement in enumerate(selector.match_expressions or ()):
        found += _requirement_problems(requirement, f"{field}.matchExpressions[{index}]")
    return found


def _requirement_problems(requirement: SelectorRequirement, field: str) -> list[FieldError]:
    found: list[FieldError] = []
    if requirement.operator in ("In", "NotIn"):
        if not requirement.values:
            why = "must be specified when `operator` is 'In' or 'NotIn'"
            found.append(errors.required(f"{field}.values", why))
    elif requirement.operator in ("Exists", "DoesNotExist"):
        if requirement.values:
            why = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
            found.append(errors.field_forbidden(f"{field}.values", why))
    else:
        why = "not a valid selector operator"
        found.append(errors.invalid_value(f"{field}.operator", requirement.operator, why))
    return found + [errors.invalid_value(f"{field}.key", requirement.key, text) for text in label_key(requirement.key)]
