"""The kinds that ask whether somebody may do something: oneself, another, or another within a namespace."""

from __future__ import annotations

from typing import ClassVar, TypeVar

import msgspec

from authz import policy
from authz.rules import Attributes
from registry_meta.kube import errors
from registry_meta.kube.errors import FieldError
from registry_meta.kube.meta import GroupKind, KubeObject, KubeStruct, always
from registry_meta.kube.request import Actor, Context
from registry_meta.kube.resource import Resource

# `always` returns the default's descriptor, typed as object; each use below is assigned to a typed field.
# mypy: disable-error-code="assignment"

GROUP = "authorization.k8s.io"
VERSION = "v1"


class ResourceAttributes(KubeStruct):
    """What is to be done to which resource; `resource` may hold the subresource behind a slash."""

    namespace: str = ""
    verb: str = ""
    group: str = ""
    version: str = ""
    resource: str = ""
    subresource: str = ""
    name: str = ""
    field_selector: dict[str, object] | None = None
    label_selector: dict[str, object] | None = None


class NonResourceAttributes(KubeStruct):
    """What is to be done to which path."""

    path: str = ""
    verb: str = ""


class SelfSubjectAccessReviewSpec(KubeStruct):
    """The question: about a resource or about a path."""

    resource_attributes: ResourceAttributes | None = None
    non_resource_attributes: NonResourceAttributes | None = None


class SubjectAccessReviewSpec(KubeStruct):
    """The question, and about whom; groups are not added to the user."""

    resource_attributes: ResourceAttributes | None = None
    non_resource_attributes: NonResourceAttributes | None = None
    user: str = ""
    groups: list[str] | None = None
    extra: dict[str, list[str]] | None = None
    uid: str = ""


class SubjectAccessReviewStatus(KubeStruct):
    """The answer."""

    allowed: bool = always(False)
    denied: bool = False
    reason: str = ""
    evaluation_error: str = ""


class SelfSubjectAccessReview(KubeObject):
    """Asks whether one may do something."""

    spec: SelfSubjectAccessReviewSpec = msgspec.field(default_factory=SelfSubjectAccessReviewSpec)
    status: SubjectAccessReviewStatus = msgspec.field(default_factory=SubjectAccessReviewStatus)


class SubjectAccessReview(KubeObject):
    """Asks whether somebody may do something."""

    spec: SubjectAccessReviewSpec = msgspec.field(default_factory=SubjectAccessReviewSpec)
    status: SubjectAccessReviewStatus = msgspec.field(default_factory=SubjectAccessReviewStatus)


class LocalSubjectAccessReview(SubjectAccessReview):
    """Asks whether somebody may do something in the namespace of the request."""


Spec = SelfSubjectAccessReviewSpec | SubjectAccessReviewSpec
Review = TypeVar("Review", SelfSubjectAccessReview, SubjectAccessReview)


class SelfReviewStorage:
    """Answers for whoever asks."""

    only_answers = True  # nothing changes, so the audit has nothing to tell

    def create(self, obj: SelfSubjectAccessReview, *, context: Context) -> SelfSubjectAccessReview:
        """Return the review with its answer; raises 422 for a question that makes no sense."""
        _refuse("SelfSubjectAccessReview", _metadata_problems(obj, "") + _question_problems(obj.spec))
        return _answered(obj, context.actor)


class ReviewStorage:
    """Answers for the user and groups that the review names."""

    only_answers = True  # nothing changes, so the audit has nothing to tell

    kind: ClassVar[str] = "SubjectAccessReview"

    def create(self, obj: SubjectAccessReview, *, context: Context) -> SubjectAccessReview:
        """Return the review with its answer; raises 422 for a question that makes no sense."""
        _refuse(self.kind, self.problems(obj, context))
        extra = {key: tuple(values) for key, values in (obj.spec.extra or {}).items()}
        return _answered(obj, Actor(obj.spec.user, tuple(obj.spec.groups or ()), obj.spec.uid, extra))

    def problems(self, obj: SubjectAccessReview, context: Context) -> list[FieldError]:
        """Return what is wrong with a review."""
        return _subject_problems(obj.spec) + _metadata_problems(obj, "")


class LocalReviewStorage(ReviewStorage):
    """Answers for a user and groups within the namespace of the request."""

    kind = "LocalSubjectAccessReview"

    def problems(self, obj: SubjectAccessReview, context: Context) -> list[FieldError]:
        """Return what is wrong with a review, which must stay in its namespace."""
        problems = _subject_problems(obj.spec) + _metadata_problems(obj, context.namespace)
        attributes = obj.spec.resource_attributes
        if attributes is not None and attributes.namespace != context.namespace:
            field = "spec.resourceAttributes.namespace"
            problems.append(errors.invalid_value(field, attributes.namespace, "must match metadata.namespace"))
        if obj.spec.non_resource_attributes is not None:
            why = "disallowed on this kind of request"
            problems.append(errors.invalid_value("spec.nonResourceAttributes", obj.spec.non_resource_attributes, why))
        return problems


def _refuse(kind: str, problems: list[FieldError]) -> None:
    if problems:
        raise errors.invalid(GroupKind(GROUP, kind), "", problems)


def _metadata_problems(obj: KubeObject, namespace: str) -> list[FieldError]:
    meta = msgspec.structs.replace(obj.metadata, namespace="", managed_fields=None)
    if meta == type(meta)():
        return []
    why = "must be empty except for namespace" if namespace else "must be empty"
    return [errors.invalid_value("metadata", obj.metadata, why)]


def _question_problems(spec: Spec) -> list[FieldError]:
    if spec.resource_attributes is not None and spec.non_resource_attributes is not None:
        why = "cannot be specified in combination with resourceAttributes"
        return [errors.invalid_value("spec.nonResourceAttributes", spec.non_resource_attributes, why)]
    if spec.resource_attributes is None and spec.non_resource_attributes is None:
        why = "exactly one of nonResourceAttributes or resourceAttributes must be specified"
        return [errors.invalid_value("spec.resourceAttributes", None, why)]
    return []


def _subject_problems(spec: SubjectAccessReviewSpec) -> list[FieldError]:
    problems = _question_problems(spec)
    if not spec.user and not spec.groups:
        why = "at least one of user or group must be specified"
        problems.append(errors.invalid_value("spec.user", spec.user, why))
    return problems


def _answered(review: Review, actor: Actor) -> Review:
    decision = policy.decide(actor, asked(review.spec))
    review.status = SubjectAccessReviewStatus(allowed=decision.allowed, denied=decision.denied, reason=decision.reason)
    return review


def asked(spec: Spec) -> Attributes:
    """Return the question that a review holds."""
    path, attributes = spec.non_resource_attributes, spec.resource_attributes or ResourceAttributes()
    if path is not None:
        return Attributes(path.verb, path=path.path or "/")
    resource = attributes.resource + (f"/{attributes.subresource}" if attributes.subresource else "")
    return Attributes(
        attributes.verb, attributes.namespace, attributes.group, attributes.version, resource, attributes.name
    )


SELF_SUBJECT_ACCESS_REVIEWS = Resource(
    group=GROUP,
    version=VERSION,
    kind="SelfSubjectAccessReview",
    plural="selfsubjectaccessreviews",
    singular="selfsubjectaccessreview",
    namespaced=False,
    type=SelfSubjectAccessReview,
    storage=SelfReviewStorage(),
    columns=None,
)

SUBJECT_ACCESS_REVIEWS = Resource(
    group=GROUP,
    version=VERSION,
    kind="SubjectAccessReview",
    plural="subjectaccessreviews",
    singular="subjectaccessreview",
    namespaced=False,
    type=SubjectAccessReview,
    storage=ReviewStorage(),
    columns=None,
)

LOCAL_SUBJECT_ACCESS_REVIEWS = Resource(
    group=GROUP,
    version=VERSION,
    kind="LocalSubjectAccessReview",
    plural="localsubjectaccessreviews",
    singular="localsubjectaccessreview",
    namespaced=True,
    type=LocalSubjectAccessReview,
    storage=LocalReviewStorage(),
    columns=None,
)
