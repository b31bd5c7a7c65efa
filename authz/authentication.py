"""Who is asking: the bearer token of a request, and for whom it acts."""

from __future__ import annotations

from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from authz import credentials, frontproxy, policy, tokens
from authz.grants import Grants
from authz.impersonation import impersonate, wish
from authz.rules import ANONYMOUS, UNAUTHENTICATED
from registry_meta.kube import errors, marks, meta
from registry_meta.kube.request import Actor

NOBODY = Actor(ANONYMOUS, (UNAUTHENTICATED,))
"""Who asks without a credential."""


class BearerAuthentication(BaseAuthentication):
    """Recognises bearer tokens; gives a request its actor as `user`, and the policy in force as `auth`."""

    def authenticate(self, request: Request) -> tuple[Actor, Grants]:
        """Return who asks and by which policy; raises 401 for a bad token, 400 and 403 for impersonation."""
        seen = policy.freshness(marks.of(request.META))
        actor = frontproxy.actor_of(request.META) or _bearer(request.META.get("HTTP_AUTHORIZATION", ""), seen=seen)
        grants = policy.current(seen)
        wished = wish(request.META)
        return (impersonate(actor, wished, grants) if wished else actor), grants


def _bearer(header: str, *, seen: policy.Freshness) -> Actor:
    """Return whom a header names: nobody when there is no bearer token in it."""
    scheme, _, token = header.strip().partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or not token:
        return NOBODY
    known = credentials.recognise(token, seen=seen)
    if known is None or not known.serves((tokens.AUDIENCE,), now=meta.now()):
        raise errors.unauthorized()
    return known.actor
