"""The kind SelfSubjectReview: who am I."""

from __future__ import annotations

import msgspec

from registry_meta.kube.meta import KubeObject, KubeStruct, ObjectMeta, timestamp
from registry_meta.kube.request import Actor, Context
from registry_meta.kube.resource import Resource

GROUP = "authentication.k8s.io"
VERSION = "v1"


class UserInfo(KubeStruct):
    """A user: name, groups, and what else is known."""

    username: str = ""
    uid: str = ""
    groups: list[str] | None = None
    extra: dict[str, list[str]] | None = None


class SelfSubjectReviewStatus(KubeStruct):
    """Who asked."""

    user_info: UserInfo = msgspec.field(default_factory=UserInfo)


class SelfSubjectReview(KubeObject):
    """Asks who one is."""

    status: SelfSubjectReviewStatus = msgspec.field(default_factory=SelfSubjectReviewStatus)


def user_info(actor: Actor) -> UserInfo:
    """Return a user as the API shows it."""
    return UserInfo(
        username=actor.username,
        uid=actor.uid,
        groups=list(actor.groups) or None,
        extra={key: list(values) for key, values in actor.extra.items()} or None,
    )


class SelfReviewStorage:
    """Answers for whoever asks, whatever the body says."""

    only_answers = True  # nothing changes, so the audit has nothing to tell

    def create(self, obj: SelfSubjectReview, *, context: Context) -> SelfSubjectReview:
        """Return who asks."""
        return SelfSubjectReview(
            metadata=ObjectMeta(creation_timestamp=timestamp(context.now)),
            status=SelfSubjectReviewStatus(user_info=user_info(context.actor)),
        )


SELF_SUBJECT_REVIEWS = Resource(
    group=GROUP,
    version=VERSION,
    kind="SelfSubjectReview",
    plural="selfsubjectreviews",
    singular="selfsubjectreview",
    namespaced=False,
    type=SelfSubjectReview,
    storage=SelfReviewStorage(),
    columns=None,
)
