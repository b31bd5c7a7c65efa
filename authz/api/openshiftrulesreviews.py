"""The reviews of authorization.openshift.io that list everything that one, or somebody, may do in a namespace."""

from __future__ import annotations

from typing import Annotated

import msgspec

from authz import policy
from authz.api.openshiftreviews import GROUP, VERSION, scoped
from authz.effective import effective_rules
from authz.rules import PolicyRule
from registry_meta.kube import errors
from registry_meta.kube.meta import COUNTS_EMPTY, KubeObject, KubeStruct, always
from registry_meta.kube.request import Actor, Context
from registry_meta.kube.resource import Resource

# `always` returns the default's descriptor, typed as object; each use below is assigned to a typed field.
# mypy: disable-error-code="assignment"


class OwnRulesSpec(KubeStruct):
    """The scopes to count with: those of the token when they are null, none when they are empty."""

    scopes: Annotated[list[str] | None, COUNTS_EMPTY] = always(None)


class SubjectRulesReviewSpec(KubeStruct):
    """The user and groups that are asked about, and the scopes to count with."""

    user: str = always("")
    groups: list[str] | None = always(None)
    scopes: Annotated[list[str] | None, COUNTS_EMPTY] = always(None)


class RulesStatus(KubeStruct):
    """What may be done; the list is never null."""

    rules: list[PolicyRule] = always(())
    evaluation_error: str = ""


class OpenShiftSelfSubjectRulesReview(KubeObject):
    """Asks for everything that one may do in the namespace of the request."""

    spec: OwnRulesSpec = msgspec.field(default_factory=OwnRulesSpec)
    status: RulesStatus = msgspec.field(default_factory=RulesStatus)


class SubjectRulesReview(KubeObject):
    """Asks for everything that somebody may do in the namespace of the request."""

    spec: SubjectRulesReviewSpec = msgspec.field(default_factory=SubjectRulesReviewSpec)
    status: RulesStatus = msgspec.field(default_factory=RulesStatus)


class OwnRulesStorage:
    """Answers for whoever asks."""

    only_answers = True  # nothing changes, so the audit has nothing to tell

    def create(self, obj: OpenShiftSelfSubjectRulesReview, *, context: Context) -> OpenShiftSelfSubjectRulesReview:
        """Return the review with its answer."""
        obj.status = _rules(scoped(context.actor, obj.spec.scopes), context.namespace)
        return obj


class SubjectRulesStorage:
    """Answers for the user and groups that the review names."""

    only_answers = True  # nothing changes, so the audit has nothing to tell

    def create(self, obj: SubjectRulesReview, *, context: Context) -> SubjectRulesReview:
        """Return the review with its answer; raises 400 for one that names nobody."""
        spec = obj.spec
        if not spec.user and not spec.groups:
            raise errors.bad_request("at least one of user or group must be specified")
        obj.status = _rules(scoped(Actor(spec.user, tuple(spec.groups or ())), spec.scopes), context.namespace)
        return obj


def _rules(subject: Actor, namespace: str) -> RulesStatus:
    grants = policy.current()
    missing = ", ".join(grants.missing_of(subject, namespace))
    return RulesStatus(rules=effective_rules(grants, subject, namespace), evaluation_error=missing)


OPENSHIFT_SELF_SUBJECT_RULES_REVIEWS = Resource(
    group=GROUP,
    version=VERSION,
    kind="SelfSubjectRulesReview",
    plural="selfsubjectrulesreviews",
    singular="selfsubjectrulesreview",
    namespaced=True,
    type=OpenShiftSelfSubjectRulesReview,
    storage=OwnRulesStorage(),
    columns=None,
)

SUBJECT_RULES_REVIEWS = Resource(
    group=GROUP,
    version=VERSION,
    kind="SubjectRulesReview",
    plural="subjectrulesreviews",
    singular="subjectrulesreview",
    namespaced=True,
    type=SubjectRulesReview,
    storage=SubjectRulesStorage(),
    columns=None,
)
