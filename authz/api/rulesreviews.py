"""The kind SelfSubjectRulesReview: everything that one may do in a namespace."""

from __future__ import annotations

import msgspec

from authz import policy, scopes
from authz.api.accessreviews import GROUP, VERSION
from authz.effective import effective_rules
from authz.rules import PolicyRule
from registry_meta.kube import errors
from registry_meta.kube.meta import KubeObject, KubeStruct, always
from registry_meta.kube.request import Context
from registry_meta.kube.resource import Resource

# `always` returns the default's descriptor, typed as object; each use below is assigned to a typed field.
# mypy: disable-error-code="assignment"


class SelfSubjectRulesReviewSpec(KubeStruct):
    """The namespace that is asked about."""

    namespace: str = ""


class ResourceRule(KubeStruct):
    """Verbs on resources."""

    verbs: list[str] = always(None)
    api_groups: list[str] | None = None
    resources: list[str] | None = None
    resource_names: list[str] | None = None


class NonResourceRule(KubeStruct):
    """Verbs on paths."""

    verbs: list[str] = always(None)
    non_resource_urls: list[str] | None = msgspec.field(default=None, name="nonResourceURLs")


class SubjectRulesReviewStatus(KubeStruct):
    """What one may do; the lists are never null."""

    resource_rules: list[ResourceRule] = always(())
    non_resource_rules: list[NonResourceRule] = always(())
    incomplete: bool = always(False)
    evaluation_error: str = ""


class SelfSubjectRulesReview(KubeObject):
    """Asks for everything that one may do in a namespace."""

    spec: SelfSubjectRulesReviewSpec = msgspec.field(default_factory=SelfSubjectRulesReviewSpec)
    status: SubjectRulesReviewStatus = msgspec.field(default_factory=SubjectRulesReviewStatus)


class RulesReviewStorage:
    """Answers for whoever asks."""

    only_answers = True  # nothing changes, so the audit has nothing to tell

    def create(self, obj: SelfSubjectRulesReview, *, context: Context) -> SelfSubjectRulesReview:
        """Return the review with its answer; raises 400 when it names no namespace."""
        namespace = obj.spec.namespace
        if not namespace:
            raise errors.bad_request("no namespace on request")
        rules = effective_rules(policy.current(), context.actor, namespace)
        obj.status = SubjectRulesReviewStatus(
            resource_rules=[_resource_rule(rule) for rule in rules if rule.resources],
            non_resource_rules=[
                NonResourceRule(verbs=rule.verbs or [], non_resource_urls=rule.non_resource_urls)
                for rule in rules
                if rule.non_resource_urls
            ],
        )
        limits = context.actor.extra.get(scopes.EXTRA, ())
        if limits and scopes.FULL not in limits:
            obj.status.incomplete = True
            obj.status.evaluation_error = (
                f"rules of which the scopes [{' '.join(limits)}] let pass a part may be missing"
            )
        return obj


def _resource_rule(rule: PolicyRule) -> ResourceRule:
    return ResourceRule(
        verbs=rule.verbs or [],
        api_groups=rule.api_groups,
        resources=rule.resources,
        resource_names=rule.resource_names,
    )


SELF_SUBJECT_RULES_REVIEWS = Resource(
    group=GROUP,
    version=VERSION,
    kind="SelfSubjectRulesReview",
    plural="selfsubjectrulesreviews",
    singular="selfsubjectrulesreview",
    namespaced=False,
    type=SelfSubjectRulesReview,
    storage=RulesReviewStorage(),
    columns=None,
)
