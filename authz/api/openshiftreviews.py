"""The reviews of authorization.openshift.io: may somebody do something, and who may."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any

import msgspec

from authz import policy, scopes
from authz.api.accessreviews import SELF_SUBJECT_ACCESS_REVIEWS
from authz.refusal import refusal
from authz.rules import Attributes
from registry_meta.kube import errors
from registry_meta.kube.errors import FieldError
from registry_meta.kube.meta import COUNTS_EMPTY, KubeObject
from registry_meta.kube.request import Actor, Context
from registry_meta.kube.resource import Resource

GROUP = "authorization.openshift.io"
VERSION = "v1"


class Action(KubeObject):
    """What is to be done: to a resource, which may hold the subresource behind a slash, or to a path."""

    namespace: str = ""
    verb: str = ""
    resource_api_group: str = msgspec.field(default="", name="resourceAPIGroup")
    resource_api_version: str = msgspec.field(default="", name="resourceAPIVersion")
    resource: str = ""
    resource_name: str = ""
    path: str = ""
    is_non_resource_url: bool = msgspec.field(default=False, name="isNonResourceURL")
    content: dict[str, object] | None = None


class OpenShiftSubjectAccessReview(Action):
    """Asks whether somebody may do something; without a user and groups, whether one may oneself.

    Scopes that are null are one's own about oneself and none about others; an empty list is none.
    """

    user: str = ""
    groups: list[str] | None = None
    scopes: Annotated[list[str] | None, COUNTS_EMPTY] = None


class OpenShiftLocalSubjectAccessReview(OpenShiftSubjectAccessReview):
    """Asks whether somebody may do something in the namespace of the request."""


class ResourceAccessReview(Action):
    """Asks who may do something."""


class LocalResourceAccessReview(Action):
    """Asks who may do something in the namespace of the request."""


class AccessReviewStorage:
    """Answers for the user and groups that the review names, or for whoever asks."""

    only_answers = True  # nothing changes, so the audit has nothing to tell
    checks_rights = True  # to ask about oneself needs another right than to ask about others

    def create(self, obj: OpenShiftSubjectAccessReview, *, context: Context) -> dict[str, Any]:
        """Return the answer; raises 403 for one who may not ask, 422 for a question that makes no sense."""
        is_own = not obj.user and not obj.groups
        # The right comes first: who may not ask is not told what is wrong with his question.
        _require(context, SELF_SUBJECT_ACCESS_REVIEWS if is_own else context.resource, context.namespace)
        _settle(obj, context)
        if not is_own and not context.resource.namespaced:
            _require(context, OPENSHIFT_LOCAL_SUBJECT_ACCESS_REVIEWS, obj.namespace)
        subject = context.actor if is_own else Actor(obj.user, tuple(obj.groups or ()))
        decision = policy.decide(scoped(subject, obj.scopes), asked(obj))
        return {
            **_head("SubjectAccessReviewResponse", obj.namespace),
            "allowed": decision.allowed,
            **({"reason": decision.reason} if decision.reason else {}),
        }


class WhoCanStorage:
    """Answers with everybody who may do something, as far as bindings name them."""

    only_answers = True  # nothing changes, so the audit has nothing to tell

    def create(self, obj: Action, *, context: Context) -> dict[str, Any]:
        """Return the users and the groups, sorted; raises 403 and 422 as for the reviews of one subject."""
        _settle(obj, context)
        if not context.resource.namespaced:
            _require(context, LOCAL_RESOURCE_ACCESS_REVIEWS, obj.namespace)
        grants = policy.current()
        users, groups = grants.holders(asked(obj))
        return {
            **_head("ResourceAccessReviewResponse", obj.namespace),
            "users": sorted(users),
            "groups": sorted(groups),
            "evalutionError": ", ".join(grants.missing(obj.namespace)),  # spelt as OpenShift spells it
        }


def _require(context: Context, resource: Resource, namespace: str) -> None:
    """Raise 403 unless the actor may create reviews of a kind in a namespace."""
    needed = Attributes("create", namespace, resource.group, resource.version, resource.plural)
    decision = policy.decide(context.actor, needed)
    if not decision.allowed:
        raise refusal(context.actor, needed, decision)


def _settle(obj: Action, context: Context) -> None:
    """Put a question into the namespace of its request; raises 422 for one that makes no sense."""
    problems: list[FieldError] = []
    if not obj.verb:
        problems.append(errors.required("verb"))
    if obj.is_non_resource_url and not obj.path:
        problems.append(errors.required("path"))
    if not obj.is_non_resource_url and not obj.resource:
        problems.append(errors.required("resource"))
    if context.resource.namespaced and obj.namespace not in ("", context.namespace):
        problems.append(errors.invalid_value("namespace", obj.namespace, f"namespace must be: {context.namespace}"))
    if problems:
        raise errors.invalid(context.resource.group_kind, "", problems)
    if context.resource.namespaced:
        obj.namespace = context.namespace


def scoped(subject: Actor, wanted: list[str] | None) -> Actor:
    """Return a subject with other scopes than his own, if the review names some; with an empty list, without any."""
    if wanted is None:
        return subject
    extra = {key: values for key, values in subject.extra.items() if key != scopes.EXTRA}
    return replace(subject, extra={**extra, scopes.EXTRA: tuple(wanted)} if wanted else extra)


def asked(action: Action) -> Attributes:
    """Return the question that a review holds."""
    if action.is_non_resource_url:
        return Attributes(action.verb, path=action.path)
    return Attributes(
        action.verb, action.namespace, action.resource_api_group, action.resource_api_version, action.resource,
        action.resource_name,
    )  # fmt: skip


def _head(kind: str, namespace: str) -> dict[str, Any]:
    return {"kind": kind, "apiVersion": f"{GROUP}/{VERSION}", **({"namespace": namespace} if namespace else {})}


OPENSHIFT_SUBJECT_ACCESS_REVIEWS = Resource(
    group=GROUP,
    version=VERSION,
    kind="SubjectAccessReview",
    plural="subjectaccessreviews",
    singular="subjectaccessreview",
    namespaced=False,
    type=OpenShiftSubjectAccessReview,
    storage=AccessReviewStorage(),
    columns=None,
)

OPENSHIFT_LOCAL_SUBJECT_ACCESS_REVIEWS = Resource(
    group=GROUP,
    version=VERSION,
    kind="LocalSubjectAccessReview",
    plural="localsubjectaccessreviews",
    singular="localsubjectaccessreview",
    namespaced=True,
    type=OpenShiftLocalSubjectAccessReview,
    storage=AccessReviewStorage(),
    columns=None,
)

RESOURCE_ACCESS_REVIEWS = Resource(
    group=GROUP,
    version=VERSION,
    kind="ResourceAccessReview",
    plural="resourceaccessreviews",
    singular="resourceaccessreview",
    namespaced=False,
    type=ResourceAccessReview,
    storage=WhoCanStorage(),
    columns=None,
)

LOCAL_RESOURCE_ACCESS_REVIEWS = Resource(
    group=GROUP,
    version=VERSION,
    kind="LocalResourceAccessReview",
    plural="localresourceaccessreviews",
    singular="localresourceaccessreview",
    namespaced=True,
    type=LocalResourceAccessReview,
    storage=WhoCanStorage(),
    columns=None,
)
