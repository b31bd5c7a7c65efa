"""The kind TokenReview: whose token is this."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from authz import accounttokens, credentials, policy, tokens
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
        ours = accounttokens.issuers()
        wanted = obj.spec.audiences or ours[:1]
        known = credentials.recognise(obj.spec.token, seen=policy.freshness())
        audiences = [] if known is None else _served(wanted, known, ours)
        if known is None or not audiences or not known.lasts(now=context.now):
            obj.status = TokenReviewStatus(error=UNKNOWN)
        else:
            obj.status = TokenReviewStatus(authenticated=True, user=user_info(known.actor), audiences=audiences)
        return obj


def _served(wanted: Sequence[str], known: tokens.Known, ours: Sequence[str]) -> list[str]:
    """Return which of the audiences a token serves; one that is valid here serves each of this server's URLs."""
    also = ours if tokens.AUDIENCE in known.audiences else ()
    return [audience for audience in wanted if audience in known.audiences or audience in also]


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
