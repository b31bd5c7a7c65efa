"""What roles and bindings may hold, as errors at their fields; pure."""

from __future__ import annotations

from collections.abc import Sequence

from authz.rules import GROUP, PolicyRule, RoleRef, Subject
from registry_meta.kube import errors
from registry_meta.kube.errors import FieldError
from registry_meta.kube.validation import dns_subdomain, path_segment


def rules(found: Sequence[PolicyRule], *, namespaced: bool) -> list[FieldError]:
    """Return what is wrong with the rules of a role."""
    return [
        problem for index, rule in enumerate(found) for problem in _rule(rule, f"rules[{index}]", namespaced=namespaced)
    ]


def _rule(rule: PolicyRule, field: str, *, namespaced: bool) -> list[FieldError]:
    problems: list[FieldError] = []
    if not rule.verbs:
        problems.append(errors.required(f"{field}.verbs", "verbs must contain at least one value"))
    if rule.non_resource_urls:
        urls, at = rule.non_resource_urls, f"{field}.nonResourceURLs"
        if namespaced:
            why = "namespaced rules cannot apply to non-resource URLs"
            problems.append(errors.invalid_value(at, urls, why))
        if rule.api_groups or rule.resources or rule.resource_names:
            why = "rules cannot apply to both regular resources and non-resource URLs"
            problems.append(errors.invalid_value(at, urls, why))
        return problems
    if not rule.api_groups:
        problems.append(errors.required(f"{field}.apiGroups", "resource rules must supply at least one api group"))
    if not rule.resources:
        problems.append(errors.required(f"{field}.resources", "resource rules must supply at least one resource"))
    return problems


def tidied(found: Sequence[PolicyRule] | None) -> list[PolicyRule] | None:
    """Return rules with what is empty left out, as they are stored; None when there are none."""
    for rule in found or ():
        rule.api_groups = rule.api_groups or None
        rule.resources = rule.resources or None
        rule.resource_names = rule.resource_names or None
        rule.non_resource_urls = rule.non_resource_urls or None
    return list(found) if found else None


def fill_binding(role: RoleRef, subjects: Sequence[Subject]) -> None:
    """Fill in the API groups that a binding left out."""
    role.api_group = role.api_group or GROUP
    for subject in subjects:
        if subject.kind in ("User", "Group"):
            subject.api_group = subject.api_group or GROUP


def role_ref(role: RoleRef, kinds: Sequence[str]) -> list[FieldError]:
    """Return what is wrong with the role that a binding gives; `kinds` are those that it may be of."""
    problems: list[FieldError] = []
    if role.api_group != GROUP:
        problems.append(errors.not_supported("roleRef.apiGroup", role.api_group, [GROUP]))
    if role.kind not in kinds:
        problems.append(errors.not_supported("roleRef.kind", role.kind, kinds))
    if not role.name:
        return [*problems, errors.required("roleRef.name")]
    return problems + [errors.invalid_value("roleRef.name", role.name, text) for text in path_segment(role.name)]


def subjects(found: Sequence[Subject], *, namespaced: bool) -> list[FieldError]:
    """Return what is wrong with the subjects of a binding."""
    return [
        problem
        for index, subject in enumerate(found)
        for problem in _subject(subject, f"subjects[{index}]", namespaced=namespaced)
    ]


def _subject(subject: Subject, field: str, *, namespaced: bool) -> list[FieldError]:
    problems = [] if subject.name else [errors.required(f"{field}.name")]
    if subject.kind == "ServiceAccount":
        if subject.name:
            texts = dns_subdomain(subject.name)
            problems += [errors.invalid_value(f"{field}.name", subject.name, text) for text in texts]
        if subject.api_group:
            problems.append(errors.not_supported(f"{field}.apiGroup", subject.api_group, [""]))
        if not namespaced and not subject.namespace:
            problems.append(errors.required(f"{field}.namespace"))
    elif subject.kind in ("User", "Group"):
        if subject.api_group != GROUP:
            problems.append(errors.not_supported(f"{field}.apiGroup", subject.api_group, [GROUP]))
    else:
        problems.append(errors.not_supported(f"{field}.kind", subject.kind, ["ServiceAccount", "User", "Group"]))
    return problems
