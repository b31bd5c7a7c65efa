"""The kind TokenReview: whose token is this."""

from __future__ import annotations

import msgspec

from authz import credentials, policy, tokens
from authz.api.subjectreviews import GROUP, VERSION, UserInfo, user_info
from registry_meta.kube import errors
from registry_meta.kube.meta import KubeObject, KubeStruct
from registry_meta.kube.request import Context
from registry_meta.kube.resource import Resource

UNKNOWN = "invalid bearer token"


class TokenReviewSpec(KubeStruct):
    """The token, and for whom it should be meant: one of the audiences, or this server."""

    token: str = ""
    audiences: list[str] | None = None


class TokenReviewStatus(KubeStruct):
    """Whose token it is."""

    authenticated: bool = False
    user: UserInfo = msgspec.field(default_factory=UserInfo)
    audiences: list[str] | None = None
    error: str = ""


class TokenReview(KubeObject):
    """Asks whose a token is."""

    spec: TokenReviewSpec = msgspec.field(default_factory=TokenReviewSpec)
    status: TokenReviewStatus = msgspec.field(default_factory=TokenReviewStatus)


class TokenReviewStorage:
    """Answers for the token in the body."""

    only_answers = True  # nothing changes, so the audit has nothing to tell

    def create(self, obj: TokenReview, *, context: Context) -> TokenReview:
        """Return whose token it is, or that it is nobody's; raises 400 without a token."""
        if not obj.spec.token:
            raise errors.bad_request("token is required for TokenReview in authentication")
        wanted = obj.spec.audiences or [tokens.AUDIENCE]
        known = credentials.recognise(obj.spec.token, seen=policy.freshness())
        if known is None or not known.serves(wanted, now=context.now):
            obj.status = TokenReviewStatus(error=UNKNOWN)
        else:
            audiences = [audience for audience in wanted if audience in known.audiences]
            obj.status = TokenReviewStatus(authenticated=True, user=user_info(known.actor), audiences=audiences)
        return obj


TOKEN_REVIEWS = Resource(
    group=GROUP,
    version=VERSION,
    kind="TokenReview",
    plural="tokenreviews",
    singular="tokenreview",
    namespaced=False,
    type=TokenReview,
    storage=TokenReviewStorage(),
    columns=None,
)
